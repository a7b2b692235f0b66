/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_blk.c - virtio-blk over both transports: each request and what is wrong
 * with it, the cache mode, errors of the image, reset and pause in the midst of
 * requests.
 */
#include <errno.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vblk.h"
#include "vmm/chip/pci.h"
#include "vmm/virtio/blk.h"

#define MEMORY		(64u << 20)
#define DISK		(8u << 20)
#define SECTORS		(DISK / 512)
#define ALL_FEATURES	UINT64_MAX

struct machine {
	struct vm *vm;
	struct img *disk, *fault;
	struct vdev d;
	struct vblk b;
	struct virtio *v;
};

static void make(struct machine *m, enum vm_bus bus, const char *serial,
		 bool readonly, unsigned queues)
{
	struct vm_disk config = { .bus = bus, .readonly = readonly,
				  .serial = serial, .queues = queues };
	struct img *mem;
	struct err e;

	m->vm = fakevm_pc(MEMORY, 2);
	fakevm_real_clock(m->vm);
	if (!m->vm->pci)
		CHECK_OK(pci_bus_new(m->vm, &m->vm->pci, &e));
	CHECK_OK(img_memory(DISK, &mem, &e));
	CHECK_OK(fault_new(mem, 0, &m->fault, &e));
	m->disk = m->fault;
	CHECK_OK(vm_add_disk(m->vm, m->disk, &config, &e));
	m->v = (struct virtio *)m->vm->devices;
	while (strcmp(m->v->dev.ops->name, "virtio-blk"))
		m->v = (struct virtio *)m->v->dev.next;
	vdev_open(&m->d, m->vm, bus, 0, 0xc1000000);
	vdev_start(&m->d, ALL_FEATURES, m->v->n_queues, 0);
	vblk_init(&m->b, &m->d, 0, 1, 0);
}

static void fill(uint8_t *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(fault_random(&seed) >> 32);
}

static void check_config(struct machine *m)
{
	CHECK_EQ(vdev_config(&m->d, 0, 8), SECTORS);
	CHECK_EQ(vdev_config(&m->d, 4, 4), 0);
	CHECK_EQ(vdev_config(&m->d, 12, 4), 254);
	CHECK(vdev_config(&m->d, 8, 4) * vdev_config(&m->d, 12, 4) / 512 <=
	      65535);
	CHECK_EQ(vdev_config(&m->d, 20, 4), 512);
	CHECK_EQ(vdev_config(&m->d, 32, 1), 1);
	CHECK_EQ(vdev_config(&m->d, 34, 2), 2);
	CHECK_EQ(vdev_config(&m->d, 56, 1), 1);
	CHECK_EQ(vdev_config(&m->d, 60, 4), 0);
	vdev_config_write(&m->d, 0, 8, 5);		/* read-only */
	CHECK_EQ(vdev_config(&m->d, 0, 8), SECTORS);
}

static void check_data(struct machine *m, unsigned max_pieces)
{
	uint8_t *out = malloc(VBLK_MAX_LEN), *in = malloc(VBLK_MAX_LEN);
	const size_t lens[] = { 512, 4096, 65536, VBLK_MAX_LEN };
	unsigned i, round;

	CHECK(out && in);
	m->b.max_pieces = max_pieces;
	for (round = 0; round < (max_pieces ? 40 : 2); round++) {
		for (i = 0; i < 4; i++) {
			uint64_t sector = 7 + round * 100 + i;

			fill(out, lens[i], round * 4 + i + 1);
			CHECK_EQ(vblk_do(&m->b, VBLK_OUT, sector, out, lens[i]),
				 VBLK_OK);
			CHECK_EQ(vblk_do(&m->b, VBLK_IN, sector, in, lens[i]),
				 VBLK_OK);
			CHECK(!memcmp(in, out, lens[i]));
			CHECK_EQ(m->b.slots[0].used_len, lens[i] + 1);
			memset(in, 0, lens[i]);
			CHECK_EQ(img_read(m->disk, in, lens[i], sector * 512),
				 0);
			CHECK(!memcmp(in, out, lens[i]));
		}
	}
	m->b.max_pieces = 0;
	free(out);
	free(in);
}

static void check_ends(struct machine *m)
{
	static uint8_t buf[4096];
	const struct { uint64_t sector; size_t len; uint8_t status; } cases[] = {
		{ SECTORS - 1, 512, VBLK_OK },
		{ SECTORS - 1, 1024, VBLK_IOERR },
		{ SECTORS, 512, VBLK_IOERR },
		{ SECTORS, 0, VBLK_OK },
		{ UINT64_MAX, 512, VBLK_IOERR },
		{ UINT64_MAX / 512, 512, VBLK_IOERR },
		{ UINT64_MAX / 512 + 1, 512, VBLK_IOERR },
		{ 1ull << 55, 1024, VBLK_IOERR },
		{ 0, 511, VBLK_IOERR },
		{ 0, 513, VBLK_IOERR },
		{ 0, 1, VBLK_IOERR },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_EQ(vblk_do(&m->b, VBLK_IN, cases[i].sector, buf,
				 cases[i].len), cases[i].status);
		CHECK_EQ(m->b.slots[0].used_len,
			 cases[i].status ? 0 : cases[i].len + 1);
		CHECK_EQ(vblk_do(&m->b, VBLK_OUT, cases[i].sector, buf,
				 cases[i].len), cases[i].status);
		CHECK_EQ(m->b.slots[0].used_len, 1);
	}
}

static void check_id(struct machine *m, const char *serial)
{
	char id[64];

	memset(id, 'x', sizeof(id));
	CHECK_EQ(vblk_do(&m->b, VBLK_GET_ID, 0, id, 20), VBLK_OK);
	CHECK(!strncmp(id, serial, 20));
	/* A short buffer gets its beginning, a long one keeps its end. */
	CHECK_EQ(vblk_do(&m->b, VBLK_GET_ID, 0, id, 4), VBLK_OK);
	CHECK(!memcmp(id, serial, 4));
	CHECK_EQ(vblk_do(&m->b, VBLK_GET_ID, 0, id, 0), VBLK_OK);
}

static void check_odd_requests(struct machine *m)
{
	uint8_t buf[64] = { 0 };
	struct vbuf one = { VRING_DATA, 16, false };
	struct vbuf short_header[] = { { VRING_DATA, 15, false },
				       { VRING_DATA + 64, 1, true } };
	uint32_t len;

	CHECK_EQ(vblk_do(&m->b, 2, 0, buf, 64), VBLK_UNSUPP);
	CHECK_EQ(vblk_do(&m->b, 14, 0, buf, 16), VBLK_UNSUPP);	/* secure erase */
	CHECK_EQ(vblk_do(&m->b, UINT32_MAX, 0, buf, 0), VBLK_UNSUPP);
	CHECK_EQ(vblk_do(&m->b, VBLK_FLUSH, 9, buf, 0), VBLK_OK);
	CHECK(vring_add(&m->d, 0, short_header, 2) >= 0);
	vring_kick(&m->d, 0);
	CHECK(vring_wait(&m->d, 0, &len) >= 0);
	CHECK_EQ(*(uint8_t *)mem_ptr(m->vm, VRING_DATA + 64, 1, MEM_READ),
		 VBLK_IOERR);
	CHECK(!(vdev_status(&m->d) & VIRTIO_STATUS_NEEDS_RESET));
	/* No status byte: there is no answer but this one. */
	CHECK(vring_add(&m->d, 0, &one, 1) >= 0);
	vring_kick(&m->d, 0);
	CHECK(vring_wait(&m->d, 0, &len) >= 0);
	CHECK(vdev_status(&m->d) & VIRTIO_STATUS_NEEDS_RESET);
	vdev_start(&m->d, ALL_FEATURES, m->v->n_queues, 0);
	CHECK_EQ(vblk_do(&m->b, VBLK_FLUSH, 0, buf, 0), VBLK_OK);
}

static uint8_t clear(struct machine *m, uint32_t type, uint64_t sector,
		     uint32_t n, uint32_t flags)
{
	uint8_t seg[16];

	vblk_segment(seg, sector, n, flags);
	return vblk_do(&m->b, type, 0, seg, 16);
}

static void check_clear(struct machine *m)
{
	static uint8_t buf[65536], segs[17 * 16];
	unsigned i;

	fill(buf, sizeof(buf), 3);
	CHECK_EQ(vblk_do(&m->b, VBLK_OUT, 0, buf, sizeof(buf)), VBLK_OK);
	CHECK_EQ(clear(m, VBLK_ZEROES, 16, 32, 0), VBLK_OK);
	CHECK_EQ(clear(m, VBLK_ZEROES, 64, 16, 1), VBLK_OK);
	memset(buf + 16 * 512, 0, 32 * 512);
	memset(buf + 64 * 512, 0, 16 * 512);
	{
		static uint8_t got[65536];

		CHECK_EQ(vblk_do(&m->b, VBLK_IN, 0, got, sizeof(got)), VBLK_OK);
		CHECK(!memcmp(got, buf, sizeof(buf)));
	}
	CHECK_EQ(clear(m, VBLK_DISCARD, 8, 8, 0), VBLK_OK);
	CHECK_EQ(clear(m, VBLK_DISCARD, 8, 0, 0), VBLK_OK);
	CHECK_EQ(clear(m, VBLK_DISCARD, 8, 8, 1), VBLK_UNSUPP);
	CHECK_EQ(clear(m, VBLK_ZEROES, 8, 8, 2), VBLK_UNSUPP);
	CHECK_EQ(clear(m, VBLK_ZEROES, 8, 8, 0x80000001), VBLK_UNSUPP);
	CHECK_EQ(clear(m, VBLK_DISCARD, SECTORS, 1, 0), VBLK_IOERR);
	CHECK_EQ(clear(m, VBLK_DISCARD, SECTORS - 1, 2, 0), VBLK_IOERR);
	CHECK_EQ(clear(m, VBLK_DISCARD, UINT64_MAX, 1, 0), VBLK_IOERR);
	CHECK_EQ(clear(m, VBLK_ZEROES, UINT64_MAX - 8, 16, 0), VBLK_IOERR);
	CHECK_EQ(clear(m, VBLK_ZEROES, 0, UINT32_MAX, 0), VBLK_IOERR);
	CHECK_EQ(vblk_do(&m->b, VBLK_DISCARD, 0, segs, 0), VBLK_IOERR);
	CHECK_EQ(vblk_do(&m->b, VBLK_DISCARD, 0, segs, 15), VBLK_IOERR);
	for (i = 0; i < 17; i++)
		vblk_segment(segs + 16 * i, 100 * i, 1, 0);
	CHECK_EQ(vblk_do(&m->b, VBLK_DISCARD, 0, segs, 17 * 16), VBLK_IOERR);
	CHECK_EQ(vblk_do(&m->b, VBLK_DISCARD, 0, segs, 16 * 16), VBLK_OK);
	CHECK_EQ(vblk_do(&m->b, VBLK_ZEROES, 0, segs, 2 * 16), VBLK_IOERR);
	/* If the last one is wrong the others are not done. */
	memset(buf, 5, 512);
	CHECK_EQ(vblk_do(&m->b, VBLK_OUT, 0, buf, 512), VBLK_OK);
	vblk_segment(segs, 0, 1, 0);
	vblk_segment(segs + 16, SECTORS, 1, 0);
	fault_set(m->fault, &(struct fault_plan){ 0 });
	CHECK_EQ(vblk_do(&m->b, VBLK_DISCARD, 0, segs, 32), VBLK_IOERR);
	CHECK_EQ(fault_calls(m->fault, FAULT_ALL), 0);
}

/* Who sees writes on the disk at once, and who only after a flush? */
static void check_cache(struct machine *m)
{
	const uint64_t wce = BLK_F_CONFIG_WCE, flush = BLK_F_FLUSH;
	const struct { uint64_t features; int set, flushes; } cases[] = {
		{ flush | wce, -1, 0 }, { flush | wce, 0, 1 },
		{ flush | wce, 1, 0 }, { flush | wce, 2, 0 }, { flush, -1, 0 },
		{ flush, 0, 0 }, { 0, -1, 1 }, { wce, -1, 1 }, { wce, 1, 1 },
	};
	uint8_t buf[512] = { 1 };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vdev_start(&m->d, cases[i].features | BLK_F_WRITE_ZEROES, 1, 0);
		if (cases[i].set >= 0)
			vdev_config_write(&m->d, 32, 1,
					  (uint64_t)cases[i].set);
		fault_set(m->fault, &(struct fault_plan){ 0 });
		CHECK_EQ(vblk_do(&m->b, VBLK_OUT, 0, buf, 512), VBLK_OK);
		CHECK_EQ(fault_calls(m->fault, FAULT_FLUSH), cases[i].flushes);
		CHECK_EQ(clear(m, VBLK_ZEROES, 0, 1, 0), VBLK_OK);
		CHECK_EQ(fault_calls(m->fault, FAULT_FLUSH),
			 2 * cases[i].flushes);
		CHECK_EQ(vblk_do(&m->b, VBLK_FLUSH, 0, buf, 0), VBLK_OK);
		CHECK_EQ(fault_calls(m->fault, FAULT_FLUSH),
			 2 * cases[i].flushes + 1);
		CHECK_EQ(clear(m, VBLK_DISCARD, 0, 1, 0), VBLK_UNSUPP);
	}
	/* A reset goes back to the write-back that the config shows. */
	vdev_start(&m->d, ALL_FEATURES, m->v->n_queues, 0);
	CHECK_EQ(vdev_config(&m->d, 32, 1), 1);
}

static void check_errors(struct machine *m)
{
	static uint8_t buf[4096];
	struct vm_disk_stats stats;
	struct err e = { "" };

	CHECK(vm_disk_stats(m->vm, 0, &stats));
	CHECK_EQ(stats.errors, 0);
	CHECK(!vm_disk_stats(m->vm, 1, &stats));
	fault_set(m->fault, &(struct fault_plan){
			.kinds = FAULT_WRITE, .nth = 1, .errnum = ENOSPC });
	CHECK_EQ(vblk_do(&m->b, VBLK_OUT, 77, buf, 4096), VBLK_IOERR);
	CHECK_EQ(vblk_do(&m->b, VBLK_OUT, 78, buf, 4096), VBLK_OK);
	CHECK(vm_disk_stats(m->vm, 0, &stats));
	CHECK_EQ(stats.errors, 1);
	CHECK_EQ(stats.last_error, -ENOSPC);
	CHECK_EQ(stats.last_error_sector, 77);
	CHECK_EQ(stats.in_flight, 0);
	CHECK(stats.writes >= 2 && stats.written_bytes >= 8192);
	fault_set(m->fault, &(struct fault_plan){
			.kinds = FAULT_ALL, .nth = 1, .errnum = EIO,
			.lasting = true });
	CHECK_EQ(vblk_do(&m->b, VBLK_IN, 5, buf, 512), VBLK_IOERR);
	CHECK_EQ(vblk_do(&m->b, VBLK_FLUSH, 0, buf, 0), VBLK_IOERR);
	CHECK_EQ(clear(m, VBLK_DISCARD, 3, 1, 0), VBLK_IOERR);
	CHECK_EQ(clear(m, VBLK_ZEROES, 4, 1, 0), VBLK_IOERR);
	CHECK(vm_disk_stats(m->vm, 0, &stats));
	CHECK_EQ(stats.errors, 5);
	CHECK_EQ(stats.last_error, -EIO);
	CHECK_EQ(stats.last_error_sector, 4);
	CHECK_EQ(vm_flush_disks(m->vm, &e), -EIO);
	fault_set(m->fault, &(struct fault_plan){ 0 });
	CHECK_OK(vm_flush_disks(m->vm, &e));
	/* The guest's own mistakes are not the image's. */
	CHECK_EQ(vblk_do(&m->b, VBLK_IN, SECTORS, buf, 512), VBLK_IOERR);
	CHECK(vm_disk_stats(m->vm, 0, &stats));
	CHECK_EQ(stats.errors, 5);
}

static void check_readonly(enum vm_bus bus)
{
	struct machine m;
	uint8_t buf[512] = { 1 };

	make(&m, bus, NULL, true, 1);
	CHECK(m.d.features & BLK_F_RO);
	CHECK(!(m.d.features & (BLK_F_DISCARD | BLK_F_WRITE_ZEROES)));
	fault_set(m.fault, &(struct fault_plan){ 0 });
	CHECK_EQ(vblk_do(&m.b, VBLK_OUT, 0, buf, 512), VBLK_IOERR);
	CHECK_EQ(clear(&m, VBLK_DISCARD, 0, 1, 0), VBLK_UNSUPP);
	CHECK_EQ(vblk_do(&m.b, VBLK_IN, 0, buf, 512), VBLK_OK);
	CHECK_EQ(vblk_do(&m.b, VBLK_FLUSH, 0, buf, 0), VBLK_OK);
	CHECK_EQ(fault_calls(m.fault, FAULT_CHANGES), 0);
	CHECK_EQ(buf[0], 0);
	vm_free(m.vm);
}

/* A virtual clock: requests are done at once, and the driver hears of each at a
 * time that depends on nothing but the requests.  `times` is filled with the
 * moments of the completions.
 */
static void run_virtual(uint64_t times[8])
{
	static uint8_t out[VBLK_MAX_LEN], in[VBLK_MAX_LEN];
	struct vm_disk config = { .bus = VM_BUS_MMIO };
	struct vm *vm = fakevm_bare(MEMORY, 1);
	struct img *img;
	struct vdev d;
	struct vblk b;
	struct err e;
	unsigned i, n = 0;
	uint32_t len;

	CHECK_OK(img_memory(DISK, &img, &e));
	CHECK_OK(vm_add_disk(vm, img, &config, &e));
	vm->devices->ops->resume(vm->devices);
	vdev_open(&d, vm, VM_BUS_MMIO, 0, 0);
	vdev_start(&d, ALL_FEATURES, 1, 0);
	vblk_init(&b, &d, 0, 1, 0);
	fill(out, sizeof(out), 1);
	for (i = 0; i < 4; i++)
		CHECK(vblk_submit(&b, VBLK_OUT, i * 512, out + i, 4096u << i) >=
		      0);
	CHECK_EQ(img_read(img, in, 4096, 0), 0);
	CHECK(!memcmp(in, out, 4096));		/* done */
	CHECK_EQ(vring_used_idx(&d.rings[0]), 0);	/* and not told */
	while (n < 4) {
		uint64_t next = clock_next(vm);

		CHECK(next != UINT64_MAX && next > vm_now(vm));
		fakevm_pass(vm, next - vm_now(vm));
		while (n < vring_used_idx(&d.rings[0]))
			times[n++] = vm_now(vm);
	}
	for (i = 0; i < 4; i++)
		CHECK(vblk_reap(&b) >= 0);
	CHECK(vblk_submit(&b, VBLK_IN, 0, NULL, 4096) == 0);
	fakevm_pass(vm, NS_PER_S);
	CHECK_EQ(vblk_reap(&b), 0);
	vblk_data(&b, 0, in);
	CHECK(!memcmp(in, out, 4096));

	/* A reset, and a pause, do not wait for the guest's time. */
	CHECK(vblk_submit(&b, VBLK_IN, 0, NULL, 4096) == 0);
	vm->devices->ops->pause(vm->devices);
	CHECK(vring_poll(&d, 0, &len) >= 0);
	vm->devices->ops->resume(vm->devices);
	CHECK(vblk_submit(&b, VBLK_IN, 0, NULL, 4096) >= 0);
	vdev_reset(&d);
	CHECK_EQ(clock_next(vm), -1);
	vm_free(vm);
}

static void check_virtual(void)
{
	uint64_t first[8] = { 0 }, second[8] = { 0 };

	run_virtual(first);
	run_virtual(second);
	CHECK(!memcmp(first, second, sizeof(first)));
	CHECK(first[0] < first[1] && first[1] < first[2] && first[2] < first[3]);
	CHECK(first[3] - first[2] > first[1] - first[0]);	/* its length */
}

static void check_arguments(void)
{
	struct vm *vm = fakevm_bare(MEMORY, 1);
	struct vm_disk config = { .bus = VM_BUS_MMIO, .readonly = true };
	struct img *img;
	struct err e;
	unsigned i;

	CHECK_OK(img_memory(1000, &img, &e));	/* one sector and a bit */
	config.serial = "123456789012345678901";
	CHECK_EQ(vm_add_disk(vm, img, &config, &e), -EINVAL);
	config.serial = NULL;
	config.queues = 17;
	CHECK_EQ(vm_add_disk(vm, img, &config, &e), -EINVAL);
	config.queues = 0;
	config.bus = VM_BUS_PCI;
	CHECK_EQ(vm_add_disk(vm, img, &config, &e), -ENODEV);
	config.bus = VM_BUS_MMIO;
	for (i = 0; i < 8; i++) {
		CHECK_OK(vm_add_disk(vm, img, &config, &e));
		CHECK_OK(img_memory(1000, &img, &e));
	}
	CHECK_EQ(vm_add_disk(vm, img, &config, &e), -ENOSPC);
	CHECK_EQ(img_size(img), 1000);		/* still ours */
	img_close(img, NULL);
	vm_free(vm);
}

/* A driver that keeps requests in flight while the device is reset or paused
 * under it.  After a reset nothing of them changes the guest's memory.
 */

static void start_some(struct machine *m, uint64_t seed)
{
	static uint8_t data[VBLK_MAX_LEN];
	unsigned i;

	vblk_init(&m->b, &m->d, 0, seed, 20);
	fill(data, sizeof(data), seed);
	for (i = 0; i < VBLK_SLOTS; i++)
		CHECK(vblk_submit(&m->b, i & 1 ? VBLK_IN : VBLK_OUT,
				  i * 1000, i & 1 ? NULL : data,
				  65536 + 512 * i) >= 0);
}

static void check_reset_in_flight(struct machine *m)
{
	uint8_t *area, *before;
	size_t len = VBLK_SLOTS * VBLK_SLOT_LEN;
	unsigned round;

	before = malloc(len);
	CHECK(before);
	for (round = 0; round < 50; round++) {
		struct vm_disk_stats stats;

		vdev_start(&m->d, ALL_FEATURES, 1, 0);
		start_some(m, round + 1);
		area = mem_ptr(m->vm, m->b.memory, len, MEM_READ);
		CHECK(area);
		vdev_reset(&m->d);
		CHECK(vm_disk_stats(m->vm, 0, &stats));
		CHECK_EQ(stats.in_flight, 0);
		memcpy(before, area, len);
		CHECK_EQ(vdev_isr(&m->d), 0);
		usleep(round % 10 ? 0 : 2000);
		CHECK(!memcmp(before, area, len));
	}
	free(before);
	vdev_start(&m->d, ALL_FEATURES, m->v->n_queues, 0);
}

static void check_pause_in_flight(struct machine *m)
{
	unsigned round, i;

	vdev_start(&m->d, ALL_FEATURES, 1, 0);
	for (round = 0; round < 50; round++) {
		struct vring *r = &m->d.rings[0];
		uint16_t done;

		start_some(m, round + 1);
		m->v->dev.ops->pause(&m->v->dev);
		done = vring_used_idx(r);
		/* What comes while it is paused waits, however loud. */
		for (i = 0; i < 100; i++)
			vdev_notify(&m->d, 0);
		usleep(round % 10 ? 0 : 2000);
		CHECK_EQ(vring_used_idx(r), done);
		m->v->dev.ops->resume(&m->v->dev);
		for (i = 0; i < VBLK_SLOTS; i++)
			CHECK(m->b.slots[vblk_reap(&m->b)].status == VBLK_OK);
		CHECK_EQ(vblk_reap(&m->b), -1);
	}
}

/* One that resets while others notify and write registers. */
struct storm {
	struct machine *m;
	_Atomic bool stop;
};

static void *storm(void *arg)
{
	struct storm *s = arg;
	unsigned i;

	for (i = 0; !s->stop; i++) {
		vdev_notify(&s->m->d, i % 3);
		vdev_config(&s->m->d, i % 64, 4);
		vdev_isr(&s->m->d);
	}
	return NULL;
}

static void check_storm(struct machine *m)
{
	struct storm s = { .m = m };
	pthread_t thread;
	unsigned i;

	CHECK_EQ(thread_start(&thread, "storm", storm, &s), 0);
	for (i = 0; i < 30; i++) {
		vdev_start(&m->d, ALL_FEATURES, m->v->n_queues, 0);
		start_some(m, i + 1);
		if (i % 2)
			while (vblk_reap(&m->b) >= 0)
				;
	}
	s.stop = true;
	pthread_join(thread, NULL);
	vdev_start(&m->d, ALL_FEATURES, m->v->n_queues, 0);
}

static void check_all(enum vm_bus bus)
{
	struct machine m;

	make(&m, bus, "serial-of-20-bytes-!", false, 2);
	check_config(&m);
	check_data(&m, 0);
	check_data(&m, 50);
	check_ends(&m);
	check_id(&m, "serial-of-20-bytes-!");
	check_odd_requests(&m);
	check_clear(&m);
	check_cache(&m);
	check_errors(&m);
	check_reset_in_flight(&m);
	check_pause_in_flight(&m);
	check_storm(&m);
	check_data(&m, 30);
	start_some(&m, 1);
	vdev_reset(&m.d);
	vm_free(m.vm);
}

int main(void)
{
	check_all(VM_BUS_MMIO);
	check_all(VM_BUS_PCI);
	check_readonly(VM_BUS_PCI);
	check_virtual();
	check_arguments();
	return 0;
}
