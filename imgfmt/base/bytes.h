/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bytes.h - numbers in a given byte order, at any alignment.
 *
 * Compilers turn each of these into one load or store, with a byte swap where
 * the host's order differs.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_LE(bits, x) (x)
#define BYTES_BE(bits, x) __builtin_bswap##bits(x)
#else
#define BYTES_LE(bits, x) __builtin_bswap##bits(x)
#define BYTES_BE(bits, x) (x)
#endif

#define BYTES_DEFINE(order, name, bits)					\
	static inline uint##bits##_t get_##name##bits(const void *p)	\
	{								\
		uint##bits##_t x;					\
		memcpy(&x, p, sizeof(x));				\
		return BYTES_##order(bits, x);				\
	}								\
	static inline void put_##name##bits(void *p, uint##bits##_t x)	\
	{								\
		x = BYTES_##order(bits, x);				\
		memcpy(p, &x, sizeof(x));				\
	}

BYTES_DEFINE(LE, le, 16)
BYTES_DEFINE(LE, le, 32)
BYTES_DEFINE(LE, le, 64)
BYTES_DEFINE(BE, be, 16)
BYTES_DEFINE(BE, be, 32)
BYTES_DEFINE(BE, be, 64)

#undef BYTES_DEFINE
#undef BYTES_LE
#undef BYTES_BE

/* Are these `len` bytes all zero?  Fast: limited by memory bandwidth. */
bool bytes_are_zero(const void *p, size_t len);

/* `text` is 2 * len hexadecimal digits, and nothing else: have the bytes. */
bool hex_read(const char *text, uint8_t *out, size_t len);

#endif
