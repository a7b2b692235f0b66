/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paging.c - 64-bit paging: each page size, accessed and dirty bits, the faults
 * and their error codes, and what INVLPG and CR3 forget.  access.c has the rest.
 */
#include "long.h"

#define P	0x01u
#define W	0x02u
#define U	0x04u
#define A	0x20u
#define D	0x40u
#define PS	0x80u
#define NX	(1ull << 63)

/* In the upper half, where nothing is by itself. */
#define LIN	0xffff900000000000ull
#define HUGE	(LIN + (1ull << 30))
#define LARGE	(LIN + (2ull << 20))
#define PHYS	0x2000000ull

static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t dir[512] __attribute__((aligned(4096)));
static uint64_t table[512] __attribute__((aligned(4096)));
static const uint8_t ret = 0xc3;

static uint64_t at(const void *p)
{
	return (uint64_t)p;
}

static uint32_t error_of(uint32_t vector, uint32_t want)
{
	return vector == want ? caught.error : 0xbad00000 | vector;
}

static uint32_t read_at(uint64_t lin)
{
	return TRY("movl (%0), %%eax", "r"(lin), "a"(0));
}

static uint32_t write_at(uint64_t lin)
{
	return TRY("movl %1, (%0)", "r"(lin), "r"(0x600df00d));
}

static uint64_t user_read(uint64_t lin)
{
	return *(volatile uint32_t *)lin;
}

static void make(void)
{
	pml4[LIN >> 39 & 511] = at(pdpt) | P | W | U;
	pdpt[0] = at(dir) | P | W | U;
	dir[0] = at(table) | P | W | U;
	dir[1] = PHYS | P | W | PS;
	table[0] = PHYS | P | W;
	table[1] = (PHYS + 0x1000) | P;
	table[2] = (PHYS + 0x2000) | P | W | U;
	table[3] = (PHYS + 0x3000) | P | W | NX;
	write_cr3(read_cr3());
}

static void test_sizes(void)
{
	mmio_write(PHYS + 0x123c, 0x11111111);
	expect("4 KiB", mmio_read(LIN + 0x123c), 0x11111111);
	expect("2 MiB", mmio_read(LARGE + 0x123c), 0x11111111);
	expect("across two pages", *(volatile uint64_t *)(LIN + 0xffc) >> 32,
	       mmio_read(PHYS + 0x1000));
	/* Where the CPU has such pages. */
	pdpt[1] = P | W | PS;
	expect("1 GiB", has(0x80000001, 3, 26) ?
	       mmio_read(HUGE + PHYS + 0x123c) : 0x11111111, 0x11111111);
}

static void test_accessed(void)
{
	make();
	mmio_read(LIN);
	expect("read: A", table[0] & (A | D), A);
	expect("A above", (dir[0] & A) | (pdpt[0] & A), A);
	mmio_write(LIN, 1);
	expect("write: D", table[0] & (A | D), A | D);
	expect("not its neighbour's", table[2] & (A | D), 0);
	mmio_write(LARGE, 2);
	expect("2 MiB: D", dir[1] & (A | D), A | D);
	expect("the same page", mmio_read(LIN), 2);
}

static void test_faults(void)
{
	make();
	expect("not present", error_of(read_at(LIN + 0x5678), PF), 0);
	expect("CR2", caught.cr2, LIN + 0x5678);
	expect("write, not present", error_of(write_at(LIN + 0x5678), PF), 2);
	expect("read only", error_of(write_at(LIN + 0x1000), PF), 3);
	write_cr0(read_cr0() & ~0x10000ull);
	expect("without WP", write_at(LIN + 0x1000), NONE);
	write_cr0(read_cr0() | 0x10000);
	expect("it was written", mmio_read(PHYS + 0x1000), 0x600df00d);
	expect("ring 3", user_try(user_read, LIN + 0x2000, 0), NONE);
	expect("ring 3, not its page",
	       error_of(user_try(user_read, LIN, 0), PF), 5);
	*(volatile uint8_t *)(PHYS + 0x3000) = ret;
	*(volatile uint8_t *)PHYS = ret;
	expect("execute", TRY("call *%0", "r"(LIN)), NONE);
	expect("no execute", error_of(TRY("jmp *%0", "r"(LIN + 0x3000)), PF),
	       0x11);
	expect("not canonical", error_of(read_at(0x900000000000), GP), 0);
}

static void test_forgets(void)
{
	make();
	mmio_write(PHYS, 0xaaaa);
	mmio_write(PHYS + 0x2000, 0xbbbb);
	expect("before", mmio_read(LIN), 0xaaaa);
	table[0] = (PHYS + 0x2000) | P | W;
	invlpg(LIN);
	expect("after INVLPG", mmio_read(LIN), 0xbbbb);
	table[0] = PHYS | P | W;
	write_cr3(read_cr3());
	expect("after CR3", mmio_read(LIN), 0xaaaa);
	table[0] = 0;
	invlpg(LIN);
	expect("gone", error_of(read_at(LIN), PF), 0);
}

void guest_main(void)
{
	make();
	test_sizes();
	test_accessed();
	test_faults();
	test_forgets();
	done("paging");
}
