/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_l2.c - check one L2 table: what its entries refer to, and whether they
 * may look as they do; repair those that can be repaired by themselves.
 * Specification: "Cluster mapping", "Extended L2 Entries".
 */
#include <errno.h>
#include <inttypes.h>

#include "check.h"

struct l2_visit {
	struct qcheck *c;
	const struct l2_ref *ref;
	uint64_t weight;		/* uses of this table */
	uint64_t contiguous;		/* where data would follow, or 0 */
	bool copied;			/* COPIED flags mean something */
	bool dirty;
};

struct l2_entry {
	uint8_t *p;			/* in the table */
	unsigned index;
	uint64_t entry, bitmap;
	uint64_t offset;		/* of a standard cluster */
	enum qcow2_kind kind;
};

static enum qcow2_kind kind_of(const struct qcow2_header *h, uint64_t entry)
{
	/* The flag counts in version 2 as well, where it is an error, and
	 * COPIED alone does not make a zero cluster allocated.
	 */
	if (!(entry & QCOW2_COMPRESSED) && entry & QCOW2_ZERO && !h->extl2)
		return entry & QCOW2_OFFSET_MASK ? QCOW2_KIND_ZERO_ALLOC :
		       QCOW2_KIND_ZERO;
	return qcow2_kind(h, entry);
}

static bool is_allocated(const struct l2_entry *x)
{
	return x->kind == QCOW2_KIND_DATA || x->kind == QCOW2_KIND_ZERO_ALLOC;
}

static bool is_misaligned(const struct qcow2_header *h,
			  const struct l2_entry *x)
{
	return is_allocated(x) && x->offset & (h->cluster_size - 1);
}

static bool has_data(const struct qcow2_header *h, const struct l2_entry *x)
{
	return h->extl2 ? qcow2_sub_alloc(x->bitmap) != 0 :
	       !(x->entry & QCOW2_ZERO);
}

/* Is the zero flag set where it is reserved? */
static bool bad_zero_flag(const struct qcow2_header *h, uint64_t entry)
{
	return (h->version < 3 || h->extl2) && !(entry & QCOW2_COMPRESSED) &&
	       entry & QCOW2_ZERO;
}

static void decode(const struct qcow2_header *h, struct l2_entry *x)
{
	x->entry = get_be64(x->p);
	x->bitmap = h->extl2 ? get_be64(x->p + 8) : 0;
	x->offset = x->entry & QCOW2_OFFSET_MASK;
	x->kind = kind_of(h, x->entry);
}

#define CORRUPT(v, ...)							\
	check_finding((v)->c, &(v)->c->out->corruptions, (v)->weight,	\
		      __VA_ARGS__)

static void check_compressed(struct l2_visit *v, const struct l2_entry *x)
{
	const struct qcow2_header *h = &v->c->h;
	uint64_t offset, len;

	qcow2_compressed(h, x->entry, &offset, &len);
	if (x->entry & QCOW2_COPIED)
		CORRUPT(v, "ERROR: coffset=0x%" PRIx64 ": copied flag must "
			"never be set for compressed clusters", offset);
	if (h->external_data)
		CORRUPT(v, "ERROR compressed cluster %u with data file, "
			"entry=0x%" PRIx64, x->index, x->entry);
	else if (x->bitmap)
		CORRUPT(v, "ERROR compressed cluster %u with non-zero "
			"subcluster allocation bitmap, entry=0x%" PRIx64,
			x->index, x->entry);
}

static void check_allocated(struct l2_visit *v, const struct l2_entry *x)
{
	const struct qcow2_header *h = &v->c->h;
	bool fix = v->c->out->fix_errors;
	uint64_t guest;

	if (qcow2_sub_alloc(x->bitmap) & qcow2_sub_zero(x->bitmap))
		CORRUPT(v, "%s offset=%" PRIx64 ": Allocated cluster has "
			"corrupted subcluster allocation bitmap",
			fix ? "Repairing" : "ERROR", x->offset);
	if (is_misaligned(h, x)) {
		if (has_data(h, x))
			CORRUPT(v, "ERROR offset=%" PRIx64 ": Data cluster is "
				"not properly aligned; L2 entry corrupted.",
				x->offset);
		else
			CORRUPT(v, "%s offset=%" PRIx64 ": Preallocated "
				"cluster is not properly aligned; L2 entry "
				"corrupted.", fix ? "Repairing" : "ERROR",
				x->offset);
	}
	guest = ((uint64_t)v->ref->index << h->l2_bits | x->index)
		<< h->cluster_bits;
	if (h->raw_external && v->ref->active && x->offset != guest)
		CORRUPT(v, "ERROR offset=%" PRIx64 ": cluster of a raw external "
			"data file must be at its guest offset %" PRIx64,
			x->offset, guest);
}

/* What is wrong with the entry as it stands. */
static void check_form(struct l2_visit *v, const struct l2_entry *x)
{
	const struct qcow2_header *h = &v->c->h;
	const char *verb = v->c->out->fix_errors ? "Repairing" : "ERROR";

	if (x->kind == QCOW2_KIND_COMPRESSED) {
		check_compressed(v, x);
		return;
	}
	if (x->entry & QCOW2_L2_RESERVED)
		CORRUPT(v, "%s found l2 entry with reserved bits set: %" PRIx64,
			verb, x->entry);
	if (bad_zero_flag(h, x->entry))
		CORRUPT(v, "%s found l2 entry with the zero flag, which %s: %"
			PRIx64, verb, h->extl2 ?
			"extended L2 entries do not have" :
			"version 2 does not have", x->entry);
	if (is_allocated(x))
		check_allocated(v, x);
	else if (qcow2_sub_alloc(x->bitmap))
		CORRUPT(v, "%s: Unallocated cluster has non-zero subcluster "
			"allocation map", verb);
}

static void count_blocks(struct l2_visit *v, const struct l2_entry *x)
{
	struct qcheck *c = v->c;
	uint64_t weight = v->ref->active;

	if (c->quiet || !weight)
		return;
	if (x->kind == QCOW2_KIND_COMPRESSED) {
		if (c->h.external_data || x->bitmap)
			return;
		c->out->compressed_clusters += weight;
		c->out->fragmented_clusters += weight;
	} else if (!is_allocated(x)) {
		return;
	} else {
		if (v->contiguous && x->offset != v->contiguous)
			c->out->fragmented_clusters += weight;
		v->contiguous = x->offset + c->h.cluster_size;
	}
	c->out->allocated_clusters += weight;
}

/* Repairs that lose nothing: bits that no reader looks at, a cluster of zeroes
 * without a place.  Of two subcluster bits that exclude each other the one that
 * shows the stored data stays.
 */
static void fix_entry(struct l2_visit *v, struct l2_entry *x)
{
	const struct qcow2_header *h = &v->c->h;
	uint64_t entry = x->entry, bitmap = x->bitmap;
	uint32_t alloc = qcow2_sub_alloc(bitmap), zero = qcow2_sub_zero(bitmap);
	uint64_t offset, len;

	if (x->kind == QCOW2_KIND_COMPRESSED) {
		entry &= ~QCOW2_COPIED;
		qcow2_compressed(h, entry, &offset, &len);
		if (!h->external_data && check_in_file(v->c, offset, len))
			bitmap = 0;
	} else {
		entry &= ~QCOW2_L2_RESERVED;
		if (bad_zero_flag(h, entry))
			entry &= ~QCOW2_ZERO;
		if (is_misaligned(h, x) && !has_data(h, x)) {
			entry = 0;
			if (!h->extl2)
				entry = QCOW2_ZERO;
		}
		if (!is_allocated(x))
			alloc = 0;
		zero &= ~alloc;
		bitmap = (uint64_t)zero << 32 | alloc;
	}
	if (entry == x->entry && bitmap == x->bitmap)
		return;
	put_be64(x->p, entry);
	if (h->extl2)
		put_be64(x->p + 8, bitmap);
	decode(h, x);
	v->dirty = true;
}

static void check_copied(struct l2_visit *v, struct l2_entry *x)
{
	struct qcheck *c = v->c;
	uint64_t cluster = x->offset >> c->h.cluster_bits, refcount = 1;
	int one = c->h.external_data ? c->first ? 1 : -1 :
		  check_is_one(c, cluster);

	if (one < 0 || one == (int)(x->entry >> 63))
		return;
	c->wrong_copied = true;
	if (!c->judge_copied)
		return;
	if (!c->h.external_data)
		check_disk_refcount(c, cluster, &refcount);
	check_wrong_copied(c, v->ref->active, "%s OFLAG_COPIED data cluster: "
			   "l2_entry=%" PRIx64 " refcount=%" PRIu64,
			   c->fix_copied ? "Repairing" : "ERROR", x->entry,
			   refcount);
	if (c->fix_copied) {
		x->entry ^= QCOW2_COPIED;
		put_be64(x->p, x->entry);
		v->dirty = true;
	}
}

static int count_entry(struct l2_visit *v, struct l2_entry *x)
{
	struct qcheck *c = v->c;
	uint64_t offset, len;
	int rc;

	if (x->kind == QCOW2_KIND_COMPRESSED) {
		if (c->h.external_data || x->bitmap)
			return 0;
		qcow2_compressed(&c->h, x->entry, &offset, &len);
		return check_reference(c, offset, len, v->weight, KIND_DATA);
	}
	if (!is_allocated(x))
		return 0;
	rc = c->h.external_data ? 0 :
	     check_reference(c, x->offset, c->h.cluster_size, v->weight,
			     KIND_DATA);
	if (!rc && v->copied)
		check_copied(v, x);
	return rc;
}

static int move_entry(struct l2_visit *v, struct l2_entry *x)
{
	int rc;

	if (!is_allocated(x) || v->c->h.external_data ||
	    !check_must_move(v->c, x->offset))
		return 0;
	rc = check_move(v->c, &x->entry, v->weight, &v->dirty);
	put_be64(x->p, x->entry);
	return rc;
}

static int visit_entry(struct l2_visit *v, struct l2_entry *x)
{
	struct qcheck *c = v->c;

	decode(&c->h, x);
	if (!(x->entry | x->bitmap))
		return 0;
	if (c->moves.active)
		return move_entry(v, x);
	if (c->first) {
		if (c->fix_entries)
			fix_entry(v, x);
		if (!c->quiet)
			check_form(v, x);
	}
	/* What is going to be repaired refers to nothing wrong. */
	if (c->out->fix_errors && !c->quiet) {
		bool dirty = v->dirty;

		fix_entry(v, x);
		v->dirty = dirty;
	}
	if (c->first)
		count_blocks(v, x);
	return count_entry(v, x);
}

static int write_table(struct l2_visit *v)
{
	struct qcheck *c = v->c;
	int rc;

	if (!check_may_write_l2(c, v->ref->offset)) {
		check_finding(c, &c->out->check_errors, 1,
			      "ERROR: Could not write L2 table at 0x%" PRIx64
			      ": it overlaps other metadata", v->ref->offset);
		return 0;
	}
	/* What was moved must be there before something refers to it. */
	rc = c->moves.active ? img_flush(c->file) : 0;
	return rc ? rc : img_write(c->file, c->l2_buf, c->h.cluster_size,
				   v->ref->offset);
}

int check_l2_table(struct qcheck *c, const struct l2_ref *ref)
{
	struct l2_visit v = { .c = c, .ref = ref };
	unsigned n = 1u << c->h.l2_bits;
	uint64_t refcount;
	int rc;

	if (!add_ok(ref->others, ref->active, &v.weight))
		v.weight = UINT64_MAX;
	if (check_is_hole(c, ref->offset, c->h.cluster_size))
		return 0;
	/* A table on top of the header is no table. */
	v.copied = ref->active && ref->offset &&
		   !check_disk_refcount(c, ref->offset >> c->h.cluster_bits,
					&refcount);
	rc = check_read(c, c->l2_buf, c->h.cluster_size, ref->offset);
	if (rc) {
		check_finding(c, &c->out->check_errors, 1,
			      "ERROR: I/O error in L2 table at 0x%" PRIx64,
			      ref->offset);
		return rc;
	}
	for (unsigned i = 0; i < n && !rc; i++) {
		struct l2_entry x = {
			.p = c->l2_buf + (size_t)i * c->h.l2_entry_size,
			.index = i,
		};

		rc = visit_entry(&v, &x);
	}
	if (!rc && v.dirty)
		rc = write_table(&v);
	return rc;
}
