/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_x87.c - what the host cannot judge about x87, MMX and SSE: tags, saved
 * environments of all modes, pointers, who gets #MF, #XM and #UD. Intel SDM volume
 * 1, 8.1, 8.7, 10.5 and 11.5; figures 8-9 to 8-12.
 */
#include "tests/check.h"

#include "vmm/accel/soft/soft_test.h"

#define CODE	0x1000u
#define DATA	0x4000u
#define SIZE	0x8000u
#define CR4_OSXMMEXCPT	0x400u

static struct soft_test *t;
static uint8_t *mem;
static struct cpu_state s;
static struct soft_test_end end;

/* Run the bytes from CODE on. */
#define RUN(...)							\
	do {								\
		static const uint8_t code_[] = { __VA_ARGS__ };		\
		run(code_, sizeof(code_), UINT32_MAX);			\
	} while (0)

static void run(const uint8_t *code, size_t len, uint64_t insns)
{
	memset(mem + CODE, 0xf4, 64);		/* HLT is #GP, or halts */
	memcpy(mem + CODE, code, len);
	soft_test_wrote(t, CODE, 64);
	s.rip = CODE;
	soft_test_run(t, &s, insns, &end);
}

/* It ran to the HLT behind its end. */
#define DONE(n) CHECK_EQ(s.rip - end.halted, CODE + (n))

static uint32_t get(unsigned at, unsigned bytes)
{
	uint32_t v = 0;

	memcpy(&v, mem + DATA + at, bytes);
	return v;
}

static unsigned fx16(unsigned at)
{
	return s.fxsave[at] | (unsigned)s.fxsave[at + 1] << 8;
}

static void set_mxcsr(uint32_t v)
{
	memcpy(s.fxsave + 24, &v, 4);
}

static uint32_t mxcsr(void)
{
	uint32_t v;

	memcpy(&v, s.fxsave + 24, 4);
	return v;
}

/* FLDZ, FLD1, FLD of infinity: three tags, and five empty. */
static void test_env_protected(void)
{
	soft_test_state32(&s);
	memcpy(mem + DATA + 0x100, &(uint32_t){ 0x7f800000 }, 4);
	memset(mem + DATA, 0xaa, 0x80);
	RUN(0xd9, 0xee,				/* fldz */
	    0xd9, 0xe8,				/* fld1 */
	    0xd9, 0x05, 0x00, 0x41, 0, 0,	/* fld dword [0x4100] */
	    0xd9, 0x35, 0x00, 0x40, 0, 0);	/* fnstenv [0x4000] */
	DONE(16);
	CHECK_EQ(get(0, 2), 0x37f);
	CHECK_EQ(get(4, 2), 5 << 11);
	/* 7: zero 01, 6: valid 00, 5: special 10, others 11. */
	CHECK_EQ(get(8, 2), 0x4bff);
	CHECK_EQ(get(12, 4), CODE + 4);
	CHECK_EQ(get(16, 2), 0x23);
	CHECK_EQ(get(18, 2), 0x105);
	CHECK_EQ(get(20, 4), DATA + 0x100);
	CHECK_EQ(get(24, 2), 0x2b);
	CHECK_EQ(get(28, 4), 0xaaaaaaaa);

	memset(mem + DATA, 0xaa, 0x80);
	RUN(0x66, 0xd9, 0x35, 0x00, 0x40, 0, 0);	/* 16 bits */
	DONE(7);
	CHECK_EQ(get(2, 2), 5 << 11);
	CHECK_EQ(get(4, 2), 0x4bff);
	/* The state that the test loads has no selectors. */
	CHECK_EQ(get(6, 2), CODE + 4);
	CHECK_EQ(get(10, 2), DATA + 0x100);
	CHECK_EQ(get(14, 4), 0xaaaaaaaa);

	/* And back: the tags say which are empty, the mask of one exception. */
	memcpy(mem + DATA + 4, &(uint16_t){ 0xfff0 }, 2);
	memcpy(mem + DATA, &(uint16_t){ 0x37b }, 2);
	memcpy(mem + DATA + 2, &(uint16_t){ 0x1004 }, 2);
	RUN(0x66, 0xd9, 0x25, 0x00, 0x40, 0, 0);	/* fldenv */
	DONE(7);
	CHECK_EQ(s.fxsave[4], 0x03);
	CHECK_EQ(fx16(0), 0x37b);
	CHECK_EQ(fx16(2), 0x9084);
}

static void test_env_real(void)
{
	soft_test_state16(&s);
	s.seg[CPU_DS].selector = 0x1230;	/* its base is 0 here */
	s.seg[CPU_CS].selector = 0x4000;
	memset(mem + DATA, 0xaa, 0x80);
	RUN(0xd9, 0x06, 0x00, 0x41,		/* fld dword [0x4100] */
	    0x66, 0xd9, 0x36, 0x00, 0x40,	/* fnstenv, 32 bits */
	    0xdd, 0x36, 0x40, 0x40);		/* fnsave, 16 bits */
	DONE(13);
	CHECK_EQ(get(12, 2), CODE);
	CHECK_EQ(get(16, 4), 0x4 << 12 | 0x106 | 0x0000);
	CHECK_EQ(get(20, 2), 0x6400);
	CHECK_EQ(get(24, 4), 0x1 << 12);
	/* 0x40: FNSAVE. */
	CHECK_EQ(get(0x44, 2), 0xbfff);
	CHECK_EQ(get(0x46, 2), CODE);
	CHECK_EQ(get(0x48, 2), 0x4106);
	CHECK_EQ(get(0x4a, 2), 0x6400);
	CHECK_EQ(get(0x4c, 2), 0x1000);
	CHECK_EQ(get(0x40 + 14 + 8, 2), 0x7fff);	/* ST(0) */
	/* FNSAVE initialises. */
	CHECK_EQ(fx16(0), 0x37f);
	CHECK_EQ(fx16(2), 0);
	CHECK_EQ(s.fxsave[4], 0);
	CHECK_EQ(fx16(8), 0);
}

/* An exception is raised by the next waiting instruction, and only with CR0.NE. */
static void test_mf(void)
{
	soft_test_state64(&s);
	RUN(0xd9, 0xee,				/* fldz */
	    0xd9, 0x3c, 0x25, 0x00, 0x40, 0, 0,	/* fnstcw [0x4000] */
	    0x80, 0x24, 0x25, 0x00, 0x40, 0, 0, 0xfb,	/* and: mask of #Z */
	    0xd9, 0x2c, 0x25, 0x00, 0x40, 0, 0,	/* fldcw */
	    0xd9, 0xe8,				/* fld1 */
	    0xd8, 0xf1,				/* fdiv st, st(1) */
	    0xdf, 0xe0,				/* fnstsw ax: does not wait */
	    0xd9, 0xe8);			/* fld1: waits */
	CHECK(end.fault);
	CHECK_EQ(end.vector, 16);
	DONE(30);
	CHECK_EQ(s.gpr[CPU_RAX] & 0xffff, 0xb084);
	CHECK_EQ(s.fxsave[32 + 7], 0x80);	/* ST(0) is 1 as before */
	CHECK_EQ(s.fxsave[32 + 9], 0x3f);
	CHECK_EQ(fx16(8), CODE + 26);
	CHECK_EQ(fx16(6), 0xf1);
	RUN(0x9b);
	CHECK_EQ(end.vector, 16);
	DONE(0);
	RUN(0x0f, 0x6f, 0xc1);			/* movq mm0, mm1 */
	CHECK_EQ(end.vector, 16);
	DONE(0);
	RUN(0xdb, 0xe2, 0x9b);			/* fnclex; fwait */
	DONE(3);
	CHECK_EQ(fx16(2), 0x3000);
	/* IGNNE# is asserted. */
	s.cr0 &= ~(uint64_t)CPU_CR0_NE;
	RUN(0xd8, 0xf1, 0x9b, 0xd9, 0xc0);
	DONE(5);
}

static void test_mmx(void)
{
	soft_test_state64(&s);
	s.fxsave[3] = 0x28;			/* TOP 5 */
	s.fxsave[4] = 0xe0;
	s.gpr[CPU_RAX] = 0x1122334455667788;
	RUN(0x48, 0x0f, 0x6e, 0xd8);		/* movq mm3, rax */
	DONE(4);
	CHECK_EQ(fx16(2), 0);
	CHECK_EQ(s.fxsave[4], 0xff);
	CHECK_EQ(fx16(32 + 48 + 8), 0xffff);
	CHECK_EQ(fx16(32 + 48), 0x7788);
	CHECK_EQ(fx16(32 + 32 + 8), 0);
	RUN(0x0f, 0x77);			/* emms */
	CHECK_EQ(s.fxsave[4], 0);
	/* A read alone fills the stack too. */
	RUN(0x0f, 0x7e, 0xd9);			/* movd ecx, mm3 */
	CHECK_EQ(s.gpr[CPU_RCX], 0x55667788);
	CHECK_EQ(s.fxsave[4], 0xff);
}

/* #XM, or #UD without CR4.OSXMMEXCPT; only the flags change. */
static void test_xm(void)
{
	soft_test_state64(&s);
	set_mxcsr(0x1f80 & ~0x200u);
	s.fxsave[160 + 3] = 0x3f;
	s.fxsave[160 + 16] = 1;			/* denormal / 0 */
	RUN(0xf3, 0x0f, 0x5e, 0xc2);		/* divss xmm0, xmm2 */
	CHECK(end.fault);
	CHECK_EQ(end.vector, 19);
	CHECK(!end.has_error);
	CHECK_EQ(mxcsr(), (0x1f80 & ~0x200u) | 4);
	CHECK_EQ(s.fxsave[160 + 3], 0x3f);
	DONE(0);
	s.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
	RUN(0xf3, 0x0f, 0x5e, 0xc2);
	CHECK_EQ(end.vector, 6);
	/* Invalid is known before computing: inexact is not recorded. */
	s.cr4 |= CR4_OSXMMEXCPT;
	set_mxcsr(0x1f80 & ~0x80u);
	memset(s.fxsave + 160, 0, 64);
	memcpy(s.fxsave + 160, &(uint32_t){ 0x7f800001 }, 4);
	memcpy(s.fxsave + 164, &(uint32_t){ 0x3f800000 }, 4);
	memcpy(s.fxsave + 180, &(uint32_t){ 0x33000000 }, 4);
	RUN(0x0f, 0x58, 0xc1);			/* addps xmm0, xmm1 */
	CHECK_EQ(end.vector, 19);
	CHECK_EQ(mxcsr() & 0x3f, 1);
	set_mxcsr(0x1f80);
	RUN(0x0f, 0x58, 0xc1);
	DONE(3);
	CHECK_EQ(mxcsr() & 0x3f, 0x21);
}

/* Outside of 64-bit mode there are 8 XMM registers, and selectors. */
static void test_fxsave32(void)
{
	soft_test_state32(&s);
	for (unsigned i = 0; i < 256; i++)
		s.fxsave[160 + i] = (uint8_t)i;
	memset(mem + DATA, 0xaa, 0x400);
	RUN(0xd9, 0x05, 0x00, 0x44, 0, 0,	/* fld dword [0x4400] */
	    0x0f, 0xae, 0x05, 0x00, 0x40, 0, 0);	/* fxsave [0x4000] */
	DONE(13);
	CHECK_EQ(get(4, 2), 0x80);
	CHECK_EQ(get(6, 2), 0x105);
	CHECK_EQ(get(8, 4), CODE);
	CHECK_EQ(get(12, 2), 0x23);
	CHECK_EQ(get(16, 4), DATA + 0x400);
	CHECK_EQ(get(20, 2), 0x2b);
	CHECK_EQ(get(28, 4), 0xffff);
	CHECK_EQ(get(284, 4), 0x7f7e7d7c);
	CHECK_EQ(get(288, 4), 0xaaaaaaaa);
	memset(mem + DATA + 160, 0x55, 352);
	RUN(0x0f, 0xae, 0x0d, 0x00, 0x40, 0, 0);	/* fxrstor */
	DONE(7);
	CHECK_EQ(s.fxsave[160 + 127], 0x55);
	CHECK_EQ(s.fxsave[160 + 128], 128);
	mem[DATA + 26] = 1;				/* MXCSR bit 16 */
	RUN(0x0f, 0xae, 0x0d, 0x00, 0x40, 0, 0);
	CHECK_EQ(end.vector, 13);
	RUN(0x0f, 0xae, 0x05, 0x08, 0x40, 0, 0);	/* not aligned */
	CHECK_EQ(end.vector, 13);
	CHECK_EQ(end.error, 0);
}

/* The host's own control and MXCSR are as they were, whatever they are; its stack is
 * empty, and no exception waits.
 */
static void test_host_state(uint16_t cw, bool flags)
{
	const uint16_t cw_default = 0x37f;
	const uint32_t mxcsr_default = 0x1f80, mxcsr_before = 0xdf95;
	uint16_t sw, sw_after, cw_after;
	uint32_t mxcsr_after;
	uint8_t env[28];

	soft_test_state64(&s);
	set_mxcsr(0x3f80);
	__asm__ volatile("fninit\n\tfldcw %0" : : "m"(cw));
	if (flags)
		__asm__ volatile("fld1\n\tfldpi\n\tfdivp\n\tfstp %%st"
				 : : : "st", "st(1)");
	__asm__ volatile("fnstsw %0\n\tldmxcsr %1"
			 : "=m"(sw) : "m"(mxcsr_before));
	RUN(0xd9, 0xe8, 0xd9, 0xeb, 0xde, 0xf9,	/* fld1; fldpi; fdivp */
	    0x0f, 0x58, 0xc1, 0x0f, 0xfc, 0xc1);	/* addps; paddb */
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %4\n\tfnstcw %1\n\t"
			 "fnstsw %2\n\tfnstenv %3\n\tfninit\n\tfldcw %5"
			 : "=m"(mxcsr_after), "=m"(cw_after), "=m"(sw_after),
			   "=m"(env)
			 : "m"(mxcsr_default), "m"(cw_default)
			 : "memory");
	DONE(12);
	CHECK_EQ(mxcsr_after, mxcsr_before);
	CHECK_EQ(cw_after, cw);
	CHECK_EQ(!!(sw & 0x20), flags);
	CHECK_EQ(sw_after & 0xb880, 0);			/* B, TOP, ES */
	CHECK_EQ(env[8] | env[9] << 8, 0xffff);	/* all empty */
}

int main(void)
{
	CHECK_EQ(soft_test_new(&t, SIZE), 0);
	mem = soft_test_memory(t);
	CHECK_EQ(soft_test_map(t, 0, 0, SIZE, SOFT_TEST_R | SOFT_TEST_W |
			       SOFT_TEST_X), 0);
	test_env_protected();
	test_env_real();
	test_mf();
	test_mmx();
	test_xm();
	test_fxsave32();
	test_host_state(0x37f, false);
	test_host_state(0xc7f, true);
	test_host_state(0x35f, false);			/* inexact is not masked */
	soft_test_free(t);
	return 0;
}
