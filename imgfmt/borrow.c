/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* borrow.c - a layer that shows another one without owning it, so that several
 * stacks can stand on one file.
 */
#include <errno.h>

#include "drivers.h"

static struct img *other(const struct img *img)
{
	return *(struct img **)img->state;
}

static int borrow_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return img_read(other(img), buf, len, offset);
}

static int borrow_write(struct img *img, const void *buf, size_t len,
			uint64_t offset)
{
	return img_write(other(img), buf, len, offset);
}

static int borrow_zero(struct img *img, uint64_t len, uint64_t offset,
		       unsigned flags)
{
	return img_zero(other(img), len, offset, flags);
}

static int borrow_discard(struct img *img, uint64_t len, uint64_t offset)
{
	return img_discard(other(img), len, offset);
}

static int borrow_flush(struct img *img)
{
	return img_flush(other(img));
}

static int borrow_map(struct img *img, uint64_t offset, uint64_t len,
		      struct img_extent *ext)
{
	int rc = img_map(other(img), offset, len, ext);

	ext->depth = 0;
	return rc;
}

static int borrow_locate(struct img *img, uint64_t offset,
			 struct img_extent *ext)
{
	img_locate(other(img), offset, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}

static const struct img_driver borrow_driver = {
	.name = "borrow",
	.state_size = sizeof(struct img *),
	.flags = DRV_PARALLEL,
	.read = borrow_read,
	.write = borrow_write,
	.zero = borrow_zero,
	.discard = borrow_discard,
	.flush = borrow_flush,
	.map = borrow_map,
	.locate = borrow_locate,
};

int img_borrow(struct img *to, unsigned flags, struct img **out, struct err *e)
{
	unsigned keep = to->flags & ~(unsigned)IMG_WRITE;
	int rc;

	if (flags & IMG_WRITE & ~to->flags)
		return fail(e, EROFS, "%s is not open for writing", to->name);
	rc = img_layer_new(&borrow_driver, NULL, to->name,
			   keep | (flags & IMG_WRITE), out, e);
	if (rc)
		return rc;
	*(struct img **)(*out)->state = to;
	(*out)->size = img_length(to);
	(*out)->block_size = to->block_size;
	return 0;
}
