/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* concat.c - read-only layers laid end to end: a disk that a package holds in
 * pieces.
 */
#include "concat.h"

#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/driver.h"

struct part {
	struct img *img;
	uint64_t start;		/* of its first byte in the whole */
};

struct concat {
	struct part *parts;
	size_t n;
};

/* The part that holds `offset`, and where in it. */
static const struct part *find(const struct concat *c, uint64_t *offset)
{
	size_t low = 0, high = c->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (c->parts[mid].start <= *offset)
			low = mid;
		else
			high = mid;
	}
	*offset -= c->parts[low].start;
	return &c->parts[low];
}

static int concat_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;
	int rc = 0;

	while (len && !rc) {
		uint64_t in = offset;
		const struct part *part = find(img->state, &in);
		size_t n = (size_t)min_u64(len, img_size(part->img) - in);

		rc = img_read(part->img, p, n, in);
		p += n;
		offset += n;
		len -= n;
	}
	return rc;
}

static int concat_map(struct img *img, uint64_t offset, uint64_t len,
		      struct img_extent *ext)
{
	uint64_t in = offset;
	const struct part *part = find(img->state, &in);
	int rc = img_map(part->img, in,
			 min_u64(len, img_size(part->img) - in), ext);

	ext->offset = offset;
	ext->depth = 0;
	return rc;
}

static int concat_locate(struct img *img, uint64_t offset,
			 struct img_extent *ext)
{
	const struct part *part = find(img->state, &offset);

	img_locate(part->img, offset, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}

static int concat_close(struct img *img, struct err *e)
{
	struct concat *c = img->state;

	(void)e;
	for (size_t i = 0; i < c->n; i++)
		img_close(c->parts[i].img, NULL);
	free(c->parts);
	return 0;
}

static const struct img_driver concat_driver = {
	.name = "concat",
	.state_size = sizeof(struct concat),
	.flags = DRV_PARALLEL,
	.close = concat_close,
	.read = concat_read,
	.map = concat_map,
	.locate = concat_locate,
};

int img_concat(struct img *const *parts, size_t n, struct img **out,
	       struct err *e)
{
	struct concat *c;
	int rc;

	rc = img_layer_new(&concat_driver, NULL, parts[0]->name,
			   parts[0]->flags, out, e);
	if (rc)
		return rc;
	c = (*out)->state;
	c->parts = array_alloc(n, sizeof(*c->parts));
	if (!c->parts) {
		img_layer_free(*out);
		return fail(e, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		c->parts[i] = (struct part){ parts[i], (*out)->size };
		(*out)->size += img_size(parts[i]);
	}
	c->n = n;
	(*out)->block_size = parts[0]->block_size;
	return 0;
}
