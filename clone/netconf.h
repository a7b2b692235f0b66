/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netconf.h - network configuration as text: other MACs, another static address.
 *
 * For ifupdown's interfaces(5), systemd.network(5), netplan(5), NetworkManager's
 * keyfiles and Red Hat's ifcfg files.  Only what has to change does; comments,
 * order and white space stay.  Any thread.
 */
#ifndef CLONE_NETCONF_H
#define CLONE_NETCONF_H

#include "clone/address.h"

struct netconf_mac {
	char from[18], to[18];		/* "52:54:00:12:34:56", lower case */
};

/* Replace MACs in place, wherever they stand: with colons or hyphens, in either
 * case, which both stay as they were.  How many.
 */
unsigned netconf_set_macs(char *text, size_t len, const struct netconf_mac *map,
			  size_t n);

/* Is there a MAC at `text`?  `out` gets it in lower case with colons. */
bool netconf_is_mac(const char *text, size_t len, char out[18]);

struct netconf_change {
	struct address from, to;	/* both with the length of their network */
	struct address old_gateway, gateway;
	bool set_gateway;
};

/* The text with the interface's address, and what hangs on it, changed; the caller
 * frees it.  `manager` is linux_iface's.  -ENOENT: the address is not in it, or the
 * gateway that is to change, or the length of the network stands nowhere.
 */
int netconf_set_address(const char *manager, const char *text,
			const struct netconf_change *c, char **out,
			struct err *e);

/* Replace the address alone, as in /etc/hosts; *out is NULL if it is not in it. */
int netconf_replace_address(const char *text, const struct address *from,
			    const struct address *to, char **out);

#endif
