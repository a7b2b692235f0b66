/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repair.c - what check -r does.  All of it goes through the cache, so that the
 * order of flush.c holds here, too.
 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "create.h"
#include "imgfmt/base/buf.h"

static int set_entry(struct vcheck *c, uint64_t rel, uint32_t sector)
{
	struct vmdk_slot slot;
	int rc = vmdk_start_changing(c->s, c->x);

	if (!rc)
		rc = vmdk_slot_find(c->s, c->x, rel, &slot);
	slot.n = 1;
	return rc ? rc : vmdk_slot_set(c->s, &slot, sector, 0);
}

bool vcheck_drop_entry(struct vcheck *c, uint64_t rel)
{
	return c->out->fix_errors && !set_entry(c, rel, VMDK_GTE_NONE);
}

/* Two entries point to it: this one gets a copy. */
bool vcheck_copy_grain(struct vcheck *c, uint64_t rel, uint64_t host)
{
	struct vmdk_extent *x = c->x;
	uint8_t *buf;
	uint64_t to;
	int rc;

	if (!c->out->fix_errors || x->t.compressed)
		return false;
	buf = array_alloc(x->t.grain, 1);
	rc = buf ? vmdk_grains_take(x, x->t.grain, &to) : -ENOMEM;
	if (!rc)
		rc = img_read(x->file, buf, x->t.grain, host);
	if (!rc) {
		vmdk_touch(x);
		rc = img_write(x->file, buf, x->t.grain, to);
	}
	free(buf);
	return !rc && !set_entry(c, rel, (uint32_t)(to / VMDK_SECTOR));
}

bool vcheck_rewrite_second(struct vcheck *c, uint64_t rel)
{
	struct vmdk_slot slot;

	if (!c->out->fix_errors || vmdk_start_changing(c->s, c->x) ||
	    vmdk_slot_find(c->s, c->x, rel, &slot))
		return false;
	/* No entry changes, and the whole table is written. */
	slot.n = 0;
	return !vmdk_slot_set(c->s, &slot, 0, 0);
}

bool vcheck_restore_table(struct vcheck *c, uint64_t to, uint64_t i,
			  uint64_t good)
{
	struct vmdk_extent *x = c->x;
	uint32_t len = x->t.n_gtes * 4, room = (uint32_t)round_up(len, VMDK_SECTOR);
	struct vmdk_unit *u;
	uint64_t host;
	int rc;

	if (!c->out->fix_errors || x->t.kind != VMDK_HOSTED || x->t.compressed ||
	    vmdk_start_changing(c->s, x))
		return false;
	rc = vmdk_cache_get(c->s, x, good, len, &u);
	if (!rc)
		rc = vmdk_grains_take(x, room, &host);
	if (!rc)
		rc = img_write(x->file, u->data, len, host);
	if (!rc)
		rc = img_flush(x->file);
	return !rc && !vmdk_gde_set(c->s, x, to, i, host);
}

bool vcheck_drop_table(struct vcheck *c, uint64_t i)
{
	struct vmdk_extent *x = c->x;

	return c->out->fix_errors && x->t.kind == VMDK_HOSTED &&
	       !x->t.compressed && !vmdk_start_changing(c->s, x) &&
	       !vmdk_gde_set(c->s, x, x->t.gd, i, 0) &&
	       (!x->t.rgd || !vmdk_gde_set(c->s, x, x->t.rgd, i, 0));
}

static bool put_header(struct vcheck *c, struct vmdk_header h)
{
	struct vmdk_extent *x = c->x;
	uint8_t buf[VMDK_HEADER_LEN];

	h.unclean = true;
	vmdk_header_encode(&h, buf);
	vmdk_touch(x);
	if (img_write(x->file, buf, sizeof(buf), 0))
		return false;
	x->t.h = h;
	return true;
}

/* The header's place of a directory cannot be right: go on with the other. */
bool vcheck_only_one_directory(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	struct vmdk_header h = x->t.h;

	if (!c->out->fix_errors || x->t.compressed ||
	    vmdk_start_changing(c->s, x))
		return false;
	h.gd = x->t.gd / VMDK_SECTOR;
	h.rgd = 0;
	h.flags &= ~VMDK_FLAG_RGD;
	return put_header(c, h);
}

bool vcheck_shorten(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	struct vmdk_header h = x->t.h;

	if (!c->out->fix_errors || x->t.kind != VMDK_HOSTED ||
	    x->t.compressed || vmdk_start_changing(c->s, x))
		return false;
	h.capacity = x->len / VMDK_SECTOR;
	if (!put_header(c, h))
		return false;
	/* The directory stays as long as it is, until it is opened again. */
	x->t.capacity = x->len;
	return true;
}

bool vcheck_rewrite_descriptor(struct vcheck *c)
{
	return c->out->fix_errors && !c->x->t.compressed &&
	       !vmdk_start_changing(c->s, c->x) &&
	       !vmdk_descriptor_correct(c->s, c->x, NULL);
}

/* Only the host gets it back: nothing moves. */
bool vcheck_punch(struct vcheck *c, uint64_t host, uint64_t len)
{
	vmdk_touch(c->x);
	return c->out->fix_leaks && !vmdk_start_changing(c->s, c->x) &&
	       !img_zero(c->x->file, len, host, 0);
}

bool vcheck_cut_tail(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;

	if (!c->out->fix_leaks || x->next <= c->used_end ||
	    vmdk_start_changing(c->s, x) ||
	    img_truncate(x->file, c->used_end, NULL))
		return false;
	x->next = round_up(c->used_end, x->t.grain);
	atomic_store(&x->file_len, c->used_end);
	return true;
}
