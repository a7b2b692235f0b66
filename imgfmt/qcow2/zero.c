/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zero.c - zeroing and discarding: whole clusters by their entries, subclusters
 * by their bitmaps, and what is smaller by writing zeroes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

#define ALL_ZEROES ((uint64_t)UINT32_MAX << 32)

enum mode { ZERO, ZERO_KEEP, DISCARD };

/* What the entry of a wholly zeroed or discarded cluster becomes. */
static void new_entry(const struct qcow2 *s, const struct qcow2_slot *slot,
		      enum mode mode, uint64_t *entry, uint64_t *bitmap)
{
	enum qcow2_kind kind = qcow2_kind(&s->h, slot->entry);
	bool has_host = kind == QCOW2_KIND_DATA || kind == QCOW2_KIND_ZERO_ALLOC;

	*entry = slot->entry;
	*bitmap = slot->bitmap;
	/* Zeroing says that the cluster is zero, as in qemu, even where that
	 * is plain anyway: it is then "present" in a map.
	 */
	if (kind == QCOW2_KIND_HOLE && !slot->bitmap &&
	    qcow2_holes_are_zero(s) && (mode == DISCARD || s->h.version < 3))
		return;
	*entry = 0;
	if (has_host && mode == ZERO_KEEP)
		*entry = slot->entry;
	if (s->h.extl2)
		*bitmap = ALL_ZEROES;
	else if (s->h.version >= 3)
		*entry |= QCOW2_ZERO;
}

static int clear_cluster(struct qcow2 *s, uint64_t guest, enum mode mode)
{
	uint64_t entry, bitmap, old;
	struct qcow2_slot slot;
	int rc;

	rc = qcow2_l2_find(s, guest, &slot);
	if (rc)
		return rc;
	new_entry(s, &slot, mode, &entry, &bitmap);
	if (entry == slot.entry && bitmap == slot.bitmap)
		return 0;
	rc = qcow2_l2_find_writable(s, guest, &slot);
	if (rc)
		return rc;
	old = slot.entry;
	qcow2_l2_set(s, &slot, entry, bitmap);
	if (mode == ZERO_KEEP && !(old & QCOW2_COMPRESSED))
		return 0;
	return qcow2_l2_free(s, old, true);
}

/* [start, end) are whole clusters, and the caller holds them exclusive. */
static int clear_range(struct qcow2 *s, uint64_t start, uint64_t end,
		       enum mode mode)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_start_writing(s);
	if (!rc)
		rc = qcow2_make_room(s);
	for (; !rc && start < end; start += s->h.cluster_size)
		rc = clear_cluster(s, start, mode);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* The data file of a raw external one reads as the guest does. */
static int clear_raw_external(struct qcow2 *s, uint64_t start, uint64_t end)
{
	uint64_t len = img_length(s->data);

	end = min_u64(end, len);
	return start < end ? img_zero(s->data, end - start, start, 0) : 0;
}

/* As much per turn as one L2 unit maps, so that locks are short and the caches
 * bounded.
 */
static uint64_t piece_end(const struct qcow2 *s, uint64_t start, uint64_t end)
{
	uint64_t covers = (uint64_t)(s->l2.unit / s->h.l2_entry_size) <<
			  s->h.cluster_bits;

	return min_u64(end, round_down(start, covers) + covers);
}

/* A stretch of the guest without any L2 table, where nothing needs doing. */
static uint64_t after_holes(struct qcow2 *s, uint64_t start, uint64_t end)
{
	struct qcow2_run run;

	if (!qcow2_holes_are_zero(s))
		return start;
	pthread_mutex_lock(&s->lock);
	if (!qcow2_lookup(s, start, end - start, &run) &&
	    run.kind == QCOW2_KIND_HOLE)
		start += run.len == end - start ? run.len
			: round_down(run.len, s->h.cluster_size);
	pthread_mutex_unlock(&s->lock);
	return start;
}

static int clear_clusters(struct qcow2 *s, uint64_t start, uint64_t end,
			  enum mode mode)
{
	struct rangelock_held held;
	int rc = 0;

	while (start < end && !rc) {
		uint64_t next = piece_end(s, start, end);

		rangelock_take(&s->ranges, &held, start, next, true);
		if (s->h.raw_external)
			rc = clear_raw_external(s, start, next);
		if (!rc)
			rc = clear_range(s, start, next, mode);
		rangelock_drop(&s->ranges, &held);
		start = next;
		if (!rc && mode == DISCARD)
			start = after_holes(s, next, end);
	}
	return rc;
}

int qcow2_discard(struct img *img, uint64_t len, uint64_t offset)
{
	struct qcow2 *s = img->state;
	uint64_t start = round_up(offset, s->h.cluster_size);
	uint64_t end = offset + len;

	/* Version 2 cannot hide the backing file but by data. */
	if (!s->data || (s->h.version < 3 && !qcow2_holes_are_zero(s)))
		return 0;
	/* The last cluster of the image may be short. */
	end = end == img->size ? round_up(end, s->h.cluster_size)
			       : qcow2_cluster_start(s, end);
	return start < end ? clear_clusters(s, start, end, DISCARD) : 0;
}

/* Does all of [start, end), inside one cluster, read as zeroes by the tables,
 * here or in the backing file?
 */
static int reads_zero(struct qcow2 *s, uint64_t start, uint64_t end, bool *zero)
{
	struct img_extent ext;
	int rc;

	end = min_u64(end, s->img->size);
	*zero = true;
	while (start < end && *zero) {
		rc = img_map(s->img, start, end - start, &ext);
		if (rc)
			return rc;
		*zero = ext.flags & IMG_EXT_ZERO;
		start += ext.len;
	}
	return 0;
}

static int write_zeroes_held(struct qcow2 *s, uint64_t start, uint64_t end)
{
	size_t len = (size_t)(end - start);
	uint8_t *zeroes = array_alloc(len, 1);
	int rc;

	if (!zeroes)
		return -ENOMEM;
	rc = qcow2_write_held(s, zeroes, len, start);
	free(zeroes);
	return rc;
}

/* Whole subclusters of one cluster. */
static int zero_subclusters(struct qcow2 *s, uint64_t start, uint64_t end)
{
	uint64_t in = start & (s->h.cluster_size - 1);
	unsigned first = (unsigned)(in / s->sub_size);
	unsigned n = (unsigned)((end - start) / s->sub_size);
	uint32_t subs = n >= 32 ? UINT32_MAX : ((1u << n) - 1) << first;
	struct qcow2_slot slot;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_start_writing(s);
	if (!rc)
		rc = qcow2_make_room(s);
	if (!rc)
		rc = qcow2_l2_find_writable(s, start, &slot);
	if (!rc && slot.entry & QCOW2_COMPRESSED)
		rc = -ENOTSUP;
	if (!rc)
		qcow2_l2_set(s, &slot, slot.entry,
			     (slot.bitmap & ~(uint64_t)subs) |
			     (uint64_t)subs << 32);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* The same, its edges written. */
static int zero_in_subclusters(struct qcow2 *s, uint64_t start, uint64_t end)
{
	uint64_t first = round_up(start, s->sub_size);
	uint64_t last = end >= s->img->size ? round_up(end, s->sub_size)
					    : round_down(end, s->sub_size);
	int rc;

	if (first >= last)
		return -ENOTSUP;
	rc = zero_subclusters(s, first, last);
	if (!rc && start < first)
		rc = write_zeroes_held(s, start, first);
	if (!rc && last < end)
		rc = write_zeroes_held(s, last, end);
	return rc;
}

/* Part of a cluster. */
static int zero_edge_held(struct qcow2 *s, uint64_t start, uint64_t end,
			  enum mode mode)
{
	uint64_t cluster = qcow2_cluster_start(s, start);
	bool zero, before, after;
	int rc;

	rc = reads_zero(s, start, end, &zero);
	if (rc || zero)
		return rc;
	rc = reads_zero(s, cluster, start, &before);
	if (!rc)
		rc = reads_zero(s, end, cluster + s->h.cluster_size, &after);
	if (rc)
		return rc;
	if (before && after)
		return clear_range(s, cluster, cluster + s->h.cluster_size,
				   mode);
	if (s->h.extl2 && !s->h.external_data) {
		rc = zero_in_subclusters(s, start, end);
		if (rc != -ENOTSUP)
			return rc;
	}
	return write_zeroes_held(s, start, end);
}

static int zero_edge(struct qcow2 *s, uint64_t start, uint64_t end,
		     enum mode mode)
{
	uint64_t cluster = qcow2_cluster_start(s, start);
	struct rangelock_held held;
	int rc = 0;

	rangelock_take(&s->ranges, &held, cluster,
		       cluster + s->h.cluster_size, true);
	if (s->h.raw_external)
		rc = clear_raw_external(s, start, end);
	if (!rc)
		rc = zero_edge_held(s, start, end, mode);
	rangelock_drop(&s->ranges, &held);
	return rc;
}

int qcow2_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags)
{
	struct qcow2 *s = img->state;
	enum mode mode = flags & IMG_ZERO_KEEP ? ZERO_KEEP : ZERO;
	uint64_t end = offset + len, start = offset, last;
	int rc = 0;

	if (!s->data)
		return -ENOENT;
	if (s->h.version < 3 && (mode == ZERO_KEEP || !qcow2_holes_are_zero(s)))
		return -ENOTSUP;
	if (end == img->size)
		end = round_up(end, s->h.cluster_size);
	if (start & (s->h.cluster_size - 1)) {
		last = min_u64(end, round_up(start, s->h.cluster_size));
		rc = zero_edge(s, start, min_u64(last, offset + len), mode);
		start = last;
	}
	last = qcow2_cluster_start(s, end);
	if (!rc && start < last)
		rc = clear_clusters(s, start, last, mode);
	if (!rc && start < end && last < end)
		rc = zero_edge(s, max_u64(start, last), end, mode);
	return rc;
}
