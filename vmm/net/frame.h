/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - the few Ethernet frames that find out who has an address: ARP (RFC
 * 826), ICMP echo (RFC 792, 4443) and neighbour discovery (RFC 4861), decoded and
 * made.
 *
 * An address has 16 bytes; those of IPv4 are ::ffff:a.b.c.d.
 */
#ifndef VMM_NET_FRAME_H
#define VMM_NET_FRAME_H

#include "imgfmt/base/base.h"

#define NET_MAC		6u
#define NET_ADDR	16u
#define NET_FRAME_MAX	1514u	/* without the checksum at its end */

enum packet_kind {
	PACKET_ARP_REQUEST, PACKET_ARP_REPLY,
	PACKET_ECHO, PACKET_ECHO_REPLY,
	PACKET_SOLICIT, PACKET_ADVERTISE,	/* IPv6's ARP */
};

struct packet {
	enum packet_kind kind;
	uint8_t from[NET_MAC], to[NET_MAC];	/* of the frame */
	uint8_t source[NET_ADDR];	/* all zeroes: none yet */
	uint8_t dest[NET_ADDR];		/* not of ARP */
	uint8_t target[NET_ADDR];	/* not of echo: whom it is about; of
					 * PACKET_ARP_REPLY whom it is for */
	uint16_t id, seq;		/* echo */
	const uint8_t *data;		/* echo: in the frame */
	size_t len;
};

/* False: it is none of these, or broken. */
bool packet_parse(struct packet *p, const uint8_t *frame, size_t len);

/* The frame's length; 0: the data is too long. */
size_t packet_build(const struct packet *p, uint8_t frame[NET_FRAME_MAX]);

/* As people write it, and back; false: it is no address, or one that no host
 * has (a group's, loopback's, none).
 */
#define NET_ADDR_TEXT	46u
#define NET_MAC_TEXT	18u
bool addr_parse(const char *text, uint8_t addr[NET_ADDR]);
void addr_text(const uint8_t addr[NET_ADDR], char text[NET_ADDR_TEXT]);
void mac_text(const uint8_t mac[NET_MAC], char text[NET_MAC_TEXT]);

bool addr_is_v4(const uint8_t addr[NET_ADDR]);
bool addr_is_none(const uint8_t addr[NET_ADDR]);	/* of either */
bool addr_same(const uint8_t a[NET_ADDR], const uint8_t b[NET_ADDR]);
void addr_set_v4(uint8_t addr[NET_ADDR], uint32_t v4);
uint32_t addr_v4(const uint8_t addr[NET_ADDR]);

/* The group that hears a solicitation of `addr` (RFC 4291, 2.7.1), and the MAC of an
 * IPv6 group (RFC 2464, 7).
 */
void addr_group(const uint8_t addr[NET_ADDR], uint8_t group[NET_ADDR]);
void addr_group_mac(const uint8_t group[NET_ADDR], uint8_t mac[NET_MAC]);

/* The address that everybody has: fe80:: and the MAC (RFC 4291, appendix A). */
void addr_link_local(const uint8_t mac[NET_MAC], uint8_t addr[NET_ADDR]);

#endif
