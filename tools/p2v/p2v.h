/* SPDX-License-Identifier: GPL-2.0-or-later */
/* p2v.h - the subcommands of p2v. */
#ifndef TOOLS_P2V_H
#define TOOLS_P2V_H

#include "imgfmt/base/json.h"
#include "tools/cli/cli.h"

#define P2V_CHECK 3	/* exit status: a check found something */

extern const struct cli_command cmd_capture, cmd_inventory, cmd_verify;

/* verify.c: compare what is in `folder` with its manifest; prints what is wrong,
 * and the progress if wanted.  The exit status.
 */
int p2v_verify(struct cli *cli, const char *folder, bool progress);

#endif
