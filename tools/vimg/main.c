/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vimg: create, inspect, check and convert disk images. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/cli/program.h"
#include "tools/vimg/vimg.h"

static const struct cli_command *const commands[] = {
	&cmd_check, &cmd_checksum, &cmd_compare, &cmd_convert, &cmd_create,
	&cmd_dd, &cmd_info, &cmd_map, &cmd_measure, &cmd_ova, &cmd_resize,
};

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

	printf("\nSupported formats:");
	for (size_t i = 0; (name = img_formats(i)); i++)
		printf(" %s", name);
	printf("\n");
}

static int unknown_command(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(char *); i++)
		if (!strcmp(not_yet[i], name))
			return cli_usage(cli, "the command '%s' of qemu-img is "
					 "not supported yet", name);
	return CLI_DONE;
}

static const char *const examples[] = {
	"info disk.qcow2",
	"create -f qcow2 disk.qcow2 10G",
	"convert -p -O qcow2 disk.raw disk.qcow2",
	NULL,
};

static const struct program vimg = {
	.summary = "Create, inspect, check and convert disk images.",
	.notes = "FILE is a local file or block device.  FMT is guessed where it "
		 "is not given.\nSIZE is in bytes, or has one of the suffixes k "
		 "M G T P E (powers of 1024).\nCACHE is none, writeback, "
		 "writethrough, directsync or unsafe.",
	.examples = examples,
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
	.version = print_version, .more_help = print_formats,
	.unknown = unknown_command,
};

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
	return program_run(&vimg, &cli, argc, argv);
}
