/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refcount.c - which host clusters are in use, and finding ones that are not.
 * Specification: "Host cluster management".
 *
 * Search: s->hint[b] says below which entry of block b nothing is free, and
 * s->first_block below which block; both move back when something is freed.  So
 * allocating in sequence looks at each refcount once.
 *
 * New blocks describe themselves: block b is put into the first cluster that it
 * covers, all of which are free while there is no block.  Where the refcount
 * table has to grow too, new blocks and the new table lie together behind
 * everything that the old table covers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

#define MAX_HOST_OFFSET (1ull << 56)

static uint64_t per_block(const struct qcow2 *s)
{
	return 1ull << s->h.refblock_bits;
}

/* A run of refcounts that lie in one unit of the cache. */
struct span {
	struct qcow2_unit *unit;	/* NULL: no block, all are 0 */
	uint64_t first;			/* index in the unit of the wanted one */
	uint64_t n;			/* how many from there on */
};

static int get_span(struct qcow2 *s, uint64_t cluster, struct span *span)
{
	unsigned unit_bits, order = s->h.refcount_order;
	uint64_t b = cluster >> s->h.refblock_bits;
	uint64_t i = cluster & (per_block(s) - 1);
	uint64_t per_unit;

	unit_bits = (unsigned)__builtin_ctz(s->blocks.unit) + 3;
	per_unit = 1ull << (unit_bits - order);
	span->unit = NULL;
	span->first = i & (per_unit - 1);
	span->n = per_unit - span->first;
	if (b >= s->reftable_size || !s->reftable[b])
		return 0;
	return qcow2_cache_get(s, &s->blocks, s->reftable[b] +
			       (i / per_unit) * s->blocks.unit, &span->unit);
}

int qcow2_refcount_load(struct qcow2 *s, uint64_t cluster, uint64_t *count)
{
	struct span span;
	int rc = get_span(s, cluster, &span);

	if (rc)
		return rc;
	*count = span.unit ? qcow2_refcount_get(span.unit->data,
						s->h.refcount_order, span.first)
			   : 0;
	return 0;
}

/* Set refcounts whose blocks exist. */
static int set_run(struct qcow2 *s, uint64_t cluster, uint64_t n,
		   uint64_t value)
{
	struct span span;
	int rc;

	while (n) {
		uint64_t k;

		rc = get_span(s, cluster, &span);
		if (rc)
			return rc;
		if (!span.unit)
			return qcow2_corrupt(s);
		k = min_u64(n, span.n);
		for (uint64_t i = 0; i < k; i++)
			qcow2_refcount_set(span.unit->data, s->h.refcount_order,
					   span.first + i, value);
		qcow2_cache_dirty(&s->blocks, span.unit);
		cluster += k;
		n -= k;
	}
	return 0;
}

static void reftable_set(struct qcow2 *s, uint64_t b, uint64_t offset)
{
	s->reftable[b] = offset;
	s->reftable_lo = min_u64(s->reftable_lo, b);
	s->reftable_hi = max_u64(s->reftable_hi, b + 1);
	s->hint[b] = 0;
	s->first_block = min_u64(s->first_block, b);
	qcow2_guard_add(s, QCOW2_TABLE_BLOCK, offset);
}

/* New blocks in the cache, empty: all or none. */
static int cache_blocks(struct qcow2 *s, uint64_t offset, uint64_t n)
{
	uint64_t len = n << s->h.cluster_bits;
	struct qcow2_unit *u;
	int rc;

	for (uint64_t pos = 0; pos < len; pos += s->blocks.unit) {
		rc = qcow2_cache_insert(&s->blocks, offset + pos, false, &u);
		if (rc) {
			qcow2_cache_drop(&s->blocks, offset, pos);
			return rc;
		}
	}
	return 0;
}

/* The table has room for block `b`, which does not exist. */
static int create_block(struct qcow2 *s, uint64_t b)
{
	uint64_t cluster = b << s->h.refblock_bits;
	int rc;

	rc = cache_blocks(s, cluster << s->h.cluster_bits, 1);
	if (rc)
		return rc;
	reftable_set(s, b, cluster << s->h.cluster_bits);
	return set_run(s, cluster, 1, 1);
}

/* In memory; flush.c writes it. */
static int move_reftable(struct qcow2 *s, uint64_t n_clusters, uint64_t cluster)
{
	uint64_t n = (n_clusters << s->h.cluster_bits) / 8;
	uint64_t old = s->h.reftable_offset >> s->h.cluster_bits;
	uint64_t *table = array_alloc(n, sizeof(*table));
	uint32_t *hint = array_alloc(n, sizeof(*hint));
	int rc;

	rc = table && hint ? qcow2_free(s, old, s->h.reftable_clusters, false)
			   : -ENOMEM;
	if (rc) {
		free(table);
		free(hint);
		return rc;
	}
	memcpy(table, s->reftable, s->reftable_size * sizeof(*table));
	memcpy(hint, s->hint, s->reftable_size * sizeof(*hint));
	free(s->reftable);
	free(s->hint);
	s->reftable = table;
	s->hint = hint;
	s->reftable_size = n;
	s->reftable_lo = 0;
	s->reftable_hi = n;
	s->reftable_moved = true;
	s->h.reftable_offset = cluster << s->h.cluster_bits;
	s->h.reftable_clusters = (uint32_t)n_clusters;
	return 0;
}

/* How a new area behind all blocks is divided: blocks, refcount table, payload,
 * in clusters.
 */
struct area {
	uint64_t first_block, n_blocks, n_table;
};

static int plan_area(const struct qcow2 *s, uint64_t payload, struct area *a)
{
	uint64_t b = s->reftable_size, need, table_len;

	while (b && !s->reftable[b - 1])
		b--;
	a->first_block = b;
	a->n_table = 0;
	a->n_blocks = div_round_up(payload + 1, per_block(s) - 1);
	if (b + a->n_blocks > s->reftable_size) {
		/* Larger by half, so that growing is linear. */
		need = max_u64(b + a->n_blocks + 8,
			       s->reftable_size + s->reftable_size / 2);
		a->n_table = div_round_up(need * 8, s->h.cluster_size);
		a->n_blocks = div_round_up(payload + a->n_table + 1,
					   per_block(s) - 1);
		table_len = a->n_table << s->h.cluster_bits;
		if (table_len > QCOW2_MAX_REFTABLE_LEN) {
			a->n_table = QCOW2_MAX_REFTABLE_LEN >> s->h.cluster_bits;
			table_len = QCOW2_MAX_REFTABLE_LEN;
		}
		if ((b + a->n_blocks) * 8 > table_len)
			return -EFBIG;
	}
	if (b + a->n_blocks > MAX_HOST_OFFSET >>
	    (s->h.refblock_bits + s->h.cluster_bits))
		return -EFBIG;
	return 0;
}

static int new_area(struct qcow2 *s, uint64_t payload, uint64_t *cluster)
{
	uint64_t at, used;
	struct area a;
	int rc;

	rc = plan_area(s, payload, &a);
	if (rc)
		return rc;
	at = a.first_block << s->h.refblock_bits;
	rc = cache_blocks(s, at << s->h.cluster_bits, a.n_blocks);
	if (rc)
		return rc;
	if (a.n_table)
		rc = move_reftable(s, a.n_table, at + a.n_blocks);
	if (rc) {
		qcow2_cache_drop(&s->blocks, at << s->h.cluster_bits,
				 a.n_blocks << s->h.cluster_bits);
		return rc;
	}
	/* From here on nothing fails: these refcounts are in memory. */
	for (uint64_t i = 0; i < a.n_blocks; i++)
		reftable_set(s, a.first_block + i,
			     (at + i) << s->h.cluster_bits);
	used = a.n_blocks + a.n_table + payload;
	*cluster = at + a.n_blocks + a.n_table;
	return set_run(s, at, used, 1);
}

static bool is_free(const struct qcow2 *s, const struct span *span, uint64_t i)
{
	return !qcow2_refcount_get(span->unit->data, s->h.refcount_order,
				   span->first + i);
}

/* Free clusters of block `b`, which exists, from its hint on: *n is 0 if there
 * are none.
 */
static int search_block(struct qcow2 *s, uint64_t b, uint64_t want,
			uint64_t *cluster, uint64_t *n)
{
	uint64_t start = b << s->h.refblock_bits, i = s->hint[b];
	struct span span;
	int rc;

	*n = 0;
	while (i < per_block(s) && !*n) {
		uint64_t k = 0;

		rc = get_span(s, start + i, &span);
		if (rc)
			return rc;
		while (k < span.n && !is_free(s, &span, k))
			k++;
		s->hint[b] = (uint32_t)(i + k);
		*cluster = start + i + k;
		while (k < span.n && *n < want && is_free(s, &span, k)) {
			k++;
			++*n;
		}
		i += k;
	}
	return 0;
}

static int take_run(struct qcow2 *s, uint64_t cluster, uint64_t n)
{
	uint64_t b = cluster >> s->h.refblock_bits;
	int rc;

	rc = qcow2_guard_data(s, cluster << s->h.cluster_bits,
			      n << s->h.cluster_bits);
	if (!rc)
		rc = set_run(s, cluster, n, 1);
	if (!rc && s->hint[b] == (cluster & (per_block(s) - 1)))
		s->hint[b] += (uint32_t)n;
	return rc;
}

int qcow2_alloc(struct qcow2 *s, uint64_t want, uint64_t *cluster, uint64_t *n)
{
	uint64_t unused;
	int rc;

	for (;;) {
		uint64_t b = s->first_block;

		*n = 0;
		if (b >= s->reftable_size)
			rc = new_area(s, 0, &unused);
		else if (!s->reftable[b])
			rc = create_block(s, b);
		else
			rc = search_block(s, b, want, cluster, n);
		if (rc)
			return rc;
		if (*n)
			return take_run(s, *cluster, *n);
		if (s->hint[b] >= per_block(s))
			s->first_block = b + 1;
	}
}

int qcow2_alloc_run(struct qcow2 *s, uint64_t n, uint64_t *cluster)
{
	uint64_t got;
	int rc;

	rc = qcow2_alloc(s, n, cluster, &got);
	if (rc || got == n)
		return rc;
	qcow2_unalloc(s, *cluster, got);
	/* Not in the first gap: behind everything there is room. */
	return new_area(s, n, cluster);
}

int qcow2_alloc_at(struct qcow2 *s, uint64_t cluster)
{
	uint64_t count, b = cluster >> s->h.refblock_bits;
	int rc;

	if (b >= s->reftable_size || !s->reftable[b])
		return -EEXIST;
	rc = qcow2_refcount_load(s, cluster, &count);
	if (rc)
		return rc;
	return count ? -EEXIST : take_run(s, cluster, 1);
}

int qcow2_refcount_inc(struct qcow2 *s, uint64_t cluster)
{
	uint64_t count;
	int rc;

	rc = qcow2_refcount_load(s, cluster, &count);
	if (rc)
		return rc;
	if (count >= s->h.refcount_max)
		return -ERANGE;
	return count ? set_run(s, cluster, 1, count + 1) : qcow2_corrupt(s);
}

/* One reference less; *gone when it was the last. */
static int refcount_dec(struct qcow2 *s, uint64_t cluster, bool *gone)
{
	uint64_t b = cluster >> s->h.refblock_bits, count;
	int rc;

	rc = qcow2_refcount_load(s, cluster, &count);
	if (rc)
		return rc;
	if (!count)
		return qcow2_corrupt(s);
	rc = set_run(s, cluster, 1, count - 1);
	if (rc)
		return rc;
	*gone = count == 1;
	if (*gone) {
		s->hint[b] = (uint32_t)min_u64(s->hint[b],
					       cluster & (per_block(s) - 1));
		s->first_block = min_u64(s->first_block, b);
	}
	return 0;
}

void qcow2_unalloc(struct qcow2 *s, uint64_t cluster, uint64_t n)
{
	bool gone;

	/* A failure leaks the cluster: the caller has a better error. */
	for (uint64_t i = 0; i < n; i++)
		if (refcount_dec(s, cluster + i, &gone))
			return;
}

int qcow2_free(struct qcow2 *s, uint64_t cluster, uint64_t n, bool discard)
{
	struct qcow2_freed *last = s->n_freed ? &s->freed[s->n_freed - 1] : NULL;

	if (s->break_invariant == 4) {
		qcow2_unalloc(s, cluster, n);
		return 0;
	}
	if (last && last->cluster + last->n == cluster &&
	    last->discard == discard) {
		last->n += n;
	} else {
		if (array_grow(&s->freed, &s->freed_cap, s->n_freed + 1,
			       sizeof(*s->freed)))
			return -ENOMEM;
		s->freed[s->n_freed++] = (struct qcow2_freed){
			.cluster = cluster, .n = n, .discard = discard,
		};
	}
	s->n_freed_clusters += n;
	return 0;
}

static void give_back(struct qcow2 *s, uint64_t cluster, uint64_t n)
{
	uint64_t offset = cluster << s->h.cluster_bits;

	/* Only a courtesy to the host: what cannot be punched stays. */
	if (n)
		img_discard(s->file, n << s->h.cluster_bits, offset);
}

static int free_one(struct qcow2 *s, const struct qcow2_freed *f)
{
	uint64_t start = f->cluster, n = 0;
	bool gone;
	int rc = 0;

	for (uint64_t i = 0; i < f->n && !rc; i++) {
		gone = false;
		rc = refcount_dec(s, f->cluster + i, &gone);
		if (gone && f->discard) {
			n++;
			continue;
		}
		give_back(s, start, n);
		start = f->cluster + i + 1;
		n = 0;
	}
	give_back(s, start, n);
	return rc;
}

int qcow2_free_pending(struct qcow2 *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->n_freed && !rc; i++)
		rc = free_one(s, &s->freed[i]);
	s->n_freed = 0;
	s->n_freed_clusters = 0;
	return rc;
}
