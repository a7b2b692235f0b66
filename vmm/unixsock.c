/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unixsock.c - UNIX sockets by path. */
#include "vmm/unixsock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int set_path(struct sockaddr_un *addr, const char *path, struct err *e)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(addr->sun_path))
		return fail(e, EINVAL, "a socket's path has 1 to %zu "
			    "characters, '%s' has %zu",
			    sizeof(addr->sun_path) - 1, path, strlen(path));
	strcpy(addr->sun_path, path);
	return 0;
}

static int make(int flags, int *fd, struct err *e)
{
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	return *fd < 0 ? fail_rc(e, -errno, "cannot make a socket") : 0;
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
	rc = make(SOCK_NONBLOCK, &fd, e);
	if (rc)
		return rc;
	rc = connect(fd, (const void *)addr, sizeof(*addr)) ? -errno : 0;
	close(fd);
	if (rc != -ECONNREFUSED)
		return fail(e, EADDRINUSE, "'%s' is in use by another program",
			    addr->sun_path);
	return unlink(addr->sun_path) ?
		fail_rc(e, -errno, "cannot remove '%s'", addr->sun_path) : 0;
}

int unixsock_listen(const char *path, mode_t mode, int *fd, struct err *e)
{
	struct sockaddr_un addr;
	int rc = set_path(&addr, path, e);

	if (!rc)
		rc = remove_stale(&addr, e);
	if (!rc)
		rc = make(SOCK_NONBLOCK, fd, e);
	if (rc)
		return rc;
	/* The socket's own mode becomes the path's: nobody can be faster. */
	if (fchmod(*fd, mode) || bind(*fd, (void *)&addr, sizeof(addr))) {
		rc = fail_rc(e, -errno, "cannot make the socket '%s'", path);
		close(*fd);
		return rc;
	}
	if (listen(*fd, 16)) {
		rc = fail_rc(e, -errno, "cannot listen on '%s'", path);
		unlink(path);
		close(*fd);
	}
	return rc;
}

int unixsock_connect(const char *path, int *fd, struct err *e)
{
	struct sockaddr_un addr;
	int rc = set_path(&addr, path, e);

	if (!rc)
		rc = make(0, fd, e);
	if (rc || !connect(*fd, (void *)&addr, sizeof(addr)))
		return rc;
	rc = errno == ECONNREFUSED ?
		fail(e, ECONNREFUSED, "nobody listens at '%s' any more", path) :
		fail_rc(e, -errno, "cannot connect to '%s'", path);
	close(*fd);
	return rc;
}
