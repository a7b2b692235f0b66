/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vclone.h - the subcommands of vclone, and what they share. */
#ifndef TOOLS_VCLONE_H
#define TOOLS_VCLONE_H

#include "tools/cli/machine.h"

/* Exit status besides 0, CLI_FAILED and 2 for wrong usage: the source must not be
 * cloned as it is; two machines share what they must not; a base has clones.
 */
#define VCLONE_REFUSED 3

extern const struct cli_command cmd_clone, cmd_audit, cmd_rm_check;

#endif
