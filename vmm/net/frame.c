/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - ARP, ICMP echo and neighbour discovery in Ethernet frames.
 *
 * Ethernet	0	6	to		6	6	from
 *		12	2	type
 * ARP		14	2	1: Ethernet	16	2	0x0800: IPv4
 *		18	1	6		19	1	4
 *		20	2	1 request, 2 reply
 *		22	6	sender's MAC	28	4	its address
 *		32	6	target's MAC	38	4	its address
 * IPv4		14	1	0x40 + words of its header
 *		16	2	length with it	20	2	flags, fragment offset
 *		22	1	time to live	23	1	protocol
 *		24	2	checksum	26	4	source	30	4	destination
 * IPv6		14	1	0x60		18	2	length of what follows
 *		20	1	next header	21	1	hop limit
 *		22	16	source		38	16	destination
 * ICMP, both	0	1	type		1	1	code	2	2	checksum
 *		4	2	identifier	6	2	sequence number
 * ND		8	16	target		24	2	option: type, length / 8
 *		26	6	MAC
 */
#include "vmm/net/frame.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "imgfmt/base/bytes.h"

#define ETHERNET	14u
#define TYPE_IPV4	0x0800u
#define TYPE_ARP	0x0806u
#define TYPE_IPV6	0x86ddu
#define ARP_LEN		28u
#define IPV4_LEN	20u
#define IPV6_LEN	40u
#define ICMP_LEN	8u
#define ND_LEN		24u
#define ND_OPTION	8u
#define FRAME_MIN	60u

#define PROTO_ICMP	1u
#define PROTO_ICMPV6	58u

#define ECHO4		8u
#define ECHO4_REPLY	0u
#define ECHO6		128u
#define ECHO6_REPLY	129u
#define SOLICIT		135u
#define ADVERTISE	136u
#define ND_HOP_LIMIT	255u
#define ND_ANSWERS	0x60000000u	/* solicited, override */

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool addr_is_v4(const uint8_t addr[NET_ADDR])
{
	return !memcmp(addr, v4_prefix, sizeof(v4_prefix));
}

void addr_set_v4(uint8_t addr[NET_ADDR], uint32_t v4)
{
	memcpy(addr, v4_prefix, sizeof(v4_prefix));
	put_be32(addr + 12, v4);
}

uint32_t addr_v4(const uint8_t addr[NET_ADDR])
{
	return get_be32(addr + 12);
}

bool addr_is_none(const uint8_t addr[NET_ADDR])
{
	static const uint8_t none[NET_ADDR];

	return !memcmp(addr, none, NET_ADDR) ||
		(addr_is_v4(addr) && !addr_v4(addr));
}

bool addr_same(const uint8_t a[NET_ADDR], const uint8_t b[NET_ADDR])
{
	return !memcmp(a, b, NET_ADDR);
}

void addr_group(const uint8_t addr[NET_ADDR], uint8_t group[NET_ADDR])
{
	static const uint8_t prefix[13] = {
		0xff, 0x02, [11] = 0x01, [12] = 0xff,
	};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + 13, addr + 13, 3);
}

void addr_group_mac(const uint8_t group[NET_ADDR], uint8_t mac[NET_MAC])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}

void addr_link_local(const uint8_t mac[NET_MAC], uint8_t addr[NET_ADDR])
{
	memset(addr, 0, NET_ADDR);
	put_be16(addr, 0xfe80);
	memcpy(addr + 8, mac, 3);
	addr[8] ^= 2;
	put_be16(addr + 11, 0xfffe);
	memcpy(addr + 13, mac + 3, 3);
}

static bool is_host(const uint8_t addr[NET_ADDR])
{
	if (addr_is_none(addr) || addr_same(addr, in6addr_loopback.s6_addr))
		return false;
	if (!addr_is_v4(addr))
		return addr[0] != 0xff;
	return addr[12] && addr[12] != 127 && addr[12] < 224;
}

bool addr_parse(const char *text, uint8_t addr[NET_ADDR])
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		addr_set_v4(addr, ntohl(v4.s_addr));
	else if (inet_pton(AF_INET6, text, addr) != 1 || addr_is_v4(addr))
		return false;
	return is_host(addr);
}

void addr_text(const uint8_t addr[NET_ADDR], char text[NET_ADDR_TEXT])
{
	bool v4 = addr_is_v4(addr);

	inet_ntop(v4 ? AF_INET : AF_INET6, addr + (v4 ? 12 : 0), text,
		  NET_ADDR_TEXT);
}

void mac_text(const uint8_t mac[NET_MAC], char text[NET_MAC_TEXT])
{
	snprintf(text, NET_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* The Internet checksum (RFC 1071); `len` below 64 KiB. */
static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		s += get_be16(p);
	return len ? s + ((uint32_t)*p << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* Over `ip`'s pseudo header (RFC 8200, 8.1) and the message behind it. */
static uint16_t icmp6_sum(const uint8_t *ip, size_t len)
{
	uint32_t s = sum(PROTO_ICMPV6 + (uint32_t)len, ip + 8, 32);

	return fold(sum(s, ip + IPV6_LEN, len));
}

/* What comes in. */

static bool parse_arp(struct packet *p, const uint8_t *arp, size_t len)
{
	unsigned op;

	if (len < ARP_LEN || get_be16(arp) != 1 ||
	    get_be16(arp + 2) != TYPE_IPV4 || arp[4] != NET_MAC || arp[5] != 4)
		return false;
	op = get_be16(arp + 6);
	p->kind = op == 1 ? PACKET_ARP_REQUEST : PACKET_ARP_REPLY;
	addr_set_v4(p->source, get_be32(arp + 14));
	addr_set_v4(p->target, get_be32(arp + 24));
	return op == 1 || op == 2;
}

static bool parse_echo(struct packet *p, const uint8_t *icmp, size_t len,
		       unsigned request, unsigned reply)
{
	if (len < ICMP_LEN || icmp[1] ||
	    (icmp[0] != request && icmp[0] != reply))
		return false;
	p->kind = icmp[0] == request ? PACKET_ECHO : PACKET_ECHO_REPLY;
	p->id = get_be16(icmp + 4);
	p->seq = get_be16(icmp + 6);
	p->data = icmp + ICMP_LEN;
	p->len = len - ICMP_LEN;
	return true;
}

static bool parse_ipv4(struct packet *p, const uint8_t *ip, size_t len)
{
	size_t header, total;

	if (len < IPV4_LEN || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15u) * 4;
	total = get_be16(ip + 2);
	/* No fragments: neither "more" nor an offset. */
	if (header < IPV4_LEN || total < header || total > len ||
	    get_be16(ip + 6) & 0x3fff || ip[9] != PROTO_ICMP ||
	    fold(sum(0, ip, header)) ||
	    fold(sum(0, ip + header, total - header)))
		return false;
	addr_set_v4(p->source, get_be32(ip + 12));
	addr_set_v4(p->dest, get_be32(ip + 16));
	return parse_echo(p, ip + header, total - header, ECHO4, ECHO4_REPLY);
}

static bool parse_nd(struct packet *p, const uint8_t *ip, size_t len)
{
	const uint8_t *nd = ip + IPV6_LEN;

	if (len < ND_LEN || nd[1] || ip[7] != ND_HOP_LIMIT)
		return false;
	p->kind = nd[0] == SOLICIT ? PACKET_SOLICIT : PACKET_ADVERTISE;
	memcpy(p->target, nd + 8, NET_ADDR);
	return true;
}

static bool parse_ipv6(struct packet *p, const uint8_t *ip, size_t len)
{
	const uint8_t *icmp = ip + IPV6_LEN;
	size_t payload;

	if (len < IPV6_LEN || ip[0] >> 4 != 6)
		return false;
	payload = get_be16(ip + 4);
	if (payload > len - IPV6_LEN || payload < ICMP_LEN ||
	    ip[6] != PROTO_ICMPV6 || icmp6_sum(ip, payload))
		return false;
	memcpy(p->source, ip + 8, NET_ADDR);
	memcpy(p->dest, ip + 24, NET_ADDR);
	/* On the wire that form is nobody's (RFC 4942, 2.2). */
	if (addr_is_v4(p->source) || addr_is_v4(p->dest))
		return false;
	if (icmp[0] == SOLICIT || icmp[0] == ADVERTISE)
		return parse_nd(p, ip, payload) && !addr_is_v4(p->target);
	return parse_echo(p, icmp, payload, ECHO6, ECHO6_REPLY);
}

bool packet_parse(struct packet *p, const uint8_t *frame, size_t len)
{
	*p = (struct packet){ .len = 0 };
	if (len < ETHERNET || len > NET_FRAME_MAX)
		return false;
	memcpy(p->to, frame, NET_MAC);
	memcpy(p->from, frame + NET_MAC, NET_MAC);
	switch (get_be16(frame + 12)) {
	case TYPE_ARP:
		return parse_arp(p, frame + ETHERNET, len - ETHERNET);
	case TYPE_IPV4:
		return parse_ipv4(p, frame + ETHERNET, len - ETHERNET);
	case TYPE_IPV6:
		return parse_ipv6(p, frame + ETHERNET, len - ETHERNET);
	default:
		return false;
	}
}

/* What goes out; the frame is all zeroes before. */

static size_t build_arp(const struct packet *p, uint8_t *arp)
{
	bool reply = p->kind == PACKET_ARP_REPLY;

	put_be16(arp, 1);
	put_be16(arp + 2, TYPE_IPV4);
	arp[4] = NET_MAC;
	arp[5] = 4;
	put_be16(arp + 6, reply ? 2 : 1);
	memcpy(arp + 8, p->from, NET_MAC);
	put_be32(arp + 14, addr_v4(p->source));
	if (reply)
		memcpy(arp + 18, p->to, NET_MAC);
	put_be32(arp + 24, addr_v4(p->target));
	return ARP_LEN;
}

static size_t build_echo(const struct packet *p, uint8_t *icmp,
			 unsigned request, unsigned reply)
{
	icmp[0] = (uint8_t)(p->kind == PACKET_ECHO ? request : reply);
	put_be16(icmp + 4, p->id);
	put_be16(icmp + 6, p->seq);
	if (p->len)
		memcpy(icmp + ICMP_LEN, p->data, p->len);
	return ICMP_LEN + p->len;
}

static size_t build_ipv4(const struct packet *p, uint8_t *ip)
{
	size_t len = build_echo(p, ip + IPV4_LEN, ECHO4, ECHO4_REPLY);

	put_be16(ip + IPV4_LEN + 2, fold(sum(0, ip + IPV4_LEN, len)));
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(IPV4_LEN + len));
	ip[8] = 64;
	ip[9] = PROTO_ICMP;
	put_be32(ip + 12, addr_v4(p->source));
	put_be32(ip + 16, addr_v4(p->dest));
	put_be16(ip + 10, fold(sum(0, ip, IPV4_LEN)));
	return IPV4_LEN + len;
}

static size_t build_nd(const struct packet *p, uint8_t *nd)
{
	bool answer = p->kind == PACKET_ADVERTISE;

	nd[0] = answer ? ADVERTISE : SOLICIT;
	put_be32(nd + 4, answer ? ND_ANSWERS : 0);
	memcpy(nd + 8, p->target, NET_ADDR);
	nd[24] = answer ? 2 : 1;	/* whose MAC: target's, source's */
	nd[25] = ND_OPTION / 8;
	memcpy(nd + 26, p->from, NET_MAC);
	return ND_LEN + ND_OPTION;
}

static size_t build_ipv6(const struct packet *p, uint8_t *ip)
{
	bool echo = p->kind == PACKET_ECHO || p->kind == PACKET_ECHO_REPLY;
	uint8_t *icmp = ip + IPV6_LEN;
	size_t len = echo ? build_echo(p, icmp, ECHO6, ECHO6_REPLY) :
			    build_nd(p, icmp);

	ip[0] = 0x60;
	put_be16(ip + 4, (uint16_t)len);
	ip[6] = PROTO_ICMPV6;
	ip[7] = ND_HOP_LIMIT;
	memcpy(ip + 8, p->source, NET_ADDR);
	memcpy(ip + 24, p->dest, NET_ADDR);
	put_be16(icmp + 2, icmp6_sum(ip, len));
	return IPV6_LEN + len;
}

size_t packet_build(const struct packet *p, uint8_t frame[NET_FRAME_MAX])
{
	size_t ip = addr_is_v4(p->source) ? IPV4_LEN : IPV6_LEN, len;
	uint8_t *body = frame + ETHERNET;
	unsigned type;

	memset(frame, 0, NET_FRAME_MAX);
	if (p->len > NET_FRAME_MAX - ETHERNET - ip - ICMP_LEN)
		return 0;
	if (p->kind == PACKET_ARP_REQUEST || p->kind == PACKET_ARP_REPLY) {
		type = TYPE_ARP;
		len = build_arp(p, body);
	} else if (ip == IPV4_LEN) {
		type = TYPE_IPV4;
		len = build_ipv4(p, body);
	} else {
		type = TYPE_IPV6;
		len = build_ipv6(p, body);
	}
	memcpy(frame, p->to, NET_MAC);
	memcpy(frame + NET_MAC, p->from, NET_MAC);
	put_be16(frame + 12, (uint16_t)type);
	return max_u64(ETHERNET + len, FRAME_MIN);
}
