/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_walk.c - walk everything that refers to host clusters: header, L1 and L2
 * tables, snapshots, bitmaps, the refcount structures themselves.
 * Specification: "Cluster mapping", "Host cluster management", "Bitmaps".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "check.h"
#include "imgfmt/base/buf.h"

#define BITMAP_RESERVED 0xff000000000001feull

/* Collecting L2 tables. */

static int by_offset(const void *a, const void *b)
{
	const struct l2_ref *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset > y->offset ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

/* Sort, and make one of those with the same offset. */
static void merge_l2s(struct qcheck *c)
{
	size_t used = 0;

	if (!c->n_l2s)
		return;
	qsort(c->l2s, c->n_l2s, sizeof(*c->l2s), by_offset);
	for (size_t i = 0; i < c->n_l2s; i++) {
		struct l2_ref *last = used ? &c->l2s[used - 1] : NULL;

		if (last && last->offset == c->l2s[i].offset) {
			if (!last->active)
				last->index = c->l2s[i].index;
			last->others += c->l2s[i].others;
			last->active += c->l2s[i].active;
		} else {
			c->l2s[used++] = c->l2s[i];
		}
	}
	c->n_l2s = used;
}

static int visit_l2s(struct qcheck *c)
{
	int rc = 0;

	merge_l2s(c);
	for (size_t i = 0; i < c->n_l2s && !rc; i++)
		rc = check_l2_table(c, &c->l2s[i]);
	c->n_l2s = 0;
	return rc;
}

/* COPIED flags are reported in the order of the L1 table, as far as that is no
 * more work: each L2 table is visited at once when it comes up first.
 */
static bool first_visit(struct qcheck *c, uint64_t offset)
{
	uint64_t i = (offset >> c->h.cluster_bits) - c->w.first;

	if (i >= c->w.n || c->w.kinds[i] & KIND_JUDGED)
		return false;
	c->w.kinds[i] |= KIND_JUDGED;
	return true;
}

static int add_l2(struct qcheck *c, const struct l2_ref *ref)
{
	int rc = 0;

	if (c->judge_copied && !ref->active)
		return 0;
	if (c->judge_copied && first_visit(c, ref->offset))
		return check_l2_table(c, ref);
	if (c->n_l2s == CHECK_L2S) {
		merge_l2s(c);
		/* Each visit is paid for by as many L1 entries. */
		if (c->n_l2s > CHECK_L2S / 2)
			rc = visit_l2s(c);
		if (rc)
			return rc;
	}
	if (array_grow(&c->l2s, &c->cap_l2s, c->n_l2s + 1, sizeof(*c->l2s)))
		return -ENOMEM;
	c->l2s[c->n_l2s++] = *ref;
	return 0;
}

/* L1 tables. */

/* Returns the entry as it should be. */
static uint64_t check_l1_copied(struct qcheck *c, uint64_t entry,
				const struct l2_ref *ref)
{
	uint64_t refcount, cluster = ref->offset >> c->h.cluster_bits;
	int one = ref->offset ? check_is_one(c, cluster) : -1;

	if (one < 0 || one == (int)(entry >> 63))
		return entry;
	c->wrong_copied = true;
	if (!c->judge_copied)
		return entry;
	check_disk_refcount(c, cluster, &refcount);
	check_wrong_copied(c, ref->active, "%s OFLAG_COPIED L2 cluster: "
			   "l1_index=%u l1_entry=%" PRIx64 " refcount=%" PRIu64,
			   c->fix_copied ? "Repairing" : "ERROR", ref->index,
			   entry, refcount);
	return c->fix_copied ? entry ^ QCOW2_COPIED : entry;
}

static int write_l1_entry(struct qcheck *c, uint64_t offset, uint64_t entry)
{
	uint8_t bytes[8];

	if (!check_may_write_l1(c, offset)) {
		check_finding(c, &c->out->check_errors, 1,
			      "ERROR: Could not write L1 entry at 0x%" PRIx64
			      ": it overlaps other metadata", offset);
		return 0;
	}
	put_be64(bytes, entry);
	return img_write(c->file, bytes, sizeof(bytes), offset);
}

static int visit_l1_entry(struct qcheck *c, uint64_t at, uint64_t entry,
			  uint64_t active, uint64_t others)
{
	struct l2_ref ref = {
		.offset = entry & QCOW2_OFFSET_MASK,
		.others = others,
		.active = (uint32_t)active,
		.index = active ? (uint32_t)((at - c->h.l1_offset) / 8) : 0,
	};
	uint64_t weight = active + others, fixed = entry;
	int rc;

	if (c->first && entry & QCOW2_L1_RESERVED) {
		check_finding(c, &c->out->corruptions, weight,
			      "%s found L1 entry with reserved bits set: %"
			      PRIx64, c->out->fix_errors ? "Repairing" :
			      "ERROR", entry);
		if (c->fix_entries)
			fixed &= ~QCOW2_L1_RESERVED;
	}
	rc = check_reference(c, ref.offset, c->h.cluster_size, weight, KIND_L2);
	if (rc)
		return rc;
	if (c->first && ref.offset & (c->h.cluster_size - 1))
		check_finding(c, &c->out->corruptions, weight,
			      "ERROR l2_offset=%" PRIx64 ": Table is not "
			      "cluster aligned; L1 entry corrupted",
			      ref.offset);
	if (active)
		fixed = check_l1_copied(c, fixed, &ref);
	if (fixed != entry)
		rc = write_l1_entry(c, at, fixed);
	return rc ? rc : add_l2(c, &ref);
}

/* A function that gets a table's entries one by one, but for those that are 0.
 */
typedef int entry_fn(struct qcheck *c, uint64_t at, uint64_t entry,
		     uint64_t active, uint64_t others);

static int each_entry(struct qcheck *c, uint64_t offset, uint64_t len,
		      uint64_t active, uint64_t others, entry_fn *fn)
{
	/* What lies beyond the end of the file reads as zeroes. */
	uint64_t end = min_u64(offset + len, max_u64(offset, c->file_len));
	int rc = 0;

	while (offset < end && !rc) {
		size_t n = (size_t)min_u64(CHECK_CHUNK, end - offset);

		if (check_is_hole(c, offset, n)) {
			offset += n;
			continue;
		}
		rc = check_read(c, c->chunk, n, offset);
		if (rc) {
			check_finding(c, &c->out->check_errors, 1,
				      "ERROR: I/O error in a table at 0x%"
				      PRIx64, offset);
			return rc;
		}
		for (size_t i = 0; i + 8 <= n && !rc; i += 8) {
			uint64_t entry = get_be64(c->chunk + i);

			if (entry)
				rc = fn(c, offset + i, entry, active, others);
		}
		offset += n;
	}
	return rc;
}

static int visit_l1(struct qcheck *c, uint64_t offset, uint64_t len,
		    uint64_t active, uint64_t others)
{
	return each_entry(c, offset, len, active, others, visit_l1_entry);
}

/* The tables themselves; those outside the file are a finding each. */
static int count_table(struct qcheck *c, uint64_t offset, uint64_t len,
		       uint64_t active, uint64_t others)
{
	int rc = 0;

	/* A table may reach beyond the end by less than a cluster. */
	if (active)
		rc = check_count(c, offset, len, active, KIND_FIXED);
	if (!rc && others)
		rc = check_count(c, offset, len, others, KIND_TABLE);
	return rc;
}

static int count_tables(struct qcheck *c, struct span *spans, size_t n)
{
	struct span *in_file;
	size_t used = 0;
	int rc;

	in_file = malloc((n + 1) * sizeof(*in_file));
	if (!in_file)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (check_in_file(c, spans[i].offset, spans[i].len))
			in_file[used++] = spans[i];
		else
			check_reference(c, spans[i].offset, spans[i].len, 1, 0);
	}
	rc = span_sweep(c, in_file, used, c->h.cluster_size, count_table);
	free(in_file);
	return rc;
}

int check_walk_l1s(struct qcheck *c)
{
	int rc = count_tables(c, c->l1s, c->n_l1s);

	if (!rc)
		rc = span_sweep(c, c->l1s, c->n_l1s, 8, visit_l1);
	return rc ? rc : visit_l2s(c);
}

/* Bitmaps. */

static int visit_bitmap_entry(struct qcheck *c, uint64_t at, uint64_t entry,
			      uint64_t active, uint64_t others)
{
	uint64_t offset = entry & QCOW2_OFFSET_MASK;
	(void)at, (void)active;

	if (entry & BITMAP_RESERVED || (offset && entry & 1) ||
	    offset & (c->h.cluster_size - 1)) {
		if (c->first)
			check_finding(c, &c->out->corruptions, others,
				      "ERROR bitmap table entry %" PRIx64
				      " is not valid", entry);
		return 0;
	}
	return offset ? check_reference(c, offset, c->h.cluster_size, others,
					KIND_TABLE) : 0;
}

static int visit_bitmap(struct qcheck *c, uint64_t offset, uint64_t len,
			uint64_t active, uint64_t others)
{
	return each_entry(c, offset, len, active, others, visit_bitmap_entry);
}

static int walk_bitmaps(struct qcheck *c)
{
	int rc = check_reference(c, c->h.bitmaps_offset,
				 c->h.n_bitmaps ? c->h.bitmaps_len : 0, 1,
				 KIND_TABLE);

	if (!rc)
		rc = count_tables(c, c->bitmaps, c->n_bitmaps);
	if (!rc)
		rc = span_sweep(c, c->bitmaps, c->n_bitmaps, 8, visit_bitmap);
	return rc;
}

/* Refcount structures. */

static int bad_refblock(struct qcheck *c, const char *verb, const char *before,
			uint64_t i, const char *after)
{
	c->rebuild = true;
	if (c->first)
		check_finding(c, &c->out->corruptions, 1, "%s refcount %s %"
			      PRIu64 " %s", verb, before, i, after);
	return 0;
}

static int walk_refblock(struct qcheck *c, uint64_t i, uint64_t entry)
{
	uint64_t offset = entry & ~QCOW2_REFTABLE_RESERVED, over, refs;
	uint64_t cluster = offset >> c->h.cluster_bits;
	int rc;

	if (entry & QCOW2_REFTABLE_RESERVED)
		return bad_refblock(c, "ERROR", "table entry", i,
				    "has reserved bits set");
	if (offset & (c->h.cluster_size - 1))
		return bad_refblock(c, "ERROR", "block", i, "is not cluster "
				    "aligned; refcount table entry corrupted");
	if (cluster >= c->n_clusters)
		return bad_refblock(c, c->out->fix_errors ? "Repairing" :
				    "ERROR", "block", i, "is outside image");
	rc = check_reference(c, offset, c->h.cluster_size, 1, KIND_REFBLOCK);
	if (rc || cluster - c->w.first >= c->w.n)
		return rc;
	refs = window_refs(c, cluster, &over);
	if (refs != 1) {
		c->rebuild = true;
		check_finding(c, &c->out->corruptions, 1, "ERROR refcount "
			      "block %" PRIu64 " refcount=%" PRIu64, i, refs);
	}
	return 0;
}

static int walk_refcounts(struct qcheck *c)
{
	int rc = 0;

	for (uint64_t i = 0; i < c->n_reftable && !rc; i++)
		if (c->reftable[i])
			rc = walk_refblock(c, i, c->reftable[i]);
	return rc;
}

/* All of it. */

static int count_new(struct qcheck *c, uint64_t first, uint64_t n)
{
	return n ? check_count(c, first << c->h.cluster_bits,
			       n << c->h.cluster_bits, 1, KIND_NEW) : 0;
}

static int walk_rest(struct qcheck *c)
{
	int rc = check_reference(c, c->h.snapshots_offset, c->snapshots_len, 1,
				 KIND_TABLE);

	if (!rc && !c->no_refcounts)
		rc = check_reference(c, c->h.reftable_offset,
				     (uint64_t)c->h.reftable_clusters <<
				     c->h.cluster_bits, 1, KIND_FIXED);
	if (!rc)
		rc = check_reference(c, c->h.crypto_offset, c->h.crypto_len, 1,
				     KIND_FIXED);
	if (!rc)
		rc = walk_bitmaps(c);
	if (!rc)
		rc = count_new(c, c->new_first, c->new_n);
	if (!rc)
		rc = count_new(c, c->own_first, c->own_n);
	if (!rc)
		rc = check_count_moves(c);
	return rc;
}

int check_walk(struct qcheck *c, struct err *e)
{
	int rc = check_reference(c, 0, c->h.cluster_size, 1, KIND_FIXED);

	c->n_l2s = 0;
	if (!rc)
		rc = check_walk_l1s(c);
	if (!rc)
		rc = walk_rest(c);
	if (!rc && !c->no_refcounts)
		rc = walk_refcounts(c);
	return rc ? fail_rc(e, rc, "the tables could not be walked") : 0;
}

static bool has_refblocks(const struct qcheck *c, uint64_t first)
{
	uint64_t i = first >> c->h.refblock_bits;

	for (; i < c->n_reftable && i << c->h.refblock_bits < first +
	     c->window_len; i++)
		if (c->reftable[i])
			return true;
	return false;
}

int check_pass(struct qcheck *c, int (*done)(struct qcheck *c, void *arg),
	       void *arg, struct err *e)
{
	int rc = 0;

	/* A pass before may have written. */
	c->sector_offset = UINT64_MAX;
	c->hole_end = c->data_end = 0;
	c->first = true;
	c->rebuild = !c->h.reftable_clusters;
	for (uint64_t i = 0; i < c->n_windows && !rc; i++) {
		uint64_t first = i * c->window_len;

		if (!c->first && !c->touched[i] && !has_refblocks(c, first))
			continue;
		rc = window_load(c, first);
		if (rc)
			return fail_rc(e, rc, "the refcounts could not be read");
		if (c->first || c->touched[i])
			rc = check_walk(c, e);
		if (!rc && done)
			rc = done(c, arg);
		c->first = false;
	}
	return rc;
}
