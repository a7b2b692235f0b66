/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repair.c - repair a qcow2 image in an order that a power cut may end anywhere.
 *
 * What is written, with the disk flushed between the steps; after each of them
 * the image is no worse than before:
 *
 *   1. Entries that can be repaired by themselves: reserved bits, clusters of
 *      zeroes with an impossible place.  They refer to no more than before.
 *   2. Refcounts that are too low are raised, where their block stands; a
 *      refcount that is too high costs room, not data.  If that is not possible,
 *      or clusters in use count as free, so that somebody may have lost data
 *      already, all refcount structures are made anew behind the end of the file
 *      and the header is switched to them with one write (repair_rebuild.c).  In
 *      the second case it goes on in place if there is no room for that.
 *   3. A new snapshot table, in clusters that step 2 has given a refcount, and
 *      one write of the header.
 *      Data that shares a cluster with metadata moves to others, flushed
 *      before the L2 entry that points there.
 *   4. Refcounts that are too high are lowered: nothing needs them any more.
 *   5. COPIED flags, which follow from refcounts that are now right.
 *   6. The dirty and the corrupt bit, if another check finds nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "check.h"
#include "imgfmt/base/buf.h"

static int flush(struct qcheck *c, struct err *e)
{
	int rc = img_flush(c->file);

	return rc ? fail_rc(e, rc, "the repair could not be flushed") : 0;
}

int check_patch_header(struct qcheck *c, const void *bytes, size_t len,
		       unsigned offset, struct err *e)
{
	int rc = flush(c, e);

	if (rc)
		return rc;
	rc = img_write(c->file, bytes, len, offset);
	if (rc)
		return fail_rc(e, rc, "the header could not be written");
	return flush(c, e);
}

int check_clear_autoclear(struct qcheck *c, struct err *e)
{
	uint8_t bytes[8];

	if (!(c->h.autoclear & ~QCOW2_AUTOCLEAR_KNOWN))
		return 0;
	put_be64(bytes, c->h.autoclear & QCOW2_AUTOCLEAR_KNOWN);
	return check_patch_header(c, bytes, sizeof(bytes), QCOW2_H_AUTOCLEAR,
				  e);
}

int check_mark_clean(struct qcheck *c, struct err *e)
{
	uint64_t bits = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT;
	uint8_t bytes[8];

	if (!(c->h.incompat & bits))
		return 0;
	put_be64(bytes, c->h.incompat & ~bits);
	return check_patch_header(c, bytes, sizeof(bytes), QCOW2_H_INCOMPAT, e);
}

/* Refcounts in place. */

/* Must refcounts be rebuilt?  `arg`, if any: a bool, or had they better be? */
static int need_rebuild(struct qcheck *c, void *arg)
{
	struct window *w = &c->w;
	bool *better = arg;

	for (uint64_t i = 0; i < w->n && !c->rebuild; i++) {
		uint64_t index = (w->first + i) >> c->h.refblock_bits;

		if (w->disk[i] == DISK_ERROR ||
		    (w->refs[i] && !w->disk[i] &&
		     (index >= c->n_reftable || !c->reftable[index])))
			c->rebuild = true;
		if (better && w->refs[i] && !w->disk[i] &&
		    !(w->kinds[i] & KIND_NEW))
			*better = true;
	}
	return 0;
}

struct fix {
	bool raise;
	uint64_t free_start, free_len;	/* clusters to discard */
};

static void discard_free(struct qcheck *c, struct fix *fix)
{
	uint64_t offset = fix->free_start << c->h.cluster_bits;
	uint64_t length = img_length(c->file);

	/* Only to save room: it may fail. */
	if (fix->free_len && offset < length)
		img_discard(c->file, min_u64(length - offset, fix->free_len <<
					     c->h.cluster_bits), offset);
	fix->free_len = 0;
}

static void note_free(struct qcheck *c, struct fix *fix, uint64_t cluster)
{
	if (cluster != fix->free_start + fix->free_len) {
		discard_free(c, fix);
		fix->free_start = cluster;
	}
	fix->free_len++;
}

static bool fix_cluster(struct qcheck *c, struct fix *fix, uint64_t cluster,
			uint8_t *block)
{
	uint64_t i = cluster & ((1ull << c->h.refblock_bits) - 1), over;
	uint64_t disk = qcow2_refcount_get(block, c->h.refcount_order, i);
	uint64_t refs = window_refs(c, cluster, &over);

	if (fix->raise ? disk >= refs : disk <= refs)
		return false;
	qcow2_refcount_set(block, c->h.refcount_order, i, refs);
	if (!refs)
		note_free(c, fix, cluster);
	return true;
}

static int fix_block(struct qcheck *c, struct fix *fix, uint64_t index)
{
	uint64_t offset = c->reftable[index] & ~QCOW2_REFTABLE_RESERVED;
	uint64_t first = index << c->h.refblock_bits;
	uint64_t end = min_u64(first + (1ull << c->h.refblock_bits),
			       c->w.first + c->w.n);
	bool dirty = false;
	int rc;

	if (!fix->raise)	/* what lies beyond the end is no leak */
		end = min_u64(end, c->n_clusters);
	rc = check_read(c, c->l2_buf, c->h.cluster_size, offset);
	for (; first < end && !rc; first++) {
		uint64_t i = first - c->w.first;

		if (c->w.refs[i] != c->w.disk[i] || c->w.disk[i] == DISK_LARGE)
			dirty |= fix_cluster(c, fix, first, c->l2_buf);
	}
	if (!rc && dirty)
		rc = img_write(c->file, c->l2_buf, c->h.cluster_size, offset);
	return rc;
}

static int fix_window(struct qcheck *c, void *arg)
{
	struct fix *fix = arg;
	uint64_t index = c->w.first >> c->h.refblock_bits;
	int rc = 0;

	for (; index < c->n_reftable && !rc && index << c->h.refblock_bits <
	     c->w.first + c->w.n; index++) {
		uint64_t offset = c->reftable[index] & ~QCOW2_REFTABLE_RESERVED;

		/* Where refcounts are not to be had, lowering would be wrong
		 * and raising is rebuilding.
		 */
		if (offset && !(offset & (c->h.cluster_size - 1)) &&
		    check_in_file(c, offset, c->h.cluster_size))
			rc = fix_block(c, fix, index);
	}
	discard_free(c, fix);
	return rc;
}

static int fix_refcounts(struct qcheck *c, bool raise, struct err *e)
{
	struct fix fix = { .raise = raise };
	int rc = check_pass(c, fix_window, &fix, e);

	if (rc)
		return fail_prefix(e, rc, "Could not repair refcounts");
	return flush(c, e);
}

/* Steps 2 and 3. */

static int raise_refcounts(struct qcheck *c, struct err *e)
{
	bool better = false, must;
	int rc = check_pass(c, need_rebuild, &better, e);

	if (rc)
		return rc;
	must = c->rebuild;
	if (must || better) {
		uint64_t room_for = c->room_for;
		int rc2 = check_rebuild(c, must ? e : NULL);

		if (rc2 && must)
			return rc2;
		/* A device may have no room behind its end. */
		if (rc2)
			c->room_for = room_for;
		rc = check_load(c, e);
		if (!rc2)
			return rc ? rc : check_announce(c, false, e);
	}
	if (!rc && c->wrong_refcounts)
		rc = check_announce(c, true, e);
	return rc ? rc : fix_refcounts(c, true, e);
}

/* What overlaps only the old refcount structures need not move when there are
 * going to be new ones.
 */
static int plan_moves(struct qcheck *c, struct err *e)
{
	int rc = c->overlaps ? check_pass(c, need_rebuild, NULL, e) : 0;

	if (rc || !c->overlaps)
		return rc;
	c->no_refcounts = c->rebuild;
	rc = check_plan_moves(c, e);
	c->no_refcounts = false;
	return rc;
}

/* Clusters behind the end of the file for what is going to be written. */
static int plan_room(struct qcheck *c, struct new_table *t, struct err *e)
{
	int rc = c->n_incomplete ? check_new_snapshots(c, t, e) : 0;

	if (!rc)
		rc = plan_moves(c, e);
	c->new_first = c->n_clusters;
	c->new_n = div_round_up(t->len, c->h.cluster_size);
	c->moves.first = c->new_first + c->new_n;
	c->room_for = c->new_n + c->moves.n;
	return !rc && c->room_for ? check_load(c, e) : rc;
}

static int switch_snapshots(struct qcheck *c, const struct new_table *t,
			    struct err *e)
{
	uint64_t offset = c->new_first << c->h.cluster_bits;
	uint8_t bytes[12];
	int rc = img_write(c->file, t->data, t->len, offset);

	if (rc)
		return fail_rc(e, rc, "ERROR failed to update snapshot table");
	put_be32(bytes, c->h.n_snapshots);
	put_be64(bytes + 4, offset);
	return check_patch_header(c, bytes, sizeof(bytes),
				  QCOW2_H_N_SNAPSHOTS, e);
}

static int move_data(struct qcheck *c, struct err *e)
{
	int rc = check_load(c, e);

	if (!rc)
		rc = check_make_moves(c, e);
	/* Whatever was planned: no refcount stays too low. */
	c->moves.n = c->moves.done;
	if (!rc)
		rc = fix_refcounts(c, true, e);
	return rc;
}

static int fix_references(struct qcheck *c, struct err *e)
{
	struct new_table t = { 0 };
	int rc = plan_room(c, &t, e);

	if (!rc)
		rc = raise_refcounts(c, e);
	if (!rc && t.len)
		rc = switch_snapshots(c, &t, e);
	c->new_n = 0;
	free(t.data);
	if (!rc && c->moves.n)
		rc = move_data(c, e);
	return rc ? rc : check_load(c, e);
}

/* Step 1. */
static int fix_entries(struct qcheck *c, struct err *e)
{
	int rc = guards_build(c);

	if (rc)
		return fail_rc(e, rc, "the repair could not be planned");
	c->fix_entries = true;
	rc = check_pass(c, NULL, NULL, e);
	c->fix_entries = false;
	return rc ? rc : flush(c, e);
}

/* Step 4. */
static int fix_leaks(struct qcheck *c, struct err *e)
{
	int rc = 0;

	/* Unless step 2 has said so. */
	if (c->wrong_refcounts && !c->out->fix_errors)
		rc = check_announce(c, true, e);
	return rc ? rc : fix_refcounts(c, false, e);
}

/* Step 5. */
static int fix_copied(struct qcheck *c, bool fix, struct err *e)
{
	int rc = guards_build(c);

	if (rc)
		return fail_rc(e, rc, "the repair could not be planned");
	c->fix_copied = fix;
	rc = check_judge_copied(c, e);
	c->fix_copied = false;
	return rc ? rc : flush(c, e);
}

int check_repair(struct qcheck *c, struct err *e)
{
	const struct img_check *out = c->out;
	/* Without -r all COPIED flags are repaired if nothing else is wrong:
	 * they follow from refcounts that were too high.
	 */
	bool copied = out->fix_errors ||
		      (!out->check_errors && !out->corruptions);
	int rc = 0;

	c->quiet = true;
	if (out->fix_errors)
		rc = fix_entries(c, e);
	if (!rc && out->fix_errors)
		rc = fix_references(c, e);
	if (!rc && out->fix_leaks)
		rc = fix_leaks(c, e);
	if (!rc)
		rc = fix_copied(c, copied, e);
	c->quiet = false;
	return rc;
}
