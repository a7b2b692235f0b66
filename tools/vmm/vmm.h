/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm.h - the subcommands of vmm, and how they end. */
#ifndef TOOLS_VMM_H
#define TOOLS_VMM_H

#include "tools/cli/cli.h"

/* Exit statuses; odd ones are a guest's, through isa-debug-exit. */
#define VMM_POWERED_OFF 0
#define VMM_USAGE	2	/* cli_usage_status() */
#define VMM_REBOOTED	4
#define VMM_HALTED	6
#define VMM_TRIPLE_FAULT 8
#define VMM_TIMED_OUT	10
#define VMM_ERROR	12
/* Marks a status that the guest chose: 1 too is then no failure of ours. */
#define VMM_GUEST	0x100
#define VMM_QUIT	14	/* Ctrl-A X, or the control socket's quit */
#define VMM_NOT_PASSED	16	/* boot-test */

extern const struct cli_command cmd_accel, cmd_boot_test, cmd_control, cmd_run;

#endif
