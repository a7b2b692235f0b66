/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vclone.h - the subcommands of vclone, and what they share. */
#ifndef TOOLS_VCLONE_H
#define TOOLS_VCLONE_H

#include "convert/source/source.h"
#include "tools/cli/cli.h"

/* Exit status besides 0, CLI_FAILED and 2 for wrong usage: the source must not be
 * cloned as it is; two machines share what they must not; a base has clones.
 */
#define VCLONE_REFUSED 3

extern const struct cli_command cmd_clone, cmd_audit, cmd_rm_check;

/* What the user says of the source. */
struct vclone_source {
	const char *input, *format, *system;
};
enum {
	VCLONE_INPUT = CLI_FIRST_OWN, VCLONE_SYSTEM, VCLONE_FIRST_OWN,
};
#define VCLONE_SOURCE_OPTIONS						\
	{ "input", required_argument, NULL, VCLONE_INPUT },		\
	{ "format", required_argument, NULL, 'f' },			\
	{ "system", required_argument, NULL, VCLONE_SYSTEM }

/* As cli_option(), for these as well. */
int vclone_source_option(struct cli *cli, struct vclone_source *s, int c,
			 char **argv);
/* Open; prints an error.  CLI_DONE also where there are refusals. */
int vclone_open(struct cli *cli, const struct vclone_source *how,
		const char *const *names, size_t n, struct source *out);

#endif
