/* SPDX-License-Identifier: GPL-2.0-or-later */
/* in_order.c - copying a source that gives its data only in its own order
 * (img_in_order()).
 *
 * Pieces are the windows in which data arrives, and holes up to the next one.
 * Data may come late, for a window that has passed: it is written over what was
 * taken for a hole, where the target can go back.
 */
#include <errno.h>
#include <string.h>

#include "convert/copy/piece.h"

static struct img *source(const struct copy *c)
{
	return c->args->sources[0];
}

int in_order_check(const struct copy_args *a, struct err *e)
{
	for (size_t i = 0; i < a->n_sources; i++)
		if (img_in_order(a->sources[i]) &&
		    (a->n_sources > 1 || a->keep_backing))
			return fail(e, ENOTSUP, "%s can only be read in its own "
				    "order, and then as the only source: save "
				    "it to a file first",
				    img_name(a->sources[i]));
	return 0;
}

/* Have the next batch at hand, or none at the end of what can be had. */
static int look_ahead(struct copy *c, struct err *e)
{
	int rc;

	if (c->ahead.n || c->no_more)
		return 0;
	rc = img_take(source(c), c->piece_size, &c->ahead, e);
	if (rc && c->args->salvage && rc != -ECANCELED && rc != -ENOMEM) {
		c->gave_up = rc;
		c->result->gave_up = *e;
		rc = 0;
	}
	c->no_more = !c->ahead.n;
	for (size_t i = 0; i < c->ahead.n; i++)
		c->arrived = max_u64(c->arrived, c->ahead.runs[i].offset +
						 c->ahead.runs[i].len);
	return rc;
}

/* A piece of nothing, up to `end`. */
static void plan_gap(struct copy *c, struct piece *p, uint64_t end)
{
	p->kind = c->args->no_sparse ? PIECE_WINDOW : PIECE_ZERO;
	p->len = end - c->cursor;
	if (p->kind == PIECE_WINDOW)
		p->len = min_u64(p->len, c->piece_size);
	p->batch.n = 0;
	c->cursor += p->len;
}

static int check_late(const struct copy *c, struct err *e)
{
	if (!c->unit && !c->hasher)
		return 0;
	return fail(e, ESPIPE, "%s goes back from byte %llu of the disk to "
		    "byte %llu, which cannot be followed here: save it to a "
		    "file first", img_name(source(c)),
		    (unsigned long long)c->cursor,
		    (unsigned long long)c->ahead.runs[0].offset);
}

int in_order_next(struct copy *c, struct piece *p, struct err *e)
{
	struct img_batch old = p->batch;
	uint64_t window;
	int rc = look_ahead(c, e);

	if (rc || (c->no_more && c->cursor == c->src.total))
		return rc;
	p->late = false;
	p->offset = c->cursor;
	window = c->no_more ? c->src.total
		: round_down(c->ahead.runs[0].offset, c->piece_size);
	if (window > c->cursor) {
		plan_gap(c, p, window);
		return 1;
	}
	p->late = window < c->cursor;
	rc = p->late ? check_late(c, e) : 0;
	if (rc)
		return rc;
	p->kind = PIECE_WINDOW;
	p->offset = window;
	p->len = min_u64(c->piece_size, c->src.total - window);
	if (!p->late)
		c->cursor += p->len;
	/* The piece's old batch has room for the next one. */
	p->batch = c->ahead;
	c->ahead = old;
	c->ahead.n = 0;
	return 1;
}

int in_order_end(struct copy *c)
{
	struct copy_result *r = c->result;
	uint64_t len = c->src.total - c->arrived;

	if (!c->gave_up || !len)
		return 0;
	r->lost += len;
	return lost_add(&r->lost_ranges, &r->n_lost, &c->lost_cap, c->arrived,
			len, c->gave_up);
}

static int unpack(struct copy *c, struct piece *p, size_t i, struct err *e)
{
	const struct img_run *run = &p->batch.runs[i];
	size_t at = (size_t)(run->offset - p->offset);
	int rc = img_unpack(source(c), &p->batch, i, p->buf + at);

	if (rc && c->args->salvage && rc != -ENOMEM) {
		memset(p->buf + at, 0, run->len);
		rc = lost_add(&p->lost, &p->n_lost, &p->lost_cap, run->offset,
			      run->len, rc);
	}
	if (rc)
		return fail_rc(e, rc, "reading %s at offset %llu",
			       img_name(source(c)),
			       (unsigned long long)run->offset);
	memset(p->granules + at / c->granule, GRANULE_DATA,
	       (size_t)div_round_up(run->len, c->granule));
	p->data += run->len;
	return 0;
}

int in_order_load(struct copy *c, struct piece *p, struct err *e)
{
	int rc = 0;

	/* What is around late data is there already. */
	memset(p->granules, p->late ? GRANULE_SKIP : GRANULE_HOLE,
	       piece_granules(c, p));
	for (size_t i = 0; i < p->batch.n && !rc; i++)
		rc = unpack(c, p, i, e);
	return rc;
}
