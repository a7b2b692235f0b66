/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pipe.c - a layer that can only be read from the start to the end: a pipe, a
 * socket, standard input.
 *
 * The beginning stays in memory, so that a format can look at it as often as it
 * likes; of the rest there is a short way back.  The length is not known before
 * the end was met.  Calls are serialised by the core.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "drivers.h"

#define HEAD (64u << 10)
#define BUFFER (256u << 10)
#define WAY_BACK 4096u
#define PROBED 4096u		/* formats are guessed from fewer bytes */
#define POLL_MS 100		/* between two looks whether to stop */

struct pipe {
	int fd;
	bool (*stop)(void *arg);	/* or NULL */
	void *arg;
	uint64_t pos;		/* bytes that have come */
	bool end;		/* and no more will */
	int error;		/* the first failure: nothing follows it */
	uint8_t *head;		/* the first of them */
	uint8_t *buf;		/* the last `len` of them */
	size_t len;
};

/* Data, the end or an error is there; a reader that is stopped must not wait
 * for a writer that sleeps.
 */
static int wait_for(const struct pipe *p)
{
	struct pollfd poller = { .fd = p->fd, .events = POLLIN };
	int n;

	do {
		if (p->stop && p->stop(p->arg))
			return -ECANCELED;
		n = poll(&poller, 1, POLL_MS);
	} while (!n || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

/* Take what has come, at least one byte, or meet the end. */
static int more(struct pipe *p)
{
	ssize_t n = -1;

	if (p->len == BUFFER) {
		memmove(p->buf, p->buf + BUFFER - WAY_BACK, WAY_BACK);
		p->len = WAY_BACK;
	}
	while (n < 0 && !p->error) {
		p->error = wait_for(p);
		if (p->error)
			break;
		n = read(p->fd, p->buf + p->len, BUFFER - p->len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			p->error = -errno;
	}
	if (p->error)
		return p->error;
	p->end = !n;
	if (p->pos < HEAD)
		memcpy(p->head + p->pos, p->buf + p->len,
		       (size_t)min_u64((uint64_t)n, HEAD - p->pos));
	p->len += (size_t)n;
	p->pos += (uint64_t)n;
	return 0;
}

/* How much of [offset, offset + len) is in memory?  From its start. */
static size_t copy_known(const struct pipe *p, uint8_t *buf, size_t len,
			 uint64_t offset)
{
	uint64_t base = p->pos - p->len;

	if (offset >= p->pos)
		return 0;
	if (offset >= base) {
		len = (size_t)min_u64(len, p->pos - offset);
		memcpy(buf, p->buf + (offset - base), len);
	} else if (offset < HEAD) {
		len = (size_t)min_u64(len, min_u64(HEAD, p->pos) - offset);
		memcpy(buf, p->head + offset, len);
	} else {
		len = 0;
	}
	return len;
}

static int pipe_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct pipe *p = img->state;
	uint8_t *out = buf;
	int rc = 0;

	while (len && !rc) {
		size_t n = copy_known(p, out, len, offset);

		out += n;
		offset += n;
		len -= n;
		if (n)
			continue;
		if (offset < p->pos)
			return -ESPIPE;
		rc = p->end ? -ENODATA : more(p);
	}
	return rc;
}

static uint64_t pipe_length(struct img *img)
{
	const struct pipe *p = img->state;

	return p->end ? p->pos : INT64_MAX;
}

static int pipe_close(struct img *img, struct err *e)
{
	struct pipe *p = img->state;

	(void)e;
	close(p->fd);
	free(p->head);
	free(p->buf);
	return 0;
}

static const struct img_driver pipe_driver = {
	.name = "pipe",
	.state_size = sizeof(struct pipe),
	.flags = DRV_FORWARD,
	.close = pipe_close,
	.read = pipe_read,
	.length = pipe_length,
};

int img_pipe_fd(int fd, const char *name, bool (*stop)(void *arg), void *arg,
		struct img **out, struct err *e)
{
	struct pipe *p;
	int rc;

	rc = img_layer_new(&pipe_driver, NULL, name, 0, out, e);
	if (rc)
		return rc;
	p = (*out)->state;
	*p = (struct pipe){ .fd = fd, .stop = stop, .arg = arg };
	(*out)->size = INT64_MAX;
	p->head = malloc(HEAD);
	p->buf = buf_alloc(BUFFER);
	if (!p->head || !p->buf)
		rc = fail(e, ENOMEM, "out of memory");
	while (!rc && p->pos < PROBED && !p->end) {
		rc = more(p);
		if (rc)
			fail_rc(e, rc, "Could not read %s", name);
	}
	if (!rc)
		return 0;
	free(p->head);
	free(p->buf);
	img_layer_free(*out);
	return rc;
}
