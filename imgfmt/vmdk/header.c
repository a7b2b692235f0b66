/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* header.c - the header of hosted sparse extents, and the footer of streams.
 * Specification: "Hosted Sparse Extent Header", "Header and Footer".
 *
 * Writers disagree about where a stream's directory is: at the footer only
 * (VMware, VirtualBox), in front only (vdiskmanager, qemu), or both.  The
 * footer counts where there is one.
 */
#include <errno.h>
#include <string.h>

#include "vmdk.h"

static const uint8_t newlines[4] = { '\n', ' ', '\r', '\n' };

#define ULL(n) ((unsigned long long)(n))

int vmdk_header_decode(const uint8_t buf[VMDK_HEADER_LEN],
		       struct vmdk_header *h, const char *name, struct err *e)
{
	if (get_le32(buf) != VMDK_MAGIC)
		return fail(e, EUCLEAN, "%s: not the header of a sparse extent",
			    name);
	*h = (struct vmdk_header){
		.version = get_le32(buf + VMDK_H_VERSION),
		.flags = get_le32(buf + VMDK_H_FLAGS),
		.capacity = get_le64(buf + VMDK_H_CAPACITY),
		.grain = get_le64(buf + VMDK_H_GRAIN),
		.desc_offset = get_le64(buf + VMDK_H_DESC_OFFSET),
		.desc_size = get_le64(buf + VMDK_H_DESC_SIZE),
		.n_gtes = get_le32(buf + VMDK_H_GTES),
		.rgd = get_le64(buf + VMDK_H_RGD),
		.gd = get_le64(buf + VMDK_H_GD),
		.overhead = get_le64(buf + VMDK_H_OVERHEAD),
		.unclean = buf[VMDK_H_UNCLEAN] != 0,
		.compression = get_le16(buf + VMDK_H_COMPRESSION),
	};
	if (h->version < 1 || h->version > 3)
		return fail(e, ENOTSUP, "%s: the version of the sparse extent "
			    "is %u, must be 1 to 3", name, h->version);
	if (h->flags & VMDK_FLAG_NEWLINES &&
	    memcmp(buf + VMDK_H_NEWLINES, newlines, sizeof(newlines)))
		return fail(e, EUCLEAN, "%s: its line ends were converted: it "
			    "was transferred as text, and is lost", name);
	return 0;
}

void vmdk_header_encode(const struct vmdk_header *h,
			uint8_t buf[VMDK_HEADER_LEN])
{
	memset(buf, 0, VMDK_HEADER_LEN);
	put_le32(buf, VMDK_MAGIC);
	put_le32(buf + VMDK_H_VERSION, h->version);
	put_le32(buf + VMDK_H_FLAGS, h->flags);
	put_le64(buf + VMDK_H_CAPACITY, h->capacity);
	put_le64(buf + VMDK_H_GRAIN, h->grain);
	put_le64(buf + VMDK_H_DESC_OFFSET, h->desc_offset);
	put_le64(buf + VMDK_H_DESC_SIZE, h->desc_size);
	put_le32(buf + VMDK_H_GTES, h->n_gtes);
	put_le64(buf + VMDK_H_RGD, h->rgd);
	put_le64(buf + VMDK_H_GD, h->gd);
	put_le64(buf + VMDK_H_OVERHEAD, h->overhead);
	buf[VMDK_H_UNCLEAN] = h->unclean;
	memcpy(buf + VMDK_H_NEWLINES, newlines, sizeof(newlines));
	put_le16(buf + VMDK_H_COMPRESSION, h->compression);
}

static int check_numbers(const struct vmdk_header *h, const char *name,
			 struct err *e)
{
	if (h->capacity > INT64_MAX / VMDK_SECTOR)
		return fail(e, EUCLEAN, "%s: the capacity is %llu sectors, "
			    "more than 2^63 bytes", name, ULL(h->capacity));
	if (!is_pow2(h->grain) || h->grain > VMDK_MAX_GRAIN / VMDK_SECTOR)
		return fail(e, EUCLEAN, "%s: the grain size is %llu sectors, "
			    "must be a power of two and at most %u", name,
			    ULL(h->grain), VMDK_MAX_GRAIN / VMDK_SECTOR);
	if (!is_pow2(h->n_gtes) || h->n_gtes > VMDK_MAX_GTES)
		return fail(e, EUCLEAN, "%s: a grain table has %u entries, "
			    "must be a power of two and at most %u", name,
			    h->n_gtes, VMDK_MAX_GTES);
	if (h->flags & VMDK_FLAG_COMPRESSED && h->compression != 1)
		return fail(e, ENOTSUP, "%s: the compression algorithm is %u, "
			    "must be 1 (deflate)", name, h->compression);
	return 0;
}

/* A directory of `len` bytes at this sector, inside the file? */
static bool directory_ok(uint64_t sector, uint64_t len, uint64_t file_len)
{
	return sector && sector <= INT64_MAX / VMDK_SECTOR &&
	       in_range(sector * VMDK_SECTOR, len, file_len);
}

/* Where the first directory cannot be, the redundant one takes its place. */
static int place_directories(struct vmdk_tables *t, uint64_t file_len,
			     const char *name, struct err *e)
{
	uint64_t len = t->n_gdes * t->entry_size;
	bool has_rgd = t->h.flags & VMDK_FLAG_RGD;

	t->rgd = 0;
	if (has_rgd && directory_ok(t->h.rgd, len, file_len))
		t->rgd = t->h.rgd * VMDK_SECTOR;
	if (directory_ok(t->h.gd, len, file_len)) {
		t->gd = t->h.gd * VMDK_SECTOR;
	} else if (t->rgd) {
		t->gd = t->rgd;
		t->rgd = 0;
	} else if (len && !t->making) {
		return fail(e, EUCLEAN, "%s: the grain directory is %llu bytes "
			    "at sector %llu, and the file has %llu bytes", name,
			    ULL(len), ULL(t->h.gd), ULL(file_len));
	}
	if (t->rgd == t->gd)
		t->rgd = 0;
	return 0;
}

int vmdk_hosted_derive(struct vmdk_tables *t, uint64_t file_len,
		       const char *name, struct err *e)
{
	const struct vmdk_header *h = &t->h;
	int rc = check_numbers(h, name, e);

	if (rc)
		return rc;
	t->kind = VMDK_HOSTED;
	t->capacity = h->capacity * VMDK_SECTOR;
	t->grain = (uint32_t)h->grain * VMDK_SECTOR;
	t->entry_size = 4;
	t->n_gtes = h->n_gtes;
	t->gt_covers = (uint64_t)t->grain * t->n_gtes;
	t->n_gdes = div_round_up(t->capacity, t->gt_covers);
	t->compressed = h->flags & VMDK_FLAG_COMPRESSED;
	t->markers = h->flags & VMDK_FLAG_MARKERS;
	t->zero_gte = h->flags & VMDK_FLAG_ZERO_GTE;
	return place_directories(t, file_len, name, e);
}

/* Take over what a footer at `offset` says, if there is one. */
static int take_footer(struct img *file, const char *name, uint64_t offset,
		       struct vmdk_tables *t)
{
	uint8_t buf[VMDK_HEADER_LEN];
	struct vmdk_header f;
	int rc = img_read(file, buf, sizeof(buf), offset);

	if (rc)
		return rc;
	if (vmdk_header_decode(buf, &f, name, NULL) ||
	    f.gd == VMDK_GD_AT_END || !(f.flags & VMDK_FLAG_COMPRESSED))
		return 0;
	f.desc_offset = t->h.desc_offset;
	f.desc_size = t->h.desc_size;
	t->h = f;
	t->footer = offset;
	return 0;
}

int vmdk_cut_off(struct img *file, const char *name,
		 const struct vmdk_header *h, const struct vmdk_walk *w,
		 struct err *e)
{
	return fail(e, EUCLEAN, "%s: the stream is cut off at byte %llu of "
		    "%llu%s: %llu grains are whole, the last one ends at byte "
		    "%llu of the disk's %llu", name, ULL(w->end),
		    ULL(img_length(file)), w->eos ? " by its end mark" : "",
		    ULL(w->n_grains), ULL(w->guest_end),
		    ULL(h->capacity * VMDK_SECTOR));
}

/* The last but one sector; the last one where the end mark is missing; and
 * anywhere else where something follows the stream.
 */
static int find_footer(struct img *file, const char *name,
		       struct vmdk_tables *t, struct err *e)
{
	uint64_t len = round_down(img_length(file), VMDK_SECTOR);
	struct vmdk_walk w;
	int rc = 0;

	for (unsigned back = 2; back && !t->footer && !rc; back--)
		if (len > (uint64_t)(back + 1) * VMDK_SECTOR)
			rc = take_footer(file, name, len - back * VMDK_SECTOR,
					 t);
	if (rc)
		return fail_rc(e, rc, "Could not read the footer of %s", name);
	if (t->footer || (t->h.gd && t->h.gd != VMDK_GD_AT_END))
		return 0;
	rc = check_numbers(&t->h, name, e);
	if (rc)
		return rc;
	rc = vmdk_stream_walk(file, &t->h, &w);
	if (!rc && w.footer)
		rc = take_footer(file, name, w.footer, t);
	if (rc)
		return fail_rc(e, rc, "Could not read %s", name);
	return t->footer ? 0 : vmdk_cut_off(file, name, &t->h, &w, e);
}

int vmdk_hosted_read(struct img *file, const char *name, struct vmdk_tables *t,
		     struct err *e)
{
	uint8_t buf[VMDK_HEADER_LEN];
	int rc;

	*t = (struct vmdk_tables){ 0 };
	if (img_length(file) < sizeof(buf))
		return fail(e, EUCLEAN, "%s: shorter than the header of a "
			    "sparse extent", name);
	rc = img_read(file, buf, sizeof(buf), 0);
	if (rc)
		return fail_rc(e, rc, "Could not read the header of %s", name);
	rc = vmdk_header_decode(buf, &t->h, name, e);
	t->making = file->drv->flags & DRV_APPENDS;
	if (!rc && t->h.flags & VMDK_FLAG_COMPRESSED && !t->making)
		rc = find_footer(file, name, t, e);
	return rc ? rc : vmdk_hosted_derive(t, img_length(file), name, e);
}
