/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rm_check.c - vclone rm-check: do clones stand on an image? */
#include <stdio.h>

#include "clone/base.h"
#include "tools/cli/json.h"
#include "tools/vclone/vclone.h"

static int print_state(struct cli *cli, const char *name,
		       const struct base_state *s)
{
	int status = s->n_clones ? VCLONE_REFUSED : 0;
	json_t *o, *list;

	if (!cli->json) {
		for (size_t i = 0; i < s->n_clones; i++)
			cli_line("%s", s->clones[i]);
		if (!s->n_clones)
			cli_line("%s: no linked clone needs it%s.", name,
				 s->counted ? " any more" : "");
		else if (s->changed)
			cli_error(cli, "%s has changed since it was first "
				  "cloned, which has damaged its clones", name);
		return cli_finish(cli, status);
	}
	o = json_object();
	list = json_array();
	for (size_t i = 0; i < s->n_clones; i++)
		json_array_append_new(list, json_text(s->clones[i]));
	json_put_string(o, "base", name);
	json_put_bool(o, "counted", s->counted);
	json_put_bool(o, "changed", s->changed);
	json_object_set_new(o, "clones", list);
	return json_print(cli, o, status);
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = { CLI_LONG_OPTIONS, { 0 } };
	struct base_state state;
	struct err e = { "" };
	int c, status;

	while ((c = getopt_long(argc, argv, ":hqU", options, NULL)) != -1) {
		status = cli_option(cli, c, argv);
		if (status != CLI_DONE)
			return status;
	}
	if (optind + 1 != argc)
		return cli_usage(cli, "name one image");
	if (base_state(argv[optind], &state, &e)) {
		cli_error(cli, "%s", e.text);
		status = CLI_FAILED;
	} else {
		status = print_state(cli, argv[optind], &state);
	}
	base_state_fini(&state);
	return status;
}

const struct cli_command cmd_rm_check = {
	.name = "rm-check",
	.run = run,
	.synopsis = "rm-check [--output human|json] IMAGE",
	.help =
"May an image be deleted or changed, or do linked clones stand on it?  Lists those\n"
"that exist.  Nothing is written.\n\n"
"  --output human|json\n\n"
"Exit status: 0 no clone needs it, 1 failed, 2 wrong usage, 3 clones do.\n\n"
"Example:\n"
"  vclone rm-check golden.qcow2 && rm golden.qcow2 golden.qcow2.clones.json\n",
};
