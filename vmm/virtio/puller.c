/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puller.c - threads that pull requests out of a device's queues.  See puller.h.
 *
 * The driver is asked to notify while somebody sleeps.  Before it sleeps, a
 * puller counts itself among the sleepers, arms each queue and looks whether it
 * is empty; only when nobody sleeps, which is asked with the queue's lock held,
 * are notifications turned off.  So a request that comes later rings the bell.
 *
 * The bell remembers neither how often it was rung nor for which queue, and a
 * queue notifies once.  So who is woken by it arms and looks at all queues again
 * before serving a request, and rings for the next sleeper if there is more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"
#include "vmm/virtio/puller.h"

/* Requests that are taken from one queue before others get their turn. */
#define BURST 16u

static void ring(const struct pullers *p)
{
	uint64_t one = 1;

	while (write(p->v->doorbell, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Serve the request in me->chain, and what comes behind it in its queue as long
 * as it is our turn.
 */
static void work(struct puller *me)
{
	struct pullers *p = me->pool;
	unsigned i;

	for (i = 1;; i++) {
		uint32_t written = p->serve(p->v, me, &me->chain);

		if (i == BURST) {
			virtio_push(p->v, &me->chain, written);
			return;
		}
		if (virtio_swap(p->v, &me->chain, written, &p->sleepers) <= 0)
			return;
	}
}

static bool arm_all(struct pullers *p)
{
	bool more = false;
	unsigned i;

	for (i = 0; i < p->v->n_queues; i++)
		more = virtio_arm(p->v, i) || more;
	return more;
}

static bool pull_some(struct puller *me)
{
	struct pullers *p = me->pool;
	unsigned i, n = p->v->n_queues;

	for (i = 0; i < n; i++) {
		unsigned queue = (me->next + i) % n;

		if (virtio_take(p->v, queue, &me->chain, &p->sleepers) <= 0)
			continue;
		me->next = queue + 1;
		if (me->woken && atomic_load(&p->sleepers) && arm_all(p))
			ring(p);
		me->woken = false;
		work(me);
		return true;
	}
	return false;
}

static void sleep_until_rung(struct puller *me)
{
	struct pullers *p = me->pool;
	uint64_t n;

	atomic_fetch_add(&p->sleepers, 1);
	if (!arm_all(p) && !atomic_load(&p->stop)) {
		while (read(p->v->doorbell, &n, sizeof(n)) < 0 &&
		       errno == EINTR)
			;
		me->woken = true;
	}
	atomic_fetch_sub(&p->sleepers, 1);
}

static void *pull(void *arg)
{
	struct puller *me = arg;
	struct pullers *p = me->pool;

	while (!atomic_load(&p->stop)) {
		if (!pull_some(me))
			sleep_until_rung(me);
	}
	/* Reading the bell has silenced it for the others. */
	ring(p);
	return NULL;
}

int pullers_init(struct pullers *p, struct virtio *v,
		 uint32_t (*serve)(struct virtio *v, struct puller *me,
				   struct vq_chain *c),
		 struct err *e)
{
	p->v = v;
	p->serve = serve;
	v->doorbell = eventfd(0, EFD_CLOEXEC);
	return v->doorbell < 0 ?
		fail_rc(e, -errno, "%s: its doorbell", v->ops->name) : 0;
}

int pullers_start(struct pullers *p, unsigned n, struct err *e)
{
	int rc = 0;

	p->all = array_alloc(n, sizeof(*p->all));
	if (!p->all)
		return fail_rc(e, -ENOMEM, "%s: its threads", p->v->ops->name);
	while (!rc && p->n < n) {
		struct puller *me = &p->all[p->n];
		char name[16];

		me->pool = p;
		me->index = p->n;
		me->next = p->n;	/* spread them over the queues */
		snprintf(name, sizeof(name), "puller%u", p->n % 1000);
		rc = thread_start(&me->thread, name, pull, me);
		if (!rc)
			p->n++;
	}
	return rc ? fail_rc(e, rc, "%s: its threads", p->v->ops->name) : 0;
}

void pullers_fini(struct pullers *p)
{
	unsigned i;

	atomic_store(&p->stop, true);
	if (p->n)
		ring(p);
	for (i = 0; i < p->n; i++) {
		pthread_join(p->all[i].thread, NULL);
		free(p->all[i].scratch);
	}
	free(p->all);
	if (p->v && p->v->doorbell >= 0)
		close(p->v->doorbell);
}
