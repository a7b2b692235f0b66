/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - the neighbour at the other end of the cable.  See peer.h. */
#include "vmm/net/peer.h"

#include <string.h>

#define US		1000ull
#define MS		1000000ull

/* A frame's way, and the least time between two: a gigabit's. */
#define LATENCY_NS	(50 * US)
#define GAP_NS		(12 * US)

/* When to ask: after the driver has started the card; until somebody answers; until
 * the echo comes; and to confirm it.  Hosts follow each other.
 */
#define FIRST_NS	(100 * MS)
#define STAGGER_NS	(10 * MS)
#define AGAIN_NS	(1000 * MS)
#define ECHO_NS		(200 * MS)
#define CONFIRM_NS	(5000 * MS)

#define ECHO_ID		0x7665u

static const uint8_t everybody[NET_MAC] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* Frames for the guest. */

static void send(struct peer *p, uint64_t now, struct packet *out)
{
	unsigned last = (p->head + p->n_frames - 1) % PEER_FRAMES;
	struct peer_frame *f = &p->frames[(p->head + p->n_frames) %
					  PEER_FRAMES];
	size_t len;

	if (p->n_frames == PEER_FRAMES) {
		p->dropped++;
		return;
	}
	memcpy(out->from, p->mac, NET_MAC);
	len = packet_build(out, f->bytes);
	if (!len)
		return;
	f->when = now + LATENCY_NS;
	if (p->n_frames)
		f->when = max_u64(f->when, p->frames[last].when + GAP_NS);
	f->len = (uint16_t)len;
	p->n_frames++;
}

const struct peer_frame *peer_frame(const struct peer *p, uint64_t now)
{
	const struct peer_frame *f = &p->frames[p->head];

	return p->n_frames && f->when <= now ? f : NULL;
}

void peer_frame_done(struct peer *p)
{
	p->head = (p->head + 1) % PEER_FRAMES;
	p->n_frames--;
}

/* Hosts. */

static struct peer_host *find(struct peer *p, const uint8_t addr[NET_ADDR])
{
	for (unsigned i = 0; i < p->n_hosts; i++)
		if (addr_same(p->hosts[i].known.addr, addr))
			return &p->hosts[i];
	return NULL;
}

static bool is_known(const struct peer *p, uint32_t v4)
{
	uint8_t addr[NET_ADDR];

	addr_set_v4(addr, v4);
	return find((struct peer *)p, addr);
}

/* A neighbour of this IPv4 address that the guest does not have: first in its block
 * of four, then in the blocks beside that.  Neither first nor last of a block, which
 * a network may not give to a host.
 */
static uint32_t neighbour(const struct peer *p, uint32_t v4)
{
	for (uint32_t i = 0; i < VM_NET_HOSTS; i++) {
		uint32_t block = (v4 ^ i << 2) & ~3u;

		if (!is_known(p, block | 1))
			return block | 1;
		if (!is_known(p, block | 2))
			return block | 2;
	}
	return 0;
}

/* The address that we ask this host from. */
static void own_for(const struct peer *p, const uint8_t host[NET_ADDR],
		    uint8_t own[NET_ADDR])
{
	if (!addr_is_v4(host))
		addr_link_local(p->mac, own);
	else if (p->have_gateway)
		memcpy(own, p->gateway, NET_ADDR);
	else
		addr_set_v4(own, neighbour(p, addr_v4(host)));
}

static bool is_own(const struct peer *p, const uint8_t addr[NET_ADDR])
{
	uint8_t own[NET_ADDR];

	addr_link_local(p->mac, own);
	if (addr_same(addr, own) ||
	    (p->have_gateway && addr_same(addr, p->gateway)))
		return true;
	for (unsigned i = 0; i < p->n_asks; i++) {
		own_for(p, p->hosts[i].known.addr, own);
		if (addr_same(addr, own))
			return true;
	}
	return false;
}

static void tell(struct peer *p, const struct peer_host *h)
{
	if (p->tell)
		p->tell(p->arg, &h->known);
}

/* The guest shows that this address is its own. */
static void learn(struct peer *p, const uint8_t addr[NET_ADDR])
{
	struct peer_host *h = find(p, addr);

	if (addr_is_none(addr) || addr[0] == 0xff || (h && h->known.learnt))
		return;
	if (!h) {
		if (p->n_hosts == VM_NET_HOSTS)
			return;
		h = &p->hosts[p->n_hosts++];
		*h = (struct peer_host){ .next = UINT64_MAX };
		memcpy(h->known.addr, addr, NET_ADDR);
	}
	h->known.learnt = true;
	tell(p, h);
}

/* Asking. */

static void ask_who(struct peer *p, uint64_t now, const struct peer_host *h)
{
	struct packet out = { .kind = PACKET_ARP_REQUEST };
	uint8_t own[NET_ADDR];

	memcpy(out.target, h->known.addr, NET_ADDR);
	if (addr_is_v4(h->known.addr)) {
		/* Only a gateway's address is known to be nobody else's: the
		 * others ask as probes do (RFC 5227).
		 */
		own_for(p, h->known.addr, own);
		addr_set_v4(out.source, p->have_gateway ? addr_v4(own) : 0);
		memcpy(out.to, everybody, NET_MAC);
	} else {
		out.kind = PACKET_SOLICIT;
		addr_link_local(p->mac, out.source);
		addr_group(h->known.addr, out.dest);
		addr_group_mac(out.dest, out.to);
	}
	send(p, now, &out);
}

static void ask_echo(struct peer *p, uint64_t now, struct peer_host *h)
{
	static const uint8_t data[] = "do you hear me?";
	struct packet out = {
		.kind = PACKET_ECHO, .id = ECHO_ID, .seq = ++h->seq,
		.data = data, .len = sizeof(data) - 1,
	};

	memcpy(out.to, h->known.by, NET_MAC);
	own_for(p, h->known.addr, out.source);
	memcpy(out.dest, h->known.addr, NET_ADDR);
	send(p, now, &out);
}

static void ask(struct peer *p, uint64_t now, struct peer_host *h)
{
	h->next = now + AGAIN_NS;
	ask_who(p, now, h);
	if (h->known.answered)
		ask_echo(p, now, h);
	if (h->known.echoed)
		h->next = now + CONFIRM_NS;
}

uint64_t peer_next(const struct peer *p)
{
	uint64_t next = UINT64_MAX;

	if (!p->running)
		return next;
	if (p->n_frames)
		next = p->frames[p->head].when;
	for (unsigned i = 0; i < p->n_asks; i++)
		next = min_u64(next, p->hosts[i].next);
	return next;
}

void peer_run(struct peer *p, uint64_t now)
{
	for (unsigned i = 0; i < p->n_asks && p->running; i++) {
		struct peer_host *h = &p->hosts[i];

		if (h->next > now)
			continue;
		/* The guest takes nothing: it will hear of it later. */
		if (p->n_frames + 2 > PEER_FRAMES)
			h->next = now + AGAIN_NS;
		else
			ask(p, now, h);
	}
}

/* Answers. */

static void answered(struct peer *p, uint64_t now, const struct packet *in,
		     const uint8_t addr[NET_ADDR])
{
	struct peer_host *h = find(p, addr);

	if (!h || !h->known.asked)
		return;
	if (!h->known.answered) {
		h->known.answered = true;
		h->known.at_ns = now;
		memcpy(h->known.by, in->from, NET_MAC);
		h->next = now + ECHO_NS;
		ask_echo(p, now, h);
	}
	tell(p, h);
}

static void echoed(struct peer *p, const struct packet *in)
{
	struct peer_host *h = find(p, in->source);

	if (!h || !h->known.answered || in->id != ECHO_ID ||
	    in->seq != h->seq || memcmp(in->from, h->known.by, NET_MAC))
		return;
	h->known.echoed = true;
	tell(p, h);
}

/* For us? */
static bool ours(const struct peer *p, const struct packet *in)
{
	return !memcmp(in->to, p->mac, NET_MAC);
}

static void take_arp(struct peer *p, uint64_t now, const struct packet *in)
{
	struct packet out = { .kind = PACKET_ARP_REPLY };

	/* Who probes an address is about to use it, unless it is our gateway's. */
	if (!addr_is_none(in->source))
		learn(p, in->source);
	else if (!p->have_gateway || !addr_same(in->target, p->gateway))
		learn(p, in->target);
	if (!is_own(p, in->target) || addr_same(in->source, in->target))
		return;
	memcpy(out.to, in->from, NET_MAC);
	memcpy(out.source, in->target, NET_ADDR);
	memcpy(out.target, in->source, NET_ADDR);
	send(p, now, &out);
}

static void take_solicit(struct peer *p, uint64_t now, const struct packet *in)
{
	struct packet out = { .kind = PACKET_ADVERTISE };

	learn(p, addr_is_none(in->source) ? in->target : in->source);
	if (!is_own(p, in->target) || addr_is_none(in->source))
		return;
	memcpy(out.to, in->from, NET_MAC);
	memcpy(out.source, in->target, NET_ADDR);
	memcpy(out.dest, in->source, NET_ADDR);
	memcpy(out.target, in->target, NET_ADDR);
	send(p, now, &out);
}

static void take_echo(struct peer *p, uint64_t now, const struct packet *in)
{
	struct packet out = *in;

	if (!ours(p, in) || !is_own(p, in->dest))
		return;
	learn(p, in->source);
	out.kind = PACKET_ECHO_REPLY;
	memcpy(out.to, in->from, NET_MAC);
	memcpy(out.source, in->dest, NET_ADDR);
	memcpy(out.dest, in->source, NET_ADDR);
	send(p, now, &out);
}

void peer_take(struct peer *p, uint64_t now, const uint8_t *frame, size_t len)
{
	struct packet in;

	/* A group sends nothing. */
	if (!p->running || !packet_parse(&in, frame, len) || in.from[0] & 1)
		return;
	switch (in.kind) {
	case PACKET_ARP_REQUEST:
		take_arp(p, now, &in);
		break;
	case PACKET_ARP_REPLY:
		if (ours(p, &in))
			answered(p, now, &in, in.source);
		break;
	case PACKET_SOLICIT:
		take_solicit(p, now, &in);
		break;
	case PACKET_ADVERTISE:
		learn(p, in.target);
		if (ours(p, &in))
			answered(p, now, &in, in.target);
		break;
	case PACKET_ECHO:
		take_echo(p, now, &in);
		break;
	case PACKET_ECHO_REPLY:
		if (ours(p, &in))
			echoed(p, &in);
		break;
	}
}

/* Making, starting, ending. */

static void forget(struct peer *p)
{
	p->n_hosts = p->n_asks;
	for (unsigned i = 0; i < VM_NET_HOSTS; i++) {
		struct peer_host *h = &p->hosts[i];
		uint8_t addr[NET_ADDR];

		memcpy(addr, h->known.addr, NET_ADDR);
		*h = (struct peer_host){ .next = UINT64_MAX };
		h->known.asked = i < p->n_asks;
		if (h->known.asked)
			memcpy(h->known.addr, addr, NET_ADDR);
	}
}

void peer_init(struct peer *p, const struct vm_net *net,
	       const uint8_t guest_mac[NET_MAC])
{
	memset(p, 0, sizeof(*p));
	/* Another one than the guest's, of those that nobody else has. */
	memcpy(p->mac, guest_mac, NET_MAC);
	p->mac[0] = (uint8_t)((p->mac[0] | 2) & ~1u);
	p->mac[5] ^= 0x80;
	p->have_gateway = net->have_gateway;
	memcpy(p->gateway, net->gateway, NET_ADDR);
	p->n_hosts = p->n_asks = net->n_asks;
	for (unsigned i = 0; i < p->n_asks; i++)
		memcpy(p->hosts[i].known.addr, net->asks[i], NET_ADDR);
	forget(p);
}

void peer_stop(struct peer *p)
{
	p->running = false;
	p->head = p->n_frames = 0;
}

void peer_start(struct peer *p, uint64_t now)
{
	forget(p);
	p->running = true;
	for (unsigned i = 0; i < p->n_asks; i++)
		p->hosts[i].next = now + FIRST_NS + i * STAGGER_NS;
}
