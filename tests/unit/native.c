/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native.c - the harness that runs instructions on the host gives back the whole
 * state, and each fault with its number.
 */
#include "tests/lib/native.h"
#include "tests/lib/native_ldt.h"

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
	RUN(&s, &end, 0xeb, 0xfe);		/* jmp . */
	CHECK(end.cut);
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

#define RUN_CODE(s, end, bits, ...)					\
	do {								\
		static const uint8_t code_[] = { __VA_ARGS__ };		\
		CHECK_EQ(native_put_code(0, code_, sizeof(code_), bits), 0); \
		native_run(s, end);					\
	} while (0)

static void init_legacy(struct native_state *s, uint16_t cs, uint16_t data)
{
	native_init(s);
	for (unsigned i = 0; i < 6; i++)
		s->seg[i] = i == 1 ? cs : data;
}

/* Code of 32 and of 16 bits, and selectors there and back. */
static void test_legacy(void)
{
	struct native_state s;
	struct native_end end;

	init_legacy(&s, NATIVE_CS32, NATIVE_SS64);
	s.seg[0] = s.seg[4] = NATIVE_SEL(NK_ODD32);
	s.gpr[0] = 0xffffffff00000000;
	s.gpr[4] = 0x12345678;
	RUN_CODE(&s, &end, 32, 0x48);			/* dec %eax */
	CHECK(!end.fault);
	CHECK_EQ(end.rip, NATIVE_CODE + 1);
	CHECK_EQ((uint32_t)s.gpr[0], 0xffffffff);
	CHECK_EQ(s.gpr[4], 0x12345678);
	CHECK_EQ(s.seg[0], NATIVE_SEL(NK_ODD32));
	CHECK_EQ(s.seg[4], NATIVE_SEL(NK_ODD32));
	CHECK_EQ(s.seg[2], NATIVE_SS64);
	RUN_CODE(&s, &end, 32, 0x1e, 0x0f, 0x0b);	/* push %ds; ud2 */
	CHECK_EQ(end.vector, 14);
	CHECK_EQ(end.cr2, 0x12345674);
	CHECK_EQ(s.seg[0], NATIVE_SEL(NK_ODD32));
	CHECK_EQ(s.seg[1], NATIVE_CS32);
	RUN_CODE(&s, &end, 32, 0xce);			/* into */
	CHECK(!end.fault);
	s.rflags |= 0x800;
	RUN_CODE(&s, &end, 32, 0xce);
	CHECK_EQ(end.vector, 4);

	init_legacy(&s, NATIVE_SEL(NK_CODE16), NATIVE_SEL(NK_DATA16));
	s.gpr[4] = 0xabcd1234;
	RUN_CODE(&s, &end, 16, 0x48);			/* dec %ax */
	CHECK(!end.fault);
	CHECK_EQ(end.rip, 1);
	CHECK_EQ(s.gpr[0], 0xffff);
	CHECK_EQ(s.gpr[4], 0xabcd1234);
	RUN_CODE(&s, &end, 16, 0x0f, 0x0b);		/* ud2 */
	CHECK_EQ(end.vector, 6);
	CHECK_EQ(end.rip, 0);
	CHECK_EQ(s.gpr[4], 0xabcd1234);
	CHECK_EQ(s.seg[1], NATIVE_SEL(NK_CODE16));
	CHECK_EQ(s.seg[2], NATIVE_SEL(NK_DATA16));
	s.gpr[0] = NATIVE_SEL(NK_ABSENT);
	RUN_CODE(&s, &end, 16, 0x8e, 0xd8);		/* mov %ax, %ds */
	CHECK_EQ(end.vector, 11);
	CHECK_EQ(end.error, NATIVE_SEL(NK_ABSENT) & 0xfffc);
}

int main(void)
{
	native_open();
	test_registers();
	test_bases();
	test_faults();
	test_float();
	if (native_ldt_open())
		test_legacy();
	else
		printf("no 16-bit segments: the kernel refuses modify_ldt\n");
	native_close();
	return 0;
}
