/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allocate.c - room for grains, and the entries that point to them.
 *
 * New grains go to the end of the file.  Space that is not used after all is
 * taken back if it is still the last; nothing else is ever reused.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "write.h"

int vmdk_grains_take(struct vmdk_extent *x, uint64_t len, uint64_t *host)
{
	uint64_t end;

	if (x->given_up && len == x->t.grain) {
		*host = x->given_up;
		x->given_up = 0;
		return 0;
	}
	if (!add_ok(x->next, len, &end) ||
	    end / VMDK_SECTOR > UINT32_MAX)
		return -EFBIG;
	*host = x->next;
	x->next = end;
	return 0;
}

void vmdk_grains_give_back(struct vmdk_extent *x, uint64_t host, uint64_t len)
{
	if (x->next == host + len)
		x->next = host;
}

int vmdk_gde_set(struct vmdk *s, struct vmdk_extent *x, uint64_t gd, uint64_t i,
		 uint64_t table)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t first = round_down(i, t->n_gtes);
	uint64_t n = min_u64(t->n_gtes, t->n_gdes - first);
	struct vmdk_unit *u;
	int rc = vmdk_cache_get(s, x, gd + first * 4, (uint32_t)n * 4, &u);

	if (rc)
		return rc;
	put_le32(u->data + (i - first) * 4, (uint32_t)(table / VMDK_SECTOR));
	vmdk_unit_dirty(s, u, 0);
	return vmdk_keeps(s, 3) ? 0 : img_write(x->file, u->data, u->len,
						u->offset);
}

/* Empty tables are durable before a directory points to them.  Few writers
 * leave them away, and then it is one flush for 32 MiB of the disk.
 */
static int make_tables(struct vmdk *s, struct vmdk_extent *x, uint64_t i,
		       struct vmdk_slot *slot)
{
	uint64_t len = (uint64_t)x->t.n_gtes * 4;
	uint64_t both = round_up(x->t.rgd ? 2 * len : len, VMDK_SECTOR);
	uint8_t *zeroes = array_alloc(both, 1);
	uint64_t host;
	int rc;

	if (!zeroes)
		return -ENOMEM;
	rc = vmdk_grains_take(x, both, &host);
	if (!rc)
		rc = img_write(x->file, zeroes, (size_t)both, host);
	if (!rc && vmdk_keeps(s, 3))
		rc = img_flush(x->file);
	free(zeroes);
	slot->table = host;
	slot->second = x->t.rgd ? host + len : 0;
	if (!rc && x->t.rgd)
		rc = vmdk_gde_set(s, x, x->t.rgd, i, slot->second);
	return rc ? rc : vmdk_gde_set(s, x, x->t.gd, i, slot->table);
}

int vmdk_slot_find(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
		   struct vmdk_slot *slot)
{
	uint64_t i = rel / x->t.gt_covers;
	int rc;

	*slot = (struct vmdk_slot){
		.x = x, .first = (uint32_t)(rel % x->t.gt_covers / x->t.grain),
	};
	rc = vmdk_table_at(s, x, x->t.gd, i, &slot->table);
	if (!rc && x->t.rgd)
		rc = vmdk_table_at(s, x, x->t.rgd, i, &slot->second);
	if (rc)
		return rc;
	if (!slot->table && !slot->second)
		return make_tables(s, x, i, slot);
	return !slot->table || (x->t.rgd && !slot->second) ? -EUCLEAN : 0;
}

int vmdk_slot_set(struct vmdk *s, const struct vmdk_slot *slot, uint32_t sector,
		  uint32_t step)
{
	struct vmdk_unit *u;
	int rc = vmdk_cache_get(s, slot->x, slot->table,
				slot->x->t.n_gtes * 4, &u);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < slot->n; i++)
		put_le32(u->data + (size_t)(slot->first + i) * 4,
			 sector + i * step);
	vmdk_unit_dirty(s, u, slot->second);
	return 0;
}
