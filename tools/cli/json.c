/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - JSON on standard output, laid out as qemu-img does. */
#include <stdio.h>

#include "tools/cli/json.h"

static int dump(const struct cli *cli, json_t *value, int status, size_t flags)
{
	if (!value || json_dumpf(value, stdout, flags | JSON_ENSURE_ASCII)) {
		cli_error(cli, "cannot write JSON: out of memory, or standard "
			  "output is gone");
		status = status ? status : CLI_FAILED;
	}
	printf("\n");
	json_decref(value);
	return cli_finish(cli, status);
}

int json_print(const struct cli *cli, json_t *value, int status)
{
	return dump(cli, value, status, JSON_INDENT(4));
}

int json_print_line(const struct cli *cli, json_t *value, int status)
{
	return dump(cli, value, status, 0);
}
