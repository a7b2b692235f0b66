/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* measure.c - how large a new image would be. */
#include <errno.h>

#include "bitmaps.h"
#include "create.h"
#include "imgfmt/drivers.h"

/* Clusters of refcount table and blocks that count `n` other clusters, and
 * themselves.
 */
static uint64_t refcount_clusters(const struct qcow2_header *h, uint64_t n)
{
	uint64_t per_block = 1ull << h->refblock_bits;
	uint64_t blocks = 0, table = 0, before;

	do {
		before = blocks + table;
		blocks = div_round_up(n + before, per_block);
		table = div_round_up(blocks, h->cluster_size / 8);
	} while (blocks + table != before);
	return before;
}

/* Of an image with all clusters allocated, in bytes; `size` is whole clusters. */
static uint64_t full_size(const struct qcow2_header *h, uint64_t size)
{
	uint64_t n = size >> h->cluster_bits;
	uint64_t l2 = div_round_up(n, 1ull << h->l2_bits);
	uint64_t l1 = div_round_up(l2, h->cluster_size / 8);
	uint64_t meta = 1 + l1 + l2;

	return (meta + n + refcount_clusters(h, meta + n)) << h->cluster_bits;
}

struct bitmap_sum {
	const struct qcow2_header *h;
	uint64_t size, bytes, dir_len;
};

static void add_bitmap(void *arg, const struct qcow2_bitmap *b)
{
	struct bitmap_sum *sum = arg;
	uint64_t bits = div_round_up(sum->size, 1ull << b->granularity_bits);
	uint64_t n = div_round_up(div_round_up(bits, 8), sum->h->cluster_size);
	uint64_t table = div_round_up(n * 8, sum->h->cluster_size);

	sum->bytes += (n + table) << sum->h->cluster_bits;
	sum->dir_len += round_up(24u + b->name_len, 8);
}

static void measure_bitmaps(const struct qcow2_header *h, struct img *src,
			    struct img_measure *out)
{
	struct bitmap_sum sum = { .h = h };
	const struct qcow2 *s;

	if (!src || src->drv != &img_qcow2_driver || h->version < 3)
		return;
	s = src->state;
	if (s->h.version < 3)
		return;
	sum.size = src->size;
	out->has_bitmaps = !qcow2_bitmaps_each(s, add_bitmap, &sum);
	out->bitmaps = sum.bytes + round_up(sum.dir_len, h->cluster_size);
}

static int measure(const struct img_create_args *args,
		   const struct qcow2_new *n, struct img *src,
		   struct img_measure *out, struct err *e)
{
	const struct qcow2_header *h = &n->h;
	uint64_t size = round_up(h->size, h->cluster_size), data = 0;
	int rc;

	/* How much a backing file shares is not known: the worst is assumed. */
	if (n->prealloc >= QCOW2_PREALLOC_FALLOC ||
	    (src && (args->backing || h->backing_name))) {
		data = size;
	} else if (src) {
		rc = img_data_units(src, h->cluster_size, &data);
		if (rc)
			return fail_rc(e, rc, "Unable to get block status");
		data *= h->cluster_size;
	}
	out->fully_allocated = full_size(h, size);
	out->required = out->fully_allocated - size + data;
	measure_bitmaps(h, src, out);
	return 0;
}

int qcow2_measure(const struct img_create_args *args, struct img *src,
		  struct img_measure *out, struct err *e)
{
	struct img_create_args sized = *args;
	struct qcow2_new n;
	int rc;

	if (src)
		sized.size = src->size;
	rc = qcow2_new_parse(&sized, &n, e);
	if (rc == -EFBIG)
		return fail(e, EFBIG, "The image size is too large (try using "
			    "a larger cluster size)");
	if (rc)
		return rc;
	rc = measure(args, &n, src, out, e);
	qcow2_header_free(&n.h);
	return rc;
}
