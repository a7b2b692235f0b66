/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modes.c - to real mode and back, a real-mode interrupt, and 64-bit code.
 */
#include "tiny.h"

/* modes.S */
extern uint8_t real_start[], real_end[];
extern uint32_t real_result, long_result[4];
void run_real(void);
void run_long(uint32_t cr3);

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));

static void real(void)
{
	copy((void *)0x8000, real_start, (uint32_t)(real_end - real_start));
	run_real();
	check("real mode: interrupt 0x40 and arithmetic",
	      *(uint32_t *)(0x8000 + (uint32_t)((uint8_t *)&real_result -
						real_start)), 0x4242beef);
}

static void long_mode(void)
{
	pml4[0] = (uint32_t)pdpt | 3;
	pdpt[0] = (uint32_t)pd | 3;
	for (uint32_t i = 0; i < 4; i++)
		pd[i] = (uint64_t)i << 21 | 0x83;
	run_long((uint32_t)pml4);
	check("long mode: product, low", long_result[0], 0xcdef0123u * 3);
	check("long mode: product, high", long_result[1], 0x89ab4567u * 3 + 2);
	check("long mode: r15", long_result[2], 0x15151515);
	check("long mode: rip-relative", long_result[3], 0x64646464);
}

void guest_main(void)
{
	put("protected mode\n");
	real();
	long_mode();
	real();
}
