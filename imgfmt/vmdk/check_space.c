/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_space.c - which sectors of an extent's file are used twice, and which by
 * nothing?  Kept for a part of the file at a time, so that memory is bounded.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "imgfmt/base/buf.h"

#define ULL(n) ((unsigned long long)(n))
#define MAP_SECTORS (1ull << 28)	/* 128 GiB of file: 32 MiB */

/* Mark sectors; true if one of them was marked. */
static bool mark(struct vcheck *c, uint64_t host, uint64_t len)
{
	uint64_t from = host / VMDK_SECTOR;
	uint64_t to = div_round_up(host + len, VMDK_SECTOR);
	bool any = false;

	from = max_u64(from, c->first);
	to = min_u64(to, c->first + c->n);
	for (uint64_t k = from; k < to; k++) {
		uint8_t *p = &c->map[(k - c->first) / 8];
		uint8_t bit = (uint8_t)(1u << (k % 8));

		any |= *p & bit;
		*p |= bit;
	}
	return any;
}

static void mark_table(struct vcheck *c, uint64_t i, uint64_t table)
{
	const struct vmdk_tables *t = &c->x->t;
	uint64_t host;
	enum vmdk_kind kind;

	if (mark(c, table, (uint64_t)t->n_gtes * t->entry_size) && !c->punch)
		vcheck_found(c, false, "grain table %llu lies where something "
			     "else does", ULL(i));
	for (uint32_t k = 0; k < t->n_gtes; k++) {
		uint64_t rel = i * t->gt_covers + (uint64_t)k * t->grain;

		if (rel >= t->capacity)
			break;
		if (vmdk_entry_at(c->s, c->x, table, k, rel, &kind, &host) ||
		    !host)
			continue;
		if (mark(c, host, t->compressed ? VMDK_SECTOR : t->grain) &&
		    !c->punch)
			vcheck_found(c, vcheck_copy_grain(c, rel, host),
				     "grain at offset 0x%llx: host offset "
				     "0x%llx is used twice",
				     ULL(c->x->start + rel), ULL(host));
	}
}

/* What no entry points to and yet is in use: directories, the second tables,
 * a descriptor.
 */
static void mark_others(struct vcheck *c)
{
	const struct vmdk_tables *t = &c->x->t;
	uint64_t table, second;

	mark(c, t->gd, t->n_gdes * t->entry_size);
	if (c->x->file == c->s->file)
		mark(c, c->s->desc_offset, c->s->desc_room);
	if (!t->rgd)
		return;
	mark(c, t->rgd, t->n_gdes * t->entry_size);
	for (uint64_t i = 0; i < t->n_gdes; i++)
		if (!vmdk_table_at(c->s, c->x, t->gd, i, &table) &&
		    !vmdk_table_at(c->s, c->x, t->rgd, i, &second) &&
		    second && second != table)
			mark(c, second, (uint64_t)t->n_gtes * t->entry_size);
}

/* Grains that have as much room in the host's file. */
static uint64_t count_room(struct vcheck *c, uint64_t host, uint64_t len)
{
	uint64_t n = 0;
	struct img_extent x;

	while (len) {
		if (img_map(c->x->file, host, len, &x)) {
			c->out->check_errors++;
			return 0;
		}
		if (!(x.flags & (IMG_EXT_ZERO | IMG_EXT_HOLE)))
			n += x.len;
		host += x.len;
		len -= x.len;
	}
	return n / c->x->t.grain;
}

static void end_gap(struct vcheck *c, uint64_t end)
{
	uint64_t host = c->gap * VMDK_SECTOR;
	uint64_t len = (end - c->gap) * VMDK_SECTOR, n;

	c->gap = 0;
	if (len < c->x->t.grain)
		return;
	n = count_room(c, host, len);
	if (n && c->punch && vcheck_punch(c, host, len))
		n = count_room(c, host, len);
	c->gaps += n;
}

/* Between the metadata in front and the last thing used; sector 0 is the
 * header's.
 */
static void find_gaps(struct vcheck *c)
{
	uint64_t from = max_u64(c->x->t.h.overhead, 1);
	uint64_t end = c->used_end / VMDK_SECTOR;

	end = min_u64(end, img_length(c->x->file) / VMDK_SECTOR);
	for (uint64_t k = max_u64(from, c->first);
	     k < min_u64(end, c->first + c->n); k++) {
		uint8_t byte = c->map[(k - c->first) / 8];

		if (byte >> (k - c->first) % 8 & 1) {
			if (c->gap)
				end_gap(c, k);
		} else if (!c->gap) {
			c->gap = k;
		}
	}
	if (c->gap && end <= c->first + c->n)
		end_gap(c, end);
}

static void walk(struct vcheck *c)
{
	const struct vmdk_tables *t = &c->x->t;
	uint64_t total = div_round_up(img_length(c->x->file), VMDK_SECTOR);

	c->gap = c->gaps = 0;
	c->map = array_alloc(min_u64(total, MAP_SECTORS) / 8 + 1, 1);
	if (!c->map) {
		c->out->check_errors++;
		return;
	}
	for (c->first = 0; c->first < total; c->first += MAP_SECTORS) {
		c->n = min_u64(MAP_SECTORS, total - c->first);
		memset(c->map, 0, (size_t)(c->n / 8 + 1));
		for (uint64_t i = 0; i < t->n_gdes; i++) {
			uint64_t table;

			if (!vmdk_table_at(c->s, c->x, t->gd, i, &table) &&
			    table)
				mark_table(c, i, table);
		}
		mark_others(c);
		if (t->kind == VMDK_HOSTED && !t->compressed)
			find_gaps(c);
	}
	free(c->map);
	c->map = NULL;
}

void vcheck_overlaps(struct vcheck *c)
{
	walk(c);
}

void vcheck_punch_gaps(struct vcheck *c)
{
	c->punch = true;
	walk(c);
	c->punch = false;
}
