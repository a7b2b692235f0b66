/* SPDX-License-Identifier: GPL-2.0-or-later */
/* borrow.c - a layer that passes all calls to another one without owning it. */
#include "tests/lib/borrow.h"

#include "imgfmt/driver.h"

static struct img *other(const struct img *img)
{
	return *(struct img **)img->state;
}

static int b_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return img_read(other(img), buf, len, offset);
}

static int b_write(struct img *img, const void *buf, size_t len,
		   uint64_t offset)
{
	return img_write(other(img), buf, len, offset);
}

static int b_zero(struct img *img, uint64_t len, uint64_t offset,
		  unsigned flags)
{
	return img_zero(other(img), len, offset, flags);
}

static int b_discard(struct img *img, uint64_t len, uint64_t offset)
{
	return img_discard(other(img), len, offset);
}

static int b_flush(struct img *img)
{
	return img_flush(other(img));
}

static int b_map(struct img *img, uint64_t offset, uint64_t len,
		 struct img_extent *ext)
{
	return img_map(other(img), offset, len, ext);
}

static uint64_t b_length(struct img *img)
{
	return img_length(other(img));
}

static int b_truncate(struct img *img, uint64_t size, struct err *e)
{
	return img_truncate(other(img), size, e);
}

#define DRIVER(flags_)							\
	{								\
		.name = "borrow", .state_size = sizeof(struct img *),	\
		.flags = DRV_PARALLEL | flags_, .read = b_read,		\
		.write = b_write, .zero = b_zero, .discard = b_discard,	\
		.flush = b_flush, .map = b_map, .length = b_length,	\
		.truncate = b_truncate,					\
	}

static const struct img_driver fixed = DRIVER(0);
static const struct img_driver growing = DRIVER(DRV_GROWS);

int borrow(struct img *to, const char *name, struct img **out, struct err *e)
{
	bool grows = to->drv->flags & DRV_GROWS;
	struct img *img;
	int rc;

	rc = img_layer_new(grows ? &growing : &fixed, NULL, name, to->flags,
			   &img, e);
	if (rc)
		return rc;
	*(struct img **)img->state = to;
	img->size = img_length(to);
	img->block_size = to->block_size;
	*out = img;
	return 0;
}
