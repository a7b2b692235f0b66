/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memmap.c - the memory map that the guest is given: its ranges are in order, and
 * the first and last bytes of each, also above 4 GiB, are memory.
 */
#include "tiny.h"

struct range { uint32_t low, high, len_low, len_high, type; };

static uint64_t pointers[4] __attribute__((aligned(32)));
static uint64_t directory[512] __attribute__((aligned(4096)));

static void set_paging(uint32_t on)
{
	uint32_t reg;

	__asm__ volatile("movl %%cr0, %0; andl $0x7fffffff, %0; orl %1, %0; "
			 "movl %0, %%cr0" : "=&r"(reg) : "r"(on << 31) :
			 "memory");
}

static uint32_t keeps_words(uint32_t at)
{
	uint32_t was = mmio_read(at), ok;

	mmio_write(at, ~was);
	ok = mmio_read(at) == ~was;
	mmio_write(at, was);
	return ok;
}

/* Above 4 GiB by PAE, which shows it in the second 2 MiB; we are in the first. */
static uint32_t is_memory(uint64_t at)
{
	uint32_t ok;

	if (!(at >> 32))
		return keeps_words((uint32_t)at);
	directory[0] = 0x83;
	directory[1] = at >> 21 << 21 | 0x83;
	pointers[0] = (uint32_t)directory | 1;
	__asm__ volatile("movl %0, %%cr4; movl %1, %%cr3" : :
			 "r"(0x20), "r"(pointers) : "memory");
	set_paging(1);
	ok = keeps_words(0x200000 | ((uint32_t)at & 0x1ffffc));
	set_paging(0);
	return ok;
}

void guest_main(void)
{
	const uint32_t *info = (const uint32_t *)boot_info;
	uint32_t at = info[12], end = at + info[11];
	uint64_t last = 0, ram = 0;

	check("a map", info[0] >> 6 & 1, 1);
	while (at < end) {
		const struct range *r = (const struct range *)(at + 4);
		uint64_t first = (uint64_t)r->high << 32 | r->low;
		uint64_t len = (uint64_t)r->len_high << 32 | r->len_low;

		if (first < last)
			put("ranges out of order\n");
		last = first + len;
		if (r->type == 1) {
			ram += len;
			if (!is_memory(first) || !is_memory(last - 4))
				put("not memory\n");
		}
		at += mmio_read(at) + 4;
	}
	check("up to the end", at, end);
	put_dec((uint32_t)((ram + (1 << 20) - 1) >> 20));
	put(" MiB, ends at ");
	put_dec((uint32_t)(last >> 20));
	put(" MiB\n");
}
