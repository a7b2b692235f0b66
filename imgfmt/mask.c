/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mask.c - a layer that shows the one below it without some ranges: they are holes,
 * whatever lies there, and are never read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "drivers.h"

struct mask {
	struct img_range *holes;	/* in order, none touching another */
	size_t n;
};

/* The first hole that ends behind `offset`; n: there is none. */
static size_t find(const struct mask *m, uint64_t offset)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->holes[mid].offset + m->holes[mid].len > offset)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Is `offset` in a hole?  *len is cut where that changes. */
static bool in_hole(const struct mask *m, uint64_t offset, uint64_t *len)
{
	size_t i = find(m, offset);
	const struct img_range *h = &m->holes[i];

	if (i == m->n)
		return false;
	if (h->offset > offset) {
		*len = min_u64(*len, h->offset - offset);
		return false;
	}
	*len = min_u64(*len, h->offset + h->len - offset);
	return true;
}

static int mask_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;
	int rc = 0;

	while (len && !rc) {
		uint64_t n = len;

		if (in_hole(img->state, offset, &n))
			memset(p, 0, (size_t)n);
		else
			rc = img_read(img->below, p, (size_t)n, offset);
		p += n;
		offset += n;
		len -= (size_t)n;
	}
	return rc;
}

static int mask_map(struct img *img, uint64_t offset, uint64_t len,
		    struct img_extent *ext)
{
	int rc;

	if (in_hole(img->state, offset, &len)) {
		ext->flags = IMG_EXT_ZERO | IMG_EXT_HOLE;
		ext->len = len;
		return 0;
	}
	rc = img_map(img->below, offset, len, ext);
	ext->offset = offset;
	ext->depth = 0;
	return rc;
}

static int mask_close(struct img *img, struct err *e)
{
	struct mask *m = img->state;

	(void)e;
	free(m->holes);
	return 0;
}

static const struct img_driver mask_driver = {
	.name = "mask",
	.state_size = sizeof(struct mask),
	.flags = DRV_PARALLEL,
	.close = mask_close,
	.read = mask_read,
	.map = mask_map,
};

static int check(const struct img *below, const struct img_range *holes,
		 size_t n, struct err *e)
{
	uint64_t behind = 0, size = below->size;

	for (size_t i = 0; i < n; i++) {
		if (holes[i].offset < behind || !holes[i].len ||
		    !in_range(holes[i].offset, holes[i].len, size))
			return fail(e, EINVAL, "%s: hole %zu of a mask is out "
				    "of order, empty or beyond the end",
				    below->name, i);
		behind = holes[i].offset + holes[i].len;
	}
	return 0;
}

int img_mask(struct img *below, const struct img_range *holes, size_t n,
	     struct img **out, struct err *e)
{
	struct img_range *copy;
	struct mask *m;
	int rc = check(below, holes, n, e);

	if (rc)
		return rc;
	copy = array_alloc((uint64_t)n + 1, sizeof(*copy));
	if (!copy)
		return fail(e, ENOMEM, "out of memory");
	if (n)
		memcpy(copy, holes, n * sizeof(*copy));
	rc = img_layer_new(&mask_driver, below, below->name,
			   below->flags & ~IMG_WRITE, out, e);
	if (rc) {
		free(copy);
		return rc;
	}
	m = (*out)->state;
	m->holes = copy;
	m->n = n;
	(*out)->size = below->size;
	(*out)->block_size = below->block_size;
	return 0;
}
