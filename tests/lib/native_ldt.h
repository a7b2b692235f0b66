/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_ldt.h - the segments that instructions may run in and use: those that
 * Linux has for all, and some of this process's LDT, of every kind.
 */
#ifndef TESTS_NATIVE_LDT_H
#define TESTS_NATIVE_LDT_H

#include <stdbool.h>
#include <stdint.h>

/* Linux's. */
#define NATIVE_CS64	0x33u
#define NATIVE_CS32	0x23u
#define NATIVE_SS64	0x2bu	/* data, flat: also of 32-bit code */

/* The memory that segments of the LDT show: four pages that native_map() may give. */
#define NATIVE_DATA	0x30000000ul

/* What a selector of our LDT is. */
enum native_kind {
	NK_CODE16 = 1, NK_CODE32,
	NK_DATA16,	/* 64 KiB, from a page before NATIVE_DATA */
	NK_SHORT16,	/* its limit is within memory */
	NK_DOWN16,	/* expand-down */
	NK_WRAP16,	/* the last page of its 64 KiB is memory */
	NK_RO16,	/* read-only */
	NK_ODD32,	/* 4 GiB, from an odd base */
	NK_SHORT32,
	NK_DOWN32,
	NK_EXEC32,	/* code that cannot be read */
	NK_ABSENT,	/* not present */
	NK_N
};

#define NATIVE_SEL(kind)	((uint16_t)((kind) << 3 | 7))

/* Fill in the LDT.  False: this kernel has none. */
bool native_ldt_open(void);

/* The descriptor of a selector as the CPU has it; 0: none is known. */
uint64_t native_ldt_descriptor(uint16_t selector);

/* Its base. */
uint32_t native_ldt_base(uint16_t selector);

#endif
