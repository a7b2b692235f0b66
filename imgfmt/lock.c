/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - QEMU's lock bytes, as QEMU 7.2 takes them.
 *
 * A program has a shared lock on byte 100 + P for each permission P it uses,
 * and on byte 200 + P for each one it does not want others to use.  After
 * taking its own it tests the opposite bytes; so of two that come at once both
 * may fail, but never both succeed.  The bytes need not exist in the file.
 */
#include "lock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum perm { CONSISTENT_READ, WRITE, WRITE_UNCHANGED, RESIZE, N_PERMS };

static const char *const perm_name[N_PERMS] = {
	"consistent read", "write", "write unchanged", "resize",
};

#define USED_BYTE 100
#define UNSHARED_BYTE 200

/* What is used and what is not shared, as bits 1 << perm. */
struct want {
	unsigned used, unshared;
};

/* Like qemu-img with a format that keeps metadata: nobody else may write. */
static struct want want_of(unsigned flags)
{
	struct want w = {
		.used = 1u << CONSISTENT_READ,
		.unshared = 1u << WRITE | 1u << RESIZE,
	};

	if (flags & IMG_WRITE)
		w.used |= 1u << WRITE | 1u << RESIZE;
	else if (flags & IMG_SHARE)
		w.unshared = 0;
	return w;
}

static int set_lock(int fd, short type, off_t byte, off_t len)
{
	struct flock fl = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = byte,
		.l_len = len,
	};

	while (fcntl(fd, F_OFD_SETLK, &fl))
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Does anybody else hold a lock on this byte?  1, 0 or -errno; `pid` is 0 where
 * the kernel does not say, as for locks of this kind.
 */
static int other_holds(int fd, off_t byte, pid_t *pid)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte,
		.l_len = 1,
	};

	if (fcntl(fd, F_OFD_GETLK, &fl))
		return -errno;
	*pid = fl.l_pid > 0 ? fl.l_pid : 0;
	return fl.l_type != F_UNLCK;
}

/* Does /proc/PID/fdinfo/FD tell of a lock on `byte`?  A line of it reads
 * "lock:\t1: OFDLCK ADVISORY  READ -1 fe:00:123 100 101", or "EOF" at the end.
 */
static bool fdinfo_has(const char *path, off_t byte)
{
	FILE *f = fopen(path, "re");
	char line[256];
	bool has = false;

	while (f && !has && fgets(line, sizeof(line), f)) {
		long long first, last;
		int at = 0;

		if (sscanf(line, "lock: %*s %*s %*s %*s %*s %*s %lld %n",
			   &first, &at) < 1 || !at)
			continue;
		if (sscanf(line + at, "%lld", &last) < 1)
			last = INT64_MAX;
		has = byte >= first && byte <= last;
	}
	if (f)
		fclose(f);
	return has;
}

/* Does process `pid` hold a lock on `byte` of the file `st`, by another open
 * file than our `fd`?
 */
static bool process_holds(pid_t pid, int fd, const struct stat *st, off_t byte)
{
	bool holds = false;
	struct dirent *d;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	while (dir && !holds && (d = readdir(dir))) {
		int their_fd = atoi(d->d_name);
		struct stat other;

		if (!isdigit((unsigned char)d->d_name[0]) ||
		    (pid == getpid() && their_fd == fd) ||
		    fstatat(dirfd(dir), d->d_name, &other, 0) ||
		    other.st_dev != st->st_dev || other.st_ino != st->st_ino)
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/fdinfo/%d", (long)pid,
			 their_fd);
		holds = fdinfo_has(path, byte);
	}
	if (dir)
		closedir(dir);
	return holds;
}

/* The process that holds `byte`, as far as /proc lets us see: 0 if not.  Other
 * processes first: what looks like a second open file of our own may be a
 * duplicate of `fd`.
 */
static pid_t find_holder(int fd, off_t byte)
{
	pid_t pid = 0, own = getpid();
	struct dirent *d;
	struct stat st;
	DIR *proc;

	if (fstat(fd, &st))
		return 0;
	proc = opendir("/proc");
	while (proc && !pid && (d = readdir(proc))) {
		pid_t p = (pid_t)atol(d->d_name);

		if (p > 0 && p != own && process_holds(p, fd, &st, byte))
			pid = p;
	}
	if (proc)
		closedir(proc);
	if (!pid && process_holds(own, fd, &st, byte))
		pid = own;
	return pid;
}

static void program_name(pid_t pid, char *name, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	f = fopen(path, "re");
	if (!f || !fgets(name, (int)size, f))
		snprintf(name, size, "a program");
	name[strcspn(name, "\n")] = 0;
	for (char *p = name; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
	if (f)
		fclose(f);
}

/* "Failed to get ... lock" is qemu-img's wording, which scripts look for. */
static int refuse(int fd, const char *name, unsigned flags, enum perm perm,
		  off_t byte, pid_t pid, struct err *e)
{
	const char *shared = byte < UNSHARED_BYTE ? "shared " : "";
	char program[64];

	if (!e)
		return -EAGAIN;
	if (!pid)
		pid = find_holder(fd, byte);
	if (!pid)
		return fail(e, EAGAIN, "Could not open '%s': Failed to get "
			    "%s\"%s\" lock\nIs another process using the "
			    "image [%s]?", name, shared, perm_name[perm], name);
	program_name(pid, program, sizeof(program));
	return fail(e, EAGAIN, "Could not open '%s': Failed to get %s\"%s\" "
		    "lock: %s (pid %ld)%s is using the image; %s", name, shared,
		    perm_name[perm], program, (long)pid,
		    pid == getpid() ? ", this program itself," : "",
		    flags & IMG_WRITE ? "stop it first"
				      : "stop it, or read anyway with -U");
}

static int take(int fd, const struct want *w)
{
	int rc = 0;

	for (int p = 0; p < N_PERMS && !rc; p++) {
		if (w->used & 1u << p)
			rc = set_lock(fd, F_RDLCK, USED_BYTE + p, 1);
		if (!rc && w->unshared & 1u << p)
			rc = set_lock(fd, F_RDLCK, UNSHARED_BYTE + p, 1);
	}
	return rc;
}

static int test(int fd, const char *name, unsigned flags, const struct want *w,
		struct err *e)
{
	pid_t pid;

	for (int p = 0; p < N_PERMS; p++) {
		if (w->used & 1u << p &&
		    other_holds(fd, UNSHARED_BYTE + p, &pid) > 0)
			return refuse(fd, name, flags, (enum perm)p,
				      UNSHARED_BYTE + p, pid, e);
		if (w->unshared & 1u << p &&
		    other_holds(fd, USED_BYTE + p, &pid) > 0)
			return refuse(fd, name, flags, (enum perm)p,
				      USED_BYTE + p, pid, e);
	}
	return 0;
}

int lock_file(int fd, const char *name, unsigned flags, struct err *e)
{
	struct want w = want_of(flags);
	int rc;

	if (flags & IMG_NO_LOCK)
		return 0;
	rc = take(fd, &w);
	if (rc == -EAGAIN || rc == -EACCES)
		rc = fail(e, EAGAIN, "Could not open '%s': another process "
			  "has locked it exclusively", name);
	else if (rc)
		rc = 0;		/* no such locks here: go on without */
	else
		rc = test(fd, name, flags, &w, e);
	if (rc)
		lock_drop(fd);
	return rc;
}

void lock_drop(int fd)
{
	set_lock(fd, F_UNLCK, USED_BYTE, N_PERMS);
	set_lock(fd, F_UNLCK, UNSHARED_BYTE, N_PERMS);
}
