/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encoding.c - text of any age as UTF-8.
 *
 * A descriptor states the code page of the host that wrote it.  The name is
 * looked up in a table first: iconv_open() would load whatever module a hostile
 * name leads to.
 */
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk.h"

/* As descriptors spell it (case does not matter), and for iconv. */
static const char *const known[][2] = {
	{ "UTF-8", "UTF-8" }, { "US-ASCII", "UTF-8" }, { "ASCII", "UTF-8" },
	{ "UTF-16", "UTF-16" }, { "UTF-16LE", "UTF-16LE" },
	{ "UTF-16BE", "UTF-16BE" },
	{ "windows-874", "CP874" }, { "windows-31J", "CP932" },
	{ "windows-932", "CP932" }, { "windows-936", "CP936" },
	{ "windows-949", "CP949" }, { "windows-950", "CP950" },
	{ "windows-1250", "CP1250" }, { "windows-1251", "CP1251" },
	{ "windows-1252", "CP1252" }, { "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" }, { "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" }, { "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "ISO-8859-1", "ISO-8859-1" }, { "ISO-8859-2", "ISO-8859-2" },
	{ "ISO-8859-5", "ISO-8859-5" }, { "ISO-8859-7", "ISO-8859-7" },
	{ "ISO-8859-9", "ISO-8859-9" }, { "ISO-8859-15", "ISO-8859-15" },
	{ "GBK", "GBK" }, { "GB2312", "GBK" }, { "GB18030", "GB18030" },
	{ "Big5", "BIG5" }, { "Shift_JIS", "CP932" }, { "EUC-JP", "EUC-JP" },
	{ "EUC-KR", "EUC-KR" }, { "KOI8-R", "KOI8-R" },
};

static const char *iconv_name(const char *encoding)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcasecmp(encoding, known[i][0]))
			return known[i][1];
	return NULL;
}

/* How long is the UTF-8 sequence at `p`?  0: it is none. */
static size_t sequence_len(const uint8_t *p, size_t len)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
		   p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (!n || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong, a surrogate, beyond the last code point. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static bool is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;

	for (size_t n; len; p += n, len -= n) {
		n = sequence_len(p, len);
		if (!n)
			return false;
	}
	return true;
}

/* NULL with errno if it is not text in that encoding. */
static char *convert(const char *text, size_t len, const char *from)
{
	size_t room = 4 * len, left = len;
	char *in = (char *)(uintptr_t)text, *out, *p;
	iconv_t cd;

	out = p = malloc(room + 1);
	if (!out)
		return NULL;
	cd = iconv_open("UTF-8", from);
	if (cd == (iconv_t)-1 ||
	    iconv(cd, &in, &left, &p, &room) == (size_t)-1 || left) {
		free(out);
		out = NULL;
		errno = EILSEQ;
	} else {
		*p = 0;
	}
	if (cd != (iconv_t)-1)
		iconv_close(cd);
	return out;
}

/* Every byte means something: as in windows-1252 where iconv knows it, else as
 * in ISO 8859-1, which needs no table.
 */
static char *from_latin(const char *text, size_t len)
{
	char *out = convert(text, len, "CP1252"), *p;

	if (out || errno == ENOMEM)
		return out;
	out = p = malloc(2 * len + 1);
	for (size_t i = 0; out && i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c >= 0x80)
			*p++ = (char)(0xc0 | c >> 6);
		*p++ = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
	}
	if (out)
		*p = 0;
	return out;
}

char *vmdk_to_utf8(const char *text, size_t len, const char *encoding)
{
	const char *from = encoding ? iconv_name(encoding) : NULL;
	bool stated = from && strcmp(from, "UTF-8");
	char *out = NULL;

	/* What is ASCII in all of them; many writers state a code page and
	 * write UTF-8 nevertheless, which text in a code page rarely looks
	 * like.
	 */
	if (!(stated && !strncmp(from, "UTF-16", 6)) && is_utf8(text, len))
		return strndup(text, len);
	if (stated)
		out = convert(text, len, from);
	return out || (stated && errno == ENOMEM) ? out
						  : from_latin(text, len);
}
