/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vector.c - instructions of x87, MMX, SSE and SSE4.2 in ring 0: what a KVM that
 * emulates the kernel cannot do alone.
 */
#include "tiny.h"

struct result {
	uint32_t low, high;
} __attribute__((aligned(16)));

static struct result first = { 0x89abcdef, 0x01234567 };

static void prepare(void)
{
	uint32_t v;

	/* OSFXSR, OSXMMEXCPT; no EM, no TS. */
	__asm__ volatile("movl %%cr4, %0; orl $0x600, %0; movl %0, %%cr4"
			 : "=r"(v));
	__asm__ volatile("movl %%cr0, %0; andl $~0xc, %0; movl %0, %%cr0"
			 : "=r"(v));
}

static void integers(void)
{
	uint32_t v;

	__asm__("popcntl %1, %0" : "=r"(v) : "rm"(first.low) : "cc");
	check("popcnt", v, 20);
	v = 7;
	__asm__("crc32l %1, %0" : "+r"(v) : "rm"(first.low));
	__asm__("crc32l %1, %0" : "+r"(v) : "rm"(first.high));
	check("crc32", v, 0x13c16fad);
}

static void vectors(void)
{
	struct result r;

	__asm__ volatile("movq %1, %%xmm1; pxor %%xmm0, %%xmm0;"
			 "paddd %%xmm1, %%xmm0; paddd %%xmm1, %%xmm0;"
			 "movq %%xmm0, %0" : "=m"(r) : "m"(first));
	check("paddd, low", r.low, 0x13579bde);
	check("paddd, high", r.high, 0x02468ace);
	__asm__ volatile("movq %1, %%mm0; paddb %%mm0, %%mm0; movq %%mm0, %0;"
			 "emms" : "=m"(r) : "m"(first));
	check("paddb, low", r.low, 0x12569ade);
	__asm__ volatile("cvtsi2sdl %1, %%xmm2; addsd %%xmm2, %%xmm2;"
			 "movq %%xmm2, %0" : "=m"(r) : "r"(-3));
	check("addsd, high", r.high, 0xc0180000);
	r.low = 0x3f80;
	__asm__ volatile("ldmxcsr %0; stmxcsr %1" : "+m"(r.low), "=m"(r.high));
	check("mxcsr", r.high, 0x3f80);
}

static void x87(void)
{
	struct result r;
	uint16_t sw;

	__asm__ volatile("fninit; fld1; fldl2e; faddp; fstl %0; fstp %%st(0);"
			 "fnstsw %1" : "=m"(r), "=a"(sw));
	check("fld1, high", r.high, 0x40038aa3);
	check("fld1, low", r.low, 0xb295c17f);
	check("x87 status", sw & 0x3800, 0);
}

void guest_main(void)
{
	prepare();
	integers();
	vectors();
	x87();
}
