/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open.c - opening: guess the format, stack it on the file, find the backing
 * chain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

/* What survives on the way down to a file that an image names. */
#define CHAIN_FLAGS (IMG_DIRECT | IMG_NO_LOCK | IMG_SHARE | IMG_PROBE_BACKING)

static const struct img_driver *find_driver(const char *name)
{
	for (size_t i = 0; img_drivers[i]; i++)
		if (img_drivers[i]->flags & DRV_FORMAT &&
		    !strcmp(img_drivers[i]->name, name))
			return img_drivers[i];
	return NULL;
}

const char *img_formats(size_t i)
{
	for (size_t n = 0; img_drivers[n]; n++)
		if (img_drivers[n]->flags & DRV_FORMAT && !i--)
			return img_drivers[n]->name;
	return NULL;
}

bool img_format_can_create(const char *format)
{
	const struct img_driver *drv = find_driver(format);

	return drv && drv->create;
}

const struct img_option *img_create_options(const char *format)
{
	const struct img_driver *drv = find_driver(format);

	return drv ? drv->options : NULL;
}

int img_probe_format(struct img *below, const char **format)
{
	uint8_t head[2048] = { 0 };
	uint64_t size = img_length(below);
	size_t len = (size_t)min_u64(size, sizeof(head));
	int best_score = 0, rc;

	*format = "raw";
	rc = img_read(below, head, len, 0);
	for (size_t i = 0; img_drivers[i] && !rc; i++) {
		int score;

		if (!img_drivers[i]->probe)
			continue;
		score = img_drivers[i]->probe(head, len, size);
		if (score > best_score) {
			best_score = score;
			*format = img_drivers[i]->name;
		}
	}
	return rc;
}

const char *img_probe(struct img *below)
{
	const char *format;

	img_probe_format(below, &format);
	return format;
}

/* One layer, without its backing file. */
static int stack_one(struct img *below, const struct img_open_args *args,
		     struct img **out, struct err *e)
{
	const char *format = args->format;
	const struct img_driver *drv;
	struct img *img;
	int rc;

	rc = format ? 0 : img_probe_format(below, &format);
	if (rc)
		return fail_rc(e, rc, "Could not read the beginning of '%s'",
			       below->name);
	drv = find_driver(format);
	if (!drv)
		return fail(e, EINVAL, "Unknown driver '%s'", format);
	if (below->drv->flags & DRV_FORWARD &&
	    !(drv->flags & DRV_READS_FORWARD))
		return fail(e, ESPIPE, "%s can only be read from start to end, "
			    "and the format %s cannot: save it to a file "
			    "first", below->name, format);
	rc = img_layer_new(drv, below, below->name, args->flags, &img, e);
	if (rc)
		return rc;
	if (args->flags & IMG_WRITE && !(args->flags & IMG_REPAIR) &&
	    !drv->write)
		rc = fail(e, ENOTSUP, "a %s image can only be read", drv->name);
	if (!rc)
		rc = drv->open(img, args, e);
	if (rc) {
		img_layer_free(img);
		return rc;
	}
	*out = img;
	return 0;
}

static int host_id(const struct img *img, uint64_t id[2])
{
	for (; img; img = img->below)
		if (img->drv->host_id)
			return img->drv->host_id(img, id);
	return -ENOTSUP;
}

/* Does `img` stand in the chain from `top` to `last` already? */
static bool in_chain(const struct img *top, const struct img *img)
{
	uint64_t a[2], b[2];

	if (host_id(img, a))
		return false;
	for (; top; top = top->backing)
		if (!host_id(top, b) && a[0] == b[0] && a[1] == b[1])
			return true;
	return false;
}

static int open_backing(struct img *top, struct img *img,
			const struct img_open_args *args, struct err *e)
{
	const struct img_resolver *r = args->resolver;
	unsigned flags = (args->flags & CHAIN_FLAGS) | IMG_NO_BACKING;
	struct img *backing;
	int rc;

	if (!img->backing_format && !(args->flags & IMG_PROBE_BACKING))
		return fail(e, EPERM,
			    "%s names the backing file '%s' without saying its "
			    "format, and guessing it is unsafe: allow it with "
			    "--probe-backing, or give the format",
			    img->name, img->backing_name);
	if (!r)
		return fail(e, EPERM, "%s names the backing file '%s', and no "
			    "other file may be opened here",
			    img->name, img->backing_name);
	rc = r->open(r->arg, img->name, img->backing_name, img->backing_format,
		     flags, r, &backing, e);
	if (rc)
		return fail_prefix(e, rc, "Could not open backing file");
	if (in_chain(top, backing)) {
		rc = fail(e, ELOOP, "the backing file '%s' of %s is already in "
			  "the chain: a loop", img->backing_name, img->name);
		img_close(backing, NULL);
		return rc;
	}
	img->backing = backing;
	return 0;
}

static int open_chain(struct img *top, const struct img_open_args *args,
		      struct err *e)
{
	struct img *img = top;
	unsigned n = 0;
	int rc;

	for (; img->backing_name; img = img->backing) {
		if (++n > IMG_MAX_CHAIN)
			return fail(e, ELOOP, "more than %u backing files, the "
				    "last one %s", IMG_MAX_CHAIN, img->name);
		/* The resolver may give an image that was open already. */
		if (img->backing)
			continue;
		rc = open_backing(top, img, args, e);
		if (!rc && img->drv->check_backing)
			rc = img->drv->check_backing(img, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int replace_string(char **old, const char *new)
{
	char *copy = new ? strdup(new) : NULL;

	if (new && !copy)
		return -ENOMEM;
	free(*old);
	*old = copy;
	return 0;
}

static int override_backing(struct img *img, const struct img_open_args *args)
{
	int rc;

	if (!args->backing)
		return 0;
	rc = replace_string(&img->backing_name,
			    *args->backing ? args->backing : NULL);
	if (!rc)
		rc = replace_string(&img->backing_format, args->backing_format);
	return rc;
}

int img_stack(struct img *below, const struct img_open_args *args,
	      struct img **out, struct err *e)
{
	struct img *img = NULL;
	int rc;

	rc = stack_one(below, args, &img, e);
	if (rc)
		return rc;
	rc = override_backing(img, args);
	if (rc)
		fail_rc(e, rc, "%s", img->name);
	else if (!(args->flags & (IMG_NO_BACKING | IMG_NO_DATA)))
		rc = open_chain(img, args, e);
	if (rc) {
		img_close_layer(img, NULL);	/* `below` stays the caller's */
		return rc;
	}
	*out = img;
	return 0;
}

int img_open(const char *path, const struct img_open_args *args,
	     struct img **out, struct err *e)
{
	struct img *file;
	int rc;

	/* The top layer's flush does it for all below. */
	rc = img_file_open(path, args->flags & ~IMG_WRITETHROUGH, &file, e);
	if (rc)
		return rc;
	rc = img_stack(file, args, out, e);
	if (rc) {
		img_close(file, NULL);
		return rc;
	}
	return 0;
}
