/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.c - the neighbour at a network card's cable, by the frames that it sends and
 * what it makes of others; and the card, driven as a guest drives it.
 */
#include <errno.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"
#include "vmm/net/peer.h"

#define MS 1000000ull

static const uint8_t guest_mac[NET_MAC] = { 0x52, 0x54, 0, 1, 2, 3 };
static struct peer peer;
static uint64_t now;
static unsigned told;

static const uint8_t *addr(const char *text)
{
	static uint8_t ring[8][NET_ADDR];
	static unsigned i;

	i = (i + 1) % 8;
	CHECK(addr_parse(text, ring[i]));
	return ring[i];
}

static void addresses(void)
{
	static const char *const bad[] = {
		"", "1.2.3", "1.2.3.4/24", "0.0.0.0", "127.0.0.1", "224.0.0.1",
		"255.255.255.255", "::", "::1", "ff02::1", "::ffff:1.2.3.4",
		"1.2.3.4 ", "fe80::1%eth0", "0.1.2.3",
	};
	char text[NET_ADDR_TEXT];
	uint8_t a[NET_ADDR];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!addr_parse(bad[i], a));
	addr_text(addr("192.0.2.10"), text);
	CHECK(!strcmp(text, "192.0.2.10"));
	addr_text(addr("2001:DB8:0::10"), text);
	CHECK(!strcmp(text, "2001:db8::10"));
	addr_link_local(guest_mac, a);
	CHECK(addr_same(a, addr("fe80::5054:ff:fe01:203")));
}

/* Every kind is read as it was made, and not when any bit that counts is changed. */
static void codec(void)
{
	struct packet p = { .id = 7, .seq = 9, .data = (const uint8_t *)"odd",
			    .len = 3 }, got;
	uint8_t frame[NET_FRAME_MAX];
	size_t len;

	memcpy(p.from, guest_mac, NET_MAC);
	memset(p.to, 0xff, NET_MAC);
	for (unsigned i = 0; i < 2 * 6; i++) {
		bool v6 = i >= 6;

		p.kind = (enum packet_kind)(i % 6);
		if (v6 ? p.kind <= PACKET_ARP_REPLY : p.kind >= PACKET_SOLICIT)
			continue;
		memcpy(p.source, addr(v6 ? "fe80::1" : "10.0.0.1"), NET_ADDR);
		memcpy(p.dest, addr(v6 ? "fe80::2" : "10.0.0.2"), NET_ADDR);
		memcpy(p.target, addr(v6 ? "fe80::3" : "10.0.0.3"), NET_ADDR);
		len = packet_build(&p, frame);
		CHECK(len >= 60 && packet_parse(&got, frame, len));
		CHECK_EQ(got.kind, p.kind);
		CHECK(addr_same(got.source, p.source));
		CHECK(!memcmp(got.from, p.from, NET_MAC) &&
		      !memcmp(got.to, p.to, NET_MAC));
		if (p.kind == PACKET_ECHO || p.kind == PACKET_ECHO_REPLY) {
			CHECK(addr_same(got.dest, p.dest));
			CHECK(got.id == 7 && got.seq == 9 && got.len == 3);
			CHECK(!memcmp(got.data, "odd", 3));
		} else {
			CHECK(addr_same(got.target, p.target));
		}
		for (size_t cut = 0; cut < 42; cut++)
			CHECK(!packet_parse(&got, frame, cut));
		if (p.kind <= PACKET_ARP_REPLY)
			continue;
		/* All of its checksums; a flow label is in none. */
		for (size_t at = v6 ? 20 : 14; at < (v6 ? 61u : 45u); at++) {
			if (v6 && at == 21 && p.kind <= PACKET_ECHO_REPLY)
				continue;	/* nor is the hop limit */
			frame[at] ^= 0x20;
			CHECK(!packet_parse(&got, frame, len));
			frame[at] ^= 0x20;
		}
	}
	p.kind = PACKET_ECHO;
	memcpy(p.source, addr("10.0.0.1"), NET_ADDR);
	p.data = frame;
	p.len = 1473;
	CHECK_EQ(packet_build(&p, frame), 0);
}

static void note(void *arg, const struct vm_net_host *host)
{
	(void)arg;
	CHECK(!addr_is_none(host->addr));
	told++;
}

static void open_peer(const char *gateway, const char *const *asks)
{
	struct vm_net net = { .have_gateway = gateway };

	if (gateway)
		memcpy(net.gateway, addr(gateway), NET_ADDR);
	for (; *asks; asks++)
		memcpy(net.asks[net.n_asks++], addr(*asks), NET_ADDR);
	peer_init(&peer, &net, guest_mac);
	peer.tell = note;
	now = 1000;
	told = 0;
	CHECK_EQ(peer_next(&peer), UINT64_MAX);
	peer_start(&peer, now);
}

/* The next thing that the peer sends within `ms`. */
static bool hear(struct packet *p, uint64_t ms)
{
	static struct peer_frame copy;
	const struct peer_frame *f;
	uint64_t end = now + ms * MS;

	while (!(f = peer_frame(&peer, now))) {
		if (peer_next(&peer) > end) {
			now = end;
			return false;
		}
		now = max_u64(now, peer_next(&peer));
		peer_run(&peer, now);
	}
	copy = *f;
	peer_frame_done(&peer);
	CHECK(packet_parse(p, copy.bytes, copy.len));
	CHECK(!memcmp(p->from, peer.mac, NET_MAC));
	return true;
}

static void say(struct packet *p)
{
	uint8_t frame[NET_FRAME_MAX];
	size_t len;

	if (bytes_are_zero(p->from, NET_MAC))
		memcpy(p->from, guest_mac, NET_MAC);
	len = packet_build(p, frame);
	CHECK(len);
	peer_take(&peer, now, frame, len);
}

static struct packet to_peer(enum packet_kind kind, const uint8_t *source,
			     const uint8_t *dest, const uint8_t *target)
{
	struct packet p = { .kind = kind };

	memcpy(p.to, peer.mac, NET_MAC);
	memcpy(p.source, source, NET_ADDR);
	if (dest)
		memcpy(p.dest, dest, NET_ADDR);
	if (target)
		memcpy(p.target, target, NET_ADDR);
	return p;
}

/* As Linux answers. */
static void answer(const struct packet *in)
{
	struct packet out;

	if (in->kind == PACKET_ARP_REQUEST)
		out = to_peer(PACKET_ARP_REPLY, in->target, NULL, in->source);
	else if (in->kind == PACKET_SOLICIT)
		out = to_peer(PACKET_ADVERTISE, in->target, in->source,
			      in->target);
	else
		out = to_peer(PACKET_ECHO_REPLY, in->dest, in->source, NULL);
	out.id = in->id;
	out.seq = in->seq;
	out.data = in->data;
	out.len = in->len;
	say(&out);
}

static void asks_v4(void)
{
	const struct vm_net_host *h = &peer.hosts[0].known;
	const char *asks[] = { "192.0.2.10", NULL };
	struct packet p;

	open_peer(NULL, asks);
	/* Once a second, from nobody, until somebody answers. */
	for (unsigned i = 0; i < 5; i++) {
		CHECK(hear(&p, i ? 1001 : 101));
		CHECK_EQ(p.kind, PACKET_ARP_REQUEST);
		CHECK(addr_is_none(p.source) && p.to[0] == 0xff);
		CHECK(addr_same(p.target, addr(asks[0])));
	}
	CHECK(!h->answered && !told);
	answer(&p);
	CHECK(h->answered && !h->echoed && told == 1 && h->at_ns == now);
	CHECK(!memcmp(h->by, guest_mac, NET_MAC));
	/* The echo, from a neighbour; one that is not heard comes again. */
	CHECK(hear(&p, 1));
	CHECK_EQ(p.kind, PACKET_ECHO);
	CHECK(addr_same(p.source, addr("192.0.2.9")));
	CHECK(hear(&p, 300) && p.kind == PACKET_ARP_REQUEST);
	CHECK(hear(&p, 1) && p.kind == PACKET_ECHO);
	p.seq--;
	answer(&p);
	CHECK(!h->echoed);	/* that was the one before */
	p.seq++;
	answer(&p);
	CHECK(h->echoed);
	/* From then on seldom, to hear that it is still there. */
	CHECK(hear(&p, 1001) && p.kind == PACKET_ARP_REQUEST);
	told = 0;
	answer(&p);
	CHECK(told == 1);
	CHECK(hear(&p, 1) && p.kind == PACKET_ECHO);
	CHECK(!hear(&p, 4000));
	CHECK(hear(&p, 1000));

	/* The guest asks for us, and pings; somebody else's it gets no answer. */
	p = to_peer(PACKET_ARP_REQUEST, addr("192.0.2.10"), NULL,
		    addr("192.0.2.9"));
	say(&p);
	while (hear(&p, 1) && p.kind != PACKET_ARP_REPLY)
		;
	CHECK(p.kind == PACKET_ARP_REPLY && addr_same(p.source, addr("192.0.2.9")));
	p = to_peer(PACKET_ECHO, addr("192.0.2.10"), addr("192.0.2.9"), NULL);
	p.data = guest_mac;
	p.len = NET_MAC;
	say(&p);
	CHECK(hear(&p, 1) && p.kind == PACKET_ECHO_REPLY && p.len == NET_MAC);
	p = to_peer(PACKET_ARP_REQUEST, addr("192.0.2.10"), NULL,
		    addr("192.0.2.1"));
	say(&p);
	CHECK(!hear(&p, 10));
	peer_stop(&peer);
	CHECK_EQ(peer_next(&peer), UINT64_MAX);
	CHECK(h->echoed);
	peer_start(&peer, now);
	CHECK(!h->answered && !h->echoed && h->asked);
}

/* A guest that has the neighbour's address as well. */
static void conflict(void)
{
	const char *asks[] = { "192.0.2.10", "192.0.2.9", "192.0.2.5", NULL };
	static const uint8_t none[NET_ADDR] = { [10] = 0xff, [11] = 0xff };
	struct packet p;

	open_peer(NULL, asks);
	p = to_peer(PACKET_ARP_REQUEST, none, NULL, addr("192.0.2.13"));
	say(&p);
	CHECK_EQ(peer.n_hosts, 4);
	while (!peer.hosts[0].known.answered) {
		CHECK(hear(&p, 1000));
		if (addr_same(p.target, addr("192.0.2.10")))
			answer(&p);
	}
	while (p.kind != PACKET_ECHO)
		CHECK(hear(&p, 1000));
	CHECK(addr_same(p.source, addr("192.0.2.14")));
	/* The guest takes that one, too. */
	p = to_peer(PACKET_ARP_REQUEST, none, NULL, addr("192.0.2.14"));
	say(&p);
	do {
		CHECK(hear(&p, 1000) && p.kind != PACKET_ARP_REPLY);
	} while (p.kind != PACKET_ECHO);
	CHECK(addr_same(p.source, addr("192.0.2.1")));
}

static void gateway(void)
{
	const char *asks[] = { "10.1.2.3", NULL };
	static const uint8_t none[NET_ADDR] = { [10] = 0xff, [11] = 0xff };
	struct packet p;

	open_peer("10.9.9.9", asks);
	CHECK(hear(&p, 200) && addr_same(p.source, addr("10.9.9.9")));
	answer(&p);
	CHECK(hear(&p, 1) && p.kind == PACKET_ECHO);
	CHECK(addr_same(p.source, addr("10.9.9.9")));
	/* It defends that address. */
	p = to_peer(PACKET_ARP_REQUEST, none, NULL, addr("10.9.9.9"));
	say(&p);
	CHECK(hear(&p, 1) && p.kind == PACKET_ARP_REPLY);
}

static void asks_v6(void)
{
	const struct vm_net_host *h = &peer.hosts[0].known;
	static const uint8_t none[NET_ADDR];
	const char *asks[] = { "2001:db8::12:3456", NULL };
	struct packet p;

	open_peer(NULL, asks);
	/* The guest makes sure that nobody has it. */
	p = to_peer(PACKET_SOLICIT, none, addr("2001:db8::12:3456"),
		    addr("2001:db8::12:3456"));
	say(&p);
	CHECK(h->learnt && !h->answered);
	CHECK(hear(&p, 200) && p.kind == PACKET_SOLICIT);
	CHECK(!memcmp(p.to, "\x33\x33\xff\x12\x34\x56", NET_MAC));
	CHECK(p.dest[0] == 0xff && p.source[0] == 0xfe);
	answer(&p);
	CHECK(hear(&p, 1) && p.kind == PACKET_ECHO);
	answer(&p);
	CHECK(h->answered && h->echoed);
	p = to_peer(PACKET_SOLICIT, h->addr, p.source, p.source);
	say(&p);
	CHECK(hear(&p, 1) && p.kind == PACKET_ADVERTISE);
}

/* More than it takes, of frames and of addresses; frames of a group's; others'. */
static void flood(void)
{
	const char *asks[] = { "192.0.2.10", NULL };
	struct packet p;
	unsigned n = 0;

	open_peer("192.0.2.1", asks);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t a[NET_ADDR];

		addr_set_v4(a, 0x0a000001 + i);
		p = to_peer(PACKET_ARP_REQUEST, a, NULL, addr("192.0.2.1"));
		say(&p);
	}
	CHECK_EQ(peer.n_hosts, VM_NET_HOSTS);
	CHECK_EQ(peer.n_frames, PEER_FRAMES);
	while (hear(&p, 1))
		n++;
	CHECK_EQ(n, PEER_FRAMES);
	p = to_peer(PACKET_ARP_REPLY, addr("192.0.2.10"), NULL,
		    addr("192.0.2.1"));
	p.from[0] = 1;
	say(&p);
	CHECK(!peer.hosts[0].known.answered);
	p.from[0] = 2;
	p.to[5] ^= 1;
	say(&p);
	CHECK(!peer.hosts[0].known.answered);
}

/* The card. */

static struct vm *vm;
static struct vdev drv;

static void offer_rooms(unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		struct vbuf buf = { VRING_DATA + i * 2048, len, true };

		CHECK(vring_add(&drv, 0, &buf, 1) >= 0);
	}
	vring_kick(&drv, 0);
}

static void transmit(struct packet *p, uint32_t header)
{
	uint64_t at = VRING_DATA + 0x100000;
	uint8_t *mem = mem_ptr(vm, at, 4096, MEM_READ | MEM_WRITE);
	struct vbuf buf = { at, 0, false };
	uint32_t len;

	memset(mem, 0, 4096);
	buf.len = header + (uint32_t)packet_build(p, mem + header);
	CHECK(vring_add(&drv, 1, &buf, 1) >= 0);
	vring_kick(&drv, 1);
	CHECK(vring_poll(&drv, 1, &len) >= 0);
	CHECK_EQ(len, 0);
}

static void card(enum vm_bus bus)
{
	struct vm_net net = { .bus = bus, .n_asks = 1 };
	struct vm_net_host hosts[VM_NET_HOSTS];
	struct vm_net_info info;
	struct packet p, out;
	struct err e;
	uint32_t len;
	uint8_t *rx;

	vm = fakevm_pc(64u << 20, 1);
	memcpy(net.mac, guest_mac, NET_MAC);
	memcpy(net.asks[0], addr("192.0.2.10"), NET_ADDR);
	CHECK_OK(vm_add_net(vm, &net, &e));
	net.mac[0] = 1;
	CHECK_EQ(vm_add_net(vm, &net, &e), -EINVAL);
	CHECK(!vm_net_info(vm, 1, &info));
	for (struct device *dev = vm->devices; dev; dev = dev->next) {
		if (dev->ops->reset)
			dev->ops->reset(dev);
		if (dev->ops->resume)
			dev->ops->resume(dev);
	}
	vdev_open(&drv, vm, bus, 0, 0xe0000000);
	CHECK_EQ(vdev_features(&drv) & 0xffffff, 1u << 3 | 1u << 5 | 1u << 16);
	for (unsigned i = 0; i < NET_MAC; i++)
		CHECK_EQ(vdev_config(&drv, i, 1), guest_mac[i]);
	CHECK_EQ(vdev_config(&drv, 6, 2), 1);
	CHECK_EQ(vdev_config(&drv, 10, 2), 1500);
	vdev_config_write(&drv, 0, 1, 0x66);
	CHECK_EQ(vdev_config(&drv, 0, 1), guest_mac[0]);
	fakevm_pass(vm, 5000 * MS);

	/* Without room in the guest frames are lost, and with too little. */
	vdev_start(&drv, 1u << 5, 2, 16);
	fakevm_pass(vm, 150 * MS);
	CHECK(vm_net_info(vm, 0, &info));
	CHECK(info.driver && info.received == 0 && info.dropped == 1);
	offer_rooms(1, 40);
	fakevm_pass(vm, 1000 * MS);
	CHECK_EQ(vring_poll(&drv, 0, &len), -1);
	vdev_start(&drv, 1u << 5, 2, 16);
	offer_rooms(4, 1526);
	fakevm_pass(vm, 150 * MS);
	CHECK(vring_poll(&drv, 0, &len) >= 0);
	rx = mem_ptr(vm, VRING_DATA, 2048, MEM_READ | MEM_WRITE);
	CHECK_EQ(len, 12 + 60);
	CHECK(bytes_are_zero(rx, 10) && get_le16(rx + 10) == 1);
	CHECK(packet_parse(&p, rx + 12, len - 12));
	CHECK_EQ(p.kind, PACKET_ARP_REQUEST);

	out = (struct packet){ .kind = PACKET_ARP_REPLY };
	memcpy(out.from, guest_mac, NET_MAC);
	memcpy(out.to, p.from, NET_MAC);
	memcpy(out.source, p.target, NET_ADDR);
	memcpy(out.target, p.source, NET_ADDR);
	transmit(&out, 11);	/* not a frame: one byte is lost */
	CHECK_EQ(vm_net_hosts(vm, 0, hosts), 1);
	CHECK(!hosts[0].answered);
	transmit(&out, 12);
	CHECK_EQ(vm_net_hosts(vm, 0, hosts), 1);
	CHECK(hosts[0].answered && !memcmp(hosts[0].by, guest_mac, NET_MAC));
	fakevm_pass(vm, MS);
	CHECK(vring_poll(&drv, 0, &len) >= 0);
	CHECK(packet_parse(&p, rx + 2048 + 12, len - 12));
	CHECK_EQ(p.kind, PACKET_ECHO);
	/* What was known stays known when the driver goes, and nothing comes. */
	vdev_reset(&drv);
	fakevm_pass(vm, 5000 * MS);
	CHECK_EQ(vm_net_hosts(vm, 0, hosts), 1);
	CHECK(hosts[0].answered);
	CHECK_EQ(vm_net_hosts(vm, 1, hosts), 0);
	vm_free(vm);
}

int main(void)
{
	addresses();
	codec();
	asks_v4();
	conflict();
	gateway();
	asks_v6();
	flood();
	card(VM_BUS_MMIO);
	card(VM_BUS_PCI);
	return 0;
}
