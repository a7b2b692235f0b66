/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard.c - keep writes away from metadata that they cannot mean, and mark an
 * image corrupt when they would have hit it.
 *
 * Before each write of data or of a table its place is compared with all tables
 * in use.  To make that cheap, a small bitmap of hashes says for most clusters
 * at once that no table can be there; only a hit searches L1 and refcount table.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "state.h"

#define MAX_FILTER_BITS (1u << 23)

static uint64_t filter_bit(const struct qcow2 *s, uint64_t offset)
{
	uint64_t n = (offset >> s->h.cluster_bits) * 0x9e3779b97f4a7c15ull;

	return (n >> 32) & s->filter_mask;
}

void qcow2_guard_add(struct qcow2 *s, enum qcow2_table sort, uint64_t offset)
{
	uint64_t bit = filter_bit(s, offset);

	s->filter[sort][bit / 8] |= (uint8_t)(1u << bit % 8);
}

int qcow2_guard_init(struct qcow2 *s)
{
	uint64_t n = 1u << 16;

	while (n < MAX_FILTER_BITS && n < 16 * (s->l1_size + s->reftable_size))
		n *= 2;
	s->filter_mask = n - 1;
	for (int sort = 0; sort < 2; sort++) {
		free(s->filter[sort]);
		s->filter[sort] = array_alloc(n / 8, 1);
		if (!s->filter[sort])
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < s->l1_size; i++)
		if (s->l1[i] & QCOW2_OFFSET_MASK)
			qcow2_guard_add(s, QCOW2_TABLE_L2,
					s->l1[i] & QCOW2_OFFSET_MASK);
	for (uint64_t i = 0; i < s->reftable_size; i++)
		if (s->reftable[i])
			qcow2_guard_add(s, QCOW2_TABLE_BLOCK, s->reftable[i]);
	return 0;
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Header, active L1 and refcount table. */
static bool hits_fixed(const struct qcow2 *s, uint64_t host, uint64_t len)
{
	const struct qcow2_header *h = &s->h;

	return host < h->cluster_size ||
	       overlaps(host, len, h->l1_offset, (uint64_t)h->l1_size * 8) ||
	       overlaps(host, len, h->reftable_offset,
			(uint64_t)h->reftable_clusters << h->cluster_bits) ||
	       overlaps(host, len, h->snapshots_offset, s->snapshot_table_len);
}

static bool may_hit(const struct qcow2 *s, enum qcow2_table sort,
		    uint64_t cluster_offset)
{
	uint64_t bit = filter_bit(s, cluster_offset);

	return s->filter[sort][bit / 8] & 1u << bit % 8;
}

static bool hits_l2(const struct qcow2 *s, uint64_t cluster_offset)
{
	if (!may_hit(s, QCOW2_TABLE_L2, cluster_offset))
		return false;
	for (uint32_t i = 0; i < s->l1_size; i++)
		if ((s->l1[i] & QCOW2_OFFSET_MASK) == cluster_offset)
			return true;
	return false;
}

static bool hits_block(const struct qcow2 *s, uint64_t cluster_offset)
{
	if (!may_hit(s, QCOW2_TABLE_BLOCK, cluster_offset))
		return false;
	for (uint64_t i = 0; i < s->reftable_size; i++)
		if (s->reftable[i] == cluster_offset)
			return true;
	return false;
}

int qcow2_guard_data(struct qcow2 *s, uint64_t host, uint64_t len)
{
	if (s->h.external_data)
		return 0;
	if (hits_fixed(s, host, len))
		return qcow2_corrupt(s);
	for (uint64_t c = qcow2_cluster_start(s, host); c < host + len;
	     c += s->h.cluster_size)
		if (hits_l2(s, c) || hits_block(s, c))
			return qcow2_corrupt(s);
	return 0;
}

int qcow2_guard_table(struct qcow2 *s, const struct qcow2_cache *c,
		      uint64_t offset)
{
	uint64_t cluster = qcow2_cluster_start(s, offset);

	if (hits_fixed(s, offset, c->unit))
		return qcow2_corrupt(s);
	if (c == &s->l2 ? hits_block(s, cluster) : hits_l2(s, cluster))
		return qcow2_corrupt(s);
	return 0;
}

int qcow2_corrupt(struct qcow2 *s)
{
	uint8_t bits[8];

	if (!(s->img->flags & IMG_WRITE) || s->broken || s->snapshot)
		return -EUCLEAN;
	s->broken = true;
	if (s->h.version < 3)
		return -EUCLEAN;
	/* It fails already; that the mark cannot be written changes nothing. */
	s->h.incompat |= QCOW2_INCOMPAT_CORRUPT;
	put_be64(bits, s->h.incompat);
	if (!img_write(s->file, bits, sizeof(bits), QCOW2_H_INCOMPAT))
		img_flush(s->file);
	return -EUCLEAN;
}

int qcow2_start_writing(struct qcow2 *s)
{
	/* Bitmaps go stale by our writing: without the bit, programs that use
	 * them know, and the directory stays where it is.
	 */
	uint64_t keep = QCOW2_AUTOCLEAR_DATA_FILE_RAW;
	uint8_t bits[8];
	int rc;

	if (s->broken)
		return -EUCLEAN;
	if (s->started)
		return 0;
	if (s->h.autoclear & ~keep) {
		put_be64(bits, s->h.autoclear & keep);
		rc = img_write(s->file, bits, sizeof(bits), QCOW2_H_AUTOCLEAR);
		if (!rc && s->break_invariant != 5)
			rc = img_flush(s->file);
		if (rc)
			return rc;
		s->h.autoclear &= keep;
	}
	s->started = true;
	return 0;
}
