/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.h - what the files of the host file layer share.  Internal to them. */
#ifndef IMGFMT_FILE_H
#define IMGFMT_FILE_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "driver.h"

struct file {
	int fd;
	bool device;		/* a block device, else a regular file */
	uint32_t align;		/* unit of O_DIRECT or of the device, bytes */
	uint64_t id[2];		/* st_dev and st_ino; st_rdev for a device */
	/* Writes share it; what sets the length or reads, changes and writes
	 * back a block excludes them.
	 */
	pthread_rwlock_t lock;
	atomic_bool dirty;	/* written since the last flush */
	/* After one failed fdatasync() the kernel forgets which pages were
	 * lost, and the next one would say that all is well.
	 */
	atomic_int flush_error;
	/* The host said that it cannot; do not ask again. */
	atomic_bool no_seek, no_punch, no_zero_range;
	/* The last run of data that map() found.  Only data is remembered: a
	 * hole that somebody fills meanwhile must not be told as zeroes.
	 */
	pthread_mutex_t map_lock;
	uint64_t data_start, data_end;
};

/* Whole transfers: 0 or -errno.  file_pread() zeroes what is beyond the end. */
int file_pread(int fd, void *buf, size_t len, uint64_t offset);
int file_pwrite(int fd, const void *buf, size_t len, uint64_t offset);

/* The same for pieces. */
int file_preadv(int fd, struct vec *at, uint64_t len, uint64_t offset);
int file_pwritev(int fd, struct vec *at, uint64_t len, uint64_t offset);

/* Driver calls, in file_io.c and file_zero.c. */
int file_read(struct img *img, void *buf, size_t len, uint64_t offset);
int file_write(struct img *img, const void *buf, size_t len, uint64_t offset);
int file_readv(struct img *img, struct vec *at, size_t len, uint64_t offset);
int file_writev(struct img *img, struct vec *at, size_t len, uint64_t offset);
int file_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags);
int file_discard(struct img *img, uint64_t len, uint64_t offset);

/* Length of the regular file or device now, or -errno. */
int file_length(const struct file *f, uint64_t *len);

/* Forget the remembered run of data: some of it may be a hole now. */
void file_forget_map(struct file *f);

#endif
