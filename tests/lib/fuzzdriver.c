/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzdriver.c - a virtio driver that the fuzzer leads.  See fuzzdriver.h.
 *
 * Input: features (1), then operations, each its kind (1) and what that takes.
 */
#include "tests/lib/fuzzdriver.h"

#include <poll.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"

#define SIZE	16u		/* of a ring */
#define DATA	0x180000u	/* 64 KiB that requests are about */
#define QUIET	0x1a0000u	/* 64 KiB that nobody names by accident */
#define AREA	0x10000u

struct vm *fuzzdriver_vm(void)
{
	struct vm *vm = fuzzvm_new(FUZZDRIVER_MEMORY);

	vm->config.virtual_clock = true;
	vm->clock.is_virtual = true;
	return vm;
}

void fuzzdriver_open(struct fuzzdriver *d, struct vm *vm, unsigned n_queues,
		     void (*special)(struct fuzzdriver *d, struct fuzz_in *in))
{
	vdev_open(&d->dev, vm, VM_BUS_MMIO, 0, 0);
	d->n_queues = n_queues;
	d->special = special;
}

void fuzzdriver_host(struct vm *vm)
{
	struct loop_fd *w = vm->loop.watched, *next;

	vm_lock(vm);
	for (; w; w = next) {
		struct pollfd p = { .fd = w->fd };

		next = w->next;
		p.events = (short)((w->events & EPOLLIN ? POLLIN : 0) |
				   (w->events & EPOLLOUT ? POLLOUT : 0));
		if (p.events && poll(&p, 1, 0) == 1)
			w->ready(w->arg, w->events);
	}
	vm_unlock(vm);
}

static uint64_t address(struct fuzz_in *in, unsigned how)
{
	switch (how % 4) {
	case 0:
		return fuzz_take(in, 8);
	case 1:
		return FUZZDRIVER_MEMORY - AREA / 2 + fuzz_take(in, 2);
	default:
		return DATA + fuzz_take(in, 2);
	}
}

/* Write one descriptor, and say what it may let the device write to. */
static void describe(struct fuzzdriver *d, struct vring *r, struct fuzz_in *in)
{
	unsigned how = (unsigned)fuzz_take(in, 1), at = how >> 4;
	uint64_t gpa = address(in, how);
	uint32_t len = (uint32_t)fuzz_take(in, how & 4 ? 4 : how & 8 ? 1 : 2);
	unsigned flags = (unsigned)fuzz_take(in, 1);

	if (flags & VRING_INDIRECT ||
	    (gpa < QUIET + AREA && (gpa + len > QUIET || gpa + len < gpa)))
		d->named = true;
	vring_put_desc(r, at, gpa, len, flags & 7, flags >> 3 & 15);
}

static void add(struct fuzzdriver *d, struct fuzz_in *in)
{
	unsigned how = (unsigned)fuzz_take(in, 1);
	struct vring *r = &d->dev.rings[how % d->n_queues];

	for (unsigned i = 0; i < 1 + (how >> 2 & 3); i++)
		describe(d, r, in);
	vring_put_avail(r, how & 0x80 ? (unsigned)fuzz_take(in, 2)
				      : how >> 4 & 7);
	vring_set_avail_idx(r, r->avail_idx);
}

static void fill(struct vm *vm, struct fuzz_in *in)
{
	uint64_t at = DATA + fuzz_take(in, 2) % (AREA - 64);
	uint8_t *p = mem_ptr(vm, at, 64, MEM_WRITE);
	unsigned n = 1 + fuzz_take(in, 1) % 64;

	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)fuzz_take(in, 1);
}

static void start(struct fuzzdriver *d, uint64_t features)
{
	/* Of the device its own, of the ring indirect and event index. */
	vdev_start(&d->dev, (features & 0x3f) | (features & 0xc0) << 22,
		   d->n_queues, SIZE);
}

static void operate(struct fuzzdriver *d, struct fuzz_in *in)
{
	struct vm *vm = d->dev.vm;
	unsigned what = (unsigned)fuzz_take(in, 1);
	uint16_t idx;

	switch (what % 16) {
	case 0: case 1: case 2: case 3: case 4:
		add(d, in);
		break;
	case 5: case 6: case 7:
		vdev_notify(&d->dev, what / 16 % (d->n_queues + 1));
		break;
	case 8:
		fill(vm, in);
		break;
	case 9:
		vdev_config_write(&d->dev, what / 16,
				  1u << fuzz_take(in, 1) % 3,
				  fuzz_take(in, 4));
		break;
	case 10:
		fakevm_pass(vm, fuzz_take(in, 3));
		break;
	case 11:
		fuzzdriver_host(vm);
		break;
	case 12:
		idx = (uint16_t)fuzz_take(in, 2);
		put_le16(d->dev.rings[what / 16 % d->n_queues].avail +
			 (idx & 1 ? 0 : 4 + 2 * SIZE), idx);
		break;
	case 13:
		if (what & 0x80)
			start(d, fuzz_take(in, 1));
		else
			vdev_isr(&d->dev);
		break;
	default:
		d->special(d, in);
	}
}

void fuzzdriver_run(struct fuzzdriver *d, struct fuzz_in *in)
{
	uint8_t *data = mem_ptr(d->dev.vm, DATA, AREA, MEM_WRITE);
	uint8_t *quiet = mem_ptr(d->dev.vm, QUIET, AREA, MEM_WRITE);

	memset(data, 0, AREA);
	memset(quiet, 0, AREA);
	d->named = false;
	start(d, fuzz_take(in, 1));
	while (in->left) {
		operate(d, in);
		vdev_status(&d->dev);
	}
	vdev_reset(&d->dev);
	CHECK(d->named || bytes_are_zero(quiet, AREA));
}
