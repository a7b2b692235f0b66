/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_puller.c - requests that come together are served together, by as many
 * pullers as there are, however they were notified; and one puller misses none.
 */
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"
#include "vmm/virtio/puller.h"

#define PULLERS 3u

struct test_device {
	struct virtio v;
	struct pullers pullers;
	pthread_barrier_t barrier;
	bool together;
	_Atomic unsigned served;
};

static uint32_t serve(struct virtio *v, struct puller *me, struct vq_chain *c)
{
	struct test_device *t = (struct test_device *)v;

	CHECK(me->index < t->pullers.n && c->in_len == 8);
	/* Nobody leaves before all are here. */
	if (t->together)
		pthread_barrier_wait(&t->barrier);
	t->served++;
	return 8;
}

static void fini(struct virtio *v)
{
	struct test_device *t = (struct test_device *)v;

	pullers_fini(&t->pullers);
	pthread_barrier_destroy(&t->barrier);
}

static const struct virtio_ops ops = { .name = "test", .id = 42, .fini = fini };

static struct test_device *make(struct vm *vm, unsigned pullers)
{
	struct test_device *t = calloc(1, sizeof(*t));
	struct err e;

	CHECK(t);
	pthread_barrier_init(&t->barrier, NULL, PULLERS);
	t->together = pullers == PULLERS;
	CHECK_OK(virtio_init(&t->v, vm, &ops, 0, PULLERS, 0, &e));
	CHECK_OK(pullers_init(&t->pullers, &t->v, serve, &e));
	CHECK_OK(pullers_start(&t->pullers, pullers, &e));
	CHECK_OK(virtio_attach(&t->v, VM_BUS_MMIO, &e));
	return t;
}

/* `n` requests, all in queue 0 behind one kick, or one in each queue. */
static void round_of(struct vdev *d, unsigned n, bool one_queue)
{
	const struct vbuf b = { VRING_DATA, 8, true };
	uint32_t len;
	unsigned i;

	for (i = 0; i < n; i++) {
		CHECK(vring_add(d, one_queue ? 0 : i, &b, 1) >= 0);
		if (!one_queue)
			vring_kick(d, i);
	}
	if (one_queue)
		vring_kick(d, 0);
	for (i = 0; i < n; i++) {
		CHECK(vring_wait(d, one_queue ? 0 : i, &len) >= 0);
		CHECK_EQ(len, 8);
	}
}

static void check(unsigned pullers, uint64_t features)
{
	struct vm *vm = fakevm_bare(32u << 20, 1);
	struct test_device *t = make(vm, pullers);
	struct vdev d;
	unsigned i;

	vdev_open(&d, vm, VM_BUS_MMIO, 0, 0);
	vdev_start(&d, features, PULLERS, 16);
	for (i = 0; i < 200; i++) {
		round_of(&d, PULLERS, i & 1);
		if (i % 10 == 0)
			usleep(300);		/* all sleep */
	}
	CHECK_EQ(t->served, 200 * PULLERS);
	/* A device that starts while it is paused goes on with the resume. */
	t->together = false;
	t->v.dev.ops->pause(&t->v.dev);
	vdev_start(&d, features, PULLERS, 16);
	CHECK(vring_add(&d, 0, &(struct vbuf){ VRING_DATA, 8, true }, 1) >= 0);
	vring_kick(&d, 0);
	usleep(2000);
	CHECK_EQ(vring_used_idx(&d.rings[0]), 0);
	t->v.dev.ops->resume(&t->v.dev);
	CHECK(vring_wait(&d, 0, &(uint32_t){ 0 }) >= 0);
	vm_free(vm);
}

int main(void)
{
	alarm(100);
	check(PULLERS, 0);
	check(PULLERS, VIRTIO_F_RING_EVENT_IDX);
	check(1, 0);
	check(1, VIRTIO_F_RING_EVENT_IDX);
	return 0;
}
