/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h - a program made of subcommands: its help, its version, and which
 * command is meant.
 */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H

#include "tools/cli/cli.h"

struct program {
	const char *summary;		/* "Run virtual machines." */
	const char *notes;		/* what all commands share, or NULL */
	const char *const *examples;	/* command lines without the program's
					 * name; NULL-terminated */
	const struct cli_command *const *commands;
	size_t n_commands;
	/* Both may be NULL: for a program that speaks of its version in other
	 * words, and for what else --help shows.
	 */
	void (*version)(const struct cli *cli);
	void (*more_help)(void);
	/* A command that there is not: print a better answer, and return the
	 * exit status; or CLI_DONE.  May be NULL.
	 */
	int (*unknown)(const struct cli *cli, const char *name);
};

/* What the command line asks for; the exit status.  cli->prog is set. */
int program_run(const struct program *p, struct cli *cli, int argc,
		char **argv);

#endif
