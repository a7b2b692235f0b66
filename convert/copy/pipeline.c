/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline.c - work that is taken in order, done in parallel, and finished in
 * order.
 *
 * One lock covers all of struct pipeline.  next() is called with it held: it
 * hands out work by the megabyte, so the lock is not where time goes.
 * process() and finish() run without it.
 */
#include "convert/copy/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"

#define TICK_NS 200000000u	/* between two calls of tick() */
#define POLL_NS 50000000u	/* between two looks at *cancel */

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_DONE };

struct worker {
	struct pipeline *p;
	unsigned index;
	pthread_t thread;
};

struct pipeline {
	const struct pipeline_args *args;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* slots, stop */
	pthread_cond_t ended;		/* a worker ended */
	enum slot_state *state;
	uint64_t taken, finished;	/* pieces; slot = count % slots */
	bool no_more, finishing;
	atomic_bool stop;		/* written with the lock held */
	unsigned running;		/* workers */
	int rc;				/* the first error */
	struct err *e;
};

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct timespec ns_time(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};
}

/* With the lock held. */
static void stop(struct pipeline *p, int rc, const struct err *e)
{
	if (!p->rc) {
		p->rc = rc;
		if (p->e && e)
			*p->e = *e;
	}
	atomic_store(&p->stop, true);
	pthread_cond_broadcast(&p->changed);
}

bool pipeline_stopped(struct pipeline *p)
{
	return atomic_load(&p->stop);
}

void pipeline_sleep(struct pipeline *p, uint64_t ns)
{
	struct timespec until = ns_time(ns);

	pthread_mutex_lock(&p->lock);
	while (!p->stop && clock_ns() < ns)
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
	pthread_mutex_unlock(&p->lock);
}

/* Finish what is processed at the head of the line, with the lock held. */
static void drain(struct pipeline *p)
{
	const struct pipeline_args *a = p->args;
	struct err e = { "" };
	int rc;

	if (p->finishing)
		return;
	p->finishing = true;
	while (!p->stop && p->finished < p->taken) {
		unsigned slot = (unsigned)(p->finished % a->slots);

		if (p->state[slot] != SLOT_DONE)
			break;
		pthread_mutex_unlock(&p->lock);
		rc = a->finish(a->ctx, slot, &e);
		pthread_mutex_lock(&p->lock);
		if (rc) {
			stop(p, rc, &e);
			break;
		}
		p->state[slot] = SLOT_FREE;
		p->finished++;
		pthread_cond_broadcast(&p->changed);
	}
	p->finishing = false;
}

/* Take one piece of work and process it, with the lock held. */
static void work_once(struct pipeline *p, unsigned worker)
{
	const struct pipeline_args *a = p->args;
	unsigned slot = (unsigned)(p->taken % a->slots);
	struct err e = { "" };
	int rc;

	rc = a->next(a->ctx, slot, &e);
	if (rc <= 0) {
		if (rc)
			stop(p, rc, &e);
		p->no_more = true;
		pthread_cond_broadcast(&p->changed);
		return;
	}
	p->state[slot] = SLOT_BUSY;
	p->taken++;
	pthread_mutex_unlock(&p->lock);
	rc = a->process(a->ctx, p, worker, slot, &e);
	pthread_mutex_lock(&p->lock);
	if (rc) {
		stop(p, rc, &e);
		return;
	}
	p->state[slot] = SLOT_DONE;
	drain(p);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->p;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (p->args->cancel && atomic_load(p->args->cancel))
			break;		/* pipeline_run() says so */
		if (!p->no_more && p->taken - p->finished < p->args->slots)
			work_once(p, w->index);
		else if (p->no_more && p->finished == p->taken)
			break;
		else
			pthread_cond_wait(&p->changed, &p->lock);
	}
	p->running--;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* What the caller's thread does meanwhile, with the lock held. */
static void watch(struct pipeline *p)
{
	const struct pipeline_args *a = p->args;
	uint64_t next_tick = clock_ns() + TICK_NS;

	while (p->running) {
		struct timespec until = ns_time(clock_ns() + POLL_NS);

		pthread_cond_timedwait(&p->ended, &p->lock, &until);
		if (a->cancel && atomic_load(a->cancel) && !p->stop) {
			struct err e;

			fail(&e, ECANCELED, "cancelled");
			stop(p, -ECANCELED, &e);
		}
		if (a->tick && clock_ns() >= next_tick) {
			pthread_mutex_unlock(&p->lock);
			a->tick(a->ctx);
			pthread_mutex_lock(&p->lock);
			next_tick = clock_ns() + TICK_NS;
		}
	}
}

static void run_workers(struct pipeline *p, struct worker *workers)
{
	unsigned n = 0;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	for (; n < p->args->threads; n++) {
		workers[n].p = p;
		workers[n].index = n;
		rc = thread_start(&workers[n].thread, p->args->name,
				  worker_main, &workers[n]);
		if (rc)
			break;
		p->running++;
	}
	if (!n) {
		struct err e;

		fail_rc(&e, rc, "starting a thread");
		stop(p, rc, &e);
	}
	watch(p);
	pthread_mutex_unlock(&p->lock);
	while (n--)
		pthread_join(workers[n].thread, NULL);
}

int pipeline_run(const struct pipeline_args *args, struct err *e)
{
	struct pipeline p = { .args = args, .e = e };
	struct worker *workers = NULL;
	pthread_condattr_t attr;
	int rc;

	p.state = array_alloc(args->slots, sizeof(*p.state));
	workers = array_alloc(args->threads, sizeof(*workers));
	if (!p.state || !workers) {
		rc = fail(e, ENOMEM, "out of memory");
		goto out;
	}
	pthread_mutex_init(&p.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p.changed, &attr);
	pthread_cond_init(&p.ended, &attr);
	run_workers(&p, workers);
	if (!p.rc && p.finished != p.taken + !p.no_more)
		p.rc = fail(e, ECANCELED, "cancelled");
	rc = p.rc;
	pthread_cond_destroy(&p.ended);
	pthread_cond_destroy(&p.changed);
	pthread_condattr_destroy(&attr);
	pthread_mutex_destroy(&p.lock);
out:
	free(workers);
	free(p.state);
	return rc;
}
