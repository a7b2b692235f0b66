/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* esx.c - the headers of the sparse extents that ESXi makes: COWD ("ESXi Host
 * Sparse Extent Header") and seSparse; and telling all kinds apart.
 */
#include <errno.h>
#include <string.h>

#include "vmdk.h"

#define ULL(n) ((unsigned long long)(n))

bool vmdk_sparse_probe(const uint8_t *head, size_t len,
		       enum vmdk_sparse_kind *kind)
{
	if (len < 8)
		return false;
	if (get_le32(head) == VMDK_MAGIC)
		*kind = VMDK_HOSTED;
	else if (get_le32(head) == VMDK_COWD_MAGIC)
		*kind = VMDK_COWD;
	else if (get_le64(head) == VMDK_SE_MAGIC)
		*kind = VMDK_SESPARSE;
	else
		return false;
	return true;
}

static int read_header(struct img *file, const char *name, uint64_t offset,
		       uint8_t *buf, size_t len, struct err *e)
{
	int rc;

	if (!in_range(offset, len, img_length(file)))
		return fail(e, EUCLEAN, "%s: shorter than its header", name);
	rc = img_read(file, buf, len, offset);
	return rc ? fail_rc(e, rc, "Could not read the header of %s", name) : 0;
}

/* What holds for both. */
static int finish(struct img *file, const char *name, uint64_t capacity,
		  uint64_t grain, struct vmdk_tables *t, struct err *e)
{
	if (capacity > INT64_MAX / VMDK_SECTOR)
		return fail(e, EUCLEAN, "%s: the capacity is %llu sectors, "
			    "more than 2^63 bytes", name, ULL(capacity));
	if (!is_pow2(grain) || grain > VMDK_MAX_GRAIN / VMDK_SECTOR)
		return fail(e, EUCLEAN, "%s: the grain size is %llu sectors, "
			    "must be a power of two and at most %u", name,
			    ULL(grain), VMDK_MAX_GRAIN / VMDK_SECTOR);
	t->capacity = capacity * VMDK_SECTOR;
	t->grain = (uint32_t)grain * VMDK_SECTOR;
	t->gt_covers = (uint64_t)t->grain * t->n_gtes;
	t->n_gdes = div_round_up(t->capacity, t->gt_covers);
	if (!t->gd || !in_range(t->gd, t->n_gdes * t->entry_size,
				img_length(file)))
		return fail(e, EUCLEAN, "%s: the grain directory, %llu bytes "
			    "at byte %llu, is not inside the file", name,
			    ULL(t->n_gdes * t->entry_size), ULL(t->gd));
	return 0;
}

int vmdk_cowd_read(struct img *file, const char *name, struct vmdk_tables *t,
		   struct err *e)
{
	uint8_t h[VMDK_COWD_LEN];
	uint32_t version;
	int rc = read_header(file, name, 0, h, sizeof(h), e);

	if (rc)
		return rc;
	version = get_le32(h + 4);
	if (version != 1)
		return fail(e, ENOTSUP, "%s: the version of the COWD extent is "
			    "%u, must be 1", name, version);
	*t = (struct vmdk_tables){
		.kind = VMDK_COWD, .entry_size = 4, .n_gtes = VMDK_COWD_GTES,
		.gd = (uint64_t)get_le32(h + VMDK_COWD_GD) * VMDK_SECTOR,
	};
	t->h.unclean = get_le32(h + VMDK_COWD_UNCLEAN) != 0;
	rc = finish(file, name, get_le32(h + VMDK_COWD_CAPACITY),
		    get_le32(h + VMDK_COWD_GRAIN), t, e);
	if (!rc && t->n_gdes > get_le32(h + VMDK_COWD_N_GDES))
		rc = fail(e, EUCLEAN, "%s: the grain directory has %u entries, "
			  "and %llu are needed", name,
			  get_le32(h + VMDK_COWD_N_GDES), ULL(t->n_gdes));
	return rc;
}

/* A field that counts sectors, as bytes. */
static int offset_at(const uint8_t *field, const char *what, const char *name,
		     uint64_t *out, struct err *e)
{
	uint64_t sectors = get_le64(field);

	if (sectors > INT64_MAX / VMDK_SECTOR)
		return fail(e, EUCLEAN, "%s: the %s begin at sector %llu, "
			    "which no file has", name, what, ULL(sectors));
	*out = sectors * VMDK_SECTOR;
	return 0;
}

/* The other header, which changes while the extent is in use. */
static int check_volatile(struct img *file, const char *name, uint64_t offset,
			  struct err *e)
{
	uint8_t v[VMDK_SECTOR];
	int rc = read_header(file, name, offset, v, sizeof(v), e);

	if (rc)
		return rc;
	if (get_le64(v) != VMDK_SE_VOLATILE_MAGIC)
		return fail(e, EUCLEAN, "%s: the seSparse extent has no "
			    "volatile header at byte %llu", name, ULL(offset));
	if (v[VMDK_SE_V_REPLAY])
		return fail(e, ENOTSUP, "%s: the journal of the seSparse "
			    "extent is not empty: it was not closed "
			    "cleanly; open and close it with VMware "
			    "first", name);
	return 0;
}

int vmdk_sesparse_read(struct img *file, const char *name,
		       struct vmdk_tables *t, struct err *e)
{
	uint64_t gt_sectors, gd_sectors, volatile_at = 0;
	uint8_t h[VMDK_SECTOR];
	int rc = read_header(file, name, 0, h, sizeof(h), e);

	if (rc)
		return rc;
	if (get_le64(h + VMDK_SE_H_VERSION) != VMDK_SE_VERSION)
		return fail(e, ENOTSUP, "%s: the version of the seSparse "
			    "extent is 0x%llx, must be 0x%llx", name,
			    ULL(get_le64(h + VMDK_SE_H_VERSION)),
			    VMDK_SE_VERSION);
	gt_sectors = get_le64(h + VMDK_SE_H_GT);
	if (!is_pow2(gt_sectors) || gt_sectors > VMDK_MAX_GTES * 8 / 512)
		return fail(e, EUCLEAN, "%s: a grain table has %llu sectors, "
			    "must be a power of two and at most %u", name,
			    ULL(gt_sectors), VMDK_MAX_GTES * 8 / 512);
	*t = (struct vmdk_tables){
		.kind = VMDK_SESPARSE, .entry_size = 8,
		.n_gtes = (uint32_t)gt_sectors * VMDK_SECTOR / 8,
		.zero_gte = true,
	};
	rc = offset_at(h + VMDK_SE_H_VOLATILE, "volatile headers", name,
		       &volatile_at, e);
	if (!rc)
		rc = offset_at(h + VMDK_SE_H_GD, "directories", name, &t->gd,
			       e);
	if (!rc)
		rc = offset_at(h + VMDK_SE_H_TABLES, "tables", name,
			       &t->gt_base, e);
	if (!rc)
		rc = offset_at(h + VMDK_SE_H_GRAINS, "grains", name,
			       &t->grain_base, e);
	if (!rc)
		rc = check_volatile(file, name, volatile_at, e);
	if (!rc)
		rc = finish(file, name, get_le64(h + VMDK_SE_H_CAPACITY),
			    get_le64(h + VMDK_SE_H_GRAIN), t, e);
	gd_sectors = get_le64(h + VMDK_SE_H_GD + 8);
	if (!rc && div_round_up(t->n_gdes * 8, VMDK_SECTOR) > gd_sectors)
		rc = fail(e, EUCLEAN, "%s: the grain directory has %llu "
			  "sectors, too few for %llu entries", name,
			  ULL(gd_sectors), ULL(t->n_gdes));
	return rc;
}

int vmdk_sparse_read(struct img *file, const char *name,
		     struct vmdk_tables *t, struct err *e)
{
	enum vmdk_sparse_kind kind;
	uint8_t head[8] = { 0 };
	int rc = img_read(file, head,
			  (size_t)min_u64(sizeof(head), img_length(file)), 0);

	if (rc)
		return fail_rc(e, rc, "Could not read the header of %s", name);
	if (!vmdk_sparse_probe(head, sizeof(head), &kind))
		return fail(e, EMEDIUMTYPE, "%s: not a sparse extent", name);
	switch (kind) {
	case VMDK_HOSTED:
		return vmdk_hosted_read(file, name, t, e);
	case VMDK_COWD:
		return vmdk_cowd_read(file, name, t, e);
	case VMDK_SESPARSE:
		break;
	}
	return vmdk_sesparse_read(file, name, t, e);
}
