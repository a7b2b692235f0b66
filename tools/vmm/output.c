/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - a file that gets its name when it is complete. */
#include "tools/vmm/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

/* A pipe that nobody reads is an error, and does not hold us up. */
static int open_special(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;
}

int output_open(struct output *o, const char *path, struct err *e)
{
	struct stat st;
	int rc;

	*o = (struct output){ .path = path };
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		o->fd = open_special(path);
	} else {
		o->partial = str_printf("%s.partial", path);
		if (!o->partial) {
			o->path = NULL;
			return fail(e, ENOMEM, "out of memory");
		}
		o->fd = open(o->partial, O_WRONLY | O_CREAT | O_TRUNC |
			     O_CLOEXEC, 0666);
	}
	if (o->fd >= 0)
		return 0;
	rc = fail_rc(e, -errno, "cannot write '%s'", path);
	free(o->partial);
	o->path = NULL;
	return rc;
}

int output_write(struct output *o, const void *data, size_t len, struct err *e)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(o->fd, p, len);

		if (n < 0 && errno != EINTR)
			return fail_rc(e, -errno, "cannot write '%s'", o->path);
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int output_close(struct output *o, bool complete, struct err *e)
{
	bool bad;
	int rc = 0;

	if (!o->path)
		return 0;
	bad = close(o->fd) && complete;
	if (!bad && complete && o->partial)
		bad = rename(o->partial, o->path);
	if (bad)
		rc = fail_rc(e, -errno, "cannot write '%s'", o->path);
	if (o->partial && (bad || !complete))
		unlink(o->partial);
	free(o->partial);
	o->path = NULL;
	return rc;
}
