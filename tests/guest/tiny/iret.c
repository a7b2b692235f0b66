/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iret.c - IRET in protected mode: flags, selectors that it refuses, to ring 3, to
 * virtual-8086 mode and to another task.
 */
#include "tiny.h"

#define GATE32(dpl)	(0x8e00 | (dpl) << 13)
#define TSS	0x40u
#define OTHER	0x48u
#define BUSY	2u

/* Bytes of a TSS: SDM volume 3, 7.2.1. */
#define TSS_ESP0	4
#define TSS_SS0		8
#define TSS_EIP		32
#define TSS_EFLAGS	36
#define TSS_ES		72
#define TSS_CS		76

/* iret.S */
extern uint8_t tss[104], other_tss[104], vm86_start[], vm86_end[];
extern uint8_t fault_entry[], user_entry[], task_after[];
extern uint32_t frame[9], user_ds, entry_ds, entry_ebx;
uint32_t iret_flags(uint32_t flags);
uint32_t iret_selector(uint32_t cs);
void iret_user(void);
void iret_vm86(void);
uint32_t iret_task(void);

extern uint64_t gdt[6];
extern struct gate { uint16_t low, selector, type, high; } idt[256];

static uint64_t table[10];

static uint64_t tss_descriptor(const void *at)
{
	uint32_t base = (uint32_t)at;

	return 103 | (uint64_t)(base & 0xffffff) << 16 | 0x89ull << 40 |
		(uint64_t)(base >> 24) << 56;
}

static void gate(uint8_t vector, const void *entry, uint16_t type)
{
	uint32_t at = (uint32_t)entry;

	idt[vector] = (struct gate){ (uint16_t)at, 8, type,
				     (uint16_t)(at >> 16) };
}

static void word(uint8_t *t, uint32_t at, uint32_t v)
{
	*(uint32_t *)(t + at) = v;
}

static void set_up(void)
{
	struct { uint16_t limit; const void *base; } __attribute__((packed))
		pointer = { sizeof(table) - 1, table };

	copy(table, gdt, 6 * 8);
	table[6] = 0x00cffb000000ffff;	/* 33 code of ring 3 */
	table[7] = 0x00cff3000000ffff;	/* 3b data */
	table[8] = tss_descriptor(tss);
	table[9] = tss_descriptor(other_tss);
	__asm__ volatile("lgdt %0" : : "m"(pointer) : "memory");
	word(tss, TSS_SS0, 0x10);
	word(tss, 100, 104 << 16);
	__asm__ volatile("ltr %w0" : : "r"(TSS) : "memory");
	gate(0x80, user_entry, GATE32(3));
	gate(11, fault_entry, GATE32(0));
	gate(13, fault_entry, GATE32(0));
}

static void test_selectors(void)
{
	table[3] &= ~(1ull << 47);		/* 18 is not present */
	check("null", iret_selector(0), 0);
	check("behind the table", iret_selector(0x58), 0x58);
	check("data", iret_selector(0x10), 0x10);
	check("not present", iret_selector(0x18), 0x18);
	check("ring 3's with ring 0", iret_selector(0x30), 0x30);
	check("ring 0's", iret_selector(0x08), 0xffffffff);
}

static void test_user(void)
{
	iret_user();
	check("DS in ring 3", user_ds, 0);
	check("CS", frame[1], 0x33);
	check("SS", frame[4], 0x3b);
	check("what it pushed", *(uint32_t *)frame[3], 0x33333333);
	check("DS stays", entry_ds, 0x3b);
}

static void test_vm86(void)
{
	copy((void *)0x8000, vm86_start, (uint32_t)(vm86_end - vm86_start));
	iret_vm86();
	check("CS and DS in virtual-8086 mode", entry_ebx, 0x08003333);
	check("IP", frame[0], (uint32_t)(vm86_end - vm86_start));
	check("VM", frame[2] >> 17 & 1, 1);
	check("SP", frame[3], 0x0ffc);
	check("SS", frame[4], 0x0700);
	check("ES", frame[5], 0x2222);
	check("FS", frame[7], 0x4444);
	check("GS", frame[8], 0x5555);
	check("DS afterwards", entry_ds, 0);
}

static void test_task(void)
{
	for (uint32_t i = 0; i < 6; i++)
		word(other_tss, TSS_ES + 4 * i, 0x10);
	word(other_tss, TSS_CS, 0x08);
	word(other_tss, TSS_EFLAGS, 2);
	word(tss, 0, OTHER);
	table[OTHER / 8] |= (uint64_t)BUSY << 40;
	check("TR", iret_task(), OTHER);
	check("EIP", *(uint32_t *)(tss + TSS_EIP), (uint32_t)task_after);
	check("NT", *(uint32_t *)(tss + TSS_EFLAGS) >> 14 & 1, 0);
	check("busy before", table[TSS / 8] >> 40 & BUSY, 0);
	check("busy now", table[OTHER / 8] >> 40 & BUSY, BUSY);
}

void guest_main(void)
{
	set_up();
	check("flags", iret_flags(0x240cd7) & 0x244dd5, 0x240cd5);
	test_selectors();
	test_user();
	test_vm86();
	test_task();
}
