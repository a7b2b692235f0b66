/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c - v2v plan: what a conversion would change in the guest, as diffs. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/cli/json.h"
#include "tools/v2v/v2v.h"

static int print_plan(struct cli *cli, const struct source *s,
		      const struct v2v_args *a, struct edits *ed)
{
	struct err e = { "" };
	char *text;

	if (cli->json) {
		json_t *o = v2v_source_json(s);

		json_object_set_new(o, "edits", edits_json(ed));
		return json_print(cli, o, 0);
	}
	text = edits_text(ed, &e);
	if (!text) {
		cli_error(cli, "%s: %s", a->names[0], e.text);
		return CLI_FAILED;
	}
	printf("%s", text);
	if (!edits_count(ed))
		printf("Nothing in the guest has to change.\n");
	free(text);
	return cli_finish(cli, 0);
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_OPTIONS, CLI_MACHINE_OPTIONS, V2V_PLAN_OPTIONS, { 0 },
	};
	struct v2v_args a = { 0 };
	struct edits *ed = NULL;
	struct source s;
	int c, status;

	while ((c = getopt_long(argc, argv, ":hqUf:", options, NULL)) != -1) {
		status = v2v_option(cli, &a, c, argv);
		if (status != CLI_DONE)
			return status;
	}
	status = v2v_names(cli, &a, argc, argv);
	if (status == CLI_DONE)
		status = v2v_open(cli, &a, 0, &s);
	if (status != CLI_DONE)
		return status;
	status = v2v_plan(cli, &a, &s, &ed);
	if (status == CLI_DONE)
		status = print_plan(cli, &s, &a, ed);
	else if (status == V2V_REFUSED && cli->json)
		status = json_print(cli, v2v_source_json(&s), V2V_REFUSED);
	v2v_plan_fini(&a, ed);
	source_close(&s);
	return status;
}

const struct cli_command cmd_plan = {
	.name = "plan",
	.run = run,
	.synopsis = "plan [--serial-console] [--keep-tools] [--output json] "
		    "SOURCE",
	.help =
"Show what 'convert' would change in the guest, file by file, as unified diffs.\n"
"Nothing is written.\n\n"
"  --serial-console       add a console on the serial port where there is none\n"
"  --keep-tools           leave the services of other hypervisors on\n"
"  --input KIND           what SOURCE is: vmx, ovf, ova, libvirt, json or disk\n"
"                         (default: by its name)\n"
"  -f, --format FMT       of disk images, instead of guessing\n"
"  --system NAME          which machine of a package of several\n"
"  --allow-external[=DIR] a description's disks may lie in DIR, or anywhere\n"
"  -U, --force-share      also if another process has the disks open\n"
"  --output human|json\n\n"
"Exit status: 0 done, 1 failed, 2 wrong usage, 3 the machine must not be\n"
"converted as it is (the reason and what to do are said).\n\n"
"Example:\n"
"  v2v plan guest.ova\n",
};
