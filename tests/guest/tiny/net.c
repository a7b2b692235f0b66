/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.c - a driver of virtio-net (virtio 1.2, 5.1), 10.0.2.15, which asks its gateway
 * 10.0.2.2 by ARP and pings it.
 */
#include "virtio.h"

#define F_MAC		(1ull << 5)
#define F_STATUS	(1ull << 16)
#define HEADER		12u
#define ROOMS		8u
#define ROOM_LEN	1526u

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x11, 0x22, 0x33 };
static const uint8_t own[4] = { 10, 0, 2, 15 };
static const uint8_t gateway[4] = { 10, 0, 2, 2 };

static struct virtio d;
static struct queue q[2];
static uint8_t rooms[ROOMS][ROOM_LEN], out[ROOM_LEN];
static uint16_t heads[QUEUE_SIZE];
static uint8_t gateway_mac[6];

static uint8_t config(uint32_t i)
{
	return *(volatile uint8_t *)(d.config + i);
}

static int equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	while (len && *a == *b)
		len--, a++, b++;
	return !len;
}

static void give_room(uint32_t i)
{
	struct buffer room = { rooms[i], ROOM_LEN, true };

	heads[queue_add(&d, &q[0], &room, 1)] = (uint16_t)i;
	queue_kick(&d, &q[0]);
}

/* Send what stands in `out`: as long as Ethernet wants it. */
static void transmit(uint32_t len)
{
	struct buffer frame = { out, HEADER + (len < 60 ? 60 : len), false };

	queue_add(&d, &q[1], &frame, 1);
	queue_kick(&d, &q[1]);
	queue_wait(&q[1], 0);
}

static void ethernet(const uint8_t *to, uint8_t type)
{
	fill(out, 0, sizeof(out));
	copy(out + HEADER, to, 6);
	copy(out + HEADER + 6, mac, 6);
	out[HEADER + 12] = 8;
	out[HEADER + 13] = type;
}

static void arp(uint8_t op, const uint8_t *to)
{
	static const uint8_t head[7] = { 0, 1, 8, 0, 6, 4, 0 };
	uint8_t *p = out + HEADER + 14;

	ethernet(to, 6);
	copy(p, head, 7);
	p[7] = op;
	copy(p + 8, mac, 6);
	copy(p + 14, own, 4);
	copy(p + 18, op == 2 ? to : own, op == 2 ? 6 : 0);
	copy(p + 24, gateway, 4);
	transmit(14 + 28);
}

static void checksum(uint8_t *p, uint32_t len, uint32_t at)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	p[at] = (uint8_t)(~sum >> 8);
	p[at + 1] = (uint8_t)~sum;
}

static void ping(uint32_t data)
{
	uint8_t *ip = out + HEADER + 14;

	ethernet(gateway_mac, 0);
	ip[0] = 0x45;
	ip[2] = (uint8_t)((28 + data) >> 8);
	ip[3] = (uint8_t)(28 + data);
	ip[8] = 64;
	ip[9] = 1;
	copy(ip + 12, own, 4);
	copy(ip + 16, gateway, 4);
	checksum(ip, 20, 10);
	ip[20] = 8;
	ip[24] = 0x12;
	for (uint32_t i = 0; i < data; i++)
		ip[28 + i] = (uint8_t)(i * 7);
	checksum(ip + 20, 8 + data, 2);
	transmit(14 + 28 + data);
}

/* The next frame in which `byte` at `at` is `value`; requests for us are answered
 * meanwhile.
 */
static const uint8_t *hear(uint32_t at, uint8_t value, uint32_t *len)
{
	for (;;) {
		uint16_t head;
		uint8_t *f;

		*len = queue_wait(&q[0], &head) - HEADER;
		f = rooms[heads[head]] + HEADER;
		give_room(heads[head]);
		if (f[at] == value && f[12] == 8)
			return f;
		if (f[12] == 8 && f[13] == 6 && f[21] == 1 &&
		    equal(f + 38, own, 4))
			arp(2, f + 6);
	}
}

void guest_main(void)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	const uint8_t *f;
	uint32_t len, i, wrong = 0;

	check("found", virtio_find(&d, false, 1, 0), 1);
	check("accepted", virtio_start(&d, VIRTIO_F_VERSION_1 | F_MAC | F_STATUS |
				       VIRTIO_F_EVENT_IDX, q, 2,
				       has_arg("line") ? IRQ_LINE :
				       IRQ_MESSAGES), 1);
	for (i = 0; i < 6; i++)
		wrong += config(i) != mac[i];
	check("the MAC", wrong, 0);
	check("the link", config(6), 1);
	for (i = 0; i < ROOMS; i++)
		give_room(i);
	arp(1, all);
	f = hear(21, 2, &len);
	check("ARP is answered", equal(f + 28, gateway, 4), 1);
	check("to us", equal(f, mac, 6), 1);
	copy(gateway_mac, f + 6, 6);
	check("by who says so", equal(f + 22, gateway_mac, 6), 1);
	for (i = 0; i < 3; i++) {
		uint32_t data = i * 700 + 18;

		ping(data);
		f = hear(23, 1, &len);
		check("a pong", f[34], 0);
		check("as long", len, 42 + data);
		wrong = 0;
		for (uint32_t k = 0; k < data; k++)
			wrong += f[42 + k] != (uint8_t)(k * 7);
		check("and the same", wrong, 0);
	}
}
