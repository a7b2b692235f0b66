/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - which addresses answered at which network card, and what the kernel
 * calls it.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/boottest/verdict.h"
#include "vmm/net/frame.h"
#include "vmm/vm.h"

/* Who answers ARP has so long for the echo. */
#define ECHO_WAIT	1000000000ull

void boot_network_begin(struct boot_test *bt)
{
	for (unsigned i = 0; i < bt->config.n_nets; i++)
		vm_net_info(bt->vm, i, &bt->cards[i]);
}

static struct vm_net_host *find(struct boot_card *card,
				const uint8_t addr[NET_ADDR])
{
	for (unsigned i = 0; i < card->n; i++)
		if (addr_same(card->hosts[i].addr, addr))
			return &card->hosts[i];
	return NULL;
}

void boot_network(struct boot_test *bt, unsigned i,
		  const struct vm_net_host *host)
{
	struct boot_card *card = &bt->now.cards[i];
	struct vm_net_host *h;
	bool before;

	if (i >= bt->config.n_nets)
		return;
	if (!host) {
		card->driver = true;
		return;
	}
	h = find(card, host->addr);
	before = h && h->answered;
	if (!h && card->n < VM_NET_HOSTS)
		h = &card->hosts[card->n++];
	if (!h)
		return;
	if (host->answered && !before)
		h->at_ns = vm_now(bt->vm);
	*h = (struct vm_net_host){ .at_ns = h->at_ns };
	memcpy(h->addr, host->addr, sizeof(h->addr));
	memcpy(h->by, host->by, sizeof(h->by));
	h->asked = host->asked;
	h->learnt = host->learnt;
	h->answered = host->answered;
	h->echoed = host->echoed;
}

/* An initramfs may have had a network of its own. */
void boot_network_root(struct boot_test *bt)
{
	for (unsigned i = 0; i < bt->config.n_nets; i++)
		bt->now.cards[i].n = 0;
}

/* "virtio_net virtio2 enp0s4: renamed from eth0" */
void boot_network_line(struct boot_test *bt, const char *text)
{
	const char *at = strstr(text, "virtio_net virtio");
	char name[BOOT_INTERFACE_MAX];
	unsigned number;
	int end = 0;

	if (!at || sscanf(at, "virtio_net virtio%3u %15[^ :]: renamed from%n",
			  &number, name, &end) != 2 || !end)
		return;
	for (unsigned i = 0; i < bt->config.n_nets; i++)
		if (bt->cards[i].number == number)
			memcpy(bt->now.cards[i].interface, name, sizeof(name));
}

static bool there(const struct boot_test *bt, const struct boot_card *card,
		  const uint8_t addr[NET_ADDR], bool over)
{
	const struct vm_net_host *h = find((struct boot_card *)card, addr);

	if (!h || !h->answered)
		return false;
	if (h->echoed)
		return true;
	/* Linux has its IPv6 addresses at their own cards alone. */
	return (bt->config.n_nets == 1 || !addr_is_v4(addr)) &&
		(over || vm_now(bt->vm) - h->at_ns >= ECHO_WAIT);
}

/* The first address that is not there; NULL: there is none. */
static const uint8_t *lacks(const struct boot_test *bt, bool over,
			    unsigned *card)
{
	for (unsigned i = 0; i < bt->config.n_nets; i++) {
		const struct vm_net *net = &bt->config.nets[i];

		for (unsigned k = 0; k < net->n_asks; k++) {
			*card = i;
			if (!there(bt, &bt->now.cards[i], net->asks[k], over))
				return net->asks[k];
		}
	}
	return NULL;
}

bool boot_network_ready(const struct boot_test *bt, bool over)
{
	unsigned card;

	return !lacks(bt, over, &card);
}

void boot_network_silent(const struct boot_test *bt, char text[BOOT_LINE_MAX])
{
	char addr[NET_ADDR_TEXT], mac[NET_MAC_TEXT];
	unsigned i = 0;
	const uint8_t *lack = lacks(bt, true, &i);

	if (!lack) {
		*text = 0;
		return;
	}
	addr_text(lack, addr);
	mac_text(bt->cards[i].mac, mac);
	snprintf(text, BOOT_LINE_MAX, "%s at the card %s%s%s%s", addr, mac,
		 *bt->now.cards[i].interface ? ", which the guest calls " : "",
		 bt->now.cards[i].interface, bt->now.cards[i].driver ? "" :
		 ", which no driver has taken");
}

/* All that was asked for, also of what nothing was heard. */
static void list(const struct vm_net *net, const struct boot_card *seen,
		 struct boot_card *out)
{
	for (unsigned k = 0; k < net->n_asks; k++) {
		struct vm_net_host *h = &out->hosts[out->n++];
		const struct vm_net_host *s = find((struct boot_card *)seen,
						   net->asks[k]);

		if (s) {
			*h = *s;
		} else {
			memcpy(h->addr, net->asks[k], sizeof(h->addr));
			h->asked = true;
		}
	}
	for (unsigned k = 0; k < seen->n && out->n < VM_NET_HOSTS; k++)
		if (!find(out, seen->hosts[k].addr))
			out->hosts[out->n++] = seen->hosts[k];
}

void boot_network_judge(const struct boot_test *bt, struct boot_verdict *v)
{
	v->n_cards = bt->config.n_nets;
	for (unsigned i = 0; i < v->n_cards; i++) {
		struct boot_card *c = &v->cards[i];

		memcpy(c->mac, bt->cards[i].mac, sizeof(c->mac));
		memcpy(c->interface, bt->now.cards[i].interface,
		       sizeof(c->interface));
		c->driver = bt->now.cards[i].driver;
		list(&bt->config.nets[i], &bt->now.cards[i], c);
	}
}
