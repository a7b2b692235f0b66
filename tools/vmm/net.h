/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.h - --net peer[,OPTION...] of vmm run and boot-test, and what became of it.
 *
 *	mac=MAC
 *	model=virtio
 *	bus=virtio-pci|virtio-mmio
 *	gw=ADDRESS		the peer's own
 *	ask=ADDRESS		up to 16 times
 */
#ifndef TOOLS_VMM_NET_H
#define TOOLS_VMM_NET_H

#include "imgfmt/base/json.h"
#include "tools/cli/cli.h"
#include "vmm/vmm.h"

/* Prints errors; CLI_DONE, or the exit status. */
int net_parse(struct cli *cli, const char *text, struct vm_net *net);

/* The same for one more of the VM_NET_MAX in `nets`. */
int net_parse_next(struct cli *cli, const char *text, struct vm_net *nets,
		   unsigned *n);

/* An object for each address of a card in `list`; without any, one for the card.
 * `interface` NULL: nobody looked; empty: its name was not seen.
 */
void net_put_json(json_t *list, const uint8_t mac[6], const char *interface,
		  bool driver, const struct vm_net_host *hosts, unsigned n);

#endif
