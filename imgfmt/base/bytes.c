/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bytes.c - scanning memory. */
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
