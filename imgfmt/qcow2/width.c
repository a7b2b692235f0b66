/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* width.c - refcounts of 1 to 64 bits in a block in memory.
 * Specification: "Refcount block entry".
 */
#include "qcow2.h"

/* Widths below a byte: where in its byte the i-th one starts. */
static unsigned bit_of(unsigned order, uint64_t i)
{
	return ((unsigned)i & ((8u >> order) - 1)) << order;
}

uint64_t qcow2_refcount_get(const void *block, unsigned order, uint64_t i)
{
	const uint8_t *p = block;

	switch (order) {
	case 3:
		return p[i];
	case 4:
		return get_be16(p + 2 * i);
	case 5:
		return get_be32(p + 4 * i);
	case 6:
		return get_be64(p + 8 * i);
	default:
		return (unsigned)p[i >> (3 - order)] >> bit_of(order, i) &
		       ((1u << (1u << order)) - 1);
	}
}

void qcow2_refcount_set(void *block, unsigned order, uint64_t i, uint64_t value)
{
	uint8_t *p = block;
	unsigned mask, shift;

	switch (order) {
	case 3:
		p[i] = (uint8_t)value;
		return;
	case 4:
		put_be16(p + 2 * i, (uint16_t)value);
		return;
	case 5:
		put_be32(p + 4 * i, (uint32_t)value);
		return;
	case 6:
		put_be64(p + 8 * i, value);
		return;
	default:
		p += i >> (3 - order);
		shift = bit_of(order, i);
		mask = (1u << (1u << order)) - 1;
		*p = (uint8_t)((*p & ~(mask << shift)) |
			       ((unsigned)value & mask) << shift);
	}
}
