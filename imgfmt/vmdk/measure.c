/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* measure.c - how large a new image would be: all its files together, exactly
 * but for what compression saves.
 */
#include <errno.h>

#include "create.h"
#include "stream_write.h"

/* Grains in which `src` has data. */
static int count_grains(struct img *src, uint64_t *grains)
{
	uint64_t pos = 0, end = 0, start;
	struct img_extent x;
	int rc;

	*grains = 0;
	while (pos < src->size) {
		rc = img_map(src, pos, src->size - pos, &x);
		if (rc)
			return rc;
		if (!(x.flags & (IMG_EXT_ZERO | IMG_EXT_HOLE))) {
			start = max_u64(end, pos / VMDK_GRAIN);
			end = div_round_up(pos + x.len, VMDK_GRAIN);
			*grains += end - start;
		}
		pos += x.len;
	}
	return 0;
}

static uint64_t grain_room(const struct vmdk_new *n)
{
	if (!n->stream)
		return VMDK_GRAIN;
	return round_up(VMDK_MARKER_LEN + vmdk_compress_bound(VMDK_GRAIN),
			VMDK_SECTOR);
}

/* A descriptor has about this; a separate one is a file of its own. */
static uint64_t descriptor_len(const struct vmdk_new *n, uint64_t n_extents)
{
	return n->flat || n->split ? 1024 + n_extents * 64 : 0;
}

/* Everything but grains. */
static uint64_t metadata(const struct vmdk_new *n)
{
	uint64_t total = 0, sectors, i;
	struct vmdk_layout l;

	for (i = 0; (sectors = vmdk_extent_sectors(n, i)); i++) {
		vmdk_layout(n, sectors, !n->split, &l);
		if (n->flat)
			continue;
		total += l.h.overhead * VMDK_SECTOR;
		/* Tables and directory with markers; footer, end mark. */
		if (n->stream)
			total += (l.n_gdes * (l.gt_sectors + 1) +
				  l.gd_sectors + 4) * VMDK_SECTOR;
	}
	return total + descriptor_len(n, i);
}

int vmdk_measure(const struct img_create_args *args, struct img *src,
		 struct img_measure *out, struct err *e)
{
	struct img_create_args sized = *args;
	struct vmdk_new n;
	uint64_t all, used;
	int rc;

	if (src)
		sized.size = src->size;
	rc = vmdk_new_parse(&sized, &n, e);
	if (rc)
		return rc;
	all = used = div_round_up(n.size, VMDK_GRAIN);
	/* How much a parent shares is not known: the worst is assumed. */
	if (src && !n.backing)
		rc = count_grains(src, &used);
	if (rc)
		return fail_rc(e, rc, "Unable to get block status");
	if (!src)
		used = 0;
	if (n.flat) {
		out->required = out->fully_allocated = n.size + metadata(&n);
		return 0;
	}
	out->required = metadata(&n) + used * grain_room(&n);
	out->fully_allocated = metadata(&n) + all * grain_room(&n);
	return 0;
}
