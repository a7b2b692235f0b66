/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compress.c - making compressed clusters and packing them.
 *
 * Streams follow each other without gaps; each host cluster counts one
 * reference for every stream that touches it.  A stream goes on into the next
 * cluster where that is free; where the width of refcounts does not allow
 * another reference, it starts a cluster of its own.
 */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "imgfmt/base/buf.h"
#include "state.h"

/* On 2 GiB of real files in 64 KiB clusters: level 1 takes a fifth of the time
 * of qemu-img's zlib and 0.7 % less room; 2 three tenths and 4 % less.
 */
#define DEFAULT_DEFLATE_LEVEL 1
#define MAX_DEFLATE_LEVEL 12
/* Against qemu-img's zstd, in the same way: level 2 takes 0.6 times the time
 * and 1.5 % more room; 3 takes three quarters and the same room.
 */
#define DEFAULT_ZSTD_LEVEL 2
#define MAX_ZSTD_LEVEL 19

struct codec {
	struct libdeflate_compressor *deflate;
	ZSTD_CCtx *zstd;
	uint32_t unit;
	uint8_t *padded;		/* for a short last cluster */
};

void qcow2_codec_free(void *codec)
{
	struct codec *c = codec;

	libdeflate_free_compressor(c->deflate);
	ZSTD_freeCCtx(c->zstd);
	free(c->padded);
	free(c);
}

int qcow2_codec_new(struct img *img, int level, void **codec, struct err *e)
{
	struct qcow2 *s = img->state;
	bool zstd = s->h.compression;
	int most = zstd ? MAX_ZSTD_LEVEL : MAX_DEFLATE_LEVEL;
	struct codec *c;

	if (level < 0 || level > most)
		return fail(e, EINVAL, "compression level %d: %s has levels 1 "
			    "to %d", level, zstd ? "zstd" : "zlib", most);
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail(e, ENOMEM, "out of memory");
	c->unit = s->h.cluster_size;
	c->padded = buf_alloc(c->unit);
	if (zstd)
		c->zstd = ZSTD_createCCtx();
	else
		c->deflate = libdeflate_alloc_compressor(
				level ? level : DEFAULT_DEFLATE_LEVEL);
	if (!c->padded || (!c->zstd && !c->deflate)) {
		qcow2_codec_free(c);
		return fail(e, ENOMEM, "out of memory");
	}
	if (zstd)
		ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel,
				       level ? level : DEFAULT_ZSTD_LEVEL);
	*codec = c;
	return 0;
}

int qcow2_compress(void *codec, const void *src, size_t len, void *dst,
		   size_t *dst_len)
{
	struct codec *c = codec;
	size_t n;

	if (len > c->unit)
		return -EINVAL;
	/* A stream always holds a whole cluster. */
	if (len < c->unit) {
		memcpy(c->padded, src, len);
		memset(c->padded + len, 0, c->unit - len);
		src = c->padded;
	}
	if (c->zstd) {
		n = ZSTD_compress2(c->zstd, dst, c->unit - 1, src, c->unit);
		*dst_len = ZSTD_isError(n) ? 0 : n;
		return 0;
	}
	*dst_len = libdeflate_deflate_compress(c->deflate, src, c->unit, dst,
					       c->unit - 1);
	return 0;
}

/* Behind this, descriptors cannot point. */
static uint64_t offset_limit(const struct qcow2 *s)
{
	unsigned bits = 62 - (s->h.cluster_bits - 8);

	return 1ull << (bits < 56 ? bits : 56);
}

/* A new cluster for the stream's rest or start. */
static int take_new(struct qcow2 *s, uint64_t *host)
{
	uint64_t cluster, n;
	int rc = qcow2_alloc(s, 1, &cluster, &n);

	*host = cluster << s->h.cluster_bits;
	return rc;
}

/* Room right behind the last stream: 0, or -EAGAIN if there is none. */
static int append_room(struct qcow2 *s, size_t len, uint64_t *host)
{
	uint64_t next = s->compressed_next;
	uint64_t in = next & (s->h.cluster_size - 1);
	uint64_t cluster = qcow2_cluster_of(s, next);
	int rc;

	if (!in)
		return -EAGAIN;
	if (len > s->h.cluster_size - in) {
		rc = qcow2_alloc_at(s, cluster + 1);
		if (rc)
			return rc == -EEXIST ? -EAGAIN : rc;
	}
	rc = qcow2_refcount_inc(s, cluster);
	if (rc && len > s->h.cluster_size - in)
		qcow2_unalloc(s, cluster + 1, 1);
	*host = next;
	return rc == -ERANGE ? -EAGAIN : rc;
}

static int reserve(struct qcow2 *s, size_t len, uint64_t *host)
{
	int rc = append_room(s, len, host);

	if (rc == -EAGAIN)
		rc = take_new(s, host);
	if (rc)
		return rc;
	if (*host + len > offset_limit(s)) {
		qcow2_unalloc(s, qcow2_cluster_of(s, *host), 1);
		return -EFBIG;
	}
	s->compressed_next = *host + len;
	return 0;
}

static uint64_t descriptor(const struct qcow2 *s, uint64_t host, size_t len)
{
	unsigned shift = 62 - (s->h.cluster_bits - 8);
	uint64_t sectors = ((host + len - 1) >> 9) - (host >> 9);

	return QCOW2_COMPRESSED | sectors << shift | host;
}

static int begin(struct qcow2 *s, size_t len, uint64_t guest, uint64_t *host)
{
	struct qcow2_slot slot;
	int rc;

	rc = qcow2_start_writing(s);
	if (!rc)
		rc = qcow2_make_room(s);
	if (!rc)
		rc = qcow2_l2_find(s, guest, &slot);
	if (rc)
		return rc;
	switch (qcow2_kind(&s->h, slot.entry)) {
	case QCOW2_KIND_HOLE:
	case QCOW2_KIND_ZERO:
		return reserve(s, len, host);
	default:
		return -EEXIST;
	}
}

static int end(struct qcow2 *s, size_t len, uint64_t guest, uint64_t host,
	       int rc)
{
	uint64_t first = qcow2_cluster_of(s, host);
	uint64_t last = qcow2_cluster_of(s, host + len - 1);
	struct qcow2_slot slot;

	if (!rc)
		rc = qcow2_l2_find_writable(s, guest, &slot);
	if (rc) {
		qcow2_unalloc(s, first, last - first + 1);
		s->compressed_next = 0;
		return rc;
	}
	qcow2_l2_set(s, &slot, descriptor(s, host, len), 0);
	s->compressed_tail = true;
	return 0;
}

int qcow2_write_compressed(struct img *img, const void *data, size_t data_len,
			   uint64_t offset)
{
	struct qcow2 *s = img->state;
	struct rangelock_held held;
	uint64_t host = 0;
	int rc;

	rangelock_take(&s->ranges, &held, offset, offset + s->h.cluster_size,
		       true);
	pthread_mutex_lock(&s->lock);
	rc = begin(s, data_len, offset, &host);
	pthread_mutex_unlock(&s->lock);
	if (!rc) {
		rc = img_write(s->file, data, data_len, host);
		atomic_fetch_add_explicit(&s->unflushed, data_len,
					  memory_order_relaxed);
		pthread_mutex_lock(&s->lock);
		rc = end(s, data_len, offset, host, rc);
		pthread_mutex_unlock(&s->lock);
	}
	rangelock_drop(&s->ranges, &held);
	return rc;
}
