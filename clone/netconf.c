/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netconf.c - network configuration as text: other MACs, another static address.
 *
 * Addresses are found as words: an address that has another form but the same
 * value is found too, one that is the beginning of a longer one is not.
 */
#include "clone/netconf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/buf.h"

#define MAC_LEN 17u

bool netconf_is_mac(const char *text, size_t len, char out[18])
{
	if (len < MAC_LEN || (text[2] != ':' && text[2] != '-'))
		return false;
	for (size_t i = 0; i < MAC_LEN; i++) {
		if (i % 3 == 2 ? text[i] != text[2]
		    : !isxdigit((unsigned char)text[i]))
			return false;
		out[i] = i % 3 == 2 ? ':'
			 : (char)tolower((unsigned char)text[i]);
	}
	out[MAC_LEN] = 0;
	/* Longer ones are other things: a DUID, an InfiniBand address. */
	return len == MAC_LEN || (!isalnum((unsigned char)text[MAC_LEN]) &&
				  text[MAC_LEN] != text[2]);
}

/* In the form that stands there. */
static void put_mac(char *at, const char *mac)
{
	bool upper = false;

	for (size_t i = 0; i < MAC_LEN; i++)
		upper |= isupper((unsigned char)at[i]) != 0;
	for (size_t i = 0; i < MAC_LEN; i++)
		if (i % 3 != 2)
			at[i] = upper ? (char)toupper((unsigned char)mac[i])
				      : mac[i];
}

unsigned netconf_set_macs(char *text, size_t len, const struct netconf_mac *map,
			  size_t n)
{
	unsigned count = 0;
	char mac[18];

	for (size_t at = 0; at + MAC_LEN <= len; at++) {
		bool within = at && (isalnum((unsigned char)text[at - 1]) ||
				     text[at - 1] == ':');

		if (within || !netconf_is_mac(text + at, len - at, mac))
			continue;
		for (size_t i = 0; i < n; i++)
			if (!strcasecmp(map[i].from, mac)) {
				put_mac(text + at, map[i].to);
				count++;
				break;
			}
		at += MAC_LEN - 1;
	}
	return count;
}

/* Text that grows. */
struct out {
	char *text;
	size_t len, cap;
	bool failed;
};

static void put(struct out *o, const char *text, size_t len)
{
	if (o->failed || array_grow(&o->text, &o->cap, o->len + len + 1, 1)) {
		o->failed = true;
		return;
	}
	memcpy(o->text + o->len, text, len);
	o->len += len;
	o->text[o->len] = 0;
}

static void put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

static int take(struct out *o, char **out)
{
	if (o->failed) {
		free(o->text);
		return -ENOMEM;
	}
	*out = o->text;
	return 0;
}

static bool in_word(char c)
{
	return isxdigit((unsigned char)c) || c == '.' || c == ':';
}

/* The length of what may be an address at `p`, where a word begins; 0: none. */
static size_t word_length(const char *text, const char *p)
{
	size_t len = 0;

	if (p > text && (in_word(p[-1]) || isalnum((unsigned char)p[-1]) ||
			 p[-1] == '_' || p[-1] == '/'))
		/* "addresses:192.0.2.1" and the like begin after the colon. */
		if (p[-1] != ':' || (p - 1 > text && in_word(p[-2])))
			return 0;
	while (in_word(p[len]))
		len++;
	/* The point or colon at the end of a sentence or key. */
	while (len && (p[len - 1] == '.' ||
		       (p[len - 1] == ':' && (len < 2 || p[len - 2] != ':'))))
		len--;
	return isalnum((unsigned char)p[len]) ? 0 : len;
}

/* Which key does the value at `p` belong to: the word before it on its line? */
static bool is_gateway(const char *text, const char *p)
{
	static const char *const keys[] = {
		"gateway", "gateway4", "gateway6", "via", "gw", "gateway0",
	};
	const char *end = p;
	size_t len = 0;

	while (end > text && end[-1] != '\n' &&
	       (strchr(" \t\"'=:", end[-1])))
		end--;
	while (end - len > text && isalnum((unsigned char)end[-1 - (long)len]))
		len++;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == len &&
		    !strncasecmp(keys[i], end - len, len))
			return true;
	return false;
}

struct found {
	unsigned addresses, lengths, gateways;
	size_t at;		/* in the output: the last address */
};

/* The "/24" at *p, which moves behind it. */
static void put_length(struct out *o, const char **p,
		       const struct netconf_change *c, struct found *f)
{
	size_t len = 1 + strspn(*p + 1, "0123456789");
	char text[16] = "";

	if (**p != '/' || len < 2)
		return;
	f->lengths++;
	if (c->to.len == ADDRESS_NO_LEN) {
		put(o, *p, len);
	} else {
		char *digits = text + sizeof(text) - 1;
		unsigned left = c->to.len;

		do {
			*--digits = (char)('0' + left % 10);
		} while (left /= 10);
		*--digits = '/';
		put_text(o, digits);
	}
	*p += len;
}

/* One pass over all words. */
static void replace(const char *text, const struct netconf_change *c,
		    struct out *o, struct found *f)
{
	/* NetworkManager: "address1=192.0.2.10/24,192.0.2.1" */
	const char *behind = NULL;
	char shown[ADDRESS_TEXT_LEN];

	put(o, "", 0);
	for (const char *p = text; *p;) {
		size_t len = word_length(text, p);
		struct address a;

		if (!len || address_parse(p, len, &a)) {
			put(o, p, len ? len : 1);
			p += len ? len : 1;
		} else if (address_equal(&a, &c->from)) {
			f->at = o->len;
			f->addresses++;
			put_text(o, address_text(&c->to, shown));
			p += len;
			put_length(o, &p, c, f);
			behind = *p == ',' ? p + 1 : NULL;
		} else if (c->set_gateway && address_equal(&a, &c->old_gateway) &&
			   (p == behind || is_gateway(text, p))) {
			f->gateways++;
			put_text(o, address_text(&c->gateway, shown));
			p += len;
		} else {
			put(o, p, len);
			p += len;
		}
	}
}

int netconf_replace_address(const char *text, const struct address *from,
			    const struct address *to, char **out)
{
	struct netconf_change c = { .from = *from, .to = *to };
	struct found f = { 0 };
	struct out o = { 0 };

	*out = NULL;
	c.to.len = ADDRESS_NO_LEN;
	replace(text, &c, &o, &f);
	if (f.addresses && !o.failed)
		return take(&o, out);
	free(o.text);
	return o.failed ? -ENOMEM : 0;
}

static size_t line_length(const char *p)
{
	size_t len = strcspn(p, "\n");

	return len + (p[len] == '\n');
}

/* The first word of the line at `p`. */
static bool begins_with(const char *p, const char *word)
{
	size_t len = strlen(word);

	p += strspn(p, " \t");
	return !strncasecmp(p, word, len) && (p[len] == ' ' || p[len] == '\t' ||
					      p[len] == '=');
}

static bool begins_stanza(const char *p)
{
	static const char *const words[] = {
		"iface", "mapping", "auto", "source", "source-directory",
		"no-auto-down", "no-scripts", "allow-hotplug", "allow-auto",
		"rename", "template",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins_with(p, words[i]))
			return true;
	return false;
}

/* The stanza that has the byte at `at`: its first line, and behind its last. */
static void stanza_around(const char *text, size_t at, size_t *from, size_t *to)
{
	size_t len;

	*from = 0;
	*to = strlen(text);
	for (size_t i = 0; text[i]; i += len) {
		len = line_length(text + i);
		if (!begins_stanza(text + i))
			continue;
		if (i <= at) {
			*from = i;
		} else {
			*to = i;
			return;
		}
	}
}

/* One line of the interface; what can be computed from the rest is left out. */
static void put_network_line(struct out *o, const char *line, size_t len,
			     const struct address *to, struct found *f)
{
	bool mask = begins_with(line, "netmask");
	size_t before, end;
	char text[ADDRESS_TEXT_LEN];

	if (begins_with(line, "broadcast") || begins_with(line, "network"))
		return;
	if (!mask && !begins_with(line, "prefix")) {
		put(o, line, len);
		return;
	}
	/* Up to the value, the value, and what follows it. */
	before = strspn(line, " \t");
	before += strcspn(line + before, " \t=");
	before += strspn(line + before, " \t=\"'");
	end = before + strspn(line + before, "0123456789.");
	put(o, line, before);
	if (mask && memchr(line + before, '.', end - before)) {
		put_text(o, address_netmask(to->len, text));
	} else {
		char *digits = str_printf("%u", to->len);

		if (digits)
			put_text(o, digits);
		else
			o->failed = true;
		free(digits);
	}
	put(o, line + end, len - end);
	f->lengths++;
}

/* Formats where the length stands on a line of its own. */
static void set_network(const char *manager, struct out *in, struct out *o,
			const struct netconf_change *c, struct found *f)
{
	size_t from = 0, to = in->len, len;

	if (!strcmp(manager, "ifupdown"))
		stanza_around(in->text, f->at, &from, &to);
	put(o, in->text, from);
	for (size_t i = from; i < to; i += len) {
		len = line_length(in->text + i);
		put_network_line(o, in->text + i, len, &c->to, f);
	}
	put(o, in->text + to, in->len - to);
}

int netconf_set_address(const char *manager, const char *text,
			const struct netconf_change *c, char **out,
			struct err *e)
{
	bool longer = c->to.len != ADDRESS_NO_LEN && c->to.len != c->from.len;
	bool lines = !strcmp(manager, "ifupdown") || !strcmp(manager, "ifcfg");
	struct out first = { 0 }, second = { 0 };
	struct found f = { 0 };
	char shown[ADDRESS_TEXT_LEN];
	int rc = 0;

	replace(text, c, &first, &f);
	lines &= c->to.len != ADDRESS_NO_LEN;
	lines &= longer || !address_same_network(&c->from, &c->to,
						 c->from.len);
	if (lines && f.addresses && !first.failed)
		set_network(manager, &first, &second, c, &f);
	else
		lines = false;
	if (first.failed || second.failed)
		rc = fail(e, ENOMEM, "out of memory");
	else if (!f.addresses)
		rc = fail(e, ENOENT, "the address %s is not written there",
			  address_text(&c->from, shown));
	else if (c->set_gateway && !f.gateways)
		rc = fail(e, ENOENT, "the gateway %s is not written there",
			  address_text(&c->old_gateway, shown));
	else if (longer && !f.lengths)
		rc = fail(e, ENOENT, "the length of the network is not written "
			  "there");
	if (rc || lines)
		free(first.text);
	if (rc)
		free(second.text);
	else
		*out = lines ? second.text : first.text;
	return rc;
}
