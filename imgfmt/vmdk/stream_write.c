/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream_write.c - writing a streamOptimized extent.  Specification: "Stream-
 * Optimized Compressed Sparse Extents".
 *
 *   header, descriptor          up to `overhead`
 *   for each grain table that has grains:
 *     grain marker and data     for each grain, in the guest's order
 *     table marker, table
 *   directory marker, directory
 *   footer marker, footer       the header again, with the directory's place
 *   end-of-stream marker
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "stream_write.h"

#define OUT_LEN (1u << 20)		/* goes out in writes of this length */

struct vmdk_stream_out {
	pthread_mutex_t lock;
	struct img *file;
	struct vmdk_header h;
	uint32_t grain;			/* bytes */
	uint64_t n_grains, n_gdes;
	uint64_t pos;			/* of what has gone out, bytes */
	uint8_t *buf;			/* what follows it: OUT_LEN bytes */
	size_t fill;
	uint8_t *gd, *gt;		/* as they stand in the file */
	uint64_t gt_index;		/* which table `gt` is */
	bool gt_used, started;
	uint64_t next;			/* grains before this are done */
	/* A grain that is being written in parts. */
	uint8_t *part;
	uint64_t part_index;		/* UINT64_MAX: none */
	void *codec;
	uint8_t *packed;
	int error;			/* the first one: nothing follows it */
};

static int push(struct vmdk_stream_out *o)
{
	int rc = o->error;

	if (!rc && o->fill) {
		rc = img_write(o->file, o->buf, o->fill, o->pos);
		o->pos += o->fill;
		o->fill = 0;
		o->error = rc;
	}
	return rc;
}

/* Append; what is not given (NULL) is zeroes. */
static int append(struct vmdk_stream_out *o, const void *data, size_t len)
{
	const uint8_t *p = data;

	o->started = true;
	while (len && !o->error) {
		size_t n = (size_t)min_u64(len, OUT_LEN - o->fill);

		if (p)
			memcpy(o->buf + o->fill, p, n);
		else
			memset(o->buf + o->fill, 0, n);
		p = p ? p + n : NULL;
		o->fill += n;
		len -= n;
		if (o->fill == OUT_LEN)
			push(o);
	}
	return o->error;
}

static uint64_t here(const struct vmdk_stream_out *o)
{
	return o->pos + o->fill;
}

static int pad(struct vmdk_stream_out *o)
{
	uint64_t end = round_up(here(o), VMDK_SECTOR);

	return append(o, NULL, (size_t)(end - here(o)));
}

/* Directory entries and table entries have 32 bits. */
static int sector_here(struct vmdk_stream_out *o, uint32_t *sector)
{
	if (here(o) / VMDK_SECTOR > UINT32_MAX)
		o->error = o->error ? o->error : -EFBIG;
	*sector = (uint32_t)(here(o) / VMDK_SECTOR);
	return o->error;
}

static int put_metadata_marker(struct vmdk_stream_out *o, uint32_t type,
			       size_t len)
{
	uint8_t m[VMDK_SECTOR] = { 0 };

	put_le64(m + VMDK_MARKER_VALUE, div_round_up(len, VMDK_SECTOR));
	put_le32(m + VMDK_MARKER_TYPE, type);
	return append(o, m, sizeof(m));
}

static int put_table(struct vmdk_stream_out *o)
{
	size_t len = o->h.n_gtes * 4;
	uint32_t sector;

	if (!o->gt_used)
		return o->error;
	put_metadata_marker(o, VMDK_MARKER_GT, len);
	if (!sector_here(o, &sector))
		put_le32(o->gd + o->gt_index * 4, sector);
	append(o, o->gt, len);
	memset(o->gt, 0, len);
	o->gt_used = false;
	return pad(o);
}

static int put_grain(struct vmdk_stream_out *o, uint64_t i, const void *data,
		     size_t len)
{
	uint8_t marker[VMDK_MARKER_LEN];
	uint32_t sector;

	if (i < o->next)
		return -ESPIPE;
	if (i / o->h.n_gtes != o->gt_index)
		put_table(o);
	if (sector_here(o, &sector))
		return o->error;
	o->gt_index = i / o->h.n_gtes;
	o->gt_used = true;
	put_le32(o->gt + i % o->h.n_gtes * 4, sector);
	put_le64(marker, i * o->h.grain);
	put_le32(marker + VMDK_MARKER_SIZE, (uint32_t)len);
	append(o, marker, sizeof(marker));
	append(o, data, len);
	o->next = i + 1;
	return pad(o);
}

static int compress_grain(struct vmdk_stream_out *o, uint64_t i,
			  const uint8_t *data)
{
	size_t len;
	int rc;

	if (bytes_are_zero(data, o->grain)) {
		o->next = max_u64(o->next, i + 1);
		return 0;
	}
	rc = vmdk_compress(o->codec, data, o->grain, o->packed, &len);
	return rc ? rc : put_grain(o, i, o->packed, len);
}

static int end_part(struct vmdk_stream_out *o)
{
	uint64_t i = o->part_index;

	if (i == UINT64_MAX)
		return 0;
	o->part_index = UINT64_MAX;
	return compress_grain(o, i, o->part);
}

static int begin_part(struct vmdk_stream_out *o, uint64_t i)
{
	int rc;

	if (o->part_index == i)
		return 0;
	if (i < o->next || (o->part_index != UINT64_MAX && i < o->part_index))
		return -ESPIPE;
	rc = end_part(o);
	memset(o->part, 0, o->grain);
	o->part_index = i;
	return rc;
}

static int write_locked(struct vmdk_stream_out *o, const uint8_t *p, size_t len,
			uint64_t offset)
{
	int rc = o->error;

	while (len && !rc) {
		uint64_t i = offset / o->grain;
		size_t in = (size_t)(offset % o->grain);
		size_t n = (size_t)min_u64(len, o->grain - in);

		if (n == o->grain && i != o->part_index) {
			rc = o->part_index != UINT64_MAX && i < o->part_index
			     ? -ESPIPE : end_part(o);
			if (!rc)
				rc = i < o->next ? -ESPIPE
						 : compress_grain(o, i, p);
		} else {
			rc = begin_part(o, i);
			if (!rc)
				memcpy(o->part + in, p, n);
		}
		p += n;
		offset += n;
		len -= n;
	}
	return rc;
}

int vmdk_stream_write(struct vmdk *s, const void *buf, size_t len,
		      uint64_t offset)
{
	int rc;

	pthread_mutex_lock(&s->out->lock);
	rc = write_locked(s->out, buf, len, offset);
	pthread_mutex_unlock(&s->out->lock);
	return rc;
}

int vmdk_stream_put(struct vmdk *s, const void *data, size_t data_len,
		    uint64_t offset)
{
	struct vmdk_stream_out *o = s->out;
	uint64_t i = offset / o->grain;
	int rc;

	pthread_mutex_lock(&o->lock);
	rc = i < o->next || (o->part_index != UINT64_MAX && i <= o->part_index)
	     ? -ESPIPE : end_part(o);
	if (!rc)
		rc = put_grain(o, i, data, data_len);
	pthread_mutex_unlock(&o->lock);
	return rc;
}

/* What has not come yet is zero anyway. */
int vmdk_stream_zero(struct vmdk *s, uint64_t len, uint64_t offset)
{
	struct vmdk_stream_out *o = s->out;
	uint64_t part, from, to;
	int rc = 0;

	pthread_mutex_lock(&o->lock);
	part = o->part_index;
	if (offset / o->grain < o->next) {
		rc = -ESPIPE;
	} else if (part != UINT64_MAX && offset < (part + 1) * o->grain &&
		   offset + len > part * o->grain) {
		from = max_u64(offset, part * o->grain) - part * o->grain;
		to = min_u64(offset + len - part * o->grain, o->grain);
		memset(o->part + from, 0, (size_t)(to - from));
	}
	pthread_mutex_unlock(&o->lock);
	return rc;
}

int vmdk_stream_read(struct vmdk *s, void *buf, size_t len, uint64_t offset)
{
	struct vmdk_stream_out *o = s->out;
	int rc = 0;

	pthread_mutex_lock(&o->lock);
	if (offset < o->next * o->grain || o->part_index != UINT64_MAX)
		rc = o->started || o->part_index != UINT64_MAX ? -ENOTSUP : 0;
	pthread_mutex_unlock(&o->lock);
	memset(buf, 0, len);
	return rc;
}

int vmdk_stream_flush(struct vmdk *s)
{
	struct vmdk_stream_out *o = s->out;
	int rc;

	pthread_mutex_lock(&o->lock);
	rc = push(o);
	pthread_mutex_unlock(&o->lock);
	return rc ? rc : img_flush(o->file);
}

static int put_end(struct vmdk_stream_out *o)
{
	uint64_t gd_len = o->n_gdes * 4;
	uint8_t footer[VMDK_HEADER_LEN];
	struct vmdk_header h = o->h;
	int rc = end_part(o);

	if (!o->error)
		o->error = rc;
	put_table(o);
	put_metadata_marker(o, VMDK_MARKER_GD, gd_len);
	h.gd = here(o) / VMDK_SECTOR;
	append(o, o->gd, gd_len);
	pad(o);
	put_metadata_marker(o, VMDK_MARKER_FOOTER, sizeof(footer));
	vmdk_header_encode(&h, footer);
	append(o, footer, sizeof(footer));
	put_metadata_marker(o, VMDK_MARKER_EOS, 0);
	return push(o);
}

static void out_free(struct vmdk_stream_out *o)
{
	if (!o)
		return;
	if (o->codec)
		vmdk_codec_free(o->codec);
	free(o->buf);
	free(o->gd);
	free(o->gt);
	free(o->part);
	free(o->packed);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static struct vmdk_stream_out *out_new(struct img *file,
				       const struct vmdk_header *h)
{
	struct vmdk_stream_out *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	pthread_mutex_init(&o->lock, NULL);
	o->file = file;
	o->h = *h;
	o->h.gd = VMDK_GD_AT_END;
	o->h.rgd = 0;
	o->grain = (uint32_t)h->grain * VMDK_SECTOR;
	o->n_grains = div_round_up(h->capacity, h->grain);
	o->n_gdes = div_round_up(o->n_grains, h->n_gtes);
	o->pos = h->overhead * VMDK_SECTOR;
	o->part_index = UINT64_MAX;
	o->buf = buf_alloc(OUT_LEN);
	o->gd = array_alloc(max_u64(o->n_gdes, 1), 4);
	o->gt = array_alloc(h->n_gtes, 4);
	o->part = buf_alloc(o->grain);
	o->packed = buf_alloc(vmdk_compress_bound(o->grain));
	if (o->buf && o->gd && o->gt && o->part && o->packed)
		return o;
	out_free(o);
	return NULL;
}

/* The beginning goes out in one write: it may be a pipe. */
static int write_start(struct img *below, const struct vmdk_layout *l,
		       const struct vmdk_descriptor *d, struct err *e)
{
	size_t room = (size_t)l->h.desc_size * VMDK_SECTOR;
	size_t total = (size_t)l->h.overhead * VMDK_SECTOR;
	char *text = vmdk_descriptor_text(d);
	uint8_t *buf = array_alloc(total, 1);
	int rc;

	if (!text || !buf) {
		rc = fail(e, ENOMEM, "out of memory");
	} else if (strlen(text) > room) {
		rc = fail(e, E2BIG, "the descriptor has %zu bytes, and there "
			  "is room for %zu", strlen(text), room);
	} else {
		vmdk_header_encode(&l->h, buf);
		memcpy(buf + l->h.desc_offset * VMDK_SECTOR, text,
		       strlen(text));
		rc = img_write(below, buf, total, 0);
		if (rc)
			fail_rc(e, rc, "Could not write %s", below->name);
	}
	free(text);
	free(buf);
	return rc;
}

int vmdk_stream_create(struct img *below, const struct vmdk_layout *l,
		       const struct vmdk_descriptor *d, struct err *e)
{
	bool appends = below->drv->flags & DRV_APPENDS;
	struct vmdk_stream_out *o;
	int rc = appends ? 0 : img_truncate(below, 0, e);

	if (!rc)
		rc = write_start(below, l, d, e);
	if (rc || appends)
		return rc;
	o = out_new(below, &l->h);
	if (!o)
		return fail(e, ENOMEM, "out of memory");
	rc = put_end(o);
	if (rc)
		fail_rc(e, rc, "Could not write %s", below->name);
	out_free(o);
	return rc;
}

/* A whole stream without any table, of our own layout? */
static int is_empty(struct vmdk *s, struct vmdk_extent *x, bool *empty)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t table = 0;
	int rc = 0;

	*empty = false;
	if (t->capacity > VMDK_MAX_SPARSE || !t->markers || t->h.rgd || !t->h.overhead ||
	    t->gd != (t->h.overhead + 1) * VMDK_SECTOR)
		return 0;
	for (uint64_t i = 0; i < t->n_gdes && !rc && !table; i++)
		rc = vmdk_table_at(s, x, t->gd, i, &table);
	*empty = !rc && !table;
	return rc;
}

int vmdk_stream_begin(struct vmdk *s, struct err *e)
{
	struct vmdk_extent *x = s->extents;
	bool empty = true;
	int rc = 0;

	if (s->n_extents != 1 || x->storage != VMDK_SPARSE || !x->file ||
	    !x->t.compressed)
		return 0;
	if (!x->t.making)
		rc = is_empty(s, x, &empty);
	if (rc)
		return fail_rc(e, rc, "Could not read %s", s->img->name);
	if (!empty)
		return 0;
	s->out = out_new(x->file, &x->t.h);
	if (!s->out)
		return fail(e, ENOMEM, "out of memory");
	s->img->compress_unit = x->t.grain;
	s->img->compress_bound = vmdk_compress_bound(x->t.grain);
	s->img->compress_only = true;
	rc = vmdk_codec_new(s->img, 0, &s->out->codec, e);
	if (rc) {
		out_free(s->out);
		s->out = NULL;
	}
	return rc;
}

/* An empty stream that nothing was written to is whole as it is. */
int vmdk_stream_end(struct vmdk *s)
{
	struct vmdk_stream_out *o = s->out;
	bool wanted = o && !s->img->spoiled &&
		      (o->started || o->part_index != UINT64_MAX ||
		       s->extents[0].t.making);
	int rc = 0;

	if (wanted)
		rc = put_end(o);
	if (!rc && wanted)
		rc = img_flush(o->file);
	out_free(o);
	s->out = NULL;
	return rc;
}
