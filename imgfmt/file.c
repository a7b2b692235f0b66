/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.c - the bottom layer for host files and block devices: opening, length,
 * map, flush.
 *
 * A regular file grows when a format writes beyond its end and reads as zeroes
 * there; a device has the size it has.  Data calls run in parallel; the locks
 * in struct file say what they exclude.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "drivers.h"
#include "lock.h"

/* Safe for O_DIRECT on any file system that does not tell its own unit. */
#define DIRECT_ALIGN 4096u

int file_length(const struct file *f, uint64_t *len)
{
	struct stat st;

	if (f->device)
		return ioctl(f->fd, BLKGETSIZE64, len) ? -errno : 0;
	if (fstat(f->fd, &st))
		return -errno;
	*len = (uint64_t)st.st_size;
	return 0;
}

static uint64_t layer_length(struct img *img)
{
	uint64_t len;

	return file_length(img->state, &len) ? img->size : len;
}

void file_forget_map(struct file *f)
{
	pthread_mutex_lock(&f->map_lock);
	f->data_start = f->data_end = 0;
	pthread_mutex_unlock(&f->map_lock);
}

static bool known_data(struct file *f, uint64_t offset, uint64_t *end)
{
	bool known;

	pthread_mutex_lock(&f->map_lock);
	known = offset >= f->data_start && offset < f->data_end;
	*end = f->data_end;
	pthread_mutex_unlock(&f->map_lock);
	return known;
}

static void remember_data(struct file *f, uint64_t start, uint64_t end)
{
	pthread_mutex_lock(&f->map_lock);
	f->data_start = start;
	f->data_end = end;
	pthread_mutex_unlock(&f->map_lock);
}

static int locate(struct img *img, uint64_t offset, struct img_extent *ext)
{
	struct file *f = img->state;

	/* Who uses the descriptor does not expect O_DIRECT's rules. */
	if (img->flags & IMG_DIRECT)
		return -ENOTSUP;
	ext->fd = f->fd;
	ext->fd_offset = offset;
	ext->fd_name = img->name;
	return 0;
}

/* No data follows: a hole up to the end of the file, and zeroes beyond. */
static int map_tail(struct img *img, uint64_t offset, struct img_extent *ext)
{
	ext->flags = IMG_EXT_ZERO | IMG_EXT_HOLE;
	locate(img, offset, ext);
	return 0;
}

/* A device, or a file system that cannot tell: all of it is data. */
static int map_blind(struct img *img, uint64_t offset, uint64_t len,
		     struct img_extent *ext)
{
	uint64_t end;
	int rc = file_length(img->state, &end);

	if (rc)
		return rc;
	if (offset >= end)
		return map_tail(img, offset, ext);
	ext->len = min_u64(len, end - offset);
	locate(img, offset, ext);
	return 0;
}

static int map(struct img *img, uint64_t offset, uint64_t len,
	       struct img_extent *ext)
{
	struct file *f = img->state;
	uint64_t end;
	off_t pos;

	if (f->device || atomic_load(&f->no_seek))
		return map_blind(img, offset, len, ext);
	if (known_data(f, offset, &end)) {
		ext->len = min_u64(len, end - offset);
		locate(img, offset, ext);
		return 0;
	}
	pos = lseek(f->fd, (off_t)offset, SEEK_DATA);
	if (pos < 0 && errno == ENXIO)
		return map_tail(img, offset, ext);
	if (pos < 0) {
		atomic_store(&f->no_seek, true);
		return map_blind(img, offset, len, ext);
	}
	if ((uint64_t)pos > offset) {
		ext->flags = IMG_EXT_ZERO | IMG_EXT_HOLE;
		ext->len = min_u64(len, (uint64_t)pos - offset);
		locate(img, offset, ext);
		return 0;
	}
	pos = lseek(f->fd, (off_t)offset, SEEK_HOLE);
	if (pos < 0 && errno == ENXIO)		/* cut off meanwhile */
		return map_tail(img, offset, ext);
	if (pos < 0)
		return -errno;
	if ((uint64_t)pos > offset) {
		remember_data(f, offset, (uint64_t)pos);
		ext->len = min_u64(len, (uint64_t)pos - offset);
	}	/* else punched meanwhile: "data" is true of a hole as well */
	locate(img, offset, ext);
	return 0;
}

static int flush(struct img *img)
{
	struct file *f = img->state;
	int rc = -atomic_load(&f->flush_error);

	if (rc || img->flags & IMG_NO_FLUSH)
		return rc;
	atomic_store(&f->dirty, false);
	while (fdatasync(f->fd)) {
		if (errno == EINTR)
			continue;
		rc = -errno;
		atomic_store(&f->flush_error, -rc);
		break;
	}
	return rc;
}

static int close_file(struct img *img, struct err *e)
{
	struct file *f = img->state;
	int rc = -atomic_load(&f->flush_error);

	if (!rc && atomic_load(&f->dirty))
		rc = flush(img);
	if (rc)
		fail_rc(e, rc, "%s: cannot flush", img->name);
	if (close(f->fd) && !rc && errno != EINTR)
		rc = fail_rc(e, -errno, "%s: cannot close", img->name);
	pthread_rwlock_destroy(&f->lock);
	pthread_mutex_destroy(&f->map_lock);
	return rc;
}

static int truncate_file(struct img *img, uint64_t size, struct err *e)
{
	struct file *f = img->state;
	int rc;

	if (f->device)
		return fail(e, ENOTSUP, "%s is a device: its size cannot be "
			    "changed", img->name);
	if (size > INT64_MAX)
		return fail(e, EFBIG, "%s: a size of %llu bytes is too large",
			    img->name, (unsigned long long)size);
	pthread_rwlock_wrlock(&f->lock);
	file_forget_map(f);
	do
		rc = ftruncate(f->fd, (off_t)size) ? -errno : 0;
	while (rc == -EINTR);
	pthread_rwlock_unlock(&f->lock);
	if (rc)
		return fail_rc(e, rc, "%s: cannot set the size to %llu bytes",
			       img->name, (unsigned long long)size);
	atomic_store(&f->dirty, true);
	img->size = size;
	return 0;
}

static int host_usage(const struct img *img, uint64_t *bytes)
{
	const struct file *f = img->state;
	struct stat st;

	if (fstat(f->fd, &st))
		return -errno;
	*bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}

static int host_id(const struct img *img, uint64_t id[2])
{
	const struct file *f = img->state;

	id[0] = f->id[0];
	id[1] = f->id[1];
	return 0;
}

const struct img_driver img_file_driver = {
	.name = "file",
	.state_size = sizeof(struct file),
	.flags = DRV_PARALLEL | DRV_GROWS,
	.close = close_file,
	.read = file_read,
	.write = file_write,
	.readv = file_readv,
	.writev = file_writev,
	.zero = file_zero,
	.discard = file_discard,
	.flush = flush,
	.map = map,
	.locate = locate,
	.length = layer_length,
	.truncate = truncate_file,
	.host_usage = host_usage,
	.host_id = host_id,
};

/* The same, but of fixed size. */
static const struct img_driver device_driver = {
	.name = "host_device",
	.state_size = sizeof(struct file),
	.flags = DRV_PARALLEL,
	.close = close_file,
	.read = file_read,
	.write = file_write,
	.readv = file_readv,
	.writev = file_writev,
	.zero = file_zero,
	.discard = file_discard,
	.flush = flush,
	.map = map,
	.locate = locate,
	.length = layer_length,
	.host_usage = host_usage,
	.host_id = host_id,
};

/* What a user can have named instead of an image. */
static int check_type(const struct stat *st, const char *name, struct err *e)
{
	const char *what = "not a file";

	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		what = "a directory";
	else if (S_ISFIFO(st->st_mode))
		what = "a pipe";
	else if (S_ISSOCK(st->st_mode))
		what = "a socket";
	else if (S_ISCHR(st->st_mode))
		what = "a character device";
	return fail(e, S_ISDIR(st->st_mode) ? EISDIR : EINVAL,
		    "'%s' is %s; an image must be a regular file or a block "
		    "device", name, what);
}

/* The unit that O_DIRECT wants for offsets and lengths. */
static uint32_t direct_align(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (!syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) &&
	    sx.stx_mask & STATX_DIOALIGN && is_pow2(sx.stx_dio_offset_align))
		return sx.stx_dio_offset_align;
#endif
	return DIRECT_ALIGN;
}

static int set_flags(int fd, unsigned flags, const char *name, struct err *e)
{
	int fl = fcntl(fd, F_GETFL), mode = fl & O_ACCMODE;

	if (fl < 0)
		return fail_rc(e, -errno, "'%s'", name);
	if (mode == O_WRONLY || (flags & IMG_WRITE && mode != O_RDWR))
		return fail(e, EBADF, "'%s' is not open for %s", name,
			    mode == O_WRONLY ? "reading" : "writing");
	fl &= ~O_NONBLOCK;
	if (flags & IMG_DIRECT)
		fl |= O_DIRECT;
	if (fcntl(fd, F_SETFL, fl)) {
		if (errno == EINVAL && flags & IMG_DIRECT)
			return fail(e, EINVAL, "Could not open '%s': its file "
				    "system does not support O_DIRECT", name);
		return fail_rc(e, -errno, "'%s'", name);
	}
	return 0;
}

static int init(struct img *img, int fd, const struct stat *st, struct err *e)
{
	struct file *f = img->state;
	int sector = 512, rc;

	f->fd = fd;
	f->device = S_ISBLK(st->st_mode);
	f->id[0] = f->device ? UINT64_MAX : st->st_dev;
	f->id[1] = f->device ? st->st_rdev : st->st_ino;
	f->align = 1;
	rc = file_length(f, &img->size);
	if (rc)
		return fail_rc(e, rc, "'%s': cannot find its size", img->name);
	if (f->device && !ioctl(fd, BLKSSZGET, &sector) && sector > 0 &&
	    is_pow2((uint64_t)sector))
		f->align = (uint32_t)sector;
	else if (img->flags & IMG_DIRECT)
		f->align = direct_align(fd);
	img->block_size = (uint32_t)max_u64(f->align, 4096);
	return 0;
}

int img_file_fd(int fd, const char *name, unsigned flags, struct img **out,
		struct err *e)
{
	pthread_rwlockattr_t attr;
	struct img *img;
	struct file *f;
	struct stat st;
	int rc;

	if (fstat(fd, &st))
		return fail_rc(e, -errno, "'%s'", name);
	rc = check_type(&st, name, e);
	if (!rc)
		rc = set_flags(fd, flags, name, e);
	if (!rc)
		rc = lock_file(fd, name, flags, e);
	if (rc)
		return rc;
	rc = img_layer_new(S_ISBLK(st.st_mode) ? &device_driver
			   : &img_file_driver, NULL, name, flags, &img, e);
	if (rc)
		goto unlock;
	rc = init(img, fd, &st, e);
	if (rc) {
		img_layer_free(img);
		goto unlock;
	}
	f = img->state;
	pthread_mutex_init(&f->map_lock, NULL);
	/* Or a steady stream of writes would starve the excluding side. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
			PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&f->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	*out = img;
	return 0;
unlock:
	lock_drop(fd);
	return rc;
}

int img_file_open(const char *path, unsigned flags, struct img **out,
		  struct err *e)
{
	int mode = flags & IMG_WRITE ? O_RDWR : O_RDONLY;
	struct stat st;
	int fd, rc;

	/* Look first: opening some devices has effects of its own. */
	if (stat(path, &st))
		return fail_rc(e, -errno, "Could not open '%s'", path);
	rc = check_type(&st, path, e);
	if (rc)
		return rc;
	/* Without waiting, should it have become a pipe by now. */
	fd = open(path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail_rc(e, -errno, "Could not open '%s'", path);
	rc = img_file_fd(fd, path, flags, out, e);
	if (rc)
		close(fd);
	return rc;
}
