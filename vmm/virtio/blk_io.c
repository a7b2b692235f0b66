/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk_io.c - the requests of virtio-blk (virtio 1.2, 5.2.6).
 *
 * A request is a header of 16 bytes (type 32, reserved 32, sector 64), data, and
 * a status byte, the last one that is writable; where descriptors divide it says
 * nothing.  The header and segments are copied before they are judged.
 */
#include <errno.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/imgfmt.h"
#include "vmm/virtio/blk.h"
#include "vmm/vm.h"

#define HEADER_LEN	16u
#define SEGMENT_LEN	16u	/* sector 64, sectors 32, flags 32 */

#define T_IN		0u
#define T_OUT		1u
#define T_FLUSH		4u
#define T_GET_ID	8u
#define T_DISCARD	11u
#define T_WRITE_ZEROES	13u

#define S_OK		0u
#define S_IOERR		1u
#define S_UNSUPP	2u

#define UNMAP		0x1u	/* a segment's flag */

/* Where a call takes one piece, runs of pieces below this go through a buffer,
 * which costs a copy but saves a call for each; the buffer fits into a core's own
 * cache.
 */
#define DIRECT_MIN	(16u << 10)
#define BOUNCE_LEN	(256u << 10)

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	/* Only this thread writes it. */
	atomic_store_explicit(counter,
			      atomic_load_explicit(counter,
						   memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* What becomes of the image's answer. */
static uint8_t status_of(struct blk *b, int rc, uint64_t sector)
{
	if (!rc)
		return S_OK;
	pthread_mutex_lock(&b->error_lock);
	b->errors++;
	b->last_error = rc;
	b->last_error_sector = sector;
	pthread_mutex_unlock(&b->error_lock);
	return S_IOERR;
}

/* What is done must be on the disk when the driver hears of it. */
static int settle(struct blk *b, int rc)
{
	if (!rc && atomic_load(&b->writethrough))
		rc = img_flush(b->img);
	return rc;
}

static bool in_disk(const struct blk *b, uint64_t sector, uint64_t n)
{
	return in_range(sector, n, b->capacity);
}

static struct vec start_at(struct iovec *v, uint64_t offset)
{
	while (offset >= v->iov_len)
		offset -= v++->iov_len;
	return (struct vec){ v, (size_t)offset };
}

/* How many bytes from here on lie in small pieces?  At most `max`. */
static size_t small_run(struct vec at, uint64_t left, size_t max)
{
	size_t len = 0, n;

	left = min_u64(left, max);
	while (left && (n = vec_piece(&at, left)) < DIRECT_MIN) {
		vec_step(&at, n);
		len += n;
		left -= n;
	}
	return len;
}

static int transfer(struct blk *b, void *buf, size_t len, uint64_t offset,
		    bool write)
{
	return write ? img_write(b->img, buf, len, offset) :
		img_read(b->img, buf, len, offset);
}

static int bounced(struct blk *b, uint8_t *bounce, struct vec *at,
		   size_t len, uint64_t offset, bool write)
{
	size_t done, n;
	int rc = write ? 0 : img_read(b->img, bounce, len, offset);

	for (done = 0; done < len && !rc; done += n) {
		n = vec_piece(at, len - done);
		if (write)
			memcpy(bounce + done, vec_step(at, n), n);
		else
			memcpy(vec_step(at, n), bounce + done, n);
	}
	return write ? img_write(b->img, bounce, len, offset) : rc;
}

static int move_data(struct blk *b, struct puller *me, struct vec at,
		     uint64_t left, uint64_t offset, bool write)
{
	int rc = 0;

	if (write ? b->writes_pieces : b->reads_pieces)
		return write ? img_writev(b->img, &at, left, offset) :
			img_readv(b->img, &at, left, offset);
	while (left && !rc) {
		size_t n = vec_piece(&at, left);
		size_t run = n == left ? 0 : small_run(at, left, BOUNCE_LEN);

		if (run > n && !me->scratch)
			me->scratch = buf_alloc(BOUNCE_LEN);
		if (run > n && me->scratch) {
			n = run;
			rc = bounced(b, me->scratch, &at, n, offset, write);
		} else {
			rc = transfer(b, vec_step(&at, n), n, offset, write);
		}
		left -= n;
		offset += n;
	}
	return rc;
}

static void tell_watch(const struct blk *b, bool write, uint64_t sector,
		       uint64_t len)
{
	const struct vm_watch *w = b->v.dev.vm->config.watch;

	if (w && w->disk && len)
		w->disk(w->arg, b->index, write, sector, len / BLK_SECTOR);
}

/* And where to it was read. */
static void tell_where(const struct blk *b, const struct vq_chain *c,
		       uint64_t len)
{
	const struct iovec *v = c->iov + c->n_out;
	struct vm *vm = b->v.dev.vm;

	if (b->index || !vm->config.watch)
		return;
	for (uint64_t n; len; len -= n, v++) {
		n = min_u64(v->iov_len, len);
		watch_read(vm, v->iov_base, n);
	}
}

static uint8_t read_data(struct blk *b, struct puller *me, struct vq_chain *c,
			 uint64_t sector)
{
	uint64_t len = c->in_len - 1;
	int rc = 0;

	if (len % BLK_SECTOR || !in_disk(b, sector, len / BLK_SECTOR))
		return S_IOERR;
	if (len)
		rc = move_data(b, me, start_at(c->iov + c->n_out, 0), len,
			       sector * BLK_SECTOR, false);
	tell_where(b, c, len);
	tell_watch(b, false, sector, len);
	count(&b->counts[me->index].reads, 1);
	count(&b->counts[me->index].read_bytes, len);
	return status_of(b, rc, sector);
}

static uint8_t write_data(struct blk *b, struct puller *me, struct vq_chain *c,
			  uint64_t sector)
{
	uint64_t len = c->out_len - HEADER_LEN;
	int rc = 0;

	if (b->readonly || len % BLK_SECTOR ||
	    !in_disk(b, sector, len / BLK_SECTOR))
		return S_IOERR;
	if (len)
		rc = move_data(b, me, start_at(c->iov, HEADER_LEN), len,
			       sector * BLK_SECTOR, true);
	tell_watch(b, true, sector, len);
	count(&b->counts[me->index].writes, 1);
	count(&b->counts[me->index].written_bytes, len);
	return status_of(b, settle(b, rc), sector);
}

struct segment {
	uint64_t sector;
	uint32_t n, flags;
};

static int clear(struct blk *b, uint32_t type, const struct segment *s)
{
	uint64_t len = (uint64_t)s->n * BLK_SECTOR;
	uint64_t offset = s->sector * BLK_SECTOR;

	if (type == T_DISCARD)
		return img_discard(b->img, len, offset);
	return img_zero(b->img, len, offset,
			s->flags & UNMAP ? 0 : IMG_ZERO_KEEP);
}

/* Copy all segments and judge them before any is touched. */
static uint8_t get_segments(struct blk *b, const struct vq_chain *c,
			    uint32_t type, struct segment *segments, unsigned n)
{
	uint32_t flags = type == T_DISCARD ? 0 : UNMAP;
	uint32_t max = type == T_DISCARD ? BLK_MAX_DISCARD : BLK_MAX_ZEROES;
	uint8_t raw[SEGMENT_LEN];
	unsigned i;

	for (i = 0; i < n; i++) {
		struct segment *s = &segments[i];

		vq_chain_read(c, HEADER_LEN + (uint64_t)i * SEGMENT_LEN, raw,
			      sizeof(raw));
		s->sector = get_le64(raw);
		s->n = get_le32(raw + 8);
		s->flags = get_le32(raw + 12);
		if (s->flags & ~flags)
			return S_UNSUPP;
		if (s->n > max || !in_disk(b, s->sector, s->n))
			return S_IOERR;
	}
	return S_OK;
}

static uint8_t clear_data(struct blk *b, struct puller *me, struct vq_chain *c,
			  uint32_t type)
{
	uint64_t len = c->out_len - HEADER_LEN;
	struct segment segments[BLK_MAX_DISCARD_SEG];
	unsigned max = type == T_DISCARD ? BLK_MAX_DISCARD_SEG :
		BLK_MAX_ZEROES_SEG;
	unsigned n = (unsigned)min_u64(len / SEGMENT_LEN, UINT32_MAX), i;
	uint8_t status;
	int rc = 0;

	if (b->readonly || !len || len % SEGMENT_LEN || n > max)
		return S_IOERR;
	status = get_segments(b, c, type, segments, n);
	if (status != S_OK)
		return status;
	for (i = 0; i < n && !rc; i++)
		rc = clear(b, type, &segments[i]);
	count(&b->counts[me->index].clears, 1);
	return status_of(b, settle(b, rc), segments[i - 1].sector);
}

static uint8_t flush(struct blk *b, struct puller *me)
{
	count(&b->counts[me->index].flushes, 1);
	return status_of(b, img_flush(b->img), 0);
}

static uint8_t get_id(const struct blk *b, const struct vq_chain *c)
{
	vq_chain_write(c, 0, b->id, (size_t)min_u64(c->in_len - 1, BLK_ID_LEN));
	return S_OK;
}

static uint8_t dispatch(struct blk *b, struct puller *me, struct vq_chain *c,
			uint32_t type, uint64_t sector)
{
	switch (type) {
	case T_IN:
		return read_data(b, me, c, sector);
	case T_OUT:
		return write_data(b, me, c, sector);
	case T_FLUSH:
		return flush(b, me);
	case T_GET_ID:
		return get_id(b, c);
	case T_DISCARD:
		return virtio_has(&b->v, BLK_F_DISCARD) ?
			clear_data(b, me, c, type) : S_UNSUPP;
	case T_WRITE_ZEROES:
		return virtio_has(&b->v, BLK_F_WRITE_ZEROES) ?
			clear_data(b, me, c, type) : S_UNSUPP;
	default:
		return S_UNSUPP;
	}
}

uint32_t blk_serve(struct virtio *v, struct puller *me, struct vq_chain *c)
{
	struct blk *b = (struct blk *)v;
	uint8_t header[HEADER_LEN], status = S_IOERR;

	if (!c->in_len) {
		virtio_break(v);	/* nowhere to say what happened */
		return 0;
	}
	if (vq_chain_read(c, 0, header, sizeof(header)) == sizeof(header))
		status = dispatch(b, me, c, get_le32(header),
				  get_le64(header + 8));
	vq_chain_write(c, c->in_len - 1, &status, 1);
	/* After a failure the data may have holes, so none of it counts. */
	return status == S_OK || c->in_len == 1 ? (uint32_t)c->in_len : 0;
}
