/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* window.c - a layer that shows a part of the one below it: a partition, an
 * extent of a larger file.
 */
#include <errno.h>

#include "drivers.h"

struct window {
	uint64_t offset;	/* of the window's first byte in `below` */
};

static uint64_t start(const struct img *img)
{
	const struct window *w = img->state;

	return w->offset;
}

static int win_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return img_read(img->below, buf, len, start(img) + offset);
}

static int win_write(struct img *img, const void *buf, size_t len,
		     uint64_t offset)
{
	return img_write(img->below, buf, len, start(img) + offset);
}

static int win_zero(struct img *img, uint64_t len, uint64_t offset,
		    unsigned flags)
{
	return img_zero(img->below, len, start(img) + offset, flags);
}

static int win_discard(struct img *img, uint64_t len, uint64_t offset)
{
	return img_discard(img->below, len, start(img) + offset);
}

/* Through the whole chain below, as win_read() is. */
static int win_map(struct img *img, uint64_t offset, uint64_t len,
		   struct img_extent *ext)
{
	int rc = img_map(img->below, start(img) + offset, len, ext);

	ext->offset = offset;
	ext->depth = 0;
	return rc;
}

static int win_locate(struct img *img, uint64_t offset, struct img_extent *ext)
{
	img_locate(img->below, start(img) + offset, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}

const struct img_driver img_window_driver = {
	.name = "window",
	.state_size = sizeof(struct window),
	.flags = DRV_PARALLEL,
	.read = win_read,
	.write = win_write,
	.zero = win_zero,
	.discard = win_discard,
	.map = win_map,
	.locate = win_locate,
};

int img_window(struct img *below, uint64_t offset, uint64_t len,
	       struct img **out, struct err *e)
{
	uint64_t have = img_length(below);
	struct window *w;
	int rc;

	if (!in_range(offset, len, have))
		return fail(e, ERANGE, "%s: a window of %llu bytes at %llu "
			    "does not lie inside its %llu bytes", below->name,
			    (unsigned long long)len, (unsigned long long)offset,
			    (unsigned long long)have);
	rc = img_layer_new(&img_window_driver, below, below->name, below->flags,
			   out, e);
	if (rc)
		return rc;
	w = (*out)->state;
	w->offset = offset;
	(*out)->size = len;
	(*out)->block_size = below->block_size;
	return 0;
}
