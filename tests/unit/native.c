/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native.c - the harness that runs instructions on the host gives back the whole
 * state, and each fault with its number.
 */
#include "tests/lib/native.h"

#include "tests/check.h"

#define DATA	0x30000000ul

#define RUN(s, end, ...)						\
	do {								\
		static const uint8_t code_[] = { __VA_ARGS__ };		\
		CHECK_EQ(native_put(0, code_, sizeof(code_)), 0);	\
		native_run(s, end);					\
	} while (0)

static void test_registers(void)
{
	struct native_state s, want;
	struct native_end end;

	native_init(&s);
	for (unsigned i = 0; i < 16; i++)
		s.gpr[i] = 0x0101010101010101u * (i + 1);
	for (unsigned i = 0; i < 256; i++)
		s.fxsave[160 + i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i < 8; i++)
		memset(s.fxsave + 32 + 16 * i, (int)i + 1, 10);
	s.fxsave[4] = 0xff;
	s.rflags = 0x8d5;
	want = s;
	RUN(&s, &end, 0x90);
	CHECK(!end.fault);
	CHECK_EQ(end.rip, NATIVE_CODE + 1);
	CHECK(!memcmp(s.gpr, want.gpr, sizeof(s.gpr)));
	CHECK_EQ(s.rflags, 0x8d5 | 0x202);
	CHECK(!memcmp(s.fxsave, want.fxsave, 6));
	CHECK(!memcmp(s.fxsave + 32, want.fxsave + 32, 384));

	RUN(&s, &end, 0x48, 0x01, 0xc4);	/* add %rax, %rsp */
	CHECK_EQ(s.gpr[4], 0x0606060606060606);
	CHECK_EQ(s.rflags & 0x8d5, 4);
}

static void test_faults(void)
{
	uint8_t *data = native_map(DATA, 4096);
	struct native_state s;
	struct native_end end;

	native_init(&s);
	s.gpr[3] = DATA + 4096;
	s.gpr[4] = 0x1234;
	RUN(&s, &end, 0x48, 0x89, 0x03);	/* mov %rax, (%rbx) */
	CHECK(end.fault);
	CHECK_EQ(end.vector, 14);
	CHECK_EQ(end.cr2, DATA + 4096);
	CHECK_EQ(end.error & 2, 2);
	CHECK_EQ(end.rip, NATIVE_CODE);
	CHECK_EQ(s.gpr[4], 0x1234);
	RUN(&s, &end, 0xf7, 0xf0);		/* div %eax */
	CHECK_EQ(end.vector, 0);
	RUN(&s, &end, 0x0f, 0x0b);		/* ud2 */
	CHECK_EQ(end.vector, 6);
	RUN(&s, &end, 0xeb, 0x10);		/* jmp . + 0x12 */
	CHECK_EQ(end.vector, 3);
	CHECK_EQ(end.rip, NATIVE_CODE + 0x12);
	s.gpr[3] = 1ull << 63;
	RUN(&s, &end, 0x48, 0x89, 0x03);
	CHECK_EQ(end.vector, 13);
	s.gpr[3] = DATA + 4088;
	s.gpr[0] = 42;
	RUN(&s, &end, 0x48, 0x89, 0x03);
	CHECK(!end.fault);
	CHECK_EQ(data[4088], 42);
}

/* An x87 and an SSE exception that are not masked. */
static void test_float(void)
{
	struct native_state s;
	struct native_end end;

	native_init(&s);
	s.fxsave[0] = 0x7e;			/* invalid operation */
	RUN(&s, &end, 0xd9, 0xfa, 0x9b);	/* fsqrt; fwait */
	CHECK_EQ(end.vector, 16);
	CHECK_EQ(s.fxsave[2] & 0xc1, 0xc1);
	native_init(&s);
	s.fxsave[25] = 0x1d;			/* division by zero */
	s.fxsave[162] = 0x80;
	s.fxsave[163] = 0x3f;
	RUN(&s, &end, 0x0f, 0x5e, 0xc1);	/* divps %xmm1, %xmm0 */
	CHECK_EQ(end.vector, 19);
	CHECK(s.fxsave[24] & 4);
	CHECK_EQ(s.fxsave[163], 0x3f);
}

/* The bases of FS and GS come and go with the state, through faults too. */
static void test_bases(void)
{
	struct native_state s;
	struct native_end end;
	uint8_t *data;

	if (!native_has_bases())
		return;
	data = native_map(DATA + 0x100000, 4096);
	data[16] = 1;
	data[40] = 2;
	native_init(&s);
	s.fs_base = DATA + 0x100000;
	s.gs_base = DATA + 0x100018;
	s.gpr[1] = 0x1111;
	/* add %fs:16, %al; add %gs:16, %al; wrgsbase %rcx */
	RUN(&s, &end, 0x64, 0x02, 0x04, 0x25, 16, 0, 0, 0,
	    0x65, 0x02, 0x04, 0x25, 16, 0, 0, 0, 0xf3, 0x48, 0x0f, 0xae, 0xd9);
	CHECK(!end.fault);
	CHECK_EQ(s.gpr[0], 3);
	CHECK_EQ(s.fs_base, DATA + 0x100000);
	CHECK_EQ(s.gs_base, 0x1111);
	s.rflags = 0x40000;			/* AC */
	RUN(&s, &end, 0x64, 0x8b, 0x0c, 0x25, 0x30, 0x33, 0, 0);
	CHECK_EQ(end.vector, 14);
	CHECK_EQ(end.cr2, DATA + 0x103330);
	CHECK_EQ(s.fs_base, DATA + 0x100000);
	RUN(&s, &end, 0x64, 0x8b, 0x0c, 0x25, 0x13, 0, 0, 0);
	CHECK_EQ(end.vector, 17);
}

int main(void)
{
	native_open();
	test_registers();
	test_bases();
	test_faults();
	test_float();
	native_close();
	return 0;
}
