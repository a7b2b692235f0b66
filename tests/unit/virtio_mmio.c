/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_mmio.c - the MMIO transport: its registers, its interrupt line, and a
 * queue that is stopped while a request is in flight.
 */
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"
#include "vmm/pc.h"

static const struct virtio_ops ops = { .name = "test", .id = 42 };

static struct vm *vm;
static struct virtio *dev;
static struct vdev drv;
static struct { unsigned n; bool level; } line;

static struct virtio *add(void)
{
	struct virtio *v = calloc(1, sizeof(*v));
	struct err e;

	CHECK_OK(virtio_init(v, vm, &ops, 1, 2, 6, &e));
	memcpy(v->config, "\1\2\3\4\5\6", 6);
	CHECK_OK(virtio_attach(v, VM_BUS_MMIO, &e));
	return v;
}

static uint64_t rd(unsigned reg)
{
	return bus_read(vm, BUS_MMIO, drv.base + reg, 4);
}

static void wr(unsigned reg, uint32_t value)
{
	bus_write(vm, BUS_MMIO, drv.base + reg, 4, value);
}

static void check_registers(void)
{
	CHECK_EQ(rd(0x000), 0x74726976);
	CHECK_EQ(rd(0x004), 2);
	CHECK_EQ(rd(0x008), 42);
	CHECK_EQ(rd(0x00c), 0x1af4);
	/* No shared memory. */
	CHECK_EQ(rd(0x0b0), 0xffffffff);
	CHECK_EQ(rd(0x0b4), 0xffffffff);
	vdev_reset(&drv);
	CHECK(!vdev_negotiate(&drv, 1));
	CHECK(vdev_negotiate(&drv, VIRTIO_F_VERSION_1));
	wr(0x030, 1);
	CHECK_EQ(rd(0x034), 256);
	CHECK_EQ(rd(0x044), 0);
	wr(0x038, 100);
	wr(0x038, 512);
	wr(0x038, 32);
	wr(0x080, 0x100000);
	wr(0x084, 1);
	wr(0x084, 0);
	wr(0x090, 0x101000);
	wr(0x0a0, 0x102000);
	wr(0x044, 1);
	CHECK_EQ(rd(0x044), 1);
	wr(0x080, 0x200000);
	wr(0x038, 16);
	CHECK_EQ(dev->queues[1].size, 32);
	CHECK_EQ(dev->queues[1].desc, 0x100000);
	wr(0x044, 0);
	CHECK_EQ(rd(0x044), 0);
	wr(0x030, 2);
	CHECK_EQ(rd(0x034), 0);
	wr(0x044, 1);
	CHECK_EQ(rd(0x044), 0);
	CHECK_EQ(vdev_config(&drv, 1, 4), 0x05040302);
	CHECK_EQ(vdev_config(&drv, 0xfc, 4), 0);
	vdev_reset(&drv);
}

static void check_width(void)
{
	unsigned at, size;

	vdev_set_status(&drv, 1);
	for (size = 1; size <= 8; size++) {
		for (at = 0; at < 0x200; at++) {
			bool whole = size == 4 || (size == 8 && at % 4 == 0);

			if (whole || (at > 0x68 && at < 0x74))
				continue;
			bus_write(vm, BUS_MMIO, drv.base + at, size,
				  UINT64_MAX);
			if (at + size <= 0x100 && size < 4)
				CHECK_EQ(bus_read(vm, BUS_MMIO, drv.base + at,
						  size), 0);
		}
	}
	CHECK_EQ(vdev_status(&drv), 1);
	vdev_reset(&drv);
}

static void complete_one(void)
{
	struct vbuf b = { VRING_DATA, 8, true };
	struct vq_chain c;
	uint32_t len;

	CHECK(vring_add(&drv, 0, &b, 1) >= 0);
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	virtio_push(dev, &c, 8);
	CHECK(vring_poll(&drv, 0, &len) >= 0);
}

static void line_set(struct virtio *v, bool level)
{
	CHECK(v == dev);
	line.n += line.level != level;
	line.level = level;
}

static void check_line(void)
{
	const struct virtio_transport *old = dev->transport;
	struct virtio_transport t = *old;

	t.line = line_set;
	dev->transport = &t;
	vdev_start(&drv, 0, 1, 8);
	complete_one();
	CHECK(line.level);
	CHECK_EQ(rd(0x060), VIRTIO_ISR_QUEUE);
	complete_one();
	CHECK_EQ(line.n, 1);
	wr(0x064, VIRTIO_ISR_CONFIG);		/* not that one */
	CHECK(line.level);
	virtio_break(dev);
	CHECK_EQ(rd(0x060), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	wr(0x064, VIRTIO_ISR_QUEUE);
	CHECK(line.level);
	wr(0x064, VIRTIO_ISR_CONFIG);
	CHECK(!line.level);
	CHECK_EQ(rd(0x060), 0);
	vdev_reset(&drv);
	dev->transport = old;
}

/* QueueReady 0 waits for the request in flight. */
static struct vq_chain taken;
static _Atomic bool disabled;

static void *disable(void *arg)
{
	(void)arg;
	wr(0x030, 0);
	wr(0x044, 0);
	disabled = true;
	return NULL;
}

static void check_disable(void)
{
	struct vbuf b = { VRING_DATA, 8, true };
	pthread_t thread;
	uint32_t len;
	unsigned i;

	vdev_start(&drv, 0, 2, 8);
	vring_add(&drv, 0, &b, 1);
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 0, &taken), 1);
	CHECK_EQ(thread_start(&thread, "disable", disable, NULL), 0);
	for (i = 0; i < 20; i++) {
		CHECK(!disabled);
		usleep(500);
	}
	virtio_push(dev, &taken, 8);
	pthread_join(thread, NULL);
	CHECK(vring_poll(&drv, 0, &len) >= 0);
	CHECK_EQ(virtio_pop(dev, 0, &taken), 0);
	CHECK_EQ(rd(0x044), 0);
	/* And it starts anew. */
	vdev_queue(&drv, 0, 16);
	complete_one();
	vdev_reset(&drv);
}

int main(void)
{
	vm = fakevm_bare(32u << 20, 1);
	dev = add();
	add();
	CHECK_EQ(vm->n_mmio, 2);
	vdev_open(&drv, vm, VM_BUS_MMIO, 1, 0);
	vdev_open(&drv, vm, VM_BUS_MMIO, 0, 0);
	check_registers();
	check_width();
	check_line();
	check_disable();
	vm_free(vm);
	return 0;
}
