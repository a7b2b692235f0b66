/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.c - where the GDB server listens: never to another host. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/gdb/gdb.h"
#include "vmm/unixsock.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool is_host(const char *host, size_t len, const char *name)
{
	return len == strlen(name) && !strncmp(host, name, len);
}

/* HOST:PORT; false: it is not one of those that we serve. */
static bool parse(const char *text, union address *a, socklen_t *len)
{
	const char *colon = strrchr(text, ':');
	size_t host = colon ? (size_t)(colon - text) : 0;
	unsigned long port;
	char *end;

	if (!colon || colon[1] < '0' || colon[1] > '9')
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || !port || port > 65535)
		return false;
	memset(a, 0, sizeof(*a));
	if (is_host(text, host, "[::1]")) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_addr = in6addr_loopback;
		a->v6.sin6_port = htons((uint16_t)port);
		*len = sizeof(a->v6);
		return true;
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->v4.sin_port = htons((uint16_t)port);
	*len = sizeof(a->v4);
	return !host || is_host(text, host, "127.0.0.1") ||
		is_host(text, host, "localhost");
}

static int listen_tcp(const char *host, int *fd, struct err *e)
{
	union address a;
	socklen_t len;
	int one = 1, rc;

	if (!parse(host, &a, &len))
		return fail(e, EINVAL, "'%s' must be unix:PATH, or :PORT on "
			    "this host alone (also 127.0.0.1:PORT, "
			    "localhost:PORT, [::1]:PORT) with a port of 1 to "
			    "65535", host);
	*fd = socket(a.any.sa_family,
		     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return fail_rc(e, -errno, "cannot make a socket");
	/* Clients get it from here, the sandbox would not let them have it. */
	if (!setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) &&
	    !bind(*fd, &a.any, len) && !listen(*fd, 1))
		return 0;
	rc = fail_rc(e, -errno, "cannot listen on '%s'", host);
	close(*fd);
	return rc;
}

int gdb_listen(const char *host, int *fd, const char **path, struct err *e)
{
	*path = NULL;
	if (strncmp(host, "unix:", 5))
		return listen_tcp(host, fd, e);
	*path = host + 5;
	return unixsock_listen(*path, 0600, fd, e);
}
