/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - the first word of a command line. */
#include "tools/cli/program.h"

#include <stdio.h>
#include <string.h>

static void print_version(const struct program *p, const struct cli *cli)
{
	if (p->version)
		p->version(cli);
	else
		printf("%s version " VERSION "\n", cli->prog);
}

static int print_help(const struct program *p, const struct cli *cli)
{
	print_version(p, cli);
	printf("usage: %s [-h | -V] COMMAND [OPTIONS]\n%s\n\n"
	       "    '-h', '--help'       display this help and exit\n"
	       "    '-V', '--version'    output version information and exit\n"
	       "\nCommand syntax:\n", cli->prog, p->summary);
	for (size_t i = 0; i < p->n_commands; i++)
		printf("  %s\n", p->commands[i]->synopsis);
	printf("\n'%s COMMAND --help' explains a command, with examples.\n\n"
	       "%s%sExamples:\n", cli->prog, p->notes ? p->notes : "",
	       p->notes ? "\n\n" : "");
	for (const char *const *line = p->examples; *line; line++)
		printf("  %s %s\n", cli->prog, *line);
	if (p->more_help)
		p->more_help();
	return cli_finish(cli, 0);
}

int program_run(const struct program *p, struct cli *cli, int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;
	int status = CLI_DONE;

	if (!first)
		return cli_usage(cli, "Not enough arguments");
	if (!strcmp(first, "-h") || !strcmp(first, "--help"))
		return print_help(p, cli);
	if (!strcmp(first, "-V") || !strcmp(first, "--version")) {
		print_version(p, cli);
		return cli_finish(cli, 0);
	}
	if (*first == '-')
		return cli_usage(cli, "unrecognized option '%s'", first);
	for (size_t i = 0; i < p->n_commands; i++)
		if (!strcmp(p->commands[i]->name, first)) {
			cli->command = p->commands[i];
			return cli->command->run(cli, argc - 1, argv + 1);
		}
	if (p->unknown)
		status = p->unknown(cli, first);
	return status != CLI_DONE ? status
		: cli_usage(cli, "Command not found: %s", first);
}
