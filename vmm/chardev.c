/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev.c - the host's end of a serial port or console.  See chardev.h.
 *
 * The descriptors may be shared with other programs (a terminal), so that they
 * are not made non-blocking: poll() says whether a little can be written or read
 * without waiting.
 */
#include "vmm/chardev.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* What is written without waiting once poll() says so: a pipe takes this much
 * (PIPE_BUF; pipe(7)), a terminal at least a line.
 */
#define PIECE		4096u
#define PIECE_TERMINAL	64u

static bool ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) > 0;
}

/* How much of buf[0 .. len) the host takes now. */
static size_t put(struct chardev *c, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len && !c->out_ended && ready(c->out.fd, POLLOUT, 0)) {
		size_t n = len - done < c->piece ? len - done : c->piece;
		ssize_t rc = write(c->out.fd, buf + done, n);

		if (rc > 0)
			done += (size_t)rc;
		else if (rc < 0 && errno == EAGAIN)
			break;
		else if (rc == 0 || errno != EINTR)
			c->out_ended = true;
	}
	return c->out_ended ? len : done;
}

static void drain(struct chardev *c)
{
	while (c->len) {
		size_t part = CHARDEV_BUFFER - c->head, n;

		if (part > c->len)
			part = c->len;
		n = put(c, c->buffer + c->head, part);
		c->head = (c->head + n) % CHARDEV_BUFFER;
		c->len -= n;
		if (n < part)
			break;
	}
	if (!c->len)
		loop_watch(c->vm, &c->out, 0);
	else if (loop_watch(c->vm, &c->out, EPOLLOUT))
		c->len = 0;	/* a file that cannot be waited for, and is full */
	if (c->was_full && c->len <= CHARDEV_BUFFER / 2) {
		c->was_full = false;
		if (c->room)
			c->room(c->arg);
	}
}

static void out_ready(void *arg, uint32_t events)
{
	(void)events;
	drain(arg);
}

static void in_ready(void *arg, uint32_t events)
{
	struct chardev *c = arg;

	(void)events;
	c->input(c->arg);
}

void chardev_init(struct chardev *c, struct vm *vm,
		  const struct vm_chardev *host, void (*input)(void *arg),
		  void (*room)(void *arg), void *arg)
{
	memset(c, 0, sizeof(*c));
	c->vm = vm;
	c->in = (struct loop_fd){ .fd = host->in, .ready = in_ready, .arg = c };
	c->out = (struct loop_fd){ .fd = host->out, .ready = out_ready,
				   .arg = c };
	c->input = input;
	c->room = room;
	c->arg = arg;
	c->in_ended = host->in < 0;
	c->out_ended = host->out < 0;
	c->piece = isatty(host->out) ? PIECE_TERMINAL : PIECE;
}

size_t chardev_write(struct chardev *c, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t done = c->len ? 0 : put(c, p, len);

	if (done == len)
		return len;
	while (done < len && c->len < CHARDEV_BUFFER) {
		c->buffer[(c->head + c->len) % CHARDEV_BUFFER] = p[done++];
		c->len++;
	}
	c->was_full = c->was_full || c->len == CHARDEV_BUFFER;
	if (loop_watch(c->vm, &c->out, EPOLLOUT))
		drain(c);
	return done;
}

bool chardev_has_room(const struct chardev *c)
{
	return c->len < CHARDEV_BUFFER;
}

void chardev_want_input(struct chardev *c, bool want)
{
	/* epoll refuses ordinary files, which can always be read. */
	if (!c->in_ended &&
	    loop_watch(c->vm, &c->in, want ? EPOLLIN : 0) == -EPERM)
		c->input(c->arg);
}

size_t chardev_read(struct chardev *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->in_ended || !len || !ready(c->in.fd, POLLIN, 0))
		return 0;
	n = read(c->in.fd, buf, len);
	if (n > 0)
		return (size_t)n;
	if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		loop_forget(c->vm, &c->in);
		c->in_ended = true;
	}
	return 0;
}

void chardev_finish(struct chardev *c, int timeout_ms)
{
	while (c->len && !c->out_ended &&
	       ready(c->out.fd, POLLOUT, timeout_ms)) {
		size_t before = c->len;

		drain(c);
		if (c->len == before)
			break;
	}
}
