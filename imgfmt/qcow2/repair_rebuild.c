/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repair_rebuild.c - refcount structures from nothing.
 *
 * All references are counted, new blocks and a new table are written behind the
 * end of the file, flushed, and then one write of the header makes them valid.
 * Until then nothing that exists is changed; the clusters of the old structures
 * are leaks afterwards.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "imgfmt/base/buf.h"

struct rebuild {
	uint8_t *used;			/* a bit for each block: not empty */
	uint64_t n_blocks;		/* bits in `used` */
	uint64_t first;			/* cluster where the new ones begin */
	uint64_t n_used;		/* blocks to write */
	uint64_t table_clusters;
	uint64_t written;		/* blocks */
	uint64_t *table;
};

static bool block_used(const struct rebuild *r, uint64_t index)
{
	return r->used[index / 8] >> index % 8 & 1;
}

static void use_block(struct rebuild *r, uint64_t index)
{
	if (block_used(r, index))
		return;
	r->used[index / 8] = (uint8_t)(r->used[index / 8] | 1u << index % 8);
	r->n_used++;
}

static uint64_t per_block(const struct qcheck *c)
{
	return 1ull << c->h.refblock_bits;
}

/* Is anything in block `index` of the window referred to? */
static bool block_has_refs(const struct qcheck *c, uint64_t index)
{
	uint64_t start = index * per_block(c) - c->w.first;

	return !bytes_are_zero(c->w.refs + start,
			       (size_t)min_u64(per_block(c), c->w.n - start));
}

static int note_blocks(struct qcheck *c, void *arg)
{
	struct rebuild *r = arg;
	uint64_t index = c->w.first >> c->h.refblock_bits;

	for (; index * per_block(c) < c->w.first + c->w.n; index++)
		if (block_has_refs(c, index))
			use_block(r, index);
	return 0;
}

/* Place blocks and table behind the file.  They need refcounts themselves, which
 * may need further blocks: repeat until nothing is added.
 */
static int place(struct qcheck *c, struct rebuild *r, struct err *e)
{
	uint64_t len = 0, next;

	for (;;) {
		uint64_t end = r->first + len, last = (end ? end : 1) - 1;
		uint64_t n = (last >> c->h.refblock_bits) + 1;

		if (n > r->n_blocks)
			return fail(e, EFBIG, "the new refcount structures do "
				    "not find room");
		for (uint64_t i = r->first >> c->h.refblock_bits; len && i < n;
		     i++)
			use_block(r, i);
		r->table_clusters = div_round_up(n * 8, c->h.cluster_size);
		if (r->table_clusters << c->h.cluster_bits >
		    QCOW2_MAX_REFTABLE_LEN)
			return fail(e, EFBIG, "the new refcount table would be "
				    "too large: %" PRIu64 " bytes, at most %u "
				    "are allowed", r->table_clusters <<
				    c->h.cluster_bits, QCOW2_MAX_REFTABLE_LEN);
		next = r->n_used + r->table_clusters;
		if (next == len)
			return 0;
		len = next;
	}
}

static int write_block(struct qcheck *c, struct rebuild *r, uint64_t index)
{
	uint64_t first = index * per_block(c), over;
	uint64_t n = min_u64(per_block(c), c->w.first + c->w.n - first);
	uint64_t offset = (r->first + r->written) << c->h.cluster_bits;

	if (r->written == r->n_used)
		return -EIO;		/* the image changes under us */
	memset(c->l2_buf, 0, c->h.cluster_size);
	for (uint64_t i = 0; i < n; i++)
		if (c->w.refs[first + i - c->w.first])
			qcow2_refcount_set(c->l2_buf, c->h.refcount_order, i,
					   window_refs(c, first + i, &over));
	r->written++;
	put_be64(&r->table[index], offset);
	return img_write(c->file, c->l2_buf, c->h.cluster_size, offset);
}

static int write_blocks(struct qcheck *c, void *arg)
{
	struct rebuild *r = arg;
	uint64_t index = c->w.first >> c->h.refblock_bits;
	int rc = 0;

	for (; index * per_block(c) < c->w.first + c->w.n && !rc; index++)
		if (block_has_refs(c, index))
			rc = write_block(c, r, index);
	return rc;
}

/* One write inside the first sector makes the new structures valid. */
static int switch_header(struct qcheck *c, const struct rebuild *r,
			 struct err *e)
{
	uint64_t offset = (r->first + r->n_used) << c->h.cluster_bits;
	uint8_t bytes[12];
	int rc = img_write(c->file, r->table, (size_t)r->table_clusters <<
			   c->h.cluster_bits, offset);

	if (rc)
		return fail_rc(e, rc, "Could not write the refcount table");
	put_be64(bytes, offset);
	put_be32(bytes + 8, (uint32_t)r->table_clusters);
	return check_patch_header(c, bytes, sizeof(bytes),
				  QCOW2_H_REFTABLE_OFFSET, e);
}

static int build(struct qcheck *c, struct rebuild *r, struct err *e)
{
	int rc;

	c->own_first = r->first;
	c->own_n = r->n_used + r->table_clusters;
	c->room_for += c->own_n;
	r->table = array_alloc(r->table_clusters << c->h.cluster_bits, 1);
	if (!r->table)
		return fail(e, ENOMEM, "out of memory");
	rc = check_load(c, e);
	if (!rc)
		rc = check_pass(c, write_blocks, r, e);
	if (!rc)
		rc = switch_header(c, r, e);
	return rc;
}

int check_rebuild(struct qcheck *c, struct err *e)
{
	struct rebuild r = { 0 };
	int rc;

	/* As many blocks as the largest table refers to. */
	r.n_blocks = QCOW2_MAX_REFTABLE_LEN / 8;
	r.used = array_alloc(r.n_blocks / 8 + 1, 1);
	if (!r.used)
		return fail(e, ENOMEM, "out of memory");
	check_say(c, "Rebuilding refcount structure");
	rc = (c->table_clusters >> c->h.refblock_bits) >= r.n_blocks ?
	     fail(e, EFBIG, "the file is too large for its refcount width") :
	     check_pass(c, note_blocks, &r, e);
	/* The places reserved for others were counted, too. */
	r.first = c->n_clusters;
	if (!rc)
		rc = place(c, &r, e);
	if (!rc)
		rc = build(c, &r, e);
	c->own_n = 0;
	free(r.used);
	free(r.table);
	return rc ? fail_prefix(e, rc, "Could not rebuild refcounts") : 0;
}
