/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ovf_refs.c - the files that an OVF descriptor refers to (DSP0243, 7.1). */
#include "ovf_refs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define MAX_REFS 65536u

/* A piece of the text. */
struct span {
	const char *p;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Without its name space: "ovf:File" is "File". */
static bool local_is(struct span s, const char *name)
{
	const char *colon = memchr(s.p, ':', s.len);
	size_t skip = colon ? (size_t)(colon - s.p) + 1 : 0;

	return s.len - skip == strlen(name) &&
	       !memcmp(s.p + skip, name, s.len - skip);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Entities of XML, then ova_href_decode().  In place. */
static void decode(char *s)
{
	static const struct {
		const char *text;
		char c;
	} entities[] = {
		{ "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
		{ "&quot;", '"' }, { "&apos;", '\'' },
	};
	char *to = s;

	for (const char *p = s; *p; ) {
		size_t i, n = sizeof(entities) / sizeof(entities[0]);

		for (i = 0; i < n; i++)
			if (!strncmp(p, entities[i].text,
				     strlen(entities[i].text)))
				break;
		*to++ = i < n ? entities[i].c : *p;
		p += i < n ? strlen(entities[i].text) : 1;
	}
	*to = 0;
	ova_href_decode(s);
}

void ova_href_decode(char *s)
{
	char *to = s;

	for (const char *p = s; *p; p++) {
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		*to++ = low >= 0 && (high || low) ? (char)(high << 4 | low) :
			*p;
		p += low >= 0 && (high || low) ? 2 : 0;
	}
	*to = 0;
}

static int add_ref(struct ova_refs *r, struct span href, struct span size,
		   const char *name, struct err *e)
{
	struct ova_ref *ref;
	char digits[24];
	char *end;

	if (r->n == MAX_REFS)
		return fail(e, EINVAL, "%s refers to more than %u files", name,
			    MAX_REFS);
	if (array_grow(&r->refs, &r->cap, r->n + 1, sizeof(*ref)))
		return fail(e, ENOMEM, "out of memory");
	ref = &r->refs[r->n];
	*ref = (struct ova_ref){ strndup(href.p, href.len), UINT64_MAX };
	if (!ref->href)
		return fail(e, ENOMEM, "out of memory");
	r->n++;
	decode(ref->href);
	if (size.len && size.len < sizeof(digits)) {
		memcpy(digits, size.p, size.len);
		digits[size.len] = 0;
		ref->size = strtoull(digits, &end, 10);
		if (*end)
			ref->size = UINT64_MAX;
	}
	return 0;
}

/* One attribute: *p moves behind it.  False: there is none. */
static bool attribute(const char **p, struct span *key, struct span *value)
{
	const char *q = *p, *end;

	while (is_space(*q))
		q++;
	key->p = q;
	while (*q && !is_space(*q) && !strchr("=/><\"'", *q))
		q++;
	key->len = (size_t)(q - key->p);
	while (is_space(*q))
		q++;
	if (!key->len || *q != '=')
		return false;
	q++;
	while (is_space(*q))
		q++;
	end = *q == '"' || *q == '\'' ? strchr(q + 1, *q) : NULL;
	if (!end)
		return false;
	*value = (struct span){ q + 1, (size_t)(end - q) - 1 };
	*p = end + 1;
	return true;
}

/* The attributes of a File element. */
static int file_element(struct ova_refs *r, const char *p, const char *name,
			struct err *e)
{
	struct span key, value, href = { 0 }, size = { 0 };

	while (attribute(&p, &key, &value)) {
		if (local_is(key, "href"))
			href = value;
		else if (local_is(key, "size"))
			size = value;
	}
	while (is_space(*p))
		p++;
	if (*p != '>' && *p != '/')
		return fail(e, EINVAL, "%s: a File element is broken", name);
	if (!href.len)
		return fail(e, EINVAL, "%s: a File element has no href", name);
	if (memmem(href.p, href.len, "://", 3))
		return 0;
	return add_ref(r, href, size, name, e);
}

/* Behind a comment or the like that `p` begins with, or `p`; NULL: endless. */
static const char *skip(const char *p)
{
	static const char *const pairs[][2] = {
		{ "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" },
		{ "<!", ">" }, { "</", ">" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t n = strlen(pairs[i][0]);

		if (strncmp(p, pairs[i][0], n))
			continue;
		p = strstr(p + n, pairs[i][1]);
		return p ? p + strlen(pairs[i][1]) : NULL;
	}
	return p;
}

static int scan(const char *p, const char *name, struct ova_refs *r,
		struct err *e)
{
	bool root = false;
	struct span tag;
	int rc = 0;

	while (!rc && (p = strchr(p, '<'))) {
		const char *behind = skip(p);

		if (!behind)
			return fail(e, EINVAL, "%s ends inside a comment or "
				    "tag", name);
		if (behind != p) {
			p = behind;
			continue;
		}
		tag.p = ++p;
		tag.len = strcspn(p, " \t\r\n/><");
		p += tag.len;
		if (!root && !local_is(tag, "Envelope"))
			return fail(e, EINVAL, "%s is no OVF descriptor: its "
				    "root is not Envelope", name);
		root = true;
		if (local_is(tag, "File"))
			rc = file_element(r, p, name, e);
	}
	if (!rc && !root)
		rc = fail(e, EINVAL, "%s is no OVF descriptor: there is no "
			  "Envelope in it", name);
	return rc;
}

int ova_refs_parse(const char *text, size_t len, const char *name,
		   struct ova_refs *out, struct err *e)
{
	int rc;

	*out = (struct ova_refs){ 0 };
	if (strlen(text) != len)
		return fail(e, EINVAL, "%s is not UTF-8 text", name);
	rc = scan(text, name, out, e);
	if (rc)
		ova_refs_free(out);
	return rc;
}

void ova_refs_free(struct ova_refs *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->refs[i].href);
	free(r->refs);
	*r = (struct ova_refs){ 0 };
}
