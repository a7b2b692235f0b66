/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - option strings of the command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "options.h"

/* Copy up to the next single comma, with ",," as one; returns what follows. */
static const char *next_item(const char *p, char *item)
{
	for (; *p; p++) {
		if (*p == ',' && *++p != ',')
			break;
		*item++ = *p;
	}
	*item = 0;
	return p;
}

int options_set(struct options *o, const char *key, const char *value)
{
	size_t key_len = strlen(key) + 1, value_len = strlen(value) + 1;
	char *copy;

	if (array_grow(&o->kv, &o->cap, o->n + 1, sizeof(*o->kv)))
		return -ENOMEM;
	copy = malloc(key_len + value_len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, key, key_len);
	memcpy(copy + key_len, value, value_len);
	o->kv[o->n++] = (struct img_kv){ copy, copy + key_len };
	return 0;
}

/* No empty item at either end: a sign of a variable that was empty. */
static bool well_formed(const char *text)
{
	size_t len = strlen(text), commas = 0;

	if (!len || (text[0] == ',' && text[1] != ','))
		return false;
	while (commas < len && text[len - 1 - commas] == ',')
		commas++;
	return commas % 2 == 0;
}

int options_parse(struct options *o, const char *text, struct err *e)
{
	const char *p = text;
	char *item, *equals;
	int rc = 0;

	if (!well_formed(text))
		return fail(e, EINVAL, "Invalid option list: %s", text);
	item = malloc(strlen(text) + 1);
	while (item && *p && !rc) {
		p = next_item(p, item);
		equals = strchr(item, '=');
		if (equals)
			*equals++ = 0;
		if (!*item)
			rc = fail(e, EINVAL, "Invalid option list: %s", text);
		else if (options_set(o, item, equals ? equals : "on"))
			rc = -ENOMEM;
	}
	if (!item || rc == -ENOMEM)
		rc = fail(e, ENOMEM, "out of memory");
	free(item);
	return rc;
}

const char *options_get(const struct options *o, const char *key)
{
	for (size_t i = o->n; i-- > 0; )
		if (!strcmp(o->kv[i].key, key))
			return o->kv[i].value;
	return NULL;
}

void options_remove(struct options *o, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->kv[i].key, key))
			o->kv[kept++] = o->kv[i];
		else
			free((char *)o->kv[i].key);
	}
	o->n = kept;
}

void options_fini(struct options *o)
{
	for (size_t i = 0; i < o->n; i++)
		free((char *)o->kv[i].key);
	free(o->kv);
	*o = (struct options){ 0 };
}

bool options_want_help(const char *text)
{
	char *item = malloc(strlen(text) + 1);
	const char *p = text;
	bool help = false;

	while (item && *p && !help) {
		p = next_item(p, item);
		help = !strcmp(item, "help") || !strcmp(item, "?");
	}
	free(item);
	return help;
}

static int by_name(const void *a, const void *b)
{
	const struct img_option *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

#define MAX_LISTED 64

static void list_option(const struct img_option **list, size_t *n,
			const struct img_option *o)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(list[i]->name, o->name))
			return;
	if (*n < MAX_LISTED)
		list[(*n)++] = o;
}

/* The driver's own options, and those that the tools keep for it. */
static size_t list_options(const char *format, bool with_file,
			   const struct img_option **list)
{
	static const struct img_option common[] = {
		{ "size", "size", "Virtual disk size" },
		{ "backing_file", "str", "File name of a base image" },
		{ "backing_fmt", "str", "Image format of the base image" },
	};
	const struct img_option *o = img_create_options(format);
	bool raw = !strcmp(format, "raw");
	size_t n = 0;

	/* What raw has besides belongs to the file. */
	for (; o && o->name; o++)
		if (!raw || with_file)
			list_option(list, &n, o);
	for (size_t i = 0; i < (raw ? 1 : 3); i++)
		list_option(list, &n, &common[i]);
	qsort(list, n, sizeof(list[0]), by_name);
	return n;
}

static void print_option(const struct img_option *o)
{
	char left[80];

	snprintf(left, sizeof(left), "%s=<%s>", o->name,
		 !strcmp(o->type, "bool") ? "bool (on/off)" : o->type);
	printf("  %-22s - %s\n", left, o->help);
}

void options_print_help(const char *format, bool with_file)
{
	const struct img_option *list[MAX_LISTED];
	size_t n = list_options(format, with_file, list);

	if (with_file)
		printf("Supported options:\n");
	else
		printf("Supported %s options:\n", format);
	for (size_t i = 0; i < n; i++)
		print_option(list[i]);
	if (!with_file)
		printf("\nThe protocol level may support further options.\n"
		       "Specify the target filename to include those "
		       "options.\n");
}
