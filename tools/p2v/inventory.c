/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inventory.c - p2v inventory: what this machine is made of. */
#include "convert/capture/inventory.h"
#include "tools/cli/json.h"
#include "tools/p2v/p2v.h"

static int inventory_run(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "root", required_argument, NULL, CLI_FIRST_OWN },
		{ 0 },
	};
	const char *root = "";
	struct err e = { "" };
	json_t *o;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (c == CLI_FIRST_OWN) {
			root = optarg;
			continue;
		}
		rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind < argc)
		return cli_usage(cli, "unexpected argument '%s'", argv[optind]);
	if (inventory_take(root, &o, &e)) {
		cli_error(cli, "%s", e.text);
		return CLI_FAILED;
	}
	return json_print(cli, o, 0);
}

const struct cli_command cmd_inventory = {
	.name = "inventory",
	.run = inventory_run,
	.synopsis = "inventory [--root DIR]",
	.help =
"Print as JSON what this machine is made of: firmware, CPUs, memory, network cards\n"
"with their names and MAC addresses, disks with their serial numbers, DMI.  Without\n"
"root's rights some of it cannot be read, and \"unreadable\" lists that.\n\n"
"  --root DIR             read DIR/sys and DIR/proc instead\n\n"
"Example:\n"
"  p2v inventory >machine.json\n",
};
