/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf16.c - UTF-16LE to UTF-8. */
#include "convert/fs/utf16.h"

#include "imgfmt/base/bytes.h"

static size_t put_utf8(uint32_t c, char *out)
{
	/* The first byte's mark, by the number of bytes that follow. */
	static const uint8_t mark[] = { 0, 0xc0, 0xe0, 0xf0 };
	unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	out[0] = (char)(mark[more] | c >> 6 * more);
	for (unsigned i = 1; i <= more; i++)
		out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return 1 + more;
}

size_t utf16_text(const uint8_t *p, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t c = get_le16(p + 2 * i), low = 0;

		if (!c)
			break;
		if (i + 1 < n)
			low = get_le16(p + 2 * i + 2);
		if ((c & 0xfc00) == 0xd800 && (low & 0xfc00) == 0xdc00) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
			i++;
		} else if ((c & 0xf800) == 0xd800) {
			c = 0xfffd;
		}
		len += put_utf8(c, out + len);
	}
	out[len] = 0;
	return len;
}
