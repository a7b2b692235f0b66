/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* raw.c - the format without a format: the bytes of the layer below.
 *
 * A file whose length is not a multiple of 512 appears rounded up, the rest as
 * zeroes; writing there makes the file longer.
 */
#include <errno.h>
#include <string.h>

#include "drivers.h"

#define SECTOR 512u

struct raw {
	uint64_t length;	/* of the layer below, when it was opened */
};

static int raw_probe(const uint8_t *head, size_t head_len, uint64_t file_size)
{
	(void)head;
	(void)head_len;
	(void)file_size;
	return 1;		/* anything can be raw */
}

/* A layer that cannot grow has no room to round up into. */
static int take_size(struct img *img, struct err *e)
{
	uint64_t len = img_length(img->below);
	struct raw *raw = img->state;

	raw->length = len;
	if (img->below->drv->flags & DRV_GROWS &&
	    (!round_up_ok(len, SECTOR, &len) || len > INT64_MAX))
		return fail(e, EFBIG, "%s: its length is too large",
			    img->name);
	img->size = len;
	return 0;
}

static int raw_open(struct img *img, const struct img_open_args *args,
		    struct err *e)
{
	if (args->snapshot)
		return fail(e, ENOENT, "%s: a raw image has no snapshots",
			    img->name);
	img->block_size = img->below->block_size;
	return take_size(img, e);
}

/* A file that somebody cuts while it is read must not turn into zeroes.  Asked
 * after the fact, so that it cannot happen in between.
 */
static int still_there(struct img *img, uint64_t end)
{
	const struct raw *raw = img->state;

	if (!(img->below->drv->flags & DRV_GROWS))
		return 0;
	return img_length(img->below) < min_u64(end, raw->length) ? -EIO : 0;
}

static int raw_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	int rc = img_read(img->below, buf, len, offset);

	return rc ? rc : still_there(img, offset + len);
}

static int raw_readv(struct img *img, struct vec *at, size_t len,
		     uint64_t offset)
{
	int rc = img_readv(img->below, at, len, offset);

	return rc ? rc : still_there(img, offset + len);
}

static int raw_writev(struct img *img, struct vec *at, size_t len,
		      uint64_t offset)
{
	return img_writev(img->below, at, len, offset);
}

static int raw_write(struct img *img, const void *buf, size_t len,
		     uint64_t offset)
{
	return img_write(img->below, buf, len, offset);
}

static int raw_zero(struct img *img, uint64_t len, uint64_t offset,
		    unsigned flags)
{
	return img_zero(img->below, len, offset, flags);
}

static int raw_discard(struct img *img, uint64_t len, uint64_t offset)
{
	return img_discard(img->below, len, offset);
}

static int raw_map(struct img *img, uint64_t offset, uint64_t len,
		   struct img_extent *ext)
{
	int rc = img_map(img->below, offset, len, ext);

	ext->depth = 0;
	return rc ? rc : still_there(img, offset + ext->len);
}

static int raw_locate(struct img *img, uint64_t offset, struct img_extent *ext)
{
	img_locate(img->below, offset, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}

enum prealloc { PREALLOC_OFF, PREALLOC_FALLOC, PREALLOC_FULL };

static int parse_prealloc(const char *text, enum prealloc *out, struct err *e)
{
	if (!text || !strcmp(text, "off"))
		*out = PREALLOC_OFF;
	else if (!strcmp(text, "falloc"))
		*out = PREALLOC_FALLOC;
	else if (!strcmp(text, "full"))
		*out = PREALLOC_FULL;
	else if (!strcmp(text, "metadata"))
		return fail(e, ENOTSUP,
			    "Unsupported preallocation mode: metadata");
	else
		return fail(e, EINVAL, "Invalid preallocation mode '%s'", text);
	return 0;
}

/* Make `below` `size` bytes long; what it gains is allocated as asked. */
static int set_length(struct img *below, uint64_t size, enum prealloc mode,
		      struct err *e)
{
	uint64_t old = img_length(below);
	int rc = 0;

	if (!(below->drv->flags & DRV_GROWS)) {
		if (size > old)
			return fail(e, ENOSPC, "%s has %llu bytes and cannot "
				    "grow to %llu", below->name,
				    (unsigned long long)old,
				    (unsigned long long)size);
		return 0;
	}
	rc = img_truncate(below, size, e);
	if (rc || size <= old || mode == PREALLOC_OFF)
		return rc;
	rc = mode == PREALLOC_FULL ? img_write_zeroes(below, size - old, old)
		: img_zero(below, size - old, old, IMG_ZERO_KEEP);
	if (rc) {
		fail_rc(e, rc, "%s: cannot allocate %llu bytes", below->name,
			(unsigned long long)(size - old));
		img_truncate(below, old, NULL);
	}
	return rc;
}

static const struct img_option options[] = {
	OPT_FILE_HINTS,
	{ "preallocation", "str", "Preallocation mode (allowed values: off, "
	  "falloc, full)" },
	{ NULL, NULL, NULL },
};

static int raw_create(struct img *below, const struct img_create_args *args,
		      struct err *e)
{
	enum prealloc mode;
	int rc;

	if (args->backing)
		return fail(e, ENOTSUP,
			    "Backing file not supported for file "
			    "format 'raw'");
	rc = parse_prealloc(opt_string(args, "preallocation"), &mode, e);
	if (!rc)
		rc = opt_file_hints(args, e);
	if (rc)
		return rc;
	if (below->drv->flags & DRV_GROWS) {
		rc = img_truncate(below, 0, e);
		if (rc)
			return rc;
	}
	return set_length(below, round_up(args->size, SECTOR), mode, e);
}

static int raw_measure(const struct img_create_args *args, struct img *src,
		       struct img_measure *out, struct err *e)
{
	uint64_t size = src ? img_size(src) : args->size;
	enum prealloc mode;
	int rc;

	rc = parse_prealloc(opt_string(args, "preallocation"), &mode, e);
	if (rc)
		return rc;
	if (!round_up_ok(size, SECTOR, &size))
		return fail(e, EINVAL, "a size of %llu bytes is too large",
			    (unsigned long long)size);
	out->required = size;
	out->fully_allocated = size;
	return 0;
}

static int raw_resize(struct img *img, uint64_t size, const char *preallocation,
		      struct err *e)
{
	enum prealloc mode;
	int rc;

	rc = parse_prealloc(preallocation, &mode, e);
	if (rc)
		return rc;
	if (mode != PREALLOC_OFF && size < img->size)
		return fail(e, EINVAL,
			    "Preallocation can only be used for growing "
			    "images");
	rc = set_length(img->below, size, mode, e);
	if (rc)
		return rc;
	if (!(img->below->drv->flags & DRV_GROWS)) {
		img->size = size;
		return 0;
	}
	return take_size(img, e);
}

static int raw_truncate(struct img *img, uint64_t size, struct err *e)
{
	return raw_resize(img, size, NULL, e);
}

const struct img_driver img_raw_driver = {
	.name = "raw",
	.state_size = sizeof(struct raw),
	.flags = DRV_PARALLEL | DRV_FORMAT | DRV_ONE_PASS,
	.options = options,
	.probe = raw_probe,
	.open = raw_open,
	.read = raw_read,
	.write = raw_write,
	.readv = raw_readv,
	.writev = raw_writev,
	.zero = raw_zero,
	.discard = raw_discard,
	.map = raw_map,
	.locate = raw_locate,
	.create = raw_create,
	.measure = raw_measure,
	.resize = raw_resize,
	.truncate = raw_truncate,
};
