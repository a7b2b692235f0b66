/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core.c - layers: making and ending them, and the data calls with what a
 * driver leaves out.
 *
 * Arguments are checked here once.  Locks: a driver without DRV_PARALLEL is
 * called with img->serial held; a layer's lock is taken before those of the
 * layers below it and of its backing files, never the other way round.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "driver.h"

/* Zeroes are written from a buffer of this size if a driver has no zero(). */
#define ZERO_CHUNK (256u << 10)

int img_layer_new(const struct img_driver *drv, struct img *below,
		  const char *name, unsigned flags, struct img **out,
		  struct err *e)
{
	struct img *img = calloc(1, sizeof(*img));

	if (!img)
		return fail(e, ENOMEM, "out of memory");
	img->drv = drv;
	img->below = below;
	img->flags = flags;
	img->block_size = 512;
	img->name = strdup(name ? name : "");
	img->state = calloc(1, drv->state_size ? drv->state_size : 1);
	if (!img->name || !img->state) {
		free(img->name);
		free(img->state);
		free(img);
		return fail(e, ENOMEM, "out of memory");
	}
	pthread_mutex_init(&img->serial, NULL);
	*out = img;
	return 0;
}

void img_layer_free(struct img *img)
{
	if (!img)
		return;
	pthread_mutex_destroy(&img->serial);
	free(img->backing_name);
	free(img->backing_format);
	free(img->name);
	free(img->state);
	free(img);
}

int img_close_layer(struct img *img, struct err *e)
{
	int rc;

	rc = img->drv->close ? img->drv->close(img, e) : 0;
	/* Backing files were only read: what their closing says is about
	 * nothing that could be lost.
	 */
	img_close(img->backing, NULL);
	img_layer_free(img);
	return rc;
}

int img_close(struct img *img, struct err *e)
{
	int rc = 0;

	while (img) {
		struct img *below = img->below;
		int one = img_close_layer(img, rc ? NULL : e);

		if (!rc)
			rc = one;
		img = below;
	}
	return rc;
}

void img_spoil(struct img *img)
{
	for (; img; img = img->below)
		img->spoiled = true;
}

uint64_t img_size(const struct img *img)
{
	return img->size;
}

uint32_t img_block_size(const struct img *img)
{
	return img->block_size;
}

const char *img_format(const struct img *img)
{
	return img->drv->name;
}

const char *img_name(const struct img *img)
{
	return img->name;
}

unsigned img_flags(const struct img *img)
{
	return img->flags;
}

struct img *img_backing(const struct img *img)
{
	return img->backing;
}

struct img *img_below(const struct img *img)
{
	return img->below;
}

bool img_in_order(const struct img *img)
{
	return img->in_order;
}

int img_take(struct img *img, uint64_t window, struct img_batch *batch,
	     struct err *e)
{
	batch->n = 0;
	batch->packed_len = 0;
	return img->drv->take(img, window, batch, e);
}

int img_unpack(struct img *img, const struct img_batch *batch, size_t i,
	       void *buf)
{
	return img->drv->unpack(img, batch, i, buf);
}

void img_batch_free(struct img_batch *batch)
{
	free(batch->runs);
	free(batch->packed);
	*batch = (struct img_batch){ 0 };
}

static void layer_lock(struct img *img)
{
	if (!(img->drv->flags & DRV_PARALLEL))
		pthread_mutex_lock(&img->serial);
}

static void layer_unlock(struct img *img)
{
	if (!(img->drv->flags & DRV_PARALLEL))
		pthread_mutex_unlock(&img->serial);
}

static bool range_ok(const struct img *img, uint64_t len, uint64_t offset)
{
	if (img->drv->flags & DRV_GROWS)
		return in_range(offset, len, INT64_MAX);
	return in_range(offset, len, img->size);
}

static int writable_range(const struct img *img, uint64_t len, uint64_t offset)
{
	if (!(img->flags & IMG_WRITE))
		return -EROFS;
	return range_ok(img, len, offset) ? 0 : -ERANGE;
}

static int read_layer(struct img *img, void *buf, size_t len, uint64_t offset)
{
	int rc;

	layer_lock(img);
	rc = img->drv->read(img, buf, len, offset);
	layer_unlock(img);
	return rc;
}

static int readv_layer(struct img *img, struct vec *at, size_t len,
		       uint64_t offset)
{
	size_t n = vec_piece(at, len), done;
	int rc = 0;

	if (n < len && img->drv->readv) {
		layer_lock(img);
		rc = img->drv->readv(img, at, len, offset);
		layer_unlock(img);
		return rc;
	}
	for (done = 0; done < len && !rc; done += n) {
		n = vec_piece(at, len - done);
		rc = read_layer(img, vec_step(at, n), n, offset + done);
	}
	return rc;
}

int img_map_layer(struct img *img, uint64_t offset, uint64_t len,
		  struct img_extent *ext)
{
	int rc = 0;

	*ext = (struct img_extent){ .offset = offset, .len = len, .fd = -1 };
	if (!len || !range_ok(img, len, offset))
		return -ERANGE;
	if (img->in_order)
		return -ESPIPE;
	if (!img->drv->map)
		return 0;
	layer_lock(img);
	rc = img->drv->map(img, offset, len, ext);
	layer_unlock(img);
	/* Callers advance by it: a wrong one would loop or overrun. */
	if (!rc && (!ext->len || ext->len > len))
		rc = -EIO;
	return rc;
}

static int readv_backing(struct img *img, struct vec *at, size_t len,
			 uint64_t offset)
{
	struct img *backing = img->backing;
	size_t have = 0;
	int rc;

	if (backing && offset < backing->size)
		have = (size_t)min_u64(len, backing->size - offset);
	if (have) {
		rc = img_readv(backing, at, have, offset);
		if (rc)
			return rc;
	}
	vec_zero(at, len - have);
	return 0;
}

/* One layer of a chain: its own bytes, and the backing file's in its holes. */
static int read_chain(struct img *img, struct vec *at, size_t len,
		      uint64_t offset)
{
	struct img_extent ext;
	size_t n;
	int rc;

	while (len) {
		rc = img_map_layer(img, offset, len, &ext);
		if (rc)
			return rc;
		n = (size_t)ext.len;
		if (ext.flags & IMG_EXT_ZERO)
			vec_zero(at, n);
		else if (ext.flags & IMG_EXT_HOLE)
			rc = readv_backing(img, at, n, offset);
		else
			rc = readv_layer(img, at, n, offset);
		if (rc)
			return rc;
		offset += n;
		len -= n;
	}
	return 0;
}

int img_readv(struct img *img, struct vec *at, size_t len, uint64_t offset)
{
	if (!range_ok(img, len, offset))
		return -ERANGE;
	if (!len)
		return 0;
	if (img->in_order)
		return -ESPIPE;
	if (img->backing)
		return read_chain(img, at, len, offset);
	return readv_layer(img, at, len, offset);
}

int img_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return img_readv(img, &VEC_OF(buf, len), len, offset);
}

int img_read_backing(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return readv_backing(img, &VEC_OF(buf, len), len, offset);
}

bool img_reads_pieces(const struct img *img)
{
	for (; img; img = img->backing)
		for (const struct img *l = img; l; l = l->below)
			if (!l->drv->readv)
				return false;
	return true;
}

bool img_writes_pieces(const struct img *img)
{
	for (; img; img = img->below)
		if (!img->drv->writev)
			return false;
	return true;
}

static int after_write(struct img *img, int rc)
{
	if (!rc && img->flags & IMG_WRITETHROUGH)
		rc = img_flush(img);
	return rc;
}

int img_write(struct img *img, const void *buf, size_t len, uint64_t offset)
{
	int rc = writable_range(img, len, offset);

	if (rc || !len)
		return rc;
	if (!img->drv->write)
		return -EROFS;
	layer_lock(img);
	rc = img->drv->write(img, buf, len, offset);
	layer_unlock(img);
	return after_write(img, rc);
}

static int write_pieces(struct img *img, struct vec *at, size_t len,
			uint64_t offset)
{
	size_t done, n;
	int rc = 0;

	for (done = 0; done < len && !rc; done += n) {
		n = vec_piece(at, len - done);
		layer_lock(img);
		rc = img->drv->write(img, vec_step(at, n), n, offset + done);
		layer_unlock(img);
	}
	return rc;
}

int img_writev(struct img *img, struct vec *at, size_t len, uint64_t offset)
{
	int rc = writable_range(img, len, offset);

	if (rc || !len)
		return rc;
	if (!img->drv->write)
		return -EROFS;
	if (!img->drv->writev)
		return after_write(img, write_pieces(img, at, len, offset));
	layer_lock(img);
	rc = img->drv->writev(img, at, len, offset);
	layer_unlock(img);
	return after_write(img, rc);
}

static int write_zeroes(struct img *img, uint64_t len, uint64_t offset)
{
	size_t chunk = (size_t)min_u64(len, ZERO_CHUNK);
	uint8_t *zeroes;
	int rc = 0;

	if (!img->drv->write)
		return -EROFS;
	zeroes = buf_alloc(chunk);
	if (!zeroes)
		return -ENOMEM;
	memset(zeroes, 0, chunk);
	while (len && !rc) {
		size_t n = (size_t)min_u64(len, chunk);

		layer_lock(img);
		rc = img->drv->write(img, zeroes, n, offset);
		layer_unlock(img);
		offset += n;
		len -= n;
	}
	free(zeroes);
	return rc;
}

int img_write_zeroes(struct img *img, uint64_t len, uint64_t offset)
{
	int rc = writable_range(img, len, offset);

	if (rc || !len)
		return rc;
	return after_write(img, write_zeroes(img, len, offset));
}

int img_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags)
{
	int rc = writable_range(img, len, offset);

	if (rc || !len)
		return rc;
	if (img->drv->zero) {
		layer_lock(img);
		rc = img->drv->zero(img, len, offset, flags);
		layer_unlock(img);
	} else {
		rc = -ENOTSUP;
	}
	if (rc == -ENOTSUP && !(flags & IMG_ZERO_FAST))
		rc = write_zeroes(img, len, offset);
	return after_write(img, rc);
}

int img_discard(struct img *img, uint64_t len, uint64_t offset)
{
	int rc = writable_range(img, len, offset);

	if (rc || !len || !img->drv->discard)
		return rc;
	layer_lock(img);
	rc = img->drv->discard(img, len, offset);
	layer_unlock(img);
	return after_write(img, rc);
}

int img_flush(struct img *img)
{
	int rc;

	if (!(img->flags & IMG_WRITE))
		return 0;
	if (!img->drv->flush)
		return img->below ? img_flush(img->below) : 0;
	layer_lock(img);
	rc = img->drv->flush(img);
	layer_unlock(img);
	return rc;
}

int img_map(struct img *img, uint64_t offset, uint64_t len,
	    struct img_extent *ext)
{
	unsigned depth = 0;
	int rc;

	for (;;) {
		rc = img_map_layer(img, offset, len, ext);
		if (rc)
			return rc;
		ext->depth = depth;
		if (!(ext->flags & IMG_EXT_HOLE) || ext->flags & IMG_EXT_ZERO)
			return 0;
		len = ext->len;
		if (!img->backing) {
			ext->flags |= IMG_EXT_ZERO;
			return 0;
		}
		img = img->backing;
		depth++;
		/* Beyond the end of a short backing file lie zeroes which that
		 * file, by being short, provides.
		 */
		if (offset >= img->size) {
			*ext = (struct img_extent){
				.offset = offset, .len = len, .fd = -1,
				.flags = IMG_EXT_ZERO, .depth = depth,
			};
			return 0;
		}
		len = min_u64(len, img->size - offset);
	}
}

void img_locate(struct img *in, uint64_t offset, struct img_extent *ext)
{
	if (!in->drv->locate || in->drv->locate(in, offset, ext)) {
		ext->fd = -1;
		ext->fd_offset = 0;
		ext->fd_name = NULL;
	}
}

uint64_t img_length(struct img *img)
{
	return img->drv->length ? img->drv->length(img) : img->size;
}

int img_truncate(struct img *img, uint64_t size, struct err *e)
{
	if (!(img->flags & IMG_WRITE))
		return fail(e, EROFS, "%s is open read-only", img->name);
	if (!img->drv->truncate)
		return fail(e, ENOTSUP, "%s cannot change its size", img->name);
	return img->drv->truncate(img, size, e);
}

int img_resize(struct img *img, uint64_t size, const char *preallocation,
	       struct err *e)
{
	if (!(img->flags & IMG_WRITE))
		return fail(e, EROFS, "%s is open read-only", img->name);
	if (size > INT64_MAX - 511)
		return fail(e, EINVAL, "a size of %llu bytes is too large",
			    (unsigned long long)size);
	if (!img->drv->resize)
		return fail(e, ENOTSUP, "a %s image cannot be resized",
			    img->drv->name);
	return img->drv->resize(img, size, preallocation, e);
}

int img_check(struct img *img, struct img_check *check, struct err *e)
{
	if ((check->fix_leaks || check->fix_errors) &&
	    !(img->flags & IMG_WRITE))
		return fail(e, EROFS, "%s is open read-only", img->name);
	if (!img->drv->check)
		return fail(e, ENOTSUP,
			    "This image format does not support checks");
	return img->drv->check(img, check, e);
}

int img_verify(struct img *img, struct img_verify *verify, struct err *e)
{
	verify->has_digests = false;
	for (; img; img = img->below)
		if (img->drv->verify)
			return img->drv->verify(img, verify, e);
	return 0;
}

int img_info(struct img *img, struct img_info *info, struct err *e)
{
	*info = (struct img_info){
		.backing = img->backing_name,
		.backing_format = img->backing_format,
	};
	return img->drv->info ? img->drv->info(img, info, e) : 0;
}

int img_host_usage(const struct img *img, uint64_t *bytes)
{
	for (; img; img = img->below)
		if (img->drv->host_usage)
			return img->drv->host_usage(img, bytes);
	return -ENOTSUP;
}

uint32_t img_compress_unit(const struct img *img)
{
	return img->drv->write_compressed ? img->compress_unit : 0;
}

bool img_compress_only(const struct img *img)
{
	return img_compress_unit(img) && img->compress_only;
}

uint32_t img_compress_bound(const struct img *img)
{
	uint32_t unit = img_compress_unit(img);

	return unit && img->compress_bound ? img->compress_bound : unit;
}

struct img_codec {
	const struct img_driver *drv;
	void *state;
};

int img_codec_new(struct img *img, int level, struct img_codec **out,
		  struct err *e)
{
	struct img_codec *codec;
	int rc;

	if (!img_compress_unit(img))
		return fail(e, ENOTSUP, "a %s image cannot be compressed",
			    img->drv->name);
	codec = calloc(1, sizeof(*codec));
	if (!codec)
		return fail(e, ENOMEM, "out of memory");
	codec->drv = img->drv;
	rc = img->drv->codec_new(img, level, &codec->state, e);
	if (rc) {
		free(codec);
		return rc;
	}
	*out = codec;
	return 0;
}

void img_codec_free(struct img_codec *codec)
{
	if (!codec)
		return;
	codec->drv->codec_free(codec->state);
	free(codec);
}

int img_compress(struct img_codec *codec, const void *src, size_t len,
		 void *dst, size_t *dst_len)
{
	return codec->drv->compress(codec->state, src, len, dst, dst_len);
}

int img_write_compressed(struct img *img, const void *data, size_t data_len,
			 uint64_t offset)
{
	uint32_t unit = img_compress_unit(img);
	int rc;

	if (!unit)
		return -ENOTSUP;
	if (!data_len || offset % unit ||
	    data_len >= (size_t)img_compress_bound(img) + !!img->compress_bound)
		return -EINVAL;
	rc = writable_range(img, min_u64(unit, img->size - min_u64(offset,
				img->size)), offset);
	if (rc)
		return rc;
	if (offset >= img->size)
		return -ERANGE;
	layer_lock(img);
	rc = img->drv->write_compressed(img, data, data_len, offset);
	layer_unlock(img);
	return after_write(img, rc);
}
