/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_netplan.c - interfaces of netplan, netplan(5): its YAML, as people and
 * installers write it: indented keys and lists, or both in brackets; no anchors, no
 * long texts.  What stands in brackets is taken as the lines that say the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"

#define YAML_DEPTH 12
#define WORD_MAX 100		/* bytes of a key or value in brackets */

struct yaml {
	struct linux_guest *g;
	struct linux_iface *iface;
	const char *path;
	struct { size_t indent; char key[64]; } stack[YAML_DEPTH];
	size_t depth;
	bool default_route, named;
	char via[WORD_MAX + 1];		/* of the route that is open */
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

/* "to" and "via" of a route come in any order. */
static void yaml_route(struct yaml *y, const char *key, const char *value)
{
	if (!strcmp(key, "to"))
		y->default_route = !strcmp(value, "default") ||
			!strcmp(value, "0/0") || !strncmp(value, "0.0.0.0", 7);
	else if (!strcmp(key, "via"))
		snprintf(y->via, sizeof(y->via), "%s", value);
	if (y->default_route && *y->via && !*y->iface->gateway)
		y->iface->gateway = linux_keep(y->g, y->via);
}

/* A value below network: ethernets: NAME: */
static void yaml_value(struct yaml *y, const char *key, char *value)
{
	struct linux_iface *i = y->iface;
	bool match = under(y, 3, "match");

	value = scalar(value);
	if (match && !strcmp(key, "macaddress"))
		linux_mac(i->mac, value);
	else if (match && !strcmp(key, "name") && !y->named)
		i->name = linux_keep(y->g, value);
	else if (!strcmp(key, "set-name")) {
		i->name = linux_keep(y->g, value);
		y->named = true;
	} else if (!strcmp(key, "dhcp4") || !strcmp(key, "dhcp6"))
		i->dhcp |= !strcmp(value, "true") || !strcmp(value, "yes");
	else if (!strncmp(key, "gateway", 7) && !*i->gateway)
		i->gateway = linux_keep(y->g, value);
	else if (under(y, 3, "routes"))
		yaml_route(y, key, value);
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
	} else if (y->depth == 5 && y->iface && under(y, 3, "addresses")) {
		/* An address with a label or a lifetime below. */
		linux_iface_address(y->g, y->iface, key, NULL);
	} else if (y->depth > 3 && y->iface && *value) {
		yaml_value(y, key, value);
	}
}

/* Does the colon here end a key?  Not one of an address. */
static bool ends_key(const char *p)
{
	return *p == ':' && (!p[1] || strchr(" \t\r\n", p[1]));
}

static char *key_end(char *line)
{
	for (char *p = line; *p; p++)
		if (ends_key(p))
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
	if (item) {
		y->default_route = false;
		*y->via = 0;
	}
	colon = key_end(line);
	if (colon)
		yaml_key(y, indent, line, colon);
	else if (item && y->iface && y->depth == 4 && under(y, 3, "addresses"))
		linux_iface_address(y->g, y->iface, scalar(line), NULL);
}

static bool opens(char c)
{
	return c == '[' || c == '{';
}

/* What stands between values in brackets: blanks, commas, comments. */
static void skip_between(char **p, bool commas)
{
	for (;; (*p)++) {
		if (**p == '#')
			*p += strcspn(*p, "\n");
		if (!**p || !strchr(commas ? " \t\r\n," : " \t\r\n", **p))
			return;
	}
}

/* The word at *p, with its quotes; moves behind it. */
static int take_word(char **p, char **word)
{
	char *end = *p + 1;

	*word = *p;
	if (**p == '"' || **p == '\'') {
		end += strcspn(end, **p == '"' ? "\"\n" : "'\n");
		end += *end && *end != '\n';
	} else {
		/* A byte at least, so that all of the text is seen. */
		while (*end && !strchr(",[]{}\n", *end) && !ends_key(end) &&
		       !(*end == ':' && strchr(",[]{}", end[1])))
			end++;
	}
	*p = end;
	return end - *word < WORD_MAX ? (int)(end - *word) : WORD_MAX;
}

/* All from the bracket at *p to the one that closes it, as lines below the one that
 * opened it.
 */
static void yaml_flow(struct yaml *y, char **p, size_t indent, unsigned depth)
{
	char line[2 * WORD_MAX + 8], *word, *value;
	int len, n;

	for ((*p)++;;) {
		skip_between(p, true);
		if (!**p)
			return;
		if (**p == ']' || **p == '}') {
			(*p)++;
			return;
		}
		if (opens(**p)) {
			strcpy(line, "-");
		} else {
			len = take_word(p, &word);
			skip_between(p, false);
			snprintf(line, sizeof(line), "- %.*s", len, word);
			if (**p == ':') {
				(*p)++;
				skip_between(p, false);
				n = **p && !strchr("[]{},", **p) ?
					take_word(p, &value) : 0;
				snprintf(line, sizeof(line), "%.*s: %.*s", len,
					 word, n, n ? value : "");
			}
		}
		yaml_line(y, line, indent);
		if (opens(**p) && depth < YAML_DEPTH)
			yaml_flow(y, p, indent + 2, depth + 1);
		else if (opens(**p))
			(*p)++;
	}
}

/* Where brackets open in a line; NULL: nowhere. */
static char *flow_start(char *line, const char *end)
{
	char before = '-';		/* at the beginning they may */

	if (*line == '#')
		return NULL;
	for (char *p = line; p < end; p++) {
		if (opens(*p) && (before == '-' || before == ':'))
			return p;
		if (*p == '#' && p > line && p[-1] == ' ')
			return NULL;
		if (!strchr(" \t", *p))
			before = *p;
	}
	return NULL;
}

void linux_netplan_text(struct linux_guest *g, const char *path, char *p)
{
	struct yaml y = { .g = g, .path = path };

	while (*p) {
		size_t len = strcspn(p, "\n"), indent = strspn(p, " \t");
		char *next = p + len + (p[len] == '\n');
		char *open = flow_start(p + indent, p + len), bracket;

		if (open) {
			bracket = *open;
			*open = 0;
			yaml_line(&y, p + indent, indent);
			*open = bracket;
			indent = (size_t)(open - p);
			yaml_flow(&y, &open, indent, 0);
			next = open + strcspn(open, "\n");
			next += *next == '\n';
		} else {
			p[len] = 0;
			if (len && p[len - 1] == '\r')
				p[len - 1] = 0;
			yaml_line(&y, p + indent, indent);
		}
		p = next;
	}
}

int linux_netplan(struct linux_guest *g, struct err *e)
{
	char **names;
	size_t n;
	int rc = linux_names(g, "/etc/netplan", &names, &n, e);

	for (size_t i = 0; i < n && !rc; i++) {
		char *text, *path;

		if (!text_ends(names[i], ".yaml"))
			continue;
		path = linux_printf(g, "/etc/netplan/%s", names[i]);
		rc = linux_text(g, path, &text, e);
		if (rc || !text)
			continue;
		linux_netplan_text(g, path, text);
		free(text);
	}
	free(names);
	return rc;
}
