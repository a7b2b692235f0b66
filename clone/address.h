/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.h - IP addresses that count up, one a clone.  Any thread. */
#ifndef CLONE_ADDRESS_H
#define CLONE_ADDRESS_H

#include "imgfmt/base/base.h"

#define ADDRESS_TEXT_LEN 46u	/* with the NUL */
#define ADDRESS_NO_LEN UINT32_MAX

struct address {
	bool v6;
	uint8_t raw[16];	/* IPv4: the first four */
	unsigned len;		/* of the network's prefix, bits;
				 * ADDRESS_NO_LEN: not said */
};

/* "192.0.2.10", "192.0.2.10/24", "2001:db8::1/64".  -EINVAL; no sentence. */
int address_parse(const char *text, size_t len, struct address *out);
/* Without its length. */
const char *address_text(const struct address *a, char out[ADDRESS_TEXT_LEN]);
bool address_equal(const struct address *a, const struct address *b);
bool address_same_network(const struct address *a, const struct address *b,
			  unsigned len);
/* "255.255.255.0" */
const char *address_netmask(unsigned len, char out[ADDRESS_TEXT_LEN]);

/* The address `n` further on.  -ERANGE, no sentence: it is not one that a machine
 * of the network may have: beyond its end, or the network itself or all of it.
 */
int address_add(const struct address *a, unsigned n, struct address *out);

/* --static-ip's "ADDR[/LEN][,gw=ADDR][,if=NAME]". */
struct address_wish {
	struct address address, gateway;
	bool has_gateway;
	char interface[16];	/* "": the first that has such an address */
};
int address_wish_parse(const char *text, struct address_wish *out,
		       struct err *e);

#endif
