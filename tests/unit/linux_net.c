/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_net.c - network set-ups of small guests: what is seen of them, and how the
 * names of their cards are kept.
 * time limit: 300 s
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/initramfs.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/linuxguest.h"

#define UUID GUEST_UUID
#define MAC GUEST_MAC

static struct err e;

/* An initramfs that renames cards, before systemd did that twice. */
static void test_old_names(void)
{
	static const struct guest_file old[] = {
		{ "lib/systemd/libsystemd-shared-252.so", NULL },
		{ "lib/systemd/libsystemd-shared-237.so", "x" }, { NULL, NULL } };
	struct linux_nic nic = { .old_mac = MAC };
	struct initramfs fs;
	struct edits *ed;
	struct guest g;
	char *data;
	size_t len;

	make_guest(old);
	put_initramfs("virtio");
	make_disk();
	open_guest(&g);
	CHECK(!g.g->kernels[0].needs_splice);
	plan_guest(&g, &nic, 1, false, &ed);
	check_file(ed, "/etc/systemd/network/10-ens192.link",
		   "Driver=virtio_net");
	CHECK_OK(edits_read(ed, "/boot/initrd.img-6.1.0", 1 << 20, &data, &len,
			    &e));
	CHECK_OK(initramfs_read(data, len, &fs, &e));
	CHECK(initramfs_find(&fs, "etc/systemd/network/10-ens192.link"));
	initramfs_fini(&fs);
	free(data);
	edits_free(ed);
	close_guest(&g);
}

struct net_case {
	struct guest_file files[3];
	struct linux_nic nics[2];
	bool old;			/* before systemd */
	const char *names[2];
	const char *codes;		/* of edits of interfaces */
	const char *path, *want;	/* in a file, after the plan */
	const char *address;		/* that is seen first; NULL: none */
	const char *gateway;		/* the same */
};

static const struct net_case net_cases[] = {
	{ .files = { { "etc/systemd/network/a.network", "[Match]\nName=ens33\n"
		       "[Network]\nAddress=192.0.2.7/24\nGateway=192.0.2.1\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "ens33" },
	  .codes = "interface-name", .path = "/etc/systemd/network/10-ens33.link",
	  .want = "Name=ens33", .address = "192.0.2.7/24" },
	/* A pattern takes any name. */
	{ .files = { { "etc/systemd/network/a.network", "[Match]\nName=en*\n"
		       "[Network]\nDHCP=yes\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "" }, .codes = "" },
	{ .files = { { "etc/NetworkManager/system-connections/a.nmconnection",
		       "[connection]\ntype=ethernet\ninterface-name=ens224\n"
		       "[ipv4]\nmethod=manual\n"
		       "address1=192.0.2.8/24,192.0.2.1\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "ens224" },
	  .codes = "interface-name",
	  .path = "/etc/systemd/network/10-ens224.link", .want = "Name=ens224",
	  .address = "192.0.2.8/24" },
	/* By VMware's slots, against the order of the names. */
	{ .files = { { "etc/netplan/1.yaml", "network:\n  version: 2\n"
		       "  ethernets:\n    ens160:\n      addresses: "
		       "[192.0.2.9/24, \"2001:db8::1/64\"]\n    ens192:\n"
		       "      dhcp4: true\n" } },
	  .nics = { { .old_mac = MAC, .pci_slot = 192 },
		    { .old_mac = "00:50:56:aa:bb:dd", .pci_slot = 160 } },
	  .names = { "ens192", "ens160" }, .codes = "interface-name",
	  .path = "/etc/systemd/network/10-ens160.link",
	  .want = "MACAddress=00:50:56:aa:bb:dd", .address = "192.0.2.9/24" },
	/* By the MAC in the configuration, which is a new one. */
	{ .files = { { "etc/netplan/1.yaml", "network:\n  ethernets:\n"
		       "    one:\n      match:\n        macaddress: "
		       "'00:50:56:AA:BB:CC'\n      set-name: lan0\n"
		       "      addresses:\n        - 192.0.2.9/24\n" } },
	  .nics = { { .old_mac = MAC, .new_mac = "52:54:00:00:00:01" } },
	  .names = { "lan0" }, .codes = "interface-mac interface-name",
	  .path = "/etc/netplan/1.yaml", .want = "'52:54:00:00:00:01'",
	  .address = "192.0.2.9/24" },
	/* The same in brackets, of which some go over lines. */
	{ .files = { { "etc/netplan/1.yaml", "network: {version: 2, ethernets: "
		       "{ens7: {addresses: [192.0.2.5/24, \"2001:db8::1/64\"], "
		       "nameservers: {addresses: [192.0.2.99]},\n # [ {\n"
		       "routes: [{to: 198.51.100.0/24, via: 192.0.2.98},\n"
		       "{via: 192.0.2.1, to: default}]}}}\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "ens7" },
	  .codes = "interface-name", .path = "/etc/systemd/network/10-ens7.link",
	  .want = "Name=ens7", .address = "192.0.2.5/24",
	  .gateway = "192.0.2.1" },
	{ .files = { { "etc/netplan/1.yaml", "network:\n  ethernets:\n    ens8:\n"
		       "      routes: [{to: default, via: 192.0.2.1}] # x\n"
		       "      match: {macaddress: " MAC ", name: x}\n"
		       "      set-name: ens8\n      addresses:\n"
		       "      - 192.0.2.6/24: {label: \"a:b\"}\n"
		       "      - 192.0.2.7/24\n" } },
	  .nics = { { .old_mac = MAC, .new_mac = "52:54:00:00:00:01" } },
	  .names = { "ens8" }, .codes = "interface-mac interface-name",
	  .path = "/etc/netplan/1.yaml",
	  .want = "{macaddress: 52:54:00:00:00:01, name: x}",
	  .address = "192.0.2.6/24", .gateway = "192.0.2.1" },
	/* The key is no name, and the card may have any. */
	{ .files = { { "etc/netplan/1.yaml", "network:\n  ethernets:\n    one:\n"
		       "      match: {}\n      match:\n        macaddress: " MAC "\n"
		       "      dhcp4: yes\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "" }, .codes = "" },
	/* A rule for a card that is gone. */
	{ .files = { { "etc/udev/rules.d/70-persistent-net.rules",
		       "SUBSYSTEM==\"net\", ATTR{address}==\"00:50:56:00:00:01\", "
		       "NAME=\"eth0\"\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "" }, .codes = "" },
	{ .files = { { "etc/sysconfig/network-scripts/ifcfg-eth0",
		       "DEVICE=eth0\nHWADDR=00:50:56:AA:BB:CC\nIPADDR=192.0.2.3\n"
		       "PREFIX=25\n" } }, .old = true,
	  .nics = { { .old_mac = MAC } }, .names = { "eth0" },
	  .codes = "interface-name",
	  .path = "/etc/udev/rules.d/70-persistent-net.rules",
	  .want = "ATTR{address}==\"" MAC "\"", .address = "192.0.2.3/25" },
	/* A rule that has the name already. */
	{ .files = { { "etc/udev/rules.d/70-persistent-net.rules",
		       "SUBSYSTEM==\"net\", ATTR{address}==\"" MAC "\", "
		       "NAME=\"eth5\"\n" } }, .old = true,
	  .nics = { { .old_mac = MAC } }, .names = { "eth5" }, .codes = "" },
};

static void test_network(void)
{
	static const struct guest_file none[] = {
		{ "etc/network/interfaces", NULL }, { NULL, NULL } };
	static const struct guest_file old[] = { { "lib/systemd", NULL },
		{ "sbin/udevd", "x" }, { NULL, NULL } };

	for (size_t i = 0; i < sizeof(net_cases) / sizeof(*net_cases); i++) {
		struct net_case c = net_cases[i];
		size_t n = *c.nics[1].old_mac ? 2 : 1;
		struct edits *ed;
		struct guest g;
		char *text;

		make_guest(none);
		put_files(c.files);
		if (c.old)
			put_files(old);
		make_disk();
		open_guest(&g);
		if (c.address)
			CHECK_STR(g.g->ifaces[0].addresses[0], c.address);
		if (c.gateway)
			CHECK_STR(g.g->ifaces[0].gateway, c.gateway);
		plan_guest(&g, c.nics, n, false, &ed);
		for (size_t k = 0; k < n; k++)
			CHECK_STR(c.nics[k].name, c.names[k]);
		text = edits_text(ed, &e);
		CHECK(!strstr(text, "interface-") == !*c.codes);
		free(text);
		if (c.path)
			check_file(ed, c.path, c.want);
		edits_free(ed);
		close_guest(&g);
	}
}

int main(void)
{
	if (!guest_tools()) {
		puts("SKIP: e2fsprogs or fdisk is not installed");
		return 77;
	}
	test_network();
	test_old_names();
	return 0;
}
