/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - walking a stream from marker to marker.  Specification: "Stream-
 * Optimized Compressed Sparse Extents".
 */
#include <errno.h>

#include "vmdk.h"

/* A grain: does it end inside the file, and mean a place on the disk? */
static bool take_grain(const struct vmdk_header *h, const uint8_t *marker,
		       uint64_t file_len, struct vmdk_walk *w)
{
	uint64_t lba = get_le64(marker + VMDK_MARKER_VALUE);
	uint64_t end = w->end + VMDK_MARKER_LEN +
		       get_le32(marker + VMDK_MARKER_SIZE);

	if (end > file_len || lba >= h->capacity || lba % h->grain)
		return false;
	w->end = round_up(end, VMDK_SECTOR);
	w->n_grains++;
	w->guest_end = max_u64(w->guest_end,
			min_u64(lba + h->grain, h->capacity) * VMDK_SECTOR);
	return true;
}

/* What a metadata marker announces, or false: nothing that can be. */
static bool take_metadata(const uint8_t *marker, uint64_t file_len,
			  struct vmdk_walk *w)
{
	uint64_t sectors = get_le64(marker + VMDK_MARKER_VALUE);
	uint32_t type = get_le32(marker + VMDK_MARKER_TYPE);
	uint64_t data = w->end + VMDK_SECTOR;

	if (type == VMDK_MARKER_EOS) {
		w->eos = true;
		return false;
	}
	if (sectors > file_len / VMDK_SECTOR ||
	    !in_range(data, sectors * VMDK_SECTOR, file_len))
		return false;
	if (type == VMDK_MARKER_FOOTER && sectors) {
		w->footer = data;
		return false;
	}
	w->end = data + sectors * VMDK_SECTOR;
	return true;
}

int vmdk_stream_walk(struct img *file, const struct vmdk_header *h,
		     struct vmdk_walk *walk)
{
	uint64_t len = img_length(file);
	uint8_t marker[16];
	bool more = true;
	int rc;

	*walk = (struct vmdk_walk){ 0 };
	if (h->overhead > len / VMDK_SECTOR)
		return 0;
	walk->end = max_u64(h->overhead, 1) * VMDK_SECTOR;
	while (more && in_range(walk->end, sizeof(marker), len)) {
		rc = img_read(file, marker, sizeof(marker), walk->end);
		if (rc)
			return rc;
		more = get_le32(marker + VMDK_MARKER_SIZE)
			? take_grain(h, marker, len, walk)
			: take_metadata(marker, len, walk);
	}
	walk->end = min_u64(walk->end, len);
	return 0;
}
