/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manifest.c - the digests that a package states of its files. */
#include "manifest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/buf.h"

#define CHUNK (1u << 20)	/* read at once */

static const struct digest_type types[] = {
	{ "SHA1", 20 }, { "SHA256", 32 }, { "SHA384", 48 }, { "SHA512", 64 },
};

static const struct digest_type *find_type(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == len &&
		    !strncasecmp(types[i].name, name, len))
			return &types[i];
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool get_hex(const char *text, size_t len, uint8_t *out, size_t out_len)
{
	if (len != 2 * out_len)
		return false;
	for (size_t i = 0; i < out_len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **text, size_t *len)
{
	while (*len && is_space(**text)) {
		++*text;
		--*len;
	}
	while (*len && is_space((*text)[*len - 1]))
		--*len;
}

/* The parts of a line; a name may hold ")" itself. */
struct parts {
	const char *type, *name, *hex;
	size_t type_len, name_len, hex_len;
};

static bool split(const char *line, size_t len, struct parts *p)
{
	const char *open = memchr(line, '(', len), *eq, *close;

	eq = memrchr(line, '=', len);
	if (!open || !eq || eq < open)
		return false;
	p->hex = eq + 1;
	p->hex_len = (size_t)(line + len - p->hex);
	trim(&p->hex, &p->hex_len);
	p->name = open + 1;
	p->name_len = (size_t)(eq - p->name);
	while (p->name_len && is_space(p->name[p->name_len - 1]))
		p->name_len--;
	if (!p->name_len)
		return false;
	close = p->name + p->name_len - 1;
	if (*close != ')')
		return false;
	p->name_len--;
	p->type = line;
	p->type_len = (size_t)(open - line);
	trim(&p->type, &p->type_len);
	return p->name_len && !memchr(p->name, 0, p->name_len);
}

static int parse_line(struct manifest *m, const char *line, size_t len,
		      const char *name, size_t number, struct err *e)
{
	struct manifest_line *l;
	struct parts p;

	if (!split(line, len, &p))
		return fail(e, EUCLEAN, "%s: line %zu is not of the form "
			    "SHA256(FILE)= DIGEST", name, number);
	if (array_grow(&m->lines, &m->cap, m->n + 1, sizeof(*l)))
		return fail(e, ENOMEM, "out of memory");
	l = &m->lines[m->n];
	*l = (struct manifest_line){ .type = find_type(p.type, p.type_len) };
	if (!l->type)
		return fail(e, ENOTSUP, "%s: line %zu has a digest of type "
			    "'%.*s'; supported are SHA1, SHA256, SHA384 and "
			    "SHA512", name, number,
			    (int)min_u64(p.type_len, 40), p.type);
	if (!get_hex(p.hex, p.hex_len, l->digest, l->type->len))
		return fail(e, EUCLEAN, "%s: line %zu does not have the %zu "
			    "hexadecimal digits of a %s digest", name, number,
			    2 * l->type->len, l->type->name);
	l->name = strndup(p.name, p.name_len);
	if (!l->name)
		return fail(e, ENOMEM, "out of memory");
	m->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct manifest_line *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int sort(struct manifest *m, const char *name, struct err *e)
{
	if (m->n)
		qsort(m->lines, m->n, sizeof(*m->lines), by_name);
	for (size_t i = 1; i < m->n; i++)
		if (!strcmp(m->lines[i - 1].name, m->lines[i].name))
			return fail(e, EUCLEAN, "%s lists %s twice", name,
				    m->lines[i].name);
	return 0;
}

int manifest_parse(const char *text, size_t len, const char *name,
		   struct manifest *out, struct err *e)
{
	const char *end = text + len;
	size_t number = 0;
	int rc = 0;

	*out = (struct manifest){ 0 };
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;	/* a byte order mark */
	while (text < end && !rc) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *line = text;
		size_t n = (size_t)((nl ? nl : end) - line);

		text = nl ? nl + 1 : end;
		number++;
		trim(&line, &n);
		if (n)
			rc = parse_line(out, line, n, name, number, e);
	}
	if (!rc)
		rc = sort(out, name, e);
	if (rc)
		manifest_free(out);
	return rc;
}

void manifest_free(struct manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->lines[i].name);
	free(m->lines);
	*m = (struct manifest){ 0 };
}

const struct manifest_line *manifest_find(const struct manifest *m,
					  const char *name)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, m->lines[mid].name);

		if (!order)
			return &m->lines[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static int feed(EVP_MD_CTX *ctx, struct img *in, uint64_t offset, uint64_t len,
		uint8_t *buf, int (*step)(void *arg, size_t n), void *arg,
		struct err *e)
{
	while (len) {
		size_t n = (size_t)min_u64(len, CHUNK);
		int rc = img_read(in, buf, n, offset);

		if (rc)
			return fail_rc(e, rc, "%s: error while reading byte "
				       "%llu", img_name(in),
				       (unsigned long long)offset);
		if (!EVP_DigestUpdate(ctx, buf, n))
			return fail(e, ENOMEM, "out of memory");
		rc = step ? step(arg, n) : 0;
		if (rc)
			return fail_rc(e, rc, "%s", img_name(in));
		offset += n;
		len -= n;
	}
	return 0;
}

int digest_range(const struct digest_type *type, struct img *in,
		 uint64_t offset, uint64_t len, int (*step)(void *arg, size_t n),
		 void *arg, uint8_t digest[DIGEST_MAX_LEN], struct err *e)
{
	EVP_MD *md = EVP_MD_fetch(NULL, type->name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *buf = buf_alloc(CHUNK);
	int rc;

	if (!md)
		rc = fail(e, ENOTSUP, "this system's OpenSSL has no %s",
			  type->name);
	else if (!ctx || !buf || !EVP_DigestInit_ex(ctx, md, NULL))
		rc = fail(e, ENOMEM, "out of memory");
	else
		rc = feed(ctx, in, offset, len, buf, step, arg, e);
	if (!rc && !EVP_DigestFinal_ex(ctx, digest, NULL))
		rc = fail(e, ENOMEM, "out of memory");
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	free(buf);
	return rc;
}
