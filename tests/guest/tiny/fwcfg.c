/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwcfg.c - fw_cfg's DMA: what it reads, and addresses where there is nothing. */
#include "tiny.h"

#define ERROR	1u
#define READ	2u
#define SKIP	4u
#define SELECT	8u
#define WRITE	16u

#define SIGNATURE	0x0000u
#define FILES		0x0019u

/* Big endian. */
static struct { uint32_t control, len, addr_high, addr; } dma;

static void start(uint32_t high, uint32_t low)
{
	outl(0x514, __builtin_bswap32(high));
	outl(0x518, __builtin_bswap32(low));
}

static uint32_t run(uint32_t control, uint32_t len, uint32_t high, uint32_t low)
{
	dma.control = __builtin_bswap32(control);
	dma.len = __builtin_bswap32(len);
	dma.addr_high = __builtin_bswap32(high);
	dma.addr = __builtin_bswap32(low);
	start(0, (uint32_t)&dma);
	return __builtin_bswap32(*(volatile uint32_t *)&dma.control);
}

void guest_main(void)
{
	static char text[5];

	check("read", run(SIGNATURE << 16 | SELECT | READ, 4, 0,
			  (uint32_t)text), 0);
	put(text);
	put("\n");
	check("skip", run(SIGNATURE << 16 | SELECT | SKIP, 2, 0, 0), 0);
	check("read on", run(READ, 2, 0, (uint32_t)text), 0);
	put(text);
	put("\n");
	check("to nowhere", run(FILES << 16 | SELECT | READ, 64, 0xffffffff,
				0xfffff000), ERROR);
	check("to behind the address space", run(FILES << 16 | SELECT | READ,
						 64, 0xffffffff, 0xfffffff0),
	      ERROR);
	check("much of it", run(SIGNATURE << 16 | SELECT | READ, 0xffffffff,
				0x7fffffff, 0), ERROR);
	check("write what cannot be", run(SIGNATURE << 16 | SELECT | WRITE, 4,
					  0, (uint32_t)text), ERROR);
	/* The request itself. */
	start(0xffffffff, 0xfffffff8);
	start(0x00001000, 0);
	start(0, 0xfee00000);
	check("read", run(SIGNATURE << 16 | SELECT | READ, 4, 0,
			  (uint32_t)text), 0);
	put(text);
	put("\n");
}
