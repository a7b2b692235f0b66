/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* write.c - writing guest data: in place, or into new clusters with what they
 * replace copied around it.
 *
 * An allocating write goes: reserve clusters (refcounts in memory), write the
 * data, then point the L2 entries at it.  Flushes of other threads may fall
 * between any two of these steps and find nothing that refers to unwritten data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

/* Data and its surroundings go out in one write up to this size. */
#define MAX_BOUNCE (1u << 20)

/* One step of an allocating write. */
struct plan {
	uint64_t guest;			/* of the first cluster */
	uint64_t host;			/* of the same */
	uint64_t n;			/* clusters */
	bool is_new;			/* reserved just now */
	/* What is written: [start, end) of guest offsets, which contain the
	 * caller's [offset, offset + len).
	 */
	uint64_t start, end;
	uint64_t offset, len;
};

static int extend_data_file(struct qcow2 *s, uint64_t len)
{
	int rc = 0;

	/* Locked, lest two threads cut off what the other has added. */
	pthread_mutex_lock(&s->lock);
	if (img_length(s->data) < len)
		rc = img_resize(s->data, len, NULL, NULL);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int write_host(struct qcow2 *s, const void *buf, uint64_t len,
		      uint64_t host)
{
	int rc;

	if (s->h.external_data && !in_range(host, len, img_length(s->data))) {
		rc = extend_data_file(s, host + len);
		if (rc)
			return rc;
	}
	rc = img_write(s->data, buf, (size_t)len, host);
	if (!rc)
		atomic_fetch_add_explicit(&s->unflushed, len,
					  memory_order_relaxed);
	return rc;
}

/* Does a write to this cluster need all that it does not cover copied, not just
 * the subclusters that it touches?
 */
static bool copies_all(const struct qcow2 *s, uint64_t entry, uint64_t bitmap)
{
	switch (qcow2_kind(&s->h, entry)) {
	case QCOW2_KIND_COMPRESSED:
		return true;
	case QCOW2_KIND_DATA:
		return !(entry & QCOW2_COPIED) &&
		       (!s->h.extl2 || qcow2_sub_alloc(bitmap));
	default:
		return false;
	}
}

/* To what has a write to this cluster to be extended? */
static uint64_t pad_unit(const struct qcow2 *s, const struct qcow2_slot *slot)
{
	if (copies_all(s, slot->entry, slot->bitmap))
		return s->h.cluster_size;
	if (!s->h.extl2 && qcow2_owns(s, slot->entry) &&
	    qcow2_kind(&s->h, slot->entry) == QCOW2_KIND_DATA)
		return 1;
	return s->sub_size;
}

/* How many clusters from the plan's first on, up to `max`, are in the same case
 * as it is: their own host cluster in a row, or in need of new ones.
 */
static int count_clusters(struct qcow2 *s, struct plan *p, uint64_t max)
{
	struct qcow2_slot slot;
	uint64_t n, host;
	bool own;
	int rc;

	for (n = 1; n < max; n++) {
		rc = qcow2_l2_find(s, p->guest + (n << s->h.cluster_bits),
				   &slot);
		if (rc)
			return rc;
		own = qcow2_owns(s, slot.entry);
		host = p->host + (n << s->h.cluster_bits);
		if (p->is_new ? own
			      : !own || (slot.entry & QCOW2_OFFSET_MASK) != host)
			break;
	}
	p->n = n;
	return 0;
}

/* The L2 table comes first: made after the data, it would lie between this
 * write's data and the next one's.
 */
static int reserve(struct qcow2 *s, struct plan *p)
{
	struct qcow2_slot slot;
	uint64_t cluster, n;
	int rc;

	if (s->h.external_data) {
		p->host = p->guest;
		return 0;
	}
	rc = qcow2_l2_find_writable(s, p->guest, &slot);
	if (!rc)
		rc = qcow2_alloc(s, p->n, &cluster, &n);
	if (rc)
		return rc;
	p->host = cluster << s->h.cluster_bits;
	p->n = n;
	return 0;
}

/* Drop what was reserved, from the done-th cluster on. */
static void give_up(struct qcow2 *s, const struct plan *p, uint64_t done)
{
	if (p->is_new && !s->h.external_data)
		qcow2_unalloc(s, qcow2_cluster_of(s, p->host) + done,
			      p->n - done);
}

static int make_plan_locked(struct qcow2 *s, uint64_t offset, uint64_t len,
			    struct plan *p)
{
	struct qcow2_slot first, last;
	uint64_t end;
	int rc;

	rc = qcow2_start_writing(s);
	if (!rc)
		rc = qcow2_make_room(s);
	p->guest = qcow2_cluster_start(s, offset);
	if (!rc)
		rc = qcow2_l2_find(s, offset, &first);
	if (rc)
		return rc;
	p->is_new = !qcow2_owns(s, first.entry);
	p->host = first.entry & QCOW2_OFFSET_MASK;
	rc = count_clusters(s, p, div_round_up(offset + len - p->guest,
					       s->h.cluster_size));
	if (!rc && p->is_new)
		rc = reserve(s, p);
	else if (!rc)
		rc = qcow2_guard_data(s, p->host, p->n << s->h.cluster_bits);
	if (rc)
		return rc;
	end = p->guest + (p->n << s->h.cluster_bits);
	rc = qcow2_l2_find(s, end - 1, &last);
	if (rc) {
		give_up(s, p, 0);
		return rc;
	}
	p->offset = offset;
	p->len = min_u64(len, end - offset);
	p->start = round_down(offset, pad_unit(s, &first));
	p->end = round_up(offset + p->len, pad_unit(s, &last));
	return 0;
}

static int make_plan(struct qcow2 *s, uint64_t offset, uint64_t len,
		     struct plan *p)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = make_plan_locked(s, offset, len, p);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static uint64_t host_of(const struct plan *p, uint64_t guest)
{
	return p->host + (guest - p->guest);
}

/* Read [from, to) of the guest and write it to the plan's clusters. */
static int copy_around(struct qcow2 *s, const struct plan *p, uint64_t from,
		       uint64_t to)
{
	size_t len = (size_t)(to - from);
	uint8_t *buf;
	int rc;

	if (!len)
		return 0;
	buf = buf_alloc(len);
	if (!buf)
		return -ENOMEM;
	rc = qcow2_read_guest(s, buf, len, from);
	if (!rc)
		rc = write_host(s, buf, len, host_of(p, from));
	free(buf);
	return rc;
}

static int write_bounced(struct qcow2 *s, const struct plan *p,
			 const uint8_t *data)
{
	size_t total = (size_t)(p->end - p->start);
	size_t head = (size_t)(p->offset - p->start);
	size_t tail = (size_t)(p->end - p->offset - p->len);
	uint8_t *buf = buf_alloc(total);
	int rc = 0;

	if (!buf)
		return -ENOMEM;
	if (head)
		rc = qcow2_read_guest(s, buf, head, p->start);
	if (!rc && tail)
		rc = qcow2_read_guest(s, buf + total - tail, tail,
				      p->end - tail);
	memcpy(buf + head, data, (size_t)p->len);
	if (!rc)
		rc = write_host(s, buf, total, host_of(p, p->start));
	free(buf);
	return rc;
}

static int write_plan(struct qcow2 *s, const struct plan *p,
		      const uint8_t *data)
{
	int rc;

	if (p->start == p->offset && p->end == p->offset + p->len)
		return write_host(s, data, p->len, host_of(p, p->offset));
	if (p->end - p->start <= MAX_BOUNCE)
		return write_bounced(s, p, data);
	rc = copy_around(s, p, p->start, p->offset);
	if (!rc)
		rc = write_host(s, data, p->len, host_of(p, p->offset));
	if (!rc)
		rc = copy_around(s, p, p->offset + p->len, p->end);
	return rc;
}

/* The subclusters of the cluster at `guest` that the plan has written. */
static uint32_t written_subs(const struct qcow2 *s, const struct plan *p,
			     uint64_t guest)
{
	uint64_t from = max_u64(p->start, guest) - guest;
	uint64_t to = min_u64(p->end, guest + s->h.cluster_size) - guest;
	unsigned first = (unsigned)(from / s->sub_size);
	unsigned n = (unsigned)(to / s->sub_size) - first;

	return n >= 32 ? UINT32_MAX : ((1u << n) - 1) << first;
}

static int point_entry(struct qcow2 *s, const struct plan *p, uint64_t *done)
{
	uint64_t guest = p->guest + (*done << s->h.cluster_bits);
	uint64_t entry = host_of(p, guest) | QCOW2_COPIED;
	uint64_t bitmap = 0, old;
	struct qcow2_slot slot;
	uint32_t subs;
	int rc;

	rc = qcow2_l2_find_writable(s, guest, &slot);
	if (rc)
		return rc;
	old = slot.entry;
	if (s->h.extl2) {
		subs = written_subs(s, p, guest);
		bitmap = (uint64_t)(qcow2_sub_zero(slot.bitmap) & ~subs) << 32 |
			 subs;
		/* A new cluster holds only what was written to it. */
		if (!p->is_new)
			bitmap |= qcow2_sub_alloc(slot.bitmap);
	}
	++*done;
	if (entry == old && bitmap == slot.bitmap)
		return 0;
	qcow2_l2_set(s, &slot, entry, bitmap);
	return p->is_new ? qcow2_l2_free(s, old, false) : 0;
}

static int finish_plan(struct qcow2 *s, const struct plan *p, int rc)
{
	uint64_t done = 0;

	pthread_mutex_lock(&s->lock);
	while (!rc && done < p->n)
		rc = point_entry(s, p, &done);
	if (rc)
		give_up(s, p, done);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_write_held(struct qcow2 *s, const uint8_t *buf, size_t len,
		     uint64_t offset)
{
	struct plan p;
	int rc;

	while (len) {
		rc = make_plan(s, offset, len, &p);
		if (rc)
			return rc;
		rc = finish_plan(s, &p, write_plan(s, &p, buf));
		if (rc)
			return rc;
		buf += p.len;
		offset += p.len;
		len -= (size_t)p.len;
	}
	return 0;
}

/* Write as much of the start of the range as lies in clusters of the image's own
 * already: *done bytes.
 */
static int write_in_place(struct qcow2 *s, const uint8_t *buf, size_t len,
			  uint64_t offset, size_t *done)
{
	struct qcow2_run run = { 0 };
	int rc;

	*done = 0;
	while (len) {
		pthread_mutex_lock(&s->lock);
		rc = qcow2_lookup(s, offset, len, &run);
		if (!rc && run.in_place)
			rc = qcow2_start_writing(s);
		if (!rc && run.in_place)
			rc = qcow2_guard_data(s, run.host, run.len);
		pthread_mutex_unlock(&s->lock);
		if (!rc && !run.in_place)
			return 0;
		if (!rc)
			rc = write_host(s, buf, run.len, run.host);
		if (rc)
			return rc;
		buf += run.len;
		offset += run.len;
		len -= (size_t)run.len;
		*done += (size_t)run.len;
	}
	return 0;
}

static int write_piece(struct qcow2 *s, const uint8_t *buf, size_t len,
		       uint64_t offset)
{
	uint64_t start = qcow2_cluster_start(s, offset);
	uint64_t end = round_up(offset + len, s->h.cluster_size);
	struct rangelock_held held;
	size_t done;
	int rc;

	rangelock_take(&s->ranges, &held, start, end, false);
	rc = write_in_place(s, buf, len, offset, &done);
	rangelock_drop(&s->ranges, &held);
	if (rc || done == len)
		return rc;
	start = qcow2_cluster_start(s, offset + done);
	rangelock_take(&s->ranges, &held, start, end, true);
	rc = qcow2_write_held(s, buf + done, len - done, offset + done);
	rangelock_drop(&s->ranges, &held);
	return rc;
}

int qcow2_write(struct img *img, const void *buf, size_t len, uint64_t offset)
{
	struct qcow2 *s = img->state;
	const uint8_t *p = buf;
	int rc = 0;

	if (!s->data)
		return -ENOENT;
	while (len && !rc) {
		size_t n = (size_t)min_u64(len, QCOW2_PIECE);

		rc = write_piece(s, p, n, offset);
		p += n;
		offset += n;
		len -= n;
	}
	return rc;
}
