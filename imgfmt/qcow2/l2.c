/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* l2.c - from guest offsets to L2 entries, and what they say about runs.
 * Specification: "Cluster mapping".
 */
#include <errno.h>
#include <string.h>

#include "state.h"

/* A lookup reads on through this many units while the answer stays the same. */
#define MAX_LOOKUP_UNITS 64

static uint32_t l1_index(const struct qcow2 *s, uint64_t guest)
{
	return (uint32_t)(guest >> (s->h.cluster_bits + s->h.l2_bits));
}

/* Bytes from the start of the L2 table to the entry. */
static uint64_t table_pos(const struct qcow2 *s, uint64_t guest)
{
	uint64_t i = (guest >> s->h.cluster_bits) &
		     ((1ull << s->h.l2_bits) - 1);

	return i * s->h.l2_entry_size;
}

static void load_slot(const struct qcow2 *s, struct qcow2_slot *slot)
{
	const uint8_t *p = slot->unit->data + slot->pos;

	slot->entry = get_be64(p);
	slot->bitmap = s->h.extl2 ? get_be64(p + 8) : 0;
}

/* Does the entry make sense?  Checked at each use: a table in the cache has
 * come from the file as it was.
 */
static int check_entry(struct qcow2 *s, uint64_t guest,
		       const struct qcow2_slot *slot)
{
	uint64_t host = slot->entry & QCOW2_OFFSET_MASK;

	if (slot->entry & QCOW2_COMPRESSED)
		return s->h.external_data ? qcow2_corrupt(s) : 0;
	if (host & (s->h.cluster_size - 1))
		return qcow2_corrupt(s);
	if (s->h.raw_external && qcow2_kind(&s->h, slot->entry) ==
	    QCOW2_KIND_DATA && host != qcow2_cluster_start(s, guest))
		return qcow2_corrupt(s);
	if (qcow2_sub_alloc(slot->bitmap) & qcow2_sub_zero(slot->bitmap))
		return qcow2_corrupt(s);
	/* Subclusters cannot be allocated in no cluster. */
	if (qcow2_sub_alloc(slot->bitmap) &&
	    qcow2_kind(&s->h, slot->entry) != QCOW2_KIND_DATA)
		return qcow2_corrupt(s);
	return 0;
}

static int table_of(struct qcow2 *s, uint64_t guest, uint64_t *table)
{
	uint32_t i = l1_index(s, guest);

	*table = i < s->l1_size ? s->l1[i] & QCOW2_OFFSET_MASK : 0;
	if (*table & (s->h.cluster_size - 1))
		return qcow2_corrupt(s);
	return 0;
}

static int slot_in(struct qcow2 *s, uint64_t table, uint64_t guest,
		   struct qcow2_slot *slot)
{
	uint64_t pos = table_pos(s, guest);
	int rc;

	rc = qcow2_cache_get(s, &s->l2, table + round_down(pos, s->l2.unit),
			     &slot->unit);
	if (rc)
		return rc;
	slot->pos = (uint32_t)pos & (s->l2.unit - 1);
	load_slot(s, slot);
	return check_entry(s, guest, slot);
}

int qcow2_l2_find(struct qcow2 *s, uint64_t guest, struct qcow2_slot *slot)
{
	uint64_t table;
	int rc = table_of(s, guest, &table);

	*slot = (struct qcow2_slot){ 0 };
	if (rc || !table)
		return rc;
	return slot_in(s, table, guest, slot);
}

void qcow2_l1_set(struct qcow2 *s, uint32_t i, uint64_t entry)
{
	s->l1[i] = entry;
	s->l1_dirty[i / 64] = 1;
	s->l1_any_dirty = true;
	if (entry & QCOW2_OFFSET_MASK)
		qcow2_guard_add(s, QCOW2_TABLE_L2, entry & QCOW2_OFFSET_MASK);
}

/* A table of its own for L1 entry i: empty, or a copy of one that a snapshot
 * uses too.
 */
static int new_table(struct qcow2 *s, uint32_t i, uint64_t old)
{
	struct qcow2_unit *from = NULL, *to;
	uint64_t cluster, n, host;
	int rc;

	rc = qcow2_alloc(s, 1, &cluster, &n);
	if (rc)
		return rc;
	host = cluster << s->h.cluster_bits;
	for (uint64_t pos = 0; pos < s->h.cluster_size; pos += s->l2.unit) {
		if (old)
			rc = qcow2_cache_get(s, &s->l2, old + pos, &from);
		if (!rc)
			rc = qcow2_cache_insert(&s->l2, host + pos, true, &to);
		if (rc)
			goto fail;
		if (from)
			memcpy(to->data, from->data, s->l2.unit);
	}
	if (old)
		rc = qcow2_free(s, qcow2_cluster_of(s, old), 1, false);
	if (rc)
		goto fail;
	qcow2_l1_set(s, i, host | QCOW2_COPIED);
	return 0;

fail:
	qcow2_cache_drop(&s->l2, host, s->h.cluster_size);
	qcow2_unalloc(s, cluster, 1);
	return rc;
}

int qcow2_l2_find_writable(struct qcow2 *s, uint64_t guest,
			   struct qcow2_slot *slot)
{
	uint32_t i = l1_index(s, guest);
	uint64_t table;
	int rc = table_of(s, guest, &table);

	if (rc)
		return rc;
	if (i >= s->l1_size)
		return qcow2_corrupt(s);
	if (!table || !(s->l1[i] & QCOW2_COPIED)) {
		rc = new_table(s, i, table);
		if (rc)
			return rc;
		table = s->l1[i] & QCOW2_OFFSET_MASK;
	}
	return slot_in(s, table, guest, slot);
}

void qcow2_l2_set(struct qcow2 *s, struct qcow2_slot *slot, uint64_t entry,
		  uint64_t bitmap)
{
	uint8_t *p = slot->unit->data + slot->pos;

	put_be64(p, entry);
	if (s->h.extl2)
		put_be64(p + 8, bitmap);
	slot->entry = entry;
	slot->bitmap = bitmap;
	qcow2_cache_dirty(&s->l2, slot->unit);
}

/* An entry that lies may not make us free a table. */
static int free_data(struct qcow2 *s, uint64_t cluster, uint64_t n, bool discard)
{
	int rc = qcow2_guard_data(s, cluster << s->h.cluster_bits,
				  n << s->h.cluster_bits);

	return rc ? rc : qcow2_free(s, cluster, n, discard);
}

int qcow2_l2_free(struct qcow2 *s, uint64_t entry, bool discard)
{
	uint64_t host, len, first, last, next;

	switch (qcow2_kind(&s->h, entry)) {
	case QCOW2_KIND_COMPRESSED:
		qcow2_inflate_forget(s, entry);
		qcow2_compressed(&s->h, entry, &host, &len);
		first = qcow2_cluster_of(s, host);
		last = qcow2_cluster_of(s, host + len - 1);
		/* It may soon belong to something else. */
		next = qcow2_cluster_of(s, s->compressed_next);
		if (next >= first && next <= last)
			s->compressed_next = 0;
		return free_data(s, first, last - first + 1, discard);
	case QCOW2_KIND_DATA:
	case QCOW2_KIND_ZERO_ALLOC:
		if (s->h.external_data)
			return 0;
		host = entry & QCOW2_OFFSET_MASK;
		return free_data(s, qcow2_cluster_of(s, host), 1, discard);
	default:
		return 0;
	}
}

/* Subclusters: those of one kind from `first` on. */
static enum qcow2_kind sub_kind(uint64_t entry, uint64_t bitmap, unsigned i)
{
	if (qcow2_sub_alloc(bitmap) & 1u << i)
		return QCOW2_KIND_DATA;
	if (qcow2_sub_zero(bitmap) & 1u << i)
		return entry & QCOW2_OFFSET_MASK ? QCOW2_KIND_ZERO_ALLOC
						 : QCOW2_KIND_ZERO;
	return QCOW2_KIND_HOLE;
}

/* What the slot says of guest offset `guest`, to the end of the cluster at
 * most.
 */
static void describe(const struct qcow2 *s, const struct qcow2_slot *slot,
		     uint64_t guest, struct qcow2_run *run)
{
	uint32_t in = (uint32_t)(guest & (s->h.cluster_size - 1));
	unsigned first, end;

	run->entry = slot->entry;
	run->kind = qcow2_kind(&s->h, slot->entry);
	run->len = s->h.cluster_size - in;
	run->host = (slot->entry & QCOW2_OFFSET_MASK) + in;
	if (s->h.extl2 && run->kind != QCOW2_KIND_COMPRESSED) {
		first = end = in / s->sub_size;
		run->kind = sub_kind(slot->entry, slot->bitmap, first);
		while (end < QCOW2_N_SUBCLUSTERS &&
		       sub_kind(slot->entry, slot->bitmap, end) == run->kind)
			end++;
		run->len = (uint64_t)end * s->sub_size - in;
	}
	run->has_host = run->kind != QCOW2_KIND_COMPRESSED &&
			(run->kind == QCOW2_KIND_DATA ||
			 slot->entry & QCOW2_OFFSET_MASK);
	run->in_place = run->kind == QCOW2_KIND_DATA &&
			slot->entry & QCOW2_COPIED;
}

/* Add `next`, which follows on `run`, if it goes on in the same way. */
static bool merge(struct qcow2_run *run, const struct qcow2_run *next)
{
	if (run->kind != next->kind || run->kind == QCOW2_KIND_COMPRESSED ||
	    run->has_host != next->has_host)
		return false;
	if (run->has_host && (run->host + run->len != next->host ||
			      run->in_place != next->in_place))
		return false;
	run->len += next->len;
	return true;
}

/* Bytes to where the guest range of this unit, or of a missing table, ends. */
static uint64_t to_boundary(const struct qcow2 *s, uint64_t guest, bool table)
{
	uint64_t covers;

	if (table)
		covers = (uint64_t)(s->l2.unit / s->h.l2_entry_size) <<
			 s->h.cluster_bits;
	else
		covers = 1ull << (s->h.cluster_bits + s->h.l2_bits);
	return covers - (guest & (covers - 1));
}

/* Extend `run` through the unit that covers guest + run->len; *more says
 * whether it may go on behind that.
 */
static int lookup_unit(struct qcow2 *s, uint64_t guest, uint64_t len,
		       struct qcow2_run *run, bool *more)
{
	struct qcow2_run next = { 0 };
	struct qcow2_slot slot;
	uint64_t pos = guest + run->len, end;
	int rc;

	rc = qcow2_l2_find(s, pos, &slot);
	if (rc)
		return rc;
	end = pos + min_u64(len - run->len, to_boundary(s, pos, slot.unit));
	*more = true;
	while (pos < end && *more) {
		if (slot.unit) {
			load_slot(s, &slot);
			rc = check_entry(s, pos, &slot);
			if (rc)
				return rc;
			describe(s, &slot, pos, &next);
		} else {
			next = (struct qcow2_run){
				.kind = QCOW2_KIND_HOLE, .len = end - pos,
			};
		}
		if (run->len)
			*more = merge(run, &next);
		else
			*run = next;
		pos += next.len;
		if (!(pos & (s->h.cluster_size - 1)))
			slot.pos += s->h.l2_entry_size;
	}
	return 0;
}

int qcow2_lookup(struct qcow2 *s, uint64_t guest, uint64_t len,
		 struct qcow2_run *run)
{
	bool more = true;
	int rc = 0;

	*run = (struct qcow2_run){ 0 };
	for (unsigned n = 0; more && run->len < len; n++) {
		if (n >= MAX_LOOKUP_UNITS && run->kind != QCOW2_KIND_HOLE)
			break;
		rc = lookup_unit(s, guest, len, run, &more);
		if (rc)
			/* What was found before is right; the next call meets
			 * the error.
			 */
			return run->len ? 0 : rc;
	}
	run->len = min_u64(run->len, len);
	return 0;
}
