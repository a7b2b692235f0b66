/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vimg.h - the subcommands of vimg. */
#ifndef VIMG_H
#define VIMG_H

#include "tools/cli/cli.h"

extern const struct cli_command cmd_create, cmd_info, cmd_check, cmd_map,
	cmd_measure, cmd_convert, cmd_compare, cmd_resize, cmd_dd,
	cmd_checksum, cmd_ova;

#endif
