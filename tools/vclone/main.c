/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vclone: clones of machines, each with an identity of its own. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/program.h"
#include "tools/vclone/vclone.h"

static const struct cli_command *const commands[] = {
	&cmd_clone, &cmd_audit, &cmd_rm_check,
};

static const char *const examples[] = {
	"golden.qcow2 -o clones -n 10 --linked --name web-%02d",
	"web.machine.json -o copy --to libvirt --static-ip 192.0.2.20",
	"audit --allow-external=. golden.qcow2 clones/web-01-disk1.qcow2",
	NULL,
};

static const struct program vclone = {
	.summary = "Clone virtual machines, and give each clone an identity of "
		   "its own.",
	.notes = "'vclone SOURCE ...' is 'vclone clone SOURCE ...'.  SOURCE is a "
		 "description (.vmx,\n.ovf, .ova, libvirt's .xml, "
		 ".machine.json), a folder with a .machine.json, or disk\n"
		 "images of any format.",
	.examples = examples,
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

/* Is the command itself left out? */
static bool is_bare(const char *first)
{
	static const char *const own[] = { "-h", "--help", "-V", "--version" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(own[i], first))
			return false;
	for (size_t i = 0; i < vclone.n_commands; i++)
		if (!strcmp(commands[i]->name, first))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct cli cli = { .prog = "vclone" };
	char **words;
	int status;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* ulimit -f is an error like others */
	if (argc < 2 || !is_bare(argv[1]))
		return program_run(&vclone, &cli, argc, argv);
	words = calloc((size_t)argc + 2, sizeof(*words));
	if (!words)
		return CLI_FAILED;
	words[0] = argv[0];
	words[1] = (char *)cmd_clone.name;
	memcpy(words + 2, argv + 1, (size_t)(argc - 1) * sizeof(*words));
	status = program_run(&vclone, &cli, argc + 1, words);
	free(words);
	return status;
}
