/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - option strings: "key=value,key=value", where ",," is a comma
 * inside a value.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "imgfmt/imgfmt.h"

struct options {
	struct img_kv *kv;	/* key and value are one block, the key's */
	size_t n, cap;
};

/* Append what `text` says.  A key alone means key=on. */
int options_parse(struct options *o, const char *text, struct err *e);
int options_set(struct options *o, const char *key, const char *value);
/* The last value given, or NULL. */
const char *options_get(const struct options *o, const char *key);
void options_remove(struct options *o, const char *key);
void options_fini(struct options *o);

/* Does an -o string ask for help? */
bool options_want_help(const char *text);

/* List what -o takes for `format`; `with_file`: a file name was given too. */
void options_print_help(const char *format, bool with_file);

#endif
