/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file_zero.c - zeroing and discarding ranges of host files and devices.
 *
 * What the host cannot do is answered with -ENOTSUP, and the core writes
 * zeroes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "file.h"

/* 0, -errno, or -ENOTSUP when the host does not know the mode; *no then
 * remembers it.
 */
static int try_fallocate(struct file *f, int mode, uint64_t len,
			 uint64_t offset, atomic_bool *no)
{
	int rc;

	if (no && atomic_load(no))
		return -ENOTSUP;
	do
		rc = fallocate(f->fd, mode, (off_t)offset, (off_t)len) ?
			-errno : 0;
	while (rc == -EINTR);
	/* Block devices say EINVAL or ENODEV where files say EOPNOTSUPP. */
	if (rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -ENODEV ||
	    (f->device && rc == -EINVAL)) {
		if (no)
			atomic_store(no, true);
		rc = -ENOTSUP;
	}
	return rc;
}

static int punch(struct file *f, uint64_t len, uint64_t offset)
{
	return try_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, len,
			     offset, &f->no_punch);
}

static int zero_range(struct file *f, uint64_t len, uint64_t offset)
{
	return try_fallocate(f, FALLOC_FL_ZERO_RANGE, len, offset,
			     &f->no_zero_range);
}

/* Zeroes that stay allocated. */
static int zero_keep(struct file *f, uint64_t len, uint64_t offset)
{
	int rc = zero_range(f, len, offset);

	if (rc == -ENOTSUP)
		rc = punch(f, len, offset);
	/* Zeroing leaves holes where the ends of the range share a block of the
	 * file system with a hole.
	 */
	if (!rc)
		rc = try_fallocate(f, 0, len, offset, NULL);
	return rc;
}

/* Make the file reach to `end`: what is added is a hole. */
static int extend(struct file *f, uint64_t end)
{
	uint64_t len;
	int rc = file_length(f, &len);

	if (!rc && len < end && ftruncate(f->fd, (off_t)end))
		rc = -errno;
	return rc;
}

static int zero_unmap(struct file *f, uint64_t len, uint64_t offset)
{
	uint64_t was, n = len;
	int rc = file_length(f, &was);

	if (rc)
		return rc;
	n = min_u64(len, was - min_u64(offset, was));
	if (n) {
		rc = punch(f, n, offset);
		if (rc == -ENOTSUP)
			rc = zero_range(f, n, offset);
	}
	return rc ? rc : extend(f, offset + len);
}

/* The sectors that lie whole inside a range. */
static bool whole_sectors(const struct file *f, uint64_t len, uint64_t offset,
			  uint64_t range[2])
{
	uint64_t start = round_up(offset, f->align);
	uint64_t end = round_down(offset + len, f->align);

	range[0] = start;
	range[1] = end > start ? end - start : 0;
	return end > start;
}

static int write_edge(struct img *img, uint64_t from, uint64_t to)
{
	size_t len = (size_t)(to - from);
	uint8_t *zeroes;
	int rc;

	if (!len)
		return 0;
	zeroes = calloc(1, len);
	if (!zeroes)
		return -ENOMEM;
	rc = file_write(img, zeroes, len, from);
	free(zeroes);
	return rc;
}

static int zero_device(struct img *img, uint64_t len, uint64_t offset,
		       unsigned flags)
{
	struct file *f = img->state;
	uint64_t range[2];
	int rc;

	if (!whole_sectors(f, len, offset, range))
		return -ENOTSUP;
	/* Punching unmaps where the device then reads zeroes, and never falls
	 * back to writing.
	 */
	rc = flags & IMG_ZERO_KEEP ? -ENOTSUP : punch(f, range[1], range[0]);
	if (rc == -ENOTSUP && !(flags & IMG_ZERO_FAST))
		rc = ioctl(f->fd, BLKZEROOUT, range) ? -errno : 0;
	if (rc == -ENOTTY || rc == -EOPNOTSUPP || rc == -EINVAL)
		rc = -ENOTSUP;
	if (!rc)
		rc = write_edge(img, offset, range[0]);
	if (!rc)
		rc = write_edge(img, range[0] + range[1], offset + len);
	return rc;
}

/* Beside other writes, or alone when the length will change. */
static void lock_for(struct file *f, uint64_t end)
{
	uint64_t len;

	pthread_rwlock_rdlock(&f->lock);
	if (!file_length(f, &len) && len >= end)
		return;		/* while we share it, it only grows */
	pthread_rwlock_unlock(&f->lock);
	pthread_rwlock_wrlock(&f->lock);
}

int file_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags)
{
	struct file *f = img->state;
	int rc;

	atomic_store(&f->dirty, true);
	if (f->device)
		return zero_device(img, len, offset, flags);
	lock_for(f, offset + len);
	file_forget_map(f);
	rc = flags & IMG_ZERO_KEEP ? zero_keep(f, len, offset)
				   : zero_unmap(f, len, offset);
	pthread_rwlock_unlock(&f->lock);
	return rc;
}

/* A hint: what the host cannot discard stays. */
int file_discard(struct img *img, uint64_t len, uint64_t offset)
{
	struct file *f = img->state;
	uint64_t range[2];
	int rc = 0;

	atomic_store(&f->dirty, true);
	if (f->device) {
		if (whole_sectors(f, len, offset, range) &&
		    ioctl(f->fd, BLKDISCARD, range))
			rc = -errno;
		return rc == -EOPNOTSUPP || rc == -ENOTTY ? 0 : rc;
	}
	pthread_rwlock_rdlock(&f->lock);
	file_forget_map(f);
	rc = punch(f, len, offset);
	pthread_rwlock_unlock(&f->lock);
	return rc == -ENOTSUP ? 0 : rc;
}
