/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - the file that a conversion writes. */
#include "convert/copy/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

#define NEW_MODE 0644
#define MAX_LINKS 40		/* of symbolic links, as in the kernel */

enum kind {
	OUTPUT_TMPFILE,		/* new, without a name */
	OUTPUT_PARTIAL,		/* new, named `temp` */
	OUTPUT_EXISTING,
	OUTPUT_DEVICE,
};

struct output {
	enum kind kind;
	int fd, dir;		/* dir is -1 but for new files */
	char *path;		/* as given; links followed for new files */
	char *temp;		/* in dir, for a file on the way to its name */
	bool begun, no_flush;
	bool is_new;		/* named by publish(): abort takes it back */
	struct output_args args;
	/* Other files of the same image, each with `next`. */
	struct output *siblings, *next;
	const struct img_resolver *others;
};

/* The last component of a path. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *dir_name(const char *path)
{
	size_t len = (size_t)(base_name(path) - path);

	return len ? strndup(path, len) : strdup(".");
}

static void output_free(struct output *out)
{
	while (out->siblings) {
		struct output *s = out->siblings;

		out->siblings = s->next;
		output_free(s);
	}
	if (out->fd >= 0)
		close(out->fd);
	if (out->dir >= 0)
		close(out->dir);
	free(out->path);
	free(out->temp);
	free(out);
}

/* Does this layer, or one it reads from, live in the file `st`? */
static const char *uses_file(struct img *img, const struct stat *st)
{
	for (; img; img = img_backing(img)) {
		for (struct img *l = img; l; l = img_below(l)) {
			struct stat own;

			if (!*img_name(l) || stat(img_name(l), &own))
				continue;
			if (S_ISBLK(st->st_mode) ?
			    S_ISBLK(own.st_mode) && own.st_rdev == st->st_rdev :
			    own.st_dev == st->st_dev &&
			    own.st_ino == st->st_ino)
				return img_name(l);
		}
	}
	return NULL;
}

static int refuse_sources(const struct output *out, const struct stat *st,
			  const struct output_args *args, struct err *e)
{
	for (size_t i = 0; i < args->n_sources; i++) {
		const char *name = uses_file(args->sources[i], st);

		if (name)
			return fail(e, EINVAL, "'%s' and the source '%s' are "
				    "the same file", out->path, name);
	}
	return 0;
}

static int open_existing(struct output *out, const struct stat *st,
			 const struct output_args *args, struct err *e)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, rc;

	if (args->no_replace)
		return fail(e, EEXIST, "'%s' exists already", out->path);
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return fail(e, EINVAL, "'%s' is neither a regular file nor a "
			    "block device", out->path);
	rc = refuse_sources(out, st, args, e);
	if (rc)
		return rc;
	out->kind = OUTPUT_EXISTING;
	if (S_ISBLK(st->st_mode)) {
		/* O_EXCL: not one that is mounted or in a RAID. */
		out->kind = OUTPUT_DEVICE;
		flags |= O_EXCL;
	}
	out->fd = open(out->path, flags);
	if (out->fd < 0 && errno == EBUSY)
		return fail(e, EBUSY, "'%s' is in use: mounted, or part of "
			    "another device", out->path);
	if (out->fd < 0)
		return fail_rc(e, -errno, "Could not open '%s'", out->path);
	return 0;
}

/* A symbolic link to nothing: the new file belongs where it points. */
static int follow_links(struct output *out, struct err *e)
{
	char target[PATH_MAX];
	char *path, *dir;
	ssize_t len;

	for (unsigned i = 0; i < MAX_LINKS; i++) {
		len = readlink(out->path, target, sizeof(target) - 1);
		if (len < 0)
			return 0;	/* no link */
		target[len] = 0;
		dir = dir_name(out->path);
		path = target[0] == '/' || !dir ? strdup(target) :
			str_printf("%s/%s", dir, target);
		free(dir);
		if (!path)
			return fail(e, ENOMEM, "out of memory");
		free(out->path);
		out->path = path;
	}
	return fail(e, ELOOP, "'%s': too many symbolic links", out->path);
}

/* A partial file that nobody holds is left from a run that was killed. */
static bool remove_stale(struct output *out)
{
	int fd = openat(out->dir, out->temp, O_RDWR | O_CLOEXEC | O_NOFOLLOW |
			O_NONBLOCK);
	struct stat st;
	bool stale;

	if (fd < 0)
		return false;
	stale = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		!flock(fd, LOCK_EX | LOCK_NB) &&
		!unlinkat(out->dir, out->temp, 0);
	close(fd);
	return stale;
}

static int open_partial(struct output *out, struct err *e)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

	out->fd = openat(out->dir, out->temp, flags, NEW_MODE);
	if (out->fd < 0 && errno == EEXIST) {
		if (!remove_stale(out))
			return fail(e, EBUSY, "'%s': another process is "
				    "writing its partial file '%s'", out->path,
				    out->temp);
		out->fd = openat(out->dir, out->temp, flags, NEW_MODE);
	}
	if (out->fd < 0)
		return fail_rc(e, -errno, "Could not create '%s'", out->path);
	out->kind = OUTPUT_PARTIAL;
	/* Held until the end: says that it is not stale. */
	flock(out->fd, LOCK_EX | LOCK_NB);
	return 0;
}

static int open_new(struct output *out, const struct output_args *args,
		    struct err *e)
{
	char *dir;
	int rc;

	rc = follow_links(out, e);
	if (rc)
		return rc;
	if (!*base_name(out->path))
		return fail(e, EISDIR, "Could not create '%s': it is the name "
			    "of a folder", out->path);
	dir = dir_name(out->path);
	out->temp = str_printf(".%s.partial", base_name(out->path));
	if (!dir || !out->temp) {
		free(dir);
		return fail(e, ENOMEM, "out of memory");
	}
	out->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = out->dir < 0 ? -errno : 0;
	free(dir);
	if (rc)
		return fail_rc(e, rc, "Could not create '%s'", out->path);
	/* A file without a name gets one through /proc. */
	if (!args->visible && !access("/proc/self/fd", X_OK)) {
		out->kind = OUTPUT_TMPFILE;
		out->fd = openat(out->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
				 NEW_MODE);
		if (out->fd >= 0)
			return 0;
	}
	return open_partial(out, e);
}

int output_open(const char *path, const struct output_args *args,
		struct output **result, struct err *e)
{
	static const struct output_args none;
	struct output *out = calloc(1, sizeof(*out));
	struct stat st;
	int rc;

	if (!out)
		return fail(e, ENOMEM, "out of memory");
	if (!args)
		args = &none;
	out->fd = out->dir = -1;
	out->no_flush = args->no_flush;
	out->args = *args;
	out->path = strdup(path);
	if (!out->path)
		rc = fail(e, ENOMEM, "out of memory");
	else if (!stat(path, &st))
		rc = open_existing(out, &st, args, e);
	else if (errno == ENOENT)
		rc = open_new(out, args, e);
	else
		rc = fail_rc(e, -errno, "Could not open '%s'", path);
	if (rc) {
		output_free(out);
		return rc;
	}
	*result = out;
	return 0;
}

static int device_space(const struct output *out, uint64_t needed,
			struct err *e)
{
	uint64_t size;

	if (ioctl(out->fd, BLKGETSIZE64, &size))
		return fail_rc(e, -errno, "'%s': cannot find its size",
			       out->path);
	if (needed > size)
		return fail(e, ENOSPC, "'%s' has %llu bytes, and %llu are "
			    "needed", out->path, (unsigned long long)size,
			    (unsigned long long)needed);
	return 0;
}

int output_space(const struct output *out, uint64_t needed, struct err *e)
{
	char need_text[SIZE_TEXT_LEN], have_text[SIZE_TEXT_LEN];
	struct statvfs fs;
	struct stat st;
	uint64_t have;

	if (out->kind == OUTPUT_DEVICE)
		return device_space(out, needed, e);
	/* A file system that counts no blocks (some with FUSE) says nothing. */
	if (fstatvfs(out->fd, &fs) || !fs.f_blocks || fstat(out->fd, &st))
		return 0;
	have = geteuid() ? fs.f_bavail : fs.f_bfree;
	if (!mul_ok(have, fs.f_frsize, &have) ||
	    !add_ok(have, (uint64_t)st.st_blocks * 512, &have))
		return 0;
	if (needed <= have)
		return 0;
	return fail(e, ENOSPC, "not enough space for '%s': %s (%llu bytes) are "
		    "needed, and %s (%llu bytes) are available", out->path,
		    size_text(needed, need_text), (unsigned long long)needed,
		    size_text(have, have_text), (unsigned long long)have);
}

int output_layer(struct output *out, unsigned flags, struct img **file,
		 struct err *e)
{
	int fd = fcntl(out->fd, F_DUPFD_CLOEXEC, 3);
	int rc;

	if (fd < 0)
		return fail_rc(e, -errno, "'%s'", out->path);
	rc = img_file_fd(fd, out->path, flags | IMG_WRITE, file, e);
	if (rc)
		close(fd);
	return rc;
}

int output_begin(struct output *out, struct err *e)
{
	out->begun = true;
	if (out->kind == OUTPUT_EXISTING && ftruncate(out->fd, 0))
		return fail_rc(e, -errno, "'%s': cannot empty it", out->path);
	return 0;
}

bool output_is_device(const struct output *out)
{
	return out->kind == OUTPUT_DEVICE;
}

bool output_is_zero(const struct output *out)
{
	return out->kind != OUTPUT_DEVICE;
}

static struct output **find_sibling(struct output *out, const char *name)
{
	struct output **p = &out->siblings;

	while (*p && strcmp(base_name((*p)->path), name))
		p = &(*p)->next;
	return p;
}

static int check_sibling_name(const struct output *out, const char *name,
			      struct err *e)
{
	if (out->kind == OUTPUT_DEVICE)
		return fail(e, ENOTSUP, "'%s' is a block device: an image of "
			    "several files has to be in a folder", out->path);
	if (!*name || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, "..") || !strcmp(name, base_name(out->path)))
		return fail(e, EPERM, "'%s' cannot be the name of a file "
			    "beside '%s'", name, out->path);
	return 0;
}

static int create_sibling(void *arg, const char *referrer, const char *name,
			  struct img **file, struct err *e)
{
	struct output *out = arg, **p;
	char *dir, *path;
	int rc = check_sibling_name(out, name, e);

	(void)referrer;
	if (rc)
		return rc;
	p = find_sibling(out, name);
	if (*p)
		return fail(e, EEXIST, "'%s' is needed twice", name);
	dir = dir_name(out->path);
	path = dir ? str_printf("%s/%s", dir, name) : NULL;
	free(dir);
	if (!path)
		return fail(e, ENOMEM, "out of memory");
	rc = output_open(path, &out->args, p, e);
	free(path);
	if (rc)
		return rc;
	rc = output_layer(*p, 0, file, e);
	if (rc)
		return rc;
	rc = output_begin(*p, e);
	if (rc)
		img_close(*file, NULL);
	return rc;
}

static int open_sibling(void *arg, const char *referrer, const char *name,
			const char *format, unsigned flags,
			const struct img_resolver *self, struct img **img,
			struct err *e)
{
	struct output *out = arg, *s = *find_sibling(out, name);
	struct img_open_args args = { .format = format, .flags = flags };
	struct img *file;
	int rc;

	if (!s && !out->others)
		return fail(e, EPERM, "'%s' is named by '%s', and no other "
			    "file may be opened here", name, referrer);
	if (!s)
		return out->others->open(out->others->arg, referrer, name,
					 format, flags, self, img, e);
	rc = output_layer(s, flags, &file, e);
	if (rc)
		return rc;
	rc = img_stack(file, &args, img, e);
	if (rc)
		img_close(file, NULL);
	return rc;
}

struct img_resolver output_resolver(struct output *out,
				    const struct img_resolver *others)
{
	out->others = others;
	return (struct img_resolver){
		.open = open_sibling, .create = create_sibling, .arg = out,
	};
}

/* Give a file that is complete its name, over whatever has it by now. */
static int publish(struct output *out, struct err *e)
{
	const char *name = base_name(out->path);
	char link[64];
	int rc = 0;

	if (out->kind == OUTPUT_TMPFILE) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", out->fd);
		if (!linkat(AT_FDCWD, link, out->dir, name, AT_SYMLINK_FOLLOW))
			return 0;
		rc = errno == EEXIST ? 0 : -errno;
		/* The name is taken: link beside it, then rename. */
		if (!rc && linkat(AT_FDCWD, link, out->dir, out->temp,
				  AT_SYMLINK_FOLLOW))
			rc = -errno;
		if (rc)
			return fail_rc(e, rc, "Could not create '%s'",
				       out->path);
		out->kind = OUTPUT_PARTIAL;
	}
	if (out->kind == OUTPUT_PARTIAL &&
	    renameat(out->dir, out->temp, out->dir, name))
		return fail_rc(e, -errno, "Could not create '%s'", out->path);
	return 0;
}

static int flush_and_publish(struct output *out, struct err *e)
{
	int rc = 0;

	if (!out->no_flush && fsync(out->fd))
		rc = fail_rc(e, -errno, "'%s': cannot flush", out->path);
	if (!rc)
		rc = publish(out, e);
	out->is_new = !rc && out->dir >= 0;
	return rc;
}

/* The file that names the others comes last. */
static int publish_all(struct output *out, struct err *e)
{
	int rc = 0;

	for (struct output *s = out->siblings; s && !rc; s = s->next)
		rc = flush_and_publish(s, e);
	return rc ? rc : flush_and_publish(out, e);
}

int output_commit(struct output *out, struct err *e)
{
	int rc = publish_all(out, e);

	if (rc) {
		output_abort(out);
		return rc;
	}
	if (!out->no_flush && out->dir >= 0 && fsync(out->dir) &&
	    errno != EINVAL && errno != EBADF)	/* folders that cannot */
		rc = fail_rc(e, -errno, "'%s': cannot flush its folder",
			     out->path);
	output_free(out);
	return rc;
}

void output_abort(struct output *out)
{
	if (!out)
		return;
	while (out->siblings) {
		struct output *s = out->siblings;

		out->siblings = s->next;
		output_abort(s);
	}
	if (out->is_new)
		unlinkat(out->dir, base_name(out->path), 0);
	else if (out->kind == OUTPUT_PARTIAL)
		unlinkat(out->dir, out->temp, 0);
	/* Rather nothing than half an image.  If even this fails, there is
	 * nobody to tell: the caller reports the failure that led here.
	 */
	if (out->kind == OUTPUT_EXISTING && out->begun &&
	    ftruncate(out->fd, 0))
		(void)errno;
	output_free(out);
}
