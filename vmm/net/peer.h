/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.h - who is at the other end of a network card's cable: a neighbour of our own,
 * without any network of the host's.
 *
 * It asks for the addresses that it was given, again and again, and notes who
 * answers: by ARP and ICMP echo, or by neighbour discovery and ICMPv6 echo.  It
 * answers ARP, neighbour discovery and echo for its own addresses: the gateway's, or
 * a neighbour of each address that it asks for, and its link-local one.  It notes
 * the addresses that the guest shows to be its own.
 *
 * An answer to ARP says that the guest has the address; Linux gives it at any of its
 * cards.  An echo goes through routing and comes back at the right one.
 *
 * The guest is hostile: memory is what struct peer has, and what the guest asks for
 * beyond PEER_FRAMES answers under way is dropped.  It knows neither machine nor
 * clock; the caller locks.
 */
#ifndef VMM_NET_PEER_H
#define VMM_NET_PEER_H

#include "vmm/net/frame.h"
#include "vmm/vmm.h"

#define PEER_FRAMES	8u

struct state_table;

struct peer_host {
	struct vm_net_host known;
	uint64_t next;			/* ns: when to ask again */
	uint16_t seq;
};

struct peer_frame {
	uint64_t when;			/* ns: when it is there */
	uint16_t len;
	uint8_t bytes[NET_FRAME_MAX];
};

struct peer {
	uint8_t mac[NET_MAC];
	bool have_gateway;
	uint8_t gateway[NET_ADDR];
	bool running;
	unsigned n_hosts, n_asks;	/* asks come first */
	struct peer_host hosts[VM_NET_HOSTS];
	unsigned head, n_frames;	/* a ring, in order of `when` */
	struct peer_frame frames[PEER_FRAMES];
	uint64_t dropped;

	/* What is known of a host has grown or was confirmed. */
	void (*tell)(void *arg, const struct vm_net_host *host);
	void *arg;
};

extern const struct state_table peer_state;

/* tell and arg are the caller's to set. */
void peer_init(struct peer *p, const struct vm_net *net,
	       const uint8_t guest_mac[NET_MAC]);

/* The cable is plugged in: what was known is forgotten; and pulled. */
void peer_start(struct peer *p, uint64_t now);
void peer_stop(struct peer *p);

/* The guest has sent a frame. */
void peer_take(struct peer *p, uint64_t now, const uint8_t *frame, size_t len);

/* When is there something to do?  UINT64_MAX: never.  Then: */
uint64_t peer_next(const struct peer *p);
void peer_run(struct peer *p, uint64_t now);

/* The first frame for the guest that is there by `now`, or NULL; and it is done
 * with.
 */
const struct peer_frame *peer_frame(const struct peer *p, uint64_t now);
void peer_frame_done(struct peer *p);

#endif
