/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - a layer that can only be written from the start to the end: a pipe,
 * a socket, standard output.
 *
 * The beginning is remembered, so that a format can be opened on what creating
 * it has written.  What is skipped goes out as zeroes, as do the bytes up to a size that was set
 * ahead.  Calls are serialised by the core.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers.h"

#define FILL 65536u
#define HEAD 65536u

struct stream {
	int fd;
	uint64_t pos;		/* bytes written so far */
	uint64_t end;		/* the size that was asked for, or less */
	int error;		/* the first failure: nothing follows it */
	uint8_t *head;		/* the first HEAD bytes of what has gone out */
};

static int put(struct stream *s, const uint8_t *p, size_t len)
{
	if (s->pos < HEAD)
		memcpy(s->head + s->pos, p,
		       (size_t)min_u64(len, HEAD - s->pos));
	while (len && !s->error) {
		ssize_t n = write(s->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			s->error = -errno;
			break;
		}
		p += n;
		len -= (size_t)n;
		s->pos += (uint64_t)n;
	}
	return s->error;
}

static int fill_to(struct stream *s, uint64_t offset)
{
	static const uint8_t zeroes[FILL];
	int rc = s->error;

	while (s->pos < offset && !rc)
		rc = put(s, zeroes, (size_t)min_u64(FILL, offset - s->pos));
	return rc;
}

static int stream_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	const struct stream *s = img->state;

	if (!in_range(offset, len, min_u64(HEAD, s->pos)))
		return -ESPIPE;
	memcpy(buf, s->head + offset, len);
	return 0;
}

static int stream_write(struct img *img, const void *buf, size_t len,
			uint64_t offset)
{
	struct stream *s = img->state;
	int rc;

	if (offset < s->pos)
		return -ESPIPE;
	rc = fill_to(s, offset);
	return rc ? rc : put(s, buf, len);
}

/* Zeroes ahead cost nothing until something follows them. */
static int stream_zero(struct img *img, uint64_t len, uint64_t offset,
		       unsigned flags)
{
	struct stream *s = img->state;

	(void)flags;
	if (offset < s->pos)
		return -ESPIPE;
	s->end = max_u64(s->end, offset + len);
	return s->error;
}

static int stream_flush(struct img *img)
{
	struct stream *s = img->state;

	return s->error;
}

static uint64_t stream_length(struct img *img)
{
	struct stream *s = img->state;

	return max_u64(s->pos, s->end);
}

static int stream_truncate(struct img *img, uint64_t size, struct err *e)
{
	struct stream *s = img->state;

	if (size < s->pos)
		return fail(e, ESPIPE, "%s cannot be cut: %llu bytes have gone "
			    "out already", img->name,
			    (unsigned long long)s->pos);
	s->end = size;
	return 0;
}

static int stream_close(struct img *img, struct err *e)
{
	struct stream *s = img->state;
	int rc = img->spoiled ? 0 : fill_to(s, s->end);

	if (rc)
		fail_rc(e, rc, "%s: cannot write", img->name);
	if (close(s->fd) && !rc && errno != EINTR)
		rc = fail_rc(e, -errno, "%s: cannot close", img->name);
	free(s->head);
	return rc;
}

static const struct img_driver stream_driver = {
	.name = "stream",
	.state_size = sizeof(struct stream),
	.flags = DRV_GROWS | DRV_APPENDS,
	.close = stream_close,
	.read = stream_read,
	.write = stream_write,
	.zero = stream_zero,
	.flush = stream_flush,
	.length = stream_length,
	.truncate = stream_truncate,
};

int img_stream_fd(int fd, const char *name, struct img **out, struct err *e)
{
	struct stream *s;
	int rc;

	rc = img_layer_new(&stream_driver, NULL, name, IMG_WRITE, out, e);
	if (rc)
		return rc;
	s = (*out)->state;
	s->head = malloc(HEAD);
	if (!s->head) {
		img_layer_free(*out);
		return fail(e, ENOMEM, "out of memory");
	}
	s->fd = fd;
	return 0;
}
