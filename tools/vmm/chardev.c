/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev.c - open the host's ends of serial ports and consoles. */
#include "tools/vmm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

/* A socket that a dead program left is in the way, one with a listener stays. */
static int remove_stale(const struct sockaddr_un *addr, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return fail(e, EEXIST, "'%s' exists and is not a socket",
			    addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_rc(e, -errno, "cannot make a socket");
	rc = connect(fd, (const void *)addr, sizeof(*addr)) ? -errno : 0;
	close(fd);
	if (rc != -ECONNREFUSED)
		return fail(e, EADDRINUSE, "'%s' is in use by another program",
			    addr->sun_path);
	return unlink(addr->sun_path) ?
		fail_rc(e, -errno, "cannot remove '%s'", addr->sun_path) : 0;
}

static int open_unix(struct chardev *dev, const char *path, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int rc;

	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return fail(e, EINVAL, "a socket's path has 1 to %zu "
			    "characters, '%s' has %zu",
			    sizeof(addr.sun_path) - 1, path, strlen(path));
	strcpy(addr.sun_path, path);
	rc = remove_stale(&addr, e);
	if (rc)
		return rc;
	dev->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			       SOCK_NONBLOCK, 0);
	if (dev->listener < 0)
		return fail_rc(e, -errno, "cannot make a socket");
	if (bind(dev->listener, (void *)&addr, sizeof(addr)))
		return fail_rc(e, -errno, "cannot make the socket '%s'", path);
	dev->path = strdup(path);
	if (!dev->path || listen(dev->listener, 1)) {
		unlink(path);
		return fail_rc(e, -errno, "cannot listen on '%s'", path);
	}
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
		if (dev->path)
			unlink(dev->path);
		free(dev->path);
		free(dev->output);
	}
	pthread_mutex_destroy(&c->lock);
	close_fd(&c->signals);
	close_fd(&c->stop);
	c->n = 0;
}
