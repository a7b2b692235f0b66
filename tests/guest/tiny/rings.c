/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rings.c - a driver of virtio-blk that breaks every rule of virtqueues (virtio
 * 1.2, 2.7), resets in the middle of requests, and moves the device about.
 *
 * Argument: mmio.
 */
#include "virtio.h"

#define SECTOR 512u
#define NOWHERE 0xfffffffffffff000ull
#define IN_FLIGHT 10u

static struct virtio d;
static struct queue q[1];
static struct { uint32_t type, reserved; uint64_t sector; } header;
static uint8_t data[IN_FLIGHT * 8192] __attribute__((aligned(4096)));
static volatile uint8_t status;

static void start(void)
{
	if (!virtio_start(&d, VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT, q, 1,
			  IRQ_LINE))
		put("the device refuses its features\n");
	status = 0xaa;
}

/* A good request at descriptors 0 to 2. */
static void good(void)
{
	q->desc[0] = (struct desc){ (uint32_t)&header, 16, DESC_NEXT, 1 };
	q->desc[1] = (struct desc){ (uint32_t)data, SECTOR,
				    DESC_NEXT | DESC_WRITE, 2 };
	q->desc[2] = (struct desc){ (uint32_t)&status, 1, DESC_WRITE, 0 };
	q->avail.ring[0] = 0;
}

static void go(void)
{
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory", "cc");
	q->avail.idx = 1;
	queue_kick(&d, q);
}

/* Whoever breaks the rules is told to reset; then all is well again. */
static void broken(const char *rule)
{
	uint32_t start_at = pm_ticks(), seen;

	go();
	do {
		seen = virtio_status(&d) & VIRTIO_NEEDS_RESET;
	} while (!seen && ((pm_ticks() - start_at) & 0xffffff) < 3579545);
	check(rule, seen, VIRTIO_NEEDS_RESET);
	check("nothing is done", *(volatile uint16_t *)&q->used.idx, 0);
	start();
	good();
	go();
	queue_wait(q, 0);
	check("works again", status, 0);
	start();
	good();
}

static void descriptors(void)
{
	q->desc[2] = (struct desc){ (uint32_t)&status, 1,
				    DESC_NEXT | DESC_WRITE, 1 };
	broken("a loop");
	q->desc[0].next = 0;
	broken("a loop of one");
	q->desc[0].next = QUEUE_SIZE;
	broken("next behind the table");
	q->avail.ring[0] = QUEUE_SIZE;
	broken("a head behind the table");
	q->desc[1].addr = NOWHERE;
	broken("a buffer nowhere");
	q->desc[1].addr = 0xfffffffffffffe01ull;
	broken("a buffer that wraps round");
	q->desc[1].len = 0xffffffff;
	broken("a buffer larger than memory");
	q->desc[1].addr = 0xfee00000;
	broken("a buffer in device memory");
	q->desc[0].flags |= DESC_WRITE;
	q->desc[1].flags = DESC_NEXT;
	broken("read after written");
}

static void indirect(void)
{
	struct desc *t = q->indirect[0];
	struct desc to_t = { (uint32_t)t, 48, DESC_INDIRECT, 0 };

	fill(t, 0, 8 * 16);
	q->desc[0] = to_t;
	t[0] = to_t;
	broken("indirect in indirect");
	copy(t, q->desc, 48);
	q->desc[0] = to_t;
	q->desc[0].len = 47;
	broken("half a descriptor");
	q->desc[0] = to_t;
	q->desc[0].len = 0;
	broken("an empty table");
	q->desc[0] = to_t;
	q->desc[0].addr = NOWHERE;
	broken("a table nowhere");
	copy(t, q->desc, 48);
	t[2] = (struct desc){ (uint32_t)&status, 1, DESC_NEXT | DESC_WRITE, 9 };
	q->desc[0] = to_t;
	broken("next behind the indirect table");
}

static void index_jumps(void)
{
	q->avail.idx = 1000;
	__asm__ volatile("" : : : "memory");
	if (d.mmio)
		mmio_write(q->doorbell, 0);
	else
		*(volatile uint16_t *)q->doorbell = 0;
	/* The host may be busy: 1 ms, a few thousand times. */
	for (uint32_t i = 0; i < 3000; i++) {
		pm_wait(3600);
		if (virtio_status(&d) & VIRTIO_NEEDS_RESET)
			break;
	}
	check("the index jumps", virtio_status(&d) & VIRTIO_NEEDS_RESET,
	      VIRTIO_NEEDS_RESET);
	start();
	good();
}

/* Nothing is there, for queues that there are and that there are not. */
static void notify_storm(void)
{
	for (uint32_t i = 0; i < 10000; i++) {
		if (d.mmio)
			mmio_write(q->doorbell, i & 1 ? i : 0);
		else
			*(volatile uint16_t *)q->doorbell =
				(uint16_t)(i & 1 ? i : 0);
	}
	good();
	go();
	queue_wait(q, 0);
	check("after a storm of notifications", status, 0);
	start();
}

/* What comes after a reset must not reach memory any more. */
static void reset_in_flight(void)
{
	uint32_t late = 0;

	for (uint32_t n = 0; n < 40; n++) {
		for (uint32_t i = 0; i < IN_FLIGHT; i++) {
			struct buffer b[] = {
				{ &header, 16, false },
				{ data + i * 8192, 8192, true },
				{ (const void *)&status, 1, true },
			};

			queue_add(&d, q, b, 3);
		}
		queue_kick(&d, q);
		virtio_set_status(&d, 0);
		while (virtio_status(&d))
			;
		fill(data, 0x55, sizeof(data));
		if (n % 8 == 0)
			pm_wait(18000);		/* 5 ms */
		for (uint32_t i = 0; i < sizeof(data); i += 512)
			late += data[i] != 0x55;
		start();
	}
	check("late bytes after a reset", late, 0);
	good();
	go();
	queue_wait(q, 0);
	check("works again", status, 0);
	start();
}

/* A BAR over memory, over the IOAPIC, at the end of the address space. */
static void move(void)
{
	static const uint32_t places[] = {
		0x00200000, 0xfec00000, 0xfee00000, 0xffffc000, 0xfffffff0, 0,
		0xd0000000,
	};
	uint32_t bar = pci_read(d.fn, 0x10), ram = mmio_read(0x200000);

	for (uint32_t i = 0; i < sizeof(places) / 4; i++) {
		pci_write(d.fn, 0x10, places[i]);
		mmio_read(places[i] & ~15u);
		if (!i)
			check("memory stays memory", mmio_read(0x200000), ram);
	}
	check("at a new place", *(volatile uint16_t *)(0xd0000000 + 0x18),
	      QUEUE_SIZE);
	pci_write(d.fn, 0x10, bar);
	good();
	go();
	queue_wait(q, 0);
	check("back again", status, 0);
	start();
}

/* Addresses of a queue that runs are not taken over. */
static void change_a_running_queue(void)
{
	uint32_t desc = d.common + (d.mmio ? 0x80 : 0x20);

	mmio_write(desc, 0xfffff000);
	mmio_write(desc + 4, 0xffffffff);
	good();
	go();
	queue_wait(q, 0);
	check("the queue stays where it is", status, 0);
	start();
}

void guest_main(void)
{
	check("found", virtio_find(&d, has_arg("mmio"), 2, 0), 1);
	start();
	good();
	descriptors();
	indirect();
	index_jumps();
	notify_storm();
	reset_in_flight();
	change_a_running_queue();
	if (!d.mmio)
		move();
}
