/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - JSON on standard output, laid out as qemu-img does. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include "imgfmt/base/json.h"
#include "tools/cli/cli.h"

/* Print with a newline, release `value`; prints an error.  The exit status. */
int json_print(const struct cli *cli, json_t *value, int status);
/* The same on one line, for output that is a line at a time. */
int json_print_line(const struct cli *cli, json_t *value, int status);

#endif
