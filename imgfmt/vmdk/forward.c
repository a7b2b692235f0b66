/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* forward.c - reading a stream in one pass, by its markers.  Specification:
 * "Stream-Optimized Compressed Sparse Extents".
 *
 * Each grain says where on the disk it belongs, so that no table is needed to
 * place it; but only tables tell whether all of them came.  They pass as well,
 * behind the grains or in front of them.  A sum over what came and one over what
 * the tables name must be the same at the end: it is of the grains' places in
 * the file and in their tables, and the order does not matter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

/* Directories in front that are longer are not looked at: 32 TiB of disk. */
#define MAX_GDES (1u << 20)
/* What may follow the end of a stream; whoever writes a pipe wants to end. */
#define MAX_REST (1u << 20)
#define CHUNK 4096u

#define ULL(n) ((unsigned long long)(n))

struct vmdk_forward {
	struct vmdk_extent *x;
	struct vmdk_walk w;
	uint64_t sum;			/* of the grains that came */
	uint64_t sum_behind, sum_front;	/* of what tables name */
	bool begun, end;
	bool has_front;			/* tables in front were read */
	int error;			/* nothing follows it, */
	struct err why;			/* and this is its sentence */
};

int vmdk_not_in_order(const struct vmdk *s, struct err *e)
{
	return fail(e, ESPIPE, "%s: of the kinds of VMDK only streamOptimized "
		    "can be read from start to end, and this is another: save "
		    "it to a file first", s->img->name);
}

int vmdk_forward_open(struct vmdk *s, struct vmdk_extent *x, struct err *e)
{
	struct vmdk_tables t = { .making = true };
	uint8_t buf[VMDK_HEADER_LEN];
	int rc = img_read(s->file, buf, sizeof(buf), 0);

	if (rc)
		return fail_rc(e, rc, "Could not read the header of %s",
			       s->img->name);
	rc = vmdk_header_decode(buf, &t.h, s->img->name, e);
	if (rc)
		return rc;
	if (!(t.h.flags & VMDK_FLAG_COMPRESSED) ||
	    !(t.h.flags & VMDK_FLAG_MARKERS))
		return vmdk_not_in_order(s, e);
	rc = vmdk_hosted_derive(&t, INT64_MAX, s->img->name, e);
	if (rc)
		return rc;
	s->forward = calloc(1, sizeof(*s->forward));
	if (!s->forward)
		return fail(e, ENOMEM, "out of memory");
	x->t = t;
	s->forward->x = x;
	s->forward->w.end = min_u64(max_u64(t.h.overhead, 1),
				    INT64_MAX / VMDK_SECTOR) * VMDK_SECTOR;
	s->img->in_order = true;
	return 0;
}

void vmdk_forward_free(struct vmdk *s)
{
	free(s->forward);
	s->forward = NULL;
}

/* -ENODATA: the file ends before that. */
static int get(struct vmdk *s, void *buf, size_t len, uint64_t offset)
{
	return in_range(offset, len, img_length(s->file)) ?
	       img_read(s->file, buf, len, offset) : -ENODATA;
}

/* One grain's part of a sum: a number that says nothing of its neighbours. */
static uint64_t mix(uint64_t sector, uint64_t in_table)
{
	uint64_t n = sector << 14 ^ in_table;

	n = (n ^ n >> 31) * 0x7fb5d329728ea185u;
	n = (n ^ n >> 27) * 0x81dadef4bc2dd44du;
	return n ^ n >> 33;
}

/* Add what the table of `len` bytes at `host` names to *sum. */
static int add_table(struct vmdk *s, uint64_t host, uint64_t len,
		     uint64_t *sum)
{
	const struct vmdk_tables *t = &s->forward->x->t;
	uint8_t buf[CHUNK];
	int rc = 0;

	for (uint64_t at = 0; at < len && !rc; at += sizeof(buf)) {
		size_t n = (size_t)min_u64(sizeof(buf), len - at);

		rc = get(s, buf, n, host + at);
		for (size_t i = 0; i + 4 <= n && !rc; i += 4) {
			uint32_t entry = get_le32(buf + i);

			if (entry > VMDK_GTE_ZERO)
				*sum += mix(entry, (at + i) / 4 % t->n_gtes);
		}
	}
	return rc;
}

/* The tables in front of the grains, if there are any and they pass in an order
 * that allows it.
 */
static int add_front(struct vmdk *s)
{
	struct vmdk_forward *f = s->forward;
	const struct vmdk_tables *t = &f->x->t;
	uint64_t len = t->n_gdes * 4, gt_len = (uint64_t)t->n_gtes * 4;
	uint64_t front = f->w.end, sum = 0;
	uint8_t *gd;
	int rc;

	if (!t->h.gd || t->h.gd >= front / VMDK_SECTOR || !t->n_gdes ||
	    t->n_gdes > MAX_GDES ||
	    !in_range(t->h.gd * VMDK_SECTOR, len, front))
		return 0;
	gd = buf_alloc((size_t)len);
	if (!gd)
		return -ENOMEM;
	rc = get(s, gd, (size_t)len, t->h.gd * VMDK_SECTOR);
	for (uint64_t i = 0; i < t->n_gdes && !rc; i++) {
		uint64_t table = (uint64_t)get_le32(gd + 4 * i) * VMDK_SECTOR;

		if (table && !in_range(table, gt_len, front))
			rc = -ESPIPE;
		else if (table)
			rc = add_table(s, table, gt_len, &sum);
	}
	free(gd);
	f->sum_front = sum;
	f->has_front = !rc;
	return rc == -ESPIPE ? 0 : rc;
}

/* There is no more, and that is too early. */
static int broken(struct vmdk *s, int rc)
{
	struct vmdk_forward *f = s->forward;

	if (rc == -ENODATA || rc == -EUCLEAN) {
		f->w.end = min_u64(f->w.end, img_length(s->file));
		rc = vmdk_cut_off(s->file, s->img->name, &f->x->t.h, &f->w,
				  &f->why);
	} else {
		fail_rc(&f->why, rc, "Could not read %s behind byte %llu",
			s->img->name, ULL(f->w.end));
	}
	return rc;
}

/* Let the rest come, so that its writer does not fail. */
static void drain(struct vmdk *s)
{
	uint8_t buf[VMDK_SECTOR];
	uint64_t at = s->forward->w.end;

	if (!(s->file->drv->flags & DRV_FORWARD))
		return;
	for (uint64_t n = 0; n < MAX_REST; n += sizeof(buf))
		if (img_read(s->file, buf, sizeof(buf), at + n))
			break;
}

/* The end mark was met, or the end of the file between two grains. */
static int finish(struct vmdk *s)
{
	struct vmdk_forward *f = s->forward;

	if (!(f->w.footer && f->sum == f->sum_behind) &&
	    !(f->has_front && f->sum == f->sum_front)) {
		if (!f->w.eos || !f->w.footer)
			return broken(s, -EUCLEAN);
		return fail(&f->why, EUCLEAN, "%s: %llu grains came, and the "
			    "tables between them name others: save it to a "
			    "file and check that", s->img->name,
			    ULL(f->w.n_grains));
	}
	f->end = true;
	drain(s);
	return 0;
}

static int take_metadata(struct vmdk *s, const uint8_t *marker)
{
	struct vmdk_forward *f = s->forward;
	uint64_t sectors = get_le64(marker + VMDK_MARKER_VALUE);
	uint32_t type = get_le32(marker + VMDK_MARKER_TYPE);
	uint64_t data = f->w.end + VMDK_SECTOR, len, end;
	uint8_t last;
	int rc = 0;

	if (type == VMDK_MARKER_EOS) {
		f->w.eos = true;
		return finish(s);
	}
	if (!mul_ok(sectors, VMDK_SECTOR, &len) || !add_ok(data, len, &end) ||
	    end > INT64_MAX)
		return broken(s, -EUCLEAN);
	if (type == VMDK_MARKER_GT)
		rc = add_table(s, data, len, &f->sum_behind);
	else
		rc = get(s, &last, 1, end - 1);
	if (rc)
		return broken(s, rc);
	if (type == VMDK_MARKER_FOOTER && len)
		f->w.footer = data;
	f->w.end = end;
	return 0;
}

/* May the run at `offset` stand in the batch with the others? */
static bool fits(const struct img_batch *b, uint64_t offset, uint64_t window,
		 uint32_t grain)
{
	return !b->n || (b->n < window / grain &&
			 round_down(b->runs[0].offset, window) ==
			 round_down(offset, window));
}

/* The grain whose marker was read, into the batch. */
static int take_grain(struct vmdk *s, const uint8_t *marker,
		      struct img_batch *b)
{
	struct vmdk_forward *f = s->forward;
	const struct vmdk_tables *t = &f->x->t;
	uint64_t offset = get_le64(marker) * VMDK_SECTOR;
	uint32_t size = get_le32(marker + VMDK_MARKER_SIZE);
	int rc;

	if (array_grow(&b->runs, &b->cap, b->n + 1, sizeof(*b->runs)) ||
	    array_grow(&b->packed, &b->packed_cap, b->packed_len + size, 1))
		return fail(&f->why, ENOMEM, "out of memory");
	rc = get(s, b->packed + b->packed_len, size,
		 f->w.end + VMDK_MARKER_LEN);
	if (rc)
		return broken(s, rc);
	f->sum += mix(f->w.end / VMDK_SECTOR, offset / t->grain % t->n_gtes);
	f->w.end = round_up(f->w.end + VMDK_MARKER_LEN + size, VMDK_SECTOR);
	f->w.n_grains++;
	f->w.guest_end = max_u64(f->w.guest_end,
				 min_u64(offset + t->grain, t->capacity));
	/* A line may leave out what rounding up has added. */
	if (offset >= s->img->size)
		return 0;
	b->runs[b->n++] = (struct img_run){
		.offset = offset,
		.len = (uint32_t)min_u64(t->grain, s->img->size - offset),
		.packed_len = size, .packed = b->packed_len,
	};
	b->packed_len += size;
	return 0;
}

/* The next item; *full: it does not belong in this batch. */
static int take_one(struct vmdk *s, uint64_t window, struct img_batch *b,
		    bool *full)
{
	struct vmdk_forward *f = s->forward;
	const struct vmdk_tables *t = &f->x->t;
	uint8_t marker[16];
	uint64_t lba;
	uint32_t size;
	int rc = get(s, marker, sizeof(marker), f->w.end);

	/* The last grain's padding may be missing. */
	if (rc == -ENODATA && img_length(s->file) <= f->w.end)
		return finish(s);
	if (rc)
		return broken(s, rc);
	size = get_le32(marker + VMDK_MARKER_SIZE);
	if (!size)
		return take_metadata(s, marker);
	lba = get_le64(marker);
	if (lba >= t->h.capacity || lba % t->h.grain ||
	    size > vmdk_max_stream(t))
		return broken(s, -EUCLEAN);
	*full = !fits(b, lba * VMDK_SECTOR, window, t->grain);
	return *full ? 0 : take_grain(s, marker, b);
}

int vmdk_take(struct img *img, uint64_t window, struct img_batch *b,
	      struct err *e)
{
	struct vmdk *s = img->state;
	struct vmdk_forward *f = s->forward;
	bool full = false;

	if (!f->begun && !f->error) {
		f->error = add_front(s);
		if (f->error)
			f->error = broken(s, f->error);
	}
	f->begun = true;
	while (!f->end && !full && !f->error)
		f->error = take_one(s, window, b, &full);
	/* What came before is good; the next call says why there is no more. */
	return b->n || !f->error ? 0 : fail(e, -f->error, "%s", f->why.text);
}

int vmdk_unpack(struct img *img, const struct img_batch *b, size_t i,
		void *buf)
{
	struct vmdk *s = img->state;
	const struct vmdk_tables *t = &s->forward->x->t;
	const struct img_run *run = &b->runs[i];
	uint64_t need = min_u64(t->grain, t->capacity - run->offset);
	uint8_t *whole = buf;
	int rc;

	if (run->len < t->grain)
		whole = buf_alloc(t->grain);
	if (!whole)
		return -ENOMEM;
	rc = vmdk_inflate_bytes(s, b->packed + run->packed, run->packed_len,
				whole, t->grain, (size_t)need);
	if (!rc && whole != buf)
		memcpy(buf, whole, run->len);
	if (whole != buf)
		free(whole);
	return rc;
}
