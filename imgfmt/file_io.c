/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file_io.c - reading and writing host files, with and without O_DIRECT.
 *
 * O_DIRECT wants memory, offset and length aligned.  What is not goes through a
 * bounce buffer; a write that covers part of a block reads it, changes it and
 * writes it back, alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "file.h"

/* Largest bounce buffer, bytes. */
#define BOUNCE (1u << 20)

/* Linux transfers at most this much at a time. */
#define MAX_TRANSFER 0x7ffff000u

/* Pieces of memory that one call is given; it may be at most 1024. */
#define PIECES 256u

int file_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, min_u64(len, MAX_TRANSFER),
				  (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n) {
			memset(p, 0, len);
			return 0;
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, min_u64(len, MAX_TRANSFER),
				   (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_preadv(int fd, struct vec *at, uint64_t len, uint64_t offset)
{
	struct iovec list[PIECES];

	while (len) {
		uint64_t want = len;
		unsigned n = vec_list(*at, &want, list, PIECES);
		ssize_t got = preadv(fd, list, (int)n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got) {
			vec_zero(at, len);
			return 0;
		}
		vec_skip(at, (uint64_t)got);
		offset += (uint64_t)got;
		len -= (uint64_t)got;
	}
	return 0;
}

int file_pwritev(int fd, struct vec *at, uint64_t len, uint64_t offset)
{
	struct iovec list[PIECES];

	while (len) {
		uint64_t want = len;
		unsigned n = vec_list(*at, &want, list, PIECES);
		ssize_t put = pwritev(fd, list, (int)n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (!put)
			return -EIO;
		vec_skip(at, (uint64_t)put);
		offset += (uint64_t)put;
		len -= (uint64_t)put;
	}
	return 0;
}

/* All three aligned.  A read that ends inside a block has met the end of the
 * file, and must not go on from there.
 */
static int direct_read(const struct file *f, uint8_t *p, size_t len,
		       uint64_t offset)
{
	while (len) {
		ssize_t n = pread(f->fd, p, min_u64(len, MAX_TRANSFER &
					~(f->align - 1)), (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
		if (!n || (uint64_t)n & (f->align - 1)) {
			memset(p, 0, len);
			return 0;
		}
	}
	return 0;
}

static bool is_aligned(const struct file *f, const void *buf, uint64_t len,
		       uint64_t offset)
{
	return !(((uintptr_t)buf & (BUF_ALIGN - 1)) |
		 ((offset | len) & (f->align - 1)));
}

/* A buffer for the blocks around [offset, offset + len), or a part of them. */
static uint8_t *bounce_alloc(const struct file *f, uint64_t len,
			     uint64_t offset, size_t *size)
{
	uint64_t want = round_up(offset + len, f->align) -
			round_down(offset, f->align);

	*size = (size_t)min_u64(want, max_u64(BOUNCE, f->align));
	return buf_alloc(*size);
}

static int bounce_read(const struct file *f, uint8_t *buf, size_t len,
		       uint64_t offset)
{
	size_t size;
	uint8_t *bounce = bounce_alloc(f, len, offset, &size);
	int rc = 0;

	if (!bounce)
		return -ENOMEM;
	while (len && !rc) {
		size_t skip = (size_t)(offset & (f->align - 1));
		size_t n = (size_t)min_u64(len, size - skip);

		rc = direct_read(f, bounce,
				 (size_t)round_up(skip + n, f->align),
				 offset - skip);
		if (!rc)
			memcpy(buf, bounce + skip, n);
		buf += n;
		offset += n;
		len -= n;
	}
	free(bounce);
	return rc;
}

int file_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct file *f = img->state;

	if (!(img->flags & IMG_DIRECT))
		return file_pread(f->fd, buf, len, offset);
	if (is_aligned(f, buf, len, offset))
		return direct_read(f, buf, len, offset);
	return bounce_read(f, buf, len, offset);
}

/* One bounce buffer of whole blocks, of which [skip, skip + n) is new. */
static int write_blocks(const struct file *f, uint8_t *bounce,
			const uint8_t *buf, size_t skip, size_t n,
			uint64_t offset)
{
	size_t blocks = (size_t)round_up(skip + n, f->align);
	size_t last = blocks - f->align;
	int rc = 0;

	if (skip || n < f->align)
		rc = direct_read(f, bounce, f->align, offset);
	if (!rc && last && skip + n < blocks)
		rc = direct_read(f, bounce + last, f->align, offset + last);
	if (rc)
		return rc;
	memcpy(bounce + skip, buf, n);
	return file_pwrite(f->fd, bounce, blocks, offset);
}

static int bounce_write(const struct file *f, const uint8_t *buf, size_t len,
			uint64_t offset)
{
	uint64_t end = offset + len, was, is;
	size_t size;
	uint8_t *bounce;
	int rc = file_length(f, &was);

	if (rc)
		return rc;
	bounce = bounce_alloc(f, len, offset, &size);
	if (!bounce)
		return -ENOMEM;
	while (len && !rc) {
		size_t skip = (size_t)(offset & (f->align - 1));
		size_t n = (size_t)min_u64(len, size - skip);

		rc = write_blocks(f, bounce, buf, skip, n, offset - skip);
		buf += n;
		offset += n;
		len -= n;
	}
	free(bounce);
	if (rc || f->device)
		return rc;
	/* Whole blocks went out: take back what nobody wrote. */
	end = max_u64(end, was);
	rc = file_length(f, &is);
	if (!rc && is > end && ftruncate(f->fd, (off_t)end))
		rc = -errno;
	return rc;
}

int file_write(struct img *img, const void *buf, size_t len, uint64_t offset)
{
	struct file *f = img->state;
	int rc;

	if (img->flags & IMG_DIRECT && !is_aligned(f, buf, len, offset)) {
		pthread_rwlock_wrlock(&f->lock);
		rc = bounce_write(f, buf, len, offset);
	} else {
		pthread_rwlock_rdlock(&f->lock);
		rc = file_pwrite(f->fd, buf, len, offset);
	}
	pthread_rwlock_unlock(&f->lock);
	atomic_store_explicit(&f->dirty, true, memory_order_relaxed);
	return rc;
}

/* With O_DIRECT each piece goes its own way: what is not aligned is rare. */

int file_readv(struct img *img, struct vec *at, size_t len, uint64_t offset)
{
	struct file *f = img->state;
	int rc = 0;

	if (!(img->flags & IMG_DIRECT))
		return file_preadv(f->fd, at, len, offset);
	while (len && !rc) {
		size_t n = vec_piece(at, len);

		rc = file_read(img, vec_step(at, n), n, offset);
		offset += n;
		len -= n;
	}
	return rc;
}

int file_writev(struct img *img, struct vec *at, size_t len, uint64_t offset)
{
	struct file *f = img->state;
	int rc = 0;

	if (!(img->flags & IMG_DIRECT)) {
		pthread_rwlock_rdlock(&f->lock);
		rc = file_pwritev(f->fd, at, len, offset);
		pthread_rwlock_unlock(&f->lock);
		atomic_store_explicit(&f->dirty, true, memory_order_relaxed);
		return rc;
	}
	while (len && !rc) {
		size_t n = vec_piece(at, len);

		rc = file_write(img, vec_step(at, n), n, offset);
		offset += n;
		len -= n;
	}
	return rc;
}
