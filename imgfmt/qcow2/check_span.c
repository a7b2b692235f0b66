/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_span.c - visit tables that may overlap each other: each part once, with
 * the number of tables it belongs to.  Thousands of snapshots that share one L1
 * table then cost as much as one.
 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "imgfmt/base/buf.h"

struct edge {
	uint64_t offset;
	int active, others;		/* what begins (1) or ends (-1) here */
};

static int by_offset(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static size_t make_edges(const struct span *spans, size_t n, uint64_t unit,
			 struct edge *edges)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t start = round_down(spans[i].offset, unit), end;

		if (!spans[i].len || !add_ok(spans[i].offset, spans[i].len, &end) ||
		    !round_up_ok(end, unit, &end))
			continue;
		edges[used++] = (struct edge){
			start, spans[i].active, !spans[i].active
		};
		edges[used++] = (struct edge){
			end, -(int)spans[i].active, -(int)!spans[i].active
		};
	}
	qsort(edges, used, sizeof(*edges), by_offset);
	return used;
}

int span_sweep(struct qcheck *c, const struct span *spans, size_t n,
	       uint64_t unit, span_fn *fn)
{
	struct edge *edges;
	int64_t active = 0, others = 0;
	size_t used;
	int rc = 0;

	if (!n)
		return 0;
	edges = array_alloc(2 * (uint64_t)n, sizeof(*edges));
	if (!edges)
		return -ENOMEM;
	used = make_edges(spans, n, unit, edges);
	for (size_t i = 0; i + 1 < used && !rc; i++) {
		uint64_t len = edges[i + 1].offset - edges[i].offset;

		active += edges[i].active;
		others += edges[i].others;
		if (len && (active || others))
			rc = fn(c, edges[i].offset, len, (uint64_t)active,
				(uint64_t)others);
	}
	free(edges);
	return rc;
}
