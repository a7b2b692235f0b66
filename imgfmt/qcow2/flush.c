/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flush.c - the order in which things reach the disk.
 *
 * Whatever a power cut leaves, these hold for the file:
 *
 *   1. No refcount is lower than the number of references to its cluster:
 *      raised refcounts are durable before any table that refers to the
 *      cluster is written.
 *   2. A table that something refers to is complete: a new L2 table, refcount
 *      block or refcount table is durable before the entry or header field that
 *      points to it is written.
 *   3. An entry that refers to guest data is written only after the data it
 *      refers to, with what was copied around it, is durable.
 *   4. A cluster is given up (its refcount lowered, its space handed out anew
 *      or punched) only after the entries that referred to it have been
 *      replaced durably.
 *   5. Before the first change, the autoclear bits that we do not maintain are
 *      durably cleared (guard.c).
 *
 * A flush therefore writes in stages, with a barrier after each:
 *   a. refcount blocks, new L2 tables; the barrier covers the data, too
 *   b. the refcount table, and if it has moved, then its place in the header
 *   c. the place of L1 in the header if it has moved; L2 tables that are in
 *      use, and L1; the size if it has changed
 *   d. in memory: freed clusters lose their references; their blocks are dirty
 *      until the next flush.
 *
 * Leaks are what a power cut may leave, and data written since the last flush
 * is old or new.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "state.h"

/* Much unflushed data is flushed before the metadata lock is taken. */
#define EARLY_FLUSH (4u << 20)
#define MAX_FREED (1u << 16)		/* clusters and ranges in quarantine */

void qcow2_test_break(struct img *img, unsigned n)
{
	struct qcow2 *s = img->state;

	s->break_invariant = n;
}

static bool keeps(const struct qcow2 *s, unsigned invariant)
{
	return s->break_invariant != invariant;
}

/* Write entries [lo, hi) of a table of big-endian 64-bit numbers. */
static int write_entries(struct qcow2 *s, const uint64_t *table, uint64_t lo,
			 uint64_t hi, uint64_t offset)
{
	size_t len = (size_t)(hi - lo) * 8;
	uint8_t *buf = buf_alloc(len);
	int rc;

	if (!buf)
		return -ENOMEM;
	for (uint64_t i = lo; i < hi; i++)
		put_be64(buf + (i - lo) * 8, table[i]);
	rc = img_write(s->file, buf, len, offset + lo * 8);
	free(buf);
	return rc;
}

static int write_reftable_place(struct qcow2 *s)
{
	uint8_t place[12];

	/* One sector holds both fields: they change together. */
	put_be64(place, s->h.reftable_offset);
	put_be32(place + 8, s->h.reftable_clusters);
	return img_write(s->file, place, sizeof(place), QCOW2_H_REFTABLE_OFFSET);
}

static int write_reftable(struct qcow2 *s)
{
	uint64_t lo = s->reftable_lo, hi = s->reftable_hi;
	int rc;

	if (lo >= hi)
		return 0;
	/* By whole sectors, where the table has them. */
	lo = round_down(lo, 64);
	hi = min_u64(round_up(hi, 64), s->reftable_size);
	rc = write_entries(s, s->reftable, lo, hi, s->h.reftable_offset);
	if (!rc)
		rc = img_flush(s->file);
	if (!rc && s->reftable_moved) {
		rc = write_reftable_place(s);
		if (!rc)
			rc = img_flush(s->file);
		if (!rc)
			s->reftable_moved = false;
	}
	if (!rc) {
		s->reftable_lo = UINT64_MAX;
		s->reftable_hi = 0;
	}
	return rc;
}

static int write_l1(struct qcow2 *s)
{
	uint64_t n = div_round_up(s->l1_size, 64);
	int rc = 0;

	if (!s->l1_any_dirty)
		return 0;
	for (uint64_t i = 0; i < n && !rc; i++) {
		uint64_t j = i;

		while (j < n && s->l1_dirty[j])
			j++;
		if (j == i)
			continue;
		rc = write_entries(s, s->l1, i * 64,
				   min_u64(j * 64, s->l1_size), s->h.l1_offset);
		for (; !rc && i < j; i++)
			s->l1_dirty[i] = 0;
	}
	if (!rc)
		s->l1_any_dirty = false;
	return rc;
}

/* A moved L1, durable by now, replaces the one in the header. */
static int write_l1_place(struct qcow2 *s)
{
	uint8_t place[12];
	int rc;

	if (!s->l1_moved)
		return 0;
	/* One sector holds both fields: they change together. */
	put_be32(place, s->h.l1_size);
	put_be64(place + 4, s->h.l1_offset);
	rc = img_write(s->file, place, sizeof(place), QCOW2_H_L1_SIZE);
	if (!rc)
		rc = img_flush(s->file);
	if (!rc)
		s->l1_moved = false;
	return rc;
}

static int flush_data(struct qcow2 *s)
{
	int rc = 0;

	atomic_store_explicit(&s->unflushed, 0, memory_order_relaxed);
	if (s->data && s->data != s->file)
		rc = img_flush(s->data);
	return rc ? rc : img_flush(s->file);
}

static int write_size(struct qcow2 *s)
{
	uint8_t size[8];
	int rc;

	if (!s->size_changed)
		return 0;
	put_be64(size, s->h.size);
	rc = img_write(s->file, size, sizeof(size), QCOW2_H_SIZE);
	if (!rc)
		rc = img_flush(s->file);
	if (!rc)
		s->size_changed = false;
	return rc;
}

static int stage_a(struct qcow2 *s)
{
	int rc = 0;

	if (keeps(s, 1))
		rc = qcow2_cache_write(s, &s->blocks, false);
	if (!rc && keeps(s, 2))
		rc = qcow2_cache_write(s, &s->l2, true);
	if (!rc && keeps(s, 3))
		rc = flush_data(s);
	return rc;
}

static int stage_c(struct qcow2 *s)
{
	int rc = write_l1_place(s);

	if (!rc)
		rc = write_l1(s);
	if (!rc && !keeps(s, 2))
		rc = img_flush(s->file);
	if (!rc)
		rc = qcow2_cache_write(s, &s->l2, true);
	if (!rc)
		rc = qcow2_cache_write(s, &s->l2, false);
	if (!rc && !keeps(s, 1)) {
		rc = img_flush(s->file);
		if (!rc)
			rc = qcow2_cache_write(s, &s->blocks, false);
	}
	if (!rc)
		rc = flush_data(s);
	return rc;
}

static bool anything_dirty(const struct qcow2 *s)
{
	return s->l2.n_dirty || s->blocks.n_dirty || s->l1_any_dirty ||
	       s->l1_moved || s->reftable_lo < s->reftable_hi || s->n_freed ||
	       s->size_changed;
}

int qcow2_flush_locked(struct qcow2 *s)
{
	int rc = 0;

	if (!s->loaded || !anything_dirty(s))
		return flush_data(s);
	/* No table is written any more, so what they say is not safe. */
	if (s->broken)
		return -EUCLEAN;
	rc = stage_a(s);
	if (!rc)
		rc = write_reftable(s);
	/* They are on the disk.  Should the rest fail, L1 may refer to them. */
	if (!rc && keeps(s, 2))
		qcow2_cache_settle(&s->l2);
	if (!rc && (s->l2.n_dirty || s->l1_any_dirty || s->l1_moved))
		rc = stage_c(s);
	if (!rc)
		rc = write_size(s);
	if (rc)
		return rc;
	if (!keeps(s, 2))
		qcow2_cache_settle(&s->l2);
	return qcow2_free_pending(s);
}

int qcow2_make_room(struct qcow2 *s)
{
	if (s->l2.n_dirty <= s->l2.limit / 4 * 3 &&
	    s->blocks.n_dirty <= s->blocks.limit / 4 * 3 &&
	    s->n_freed < MAX_FREED && s->n_freed_clusters < MAX_FREED * 16)
		return 0;
	return qcow2_flush_locked(s);
}

int qcow2_flush(struct img *img)
{
	struct qcow2 *s = img->state;
	int rc;

	/* Most of the waiting happens here, while others go on. */
	if (atomic_load_explicit(&s->unflushed, memory_order_relaxed) >=
	    EARLY_FLUSH) {
		rc = flush_data(s);
		if (rc)
			return rc;
	}
	pthread_mutex_lock(&s->lock);
	rc = qcow2_flush_locked(s);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
