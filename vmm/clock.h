/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - the machine's time: one clock, from which every timer of the guest
 * is derived, and timers on it.
 *
 * The clock counts nanoseconds since the machine was made and stands still while
 * it is paused.  Real: it follows the host.  Virtual: it moves only when the
 * software CPU moves it (instructions run, idle time skipped), so that a run
 * repeats exactly.  No device reads the host's time.
 */
#ifndef VMM_CLOCK_H
#define VMM_CLOCK_H

#include <pthread.h>
#include <stdatomic.h>

#include "imgfmt/base/base.h"

struct vm;

#define NS_PER_S 1000000000ull

/* A part of its owner's struct. */
struct vm_timer {
	struct vm *vm;
	void (*fire)(void *arg);
	void *arg;
	uint64_t when;			/* ns; valid while armed */
	bool armed;
	struct vm_timer *next;		/* sorted by when, then by arming order */
};

struct vm_clock {
	pthread_mutex_t lock;
	bool is_virtual;
	_Atomic bool running;
	_Atomic uint64_t now;		/* ns: virtual, or when it stood still */
	_Atomic uint64_t host_start;	/* host's ns at which the clock was 0 */
	int fd;				/* timerfd for the first timer */
	struct vm_timer *first;
	uint64_t epoch;			/* seconds since 1970 at time 0, for the RTC */
};

int clock_init(struct vm_clock *clock, bool is_virtual);
void clock_fini(struct vm_clock *clock);

/* Nanoseconds; never goes back.  Any thread. */
uint64_t vm_now(struct vm *vm);

/* Seconds since 1970 at vm_now() == 0: the host's time, or a fixed one when
 * the clock is virtual.
 */
uint64_t vm_epoch(const struct vm *vm);

/* `a * num / den` without overflow in between: ns to ticks and back. */
static inline uint64_t clock_scale(uint64_t a, uint64_t num, uint64_t den)
{
	return (uint64_t)((unsigned __int128)a * num / den);
}

/* fire(arg) runs once vm_now() has reached `when`, with the machine lock held,
 * on a thread of the machine's; it may arm the timer again.  Arming an armed
 * timer moves it.  Any thread may arm and cancel; a timer that is cancelled with
 * the machine lock held does not fire any more.
 */
void vm_timer_init(struct vm_timer *timer, struct vm *vm,
		   void (*fire)(void *arg), void *arg);
void vm_timer_arm(struct vm_timer *timer, uint64_t when);
void vm_timer_cancel(struct vm_timer *timer);

/* For the loop and the software CPU. */

/* When is the next timer due?  UINT64_MAX: none is armed.  Any thread. */
uint64_t clock_next(struct vm *vm);

/* Fire what is due.  The machine lock is held. */
void clock_run(struct vm *vm);

/* Move a virtual clock forward to `now`.  Only the software CPU. */
void clock_advance(struct vm *vm, uint64_t now);

/* Disarm every timer, before their owners go. */
void clock_clear(struct vm *vm);

/* Stop and go on, for pause and resume. */
void clock_stop(struct vm *vm);
void clock_start(struct vm *vm);

#endif
