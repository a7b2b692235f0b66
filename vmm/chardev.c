/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev.c - the host's end of a serial port or console.  See chardev.h.
 *
 * The descriptors may be shared with other programs (a terminal), so that they
 * are not made non-blocking: poll() says whether a little can be written or read
 * without waiting.
 */
#include "vmm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* For files that can always be read: not so fast that nothing else runs. */
#define READ_LATER_NS 1000000u

/* A socket that poll() calls writable may take less than a piece. */
static ssize_t put_piece(const struct chardev *c, const uint8_t *buf, size_t n)
{
	return c->out_is_socket ?
		send(c->out.fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) :
		write(c->out.fd, buf, n);
}

/* How much of buf[0 .. len) the host takes now. */
static size_t put(struct chardev *c, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len && !c->out_ended && ready(c->out.fd, POLLOUT, 0)) {
		size_t n = len - done < c->piece ? len - done : c->piece;
		ssize_t rc = put_piece(c, buf + done, n);

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
	/* Whoever was refused room hears of it from out_ready(), even if there
	 * is plenty by now.
	 */
	if (!c->len && !c->was_full)
		loop_watch(c->vm, &c->out, 0);
	else if (loop_watch(c->vm, &c->out, EPOLLOUT))
		c->len = 0;	/* a file that cannot be waited for, and is full */
}

static void out_ready(void *arg, uint32_t events)
{
	struct chardev *c = arg;
	bool room;

	(void)events;
	pthread_mutex_lock(&c->lock);
	drain(c);
	room = c->was_full && c->len <= CHARDEV_BUFFER / 2;
	if (room) {
		c->was_full = false;
		drain(c);
	}
	pthread_mutex_unlock(&c->lock);
	if (room && c->room)
		c->room(c->arg);
}

static void in_ready(void *arg, uint32_t events)
{
	struct chardev *c = arg;

	(void)events;
	c->input(c->arg);
}

static void read_later(void *arg)
{
	in_ready(arg, 0);
}

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && S_ISSOCK(st.st_mode);
}

int chardev_init(struct chardev *c, struct vm *vm,
		 const struct vm_chardev *host, void (*input)(void *arg),
		 void (*room)(void *arg), void *arg)
{
	int out = host->out;

	/* epoll knows a descriptor once; a socket is often both ends. */
	if (out >= 0 && out == host->in) {
		out = fcntl(out, F_DUPFD_CLOEXEC, 3);
		if (out < 0)
			return -errno;
	}
	memset(c, 0, sizeof(*c));
	c->vm = vm;
	pthread_mutex_init(&c->lock, NULL);
	vm_timer_init(&c->read_later, vm, read_later, c);
	c->in = (struct loop_fd){ .fd = host->in, .ready = in_ready, .arg = c };
	c->out = (struct loop_fd){ .fd = out, .ready = out_ready, .arg = c };
	c->own_out = out != host->out;
	c->out_is_socket = is_socket(out);
	c->input = input;
	c->room = room;
	c->arg = arg;
	c->in_ended = host->in < 0;
	c->out_ended = out < 0;
	c->piece = isatty(out) ? PIECE_TERMINAL : PIECE;
	return 0;
}

size_t chardev_write(struct chardev *c, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t done;

	pthread_mutex_lock(&c->lock);
	done = c->len ? 0 : put(c, p, len);
	if (done < len) {
		while (done < len && c->len < CHARDEV_BUFFER) {
			size_t at = (c->head + c->len) % CHARDEV_BUFFER;

			c->buffer[at] = p[done++];
			c->len++;
		}
		c->was_full = c->was_full || c->len == CHARDEV_BUFFER;
		drain(c);
	}
	pthread_mutex_unlock(&c->lock);
	return done;
}

bool chardev_has_room(struct chardev *c)
{
	bool room;

	pthread_mutex_lock(&c->lock);
	room = c->len < CHARDEV_BUFFER;
	if (!room)
		c->was_full = true;
	pthread_mutex_unlock(&c->lock);
	return room;
}

void chardev_want_input(struct chardev *c, bool want)
{
	pthread_mutex_lock(&c->lock);
	/* epoll refuses ordinary files, which can always be read. */
	if (!c->in_ended &&
	    loop_watch(c->vm, &c->in, want ? EPOLLIN : 0) == -EPERM)
		vm_timer_arm(&c->read_later, vm_now(c->vm) + READ_LATER_NS);
	pthread_mutex_unlock(&c->lock);
}

static size_t take(struct chardev *c, void *buf, size_t len)
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

size_t chardev_read(struct chardev *c, void *buf, size_t len)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = take(c, buf, len);
	pthread_mutex_unlock(&c->lock);
	return n;
}

void chardev_finish(struct chardev *c, int timeout_ms)
{
	size_t before;

	pthread_mutex_lock(&c->lock);
	do {
		before = c->len;
		if (before && !c->out_ended &&
		    ready(c->out.fd, POLLOUT, timeout_ms))
			drain(c);
	} while (c->len && c->len < before);
	pthread_mutex_unlock(&c->lock);
}

void chardev_fini(struct chardev *c)
{
	loop_forget(c->vm, &c->in);
	loop_forget(c->vm, &c->out);
	vm_timer_cancel(&c->read_later);
	if (c->own_out)
		close(c->out.fd);
	pthread_mutex_destroy(&c->lock);
}
