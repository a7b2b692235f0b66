/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - a driver of virtio-console (virtio 1.2, 5.3): says back each line
 * in capitals, until one is empty.  The host: tests/guest/tiny/talk.
 */
#include "virtio.h"

static struct virtio d;
static struct queue q[2];

static void say(const char *text, uint32_t len)
{
	struct buffer b = { text, len, false };

	queue_add(&d, &q[1], &b, 1);
	queue_kick(&d, &q[1]);
	queue_wait(&q[1], 0);
}

/* Up to and with its end; what comes in one request may be any part of it. */
static uint32_t hear(char *line, uint32_t max)
{
	static char bytes[64];
	static uint32_t n, at;
	struct buffer b = { bytes, sizeof(bytes), true };
	uint32_t len = 0;

	while (len < max) {
		if (at == n) {
			queue_add(&d, &q[0], &b, 1);
			queue_kick(&d, &q[0]);
			n = queue_wait(&q[0], 0);
			at = 0;
		}
		line[len++] = bytes[at++];
		if (line[len - 1] == '\n')
			break;
	}
	return len;
}

void guest_main(void)
{
	static const char hello[] = "console\n";
	static char line[4096];
	uint32_t len, i, total = 0;

	check("found", virtio_find(&d, false, 3, 0), 1);
	check("accepted", virtio_start(&d, VIRTIO_F_VERSION_1 |
				       VIRTIO_F_EVENT_IDX, q, 2,
				       has_arg("mmio") ? IRQ_LINE :
				       IRQ_MESSAGES), 1);
	say(hello, sizeof(hello) - 1);
	while ((len = hear(line, sizeof(line))) > 1) {
		for (i = 0; i < len; i++) {
			if (line[i] >= 'a' && line[i] <= 'z')
				line[i] = (char)(line[i] - 'a' + 'A');
		}
		say(line, len);
		total += len;
	}
	put("heard ");
	put_dec(total);
	put(" bytes\n");
}
