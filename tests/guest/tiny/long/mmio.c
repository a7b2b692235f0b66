/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmio.c - instructions do to device memory what they do to RAM, across its pages
 * too.
 */
#include "long.h"

#define DEVICE	0xff000000u	/* of the test devices: keeps what is written */
#define LEN	256u
#define N_REGS	5u

/* mmio.S */
struct each {
	void (*run)(void);
	const char *name;
};
extern const struct each each_one[], each_end[];

static void start(volatile uint8_t *at)
{
	for (uint32_t i = 0; i < LEN; i++)
		at[i] = (uint8_t)(i * 37 + 11);
}

static void run(const struct each *e, volatile uint8_t *at,
		uint64_t regs[N_REGS])
{
	uint64_t rax = 0x123456789abcdef0, rcx = 0x0fedcba987654321;
	uint64_t rdx = 0x1122334455667788, rsi = 0, rdi = (uint64_t)at;

	start(at);
	__asm__ volatile("call *%5\n\t" "cld"
			 : "+a"(rax), "+c"(rcx), "+d"(rdx), "+S"(rsi),
			 "+D"(rdi)
			 : "b"(e->run)
			 : "r8", "r9", "r10", "r11", "r12", "memory", "cc");
	regs[0] = rax;
	regs[1] = rcx;
	regs[2] = rdx;
	regs[3] = rsi ? rsi - (uint64_t)at : 0;
	regs[4] = rdi - (uint64_t)at;
}

static void compare(const struct each *e, uint64_t where)
{
	static uint8_t ram[4 * LEN] __attribute__((aligned(64)));
	volatile uint8_t *device = (uint8_t *)where;
	uint64_t want[N_REGS], got[N_REGS];
	uint32_t wrong = 0;

	run(e, ram, want);
	run(e, device, got);
	for (uint32_t i = 0; i < N_REGS; i++)
		expect(e->name, got[i], want[i]);
	for (uint32_t i = 0; i < LEN; i++)
		wrong += device[i] != ram[i];
	expect(e->name, wrong, 0);
}

void guest_main(void)
{
	for (const struct each *e = each_one; e < each_end; e++) {
		compare(e, DEVICE);
		/* Page boundaries where operands cross them. */
		for (uint32_t i = 0; i < 160; i += 16)
			compare(e, DEVICE + 4096 - i);
	}
	done("mmio");
}
