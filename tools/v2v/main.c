/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - v2v: convert virtual machines from elsewhere for KVM. */
#include <signal.h>

#include "tools/cli/program.h"
#include "tools/v2v/v2v.h"

static const struct cli_command *const commands[] = {
	&cmd_convert, &cmd_inspect, &cmd_plan, &cmd_undo,
};

static const char *const examples[] = {
	"inspect guest.vmx",
	"plan guest.ova",
	"convert guest.ova -o converted --to libvirt",
	NULL,
};

static const struct program v2v = {
	.summary = "Convert virtual machines from elsewhere for KVM, and prove "
		   "that they boot.",
	.notes = "SOURCE is a description (.vmx, .ovf, .ova, libvirt's .xml, "
		 ".machine.json), a\nfolder that p2v has captured into, or disk "
		 "images of any format.  It is never\nwritten.",
	.examples = examples,
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

int main(int argc, char **argv)
{
	struct cli cli = { .prog = "v2v" };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* ulimit -f is an error like others */
	return program_run(&v2v, &cli, argc, argv);
}
