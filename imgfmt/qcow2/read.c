/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read.c - reading guest data, and telling what lies where. */
#include <errno.h>
#include <string.h>

#include "state.h"

/* The lock is not held for longer than this many bytes' entries. */
#define MAX_COMPRESSED_EXTENT (64u << 20)

static int lookup(struct qcow2 *s, uint64_t offset, uint64_t len,
		  struct qcow2_run *run)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_lookup(s, offset, len, run);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* A host cluster that is wholly behind the end of the file has never been
 * written: the file is cut off.  The end may lie within a cluster.
 */
static int read_host(struct qcow2 *s, struct vec *at, uint64_t len,
		     uint64_t host)
{
	uint64_t file_len = atomic_load_explicit(&s->data_len,
						 memory_order_relaxed);
	uint64_t have;
	int rc;

	if (in_range(host, len, file_len))
		return img_readv(s->data, at, (size_t)len, host);
	file_len = img_length(s->data);
	atomic_store_explicit(&s->data_len, file_len, memory_order_relaxed);
	if (in_range(host, len, file_len))
		return img_readv(s->data, at, (size_t)len, host);
	if (!s->h.external_data) {
		have = round_up(file_len, s->h.cluster_size);
		if (!in_range(host, len, have))
			return -EUCLEAN;
	}
	have = host < file_len ? file_len - host : 0;
	rc = have ? img_readv(s->data, at, (size_t)have, host) : 0;
	if (!rc)
		vec_zero(at, len - have);
	return rc;
}

static int read_compressed(struct qcow2 *s, const struct qcow2_run *run,
			   struct vec *at, uint64_t offset)
{
	uint64_t done;
	size_t n;
	int rc = 0;

	/* The cluster stays unpacked from one piece to the next. */
	for (done = 0; done < run->len && !rc; done += n) {
		n = vec_piece(at, run->len - done);
		rc = qcow2_inflate_read(s, run->entry, vec_step(at, n), n,
					(uint32_t)((offset + done) &
						   (s->h.cluster_size - 1)));
	}
	return rc;
}

static int read_backing(struct qcow2 *s, struct vec *at, uint64_t len,
			uint64_t offset)
{
	uint64_t done;
	size_t n;
	int rc = 0;

	for (done = 0; done < len && !rc; done += n) {
		n = vec_piece(at, len - done);
		rc = img_read_backing(s->img, vec_step(at, n), n,
				      offset + done);
	}
	return rc;
}

static int read_run(struct qcow2 *s, const struct qcow2_run *run,
		    struct vec *at, uint64_t offset, bool backing)
{
	switch (run->kind) {
	case QCOW2_KIND_DATA:
		return read_host(s, at, run->len, run->host);
	case QCOW2_KIND_COMPRESSED:
		return read_compressed(s, run, at, offset);
	case QCOW2_KIND_HOLE:
		if (backing)
			return read_backing(s, at, run->len, offset);
		break;
	case QCOW2_KIND_ZERO:
	case QCOW2_KIND_ZERO_ALLOC:
		break;
	}
	vec_zero(at, run->len);
	return 0;
}

static int read_range(struct qcow2 *s, struct vec *at, uint64_t len,
		      uint64_t offset, bool backing)
{
	struct qcow2_run run;
	int rc;

	if (!s->data)
		return -ENOENT;
	while (len) {
		rc = lookup(s, offset, len, &run);
		if (!rc)
			rc = read_run(s, &run, at, offset, backing);
		if (rc)
			return rc;
		offset += run.len;
		len -= run.len;
	}
	return 0;
}

int qcow2_readv(struct img *img, struct vec *at, size_t len, uint64_t offset)
{
	struct qcow2 *s = img->state;
	struct rangelock_held held;
	int rc;

	/* Nothing is ever freed in an image that is only read. */
	if (!(img->flags & IMG_WRITE))
		return read_range(s, at, len, offset, false);
	rangelock_take(&s->ranges, &held, qcow2_cluster_start(s, offset),
		       round_up(offset + len, s->h.cluster_size), false);
	rc = read_range(s, at, len, offset, false);
	rangelock_drop(&s->ranges, &held);
	return rc;
}

int qcow2_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return qcow2_readv(img, &VEC_OF(buf, len), len, offset);
}

int qcow2_read_guest(struct qcow2 *s, void *buf, size_t len, uint64_t offset)
{
	uint64_t have = 0;

	if (offset < s->img->size)
		have = min_u64(len, s->img->size - offset);
	memset((uint8_t *)buf + have, 0, len - have);
	return have ? read_range(s, &VEC_OF(buf, have), have, offset, true) : 0;
}

/* Is the file much smaller on the host than it is long?  Then it is likely that
 * clusters were given places without being written, and worth asking the file.
 */
static bool is_sparse(struct qcow2 *s)
{
	int known = atomic_load_explicit(&s->sparse, memory_order_relaxed);
	uint64_t used, n;

	if (known)
		return known > 0;
	n = div_round_up(img_length(s->file), s->h.cluster_size);
	known = -1;
	if (!img_host_usage(s->file, &used)) {
		used /= s->h.cluster_size;
		known = n >= max_u64(used + 2, used + used / 9) ? 1 : -1;
	}
	atomic_store_explicit(&s->sparse, known, memory_order_relaxed);
	return known > 0;
}

/* A hole in the file, or what is beyond its end, reads as zeroes. */
static int map_data(struct qcow2 *s, uint64_t host, struct img_extent *ext)
{
	struct img_extent below;
	int rc;

	img_locate(s->data, host, ext);
	if (s->h.external_data || !is_sparse(s) ||
	    !in_range(host, ext->len, img_length(s->file)))
		return 0;
	rc = img_map(s->file, host, ext->len, &below);
	if (rc)
		return rc;
	ext->len = below.len;
	if (below.flags & IMG_EXT_ZERO)
		ext->flags |= IMG_EXT_ZERO;
	return 0;
}

/* Compressed clusters that follow each other are one extent. */
static int map_compressed(struct qcow2 *s, uint64_t len, struct img_extent *ext)
{
	struct qcow2_run run = { 0 };
	int rc = 0;

	ext->flags = IMG_EXT_COMPRESSED;
	pthread_mutex_lock(&s->lock);
	while (!rc && ext->len < len && ext->len < MAX_COMPRESSED_EXTENT) {
		rc = qcow2_lookup(s, ext->offset + ext->len, len - ext->len,
				  &run);
		if (rc || run.kind != QCOW2_KIND_COMPRESSED)
			break;
		ext->len += run.len;
	}
	pthread_mutex_unlock(&s->lock);
	/* The next call meets the error. */
	return 0;
}

int qcow2_map(struct img *img, uint64_t offset, uint64_t len,
	      struct img_extent *ext)
{
	struct qcow2 *s = img->state;
	struct qcow2_run run;
	int rc = lookup(s, offset, len, &run);

	if (rc)
		return rc;
	ext->len = run.len;
	if (run.kind == QCOW2_KIND_COMPRESSED)
		return map_compressed(s, len, ext);
	if (run.kind == QCOW2_KIND_DATA)
		return s->data ? map_data(s, run.host, ext) : 0;
	ext->flags = run.kind == QCOW2_KIND_HOLE ? IMG_EXT_HOLE : IMG_EXT_ZERO;
	/* A cluster may be kept, but its bytes are not what is read: say where
	 * it lies, and that it is not to be read there.
	 */
	if (run.has_host && s->data)
		img_locate(s->data, run.host, ext);
	ext->fd = -1;
	return 0;
}

int qcow2_locate(struct img *img, uint64_t offset, struct img_extent *ext)
{
	struct qcow2 *s = img->state;
	struct qcow2_run run;
	int rc = lookup(s, offset, 1, &run);

	if (rc)
		return rc;
	if (run.kind != QCOW2_KIND_DATA || !s->data)
		return -ENOTSUP;
	img_locate(s->data, run.host, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}
