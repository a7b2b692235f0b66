/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloon.c - a driver of virtio-balloon (virtio 1.2, 5.5): uses 32 MiB, puts
 * them into the balloon, and takes them out again.  With the argument `ask` it
 * waits after each step for a byte from the host, which looks at how much memory
 * the machine has (tests/guest/tiny/talk).
 */
#include "virtio.h"

#define STATS_VQ	(1ull << 1)

#define FIRST	0x1000000u
#define LEN	0x2000000u
#define PAGE	4096u
#define PAGES	(LEN / PAGE)
#define ACTUAL	4u		/* in config */

static struct virtio d;
static struct queue q[3];
static uint32_t pages[PAGES];

static void step(const char *what)
{
	put(what);
	put("\n");
	if (!has_arg("ask"))
		return;
	while (!(inb(0x3fd) & 1))
		;
	inb(0x3f8);
}

static uint32_t used_words(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		n += mmio_read(FIRST + i * PAGE) != 0;
	return n;
}

static void use(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		mmio_write(FIRST + i * PAGE, i + 1);
}

/* All pages, in several requests and pieces. */
static void tell(struct queue *to)
{
	for (uint32_t i = 0; i < PAGES; i += 1024) {
		struct buffer b[] = {
			{ &pages[i], 1000, false },
			{ &pages[i + 250], 4096 - 1000, false },
		};

		queue_add(&d, to, b, 2);
		queue_kick(&d, to);
		queue_wait(to, 0);
	}
}

void guest_main(void)
{
	check("found", virtio_find(&d, false, 5, 0), 1);
	check("accepted", virtio_start(&d, VIRTIO_F_VERSION_1 | STATS_VQ |
				       VIRTIO_F_INDIRECT, q, 3, IRQ_LINE), 1);
	for (uint32_t i = 0; i < PAGES; i++)
		pages[i] = (FIRST >> 12) + (i ^ 5);
	step("not used");
	use();
	step("used");
	tell(&q[0]);
	mmio_write(d.config + ACTUAL, PAGES);
	check("actual", mmio_read(d.config + ACTUAL), PAGES);
	step("in the balloon");
	tell(&q[1]);
	mmio_write(d.config + ACTUAL, 0);
	check("words that are left", used_words(), 0);
	use();
	check("words that are used", used_words(), PAGES);
	step("out of the balloon");
	/* Pages that there are not, and the guest's own ROM and devices. */
	pages[0] = 0xffffffff;
	pages[1] = 0xfee00;
	pages[2] = 0xfffff;
	pages[3] = 0x7fffffff;
	tell(&q[1]);
	struct buffer b = { pages, 16, false };
	queue_add(&d, &q[0], &b, 1);
	queue_kick(&d, &q[0]);
	queue_wait(&q[0], 0);
	check("words that are used", used_words(), PAGES);
}
