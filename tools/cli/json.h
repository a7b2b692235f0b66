/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - JSON on standard output, laid out as qemu-img does. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <jansson.h>

#include "tools/cli/cli.h"

/* Add a member; numbers beyond 2^63 do not occur. */
void json_put_size(json_t *object, const char *key, uint64_t n);
void json_put_string(json_t *object, const char *key, const char *text);
void json_put_bool(json_t *object, const char *key, bool value);

/* Print with a newline, release `value`; prints an error.  The exit status. */
int json_print(const struct cli *cli, json_t *value, int status);
/* The same on one line, for output that is a line at a time. */
int json_print_line(const struct cli *cli, json_t *value, int status);

/* A name as JSON text: bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text);

#endif
