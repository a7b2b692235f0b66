/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.c - the life of a virtio device: status, reset, pause, interrupts, and
 * its queues while they run.  See virtio.h; registers.c is what drivers set.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "vmm/virtio/virtio.h"
#include "vmm/vm.h"

/* What a driver may set in the status, and never clear but by a reset. */
#define DRIVER_BITS (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | \
		     VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK | \
		     VIRTIO_STATUS_FAILED)

static bool driver_ok(struct virtio *v)
{
	return atomic_load(&v->status) & VIRTIO_STATUS_DRIVER_OK;
}

/* Interrupts. */

static void interrupt(struct virtio *v, uint8_t bit, uint16_t vector)
{
	if (v->transport->message && v->transport->message(v, vector))
		return;
	pthread_mutex_lock(&v->isr_lock);
	v->isr |= bit;
	v->transport->line(v, true);
	pthread_mutex_unlock(&v->isr_lock);
}

uint8_t virtio_isr(struct virtio *v, uint8_t clear)
{
	uint8_t isr;

	pthread_mutex_lock(&v->isr_lock);
	isr = v->isr;
	v->isr &= (uint8_t)~clear;
	if (isr && !v->isr)
		v->transport->line(v, false);
	pthread_mutex_unlock(&v->isr_lock);
	return isr;
}

static void config_interrupt(struct virtio *v)
{
	if (driver_ok(v))
		interrupt(v, VIRTIO_ISR_CONFIG,
			  atomic_load(&v->config_vector));
}

void virtio_config_changed(struct virtio *v)
{
	atomic_fetch_add(&v->generation, 1);
	config_interrupt(v);
}

void virtio_break(struct virtio *v)
{
	if (atomic_exchange(&v->broken, true))
		return;
	atomic_fetch_or(&v->status, VIRTIO_STATUS_NEEDS_RESET);
	config_interrupt(v);
}

/* Running queues. */

/* The queue's lock is held for these three. */

static int pop(struct virtio *v, struct vq *q, struct vq_chain *c)
{
	int rc = 0;

	if (!atomic_load(&v->broken))
		rc = vq_pop(q, c);
	/* With the lock, so that a reset does not come in between. */
	if (rc < 0)
		virtio_break(v);
	return rc;
}

static void push(struct virtio *v, struct vq_chain *c, uint32_t written)
{
	struct vq *q = c->q;

	vq_push(q, c, written);
	if (vq_need_interrupt(q))
		interrupt(v, VIRTIO_ISR_QUEUE, atomic_load(&q->vector));
}

static int take(struct virtio *v, struct vq *q, struct vq_chain *c,
		const _Atomic unsigned *sleepers)
{
	int rc = pop(v, q, c);

	if (rc > 0 && !atomic_load(sleepers))
		vq_disarm(q);
	return rc;
}

int virtio_pop(struct virtio *v, unsigned i, struct vq_chain *c)
{
	int rc;

	pthread_mutex_lock(&v->queues[i].lock);
	rc = pop(v, &v->queues[i], c);
	pthread_mutex_unlock(&v->queues[i].lock);
	return rc;
}

void virtio_push(struct virtio *v, struct vq_chain *c, uint32_t written)
{
	pthread_mutex_lock(&c->q->lock);
	push(v, c, written);
	pthread_mutex_unlock(&c->q->lock);
}

int virtio_take(struct virtio *v, unsigned i, struct vq_chain *c,
		const _Atomic unsigned *sleepers)
{
	int rc;

	pthread_mutex_lock(&v->queues[i].lock);
	rc = take(v, &v->queues[i], c, sleepers);
	pthread_mutex_unlock(&v->queues[i].lock);
	return rc;
}

int virtio_swap(struct virtio *v, struct vq_chain *c, uint32_t written,
		const _Atomic unsigned *sleepers)
{
	struct vq *q = c->q;
	int rc;

	pthread_mutex_lock(&q->lock);
	push(v, c, written);
	rc = take(v, q, c, sleepers);
	pthread_mutex_unlock(&q->lock);
	return rc;
}

void virtio_unpop(struct virtio *v, struct vq_chain *c)
{
	(void)v;
	pthread_mutex_lock(&c->q->lock);
	vq_unpop(c->q, c);
	pthread_mutex_unlock(&c->q->lock);
}

bool virtio_arm(struct virtio *v, unsigned i)
{
	bool more;

	pthread_mutex_lock(&v->queues[i].lock);
	more = !atomic_load(&v->broken) && vq_arm(&v->queues[i]);
	pthread_mutex_unlock(&v->queues[i].lock);
	return more;
}

void virtio_disarm(struct virtio *v, unsigned i)
{
	pthread_mutex_lock(&v->queues[i].lock);
	vq_disarm(&v->queues[i]);
	pthread_mutex_unlock(&v->queues[i].lock);
}

static void ring_doorbell(struct virtio *v)
{
	uint64_t one = 1;

	/* It cannot fail: a full counter is not reached in a lifetime. */
	while (write(v->doorbell, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void virtio_notify(struct virtio *v, uint32_t i)
{
	if (i >= v->n_queues || !driver_ok(v) || atomic_load(&v->broken))
		return;
	if (v->doorbell >= 0) {
		ring_doorbell(v);
		return;
	}
	pthread_mutex_lock(&v->lock);
	if (v->ops->notify && driver_ok(v) && !v->paused)
		v->ops->notify(v, i);
	pthread_mutex_unlock(&v->lock);
}

/* Whatever came before may have gone unheard. */
static void notify_all(struct virtio *v)
{
	unsigned i;

	if (v->doorbell >= 0) {
		ring_doorbell(v);
		return;
	}
	for (i = 0; i < v->n_queues && v->ops->notify; i++)
		v->ops->notify(v, i);
}

/* Let queues run that are enabled, if the driver is ready. */
void virtio_queue_go(struct virtio *v, struct vq *q)
{
	pthread_mutex_lock(&q->lock);
	q->event_idx = virtio_has(v, VIRTIO_F_RING_EVENT_IDX);
	q->indirect = virtio_has(v, VIRTIO_F_RING_INDIRECT_DESC);
	q->live = driver_ok(v) && !v->paused;
	/* What waits is looked up anew, as it is where this machine's state is
	 * loaded.
	 */
	q->n_seen = 0;
	pthread_mutex_unlock(&q->lock);
}

static void go(struct virtio *v)
{
	unsigned i;

	for (i = 0; i < v->n_queues; i++)
		virtio_queue_go(v, &v->queues[i]);
	if (driver_ok(v) && !v->paused)
		notify_all(v);
}

static void halt(struct virtio *v)
{
	unsigned i;

	for (i = 0; i < v->n_queues; i++) {
		pthread_mutex_lock(&v->queues[i].lock);
		v->queues[i].live = false;
		pthread_mutex_unlock(&v->queues[i].lock);
	}
	if (v->ops->settle)
		v->ops->settle(v);
	for (i = 0; i < v->n_queues; i++) {
		pthread_mutex_lock(&v->queues[i].lock);
		vq_drain(&v->queues[i]);
		pthread_mutex_unlock(&v->queues[i].lock);
	}
}

/* Status and reset. */

static void tell_watch(const struct virtio *v)
{
	const struct vm_watch *w = v->dev.vm->config.watch;

	if (w && w->driver)
		w->driver(w->arg, v->ops->name, v->features);
}

void virtio_set_status(struct virtio *v, uint8_t status)
{
	uint8_t old = atomic_load(&v->status);
	uint8_t add = status & DRIVER_BITS & (uint8_t)~old;

	if (!status) {
		virtio_reset(v);
		return;
	}
	if (add & VIRTIO_STATUS_FEATURES_OK &&
	    (!virtio_has(v, VIRTIO_F_VERSION_1) || v->features & ~v->offered))
		add &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	if (!((old | add) & VIRTIO_STATUS_FEATURES_OK))
		add &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
	atomic_fetch_or(&v->status, add);
	if (add & VIRTIO_STATUS_DRIVER_OK) {
		if (v->ops->start)
			v->ops->start(v);
		tell_watch(v);
		go(v);
	}
}

void virtio_reset(struct virtio *v)
{
	unsigned i;

	halt(v);
	if (v->ops->reset)
		v->ops->reset(v);
	for (i = 0; i < v->n_queues; i++) {
		pthread_mutex_lock(&v->queues[i].lock);
		vq_reset(&v->queues[i]);
		pthread_mutex_unlock(&v->queues[i].lock);
	}
	v->features = 0;
	v->feature_select = v->driver_feature_select = v->queue_select = 0;
	atomic_store(&v->config_vector, VQ_NO_VECTOR);
	atomic_store(&v->broken, false);
	atomic_store(&v->status, 0);
	virtio_isr(v, 0xff);
}

static void device_reset(struct device *dev)
{
	struct virtio *v = (struct virtio *)dev;

	pthread_mutex_lock(&v->lock);
	virtio_reset(v);
	pthread_mutex_unlock(&v->lock);
	v->transport->reset(v);
}

static void device_pause(struct device *dev)
{
	struct virtio *v = (struct virtio *)dev;

	pthread_mutex_lock(&v->lock);
	v->paused = true;
	halt(v);
	pthread_mutex_unlock(&v->lock);
}

static void device_resume(struct device *dev)
{
	struct virtio *v = (struct virtio *)dev;

	pthread_mutex_lock(&v->lock);
	v->paused = false;
	go(v);
	pthread_mutex_unlock(&v->lock);
}

static void device_fini(struct device *dev)
{
	virtio_free((struct virtio *)dev);
}

/* Making and ending. */

int virtio_init(struct virtio *v, struct vm *vm, const struct virtio_ops *ops,
		uint64_t features, unsigned n_queues, unsigned config_len,
		struct err *e)
{
	int rc = 0;

	v->dev.vm = vm;
	v->dev_ops = (struct device_ops){
		.name = ops->name, .reset = device_reset,
		.pause = device_pause, .resume = device_resume,
		.fini = device_fini, .state = &virtio_state,
	};
	v->ops = ops;
	v->doorbell = -1;
	v->offered = features | VIRTIO_F_VERSION_1 |
		VIRTIO_F_RING_INDIRECT_DESC | VIRTIO_F_RING_EVENT_IDX;
	v->config_len = config_len;
	atomic_store(&v->config_vector, VQ_NO_VECTOR);
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->isr_lock, NULL);
	v->queues = array_alloc(n_queues, sizeof(*v->queues));
	if (!v->queues)
		rc = -ENOMEM;
	while (!rc && v->n_queues < n_queues) {
		rc = vq_init(&v->queues[v->n_queues], vm, VQ_MAX_SIZE);
		if (!rc)
			v->n_queues++;
	}
	return rc ? fail_rc(e, rc, "%s: its queues", ops->name) : 0;
}

int virtio_attach(struct virtio *v, enum vm_bus bus, struct err *e)
{
	int rc = bus == VM_BUS_PCI ? virtio_pci_attach(v, e) :
		virtio_mmio_attach(v, e);

	if (!rc)
		device_add(v->dev.vm, &v->dev, &v->dev_ops);
	return rc;
}

void virtio_free(struct virtio *v)
{
	unsigned i;

	if (v->ops->fini)
		v->ops->fini(v);
	if (v->transport)
		v->transport->fini(v);
	for (i = 0; i < v->n_queues; i++)
		vq_fini(&v->queues[i]);
	free(v->queues);
	pthread_mutex_destroy(&v->isr_lock);
	pthread_mutex_destroy(&v->lock);
	free(v);
}
