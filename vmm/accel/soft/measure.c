/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.c - how fast the software CPU is on this host. */
#include <time.h>

#include "machine.h"
#include "soft_test.h"

#define CODE	0x10000u
#define DATA	0x20000u
#define ENOUGH	2000000u	/* ns */
#define ROUND	30000u		/* instructions, less than 1 ms of most hosts */

/* What compilers make of loops: loads, a store, arithmetic and a branch. */
static const uint8_t loop[] = {
	0x48, 0x8b, 0x06,		/* 1: mov (%rsi), %rax */
	0x48, 0x01, 0xd8,		/* add %rbx, %rax */
	0x48, 0x89, 0x46, 0x08,		/* mov %rax, 8(%rsi) */
	0x48, 0x8d, 0x5c, 0x03, 0x01,	/* lea 1(%rbx, %rax), %rbx */
	0xff, 0xc9,			/* dec %ecx */
	0x75, 0xed,			/* jnz 1b */
	0xeb, 0xeb,			/* jmp 1b */
};

static uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static double measure(struct soft_test *t)
{
	uint64_t insns = 0, begin, now;
	struct soft_test_end end;
	struct cpu_state s;

	soft_test_state64(&s);
	s.rip = CODE;
	s.gpr[CPU_RSI] = DATA;
	/* Once without looking at the clock: what is decoded stays so. */
	soft_test_run(t, &s, ROUND / 10, &end);
	begin = host_ns();
	do {
		soft_test_run(t, &s, ROUND, &end);
		insns += end.insns;
		now = host_ns();
	} while (!end.fault && now - begin < ENOUGH);
	return (double)insns * 1000 / (double)max_u64(now - begin, 1);
}

double soft_measure(void)
{
	struct soft_test *t;
	double mips = 0;

	if (soft_test_new(&t, 2 * MEM_PAGE))
		return 0;
	memcpy(soft_test_memory(t), loop, sizeof(loop));
	if (!soft_test_map(t, CODE, 0, MEM_PAGE, SOFT_TEST_R | SOFT_TEST_X) &&
	    !soft_test_map(t, DATA, MEM_PAGE, MEM_PAGE,
			   SOFT_TEST_R | SOFT_TEST_W))
		mips = measure(t);
	soft_test_free(t);
	return mips;
}
