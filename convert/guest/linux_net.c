/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_net.c - network interfaces as ifupdown, systemd-networkd, .link files and
 * udev's persistent rules have them.  interfaces(5), systemd.network(5),
 * systemd.link(5).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"
#include "imgfmt/base/buf.h"

struct linux_iface *linux_iface(struct linux_guest *g, const char *manager,
				const char *name, const char *file)
{
	struct linux_iface *i = linux_more(g, &g->ifaces, &g->n_ifaces,
					   sizeof(*i));

	if (!i)
		return NULL;
	i->manager = manager;
	i->name = linux_keep(g, name);
	i->file = linux_keep(g, file);
	i->gateway = g->pool->empty;
	return i;
}

/* 255.255.255.0 is 24; a plain number is itself. */
static unsigned prefix_length(const char *netmask)
{
	unsigned a, b, c, d;

	if (sscanf(netmask, "%3u.%3u.%3u.%3u", &a, &b, &c, &d) != 4)
		return (unsigned)strtoul(netmask, NULL, 10);
	return (unsigned)__builtin_popcount(a << 24 | b << 16 | c << 8 | d);
}

void linux_iface_address(struct linux_guest *g, struct linux_iface *i,
			 const char *address, const char *netmask)
{
	char **to;

	if (!i || !*address)
		return;
	to = linux_more(g, &i->addresses, &i->n_addresses, sizeof(*to));
	if (!to)
		return;
	if (strchr(address, '/') || !netmask || !*netmask)
		*to = linux_keep(g, address);
	else
		*to = linux_printf(g, "%s/%u", address, prefix_length(netmask));
}

void linux_mac(char out[18], const char *text)
{
	size_t n = 0;

	*out = 0;
	for (; n < 17 && text[n]; n++) {
		bool sep = n % 3 == 2;

		if (sep ? text[n] != ':' && text[n] != '-' :
		    !isxdigit((unsigned char)text[n]))
			return;
		out[n] = sep ? ':' : (char)tolower((unsigned char)text[n]);
	}
	out[n == 17 && !isxdigit((unsigned char)text[17]) ? 17 : 0] = 0;
}

struct stanza {
	struct linux_iface *iface;	/* NULL: none is open */
	char address[64], netmask[64];
};

static void end_stanza(struct linux_guest *g, struct stanza *s)
{
	if (s->iface)
		linux_iface_address(g, s->iface, s->address, s->netmask);
	memset(s, 0, sizeof(*s));
}

static int ifupdown_file(struct linux_guest *g, const char *path, unsigned depth,
			 struct err *e);

/* "source PATTERN", of whose patterns only a star in the last name is known. */
static int source(struct linux_guest *g, const char *pattern, bool all,
		  unsigned depth, struct err *e)
{
	char *path = *pattern == '/' ? linux_keep(g, pattern) :
		linux_printf(g, "/etc/network/%s", pattern);
	char *slash = all ? path + strlen(path) : strrchr(path, '/');
	const char *last = *slash ? slash + 1 : "*", *star = strchr(last, '*');
	char **names;
	size_t n;
	int rc;

	if (!star)
		return ifupdown_file(g, path, depth + 1, e);
	*slash = 0;
	rc = linux_names(g, path, &names, &n, e);
	for (size_t i = 0; i < n && !rc; i++)
		if (!strncmp(names[i], last, (size_t)(star - last)) &&
		    text_ends(names[i], star + 1) &&
		    /* As run-parts: no copies that dpkg or an editor leaves. */
		    (!all || !strpbrk(names[i], ".~")))
			rc = ifupdown_file(g, linux_printf(g, "%s/%s", path,
							   names[i]),
					   depth + 1, e);
	free(names);
	return rc;
}

static void stanza_line(struct linux_guest *g, struct stanza *s,
			const char *word, char *rest)
{
	rest += strspn(rest, " \t");
	if (!s->iface)
		return;
	if (!strcmp(word, "address"))
		snprintf(s->address, sizeof(s->address), "%.*s",
			 (int)strcspn(rest, " \t"), rest);
	else if (!strcmp(word, "netmask"))
		snprintf(s->netmask, sizeof(s->netmask), "%s", rest);
	else if (!strcmp(word, "gateway") && !*s->iface->gateway)
		s->iface->gateway = linux_keep(g, rest);
}

static int ifupdown_file(struct linux_guest *g, const char *path, unsigned depth,
			 struct err *e)
{
	char *text, *rest, *line, *word, *name, *method;
	struct stanza s = { 0 };
	int rc = depth < 8 ? linux_text(g, path, &text, e) : 0;

	if (rc || depth >= 8 || !text)
		return rc;
	rest = text;
	while (!rc && (line = text_line(&rest))) {
		word = *line != '#' ? text_word(&line) : NULL;
		if (!word)
			continue;
		if (!line)
			line = word + strlen(word);
		if (!strcmp(word, "iface")) {
			end_stanza(g, &s);
			name = text_word(&line);
			text_word(&line);
			method = text_word(&line);
			if (!name || !strcmp(name, "lo"))
				continue;
			s.iface = linux_iface(g, "ifupdown", name, path);
			if (s.iface && method && !strcmp(method, "dhcp"))
				s.iface->dhcp = true;
		} else if (!strcmp(word, "source") ||
			   !strcmp(word, "source-directory")) {
			end_stanza(g, &s);
			name = text_word(&line);
			if (name)
				rc = source(g, name, word[6] == '-', depth, e);
		} else {
			stanza_line(g, &s, word, line);
		}
	}
	end_stanza(g, &s);
	free(text);
	return rc;
}

/* One of systemd's files: sections and keys. */
struct unit {
	struct linux_iface *iface;
	char section[32];
};

static void unit_match(struct linux_guest *g, struct linux_iface *i, char *line)
{
	char *value;

	if ((value = text_value(line, "Name")))
		i->name = linux_keep(g, value);
	else if ((value = text_value(line, "MACAddress")) ||
		 (value = text_value(line, "PermanentMACAddress")))
		linux_mac(i->mac, value);
}

static void unit_line(struct linux_guest *g, struct unit *u, char *line)
{
	struct linux_iface *i = u->iface;
	char *value;

	if (*line == '[') {
		snprintf(u->section, sizeof(u->section), "%.*s",
			 (int)strcspn(line + 1, "]"), line + 1);
		return;
	}
	if (!i)
		return;
	if (!strcmp(u->section, "Match")) {
		/* A .link file's name is what it gives, not what it matches. */
		if (strcmp(i->manager, "link") || strncasecmp(line, "Name", 4))
			unit_match(g, i, line);
	} else if (!strcmp(u->section, "Link")) {
		if (!strcmp(i->manager, "link") &&
		    (value = text_value(line, "Name")))
			i->name = linux_keep(g, value);
	} else if ((value = text_value(line, "Address"))) {
		linux_iface_address(g, i, value, NULL);
	} else if ((value = text_value(line, "DHCP"))) {
		i->dhcp = strcasecmp(value, "no") && strcasecmp(value, "false");
	} else if ((value = text_value(line, "Gateway")) && !*i->gateway) {
		i->gateway = linux_keep(g, value);
	}
}

static int networkd(struct linux_guest *g, struct err *e)
{
	static const char dir[] = "/etc/systemd/network";
	char **names;
	size_t n;
	int rc = linux_names(g, dir, &names, &n, e);

	for (size_t i = 0; i < n && !rc; i++) {
		bool link = text_ends(names[i], ".link");
		struct unit u = { 0 };
		char *path, *text, *rest, *line;

		if (!link && !text_ends(names[i], ".network"))
			continue;
		path = linux_printf(g, "%s/%s", dir, names[i]);
		rc = linux_text(g, path, &text, e);
		if (rc || !text)
			continue;
		u.iface = linux_iface(g, link ? "link" : "networkd", "", path);
		rest = text;
		while ((line = text_line(&rest)))
			unit_line(g, &u, line);
		free(text);
	}
	free(names);
	return rc;
}

/* What stands behind "KEY" of a rule, in quotes. */
static void rule_value(const char *line, const char *key, char *out, size_t size)
{
	const char *at = strstr(line, key), *quote;

	*out = 0;
	quote = at ? strchr(at, '"') : NULL;
	if (quote)
		snprintf(out, size, "%.*s", (int)strcspn(quote + 1, "\""),
			 quote + 1);
}

static int udev_rules(struct linux_guest *g, struct err *e)
{
	static const char path[] = "/etc/udev/rules.d/70-persistent-net.rules";
	char *text, *rest, *line, name[64], mac[64];
	int rc = linux_text(g, path, &text, e);

	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest))) {
		struct linux_iface *i;

		if (*line == '#')
			continue;
		rule_value(line, "address}==", mac, sizeof(mac));
		rule_value(line, "NAME=\"", name, sizeof(name));
		if (!*name || !*mac)
			continue;
		i = linux_iface(g, "udev", name, path);
		if (i)
			linux_mac(i->mac, mac);
	}
	free(text);
	return 0;
}

int linux_network(struct linux_guest *g, struct err *e)
{
	int rc = ifupdown_file(g, "/etc/network/interfaces", 0, e);

	if (!rc)
		rc = networkd(g, e);
	if (!rc)
		rc = linux_network_files(g, e);
	if (!rc)
		rc = linux_netplan(g, e);
	if (!rc)
		rc = udev_rules(g, e);
	return rc;
}
