/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostio.c - bad answers of the kernel: targets of the linker's --wrap. */
#include "tests/lib/hostio.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

static struct hostio now;
static _Atomic uint64_t n_calls;

uint64_t hostio_set(const struct hostio *h)
{
	now = h ? *h : (struct hostio){ 0 };
	return atomic_exchange(&n_calls, 0);
}

static bool fails(void)
{
	uint64_t n = atomic_fetch_add(&n_calls, 1) + 1;

	if (now.interrupt && n % now.interrupt == 0) {
		errno = EINTR;
		return true;
	}
	if (!now.fail_nth || n != now.fail_nth)
		return false;
	errno = now.errnum;
	return true;
}

static size_t part(size_t len)
{
	return now.most && len > now.most ? now.most : len;
}

ssize_t __real_pread64(int fd, void *p, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *p, size_t len, off_t at);
ssize_t __real_pwrite64(int fd, const void *p, size_t len, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t len, off_t at);
int __real_ftruncate64(int fd, off_t len);
int __wrap_ftruncate64(int fd, off_t len);
int __real_fallocate64(int fd, int mode, off_t at, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t len);
off_t __real_lseek64(int fd, off_t at, int whence);
off_t __wrap_lseek64(int fd, off_t at, int whence);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

ssize_t __wrap_pread64(int fd, void *p, size_t len, off_t at)
{
	return fails() ? -1 : __real_pread64(fd, p, part(len), at);
}

ssize_t __wrap_pwrite64(int fd, const void *p, size_t len, off_t at)
{
	return fails() ? -1 : __real_pwrite64(fd, p, part(len), at);
}

int __wrap_ftruncate64(int fd, off_t len)
{
	return fails() ? -1 : __real_ftruncate64(fd, len);
}

int __wrap_fallocate64(int fd, int mode, off_t at, off_t len)
{
	if (fails())
		return -1;
	if (now.no_fallocate) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_fallocate64(fd, mode, at, len);
}

/* Not counted: what it answers is a hint. */
off_t __wrap_lseek64(int fd, off_t at, int whence)
{
	if (now.no_holes && (whence == SEEK_DATA || whence == SEEK_HOLE)) {
		errno = EINVAL;
		return -1;
	}
	return __real_lseek64(fd, at, whence);
}

int __wrap_fdatasync(int fd)
{
	return fails() ? -1 : __real_fdatasync(fd);
}
