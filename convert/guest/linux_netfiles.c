/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_netfiles.c - interfaces of NetworkManager (nm-settings-keyfile(5)), of
 * ifcfg files (Red Hat's and SUSE's) and of netplan (its YAML, as people and
 * installers write it: indented keys and lists; no anchors, no long texts).
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

#define YAML_DEPTH 12

struct yaml {
	struct linux_guest *g;
	struct linux_iface *iface;
	const char *path;
	struct { size_t indent; char key[64]; } stack[YAML_DEPTH];
	size_t depth;
	bool default_route, named;
};

static bool under(const struct yaml *y, size_t level, const char *key)
{
	return y->depth > level && !strcmp(y->stack[level].key, key);
}

/* Without quotes, a comment behind it, and blanks. */
static char *scalar(char *text)
{
	char *end = strstr(text, " #");

	if (end)
		*end = 0;
	text += strspn(text, " \t\"'");
	for (end = text + strlen(text); end > text && strchr(" \t\"',", end[-1]);)
		*--end = 0;
	return text;
}

static void yaml_addresses(struct yaml *y, char *value)
{
	char *word;

	if (*value == '[')
		value++;
	value[strcspn(value, "]")] = 0;
	while ((word = strsep(&value, ",")))
		linux_iface_address(y->g, y->iface, scalar(word), NULL);
}

/* A value below network: ethernets: NAME: */
static void yaml_value(struct yaml *y, const char *key, char *value)
{
	struct linux_iface *i = y->iface;
	bool match = under(y, 3, "match");

	if (match && !strcmp(key, "macaddress"))
		linux_mac(i->mac, scalar(value));
	else if (match && !strcmp(key, "name") && !y->named)
		i->name = linux_keep(y->g, scalar(value));
	else if (!strcmp(key, "set-name")) {
		i->name = linux_keep(y->g, scalar(value));
		y->named = true;
	} else if (!strcmp(key, "dhcp4") || !strcmp(key, "dhcp6"))
		i->dhcp |= !strcmp(scalar(value), "true") ||
			!strcmp(scalar(value), "yes");
	else if (y->depth == 4 && !strcmp(key, "addresses"))
		yaml_addresses(y, value);
	else if (!strncmp(key, "gateway", 7) && !*i->gateway)
		i->gateway = linux_keep(y->g, scalar(value));
	else if (under(y, 3, "routes") && !strcmp(key, "to"))
		y->default_route = !strcmp(scalar(value), "default") ||
			!strncmp(scalar(value), "0.0.0.0", 7);
	else if (under(y, 3, "routes") && !strcmp(key, "via") &&
		 y->default_route && !*i->gateway)
		i->gateway = linux_keep(y->g, scalar(value));
}

static void yaml_key(struct yaml *y, size_t indent, char *line, char *colon)
{
	char *key, *value = colon + 1;

	*colon = 0;
	key = scalar(line);
	while (y->depth && y->stack[y->depth - 1].indent >= indent)
		y->depth--;
	if (y->depth >= YAML_DEPTH)
		return;
	y->stack[y->depth].indent = indent;
	snprintf(y->stack[y->depth].key, sizeof(y->stack[0].key), "%s", key);
	y->depth++;
	value += strspn(value, " \t");
	if (!under(y, 0, "network") || !under(y, 1, "ethernets"))
		return;
	if (y->depth == 3) {
		y->iface = linux_iface(y->g, "netplan", key, y->path);
		y->named = false;
	} else if (y->depth == 4 && y->iface && !strcmp(key, "match")) {
		/* Then the key above is but a word. */
		if (!y->named)
			y->iface->name = y->g->pool->empty;
	} else if (y->depth > 3 && y->iface && *value)
		yaml_value(y, key, value);
}

/* The colon that ends a key: not one of an address. */
static char *key_end(char *line)
{
	for (char *p = strchr(line, ':'); p; p = strchr(p + 1, ':'))
		if (!p[1] || p[1] == ' ' || p[1] == '\t')
			return p;
	return NULL;
}

static void yaml_line(struct yaml *y, char *line, size_t indent)
{
	char *colon;
	bool item = *line == '-';

	if (!*line || *line == '#' || !strncmp(line, "---", 3))
		return;
	while (*line == '-') {
		line++;
		indent++;
		indent += strspn(line, " \t");
		line += strspn(line, " \t");
	}
	colon = key_end(line);
	if (colon)
		yaml_key(y, indent, line, colon);
	else if (item && y->iface && y->depth == 4 && under(y, 3, "addresses"))
		linux_iface_address(y->g, y->iface, scalar(line), NULL);
}

int linux_netplan(struct linux_guest *g, struct err *e)
{
	char **names;
	size_t n;
	int rc = linux_names(g, "/etc/netplan", &names, &n, e);

	for (size_t i = 0; i < n && !rc; i++) {
		struct yaml y = { .g = g };
		char *text, *rest, *start, *line;

		if (!text_ends(names[i], ".yaml"))
			continue;
		y.path = linux_printf(g, "/etc/netplan/%s", names[i]);
		rc = linux_text(g, y.path, &text, e);
		if (rc || !text)
			continue;
		for (rest = text; (start = rest, line = text_line(&rest));)
			yaml_line(&y, line, (size_t)(line - start));
		free(text);
	}
	free(names);
	return rc;
}
