/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.c - --net peer[,OPTION...] of vmm run and boot-test. */
#include "tools/vmm/net.h"

#include <stdio.h>
#include <string.h>

#include "tools/cli/json.h"
#include "tools/cli/options.h"
#include "tools/vmm/vmm.h"
#include "vmm/net/frame.h"

static int parse_mac(struct cli *cli, const char *text, struct vm_net *net)
{
	unsigned b[NET_MAC];
	int end = 0;

	if (strlen(text) != NET_MAC_TEXT - 1 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2],
		   &b[3], &b[4], &b[5], &end) != NET_MAC || text[end] || !end)
		return cli_bad(cli, "--net: mac is '%s', must be as in "
			       "52:54:00:12:34:56", text);
	for (unsigned i = 0; i < NET_MAC; i++)
		net->mac[i] = (uint8_t)b[i];
	if (net->mac[0] & 1 || !memcmp(net->mac, "\0\0\0\0\0\0", NET_MAC))
		return cli_bad(cli, "--net: mac is '%s', which is no single "
			       "card's: its first byte must be even, and not "
			       "all may be 0", text);
	return CLI_DONE;
}

static int parse_ask(struct cli *cli, const char *text, struct vm_net *net)
{
	if (net->n_asks == VM_NET_ASKS)
		return cli_bad(cli, "--net: ask= is possible %u times",
			       VM_NET_ASKS);
	if (!addr_parse(text, net->asks[net->n_asks]))
		return cli_bad(cli, "--net: ask is '%s', must be an IPv4 or "
			       "IPv6 address of a host, without /", text);
	for (unsigned i = 0; i < net->n_asks; i++)
		if (addr_same(net->asks[i], net->asks[net->n_asks]))
			return cli_bad(cli, "--net: ask=%s is given twice",
				       text);
	net->n_asks++;
	return CLI_DONE;
}

static int parse_gateway(struct cli *cli, const char *text, struct vm_net *net)
{
	if (!addr_parse(text, net->gateway) || !addr_is_v4(net->gateway))
		return cli_bad(cli, "--net: gw is '%s', must be an IPv4 "
			       "address of a host, without /", text);
	net->have_gateway = true;
	return CLI_DONE;
}

static int parse_bus(struct cli *cli, const char *text, struct vm_net *net)
{
	if (strcmp(text, "virtio-pci") && strcmp(text, "virtio-mmio"))
		return cli_bad(cli, "--net: bus is '%s', must be virtio-pci or "
			       "virtio-mmio", text);
	net->bus = strcmp(text, "virtio-mmio") ? VM_BUS_PCI : VM_BUS_MMIO;
	return CLI_DONE;
}

static int take(struct cli *cli, const struct img_kv *kv, struct vm_net *net)
{
	if (!strcmp(kv->key, "mac"))
		return parse_mac(cli, kv->value, net);
	if (!strcmp(kv->key, "ask"))
		return parse_ask(cli, kv->value, net);
	if (!strcmp(kv->key, "gw"))
		return parse_gateway(cli, kv->value, net);
	if (!strcmp(kv->key, "bus"))
		return parse_bus(cli, kv->value, net);
	if (strcmp(kv->key, "model"))
		return cli_bad(cli, "--net: no option '%s'; they are mac=, "
			       "model=, bus=, gw= and ask=", kv->key);
	if (strcmp(kv->value, "virtio"))
		return cli_bad(cli, "--net: model is '%s', must be virtio",
			       kv->value);
	return CLI_DONE;
}

static int check(struct cli *cli, const struct vm_net *net)
{
	for (unsigned i = 0; net->have_gateway && i < net->n_asks; i++)
		if (addr_same(net->gateway, net->asks[i]))
			return cli_bad(cli, "--net: gw and ask are the same "
				       "address: the gateway is not the guest");
	return CLI_DONE;
}

int net_parse(struct cli *cli, const char *text, struct vm_net *net)
{
	size_t len = strcspn(text, ",");
	struct options o = { 0 };
	struct err e = { "" };
	int rc = CLI_DONE;

	*net = (struct vm_net){ .bus = VM_BUS_PCI };
	if (len != strlen("peer") || strncmp(text, "peer", len))
		return cli_bad(cli, "--net is '%s', must be peer, and then its "
			       "options", text);
	text += len;
	if (*text && options_parse(&o, text + 1, &e))
		rc = cli_bad(cli, "--net: %s", e.text);
	for (size_t i = 0; rc == CLI_DONE && i < o.n; i++)
		rc = take(cli, &o.kv[i], net);
	options_fini(&o);
	return rc == CLI_DONE ? check(cli, net) : rc;
}

int net_parse_next(struct cli *cli, const char *text, struct vm_net *nets,
		   unsigned *n)
{
	if (*n == VM_NET_MAX)
		return cli_bad(cli, "--net is possible %u times", VM_NET_MAX);
	return net_parse(cli, text, &nets[(*n)++]);
}

static json_t *card_json(const uint8_t mac[6], const char *interface,
			 bool driver)
{
	json_t *o = json_object();
	char text[NET_MAC_TEXT];

	mac_text(mac, text);
	json_put_string(o, "mac", text);
	if (interface && *interface)
		json_put_string(o, "interface", interface);
	else if (interface)
		json_object_set_new(o, "interface", json_null());
	json_put_bool(o, "driver-bound", driver);
	return o;
}

static void put_host(json_t *o, const struct vm_net_host *h)
{
	char addr[NET_ADDR_TEXT], by[NET_MAC_TEXT];

	addr_text(h->addr, addr);
	json_put_string(o, "address", addr);
	json_put_bool(o, "asked", h->asked);
	json_put_bool(o, "answered", h->answered);
	json_put_bool(o, "echo", h->echoed);
	json_put_bool(o, "learnt", h->learnt);
	if (!h->answered)
		return;
	mac_text(h->by, by);
	json_put_string(o, "by", by);
	json_put_size(o, "guest-ns", h->at_ns);
}

void net_put_json(json_t *list, const uint8_t mac[6], const char *interface,
		  bool driver, const struct vm_net_host *hosts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		json_t *o = card_json(mac, interface, driver);

		put_host(o, &hosts[i]);
		json_array_append_new(list, o);
	}
	if (!n)
		json_array_append_new(list, card_json(mac, interface, driver));
}
