/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_queue.c - split virtqueues and the MMIO transport: a driver that writes
 * descriptors, indexes, registers and memory in any order, while the device takes
 * requests, uses all their bytes, and completes them or not.
 */
#include "tests/lib/fuzzvm.h"
#include "tests/lib/vring.h"
#include "vmm/pc.h"

#include <stdlib.h>

#include "tests/check.h"

#define MEMORY	(2u << 20)
#define MAX_HELD 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct virtio_ops ops = { .name = "fuzz", .id = 42 };

static struct vm *vm;
static struct virtio *dev;
static struct vdev drv;
static struct vq_chain held[MAX_HELD];
static unsigned n_held;

static void make(void)
{
	struct err e;

	vm = fuzzvm_new(MEMORY);
	dev = calloc(1, sizeof(*dev));
	CHECK(dev);
	CHECK_OK(virtio_init(dev, vm, &ops, 0, 2, 16, &e));
	CHECK_OK(virtio_attach(dev, VM_BUS_MMIO, &e));
	vdev_open(&drv, vm, VM_BUS_MMIO, 0, 0);
}

/* Often near something that matters. */
static uint64_t address(struct fuzz_in *in)
{
	static const uint64_t bases[] = {
		0, 0x9fff0, 0xc0000, 0xcfff0, 0xffff0, VRING_RINGS,
		VRING_RINGS + 0x2000, VRING_RINGS + VRING_RING_LEN, MEMORY - 16,
		0xfee00000, UINT64_MAX - 15, 0x180000,
	};
	unsigned kind = (unsigned)fuzz_take(in, 1);

	if (kind == 0xff)
		return fuzz_take(in, 8);
	return bases[kind % 12] + (kind & 0x80 ? fuzz_take(in, 2) : kind >> 4);
}

static void use(struct vq_chain *c)
{
	static uint8_t buf[4096];
	uint64_t at, total = 0;
	unsigned i;

	CHECK(c->n_out + c->n_in <= VQ_MAX_IOV);
	for (i = 0; i < c->n_out + c->n_in; i++) {
		CHECK(c->iov[i].iov_len > 0);
		total += c->iov[i].iov_len;
	}
	CHECK(total == c->out_len + c->in_len && total <= UINT32_MAX);
	for (at = 0; at < min_u64(c->out_len, 65536); at += sizeof(buf))
		CHECK_EQ(vq_chain_read(c, at, buf, sizeof(buf)),
			 min_u64(c->out_len - at, sizeof(buf)));
	for (at = 0; at < min_u64(c->in_len, 65536); at += sizeof(buf))
		CHECK_EQ(vq_chain_write(c, at, buf, sizeof(buf)),
			 min_u64(c->in_len - at, sizeof(buf)));
	if (c->in_len)
		CHECK_EQ(vq_chain_write(c, c->in_len - 1, buf, 9), 1);
}

static void complete(unsigned i)
{
	virtio_push(dev, &held[i], (uint32_t)held[i].in_len);
	held[i] = held[--n_held];
}

static void finish(void)
{
	while (n_held)
		complete(0);
}

static void take(unsigned queue)
{
	int rc;

	if (n_held == MAX_HELD)
		complete(0);
	rc = virtio_pop(dev, queue, &held[n_held]);
	if (rc < 0)
		CHECK(vdev_status(&drv) & VIRTIO_STATUS_NEEDS_RESET);
	if (rc <= 0)
		return;
	use(&held[n_held]);
	n_held++;
}

static void do_write(uint64_t gpa, uint64_t value, unsigned n)
{
	mem_write(vm, gpa, &value, n);
}

static void step(struct fuzz_in *in)
{
	unsigned what = (unsigned)fuzz_take(in, 1);
	unsigned queue = what >> 7;
	struct vring *r = &drv.rings[queue];
	uint64_t a;

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
		a = address(in);
		vring_put_desc(r, (unsigned)fuzz_take(in, 1) % r->size, a,
			       (uint32_t)fuzz_take(in, what & 64 ? 4 : 1),
			       (unsigned)fuzz_take(in, 1) & 7,
			       (unsigned)fuzz_take(in, 1));
		break;
	case 3:
	case 4:
		vring_put_avail(r, (unsigned)fuzz_take(in, 1));
		vring_set_avail_idx(r, r->avail_idx);
		break;
	case 5:
		vring_set_avail_idx(r, (uint16_t)fuzz_take(in, 2));
		break;
	case 6:
	case 7:
		take(queue);
		break;
	case 8:
		if (n_held)
			complete(what >> 4 & 3 ? n_held - 1 : 0);
		break;
	case 9:
		a = address(in);
		do_write(a, fuzz_take(in, 8), 8);
		break;
	case 10:
		a = fuzz_take(in, 1);
		vm_lock(vm);
		mem_set_pam(vm, (unsigned)a % 13, a & 64, a & 128);
		vm_unlock(vm);
		break;
	case 11:
		finish();		/* the same thread would wait for itself */
		a = fuzz_take(in, 2);
		bus_write(vm, BUS_MMIO, PC_MMIO_BASE + a % 0x200,
			  1u << (a >> 14), fuzz_take(in, 8));
		break;
	case 12:
		bus_read(vm, BUS_MMIO, PC_MMIO_BASE + fuzz_take(in, 2) % 0x200,
			 4);
		break;
	case 13:
		if (what & 64)
			virtio_arm(dev, queue);
		else
			virtio_disarm(dev, queue);
		break;
	case 14:
		finish();
		dev->dev.ops->pause(&dev->dev);
		take(queue);
		CHECK(!n_held);
		dev->dev.ops->resume(&dev->dev);
		break;
	case 15:
		if (n_held && held[n_held - 1].q == &dev->queues[queue])
			virtio_unpop(dev, &held[--n_held]);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	uint64_t features;
	unsigned i;

	if (!vm)
		make();
	features = fuzz_take(&in, 1);
	vm_lock(vm);
	dev->dev.ops->reset(&dev->dev);
	for (i = 0; i < 13; i++)
		mem_set_pam(vm, i, true, true);
	vm_unlock(vm);
	vdev_start(&drv, (features & 3) << 28, 2, 1u << (features >> 2 & 7));
	while (in.left)
		step(&in);
	finish();
	return 0;
}
