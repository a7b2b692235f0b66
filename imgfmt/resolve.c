/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolve.c - which other files an image may pull in.
 *
 * Whoever wrote the image chose the names in it.  The folder policy has the
 * kernel keep the walk below the folder (openat2), so that no symbolic link and
 * no rename can lead out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "driver.h"

#define OPEN_FLAGS (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* "nbd:..." is a protocol, "./a:b" and "dir/a:b" are files: a colon before any
 * slash, as qemu decides it.
 */
static bool has_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

static int check_name(const char *referrer, const char *name, struct err *e)
{
	if (!*name)
		return fail(e, EPERM, "%s names a file with an empty name",
			    referrer);
	if (has_protocol(name))
		return fail(e, EPERM, "%.250s names '%.250s', which is not a "
			    "plain file name; json: and protocol names inside "
			    "images are never opened", referrer, name);
	return 0;
}

/* The folder of `path`, to be freed; NULL when out of memory. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* `name` as it counts from the folder of `referrer`; NULL: out of memory. */
static char *join(const char *referrer, const char *name)
{
	const char *slash = strrchr(referrer, '/');

	if (*name == '/' || !slash)
		return strdup(name);
	return str_printf("%.*s%s", (int)(slash - referrer) + 1, referrer,
			  name);
}

/* Stack the format on an open file, which it owns also on failure. */
static int open_format(int fd, const char *path, const char *format,
		       unsigned flags, const struct img_resolver *self,
		       struct img **out, struct err *e)
{
	struct img_open_args args = {
		.format = format, .flags = flags, .resolver = self,
	};
	struct img *file;
	int rc;

	rc = img_file_fd(fd, path, flags, &file, e);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = img_stack(file, &args, out, e);
	if (rc)
		img_close(file, NULL);
	return rc;
}

static int access_mode(unsigned flags)
{
	return (flags & IMG_WRITE ? O_RDWR : O_RDONLY) | OPEN_FLAGS;
}

static bool has_dotdot(const char *name)
{
	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return true;
		name += len;
		name += strspn(name, "/");
	}
	return false;
}

/* One component after the other, no symbolic link at all: for kernels before
 * 5.6, which have no openat2().
 */
static int walk_below(int dir, const char *name, int mode)
{
	char *copy, *rest, *part;
	int fd;

	if (has_dotdot(name))
		return -EXDEV;
	fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	copy = rest = strdup(name);
	if (!copy || fd < 0) {
		int rc = copy ? -errno : -ENOMEM;

		free(copy);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (fd >= 0 && (part = strsep(&rest, "/"))) {
		bool last = !rest || !rest[strspn(rest, "/")];
		int next;

		if (!*part)
			continue;
		next = openat(fd, part, O_NOFOLLOW | (last ? mode :
					O_PATH | O_DIRECTORY | O_CLOEXEC));
		if (next < 0)
			next = -errno;
		close(fd);
		fd = next;
		if (last)
			break;
	}
	free(copy);
	return fd == -ELOOP ? -EXDEV : fd;
}

/* A descriptor, or -errno: -EXDEV when it would lead out of the folder. */
static int open_below(int dir, const char *name, int mode)
{
	struct open_how how = {
		.flags = (unsigned)mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	if (fd >= 0)
		return (int)fd;
	/* Sandboxes that do not know the call answer EPERM. */
	if (errno == ENOSYS || errno == EPERM)
		return walk_below(dir, name, mode);
	return -errno;
}

/* The part of an absolute `name` below `folder`, or NULL.  Both are compared as
 * the kernel sees them: `folder` is resolved, the name's own folder as well.
 */
static char *relative_to(const char *folder, const char *name)
{
	char *base = realpath(folder, NULL);
	char *above = folder_of(name), *real = above ? realpath(above, NULL)
						     : NULL;
	size_t len = base ? strlen(base) : 0;
	char *out = NULL;

	if (len && base[len - 1] == '/')
		len--;
	if (base && real && !strncmp(real, base, len) &&
	    (!real[len] || real[len] == '/'))
		out = str_printf("%s%s%s", real[len] ? real + len + 1 : "",
				 real[len] && real[len + 1] ? "/" : "",
				 strrchr(name, '/') + 1);
	free(base);
	free(above);
	free(real);
	return out;
}

/* Try to open `name`, as it counts from `folder`, at or below `root`. */
static int open_inside(const char *root, const char *folder, const char *name,
		       int mode)
{
	char *path = *name == '/' ? strdup(name)
				  : str_printf("%s/%s", folder, name);
	char *relative = NULL;
	int dir, fd;

	if (!path)
		return -ENOMEM;
	if (*name != '/' && !strcmp(root, folder))
		relative = strdup(name);
	else if (*path == '/' || strcmp(root, folder))
		relative = relative_to(root, path);
	free(path);
	if (!relative)
		return -EXDEV;
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -errno : open_below(dir, relative, mode);
	if (dir >= 0)
		close(dir);
	free(relative);
	return fd;
}

static int refuse_outside(const char *referrer, const char *name,
			  const char *folder, struct err *e)
{
	return fail(e, EPERM, "%.250s names '%.250s', which is outside its "
		    "folder '%.250s': allow it with --allow-external", referrer, name,
		    folder);
}

static int in_folder(void *arg, const char *referrer, const char *name,
		     const char *format, unsigned flags,
		     const struct img_resolver *self, struct img **out,
		     struct err *e)
{
	int mode = access_mode(flags), fd, rc;
	const char *also = arg;
	char *folder, *path;

	rc = check_name(referrer, name, e);
	if (rc)
		return rc;
	folder = folder_of(referrer);
	path = join(referrer, name);
	if (!folder || !path) {
		rc = fail(e, ENOMEM, "out of memory");
		goto out;
	}
	fd = has_dotdot(name) && !also ? -EXDEV
		: open_inside(folder, folder, name, mode);
	if (fd == -EXDEV && also)
		fd = open_inside(also, folder, name, mode);
	if (fd == -EXDEV || fd == -ELOOP)
		rc = refuse_outside(referrer, name, folder, e);
	else if (fd < 0)
		rc = fail_rc(e, fd, "Could not open '%s'", path);
	else
		rc = open_format(fd, path, format, flags, self, out, e);
out:
	free(folder);
	free(path);
	return rc;
}

struct img_resolver img_resolve_in_folder(const char *also)
{
	return (struct img_resolver){
		.open = in_folder, .arg = (void *)(uintptr_t)also,
	};
}

static int anywhere(void *arg, const char *referrer, const char *name,
		    const char *format, unsigned flags,
		    const struct img_resolver *self, struct img **out,
		    struct err *e)
{
	struct img_open_args args = {
		.format = format, .flags = flags, .resolver = self,
	};
	char *path;
	int rc;

	(void)arg;
	rc = check_name(referrer, name, e);
	if (rc)
		return rc;
	path = join(referrer, name);
	rc = path ? img_open(path, &args, out, e)
		  : fail(e, ENOMEM, "out of memory");
	free(path);
	return rc;
}

struct img_resolver img_resolve_anywhere(void)
{
	return (struct img_resolver){ .open = anywhere };
}
