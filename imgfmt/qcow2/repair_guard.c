/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repair_guard.c - what the repair of an entry must not overwrite: a table that
 * lies on top of the header or of a refcount block is left alone.
 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "imgfmt/base/buf.h"

void guards_free(struct guards *g)
{
	free(g->list);
	*g = (struct guards){ 0 };
}

static int add(struct qcheck *c, struct guards *g, uint64_t offset,
	       uint64_t len)
{
	uint64_t end;

	if (!len || !add_ok(offset, len, &end) ||
	    !round_up_ok(end, c->h.cluster_size, &end))
		return 0;
	offset = round_down(offset, c->h.cluster_size);
	if (array_grow(&g->list, &g->cap, g->n + 1, sizeof(*g->list)))
		return -ENOMEM;
	g->list[g->n++] = (struct span){ offset, end - offset, false };
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void sort_and_join(struct guards *g)
{
	size_t used = 0;

	if (!g->n)
		return;
	qsort(g->list, g->n, sizeof(*g->list), by_offset);
	for (size_t i = 1; i < g->n; i++) {
		struct span *last = &g->list[used], *next = &g->list[i];
		uint64_t end = last->offset + last->len;

		if (next->offset > end)
			g->list[++used] = *next;
		else
			last->len = max_u64(end, next->offset + next->len) -
				    last->offset;
	}
	g->n = used + 1;
}

static int add_spans(struct qcheck *c, struct guards *g,
		     const struct span *spans, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = add(c, g, spans[i].offset, spans[i].len);
	return rc;
}

int guards_build(struct qcheck *c)
{
	struct guards *g = &c->guards;
	int rc;

	guards_free(g);
	guards_free(&c->l1_guards);
	rc = add_spans(c, &c->l1_guards, c->l1s, c->n_l1s);
	if (!rc)
		rc = add_spans(c, g, c->bitmaps, c->n_bitmaps);
	if (!rc)
		rc = add(c, g, 0, c->h.cluster_size);
	if (!rc)
		rc = add(c, g, c->h.reftable_offset, c->n_reftable * 8);
	if (!rc)
		rc = add(c, g, c->h.crypto_offset, c->h.crypto_len);
	if (!rc)
		rc = add(c, g, c->h.snapshots_offset, c->snapshots_len);
	if (!rc && c->h.n_bitmaps)
		rc = add(c, g, c->h.bitmaps_offset, c->h.bitmaps_len);
	for (uint64_t i = 0; i < c->n_reftable && !rc; i++)
		if (c->reftable[i])
			rc = add(c, g, c->reftable[i] &
				 ~QCOW2_REFTABLE_RESERVED, c->h.cluster_size);
	sort_and_join(g);
	sort_and_join(&c->l1_guards);
	return rc;
}

static bool hits(const struct guards *g, uint64_t offset, uint64_t len)
{
	size_t low = 0, high = g->n;

	/* The first range that ends behind `offset`. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (g->list[mid].offset + g->list[mid].len <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->n && g->list[low].offset < offset + len;
}

bool check_may_write_l2(const struct qcheck *c, uint64_t offset)
{
	return !(offset & (c->h.cluster_size - 1)) &&
	       check_in_file(c, offset, c->h.cluster_size) &&
	       !hits(&c->guards, offset, c->h.cluster_size) &&
	       !hits(&c->l1_guards, offset, c->h.cluster_size);
}

bool check_may_write_l1(const struct qcheck *c, uint64_t offset)
{
	return check_in_file(c, offset, 8) && !hits(&c->guards, offset, 8);
}
