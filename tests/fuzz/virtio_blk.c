/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_blk.c - virtio-blk: requests of any layout and content, on a small disk
 * whose layer below fails now and then.  No threads, so that a run repeats.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/fault.h"
#include "imgfmt/imgfmt.h"
#include "tests/check.h"
#include "tests/lib/fuzzvm.h"
#include "tests/lib/vring.h"
#include "vmm/virtio/blk.h"

#define MEMORY	(4u << 20)
#define DISK	(256u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct vm *vm;
static struct blk *blk;
static struct img *fault;
static struct vdev drv;
static struct puller me;

static void make(void)
{
	struct vm_disk disk = { .bus = VM_BUS_MMIO, .queues = 1, .pullers = 1,
				.serial = "fuzz" };
	struct img *mem;
	struct err e;

	vm = fuzzvm_new(MEMORY);
	CHECK_OK(img_memory(DISK, &mem, &e));
	CHECK_OK(fault_new(mem, 0, &fault, &e));
	CHECK_OK(vm_add_disk(vm, fault, &disk, &e));
	blk = (struct blk *)vm->devices;
	/* This thread pulls. */
	pullers_fini(&blk->pullers);
	blk->v.doorbell = -1;
	blk->pullers.n = 0;
	blk->pullers.all = NULL;
	vdev_open(&drv, vm, VM_BUS_MMIO, 0, 0);
}

/* A request: its header, and how its bytes are cut into descriptors. */
static void add(struct fuzz_in *in)
{
	static const uint32_t types[] = { 0, 1, 4, 8, 11, 13, 2, 14 };
	struct vbuf bufs[12];
	unsigned shape = (unsigned)fuzz_take(in, 1), n = 0;
	unsigned most = 1 + shape % 11;
	uint64_t header = 0x180000, at = header;
	uint8_t *p = mem_ptr(vm, header, 64, MEM_WRITE);
	uint32_t type = types[fuzz_take(in, 1) % 8];

	put_le32(p, shape & 0x80 ? (uint32_t)fuzz_take(in, 4) : type);
	put_le64(p + 8, fuzz_take(in, shape & 0x40 ? 8 : 2));
	for (unsigned i = 16; i < 64; i += 8)
		put_le64(p + i, type > 8 ? fuzz_take(in, i % 16 ? 5 : 2) : i);
	while (n < most) {
		unsigned cut = (unsigned)fuzz_take(in, 1);
		uint32_t size = cut & 0x40 ? (uint32_t)fuzz_take(in, 2) * 2 :
			(cut & 0x20 ? 512u * (cut & 0x1f) : cut & 0x1f);

		bufs[n++] = (struct vbuf){ at, size, cut & 0x80 };
		at += size + (cut & 1);
		if (n > 1 && !bufs[n - 1].in && bufs[n - 2].in)
			bufs[n - 1].in = true;
	}
	if (vring_add(&drv, 0, bufs, n) >= 0)
		vring_set_avail_idx(&drv.rings[0], drv.rings[0].avail_idx);
}

static void serve(void)
{
	uint32_t written, len;

	while (virtio_pop(&blk->v, 0, &me.chain) > 0) {
		written = blk_serve(&blk->v, &me, &me.chain);
		CHECK(written <= me.chain.in_len);
		virtio_push(&blk->v, &me.chain, written);
		vring_poll(&drv, 0, &len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	uint64_t features;

	if (!vm)
		make();
	features = fuzz_take(&in, 2);
	fault_set(fault, &(struct fault_plan){
			.kinds = FAULT_ALL, .nth = features >> 12,
			.errnum = EIO, .torn = features & 4 });
	vdev_start(&drv, (features & 0xff) << 9 | (features & 0x300) << 20, 1,
		   16);
	while (in.left) {
		unsigned what = (unsigned)fuzz_take(&in, 1);

		if (what < 0xe0)
			add(&in);
		else
			vdev_config_write(&drv, what & 0x1f ? 32 : what,
					  1, fuzz_take(&in, 1));
		if (what & 1)
			serve();
	}
	serve();
	return 0;
}
