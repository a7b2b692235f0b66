/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - the control socket's thread and its clients.  See control.h.
 *
 * A client's next request is looked at only when the answer before has left, and
 * each has one at a time in turn, so that memory is bounded: a line coming in and
 * an answer going out for each.
 */
#include "vmm/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "vmm/unixsock.h"

struct client {
	int fd;			/* -1: this place is free */
	bool ended;		/* sends nothing more */
	char *in;		/* CONTROL_LINE bytes and a newline's */
	size_t in_start, in_len;
	char *out;		/* an answer, or NULL */
	size_t out_len, out_done;
};

#define IN_SIZE (CONTROL_LINE + 1)

struct control {
	int listener, stop;	/* socket, eventfd */
	struct control_machine machine;
	pthread_t thread;
	bool running;
	struct client clients[CONTROL_CLIENTS];
};

static void lose(struct client *c)
{
	close(c->fd);
	free(c->in);
	free(c->out);
	*c = (struct client){ .fd = -1 };
}

/* Send what the socket takes. */
static void flush(struct client *c)
{
	ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0) {
		c->out_done += (size_t)n;
		if (c->out_done < c->out_len)
			return;
		free(c->out);
		c->out = NULL;
	} else if (errno != EAGAIN && errno != EINTR) {
		lose(c);
	}
}

/* Takes over `text`; NULL: out of memory. */
static void answer(struct client *c, char *text)
{
	if (!text) {
		lose(c);
		return;
	}
	c->out = text;
	c->out_len = strlen(text);
	c->out_done = 0;
	flush(c);
}

/* Where does the next line end?  NULL: it is not all there. */
static char *line_end(const struct client *c)
{
	return c->in_len ? memchr(c->in + c->in_start, '\n', c->in_len) : NULL;
}

static bool is_blank(const char *line, size_t len)
{
	while (len && strchr(" \t\r", line[len - 1]) && line[len - 1])
		len--;
	return !len;
}

static void do_line(struct control *control, struct client *c)
{
	const char *line = c->in + c->in_start;
	size_t len = (size_t)(line_end(c) - line);

	c->in_start += len + 1;
	c->in_len -= len + 1;
	if (!is_blank(line, len))
		answer(c, control_answer(&control->machine, line, len));
}

static void take_input(struct client *c)
{
	ssize_t n;

	memmove(c->in, c->in + c->in_start, c->in_len);
	c->in_start = 0;
	n = recv(c->fd, c->in + c->in_len, IN_SIZE - c->in_len, MSG_DONTWAIT);
	if (n > 0)
		c->in_len += (size_t)n;
	else if (!n)
		c->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		lose(c);
	if (c->fd >= 0 && c->in_len == IN_SIZE && !line_end(c)) {
		/* Where the next request begins is not known any more. */
		c->in_len = 0;
		c->ended = true;
		answer(c, control_refusal("the line is longer than 64 KiB"));
	}
}

static void accept_client(struct control *control)
{
	int fd = accept4(control->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = control->clients, none = { .fd = fd };
	unsigned i;

	if (fd < 0)
		return;
	for (i = 0; i < CONTROL_CLIENTS && c->fd >= 0; i++)
		c++;
	if (i == CONTROL_CLIENTS) {
		answer(&none, control_refusal("there are 16 clients already"));
		if (none.fd >= 0)
			lose(&none);
		return;
	}
	c->in = malloc(IN_SIZE);
	c->fd = fd;
	if (!c->in)
		lose(c);
}

/* One step of one client; true: it has more to do without waiting. */
static bool serve(struct control *control, struct client *c, short revents)
{
	if (c->out && revents)
		flush(c);
	else if (!c->out && !line_end(c) && revents)
		take_input(c);
	if (c->fd >= 0 && !c->out && line_end(c))
		do_line(control, c);
	if (c->fd >= 0 && c->ended && !c->out && !line_end(c))
		lose(c);
	return c->fd >= 0 && !c->out && line_end(c);
}

static short wanted(const struct client *c)
{
	if (c->fd < 0)
		return 0;
	if (c->out)
		return POLLOUT;
	return c->ended ? 0 : POLLIN;
}

static void *control_main(void *arg)
{
	struct control *control = arg;
	struct pollfd p[2 + CONTROL_CLIENTS];
	bool busy = false;
	unsigned i;

	p[0] = (struct pollfd){ .fd = control->stop, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
	for (;;) {
		for (i = 0; i < CONTROL_CLIENTS; i++) {
			short events = wanted(&control->clients[i]);

			/* A hang-up is no news while nothing is wanted. */
			p[2 + i] = (struct pollfd){ .events = events,
				.fd = events ? control->clients[i].fd : -1 };
		}
		if (poll(p, 2 + CONTROL_CLIENTS, busy ? 0 : -1) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		busy = false;
		for (i = 0; i < CONTROL_CLIENTS; i++)
			busy = serve(control, &control->clients[i],
				     p[2 + i].revents) || busy;
		if (p[1].revents)
			accept_client(control);
	}
}

int control_open(const char *path, struct control **out, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return fail(e, ENOMEM, "out of memory");
	/* Not when the sandbox has closed the way to random numbers. */
	json_object_seed(0);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		c->clients[i].fd = -1;
	c->listener = -1;
	c->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = c->stop < 0 ? fail_rc(e, -errno, "the control socket") : 0;
	if (!rc)
		rc = unixsock_listen(path, 0600, &c->listener, e);
	if (rc)
		control_close(c);
	else
		*out = c;
	return rc;
}

int control_start(struct control *c, struct vm *vm, const char *sandbox,
		  struct err *e)
{
	int rc;

	c->machine = (struct control_machine){ .vm = vm, .sandbox = sandbox };
	rc = thread_start(&c->thread, "control", control_main, c);
	if (rc)
		return fail_rc(e, rc, "the control socket's thread");
	c->running = true;
	return 0;
}

void control_stop(struct control *c)
{
	if (!c || !c->running)
		return;
	eventfd_write(c->stop, 1);
	pthread_join(c->thread, NULL);
	c->running = false;
	if (c->machine.paused)
		vm_resume(c->machine.vm);
	c->machine.paused = false;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd >= 0)
			lose(&c->clients[i]);
}

void control_close(struct control *c)
{
	if (!c)
		return;
	control_stop(c);
	if (c->listener >= 0)
		close(c->listener);
	if (c->stop >= 0)
		close(c->stop);
	free(c);
}
