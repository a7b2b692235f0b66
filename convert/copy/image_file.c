/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_file.c - a new image file, and an image copied into one. */
#include "convert/copy/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int image_file_create(const char *path, const struct image_file_args *args,
		      struct img **out, struct err *e)
{
	struct img_open_args open_args = {
		.format = args->create.format, .resolver = args->resolver,
		.flags = args->flags | IMG_WRITE,
	};
	struct img *file;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666), rc;

	if (fd < 0)
		return fail_rc(e, -errno, "cannot make '%s'", path);
	rc = img_file_fd(fd, path, open_args.flags, &file, e);
	if (rc) {
		close(fd);
		unlink(path);
		return rc;
	}
	rc = img_create(file, &args->create, e);
	if (!rc)
		rc = img_stack(file, &open_args, out, e);
	if (rc) {
		img_close(file, NULL);
		unlink(path);
		return fail_prefix(e, rc, "%s", path);
	}
	return 0;
}

int image_file_copy(struct img *src, const char *path,
		    const struct image_file_args *args,
		    const struct copy_args *how, struct copy_result *result,
		    struct err *e)
{
	struct image_file_args file = *args;
	struct copy_args copy = *how;
	struct img *dst;
	int rc, one;

	memset(result, 0, sizeof(*result));
	if (!file.create.size)
		file.create.size = img_size(src);
	rc = image_file_create(path, &file, &dst, e);
	if (rc)
		return rc;
	copy.sources = &src;
	copy.n_sources = 1;
	copy.dst = dst;
	copy.target_is_zero = !args->create.backing;
	copy.compress |= img_compress_only(dst);
	rc = img_size(src) ? copy_run(&copy, result, e) : 0;
	if (rc)
		img_spoil(dst);
	one = img_close(dst, rc ? NULL : e);
	rc = rc ? rc : one;
	if (!rc)
		return 0;
	unlink(path);
	return fail_prefix(e, rc, "%s", path);
}
