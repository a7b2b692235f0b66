/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_queue.c - split virtqueues: what drivers do right arrives, and each rule
 * that they may break is noticed, reported, and gone after a reset.
 */
#include "vmm/virtio/virtio.h"

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"

#define MEMORY (64u << 20)
#define ALL_RINGS (VIRTIO_F_RING_INDIRECT_DESC | VIRTIO_F_RING_EVENT_IDX)

static const struct virtio_ops ops = { .name = "test", .id = 42 };

static struct vm *vm;
static struct virtio *dev;
static struct vdev drv;
static struct vring *ring = &drv.rings[0];

static void make(void)
{
	struct err e;

	vm = fakevm_bare(MEMORY, 1);
	dev = calloc(1, sizeof(*dev));
	CHECK_OK(virtio_init(dev, vm, &ops, 0, 2, 0, &e));
	CHECK_OK(virtio_attach(dev, VM_BUS_MMIO, &e));
	vdev_open(&drv, vm, VM_BUS_MMIO, 0, 0);
}

static uint8_t *host(uint64_t gpa)
{
	uint8_t *p = mem_ptr(vm, gpa, 1, MEM_READ | MEM_WRITE);

	CHECK(p);
	return p;
}

/* One request of two readable and two writable buffers, by each way. */
static void check_request(uint64_t features)
{
	const struct vbuf bufs[] = {
		{ VRING_DATA, 5, false }, { VRING_DATA + 0x1000, 7, false },
		{ VRING_DATA + 0x2000, 3, true }, { VRING_DATA + 0x2003, 9, true },
	};
	struct vq_chain c;
	uint8_t buf[16];
	uint32_t len;
	int head;

	vdev_start(&drv, features, 2, 8);
	CHECK_EQ(virtio_pop(dev, 0, &c), 0);
	memcpy(host(VRING_DATA), "hello", 5);
	memcpy(host(VRING_DATA + 0x1000), " driver", 7);
	head = vring_add(&drv, 0, bufs, 4);
	CHECK_EQ(virtio_pop(dev, 0, &c), 0);	/* not yet offered */
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 1, &c), 0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	CHECK_EQ(c.head, head);
	CHECK_EQ(c.n_out, 2);
	CHECK_EQ(c.n_in, 1);			/* neighbours are one piece */
	CHECK_EQ(c.out_len, 12);
	CHECK_EQ(c.in_len, 12);
	CHECK_EQ(vq_chain_read(&c, 3, buf, 16), 9);
	CHECK(!memcmp(buf, "lo driver", 9));
	CHECK_EQ(vq_chain_read(&c, 12, buf, 16), 0);
	CHECK_EQ(vq_chain_read(&c, 7, buf, 2), 2);
	CHECK(!memcmp(buf, "ri", 2));
	CHECK_EQ(vq_chain_write(&c, 2, "device says", 11), 10);
	CHECK(!memcmp(host(VRING_DATA + 0x2002), "device say", 10));
	CHECK_EQ(vring_poll(&drv, 0, &len), -1);
	virtio_push(dev, &c, 12);
	CHECK_EQ(vring_poll(&drv, 0, &len), head);
	CHECK_EQ(len, 12);
	CHECK_EQ(vring_poll(&drv, 0, &len), -1);
}

/* The device's bytes, its used entry and then the index: all told to the CPU. */
static void check_mem_wrote(void)
{
	const struct vbuf bufs[] = { { VRING_DATA, 64, true } };
	struct fakevm *f = fakevm_of(vm);
	struct vq_chain c;
	unsigned before;

	vdev_start(&drv, 0, 1, 8);
	vring_add(&drv, 0, bufs, 1);
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	before = f->n_wrote;
	virtio_push(dev, &c, 64);
	CHECK_EQ(f->n_wrote - before, 2);
	CHECK_EQ(f->wrote_offset, ring->gpa + 0x2000);
	CHECK_EQ(f->wrote_len, 6 + 8 * 8);
}

/* The rings go round, with requests in flight out of order. */
static void check_wrap(uint64_t features)
{
	struct vq_chain c[3];
	unsigned i, round;
	uint32_t len;

	vdev_start(&drv, features, 1, 4);
	for (round = 0; round < 70000; round++) {
		int heads[3];

		for (i = 0; i < 3; i++) {
			struct vbuf b = { VRING_DATA + 64 * i, 64, i & 1 };

			heads[i] = vring_add(&drv, 0, &b, 1);
			CHECK(heads[i] >= 0);
		}
		vring_kick(&drv, 0);
		for (i = 0; i < 3; i++) {
			CHECK_EQ(virtio_pop(dev, 0, &c[i]), 1);
			CHECK_EQ(c[i].head, heads[i]);
		}
		CHECK_EQ(virtio_pop(dev, 0, &c[0]), 0);
		for (i = 3; i--;)
			virtio_push(dev, &c[i], i);
		for (i = 3; i--;) {
			CHECK_EQ(vring_poll(&drv, 0, &len), heads[i]);
			CHECK_EQ(len, i);
		}
	}
}

static void check_unpop(void)
{
	const struct vbuf bufs[] = { { VRING_DATA, 64, false } };
	struct vq_chain c;
	uint32_t len;

	vdev_start(&drv, 0, 1, 8);
	vring_add(&drv, 0, bufs, 1);
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	virtio_unpop(dev, &c);
	CHECK_EQ(dev->queues[0].in_flight, 0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	virtio_push(dev, &c, 0);
	CHECK_EQ(vring_poll(&drv, 0, &len), c.head);
	CHECK_EQ(virtio_pop(dev, 0, &c), 0);
}

static void one_more(struct vq_chain *c)
{
	struct vbuf b = { VRING_DATA, 64, true };
	uint32_t len;

	CHECK(vring_add(&drv, 0, &b, 1) >= 0);
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 0, c), 1);
	virtio_push(dev, c, 0);
	CHECK(vring_poll(&drv, 0, &len) >= 0);
}

static void check_interrupts(uint64_t features)
{
	struct vq_chain c;
	unsigned i;

	vdev_start(&drv, features, 1, 8);
	/* Wanted: one comes, and once read none is left. */
	one_more(&c);
	CHECK_EQ(vdev_isr(&drv), VIRTIO_ISR_QUEUE);
	CHECK_EQ(vdev_isr(&drv), 0);
	vring_want_interrupt(&drv, 0, false);
	for (i = 0; i < 5; i++) {
		one_more(&c);
		CHECK_EQ(vdev_isr(&drv), 0);
	}
	vring_want_interrupt(&drv, 0, true);
	one_more(&c);
	CHECK_EQ(vdev_isr(&drv), VIRTIO_ISR_QUEUE);
	if (!(features & VIRTIO_F_RING_EVENT_IDX))
		return;
	/* "After three more" */
	put_le16(ring->avail + 4 + 2 * ring->size, (uint16_t)(ring->used_idx + 2));
	for (i = 0; i < 6; i++) {
		one_more(&c);
		CHECK_EQ(vdev_isr(&drv), i == 2 ? VIRTIO_ISR_QUEUE : 0);
	}
}

static void check_arming(uint64_t features)
{
	struct vbuf b = { VRING_DATA, 64, false };
	struct vq_chain c;

	vdev_start(&drv, features, 1, 8);
	CHECK(!virtio_arm(dev, 0));
	vring_add(&drv, 0, &b, 1);
	vring_kick(&drv, 0);
	CHECK_EQ(ring->kicks, 1);
	CHECK(virtio_arm(dev, 0));		/* there is one */
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	virtio_push(dev, &c, 0);
	virtio_disarm(dev, 0);
	vring_add(&drv, 0, &b, 1);
	vring_kick(&drv, 0);
	vring_add(&drv, 0, &b, 1);
	vring_kick(&drv, 0);
	/* Armed at the old index, event indexes let one more through. */
	CHECK(ring->kicks <= 2);
	while (virtio_pop(dev, 0, &c) == 1)
		virtio_push(dev, &c, 0);
	ring->kicks = 0;
	CHECK(!virtio_arm(dev, 0));
	vring_add(&drv, 0, &b, 1);
	vring_kick(&drv, 0);
	CHECK_EQ(ring->kicks, 1);
}

/* Drivers that break a rule.  Each fills rings in; `why` is what the device must
 * say, NULL: it is allowed.
 */

static void offer(unsigned head)
{
	vring_put_avail(ring, head);
	vring_set_avail_idx(ring, ring->avail_idx);
}

static void jump(void)
{
	vring_put_desc(ring, 0, VRING_DATA, 64, 0, 0);
	vring_set_avail_idx(ring, 9);		/* of a queue of 8 */
}

static void jump_back(void)
{
	vring_set_avail_idx(ring, 0xffff);
}

static void big_head(void)
{
	offer(8);
}

static void big_next(void)
{
	vring_put_desc(ring, 0, VRING_DATA, 64, VRING_NEXT, 0xffff);
	offer(0);
}

static void loop(void)
{
	vring_put_desc(ring, 0, VRING_DATA, 64, VRING_NEXT, 1);
	vring_put_desc(ring, 1, VRING_DATA, 64, VRING_NEXT, 0);
	offer(0);
}

static void loop_of_nothing(void)
{
	vring_put_desc(ring, 0, VRING_DATA, 0, VRING_NEXT, 0);
	offer(0);
}

static void wrapping(void)
{
	vring_put_desc(ring, 0, UINT64_MAX - 10, 64, 0, 0);
	offer(0);
}

static void outside(void)
{
	vring_put_desc(ring, 0, MEMORY - 32, 64, VRING_WRITE, 0);
	offer(0);
}

static void device_memory(void)
{
	vring_put_desc(ring, 0, 0xfee00000, 64, VRING_WRITE, 0);
	offer(0);
}

static void vga_hole(void)
{
	vring_put_desc(ring, 0, 0x9fff0, 64, 0, 0);
	offer(0);
}

static void disorder(void)
{
	vring_put_desc(ring, 0, VRING_DATA, 64, VRING_WRITE | VRING_NEXT, 1);
	vring_put_desc(ring, 1, VRING_DATA, 64, 0, 0);
	offer(0);
}

static void disorder_of_nothing(void)
{
	vring_put_desc(ring, 0, VRING_DATA, 0, VRING_WRITE | VRING_NEXT, 1);
	vring_put_desc(ring, 1, VRING_DATA, 64, 0, 0);
	offer(0);
}

static struct vring table(uint64_t gpa)
{
	return (struct vring){ .desc = host(gpa) };
}

static void indirect_len(void)
{
	vring_put_desc(ring, 0, VRING_TABLES, 24, VRING_INDIRECT, 0);
	offer(0);
}

static void indirect_empty(void)
{
	vring_put_desc(ring, 0, VRING_TABLES, 0, VRING_INDIRECT, 0);
	offer(0);
}

static void indirect_long(void)
{
	vring_put_desc(ring, 0, VRING_TABLES, 16 * 257, VRING_INDIRECT, 0);
	offer(0);
}

static void indirect_nested(void)
{
	struct vring t = table(VRING_TABLES);

	vring_put_desc(ring, 0, VRING_TABLES, 16, VRING_INDIRECT, 0);
	vring_put_desc(&t, 0, VRING_TABLES, 16, VRING_INDIRECT, 0);
	offer(0);
}

static void indirect_next(void)
{
	vring_put_desc(ring, 0, VRING_TABLES, 16, VRING_INDIRECT | VRING_NEXT, 1);
	offer(0);
}

static void indirect_outside(void)
{
	vring_put_desc(ring, 0, MEMORY - 16, 32, VRING_INDIRECT, 0);
	offer(0);
}

static void indirect_index(void)
{
	struct vring t = table(VRING_TABLES);

	vring_put_desc(ring, 0, VRING_TABLES, 32, VRING_INDIRECT, 0);
	vring_put_desc(&t, 0, VRING_DATA, 64, VRING_NEXT, 2);
	offer(0);
}

/* As Linux does for a request of as many segments as it may have. */
static void indirect_full(void)
{
	struct vring t = table(VRING_TABLES);

	vring_put_desc(ring, 0, VRING_TABLES, 16 * 256, VRING_INDIRECT, 0);
	for (uint16_t i = 0; i < 256; i++)
		vring_put_desc(&t, i, VRING_DATA + 8u * i, i < 128 ? 1 : i & 1,
			       (i < 128 ? 0 : VRING_WRITE) |
			       (i < 255 ? VRING_NEXT : 0), (uint16_t)(i + 1));
	offer(0);
}

static void indirect_loop(void)
{
	struct vring t = table(VRING_TABLES);

	vring_put_desc(ring, 0, VRING_TABLES, 32, VRING_INDIRECT, 0);
	vring_put_desc(&t, 0, VRING_DATA, 64, VRING_NEXT, 0);
	offer(0);
}

/* Some descriptors of the ring, then a table at an odd address: allowed. */
static void indirect_behind(void)
{
	struct vring t = table(VRING_TABLES + 3);

	vring_put_desc(ring, 0, VRING_DATA, 64, VRING_NEXT, 1);
	vring_put_desc(ring, 1, VRING_TABLES + 3, 32, VRING_INDIRECT, 0);
	vring_put_desc(&t, 0, VRING_DATA + 4096, 64, VRING_NEXT, 1);
	vring_put_desc(&t, 1, VRING_DATA + 8192, 64, VRING_WRITE, 0);
	offer(0);
}

static void four_gib(void)
{
	unsigned i;

	/* The same 48 MiB, 128 times. */
	struct vring t = table(VRING_TABLES);

	for (i = 0; i < 128; i++)
		vring_put_desc(&t, i, 16u << 20, 48u << 20, VRING_NEXT, i + 1);
	vring_put_desc(ring, 0, VRING_TABLES, 16 * 128, VRING_INDIRECT, 0);
	offer(0);
}

static void more_than_the_ring(void)
{
	struct vq_chain c;
	unsigned i;

	/* Nothing is completed, and the same one is offered again and again. */
	vring_put_desc(ring, 0, VRING_DATA, 64, 0, 0);
	for (i = 0; i < 8; i++) {
		offer(0);
		CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	}
	offer(0);
}

static const struct {
	const char *name;
	void (*fill)(void);
	const char *why;
	uint64_t features;
} rules[] = {
	{ "jump", jump, "the available index jumps", 0 },
	{ "jump back", jump_back, "the available index jumps", 0 },
	{ "head", big_head, "a descriptor's index is too large", 0 },
	{ "next", big_next, "a descriptor's index is too large", 0 },
	{ "loop", loop, "a chain is longer than the queue", 0 },
	{ "empty loop", loop_of_nothing, "a chain is longer than the queue", 0 },
	{ "wrap", wrapping, "a buffer wraps around the address space", 0 },
	{ "outside", outside, "a buffer is not in memory", 0 },
	{ "LAPIC", device_memory, "a buffer is not in memory", 0 },
	{ "VGA", vga_hole, "a buffer is not in memory", 0 },
	{ "order", disorder, "a readable descriptor behind a writable one", 0 },
	{ "order, empty", disorder_of_nothing,
	  "a readable descriptor behind a writable one", 0 },
	{ "not negotiated", indirect_behind,
	  "an indirect table, which was not negotiated", 0 },
	{ "table length", indirect_len,
	  "an indirect table's length is no multiple of 16", ALL_RINGS },
	{ "table empty", indirect_empty,
	  "an indirect table's length is no multiple of 16", ALL_RINGS },
	{ "table long", indirect_long,
	  "an indirect table is longer than the queue", ALL_RINGS },
	{ "nested", indirect_nested, "an indirect table within another",
	  ALL_RINGS },
	{ "table and next", indirect_next,
	  "a descriptor behind an indirect table", ALL_RINGS },
	{ "table outside", indirect_outside,
	  "an indirect table is not in memory", ALL_RINGS },
	{ "table index", indirect_index, "a descriptor's index is too large",
	  ALL_RINGS },
	{ "table loop", indirect_loop, "a chain is longer than the queue",
	  ALL_RINGS },
	{ "table behind", indirect_behind, NULL, ALL_RINGS },
	{ "table full", indirect_full, NULL, ALL_RINGS },
	{ "4 GiB", four_gib, "a request has 4 GiB or more", ALL_RINGS },
	{ "in flight", more_than_the_ring,
	  "more requests than the queue has entries", 0 },
};

static void check_rule(unsigned i)
{
	struct vq_chain c;
	struct vq *q = &dev->queues[0];

	printf("rule: %s\n", rules[i].name);
	vdev_start(&drv, rules[i].features, 2, 8);
	rules[i].fill();
	if (!rules[i].why) {
		CHECK_EQ(virtio_pop(dev, 0, &c), 1);
		CHECK_EQ(c.out_len, 128);
		CHECK_EQ(c.in_len, 64);
		virtio_push(dev, &c, 0);
		return;
	}
	CHECK(virtio_pop(dev, 0, &c) < 0);
	CHECK_STR(q->broken, rules[i].why);
	CHECK(vdev_status(&drv) & VIRTIO_STATUS_NEEDS_RESET);
	CHECK(vdev_isr(&drv) & VIRTIO_ISR_CONFIG);
	/* It says so once; then nothing works until the reset. */
	CHECK_EQ(virtio_pop(dev, 0, &c), 0);
	CHECK(!virtio_arm(dev, 0));
	offer(0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 0);
	CHECK_EQ(virtio_pop(dev, 1, &c), 0);
	CHECK_EQ(vdev_isr(&drv), 0);
	if (q->in_flight) {
		c.q = q;
		c.n_in = c.n_out = 0;
		while (q->in_flight)
			virtio_push(dev, &c, 0);
		CHECK_EQ(vring_used_idx(ring), 0);
	}
}

/* Rings that are no rings. */
static void check_places(void)
{
	const struct { uint64_t desc, avail, used; } bad[] = {
		{ 0x100008, 0x101000, 0x102000 },	/* misaligned */
		{ 0x100000, 0x101001, 0x102000 },
		{ 0x100000, 0x101000, 0x102002 },
		{ MEMORY - 64, 0x101000, 0x102000 },	/* half outside */
		{ 0x100000, 0xa0000, 0x102000 },
		{ 0x100000, 0x101000, UINT64_MAX - 3 },
		{ 0x100000, 0x101000, 0xfee00000 },
		{ 0xfffffffffffffff0, 0x101000, 0x102000 },
	};
	struct vq_chain c;
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		vdev_reset(&drv);
		CHECK(vdev_negotiate(&drv, VIRTIO_F_VERSION_1));
		vdev_queue_at(&drv, 0, 8, bad[i].desc, bad[i].avail,
			      bad[i].used);
		vdev_set_status(&drv, 0x0f);
		CHECK(vdev_status(&drv) & VIRTIO_STATUS_NEEDS_RESET);
		CHECK_EQ(virtio_pop(dev, 0, &c), 0);
		CHECK(!virtio_arm(dev, 0));
		virtio_disarm(dev, 0);
	}
}

/* PAM moves what lies below a ring while it runs. */
static void check_remap(void)
{
	struct vq_chain c;

	vdev_reset(&drv);
	CHECK(vdev_negotiate(&drv, VIRTIO_F_VERSION_1));
	vdev_queue_at(&drv, 0, 8, 0xc8000, 0xc9000, 0xca000);
	vdev_set_status(&drv, 0x0f);
	CHECK_EQ(virtio_pop(dev, 0, &c), 0);
	vm_lock(vm);
	mem_set_pam(vm, 2, true, false);	/* 0xc8000, 16 KiB: no writing */
	vm_unlock(vm);
	CHECK(virtio_pop(dev, 0, &c) < 0);
	CHECK_STR(dev->queues[0].broken, "a ring is not in memory");
	vm_lock(vm);
	mem_set_pam(vm, 2, true, true);
	vm_unlock(vm);
	vdev_reset(&drv);
}

/* A buffer may lie across slots of memory; its pieces are as large as they can
 * be.
 */
static void check_pieces(void)
{
	const struct vbuf bufs[] = {
		{ 0xcf000, 0x2000, true },	/* two PAM slots */
		{ 0xd3f00, 0x200, true },
		{ 0xfff00, 0x200, true },	/* into the RAM behind 1 MiB */
	};
	struct vq_chain c;
	uint32_t len;

	vdev_start(&drv, 0, 1, 8);
	vring_add(&drv, 0, bufs, 3);
	vring_kick(&drv, 0);
	CHECK_EQ(virtio_pop(dev, 0, &c), 1);
	CHECK_EQ(c.in_len, 0x2400);
	CHECK_EQ(c.n_in, 3);
	CHECK(c.iov[0].iov_base == host(0xcf000));
	CHECK_EQ(c.iov[0].iov_len, 0x2000);
	virtio_push(dev, &c, 0);
	CHECK(vring_poll(&drv, 0, &len) >= 0);
	/* One slot shows nothing: the buffer is broken there. */
	vm_lock(vm);
	mem_set_pam(vm, 4, true, false);
	vm_unlock(vm);
	vring_add(&drv, 0, bufs, 1);
	vring_kick(&drv, 0);
	CHECK(virtio_pop(dev, 0, &c) < 0);
	vm_lock(vm);
	mem_set_pam(vm, 4, true, true);
	vm_unlock(vm);
}

int main(void)
{
	unsigned i;

	make();
	check_request(0);
	check_request(VIRTIO_F_RING_INDIRECT_DESC);
	check_request(ALL_RINGS);
	check_mem_wrote();
	check_wrap(0);
	check_wrap(ALL_RINGS);
	check_unpop();
	check_interrupts(0);
	check_interrupts(VIRTIO_F_RING_EVENT_IDX);
	check_arming(0);
	check_arming(VIRTIO_F_RING_EVENT_IDX);
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		check_rule(i);
	check_request(ALL_RINGS);
	check_places();
	check_remap();
	check_pieces();
	vm_free(vm);
	return 0;
}
