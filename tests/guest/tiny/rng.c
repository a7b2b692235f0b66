/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rng.c - a driver of virtio-rng (virtio 1.2, 5.4). */
#include "virtio.h"

#define LEN 256u

static struct virtio d;
static struct queue q[1];
static uint8_t bytes[4][LEN + 1];

/* The ones among the bits: about half. */
static uint32_t count_ones(const uint8_t *p, uint32_t len)
{
	uint32_t n = 0;

	for (; len--; p++) {
		for (uint32_t bit = 0; bit < 8; bit++)
			n += *p >> bit & 1;
	}
	return n;
}

void guest_main(void)
{
	uint32_t total = 0, i, k, ones, equal = 0;

	check("found", virtio_find(&d, false, 4, 0), 1);
	check("accepted", virtio_start(&d, VIRTIO_F_VERSION_1 |
				       VIRTIO_F_EVENT_IDX, q, 1,
				       has_arg("mmio") ? IRQ_LINE :
				       IRQ_MESSAGES), 1);
	for (i = 0; i < 4; i++) {
		struct buffer pieces[] = {
			{ bytes[i], 3, true }, { bytes[i] + 3, LEN - 3, true },
		};

		queue_add(&d, q, pieces, 2);
	}
	queue_kick(&d, q);
	for (i = 0; i < 4; i++)
		total += queue_wait(q, 0);
	check("bytes", total, 4 * LEN);
	for (i = 0; i < 4; i++)
		total -= bytes[i][LEN];
	check("none behind them", total, 4 * LEN);
	/* 1024 of 2048 on average, and 22.6 is the standard deviation. */
	for (i = 0; i < 4; i++) {
		ones = count_ones(bytes[i], LEN);
		if (ones < 1024 - 200 || ones > 1024 + 200)
			check("ones", ones, 1024);
		for (k = 0; k < LEN; k++)
			equal += bytes[i][k] == bytes[(i + 1) % 4][k];
	}
	check("the same twice", equal > 100, 0);
}
