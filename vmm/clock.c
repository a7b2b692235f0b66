/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - the machine's clock and its timers.  See clock.h.
 *
 * The timers are a sorted list: a machine has about a dozen.  A timerfd in the
 * loop follows the first one, set by whoever arms it, so that nobody has to
 * wake the loop only to let it look.
 */
#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/vm.h"

/* The fixed start of virtual time: 2026-01-01 00:00:00 UTC. */
#define VIRTUAL_EPOCH 1767225600u

/* Timers that fire in one go.  A guest can program periods so short that there
 * is always another one due.
 */
#define FIRE_AT_ONCE 64

static uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

int clock_init(struct vm_clock *clock, bool is_virtual)
{
	struct timespec now;

	*clock = (struct vm_clock){ .is_virtual = is_virtual };
	clock->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (clock->fd < 0)
		return -errno;
	pthread_mutex_init(&clock->lock, NULL);
	clock_gettime(CLOCK_REALTIME, &now);
	clock->epoch = is_virtual ? VIRTUAL_EPOCH : (uint64_t)now.tv_sec;
	return 0;
}

void clock_fini(struct vm_clock *clock)
{
	if (clock->fd < 0)
		return;
	close(clock->fd);
	pthread_mutex_destroy(&clock->lock);
}

uint64_t vm_now(struct vm *vm)
{
	struct vm_clock *clock = &vm->clock;

	/* Both change only while the machine stands still. */
	if (clock->is_virtual || !atomic_load(&clock->running))
		return atomic_load(&clock->now);
	return host_ns() - atomic_load(&clock->host_start);
}

uint64_t vm_epoch(const struct vm *vm)
{
	return vm->clock.epoch;
}

/* Let the timerfd follow the first timer.  clock->lock is held. */
static void program(struct vm_clock *clock)
{
	struct itimerspec at = { 0 };

	if (clock->is_virtual)
		return;
	if (atomic_load(&clock->running) && clock->first) {
		uint64_t when;

		if (!add_ok(clock->first->when,
			    atomic_load(&clock->host_start), &when))
			when = UINT64_MAX / 2;
		at.it_value.tv_sec = (time_t)(when / NS_PER_S);
		at.it_value.tv_nsec = (long)(when % NS_PER_S);
		if (!when)
			at.it_value.tv_nsec = 1;	/* 0 would disarm */
	}
	timerfd_settime(clock->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* The timer is not in the list. */
static void insert(struct vm_clock *clock, struct vm_timer *timer)
{
	struct vm_timer **at = &clock->first;

	while (*at && (*at)->when <= timer->when)
		at = &(*at)->next;
	timer->next = *at;
	timer->armed = true;
	*at = timer;
}

static void take_out(struct vm_clock *clock, struct vm_timer *timer)
{
	struct vm_timer **at = &clock->first;

	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->armed = false;
}

void vm_timer_init(struct vm_timer *timer, struct vm *vm,
		   void (*fire)(void *arg), void *arg)
{
	*timer = (struct vm_timer){ .vm = vm, .fire = fire, .arg = arg };
}

void vm_timer_arm(struct vm_timer *timer, uint64_t when)
{
	struct vm_clock *clock = &timer->vm->clock;
	const struct vm_timer *first;

	pthread_mutex_lock(&clock->lock);
	first = clock->first;
	if (timer->armed)
		take_out(clock, timer);
	timer->when = when;
	insert(clock, timer);
	if (clock->first == timer || first == timer)
		program(clock);
	pthread_mutex_unlock(&clock->lock);
}

void vm_timer_cancel(struct vm_timer *timer)
{
	struct vm_clock *clock = &timer->vm->clock;

	pthread_mutex_lock(&clock->lock);
	if (timer->armed)
		take_out(clock, timer);
	pthread_mutex_unlock(&clock->lock);
}

void clock_clear(struct vm *vm)
{
	struct vm_clock *clock = &vm->clock;

	pthread_mutex_lock(&clock->lock);
	while (clock->first)
		take_out(clock, clock->first);
	pthread_mutex_unlock(&clock->lock);
}

uint64_t clock_next(struct vm *vm)
{
	struct vm_clock *clock = &vm->clock;
	uint64_t when;

	pthread_mutex_lock(&clock->lock);
	when = clock->first ? clock->first->when : UINT64_MAX;
	pthread_mutex_unlock(&clock->lock);
	return when;
}

void clock_run(struct vm *vm)
{
	struct vm_clock *clock = &vm->clock;
	uint64_t now = vm_now(vm);
	unsigned i;

	for (i = 0; i < FIRE_AT_ONCE; i++) {
		struct vm_timer *timer;

		pthread_mutex_lock(&clock->lock);
		timer = clock->first;
		if (timer && timer->when <= now)
			take_out(clock, timer);
		else
			timer = NULL;
		pthread_mutex_unlock(&clock->lock);
		if (!timer)
			break;
		timer->fire(timer->arg);
	}
	pthread_mutex_lock(&clock->lock);
	program(clock);
	pthread_mutex_unlock(&clock->lock);
}

void clock_advance(struct vm *vm, uint64_t now)
{
	struct vm_clock *clock = &vm->clock;

	if (clock->is_virtual && now > atomic_load(&clock->now))
		atomic_store(&clock->now, now);
}

void clock_stop(struct vm *vm)
{
	struct vm_clock *clock = &vm->clock;

	pthread_mutex_lock(&clock->lock);
	if (!clock->is_virtual && atomic_load(&clock->running)) {
		atomic_store(&clock->now,
			     host_ns() - atomic_load(&clock->host_start));
		atomic_store(&clock->running, false);
		program(clock);
	}
	pthread_mutex_unlock(&clock->lock);
}

void clock_start(struct vm *vm)
{
	struct vm_clock *clock = &vm->clock;

	pthread_mutex_lock(&clock->lock);
	if (!clock->is_virtual && !atomic_load(&clock->running)) {
		atomic_store(&clock->host_start,
			     host_ns() - atomic_load(&clock->now));
		atomic_store(&clock->running, true);
		program(clock);
	}
	pthread_mutex_unlock(&clock->lock);
}
