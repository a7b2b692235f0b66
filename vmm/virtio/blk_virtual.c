/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk_virtual.c - virtio-blk under a virtual clock, where a run must repeat
 * exactly: no threads.
 *
 * A request is done at once, on the thread that notifies, however long that takes
 * the host (the guest's time stands still meanwhile); the driver hears of it after
 * a time that is made up from the request alone.  Requests of a disk follow each
 * other.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "vmm/virtio/blk.h"
#include "vmm/vm.h"

/* A quick SSD: 20 us a request, 1 GB a second. */
#define REQUEST_NS	20000u
#define BYTES_PER_NS	1u

struct blk_done {
	struct vq *q;
	uint16_t head;
	uint32_t written;
	uint64_t when;
};

/* Requests that are done and not yet said to be: a ring, in order of `when`.
 * v->lock.
 */
struct blk_virtual {
	struct vm_timer timer;
	struct puller self;		/* the thread that notifies */
	size_t head, n, size;
	struct blk_done *done;
};

static void push(struct blk *b, const struct blk_done *d)
{
	struct vq_chain *c = &b->virtual->self.chain;

	c->q = d->q;
	c->head = d->head;
	c->n_out = c->n_in = 0;
	virtio_push(&b->v, c, d->written);
}

/* Tell of what is due by `now`. */
static void tell(struct blk *b, uint64_t now)
{
	struct blk_virtual *w = b->virtual;

	while (w->n && w->done[w->head].when <= now) {
		struct blk_done d = w->done[w->head];

		w->head = (w->head + 1) % w->size;
		w->n--;
		push(b, &d);
	}
	if (w->n)
		vm_timer_arm(&w->timer, w->done[w->head].when);
	else
		vm_timer_cancel(&w->timer);
}

static void due(void *arg)
{
	struct blk *b = arg;

	pthread_mutex_lock(&b->v.lock);
	tell(b, vm_now(b->v.dev.vm));
	pthread_mutex_unlock(&b->v.lock);
}

static void do_one(struct blk *b, struct vq_chain *c)
{
	struct blk_virtual *w = b->virtual;
	uint64_t now = vm_now(b->v.dev.vm);
	uint64_t cost = REQUEST_NS + (c->out_len + c->in_len) / BYTES_PER_NS;
	struct blk_done *d = &w->done[(w->head + w->n) % w->size];

	d->q = c->q;
	d->head = c->head;
	if (w->n)
		now = w->done[(w->head + w->n - 1) % w->size].when;
	d->when = now + cost;
	d->written = blk_serve(&b->v, &w->self, c);
	/* When the driver hears of it the pieces are long forgotten. */
	vq_wrote(c);
	w->n++;
	if (w->n == 1)
		vm_timer_arm(&w->timer, d->when);
}

void blk_virtual_notify(struct virtio *v, unsigned i)
{
	struct blk *b = (struct blk *)v;

	/* What is told frees room in the ring no sooner than its time: not more
	 * than a queue's worth is ever under way.
	 */
	do {
		while (virtio_pop(v, i, &b->virtual->self.chain) > 0)
			do_one(b, &b->virtual->self.chain);
	} while (virtio_arm(v, i));
}

void blk_virtual_settle(struct virtio *v)
{
	if (((struct blk *)v)->virtual)
		tell((struct blk *)v, UINT64_MAX);
}

int blk_virtual_init(struct blk *b, struct vm *vm, unsigned queues)
{
	struct blk_virtual *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	b->virtual = w;
	w->size = (size_t)queues * VQ_MAX_SIZE;
	w->done = array_alloc(w->size, sizeof(*w->done));
	if (!w->done)
		return -ENOMEM;
	vm_timer_init(&w->timer, vm, due, b);
	return 0;
}

void blk_virtual_fini(struct blk *b)
{
	if (!b->virtual)
		return;
	free(b->virtual->self.scratch);
	free(b->virtual->done);
	free(b->virtual);
}
