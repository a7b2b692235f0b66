/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev.c - open the host's ends of serial ports and consoles. */
#include "tools/vmm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/unixsock.h"

void chardevs_init(struct chardevs *c)
{
	*c = (struct chardevs){ .signals = -1, .stop = -1 };
	pthread_mutex_init(&c->lock, NULL);
}

/* The machine's end and ours, and room for what nobody has read yet. */
static int make_pair(struct chardev *dev, struct err *e)
{
	int fds[2];

	dev->output = malloc(CHARDEV_KEEP);
	if (!dev->output)
		return fail(e, ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       fds))
		return fail_rc(e, -errno, "cannot make a pair of sockets");
	dev->machine.in = dev->machine.out = fds[0];
	dev->ours = fds[1];
	return 0;
}

static int open_file(struct chardev *dev, const char *path, struct err *e)
{
	dev->machine.out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				0666);
	if (dev->machine.out < 0)
		return fail_rc(e, -errno, "cannot write '%s'", path);
	return 0;
}

static int open_unix(struct chardev *dev, const char *path, struct err *e)
{
	int rc = unixsock_listen(path, 0666, &dev->listener, e);

	if (rc)
		return rc;
	dev->path = path;
	return make_pair(dev, e);
}

static int open_stdio(struct chardevs *c, struct chardev *dev, struct err *e)
{
	if (c->has_stdio)
		return fail(e, EBUSY, "stdio can be used only once");
	c->has_stdio = true;
	dev->in = STDIN_FILENO;
	dev->out = STDOUT_FILENO;
	return make_pair(dev, e);
}

int chardevs_add(struct chardevs *c, const char *text, struct chardev **out,
		 struct err *e)
{
	struct chardev *dev = &c->devs[c->n];

	if (c->n == CHARDEV_MAX)
		return fail(e, E2BIG, "more than %u serial ports and consoles",
			    CHARDEV_MAX);
	c->n++;
	*dev = (struct chardev){
		.machine = { -1, -1 }, .ours = -1, .in = -1, .out = -1,
		.listener = -1,
	};
	*out = dev;
	if (!strcmp(text, "null"))
		return 0;
	if (!strcmp(text, "stdio"))
		return open_stdio(c, dev, e);
	if (!strncmp(text, "file:", 5))
		return open_file(dev, text + 5, e);
	if (!strncmp(text, "unix:", 5))
		return open_unix(dev, text + 5, e);
	return fail(e, EINVAL, "'%s' must be stdio, file:PATH, unix:PATH or "
		    "null", text);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void chardevs_fini(struct chardevs *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct chardev *dev = &c->devs[i];

		close_fd(&dev->machine.out);
		close_fd(&dev->ours);
		if (dev->listener >= 0)
			close_fd(&dev->out);
		close_fd(&dev->listener);
		free(dev->output);
	}
	pthread_mutex_destroy(&c->lock);
	close_fd(&c->signals);
	close_fd(&c->stop);
	c->n = 0;
}
