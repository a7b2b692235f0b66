/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c - the thread that waits for timers and host files.  See loop.h. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "vmm/vm.h"

int loop_init(struct loop *loop, struct err *e)
{
	*loop = (struct loop){ .epoll = -1, .wake = -1 };
	pthread_mutex_init(&loop->lock, NULL);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->wake < 0) {
		int rc = -errno;

		loop_fini(loop);
		return fail_rc(e, rc, "the machine's event loop");
	}
	return 0;
}

void loop_fini(struct loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wake >= 0)
		close(loop->wake);
	loop->epoll = loop->wake = -1;
}

/* Is it still watched?  It may be gone since epoll named it. */
static bool watched(struct loop *loop, const struct loop_fd *w)
{
	const struct loop_fd *i;

	pthread_mutex_lock(&loop->lock);
	i = loop->watched;
	while (i && i != w)
		i = i->next;
	pthread_mutex_unlock(&loop->lock);
	return i;
}

static void dispatch(struct vm *vm, const struct epoll_event *event)
{
	struct loop_fd *w = event->data.ptr;
	uint64_t n;

	vm_lock(vm);
	if (!w) {		/* the timerfd, or the wake-up */
		while (read(vm->clock.fd, &n, sizeof(n)) > 0)
			;
		while (read(vm->loop.wake, &n, sizeof(n)) > 0)
			;
		if (!vm->clock.is_virtual)
			clock_run(vm);
	} else if (watched(&vm->loop, w)) {
		w->ready(w->arg, event->events);
	}
	vm_unlock(vm);
}

static void *loop_main(void *arg)
{
	struct vm *vm = arg;
	struct epoll_event event;

	while (!atomic_load(&vm->loop.stop)) {
		if (epoll_wait(vm->loop.epoll, &event, 1, -1) == 1)
			dispatch(vm, &event);
	}
	return NULL;
}

int loop_start(struct vm *vm, struct err *e)
{
	struct loop *loop = &vm->loop;
	struct epoll_event event = { .events = EPOLLIN };
	int rc;

	if (!loop->ready) {
		if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) ||
		    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, vm->clock.fd, &event))
			return fail_rc(e, -errno, "the machine's event loop");
		loop->ready = true;
	}
	atomic_store(&loop->stop, false);
	rc = thread_start(&loop->thread, "loop", loop_main, vm);
	if (rc)
		return fail_rc(e, rc, "the machine's event loop");
	loop->running = true;
	return 0;
}

void loop_stop(struct vm *vm)
{
	struct loop *loop = &vm->loop;
	uint64_t one = 1;

	if (!loop->running)
		return;
	atomic_store(&loop->stop, true);
	while (write(loop->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(loop->thread, NULL);
	loop->running = false;
}

static int watch(struct loop *loop, struct loop_fd *w, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };

	if (w->added && w->events == events)
		return 0;
	if (epoll_ctl(loop->epoll, w->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      w->fd, &event))
		return -errno;
	if (!w->added) {
		w->next = loop->watched;
		loop->watched = w;
	}
	w->added = true;
	w->events = events;
	return 0;
}

static void forget(struct loop *loop, struct loop_fd *w)
{
	struct loop_fd **at = &loop->watched;

	if (!w->added)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->added = false;
	w->events = 0;
}

int loop_watch(struct vm *vm, struct loop_fd *w, uint32_t events)
{
	struct loop *loop = &vm->loop;
	int rc = 0;

	pthread_mutex_lock(&loop->lock);
	/* A file that hung up is reported even if no event is asked for, so
	 * that 0 means to leave epoll.
	 */
	if (events)
		rc = watch(loop, w, events);
	else
		forget(loop, w);
	pthread_mutex_unlock(&loop->lock);
	return rc;
}

void loop_forget(struct vm *vm, struct loop_fd *w)
{
	loop_watch(vm, w, 0);
}
