/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse.c - finding grains.  Specification: "Hosted Sparse Extent Metadata",
 * "ESXi Host Sparse Extent Metadata".
 *
 * Hosted extents have directory and tables twice.  The first copy counts; the
 * second is asked where the first cannot be read, or says what cannot be.
 */
#include <errno.h>

#include "state.h"

/* A lookup ends after so many entries: the lock is not held for ever. */
#define MAX_STEPS 8192u

/* Numbers of one table, host offsets in the other: see vmdk.h. */
static int decode_gde(const struct vmdk_tables *t, const uint8_t *p,
		      uint64_t *table)
{
	uint64_t entry, gt_len = (uint64_t)t->n_gtes * t->entry_size;

	if (t->kind != VMDK_SESPARSE) {
		*table = (uint64_t)get_le32(p) * VMDK_SECTOR;
		return 0;
	}
	entry = get_le64(p);
	*table = 0;
	if (!entry)
		return 0;
	if (entry >> 32 != 0x10000000u ||
	    !mul_ok(entry & UINT32_MAX, gt_len, table) ||
	    !add_ok(*table, t->gt_base, table))
		return -EUCLEAN;
	return 0;
}

int vmdk_table_at(struct vmdk *s, struct vmdk_extent *x, uint64_t gd,
		  uint64_t i, uint64_t *table)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t first = round_down(i, t->n_gtes);
	uint64_t n = min_u64(t->n_gtes, t->n_gdes - first);
	struct vmdk_unit *u;
	int rc;

	rc = vmdk_cache_get(s, x, gd + first * t->entry_size,
			    (uint32_t)n * t->entry_size, &u);
	if (!rc)
		rc = decode_gde(t, u->data + (i - first) * t->entry_size,
				table);
	if (!rc && *table &&
	    !vmdk_in_file(x, *table, (uint64_t)t->n_gtes * t->entry_size))
		rc = -EUCLEAN;
	return rc;
}

static int decode_sesparse(const struct vmdk_tables *t, uint64_t entry,
			   enum vmdk_kind *kind, uint64_t *host)
{
	uint64_t grain = (entry >> 48 & 0xfff) | (entry & 0xffffffffffff) << 12;

	switch (entry >> VMDK_SE_TYPE_SHIFT) {
	case VMDK_SE_NONE:
		*kind = VMDK_KIND_HOLE;
		return entry ? -EUCLEAN : 0;
	case VMDK_SE_UNMAPPED:
	case VMDK_SE_ZERO:
		*kind = VMDK_KIND_ZERO;
		return 0;
	case VMDK_SE_DATA:
		*kind = VMDK_KIND_DATA;
		return mul_ok(grain, t->grain, host) &&
		       add_ok(*host, t->grain_base, host) ? 0 : -EUCLEAN;
	default:
		return -EUCLEAN;
	}
}

static int decode_gte(const struct vmdk_tables *t, const uint8_t *p,
		      enum vmdk_kind *kind, uint64_t *host)
{
	uint32_t entry;

	*host = 0;
	if (t->kind == VMDK_SESPARSE)
		return decode_sesparse(t, get_le64(p), kind, host);
	entry = get_le32(p);
	*kind = VMDK_KIND_HOLE;
	if (entry == VMDK_GTE_NONE)
		return 0;
	*kind = VMDK_KIND_ZERO;
	if (entry == VMDK_GTE_ZERO && t->kind == VMDK_HOSTED)
		/* Sector 1 holds no grain whatever the flags say. */
		return t->zero_gte || t->h.version >= 2 ? 0 : -EUCLEAN;
	*kind = t->compressed ? VMDK_KIND_COMPRESSED : VMDK_KIND_DATA;
	*host = (uint64_t)entry * VMDK_SECTOR;
	return 0;
}

int vmdk_entry_at(struct vmdk *s, struct vmdk_extent *x, uint64_t table,
		  uint32_t i, uint64_t rel, enum vmdk_kind *kind,
		  uint64_t *host)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t need = min_u64(t->grain, t->capacity - rel);
	struct vmdk_unit *u;
	int rc;

	rc = vmdk_cache_get(s, x, table, t->n_gtes * t->entry_size, &u);
	if (!rc)
		rc = decode_gte(t, u->data + (size_t)i * t->entry_size, kind,
				host);
	if (rc || !*host)
		return rc;
	/* The smallest stream is longer than a marker. */
	if (*kind == VMDK_KIND_COMPRESSED)
		need = VMDK_MARKER_LEN + 1;
	return vmdk_in_file(x, *host, need) ? 0 : -EUCLEAN;
}

/* What the metadata says of a grain. */
struct answer {
	enum vmdk_kind kind;
	uint64_t host;
	uint64_t covers;	/* bytes from its start that are the same */
	bool no_table;
};

static int ask_copy(struct vmdk *s, struct vmdk_extent *x, uint64_t gd,
		    uint64_t rel, struct answer *a)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t i = rel / t->gt_covers, in_table = rel % t->gt_covers, table;
	int rc = vmdk_table_at(s, x, gd, i, &table);

	if (rc)
		return rc;
	*a = (struct answer){
		.kind = VMDK_KIND_HOLE, .covers = t->gt_covers - in_table,
		.no_table = true,
	};
	if (!table)
		return 0;
	a->no_table = false;
	a->covers = t->grain;
	return vmdk_entry_at(s, x, table, (uint32_t)(in_table / t->grain), rel,
			     &a->kind, &a->host);
}

static int find_grain(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
		      struct answer *a)
{
	int rc = ask_copy(s, x, x->t.gd, rel, a);
	struct answer second;

	/* Tables of both copies are made together: one that only the second
	 * directory knows was lost from the first.
	 */
	if (x->t.rgd && rc != -ENOMEM && (rc || a->no_table) &&
	    !ask_copy(s, x, x->t.rgd, rel, &second)) {
		*a = second;
		rc = 0;
	}
	return rc;
}

/* How long is the stream at `host` likely to be?  As far as the next one. */
static uint64_t likely_room(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
			    uint64_t host)
{
	struct answer next;

	if (rel + x->t.grain >= x->t.capacity ||
	    find_grain(s, x, rel + x->t.grain, &next) || next.host <= host)
		return 0;
	return next.host - host;
}

static int lookup_sparse(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
			 uint64_t len, struct vmdk_run *run)
{
	uint64_t grain = round_down(rel, x->t.grain), in = rel - grain;
	struct answer a;
	int rc = find_grain(s, x, grain, &a);

	if (rc)
		return rc;
	run->kind = a.kind;
	run->host = a.kind == VMDK_KIND_DATA ? a.host + in : a.host;
	run->len = min_u64(len, a.covers - in);
	if (a.kind == VMDK_KIND_COMPRESSED) {
		run->room = likely_room(s, x, grain, a.host);
		return 0;
	}
	for (unsigned n = 0; run->len < len && n < MAX_STEPS; n++) {
		rc = find_grain(s, x, rel + run->len, &a);
		/* An error here is the next lookup's. */
		if (rc || a.kind != run->kind ||
		    (a.kind == VMDK_KIND_DATA &&
		     a.host != run->host + run->len))
			break;
		run->len = min_u64(len, run->len + a.covers);
	}
	return 0;
}

int vmdk_lookup(struct vmdk *s, uint64_t offset, uint64_t len,
		struct vmdk_run *run)
{
	struct vmdk_extent *x = vmdk_extent_at(s, offset);
	uint64_t rel = offset - x->start;

	len = min_u64(len, x->len - rel);
	*run = (struct vmdk_run){ .x = x, .len = len };
	switch (x->storage) {
	case VMDK_ZEROES:
		run->kind = VMDK_KIND_ZERO;
		return 0;
	case VMDK_PLAIN:
		run->kind = VMDK_KIND_DATA;
		run->host = x->offset + rel;
		return 0;
	case VMDK_SPARSE:
		break;
	}
	if (!x->file)
		return -ENOENT;
	return lookup_sparse(s, x, rel, len, run);
}
