/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unixsock.h - UNIX sockets by path: listen, and connect. */
#ifndef VMM_UNIXSOCK_H
#define VMM_UNIXSOCK_H

#include <sys/types.h>

#include "imgfmt/base/base.h"

/* A listening, non-blocking stream socket with this mode, in place of one that a
 * dead program left.  The caller closes *fd and removes the path.
 */
int unixsock_listen(const char *path, mode_t mode, int *fd, struct err *e);

/* A blocking one that is connected. */
int unixsock_connect(const char *path, int *fd, struct err *e);

#endif
