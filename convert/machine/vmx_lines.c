/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmx_lines.c - the settings of a VMX file. */
#include "vmx.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/buf.h"

/* The largest machine of VMware's has a few thousand. */
#define MAX_LINES 100000u

/* By far the most frequent one is converted here. */
#define WESTERN "windows-1252"

/* Encodings that VMware's products write (the names are ICU's), as iconv calls
 * them; no others, for iconv loads code by the name.
 */
static const char *const encodings[][2] = {
	{ "utf-8", NULL }, { "utf8", NULL }, { "us-ascii", NULL },
	{ "windows-1250", "CP1250" }, { "windows-1251", "CP1251" },
	{ "windows-1252", WESTERN }, { "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" }, { "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" }, { "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" }, { "iso-8859-1", WESTERN },
	{ "iso-8859-2", "ISO-8859-2" }, { "iso-8859-15", "ISO-8859-15" },
	{ "gbk", "GBK" }, { "windows-936", "GBK" }, { "gb18030", "GB18030" },
	{ "shift_jis", "CP932" }, { "windows-932", "CP932" },
	{ "windows-31j", "CP932" }, { "euc-jp", "EUC-JP" },
	{ "big5", "BIG5" }, { "windows-950", "BIG5" },
	{ "euc-kr", "EUC-KR" }, { "windows-949", "CP949" },
};

/* "\.encoding = \"x\"" anywhere; the value, or NULL. */
static const char *find_encoding(const char *text, size_t *len)
{
	const char *p = strstr(text, ".encoding");

	while (p && p != text && p[-1] != '\n' && p[-1] != '\r')
		p = strstr(p + 1, ".encoding");
	if (!p)
		return NULL;
	p += strlen(".encoding");
	p += strspn(p, " \t");
	if (*p != '=')
		return NULL;
	p++;
	p += strspn(p, " \t\"");
	*len = strcspn(p, " \t\"\r\n");
	return p;
}

/* windows-1252 is Latin 1, but for these from 0x80 on. */
static int from_western(struct reader *r, char **out)
{
	static const uint16_t high[32] = {
		0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
		0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
		0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
	};
	char *to = malloc(3 * r->len + 1);

	*out = to;
	if (!to)
		return fail(r->e, ENOMEM, "out of memory");
	for (const char *p = r->text; *p; p++) {
		unsigned c = (unsigned char)*p;

		c = c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c;
		if (c < 0x80) {
			*to++ = (char)c;
			continue;
		}
		if (c >= 0x800)
			*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) :
			       0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	*to = 0;
	return 0;
}

/* All of the text from `from` to UTF-8. */
static int to_utf8(struct reader *r, const char *from, char **out)
{
	iconv_t cd = iconv_open("UTF-8", from);
	size_t in_left = r->len, room = r->len * 3, out_left = room;
	char *in = (char *)(uintptr_t)r->text, *to;
	size_t n;

	if (cd == (iconv_t)-1)
		return fail(r->e, ENOTSUP, "%s is in the encoding %s, which "
			    "this system cannot convert", r->path, from);
	*out = to = malloc(room + 1);
	n = to ? iconv(cd, &in, &in_left, &to, &out_left) : 0;
	iconv_close(cd);
	if (!to)
		return fail(r->e, ENOMEM, "out of memory");
	if (n == (size_t)-1)
		return fail(r->e, EUCLEAN, "%s says that it is in %s, but byte "
			    "%zu is not", r->path, from, r->len - in_left);
	*to = 0;
	return 0;
}

static int decode(struct reader *r, char **out)
{
	size_t len = 0, i, n = sizeof(encodings) / sizeof(encodings[0]);
	const char *name = find_encoding(r->text, &len);

	for (i = 0; name && i < n; i++)
		if (strlen(encodings[i][0]) == len &&
		    !strncasecmp(name, encodings[i][0], len))
			break;
	if (name && i == n)
		return fail(r->e, ENOTSUP, "%s is in the encoding \"%.*s\", "
			    "which is none that VMX files are known to have",
			    r->path, (int)min_u64(len, 40), name);
	if (name && encodings[i][1] && strcmp(encodings[i][1], WESTERN))
		return to_utf8(r, encodings[i][1], out);
	if (name && encodings[i][1])
		return from_western(r, out);
	if (!text_is_utf8(r->text)) {
		int rc = from_western(r, out);

		return rc ? rc : NOTE(r, "vmx-encoding", "The file is not in "
				      "UTF-8; it is read as windows-1252.");
	}
	*out = strdup(r->text);
	return *out ? 0 : fail(r->e, ENOMEM, "out of memory");
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* |22 is '"'.  In place.  A NUL or what is no UTF-8 would stay a text's end or
 * break it: such an escape stays as it stands.
 */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int high = *s == '|' ? hex(s[1]) : -1;
		int low = high >= 0 ? hex(s[2]) : -1;

		if (low >= 0 && (high || low) && high < 8) {
			*to++ = (char)(high << 4 | low);
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* The value of a line, cut out; NULL: it is broken. */
static char *cut_value(char *p)
{
	char *end;

	p += strspn(p, " \t");
	if (*p != '"') {
		end = p + strlen(p);
		while (end > p && strchr(" \t", end[-1]))
			end--;
		*end = 0;
		return p;
	}
	end = strrchr(p + 1, '"');
	if (!end)
		return NULL;
	*end = 0;
	return p + 1;
}

static int add_line(struct reader *r, struct vmx *v, char *line,
		    unsigned number)
{
	char *equals = strchr(line, '='), *value, *p;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	value = equals ? cut_value(equals + 1) : NULL;
	if (!value)
		return NOTE(r, "vmx-line", "Line %u is no setting and is "
			    "passed over.", number);
	for (p = equals; p > line && strchr(" \t", p[-1]); )
		p--;
	*p = 0;
	for (p = line; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	unescape(value);
	if (v->n == MAX_LINES)
		return fail(r->e, EFBIG, "%s has more than %u settings",
			    r->path, MAX_LINES);
	if (array_grow(&v->lines, &v->cap, v->n + 1, sizeof(*v->lines)))
		return fail(r->e, ENOMEM, "out of memory");
	v->lines[v->n++] = (struct vmx_line){ line, value, number };
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct vmx_line *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : x->number < y->number ? -1 : 1;
}

/* Of a key that comes twice the last stays. */
static int drop_doubles(struct reader *r, struct vmx *v)
{
	size_t to = 0;

	if (v->n)
		qsort(v->lines, v->n, sizeof(*v->lines), by_key);
	for (size_t i = 0; i < v->n; i++) {
		struct vmx_line *next = i + 1 < v->n ? &v->lines[i + 1] : NULL;

		if (!next || strcmp(v->lines[i].key, next->key)) {
			v->lines[to++] = v->lines[i];
			continue;
		}
		if (strcmp(v->lines[i].value, next->value) &&
		    NOTE(r, "vmx-twice", "\"%s\" is set in line %u and in line "
			 "%u; the last counts.", v->lines[i].key,
			 v->lines[i].number, next->number))
			return -ENOMEM;
	}
	v->n = to;
	return 0;
}

int vmx_parse(struct reader *r, struct vmx *out)
{
	unsigned number = 0;
	char *rest, *line;
	int rc;

	*out = (struct vmx){ 0 };
	rc = decode(r, &out->text);
	rest = out->text;
	if (!rc && !strncmp(rest, "\xef\xbb\xbf", 3))
		rest += 3;
	while (!rc && (line = strsep(&rest, "\n"))) {
		line[strcspn(line, "\r")] = 0;
		rc = add_line(r, out, line, ++number);
	}
	if (!rc)
		rc = drop_doubles(r, out);
	if (rc)
		vmx_free(out);
	return rc;
}

void vmx_free(struct vmx *v)
{
	free(v->text);
	free(v->lines);
	*v = (struct vmx){ 0 };
}

const struct vmx_line *vmx_with(const struct vmx *v, const char *prefix)
{
	size_t low = 0, high = v->n, len = strlen(prefix);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(v->lines[mid].key, prefix) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n && !strncmp(v->lines[low].key, prefix, len) ?
		&v->lines[low] : NULL;
}

/* Longer keys than any that is asked for. */
#define KEY_LEN 80u

static const char *get(const struct vmx *v, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static const char *get(const struct vmx *v, const char *fmt, va_list ap)
{
	const struct vmx_line *l;
	char key[KEY_LEN];

	vsnprintf(key, sizeof(key), fmt, ap);
	l = vmx_with(v, key);
	return l && !strcmp(l->key, key) ? l->value : NULL;
}

const char *vmx_get(const struct vmx *v, const char *fmt, ...)
{
	const char *value;
	va_list ap;

	va_start(ap, fmt);
	value = get(v, fmt, ap);
	va_end(ap);
	return value;
}

bool vmx_true(const struct vmx *v, const char *fmt, ...)
{
	const char *value;
	bool is = false;
	va_list ap;

	va_start(ap, fmt);
	value = get(v, fmt, ap);
	va_end(ap);
	return value && parse_bool(value, &is) && is;
}
