/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create.c - making empty images: the -o options, create and measure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

static const struct img_driver *creator(const char *format, struct err *e,
					int *rc)
{
	for (size_t i = 0; img_drivers[i]; i++) {
		const struct img_driver *drv = img_drivers[i];

		if (!(drv->flags & DRV_FORMAT) || strcmp(drv->name, format))
			continue;
		if (drv->create)
			return drv;
		*rc = fail(e, ENOTSUP,
			   "Format driver '%s' does not support image creation",
			   format);
		return NULL;
	}
	*rc = fail(e, EINVAL, "Unknown file format '%s'", format);
	return NULL;
}

int opt_check(const struct img_create_args *args, struct err *e)
{
	const struct img_option *known = img_create_options(args->format);

	for (size_t i = 0; i < args->n_options; i++) {
		const struct img_option *o = known;

		while (o && o->name && strcmp(o->name, args->options[i].key))
			o++;
		if (!o || !o->name)
			return fail(e, EINVAL, "Invalid parameter '%s'",
				    args->options[i].key);
	}
	return 0;
}

/* The last one given counts. */
const char *opt_string(const struct img_create_args *args, const char *key)
{
	for (size_t i = args->n_options; i-- > 0; )
		if (!strcmp(args->options[i].key, key))
			return args->options[i].value;
	return NULL;
}

int opt_size(const struct img_create_args *args, const char *key,
	     uint64_t *value, struct err *e)
{
	const char *text = opt_string(args, key);
	int rc = text ? size_parse(text, value) : 0;

	if (rc == -ERANGE)
		return fail(e, ERANGE, "Value '%s' is too large for parameter "
			    "'%s'", text, key);
	if (rc)
		return fail(e, EINVAL, "Parameter '%s' expects a non-negative "
			    "number below 2^64, perhaps with one of k, M, G, T, "
			    "P or E; found '%s'", key, text);
	return 0;
}

int opt_number(const struct img_create_args *args, const char *key,
	       uint64_t *value, struct err *e)
{
	const char *text = opt_string(args, key);
	unsigned long long n;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-'))
		return fail(e, EINVAL, "Parameter '%s' expects a number, found "
			    "'%s'", key, text);
	*value = n;
	return 0;
}

int opt_bool(const struct img_create_args *args, const char *key, bool *value,
	     struct err *e)
{
	const char *text = opt_string(args, key);

	if (!text)
		return 0;
	if (!strcmp(text, "on") || !strcmp(text, "yes") ||
	    !strcmp(text, "true") || !strcmp(text, "y"))
		*value = true;
	else if (!strcmp(text, "off") || !strcmp(text, "no") ||
		 !strcmp(text, "false") || !strcmp(text, "n"))
		*value = false;
	else
		return fail(e, EINVAL, "Parameter '%s' expects 'on' or 'off', "
			    "found '%s'", key, text);
	return 0;
}

int img_create(struct img *below, const struct img_create_args *args,
	       struct err *e)
{
	const struct img_driver *drv;
	int rc = 0;

	drv = creator(args->format, e, &rc);
	if (!drv)
		return rc;
	rc = opt_check(args, e);
	if (rc)
		return rc;
	if (args->size > INT64_MAX - 511)
		return fail(e, EINVAL, "a size of %llu bytes is too large",
			    (unsigned long long)args->size);
	if (below->drv->flags & DRV_APPENDS && !(drv->flags & DRV_ONE_PASS))
		return fail(e, ESPIPE, "a %s image cannot be written in one "
			    "pass", drv->name);
	return drv->create(below, args, e);
}

int img_measure(const struct img_create_args *args, struct img *src,
		struct img_measure *out, struct err *e)
{
	const struct img_driver *drv;
	int rc = 0;

	*out = (struct img_measure){ 0 };
	drv = creator(args->format, e, &rc);
	if (!drv)
		return rc;
	if (!drv->measure)
		return fail(e, ENOTSUP, "Format driver '%s' does not support "
			    "size measurement", args->format);
	rc = opt_check(args, e);
	if (rc)
		return rc;
	return drv->measure(args, src, out, e);
}

int opt_file_hints(const struct img_create_args *args, struct err *e)
{
	uint64_t hint;
	bool nocow;
	int rc;

	rc = opt_size(args, "extent_size_hint", &hint, e);
	return rc ? rc : opt_bool(args, "nocow", &nocow, e);
}

int img_data_units(struct img *img, uint64_t unit, uint64_t *n)
{
	uint64_t pos = 0, end = 0, start;
	struct img_extent x;
	int rc;

	*n = 0;
	while (pos < img->size) {
		rc = img_map(img, pos, img->size - pos, &x);
		if (rc)
			return rc;
		if (!(x.flags & (IMG_EXT_ZERO | IMG_EXT_HOLE))) {
			start = max_u64(end, pos / unit);
			end = div_round_up(pos + x.len, unit);
			*n += end - start;
		}
		pos += x.len;
	}
	return 0;
}
