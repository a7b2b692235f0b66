/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk.c - a driver of virtio-blk (virtio 1.2, 5.2) on the disk that tests/guest/
 * tiny/list makes: line n of 16 bytes is the number n.  What it writes, the host
 * looks at afterwards.
 *
 * Arguments: mmio; messages (MSI-X; else the line); plain (neither indirect
 * descriptors nor event index); readonly.
 */
#include "virtio.h"

#define BLK_F_RO		(1ull << 5)
#define BLK_F_FLUSH		(1ull << 9)
#define BLK_F_CONFIG_WCE	(1ull << 11)
#define BLK_F_MQ		(1ull << 12)
#define BLK_F_DISCARD		(1ull << 13)
#define BLK_F_WRITE_ZEROES	(1ull << 14)

#define READ		0u
#define WRITE		1u
#define FLUSH		4u
#define GET_ID		8u
#define DISCARD		11u
#define WRITE_ZEROES	13u
#define NOTHING		99u

#define OK	0u
#define IOERR	1u
#define UNSUPP	2u

#define WRITEBACK	32u	/* in config */
#define N_QUEUES	34u

#define SECTORS 8192u
#define LINE 16u

static struct virtio d;
static struct queue queues[2];

struct request {
	uint32_t type, reserved;
	uint64_t sector;
	volatile uint8_t status;
};
struct segment {
	uint64_t sector;
	uint32_t n, flags;
};

static uint8_t data[32 * 512];

/* Lines from number `first` on, with another first character than '0'. */
static void fill_lines(uint8_t *p, uint32_t len, uint32_t first, char mark)
{
	for (; len; len -= LINE, p += LINE, first++) {
		uint32_t n = first;

		p[15] = '\n';
		for (int i = 14; i >= 0; i--, n /= 10)
			p[i] = (uint8_t)('0' + n % 10);
		p[0] = (uint8_t)mark;
	}
}

static uint32_t wrong_lines(const uint8_t *p, uint32_t len, uint32_t first,
			    char mark)
{
	uint8_t want[LINE];
	uint32_t wrong = 0;

	for (; len; len -= LINE, p += LINE) {
		fill_lines(want, LINE, first++, mark);
		for (uint32_t i = 0; i < LINE; i++)
			wrong += p[i] != want[i];
	}
	return wrong;
}

static uint32_t not_zero(const uint8_t *p, uint32_t len)
{
	uint32_t n = 0;

	while (len--)
		n += *p++ != 0;
	return n;
}

static void offer(struct queue *q, struct request *r, uint32_t type,
		  uint64_t sector, const struct buffer *b, uint32_t n)
{
	struct buffer all[8] = { { r, 16, false } };

	r->type = type;
	r->reserved = 0;
	r->sector = sector;
	r->status = 0xaa;
	for (uint32_t i = 0; i < n; i++)
		all[1 + i] = b[i];
	all[1 + n] = (struct buffer){ (const void *)&r->status, 1, true };
	queue_add(&d, q, all, n + 2);
}

static uint32_t run(uint32_t type, uint64_t sector, const void *p, uint32_t len)
{
	struct buffer b = { p, len, type == READ || type == GET_ID };
	static struct request r;

	offer(&queues[0], &r, type, sector, &b, len ? 1 : 0);
	queue_kick(&d, &queues[0]);
	queue_wait(&queues[0], 0);
	return r.status;
}

static uint32_t clear(uint32_t type, uint64_t sector, uint32_t n,
		      uint32_t flags)
{
	static struct segment s;

	s = (struct segment){ sector, n, flags };
	return run(type, 0, &s, sizeof(s));
}

static void read_data(void)
{
	uint8_t *p = data;
	struct buffer pieces[] = {
		{ p, 1, true }, { p + 1, 511, true }, { p + 512, 1000, true },
		{ p + 1512, 2072, true },
	};
	static struct request r;

	fill(data, 0xee, sizeof(data));
	check("read", run(READ, 0, data, 512), OK);
	check("its data", wrong_lines(data, 512, 0, '0'), 0);
	check("nothing behind it", data[512], 0xee);
	offer(&queues[0], &r, READ, 4099, pieces, 4);
	queue_kick(&d, &queues[0]);
	check("read pieces, bytes", queue_wait(&queues[0], 0), 7 * 512 + 1);
	check("its status", r.status, OK);
	check("its data", wrong_lines(data, 7 * 512, 4099 * 32, '0'), 0);
	check("read the end", run(READ, SECTORS - 32, data, 32 * 512), OK);
	check("its data", wrong_lines(data, 32 * 512, (SECTORS - 32) * 32, '0'),
	      0);
}

static void get_id(void)
{
	static char id[21];

	check("get the id", run(GET_ID, 0, id, 20), OK);
	put("id: ");
	put(id);
	put("\n");
}

static void refused(void)
{
	check("read at the end", run(READ, SECTORS, data, 512), IOERR);
	check("read across the end", run(READ, SECTORS - 1, data, 1024), IOERR);
	check("read far away", run(READ, ~0ull / 512, data, 1024), IOERR);
	check("half a sector", run(READ, 0, data, 256), IOERR);
	check("unknown type", run(NOTHING, 0, data, 512), UNSUPP);
}

static void write_data(void)
{
	static struct request r;
	struct buffer pieces[] = {
		{ data, 17, false }, { data + 17, 1000, false },
		{ data + 1017, 519, false },
	};

	fill_lines(data, 3 * 512, 100 * 32, 'w');
	offer(&queues[0], &r, WRITE, 100, pieces, 3);
	queue_kick(&d, &queues[0]);
	check("write pieces, bytes", queue_wait(&queues[0], 0), 1);
	check("its status", r.status, OK);
	fill(data, 0, sizeof(data));
	check("read it", run(READ, 99, data, 5 * 512), OK);
	check("before it", wrong_lines(data, 512, 99 * 32, '0'), 0);
	check("its data", wrong_lines(data + 512, 3 * 512, 100 * 32, 'w'), 0);
	check("behind it", wrong_lines(data + 2048, 512, 103 * 32, '0'), 0);
	check("flush", run(FLUSH, 0, 0, 0), OK);
	check("write across the end", run(WRITE, SECTORS - 1, data, 1024),
	      IOERR);
}

static void clear_data(void)
{
	check("write zeroes", clear(WRITE_ZEROES, 201, 17, 0), OK);
	check("write zeroes, unmap", clear(WRITE_ZEROES, 512, 1024, 1), OK);
	check("read them", run(READ, 200, data, 19 * 512), OK);
	check("before them", wrong_lines(data, 512, 200 * 32, '0'), 0);
	check("they are zeroes", not_zero(data + 512, 17 * 512), 0);
	check("behind them", wrong_lines(data + 18 * 512, 512, 218 * 32, '0'),
	      0);
	check("read unmapped ones", run(READ, 1520, data, 16 * 512), OK);
	check("they are zeroes", not_zero(data, 16 * 512), 0);
	check("zeroes across the end", clear(WRITE_ZEROES, SECTORS - 1, 2, 0),
	      IOERR);
	check("unknown flag", clear(WRITE_ZEROES, 0, 1, 4), UNSUPP);
	check("discard", clear(DISCARD, 2048, 1024, 0), OK);
	/* What discarded sectors hold is not said: now it is. */
	check("zeroes there", clear(WRITE_ZEROES, 2048, 1024, 0), OK);
	check("discard across the end", clear(DISCARD, SECTORS - 1, 2, 0),
	      IOERR);
	check("discard with a flag", clear(DISCARD, 0, 1, 1), UNSUPP);
}

static void write_through(void)
{
	volatile uint8_t *writeback = (volatile uint8_t *)(d.config +
							   WRITEBACK);

	check("write-back", *writeback, 1);
	*writeback = 0;
	check("write-through", *writeback, 0);
	fill_lines(data, 512, 4000 * 32, 't');
	check("write", run(WRITE, 4000, data, 512), OK);
	*writeback = 1;
	check("write-back", *writeback, 1);
}

/* Sixteen reads in flight, on both queues in turn. */
static void two_queues(void)
{
	static struct request r[16];
	uint32_t status = 0, wrong = 0;

	check("queues", *(volatile uint16_t *)(d.config + N_QUEUES), 2);
	for (uint32_t i = 0; i < 16; i++) {
		struct buffer b = { data + i * 1024, 1024, true };

		offer(&queues[i & 1], &r[i], READ, 4100 + i * 200, &b, 1);
	}
	queue_kick(&d, &queues[0]);
	queue_kick(&d, &queues[1]);
	for (uint32_t i = 0; i < 16; i++)
		queue_wait(&queues[i & 1], 0);
	for (uint32_t i = 0; i < 16; i++) {
		status |= r[i].status;
		wrong += wrong_lines(data + i * 1024, 1024,
				     (4100 + i * 200) * 32, '0');
	}
	check("sixteen reads", status, OK);
	check("their data", wrong, 0);
}

/* Those that are on their way. */
static void let_irqs_in(void)
{
	__asm__ volatile("sti");
	pm_wait(3600);
	cli();
}

/* Four requests, of which the driver wants to hear of the fourth alone.  How
 * many were done at the first interrupt?
 */
static uint16_t four_requests(uint32_t *interrupts)
{
	static struct request r[4];
	struct queue *q = &queues[0];
	uint32_t before;
	uint16_t done;

	let_irqs_in();
	before = d.interrupts[0];
	q->avail.used_event = (uint16_t)(q->last_used + 3);
	for (uint32_t i = 0; i < 4; i++) {
		struct buffer b = { data + i * 512, 512, true };

		offer(q, &r[i], READ, i, &b, 1);
	}
	queue_kick(&d, q);
	while (d.interrupts[0] == before)
		wait_irq();
	done = (uint16_t)(*(volatile uint16_t *)&q->used.idx - q->last_used);
	for (uint32_t i = 0; i < 4; i++)
		queue_wait(q, 0);
	let_irqs_in();
	*interrupts = d.interrupts[0] - before;
	return done;
}

/* QEMU on a busy host sends the interrupt of the requests before these later
 * than any wait; a guest that says "late" forgives that, a few times.
 */
static void one_interrupt(void)
{
	uint32_t interrupts, tries = has_arg("late") ? 8 : 1;
	uint16_t done;

	do
		done = four_requests(&interrupts);
	while ((done != 4 || interrupts != 1) && --tries);
	check("done at the interrupt", done, 4);
	check("interrupts for four requests", interrupts, 1);
}

void guest_main(void)
{
	bool plain = has_arg("plain"), readonly = has_arg("readonly");
	uint64_t wanted = VIRTIO_F_VERSION_1 | BLK_F_RO | BLK_F_FLUSH |
		BLK_F_CONFIG_WCE | BLK_F_MQ | BLK_F_DISCARD |
		BLK_F_WRITE_ZEROES;

	if (!plain)
		wanted |= VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX;
	check("found", virtio_find(&d, has_arg("mmio"), 2, 0), 1);
	check("accepted", virtio_start(&d, wanted, queues, 2,
				       has_arg("messages") ? IRQ_MESSAGES :
				       IRQ_LINE), 1);
	check("sectors", mmio_read(d.config), SECTORS);
	check("read only", (d.features & BLK_F_RO) != 0, readonly);
	read_data();
	get_id();
	refused();
	if (readonly) {
		check("write", run(WRITE, 0, data, 512), IOERR);
		return;
	}
	check("offers", (uint32_t)(wanted & ~BLK_F_RO & ~d.features), 0);
	write_data();
	clear_data();
	write_through();
	two_queues();
	if (!plain)
		one_interrupt();
	let_irqs_in();
	check("interrupts came", d.interrupts[0] != 0, 1);
	check("flush", run(FLUSH, 0, 0, 0), OK);
	check("no reset needed", virtio_status(&d) & VIRTIO_NEEDS_RESET, 0);
}
