/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_ldt.c - a local descriptor table for this process: modify_ldt(2). */
#include "native_ldt.h"

#include <asm/ldt.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

#define READ_LDT	0
#define WRITE_LDT	0x11

enum { DATA, DOWN, CODE };	/* user_desc.contents */

#define SEGMENT(kind, base_, limit_, contents_, big, ro)		\
	[kind] = { .entry_number = kind, .base_addr = (uint32_t)(base_), \
		   .limit = limit_, .contents = contents_, .seg_32bit = big, \
		   .read_exec_only = ro, .useable = 1 }

static const struct user_desc descs[NK_N] = {
	SEGMENT(NK_CODE16, NATIVE_CODE, 0xffff, CODE, 0, 0),
	SEGMENT(NK_CODE32, NATIVE_CODE, 0x2fff, CODE, 1, 0),
	SEGMENT(NK_DATA16, NATIVE_DATA - 0x1000, 0xffff, DATA, 0, 0),
	SEGMENT(NK_SHORT16, NATIVE_DATA, 0x17ff, DATA, 0, 0),
	SEGMENT(NK_DOWN16, NATIVE_DATA - 0xe000, 0xe3ff, DOWN, 0, 0),
	SEGMENT(NK_WRAP16, NATIVE_DATA - 0xf000, 0xffff, DATA, 0, 0),
	SEGMENT(NK_RO16, NATIVE_DATA - 0x800, 0xffff, DATA, 0, 1),
	SEGMENT(NK_ODD32, 0x1235, 0xfffff, DATA, 1, 0),
	SEGMENT(NK_SHORT32, NATIVE_DATA, 0x1234, DATA, 1, 0),
	SEGMENT(NK_DOWN32, NATIVE_DATA + 0x2000, 0xffffe, DOWN, 1, 0),
	SEGMENT(NK_EXEC32, NATIVE_CODE, 0xffff, CODE, 1, 1),
	SEGMENT(NK_ABSENT, NATIVE_DATA, 0xffff, DATA, 0, 0),
};

bool native_ldt_open(void)
{
	for (unsigned i = 1; i < NK_N; i++) {
		struct user_desc d = descs[i];

		d.limit_in_pages = i == NK_ODD32 || i == NK_DOWN32;
		d.seg_not_present = i == NK_ABSENT;
		if (syscall(SYS_modify_ldt, WRITE_LDT, &d, sizeof(d)))
			return false;
	}
	return native_has_bases();
}

uint64_t native_ldt_descriptor(uint16_t selector)
{
	uint64_t d[NK_N] = { 0 };

	switch (selector) {
	case NATIVE_CS32: return 0x00cffb000000ffff;
	case NATIVE_SS64: return 0x00cff3000000ffff;
	case NATIVE_CS64: return 0x00affb000000ffff;
	}
	if (!(selector & 4) || selector >> 3 >= NK_N ||
	    syscall(SYS_modify_ldt, READ_LDT, d, sizeof(d)) < 0)
		return 0;
	return d[selector >> 3];
}

uint32_t native_ldt_base(uint16_t selector)
{
	return selector & 4 && selector >> 3 < NK_N ?
		descs[selector >> 3].base_addr : 0;
}
