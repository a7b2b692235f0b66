/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_netconf.c - MACs and static addresses change in each manager's files. */
#include <errno.h>

#include "clone/netconf.h"
#include "tests/check.h"

static struct address parse(const char *text)
{
	struct address a;

	CHECK_EQ(address_parse(text, strlen(text), &a), 0);
	return a;
}

static void addresses(void)
{
	static const char *const bad[] = {
		"", "192.0.2", "192.0.2.256", "192.0.2.1/33", "192.0.2.1/",
		"192.0.2.1/x", "1:2", "::1/129", "192.0.2.1 ", "192.0.2.1/024x",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
	};
	static const struct {
		const char *from;
		unsigned n;
		const char *to;		/* NULL: out of range */
	} sums[] = {
		{ "192.0.2.10/24", 0, "192.0.2.10" },
		{ "192.0.2.10/24", 100, "192.0.2.110" },
		{ "192.0.2.10/24", 244, "192.0.2.254" },
		{ "192.0.2.10/24", 245, NULL },		/* broadcast */
		{ "192.0.2.10/24", 246, NULL },
		{ "192.0.2.0/24", 0, NULL },
		{ "192.0.2.0/31", 1, "192.0.2.1" },
		{ "192.0.2.1/32", 0, "192.0.2.1" },
		{ "192.0.2.1/32", 1, NULL },
		{ "10.0.0.255/8", 1, "10.0.1.0" },
		{ "255.255.255.254", 2, NULL },
		{ "2001:db8::ffff/64", 1, "2001:db8::1:0" },
		{ "2001:db8::ffff:ffff:ffff:ffff/64", 1, NULL },
		{ "2001:db8::/64", 0, NULL },
	};
	struct address a;
	char text[ADDRESS_TEXT_LEN];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(address_parse(bad[i], strlen(bad[i]), &a), -EINVAL);
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		struct address from = parse(sums[i].from);

		CHECK_EQ(address_add(&from, sums[i].n, &a),
			 sums[i].to ? 0 : -ERANGE);
		if (sums[i].to)
			CHECK_STR(address_text(&a, text), sums[i].to);
	}
	CHECK_STR(address_netmask(20, text), "255.255.240.0");
	CHECK_STR(address_netmask(0, text), "0.0.0.0");
	CHECK_STR(address_netmask(32, text), "255.255.255.255");
}

static void wishes(void)
{
	static const char *const bad[] = {
		"", ",", "192.0.2.1,", "192.0.2.1,gw", "192.0.2.1,gw=x",
		"192.0.2.1,gw=::1", "192.0.2.1,gw=192.0.2.2/24",
		"192.0.2.1,if=", "192.0.2.1,if=morethanfifteenbytes",
		"192.0.2.1,dns=192.0.2.2",
	};
	struct err e = { "" };
	struct address_wish w;
	char text[ADDRESS_TEXT_LEN];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(address_wish_parse(bad[i], &w, &e), -EINVAL);
	CHECK_OK(address_wish_parse("192.0.2.1/25,gw=192.0.2.126,if=ens192",
				    &w, &e));
	CHECK_EQ(w.address.len, 25);
	CHECK(w.has_gateway);
	CHECK_STR(address_text(&w.gateway, text), "192.0.2.126");
	CHECK_STR(w.interface, "ens192");
}

static void macs(void)
{
	static const struct netconf_mac map[] = {
		{ "00:50:56:aa:bb:01", "52:54:00:00:00:0a" },
		{ "00:50:56:aa:bb:02", "52:54:00:ff:ee:0b" },
	};
	char text[] =
		"ATTR{address}==\"00:50:56:aa:bb:01\", NAME=\"eth0\"\n"
		"HWADDR=00:50:56:AA:BB:02\n"
		"mac 00-50-56-aa-bb-02;other 00:50:56:aa:bb:03\n"
		"duid 00:01:00:01:00:50:56:aa:bb:01\n"
		"longer 00:50:56:aa:bb:01:02 x00:50:56:aa:bb:01\n"
		"end 00:50:56:aa:bb:01";
	static const char want[] =
		"ATTR{address}==\"52:54:00:00:00:0a\", NAME=\"eth0\"\n"
		"HWADDR=52:54:00:FF:EE:0B\n"
		"mac 52-54-00-ff-ee-0b;other 00:50:56:aa:bb:03\n"
		"duid 00:01:00:01:00:50:56:aa:bb:01\n"
		"longer 00:50:56:aa:bb:01:02 x00:50:56:aa:bb:01\n"
		"end 52:54:00:00:00:0a";

	CHECK_EQ(netconf_set_macs(text, strlen(text), map, 2), 4);
	CHECK_STR(text, want);
	CHECK_EQ(netconf_set_macs(text, 3, map, 2), 0);
}

static const struct {
	const char *manager, *from, *to, *old_gw, *gw, *text, *want;
} files[] = {
	{ "ifupdown", "192.0.2.10/24", "192.0.2.20/24", NULL, NULL,
	  "auto ens192\n"
	  "iface ens192 inet static\n"
	  "\taddress 192.0.2.10/24 # 192.0.2.100 stays\n"
	  "\tgateway 192.0.2.1\n\tbroadcast 192.0.2.255\n",
	  "auto ens192\n"
	  "iface ens192 inet static\n"
	  "\taddress 192.0.2.20/24 # 192.0.2.100 stays\n"
	  "\tgateway 192.0.2.1\n\tbroadcast 192.0.2.255\n" },
	{ "ifupdown", "192.0.2.10/24", "198.51.100.9/26", "192.0.2.1",
	  "198.51.100.1",
	  "iface eth1 inet static\n\tnetmask 255.255.0.0\n"
	  "iface eth0 inet static\n"
	  "  netmask 255.255.255.0\n  address 192.0.2.10\n"
	  "  network 192.0.2.0\n  broadcast 192.0.2.255\n"
	  "  gateway 192.0.2.1\n  dns-nameservers 192.0.2.1\n"
	  "auto eth2\niface eth2 inet static\n\tnetmask 24\n",
	  "iface eth1 inet static\n\tnetmask 255.255.0.0\n"
	  "iface eth0 inet static\n"
	  "  netmask 255.255.255.192\n  address 198.51.100.9\n"
	  "  gateway 198.51.100.1\n  dns-nameservers 192.0.2.1\n"
	  "auto eth2\niface eth2 inet static\n\tnetmask 24\n" },
	{ "ifupdown", "2001:db8::10/64", "2001:db8::20/64", NULL, NULL,
	  "iface eth0 inet6 static\n address 2001:DB8:0::10\n netmask 64\n",
	  "iface eth0 inet6 static\n address 2001:db8::20\n netmask 64\n" },
	{ "networkd", "192.0.2.10/24", "198.51.100.9/25", "192.0.2.1",
	  "198.51.100.1",
	  "[Match]\nName=ens192\n[Network]\nAddress=192.0.2.10/24\n"
	  "DNS=192.0.2.1\n[Route]\nGateway=192.0.2.1\n",
	  "[Match]\nName=ens192\n[Network]\nAddress=198.51.100.9/25\n"
	  "DNS=192.0.2.1\n[Route]\nGateway=198.51.100.1\n" },
	{ "netplan", "192.0.2.10/24", "192.0.2.11/24", "192.0.2.1",
	  "192.0.2.2",
	  "network:\n  ethernets:\n    ens192:\n"
	  "      addresses: [\"192.0.2.10/24\", 2001:db8::1/64]\n"
	  "      routes: [{to: default, via: 192.0.2.1}]\n"
	  "      gateway4: 192.0.2.1\n"
	  "      nameservers:\n        addresses: [192.0.2.1]\n",
	  "network:\n  ethernets:\n    ens192:\n"
	  "      addresses: [\"192.0.2.11/24\", 2001:db8::1/64]\n"
	  "      routes: [{to: default, via: 192.0.2.2}]\n"
	  "      gateway4: 192.0.2.2\n"
	  "      nameservers:\n        addresses: [192.0.2.1]\n" },
	{ "netplan", "192.0.2.10/24", "192.0.2.11/16", NULL, NULL,
	  "      addresses:\n      - 192.0.2.10/24\n",
	  "      addresses:\n      - 192.0.2.11/16\n" },
	{ "NetworkManager", "192.0.2.10/24", "192.0.2.11/24", "192.0.2.1",
	  "192.0.2.2",
	  "[ipv4]\naddress1=192.0.2.10/24,192.0.2.1\ndns=192.0.2.1;\n"
	  "method=manual\n",
	  "[ipv4]\naddress1=192.0.2.11/24,192.0.2.2\ndns=192.0.2.1;\n"
	  "method=manual\n" },
	{ "NetworkManager", "192.0.2.10/24", "192.0.2.11/24", "192.0.2.1",
	  "192.0.2.2",
	  "addresses=192.0.2.10/24;\ngateway=192.0.2.1\n",
	  "addresses=192.0.2.11/24;\ngateway=192.0.2.2\n" },
	{ "ifcfg", "192.0.2.10/24", "198.51.100.9/25", "192.0.2.1",
	  "198.51.100.1",
	  "DEVICE=ens192\nIPADDR=\"192.0.2.10\"\nPREFIX=24\n"
	  "NETMASK=255.255.255.0\nBROADCAST=192.0.2.255\n"
	  "GATEWAY=192.0.2.1\nDNS1=192.0.2.1\n",
	  "DEVICE=ens192\nIPADDR=\"198.51.100.9\"\nPREFIX=25\n"
	  "NETMASK=255.255.255.128\n"
	  "GATEWAY=198.51.100.1\nDNS1=192.0.2.1\n" },
	/* Not there, or not all of it: NULL. */
	{ "networkd", "192.0.2.10/24", "192.0.2.11/24", NULL, NULL,
	  "Address=192.0.2.101/24\nAddress=1192.0.2.10/24\n"
	  "# a192.0.2.10 192.0.2.10.5\n", NULL },
	{ "networkd", "192.0.2.10/24", "192.0.2.11/24", "192.0.2.1",
	  "192.0.2.2", "Address=192.0.2.10/24\nDNS=192.0.2.1\n", NULL },
	{ "ifupdown", "192.0.2.10/24", "192.0.2.11/25", NULL, NULL,
	  "iface x inet static\naddress 192.0.2.10\n", NULL },
	{ "networkd", "192.0.2.10/24", "192.0.2.11/24", NULL, NULL, "", NULL },
};

static void static_addresses(void)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct netconf_change c = {
			.from = parse(files[i].from), .to = parse(files[i].to),
			.set_gateway = files[i].gw,
		};
		struct err e = { "" };
		char *out = NULL;
		int rc;

		if (files[i].gw) {
			c.old_gateway = parse(files[i].old_gw);
			c.gateway = parse(files[i].gw);
		}
		rc = netconf_set_address(files[i].manager, files[i].text, &c,
					 &out, &e);
		if (!files[i].want) {
			CHECK_EQ(rc, -ENOENT);
			CHECK(*e.text);
			continue;
		}
		CHECK_OK(rc);
		CHECK_STR(out, files[i].want);
		free(out);
	}
}

static void hosts(void)
{
	struct address from = parse("192.0.2.10"), to = parse("192.0.2.11");
	char *out;

	CHECK_EQ(netconf_replace_address("127.0.0.1 localhost\n192.0.2.10\tweb\n",
					 &from, &to, &out), 0);
	CHECK_STR(out, "127.0.0.1 localhost\n192.0.2.11\tweb\n");
	free(out);
	CHECK_EQ(netconf_replace_address("192.0.2.100 web", &from, &to, &out),
		 0);
	CHECK(!out);
}

int main(void)
{
	addresses();
	wishes();
	macs();
	static_addresses();
	hosts();
	return 0;
}
