/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - p2v: take a physical machine's disks and description with you. */
#include <signal.h>

#include "tools/cli/program.h"
#include "tools/p2v/p2v.h"

static const struct cli_command *const commands[] = {
	&cmd_capture, &cmd_inventory, &cmd_verify,
};

static const char *const examples[] = {
	"inventory >machine.json",
	"capture -p /dev/sda /dev/sdb -o /mnt/backup/web",
	"capture --resume --bwlimit 50M /dev/sda -o /mnt/backup/web",
	"verify /mnt/backup/web",
	NULL,
};

static const struct program p2v = {
	.summary = "Take a physical machine's disks and description with you.",
	.examples = examples,
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

int main(int argc, char **argv)
{
	struct cli cli = { .prog = "p2v" };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return program_run(&p2v, &cli, argc, argv);
}
