/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* write.c - writing guest data: in place, or into new grains with what they
 * replace copied around it.
 *
 * An allocating write takes room at the end of the file, writes the data, then
 * sets the entries, in memory; flush.c writes them behind the data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "stream_write.h"
#include "write.h"

/* Longer requests are taken apart; large grains count as they are. */
#define PIECE (2u << 20)

/* One allocating step: whole grains of an extent. */
struct plan {
	struct vmdk_slot slot;
	uint64_t rel, len;		/* of the grains, in the extent */
	uint64_t host;
	bool first_hole, last_hole;	/* these show the parent */
};

/* What a grain shows that has none of its own. */
static int read_old(struct vmdk *s, struct vmdk_extent *x, uint8_t *buf,
		    uint64_t rel, uint64_t len, bool hole)
{
	uint64_t inside = rel < x->len ? min_u64(len, x->len - rel) : 0;

	memset(buf, 0, (size_t)len);
	if (!hole || !inside)
		return 0;
	return img_read_backing(s->img, buf, (size_t)inside, x->start + rel);
}

static int put(struct vmdk_extent *x, const void *buf, uint64_t len,
	       uint64_t host)
{
	vmdk_touch(x);
	return img_write(x->file, buf, (size_t)len, host);
}

static int write_plan(struct vmdk *s, const struct plan *p,
		      const uint8_t *data, uint64_t rel, uint64_t len)
{
	struct vmdk_extent *x = p->slot.x;
	uint64_t head = rel - p->rel, tail = p->len - head - len;
	uint8_t *buf;
	int rc;

	if (!head && !tail)
		return put(x, data, len, p->host);
	buf = buf_alloc((size_t)p->len);
	if (!buf)
		return -ENOMEM;
	rc = read_old(s, x, buf, p->rel, head, p->first_hole);
	if (!rc)
		rc = read_old(s, x, buf + head + len, rel + len, tail,
			      p->last_hole);
	memcpy(buf + head, data, (size_t)len);
	if (!rc)
		rc = put(x, buf, p->len, p->host);
	free(buf);
	return rc;
}

/* Grains without room of their own from `rel` on, as far as the table goes. */
static int make_plan_locked(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
			    uint64_t len, struct plan *p)
{
	uint64_t grain = x->t.grain, end = rel + len;
	uint64_t at = round_down(rel, grain);
	uint64_t table_end = at - at % x->t.gt_covers + x->t.gt_covers;
	struct vmdk_run run;
	int rc = vmdk_start_changing(s, x);

	*p = (struct plan){ .rel = at };
	for (; !rc && at < min_u64(end, table_end); at += grain) {
		rc = vmdk_lookup(s, x->start + at, 1, &run);
		if (rc || run.kind == VMDK_KIND_DATA ||
		    run.kind == VMDK_KIND_COMPRESSED)
			break;
		p->last_hole = run.kind == VMDK_KIND_HOLE;
		if (at == p->rel)
			p->first_hole = p->last_hole;
	}
	p->len = at - p->rel;
	if (!rc && !p->len)
		rc = -EUCLEAN;		/* compressed grains stay */
	if (!rc)
		rc = vmdk_slot_find(s, x, p->rel, &p->slot);
	if (!rc)
		rc = vmdk_grains_take(x, p->len, &p->host);
	p->slot.n = (uint32_t)(p->len / grain);
	return rc;
}

static int finish_plan(struct vmdk *s, const struct plan *p, int rc)
{
	struct vmdk_extent *x = p->slot.x;

	pthread_mutex_lock(&s->lock);
	if (!rc)
		rc = vmdk_slot_set(s, &p->slot,
				   (uint32_t)(p->host / VMDK_SECTOR),
				   x->t.grain / VMDK_SECTOR);
	if (rc)
		vmdk_grains_give_back(x, p->host, p->len);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int allocate(struct vmdk *s, struct vmdk_extent *x, const uint8_t *buf,
		    uint64_t len, uint64_t rel, uint64_t *done)
{
	struct plan p;
	int rc = vmdk_flush_some(s);

	if (rc)
		return rc;
	pthread_mutex_lock(&s->lock);
	rc = make_plan_locked(s, x, rel, len, &p);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		return rc;
	*done = min_u64(len, p.rel + p.len - rel);
	return finish_plan(s, &p, write_plan(s, &p, buf, rel, *done));
}

/* Write the start of the range that has grains already; *done may be 0. */
static int write_in_place(struct vmdk *s, struct vmdk_extent *x,
			  const uint8_t *buf, uint64_t len, uint64_t rel,
			  uint64_t *done)
{
	struct vmdk_run run = { 0 };
	int rc;

	*done = 0;
	pthread_mutex_lock(&s->lock);
	rc = vmdk_lookup(s, x->start + rel, len, &run);
	if (!rc && run.kind == VMDK_KIND_DATA)
		rc = vmdk_start_changing(s, x);
	pthread_mutex_unlock(&s->lock);
	if (rc || run.kind != VMDK_KIND_DATA)
		return rc;
	*done = run.len;
	return put(x, buf, run.len, run.host);
}

static int write_held(struct vmdk *s, struct vmdk_extent *x, const uint8_t *buf,
		      uint64_t len, uint64_t rel)
{
	int rc = 0;

	while (len && !rc) {
		uint64_t n;

		rc = write_in_place(s, x, buf, len, rel, &n);
		if (!rc && !n)
			rc = allocate(s, x, buf, len, rel, &n);
		if (rc)
			break;
		buf += n;
		rel += n;
		len -= n;
	}
	return rc;
}

static int write_sparse(struct vmdk *s, struct vmdk_extent *x,
			const uint8_t *buf, uint64_t len, uint64_t rel)
{
	uint64_t start = x->start + round_down(rel, x->t.grain);
	uint64_t end = x->start + round_up(rel + len, x->t.grain);
	struct rangelock_held held;
	uint64_t done;
	int rc;

	rangelock_take(&s->ranges, &held, start, end, false);
	rc = write_in_place(s, x, buf, len, rel, &done);
	rangelock_drop(&s->ranges, &held);
	if (rc || done == len)
		return rc;
	rangelock_take(&s->ranges, &held, start, end, true);
	rc = write_held(s, x, buf + done, len - done, rel + done);
	rangelock_drop(&s->ranges, &held);
	return rc;
}

static int start_plain(struct vmdk *s, struct vmdk_extent *x)
{
	int rc;

	if (!x->file)
		return -ENOENT;
	pthread_mutex_lock(&s->lock);
	rc = vmdk_start_changing(s, x);
	pthread_mutex_unlock(&s->lock);
	vmdk_touch(x);
	return rc;
}

static int write_extent(struct vmdk *s, struct vmdk_extent *x,
			const uint8_t *buf, uint64_t len, uint64_t rel)
{
	int rc;

	switch (x->storage) {
	case VMDK_ZEROES:
		return -EROFS;
	case VMDK_SPARSE:
		return x->file ? write_sparse(s, x, buf, len, rel) : -ENOENT;
	case VMDK_PLAIN:
		break;
	}
	rc = start_plain(s, x);
	return rc ? rc : img_write(x->file, buf, (size_t)len, x->offset + rel);
}

int vmdk_write(struct img *img, const void *buf, size_t len, uint64_t offset)
{
	struct vmdk *s = img->state;
	const uint8_t *p = buf;
	int rc = 0;

	if (s->out)
		return vmdk_stream_write(s, buf, len, offset);
	while (len && !rc) {
		struct vmdk_extent *x = vmdk_extent_at(s, offset);
		uint64_t rel = offset - x->start;
		uint64_t n = min_u64(len, min_u64(PIECE, x->len - rel));

		rc = write_extent(s, x, p, n, rel);
		p += n;
		offset += n;
		len -= (size_t)n;
	}
	return rc;
}

/* Whole grains without data, as far as the table goes: entry 1.  Without a
 * parent there is nothing to do.  *done 0: it has to be written.
 */
static int zero_entries(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
			uint64_t rel, uint64_t *done)
{
	struct vmdk_slot slot;
	int rc;

	*done = 0;
	if (!s->img->backing) {
		*done = len;
		return 0;
	}
	len = round_down(min_u64(len, x->t.gt_covers - rel % x->t.gt_covers),
			 x->t.grain);
	if (!x->t.zero_gte || rel % x->t.grain || !len)
		return 0;
	rc = vmdk_flush_some(s);
	if (rc)
		return rc;
	pthread_mutex_lock(&s->lock);
	rc = vmdk_start_changing(s, x);
	if (!rc)
		rc = vmdk_slot_find(s, x, rel, &slot);
	slot.n = (uint32_t)(len / x->t.grain);
	if (!rc)
		rc = vmdk_slot_set(s, &slot, VMDK_GTE_ZERO, 0);
	pthread_mutex_unlock(&s->lock);
	*done = rc ? 0 : len;
	return rc;
}

static int write_zeroes(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
			uint64_t rel)
{
	uint8_t *zeroes = array_alloc(len, 1);
	int rc = zeroes ? write_held(s, x, zeroes, len, rel) : -ENOMEM;

	free(zeroes);
	return rc;
}

/* For tests: somebody else gets the grain. */
static int give_up(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
		   uint64_t host)
{
	struct vmdk_slot slot;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = vmdk_slot_find(s, x, rel, &slot);
	slot.n = 1;
	if (!rc)
		rc = vmdk_slot_set(s, &slot, VMDK_GTE_ZERO, 0);
	if (!rc)
		x->given_up = host;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Grains keep their room: only the host's file becomes sparse. */
static int zero_run(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
		    uint64_t rel, unsigned flags, uint64_t *done)
{
	struct vmdk_run run;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = vmdk_lookup(s, x->start + rel, len, &run);
	if (!rc && run.kind == VMDK_KIND_DATA)
		rc = vmdk_start_changing(s, x);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		return rc;
	*done = run.len;
	if (!vmdk_keeps(s, 4) && run.kind == VMDK_KIND_DATA &&
	    run.len >= x->t.grain && rel % x->t.grain == 0) {
		*done = x->t.grain;
		return give_up(s, x, rel, run.host);
	}
	if (run.kind == VMDK_KIND_DATA) {
		vmdk_touch(x);
		return img_zero(x->file, run.len, run.host, flags);
	}
	if (!(flags & IMG_ZERO_KEEP)) {
		if (run.kind == VMDK_KIND_ZERO)
			return 0;
		rc = zero_entries(s, x, run.len, rel, done);
		if (rc || *done)
			return rc;
	}
	if (flags & IMG_ZERO_FAST)
		return -ENOTSUP;
	/* Up to the next grain, and then it may be better. */
	*done = min_u64(run.len, x->t.grain - rel % x->t.grain);
	return write_zeroes(s, x, *done, rel);
}

static int zero_sparse(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
		       uint64_t rel, unsigned flags)
{
	uint64_t start = x->start + round_down(rel, x->t.grain);
	uint64_t end = x->start + round_up(rel + len, x->t.grain);
	struct rangelock_held held;
	int rc = 0;

	rangelock_take(&s->ranges, &held, start, end, true);
	while (len && !rc) {
		uint64_t n = 0;

		rc = zero_run(s, x, len, rel, flags, &n);
		rel += n;
		len -= n;
	}
	rangelock_drop(&s->ranges, &held);
	return rc;
}

int vmdk_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags)
{
	struct vmdk *s = img->state;
	int rc = 0;

	if (s->out)
		return vmdk_stream_zero(s, len, offset);
	while (len && !rc) {
		struct vmdk_extent *x = vmdk_extent_at(s, offset);
		uint64_t rel = offset - x->start;
		uint64_t n = min_u64(len, x->len - rel);

		if (x->storage == VMDK_SPARSE && x->file) {
			rc = zero_sparse(s, x, n, rel, flags);
		} else if (x->storage == VMDK_PLAIN) {
			rc = start_plain(s, x);
			if (!rc)
				rc = img_zero(x->file, n, x->offset + rel,
					      flags);
		}
		offset += n;
		len -= n;
	}
	return rc;
}

int vmdk_flush(struct img *img)
{
	struct vmdk *s = img->state;

	return s->out ? vmdk_stream_flush(s) : vmdk_flush_all(s);
}

/* Only what we can keep consistent. */
static int refuse(const struct vmdk *s, const struct vmdk_extent *x,
		  struct err *e)
{
	const char *name = x->owned ? x->owned->name : s->img->name;

	if (x->storage != VMDK_SPARSE || !x->file)
		return 0;
	if (x->t.compressed)
		return fail(e, ENOTSUP, "%s is a stream, which can only be "
			    "written when it is made: convert it to change it",
			    name);
	if (x->t.kind != VMDK_HOSTED)
		return fail(e, ENOTSUP, "%s is a snapshot of ESXi, which can "
			    "only be read", name);
	if (x->line && x->line->access != VMDK_RW)
		return fail(e, EROFS, "%s is read-only by its descriptor",
			    name);
	return 0;
}

int vmdk_write_begin(struct vmdk *s, struct err *e)
{
	bool repair = s->img->flags & IMG_REPAIR;
	int rc = repair ? 0 : vmdk_stream_begin(s, e);

	for (size_t i = 0; i < s->n_extents && !rc && !s->out; i++) {
		struct vmdk_extent *x = &s->extents[i];

		if (!repair)
			rc = refuse(s, x, e);
		if (!rc && x->storage == VMDK_SPARSE && x->file)
			x->next = round_up(img_length(x->file), x->t.grain);
	}
	return rc;
}

int vmdk_write_end(struct vmdk *s)
{
	bool any = false;
	int rc;

	if (s->out)
		return vmdk_stream_end(s);
	if (!(s->img->flags & IMG_WRITE))
		return 0;
	rc = vmdk_flush_all(s);
	for (size_t i = 0; i < s->n_extents && !rc; i++) {
		struct vmdk_extent *x = &s->extents[i];

		if (!x->marked)
			continue;
		any = true;
		vmdk_touch(x);
		rc = vmdk_put_unclean(x, false);
	}
	return rc || !any ? rc : vmdk_flush_all(s);
}
