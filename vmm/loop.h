/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h - the machine's own thread: waits for file descriptors and timers.
 *
 * Callbacks run on it with the machine lock held, and never block.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <pthread.h>
#include <sys/epoll.h>

#include "imgfmt/base/base.h"

struct vm;

/* A part of its owner's struct. */
struct loop_fd {
	int fd;
	uint32_t events;	/* EPOLLIN, EPOLLOUT; 0: not watched now */
	void (*ready)(void *arg, uint32_t events);
	void *arg;
	bool added;
	struct loop_fd *next;
};

struct loop {
	int epoll;
	int wake;		/* eventfd */
	pthread_t thread;
	bool ready, running;
	_Atomic bool stop;
	pthread_mutex_t lock;		/* the innermost; around watched */
	struct loop_fd *watched;
};

int loop_init(struct loop *loop, struct err *e);
void loop_fini(struct loop *loop);
int loop_start(struct vm *vm, struct err *e);
void loop_stop(struct vm *vm);

/* Watch `w->fd` for `events`; again with others to change, with 0 to pause.
 * Regular files, which epoll refuses, give -EPERM.  For both: any thread.
 */
int loop_watch(struct vm *vm, struct loop_fd *w, uint32_t events);
/* Stop watching; the callback may run once more, unless the machine lock is
 * held, or the machine does not run.
 */
void loop_forget(struct vm *vm, struct loop_fd *w);

#endif
