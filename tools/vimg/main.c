/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vimg: create, inspect, check and convert disk images. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/vimg/vimg.h"

static const struct cli_command *const commands[] = {
	&cmd_check, &cmd_checksum, &cmd_compare, &cmd_convert, &cmd_create,
	&cmd_dd, &cmd_info, &cmd_map, &cmd_measure, &cmd_ova, &cmd_resize,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* What qemu-img has besides, so that its name gets a better answer. */
static const char *const not_yet[] = {
	"amend", "bench", "bitmap", "commit", "rebase", "snapshot",
};

/* Programs look for the number behind "qemu-img version". */
static void print_version(const struct cli *cli)
{
	if (cli->dropin)
		printf("qemu-img version 7.2.0 (vimg " VERSION ")\n");
	else
		printf("vimg version " VERSION "\n");
}

static void print_formats(void)
{
	const char *name;

	printf("Supported formats:");
	for (size_t i = 0; (name = img_formats(i)); i++)
		printf(" %s", name);
	printf("\n");
}

static int print_help(const struct cli *cli)
{
	print_version(cli);
	printf("usage: %s [-h | -V] COMMAND [OPTIONS]\n"
	       "Create, inspect, check and convert disk images.\n\n"
	       "    '-h', '--help'       display this help and exit\n"
	       "    '-V', '--version'    output version information and exit\n"
	       "\nCommand syntax:\n", cli->prog);
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %s\n", commands[i]->synopsis);
	printf("\n'%s COMMAND --help' explains a command, with examples.\n\n"
	       "FILE is a local file or block device.  FMT is guessed where it "
	       "is not given.\nSIZE is in bytes, or has one of the suffixes k "
	       "M G T P E (powers of 1024).\nCACHE is none, writeback, "
	       "writethrough, directsync or unsafe.\n\n"
	       "Examples:\n"
	       "  %s info disk.qcow2\n"
	       "  %s create -f qcow2 disk.qcow2 10G\n"
	       "  %s convert -p -O qcow2 disk.raw disk.qcow2\n\n",
	       cli->prog, cli->prog, cli->prog, cli->prog);
	print_formats();
	return cli_finish(cli, 0);
}

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int unknown_command(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(char *); i++)
		if (!strcmp(not_yet[i], name))
			return cli_usage(cli, "the command '%s' of qemu-img is "
					 "not supported yet", name);
	return cli_usage(cli, "Command not found: %s", name);
}

static int run(struct cli *cli, int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;

	if (!first)
		return cli_usage(cli, "Not enough arguments");
	if (!strcmp(first, "-h") || !strcmp(first, "--help"))
		return print_help(cli);
	if (!strcmp(first, "-V") || !strcmp(first, "--version")) {
		print_version(cli);
		return cli_finish(cli, 0);
	}
	if (*first == '-')
		return cli_usage(cli, "unrecognized option '%s'", first);
	cli->command = find_command(first);
	if (!cli->command)
		return unknown_command(cli, first);
	return cli->command->run(cli, argc - 1, argv + 1);
}

/* A disk of VMware's may consist of many files. */
static void allow_many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	struct cli cli = { .prog = "vimg" };
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;

	if (argc && !strcmp(slash ? slash + 1 : argv[0], "qemu-img")) {
		cli.prog = "qemu-img";
		cli.dropin = true;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* ulimit -f is an error like others */
	allow_many_files();
	return run(&cli, argc, argv);
}
