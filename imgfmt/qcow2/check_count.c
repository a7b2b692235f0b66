/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_count.c - windows of counters: how often is each host cluster used, and
 * what does its refcount say?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "imgfmt/base/buf.h"

/* More clusters with 255 references than this are not of this world; they take
 * 32 MiB.
 */
#define MAX_BIG (3u << 19)

int window_alloc(struct qcheck *c, struct err *e)
{
	struct window *w = &c->w;

	/* calloc() gives untouched pages: an empty part costs nothing. */
	w->room = min_u64(c->window_len, c->table_clusters);
	w->refs = array_alloc(w->room, 1);
	w->disk = array_alloc(w->room, 1);
	w->kinds = array_alloc(w->room, 1);
	if (!w->refs || !w->disk || !w->kinds)
		return fail(e, ENOMEM, "out of memory");
	return 0;
}

void window_free(struct window *w)
{
	free(w->refs);
	free(w->disk);
	free(w->kinds);
	free(w->big);
	*w = (struct window){ 0 };
}

/* Zero without touching pages that are zero already. */
static void clear(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 4096) {
		size_t n = (size_t)min_u64(4096, len - i);

		if (!bytes_are_zero(p + i, n))
			memset(p + i, 0, n);
	}
}

/* Refcounts in the file. */

static uint64_t refblock_offset(const struct qcheck *c, uint64_t index)
{
	return index < c->n_reftable ?
	       c->reftable[index] & ~QCOW2_REFTABLE_RESERVED : 0;
}

/* No file has offsets of 63 bits: reading there is an error, not zeroes. */
static bool unreadable(const struct qcheck *c, uint64_t offset)
{
	return offset & (c->h.cluster_size - 1) ||
	       offset > (uint64_t)INT64_MAX - c->h.cluster_size;
}

static int load_block(struct qcheck *c, uint64_t index, uint64_t offset)
{
	uint64_t per_block = 1ull << c->h.refblock_bits;
	uint64_t start = index * per_block - c->w.first;
	uint64_t n = min_u64(per_block, c->w.n - start);
	uint8_t *disk = c->w.disk + start;
	int rc;

	if (unreadable(c, offset)) {
		memset(disk, DISK_ERROR, (size_t)n);
		return 0;
	}
	if (check_is_hole(c, offset, c->h.cluster_size))
		return 0;
	rc = check_read(c, c->l2_buf, c->h.cluster_size, offset);
	if (rc) {
		memset(disk, DISK_ERROR, (size_t)n);
		return 0;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t value = qcow2_refcount_get(c->l2_buf,
						    c->h.refcount_order, i);

		if (value)
			disk[i] = (uint8_t)min_u64(value, DISK_LARGE);
	}
	return 0;
}

int window_load(struct qcheck *c, uint64_t first)
{
	struct window *w = &c->w;
	uint64_t index = first >> c->h.refblock_bits;

	w->first = first;
	w->n = min_u64(w->room, c->table_clusters - first);
	clear(w->refs, (size_t)w->n);
	clear(w->disk, (size_t)w->n);
	clear(w->kinds, (size_t)w->n);
	free(w->big);
	w->big = NULL;
	w->n_big = w->big_slots = 0;
	for (; index << c->h.refblock_bits < first + w->n; index++) {
		uint64_t offset = refblock_offset(c, index);
		int rc = offset ? load_block(c, index, offset) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

int check_disk_refcount(struct qcheck *c, uint64_t cluster, uint64_t *refcount)
{
	unsigned order = c->h.refcount_order;
	uint64_t i = cluster & ((1ull << c->h.refblock_bits) - 1);
	uint64_t block = refblock_offset(c, cluster >> c->h.refblock_bits);
	uint64_t sector = block + round_down(i << order >> 3, 512);
	int rc;

	*refcount = 0;
	if (!block)
		return 0;
	if (unreadable(c, block))
		return -EIO;
	if (sector != c->sector_offset) {
		c->sector_offset = UINT64_MAX;
		rc = check_read(c, c->sector, sizeof(c->sector), sector);
		if (rc)
			return -EIO;
		c->sector_offset = sector;
	}
	*refcount = qcow2_refcount_get(c->sector, order,
				       i & ((4096u >> order) - 1));
	return 0;
}

int check_is_one(struct qcheck *c, uint64_t cluster)
{
	uint64_t i = cluster - c->w.first, refcount;

	if (cluster < c->table_clusters) {
		if (c->first)
			c->touched[cluster / c->window_len] = 1;
		if (i >= c->w.n || c->w.disk[i] == DISK_ERROR)
			return -1;
		return c->w.disk[i] == 1;
	}
	if (!c->first || check_disk_refcount(c, cluster, &refcount))
		return -1;
	return refcount == 1;
}

/* References. */

static struct big_count *big_slot(const struct window *w, uint64_t cluster)
{
	size_t i = (size_t)((cluster * 0x9e3779b97f4a7c15ull) >> 20);

	for (;; i++) {
		struct big_count *slot = &w->big[i & (w->big_slots - 1)];

		if (!slot->refs || slot->cluster == cluster)
			return slot;
	}
}

static int big_grow(struct window *w)
{
	struct window next = *w;

	if (w->n_big >= MAX_BIG)
		return -ENOMEM;
	next.big_slots = w->big_slots ? w->big_slots * 2 : 64;
	next.big = array_alloc(next.big_slots, sizeof(*next.big));
	if (!next.big)
		return -ENOMEM;
	for (size_t i = 0; i < w->big_slots; i++)
		if (w->big[i].refs)
			*big_slot(&next, w->big[i].cluster) = w->big[i];
	free(w->big);
	*w = next;
	return 0;
}

/* Counts saturate far above any refcount_max but that of 64 bits, which cannot
 * be reached: a reference takes 8 bytes.
 */
static int add_big(struct window *w, uint64_t i, uint64_t weight)
{
	struct big_count *slot;

	if (w->refs[i] < 255 && w->n_big * 8 >= w->big_slots * 7 &&
	    big_grow(w))
		return -ENOMEM;
	slot = big_slot(w, w->first + i);
	if (w->refs[i] < 255) {
		*slot = (struct big_count){ w->first + i, w->refs[i] };
		w->refs[i] = 255;
		w->n_big++;
	}
	if (!add_ok(slot->refs, weight, &slot->refs))
		slot->refs = UINT64_MAX;
	return 0;
}

uint64_t window_refs(const struct qcheck *c, uint64_t cluster, uint64_t *over)
{
	uint64_t refs = c->w.refs[cluster - c->w.first];

	if (refs == 255)
		refs = big_slot(&c->w, cluster)->refs;
	*over = refs > c->h.refcount_max ? refs - c->h.refcount_max : 0;
	return refs - *over;
}

int check_count(struct qcheck *c, uint64_t offset, uint64_t len,
		uint64_t weight, unsigned kind)
{
	struct window *w = &c->w;
	uint64_t first = offset >> c->h.cluster_bits;
	uint64_t end = ((offset + len - 1) >> c->h.cluster_bits) + 1;

	if (c->moves.active)		/* a second walk */
		return 0;
	if (c->first) {
		c->n_clusters = max_u64(c->n_clusters, end);
		for (uint64_t i = first / c->window_len;
		     i <= (end - 1) / c->window_len; i++)
			c->touched[i] = 1;
	}
	first = max_u64(first, w->first);
	end = min_u64(end, w->first + w->n);
	for (; first < end; first++) {
		uint64_t i = first - w->first;

		w->kinds[i] |= (uint8_t)kind;
		if (weight < 255u - w->refs[i])
			w->refs[i] = (uint8_t)(w->refs[i] + weight);
		else if (add_big(w, i, weight))
			return -ENOMEM;
	}
	return 0;
}

bool check_in_file(const struct qcheck *c, uint64_t offset, uint64_t len)
{
	uint64_t end;

	return add_ok(offset, len, &end) &&
	       (end <= c->file_len || end - c->file_len < c->h.cluster_size);
}

int check_reference(struct qcheck *c, uint64_t offset, uint64_t len,
		    uint64_t weight, unsigned kind)
{
	if (!len || !weight)
		return 0;
	if (check_in_file(c, offset, len))
		return check_count(c, offset, len, weight, kind);
	if (c->first)
		check_finding(c, &c->out->corruptions, weight,
			      "ERROR: counting reference for region exceeding "
			      "the end of the file by one cluster or more: "
			      "offset 0x%" PRIx64 " size 0x%" PRIx64, offset,
			      len);
	return 0;
}
