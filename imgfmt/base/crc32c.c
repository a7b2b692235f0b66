/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crc32c.c - by the CPU's instruction where it has one, else four bits at a time. */
#include "crc32c.h"

#include <string.h>

/* Of the 16 values of four bits: polynomial 0x82f63b78, reflected. */
static const uint32_t nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t slow(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static uint32_t fast(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc, x;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&x, p, 8);
		c = __builtin_ia32_crc32di(c, x);
	}
	for (; len; len--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t len)
{
	return __builtin_cpu_supports("sse4.2") ? fast(crc, p, len)
						: slow(crc, p, len);
}
#else
uint32_t crc32c(uint32_t crc, const void *p, size_t len)
{
	return slow(crc, p, len);
}
#endif
