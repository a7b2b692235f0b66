/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel.c - vmm accel: what can run guests here, and how well. */
#include <stdio.h>

#include "tools/cli/json.h"
#include "tools/vmm/vmm.h"
#include "vmm/accel.h"

static const char *const qualities[] = {
	[ACCEL_ABSENT] = "absent", [ACCEL_EMULATED] = "emulated",
	[ACCEL_USABLE] = "usable",
};

static json_t *to_json(const struct accel *accel,
		       const struct accel_report *report)
{
	json_t *o = json_object();

	json_put_string(o, "name", accel->name);
	json_put_string(o, "quality", qualities[report->quality]);
	if (report->mips > 0)
		json_object_set_new(o, "mips", json_real(report->mips));
	json_put_string(o, "text", report->text.text);
	return o;
}

static int show(const struct cli *cli)
{
	const char *choice = NULL;
	struct accel_report report;
	const struct accel *accel;
	json_t *list = json_array(), *o;

	for (size_t i = 0; (accel = accel_at(i)); i++) {
		accel->probe(&report);
		if (!choice && report.quality == ACCEL_USABLE)
			choice = accel->name;
		json_array_append_new(list, to_json(accel, &report));
		if (!cli->json)
			printf("%s: %s: %s\n", accel->name,
			       qualities[report.quality], report.text.text);
	}
	if (cli->json) {
		o = json_object();
		json_object_set_new(o, "accelerators", list);
		json_object_set_new(o, "auto", choice ? json_string(choice) :
				    json_null());
		return json_print(cli, o, 0);
	}
	json_decref(list);
	printf("auto: %s\n", choice ? choice : "none is usable");
	return cli_finish(cli, 0);
}

static int accel_main(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "output", required_argument, NULL, CLI_OUTPUT },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind < argc)
		return cli_usage(cli, "Unexpected argument '%s'",
				 argv[optind]);
	return show(cli);
}

const struct cli_command cmd_accel = {
	"accel", accel_main, "accel [--output human|json]",
	"Say what can run guests on this machine, and how well.  An accelerator\n"
	"is usable, absent, or emulated: /dev/kvm is there, but the host runs\n"
	"a guest's kernel instruction by instruction, and not all of them.\n"
	"\"auto\" is the one that --accel auto takes.\n\n"
	"  --output human|json    as text, or as one JSON object\n\n"
	"Example:\n"
	"  vmm accel\n",
};
