/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.c - where things lie in new extents, as in those that VMware's disk
 * library makes: header, descriptor, redundant directory, its tables, directory,
 * its tables, grains.  Specification: "Hosted Sparse Extent Metadata".
 */
#include "create.h"

static void stream_layout(const struct vmdk_new *n, struct vmdk_header *h)
{
	h->version = 3;
	h->flags = VMDK_FLAG_NEWLINES | VMDK_FLAG_COMPRESSED |
		   VMDK_FLAG_MARKERS |
		   (n->zeroed_grain ? VMDK_FLAG_ZERO_GTE : 0);
	h->gd = VMDK_GD_AT_END;
	h->overhead = VMDK_STREAM_OVERHEAD;
	h->compression = 1;
}

void vmdk_layout(const struct vmdk_new *n, uint64_t sectors, bool embedded,
		 struct vmdk_layout *l)
{
	uint64_t covers = (uint64_t)VMDK_GTES * VMDK_GRAIN / VMDK_SECTOR;
	struct vmdk_header *h = &l->h;
	uint64_t copy;

	*l = (struct vmdk_layout){
		.h = {
			.version = n->zeroed_grain ? 2 : 1,
			.flags = VMDK_FLAG_NEWLINES | VMDK_FLAG_RGD |
				 (n->zeroed_grain ? VMDK_FLAG_ZERO_GTE : 0),
			.capacity = sectors,
			.grain = VMDK_GRAIN / VMDK_SECTOR,
			.desc_offset = embedded ? 1 : 0,
			.desc_size = embedded ? VMDK_DESC_SECTORS : 0,
			.n_gtes = VMDK_GTES,
		},
		.n_gdes = div_round_up(sectors, covers),
		.gt_sectors = VMDK_GTES * 4 / VMDK_SECTOR,
	};
	l->gd_sectors = div_round_up(l->n_gdes * 4, VMDK_SECTOR);
	if (n->stream) {
		stream_layout(n, h);
		return;
	}
	copy = l->gd_sectors + l->n_gdes * l->gt_sectors;
	h->rgd = 1 + h->desc_size;
	h->gd = h->rgd + copy;
	h->overhead = round_up(h->gd + copy, h->grain);
}

uint64_t vmdk_extent_sectors(const struct vmdk_new *n, uint64_t i)
{
	uint64_t sectors = n->size / VMDK_SECTOR;

	if (!n->split)
		return i ? 0 : sectors;
	if (i * VMDK_SPLIT >= sectors)
		return 0;
	return min_u64(VMDK_SPLIT, sectors - i * VMDK_SPLIT);
}
