/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bytes.c - scanning memory, and hexadecimal text. */
#include "bytes.h"

/* Wide enough that the compiler keeps eight independent loads in flight; the
 * scan of data that is not zero ends in the first block.
 */
#define BLOCK 64

static bool block_is_zero(const uint8_t *p)
{
	uint64_t w[BLOCK / 8];

	memcpy(w, p, sizeof(w));
	return !(w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]);
}

bool bytes_are_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	for (; len >= 4 * BLOCK; b += 4 * BLOCK, len -= 4 * BLOCK)
		if (!block_is_zero(b) || !block_is_zero(b + BLOCK) ||
		    !block_is_zero(b + 2 * BLOCK) ||
		    !block_is_zero(b + 3 * BLOCK))
			return false;
	for (; len >= BLOCK; b += BLOCK, len -= BLOCK)
		if (!block_is_zero(b))
			return false;
	while (len--)
		if (*b++)
			return false;
	return true;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at;

	if (c >= 'A' && c <= 'F')
		c = (char)(c - 'A' + 'a');
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

bool hex_read(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return !text[2 * len];
}
