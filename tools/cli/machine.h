/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.h - the machine that a command line names, and numbers and words of
 * options: what v2v and vclone share.
 *
 * All print their errors.
 */
#ifndef TOOLS_CLI_MACHINE_H
#define TOOLS_CLI_MACHINE_H

#include "convert/source/source.h"
#include "tools/cli/cli.h"

/* What the user says of the source. */
struct cli_machine {
	const char *input, *format, *system;
};

enum {
	CLI_INPUT = CLI_FIRST_OWN, CLI_SYSTEM, CLI_FIRST_MACHINE,
};
#define CLI_MACHINE_OPTIONS						\
	{ "input", required_argument, NULL, CLI_INPUT },		\
	{ "format", required_argument, NULL, 'f' },			\
	{ "system", required_argument, NULL, CLI_SYSTEM }

/* As cli_option(), for these as well. */
int cli_machine_option(struct cli *cli, struct cli_machine *m, int c,
		       char **argv);
/* Open; CLI_DONE also where there are refusals.  `flags`: SOURCE_*. */
int cli_machine_open(struct cli *cli, const struct cli_machine *m,
		     const char *const *names, size_t n, unsigned flags,
		     struct source *out);

/* optarg as a number in [min, max], or one of the words (NULL-terminated; `what`
 * lists them): CLI_DONE, or the exit status.
 */
int cli_number(struct cli *cli, const char *option, unsigned min, unsigned max,
	       unsigned *out);
int cli_choice(struct cli *cli, const char *option, const char *const *allowed,
	       const char *what, const char **out);

#endif
