/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_netfiles.c - interfaces of NetworkManager (nm-settings-keyfile(5)) and of
 * ifcfg files (Red Hat's and SUSE's).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"

/* "192.0.2.10/24,192.0.2.1": an address and perhaps its gateway. */
static void nm_address(struct linux_guest *g, struct linux_iface *i, char *value)
{
	char *gateway = value, *address = strsep(&gateway, ",");

	linux_iface_address(g, i, address, NULL);
	if (gateway && *gateway && !*i->gateway)
		i->gateway = linux_keep(g, gateway);
}

static bool nm_is_address(const char *line)
{
	return !strncmp(line, "address", 7) && strspn(line + 7, "0123456789") &&
		strchr(line, '=');
}

static void nm_line(struct linux_guest *g, struct linux_iface *i,
		    const char *section, char *line, bool *ethernet)
{
	char *value, *word;

	if (!strcmp(section, "connection")) {
		if ((value = text_value(line, "interface-name")))
			i->name = linux_keep(g, value);
		else if ((value = text_value(line, "type")))
			*ethernet = !strcmp(value, "ethernet") ||
				!strcmp(value, "802-3-ethernet");
	} else if (!strcmp(section, "ethernet") ||
		   !strcmp(section, "802-3-ethernet")) {
		if ((value = text_value(line, "mac-address")))
			linux_mac(i->mac, value);
	} else if (!strcmp(section, "ipv4") || !strcmp(section, "ipv6")) {
		if (nm_is_address(line)) {
			nm_address(g, i, strchr(line, '=') + 1);
		} else if ((value = text_value(line, "addresses"))) {
			while ((word = strsep(&value, ";")))
				linux_iface_address(g, i, word, NULL);
		} else if ((value = text_value(line, "gateway"))) {
			if (!*i->gateway)
				i->gateway = linux_keep(g, value);
		} else if ((value = text_value(line, "method"))) {
			i->dhcp |= !strcmp(value, "auto") &&
				!strcmp(section, "ipv4");
		}
	}
}

static int nm_file(struct linux_guest *g, const char *path, struct err *e)
{
	char *text, *rest, *line, section[32] = "";
	struct linux_iface *i;
	bool ethernet = false;
	int rc = linux_text(g, path, &text, e);

	if (rc || !text)
		return rc;
	i = linux_iface(g, "NetworkManager", "", path);
	rest = text;
	while (i && (line = text_line(&rest))) {
		if (*line == '[')
			snprintf(section, sizeof(section), "%.*s",
				 (int)strcspn(line + 1, "]"), line + 1);
		else
			nm_line(g, i, section, line, &ethernet);
	}
	free(text);
	/* Bridges, wireless and the like have no card of ours. */
	if (i && !ethernet) {
		free(i->addresses);
		g->n_ifaces--;
	}
	return 0;
}

static int ifcfg_file(struct linux_guest *g, const char *path, const char *name,
		      struct err *e)
{
	char *text, *rest, *line, *value, address[64] = "", netmask[64] = "";
	struct linux_iface *i;
	int rc = linux_text(g, path, &text, e);

	if (rc || !text)
		return rc;
	i = linux_iface(g, "ifcfg", name, path);
	rest = text;
	while (i && (line = text_line(&rest))) {
		if ((value = text_value(line, "DEVICE")) && *value)
			i->name = linux_keep(g, value);
		else if ((value = text_value(line, "HWADDR")))
			linux_mac(i->mac, value);
		else if ((value = text_value(line, "BOOTPROTO")))
			i->dhcp = strstr(value, "dhcp") != NULL;
		else if ((value = text_value(line, "IPADDR")) ||
			 (value = text_value(line, "IPADDR0")))
			snprintf(address, sizeof(address), "%s", value);
		else if ((value = text_value(line, "NETMASK")) ||
			 (value = text_value(line, "PREFIX")) ||
			 (value = text_value(line, "PREFIX0")) ||
			 (value = text_value(line, "PREFIXLEN")))
			snprintf(netmask, sizeof(netmask), "%s", value);
		else if ((value = text_value(line, "GATEWAY")))
			i->gateway = linux_keep(g, value);
	}
	linux_iface_address(g, i, address, netmask);
	free(text);
	return 0;
}

int linux_network_files(struct linux_guest *g, struct err *e)
{
	static const char *const dirs[] = {
		"/etc/NetworkManager/system-connections",
		"/etc/sysconfig/network-scripts", "/etc/sysconfig/network",
	};
	int rc = 0;

	for (size_t d = 0; d < 3 && !rc; d++) {
		char **names, *path;
		size_t n;

		rc = linux_names(g, dirs[d], &names, &n, e);
		for (size_t i = 0; i < n && !rc; i++) {
			path = linux_printf(g, "%s/%s", dirs[d], names[i]);
			if (!d)
				rc = nm_file(g, path, e);
			else if (!strncmp(names[i], "ifcfg-", 6) &&
				 !strpbrk(names[i], "~.") &&
				 strcmp(names[i], "ifcfg-lo"))
				rc = ifcfg_file(g, path, names[i] + 6, e);
		}
		free(names);
	}
	return rc;
}
