/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repair_move.c - guest data that shares a cluster with metadata gets a cluster
 * of its own, with what the guest reads there now.  Otherwise the next change of
 * either would destroy the other.
 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "imgfmt/base/buf.h"

/* An image with more is beyond repair, and copies would fill the disk. */
#define MAX_MOVES 4096u
#define MAX_MOVED (256u << 20)		/* bytes */

#define METADATA (KIND_FIXED | KIND_REFBLOCK | KIND_L2 | KIND_TABLE)

bool check_must_move(const struct qcheck *c, uint64_t offset)
{
	uint64_t i = (offset >> c->h.cluster_bits) - c->w.first;

	return !(offset & (c->h.cluster_size - 1)) && i < c->w.n &&
	       c->w.kinds[i] & METADATA &&
	       check_in_file(c, offset, c->h.cluster_size);
}

int check_move(struct qcheck *c, uint64_t *entry, uint64_t weight, bool *dirty)
{
	struct moves *m = &c->moves;
	uint64_t from = *entry & QCOW2_OFFSET_MASK, to;
	uint8_t *data;
	int rc;

	if (m->planning) {
		if (m->n < min_u64(MAX_MOVES, MAX_MOVED >> c->h.cluster_bits))
			m->weights[m->n++] = weight;
		return 0;
	}
	if (m->done == m->n)
		return 0;
	data = buf_alloc(c->h.cluster_size);
	if (!data)
		return -ENOMEM;
	to = (m->first + m->done) << c->h.cluster_bits;
	rc = check_read(c, data, c->h.cluster_size, from);
	if (!rc)
		rc = img_write(c->file, data, c->h.cluster_size, to);
	free(data);
	if (rc)
		return rc;
	m->done++;
	*entry = (*entry & ~(QCOW2_OFFSET_MASK | QCOW2_COPIED)) | to;
	*dirty = true;
	return 0;
}

/* All kinds of this window are known by now: walk it once more. */
static int move_window(struct qcheck *c, void *arg)
{
	int rc;

	(void)arg;
	c->moves.active = true;
	rc = check_walk_l1s(c);
	c->moves.active = false;
	return rc;
}

int check_plan_moves(struct qcheck *c, struct err *e)
{
	struct moves *m = &c->moves;
	int rc;

	free(m->weights);
	*m = (struct moves){ .planning = true };
	m->weights = array_alloc(MAX_MOVES, sizeof(*m->weights));
	if (!m->weights)
		return fail(e, ENOMEM, "out of memory");
	rc = check_pass(c, move_window, NULL, e);
	m->planning = false;
	return rc;
}

int check_make_moves(struct qcheck *c, struct err *e)
{
	int rc = guards_build(c);

	if (!rc)
		rc = check_pass(c, move_window, NULL, e);
	return rc ? fail_prefix(e, rc, "Could not move data away from metadata")
		  : 0;
}

int check_count_moves(struct qcheck *c)
{
	int rc = 0;

	if (c->moves.planning)
		return 0;
	for (uint32_t i = c->moves.done; i < c->moves.n && !rc; i++)
		rc = check_count(c, (c->moves.first + i) << c->h.cluster_bits,
				 c->h.cluster_size, c->moves.weights[i],
				 KIND_NEW);
	return rc;
}
