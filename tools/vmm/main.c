/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vmm: run virtual machines. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/vmm/vmm.h"

static const struct cli_command *const commands[] = {
	&cmd_accel, &cmd_boot_test, &cmd_control, &cmd_run,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(const struct cli *cli)
{
	printf("vmm version " VERSION "\n"
	       "usage: vmm [-h | -V] COMMAND [OPTIONS]\n"
	       "Run virtual machines.\n\n"
	       "    '-h', '--help'       display this help and exit\n"
	       "    '-V', '--version'    output version information and exit\n"
	       "\nCommand syntax:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %s\n", commands[i]->synopsis);
	printf("\n'vmm COMMAND --help' explains a command, with examples.\n\n"
	       "Examples:\n"
	       "  vmm run --disk disk.qcow2,overlay\n"
	       "  vmm run --kernel vmlinuz --initrd initrd.img "
	       "--append console=ttyS0 \\\n"
	       "      --disk disk.qcow2,overlay\n");
	return cli_finish(cli, 0);
}

static int run(struct cli *cli, int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;

	if (!first)
		return cli_usage(cli, "Not enough arguments");
	if (!strcmp(first, "-h") || !strcmp(first, "--help"))
		return print_help(cli);
	if (!strcmp(first, "-V") || !strcmp(first, "--version")) {
		printf("vmm version " VERSION "\n");
		return cli_finish(cli, 0);
	}
	if (*first == '-')
		return cli_usage(cli, "unrecognized option '%s'", first);
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, first)) {
			cli->command = commands[i];
			return commands[i]->run(cli, argc - 1, argv + 1);
		}
	return cli_usage(cli, "Command not found: %s", first);
}

int main(int argc, char **argv)
{
	struct cli cli = { .prog = "vmm" };
	int status;

	signal(SIGPIPE, SIG_IGN);
	/* A disk that reaches ulimit -f is the guest's I/O error, not our end. */
	signal(SIGXFSZ, SIG_IGN);
	status = run(&cli, argc, argv);
	if (status & VMM_GUEST)
		return status & 0xff;
	/* An odd status would be a guest's. */
	return status == CLI_FAILED ? VMM_ERROR : status;
}
