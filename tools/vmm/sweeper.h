/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sweeper.h - a process of its own that removes our sockets when we have ended, in
 * whichever way: the sandbox lets nobody remove files, and a killed program cannot.
 */
#ifndef TOOLS_SWEEPER_H
#define TOOLS_SWEEPER_H

#include <sys/stat.h>

#include "imgfmt/base/base.h"

#define SWEEPER_MAX 8u

struct sweeper {
	unsigned n;
	const char *paths[SWEEPER_MAX];	/* the caller's */
	struct stat files[SWEEPER_MAX];	/* what was there: only that goes */
	int fd;				/* closed: we have ended */
	int pid;			/* 0: it does not run */
};

/* A path that exists now is to go.  At most SWEEPER_MAX. */
void sweeper_add(struct sweeper *s, const char *path);

/* Before any thread starts, and before anything is opened that another process
 * should not have for a moment.
 */
int sweeper_start(struct sweeper *s, struct err *e);

/* They are gone when this returns. */
void sweeper_finish(struct sweeper *s);

#endif
