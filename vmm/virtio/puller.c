/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puller.c - threads that pull requests out of a device's queues.  See puller.h.
 *
 * The driver is asked to notify exactly while somebody sleeps.  Before it sleeps,
 * a puller counts itself among the sleepers and arms each queue; whoever takes a
 * request looks at the count, with the queue's lock held, and arms the queue
 * again if there are any.  So the next request rings the bell, or is seen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"
#include "vmm/virtio/puller.h"

static void ring(const struct pullers *p)
{
	uint64_t one = 1;

	while (write(p->v->doorbell, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool pull_one(struct puller *me)
{
	struct pullers *p = me->pool;
	struct virtio *v = p->v;
	struct vq_chain *c = &me->chain;
	unsigned i, n = v->n_queues;
	uint32_t written;

	for (i = 0; i < n; i++) {
		unsigned queue = (me->next + i) % n;

		if (virtio_pop(v, queue, c) <= 0)
			continue;
		me->next = queue + 1;
		/* Somebody else may do what else there is. */
		if (!atomic_load(&p->sleepers))
			virtio_disarm(v, queue);
		else if (virtio_arm(v, queue))
			ring(p);
		written = p->serve(v, me, c);
		virtio_push(v, c, written);
		return true;
	}
	return false;
}

static void sleep_until_rung(struct pullers *p)
{
	bool more = false;
	unsigned i;
	uint64_t n;

	atomic_fetch_add(&p->sleepers, 1);
	for (i = 0; i < p->v->n_queues; i++)
		more = virtio_arm(p->v, i) || more;
	if (!more && !atomic_load(&p->stop)) {
		while (read(p->v->doorbell, &n, sizeof(n)) < 0 &&
		       errno == EINTR)
			;
	}
	atomic_fetch_sub(&p->sleepers, 1);
}

static void *pull(void *arg)
{
	struct puller *me = arg;
	struct pullers *p = me->pool;

	while (!atomic_load(&p->stop)) {
		if (!pull_one(me))
			sleep_until_rung(p);
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
