/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vmm: run virtual machines. */
#include <signal.h>

#include "tools/cli/program.h"
#include "tools/vmm/vmm.h"

static const struct cli_command *const commands[] = {
	&cmd_accel, &cmd_boot_test, &cmd_control, &cmd_run,
};

static const char *const examples[] = {
	"run --disk disk.qcow2,overlay",
	"run --kernel vmlinuz --initrd initrd.img --append console=ttyS0 \\\n"
	"      --disk disk.qcow2,overlay",
	NULL,
};

static const struct program vmm = {
	.summary = "Run virtual machines.",
	.examples = examples,
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

int main(int argc, char **argv)
{
	struct cli cli = { .prog = "vmm" };
	int status;

	signal(SIGPIPE, SIG_IGN);
	/* A disk that reaches ulimit -f is the guest's I/O error, not our end. */
	signal(SIGXFSZ, SIG_IGN);
	status = program_run(&vmm, &cli, argc, argv);
	if (status & VMM_GUEST)
		return status & 0xff;
	/* An odd status would be a guest's. */
	return status == CLI_FAILED ? VMM_ERROR : status;
}
