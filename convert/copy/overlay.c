/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overlay.c - a throw-away qcow2 on top of an open image. */
#include "convert/copy/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

/* A file that has no name any more, so that it goes when the last one who has it
 * open does.
 */
static int temporary_file(struct err *e)
{
	const char *folder = getenv("TMPDIR");
	char *name;
	int fd;

	if (!folder || !*folder)
		folder = "/var/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	name = str_printf("%s/overlay.XXXXXX", folder);
	fd = name ? mkostemp(name, O_CLOEXEC) : -1;
	if (fd < 0)
		fd = fail(e, errno, "cannot make a temporary file in '%s': %s; "
			  "set TMPDIR to a folder with room", folder,
			  strerror(errno));
	else
		unlink(name);
	free(name);
	return fd;
}

/* The overlay's backing file is open already, and has been chosen by the user. */
static int give_source(void *arg, const char *referrer, const char *name,
		       const char *format, unsigned flags,
		       const struct img_resolver *self, struct img **out,
		       struct err *e)
{
	struct img **source = arg;

	(void)referrer, (void)name, (void)format, (void)flags, (void)self;
	if (!*source)
		return fail(e, EPERM, "the overlay has one source");
	*out = *source;
	*source = NULL;
	return 0;
}

int overlay_open(struct img *source, struct img **out, struct err *e)
{
	struct img_resolver resolver = { .open = give_source, .arg = &source };
	struct img_create_args create = {
		.format = "qcow2", .size = img_size(source),
		.backing = "source", .backing_format = img_format(source),
	};
	struct img_open_args args = {
		.format = "qcow2", .resolver = &resolver,
		.flags = IMG_WRITE | IMG_NO_FLUSH | IMG_NO_LOCK,
	};
	struct img *file = NULL;
	int fd = temporary_file(e), rc;

	rc = fd < 0 ? fd : img_file_fd(fd, "overlay", args.flags, &file, e);
	if (rc && fd >= 0)
		close(fd);
	if (!rc)
		rc = img_create(file, &create, e);
	if (!rc)
		rc = img_stack(file, &args, out, e);
	if (rc)
		img_close(file, NULL);
	img_close(source, NULL);
	return rc;
}
