/* SPDX-License-Identifier: GPL-2.0-or-later */
/* full.c - writes all of a disk of up to 4 MiB that has no room for it on the host, then reads
 * it: how many of the requests failed?
 */
#include "virtio.h"

#define N	64u		/* sectors of a request */

static struct virtio d;
static struct queue q[1];
static uint8_t data[N * 512];
static volatile uint8_t status;

static uint32_t run(uint32_t type, uint32_t sector)
{
	static struct { uint32_t type, reserved; uint64_t sector; } header;
	struct buffer b[] = {
		{ &header, 16, false }, { data, sizeof(data), type == 0 },
		{ (const void *)&status, 1, true },
	};

	header.type = type;
	header.sector = sector;
	status = 0xaa;
	queue_add(&d, q, b, 3);
	queue_kick(&d, q);
	queue_wait(q, 0);
	return status;
}

void guest_main(void)
{
	uint32_t sectors, sector, failed = 0, strange = 0, wrong = 0;
	static uint8_t written[8192 / N];

	check("found", virtio_find(&d, false, 2, 0), 1);
	check("accepted", virtio_start(&d, VIRTIO_F_VERSION_1 | 1 << 9, q, 1,
				       IRQ_LINE), 1);
	sectors = mmio_read(d.config);
	for (sector = 0; sector < sectors; sector += N) {
		uint32_t rc;

		fill(data, (uint8_t)(1 + sector / N), sizeof(data));
		rc = run(1, sector);
		written[sector / N] = !rc;
		failed += rc == 1;
		strange += rc > 1;
	}
	put_dec(failed);
	put(" writes failed\n");
	failed = 0;
	for (sector = 0; sector < sectors; sector += N) {
		uint32_t rc = run(0, sector);

		failed += rc == 1;
		strange += rc > 1;
		for (uint32_t i = 0; !rc && written[sector / N] &&
		     i < sizeof(data); i += 512)
			wrong += data[i] != (uint8_t)(1 + sector / N);
	}
	put_dec(failed);
	put(" reads failed\n");
	check("other answers", strange, 0);
	check("wrong bytes of what was written", wrong, 0);
	check("no reset needed", virtio_status(&d) & VIRTIO_NEEDS_RESET, 0);
}
