/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_sys64.c - long mode, debug registers, shadows, MSRs and real mode of the
 * software CPU, as Intel SDM volumes 2 to 4 have them.
 */
#include "tests/lib/softrig.h"

static struct srig rig;
#define R (&rig)

static void code(const char *bytes, unsigned len)
{
	srig_code(R, bytes, len);
}
#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static void test_ist(void)
{
	/* From ring 3 on RSP0, which is aligned to 16. */
	srig_set(R, RIG_64, 3);
	srig_write(R, RIG_TSS + 4, 8, RIG_STACK0 + 7);
	CODE("\xcd\x80");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), 0x80);
	CHECK_EQ(R->s.gpr[CPU_RSP], RIG_STACK0 - 40);
	CHECK_EQ(R->s.seg[CPU_SS].selector, 0);
	CHECK(R->s.seg[CPU_SS].attr & CPU_SEG_UNUSABLE);
	CHECK_EQ(srig_stack(R, 3), RIG_STACK3);
	CHECK_EQ(srig_stack(R, 4), SEL_DATA3);

	/* In ring 0 on IST 2, though there is no change of ring. */
	srig_set(R, RIG_64, 0);
	srig_write(R, RIG_TSS + 0x2c, 8, 0x28000);
	srig_write(R, RIG_IDT + 16 * EXC_UD + 4, 1, 2);
	R->s.gpr[CPU_RSP] = RIG_STACK0 - 3;
	CODE("\x0f\x0b");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_UD);
	CHECK_EQ(R->s.gpr[CPU_RSP], 0x28000 - 40);
	CHECK_EQ(srig_stack(R, 3), RIG_STACK0 - 3);
	CHECK_EQ(R->s.seg[CPU_SS].selector, SEL_DATA0);

	/* A TSS that is too short for it. */
	srig_set(R, RIG_64, 3);
	R->s.tr.limit = 10;
	CODE("\xcd\x80");
	srig_run(R, 4);
	CHECK_EQ(R->stop, STOP_SHUTDOWN);

	/* A 32-bit code segment cannot be a handler's. */
	srig_set(R, RIG_64, 0);
	srig_write(R, RIG_IDT + 16 * EXC_UD + 2, 2, SEL_CODE0);
	CODE("\x0f\x0b");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_GP);
	CHECK_EQ(srig_stack(R, 0), SEL_CODE0 | 1);
}

static void test_syscall(void)
{
	srig_set(R, RIG_64, 3);
	R->s.star = 0x0023000800000000ull | 0x10ull << 32;
	R->s.star = 0x1bull << 48 | 0x08ull << 32;
	R->s.lstar = RIG_TARGET;
	R->s.fmask = EFL_IF | EFL_DF;
	R->s.rflags |= EFL_IF | EFL_CF | EFL_DF;
	CODE("\x0f\x05");
	srig_write(R, RIG_TARGET, 3, 0x070f48);		/* sysretq */
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_TARGET);
	CHECK_EQ(R->s.gpr[CPU_RCX], RIG_CODE + 2);
	CHECK_EQ(R->s.gpr[11], EFL_IF | EFL_CF | EFL_DF | 2);
	CHECK_EQ(R->s.rflags, EFL_CF | 2);
	CHECK_EQ(R->s.seg[CPU_CS].selector, 0x08);
	CHECK_EQ(R->s.seg[CPU_CS].attr, 0xa09b);
	CHECK_EQ(R->s.seg[CPU_SS].selector, 0x10);
	CHECK_EQ(R->s.seg[CPU_SS].attr, 0xc093);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_CODE + 2);
	CHECK_EQ(R->s.rflags, EFL_IF | EFL_CF | EFL_DF | 2);
	CHECK_EQ(R->s.seg[CPU_CS].selector, 0x1b + 16);
	CHECK_EQ(R->s.seg[CPU_CS].attr, 0xa0fb);
	CHECK_EQ(R->s.seg[CPU_SS].selector, 0x1b + 8);

	/* To an address that is not canonical: #GP in ring 0. */
	srig_set(R, RIG_64, 0);
	R->s.gpr[CPU_RCX] = 1ull << 47;
	CODE("\x48\x0f\x07");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_GP);
	CHECK_EQ(srig_stack(R, 2), SEL_CODE64);

	/* Switched off. */
	srig_set(R, RIG_64, 3);
	R->s.efer &= ~(uint64_t)CPU_EFER_SCE;
	CODE("\x0f\x05");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_UD);

	srig_set(R, RIG_64, 0);
	R->s.seg[CPU_GS].base = 0x1111;
	R->s.kernel_gs_base = 0x2222;
	CODE("\x0f\x01\xf8");
	srig_run(R, 1);
	CHECK_EQ(R->s.seg[CPU_GS].base, 0x2222);
	CHECK_EQ(R->s.kernel_gs_base, 0x1111);
}

/* The page fault's error code and CR2, and a double fault of two. */
static void test_page_faults(void)
{
	srig_set(R, RIG_64, 3);
	R->s.gpr[CPU_RBX] = 0x8000000123;
	CODE("\x89\x03");				/* mov [rbx], eax */
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_PF);
	CHECK_EQ(R->s.cr2, 0x8000000123);
	CHECK_EQ(srig_stack(R, 0), 6);
	CHECK_EQ(srig_stack(R, 1), RIG_CODE);

	/* A stack that is not there: first #PF, then #DF on an IST. */
	srig_set(R, RIG_64, 0);
	srig_write(R, RIG_TSS + 0x24, 8, 0x28000);
	srig_write(R, RIG_IDT + 16 * EXC_DF + 4, 1, 1);
	R->s.gpr[CPU_RSP] = 0x9000000000;
	R->s.gpr[CPU_RBX] = 0x8000000123;
	CODE("\x8b\x03");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_DF);
	CHECK_EQ(srig_stack(R, 0), 0);
	CHECK_EQ(R->s.cr2, 0x9000000000 - 8);
}

static void test_steps(void)
{
	/* TF: after one instruction; the trap's frame has it still. */
	srig_set(R, RIG_32, 0);
	R->s.rflags |= EFL_TF;
	CODE("\x90\x90");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 1);
	CHECK(srig_stack(R, 2) & EFL_TF);
	CHECK_EQ(R->s.dr[6], 0xffff4ff0);

	/* POPF sets it: the next instruction is stepped over. */
	srig_set(R, RIG_32, 0);
	R->s.gpr[CPU_RSP] -= 4;
	srig_write(R, R->s.gpr[CPU_RSP], 4, EFL_TF | 2);
	CODE("\x9d\x90\x90");
	srig_run(R, 5);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 2);

	/* A repeated instruction is stepped element by element. */
	srig_set(R, RIG_32, 0);
	R->s.rflags |= EFL_TF;
	R->s.gpr[CPU_RCX] = 3;
	R->s.gpr[CPU_RDI] = RIG_TARGET;
	CODE("\xf3\xaa\x90");
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE);
	CHECK(srig_stack(R, 2) & EFL_RF);
	CHECK_EQ(R->s.gpr[CPU_RCX], 2);
	srig_set(R, RIG_32, 0);
	R->s.rflags |= EFL_TF;
	R->s.gpr[CPU_RCX] = 1;
	R->s.gpr[CPU_RDI] = RIG_TARGET;
	CODE("\xf3\xae\x90");
	srig_run(R, 4);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 2);
	CHECK(!(srig_stack(R, 2) & EFL_RF));

	/* MOV SS swallows the trap. */
	srig_set(R, RIG_32, 0);
	R->s.rflags |= EFL_TF;
	CODE("\x8e\xd0\x90\x90");
	R->s.gpr[CPU_RAX] = SEL_DATA0;
	srig_run(R, 5);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 3);

	/* A fault comes instead of the step. */
	srig_set(R, RIG_32, 0);
	R->s.rflags |= EFL_TF;
	CODE("\x0f\x0b");
	srig_run(R, 5);
	CHECK_EQ(srig_vector(R), EXC_UD);
}

static void test_breakpoints(void)
{
	/* On an instruction: before it, once. */
	srig_set(R, RIG_32, 0);
	R->s.dr[1] = RIG_CODE + 1;
	R->s.dr[7] = 0x400 | 1u << 2;
	CODE("\x90\x90\x90");
	srig_run(R, 5);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 1);
	CHECK_EQ(R->s.dr[6] & 15, 2);
	/* With RF it passes. */
	srig_set(R, RIG_32, 0);
	R->s.rip = RIG_CODE + 1;
	R->s.rflags |= EFL_RF;
	R->s.dr[1] = RIG_CODE + 1;
	R->s.dr[7] = 0x400 | 1u << 2;
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_CODE + 2);
	CHECK(!(R->s.rflags & EFL_RF));

	/* Four bytes of data, written: behind the instruction. */
	srig_set(R, RIG_32, 0);
	R->s.dr[0] = RIG_DATA;
	R->s.dr[7] = 0x400 | 1 | 0xdu << 16;
	CODE("\xa1\x00\x90\x00\x00"		/* a read does not count */
	     "\xa2\x04\x90\x00\x00"		/* nor its neighbour */
	     "\xa2\x03\x90\x00\x00\x90");
	srig_run(R, 9);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 15);
	CHECK_EQ(R->s.dr[6] & 15, 1);

	/* General detect. */
	srig_set(R, RIG_32, 0);
	R->s.dr[7] = 0x2400;
	CODE("\x0f\x21\xc0");
	srig_run(R, 5);
	CHECK_EQ(srig_vector(R), EXC_DB);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE);
	CHECK(R->s.dr[6] & 0x2000);
	CHECK(!(R->s.dr[7] & 0x2000));
}

/* STI and MOV SS let one more instruction run before an interrupt. */
static void test_shadows(void)
{
	srig_set(R, RIG_32, 0);
	CODE("\xfb\x90\x90");
	cpu_kick(&R->cpu, EVENT_IRQ);
	srig_run(R, 10);
	CHECK_EQ(R->stop, STOP_KICK);
	CHECK_EQ(R->s.rip, RIG_CODE + 2);
	atomic_store(&R->cpu.events, 0);

	srig_set(R, RIG_32, 0);
	R->s.rflags |= EFL_IF;
	R->s.gpr[CPU_RAX] = SEL_DATA0;
	CODE("\x8e\xd0\x90\x90");
	srig_run(R, 1);
	CHECK(R->cpu.block_irq);
	cpu_kick(&R->cpu, EVENT_IRQ);
	R->stop = cpu_run(&R->cpu, 10);
	CHECK_EQ(R->stop, STOP_KICK);
	CHECK_EQ(R->cpu.rip, RIG_CODE + 3);
	atomic_store(&R->cpu.events, 0);

	/* STI's own shadow begins where that of MOV SS ends. */
	srig_set(R, RIG_32, 0);
	R->s.gpr[CPU_RAX] = SEL_DATA0;
	CODE("\x8e\xd0\xfb\x90\x90");
	cpu_kick(&R->cpu, EVENT_IRQ);
	srig_run(R, 10);
	CHECK_EQ(R->stop, STOP_KICK);
	CHECK_EQ(R->s.rip, RIG_CODE + 4);
	atomic_store(&R->cpu.events, 0);

	/* An interrupt between instructions: RF is not pushed. */
	srig_set(R, RIG_32, 3);
	R->s.rflags |= EFL_IF;
	CODE("\x90");
	srig_run(R, 1);
	CHECK(fault_interrupt(&R->cpu, 0x41));
	cpu_get_state(&R->cpu, &R->s);
	CHECK_EQ(R->s.rip, RIG_HANDLERS + 0x410);
	CHECK_EQ(srig_stack(R, 2), EFL_IF | 2);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 1);
}

struct msr_case {
	uint32_t index;
	uint64_t value;
	bool ok;
};

static void test_msrs(void)
{
	static const struct msr_case cases[] = {
		{ 0x277, 0x0007040600070406, true }, { 0x277, 2, false },
		{ 0x277, 0x0800000000000000, false },
		{ 0xc0000080, 0x001, false },	/* LME while paging */
		{ 0xc0000080, 0xd01, true }, { 0xc0000080, 0x2, false },
		{ 0xc0000082, 1ull << 47, false },
		{ 0xc0000082, 0xffff800000000000, true },
		{ 0xc0000100, 1ull << 63, false }, { 0xc0000103, 5, true },
		{ 0xc0000103, 1ull << 32, false }, { 0x174, 8, true },
		{ 0x176, 1ull << 48, false }, { 0x200, 6, true },
		{ 0x200, 2, false }, { 0x201, 0x800, true },
		{ 0x201, 0x400, false }, { 0x250, 0x0606060606060606, true },
		{ 0x250, 3, false }, { 0x2ff, 0xc06, true },
		{ 0x2ff, 0x1000, false }, { 0x12345678, 0, false },
		{ 0xfe, 0, false }, { 0x8b, 0, true }, { 0x1d9, 1, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct msr_case *c = &cases[i];

		srig_set(R, RIG_64, 0);
		R->s.gpr[CPU_RCX] = c->index;
		R->s.gpr[CPU_RAX] = (uint32_t)c->value;
		R->s.gpr[CPU_RDX] = c->value >> 32;
		CODE("\x0f\x30\x0f\x32\xf4");
		srig_run(R, 5);
		if (!c->ok) {
			if (srig_vector(R) != EXC_GP)
				fprintf(stderr, "MSR %#x takes %#" PRIx64 "\n",
					c->index, c->value);
			CHECK_EQ(srig_vector(R), EXC_GP);
			CHECK_EQ(srig_stack(R, 1), RIG_CODE);
			continue;
		}
		CHECK_EQ(R->s.rip, RIG_CODE + 5);
		if (c->index != 0x8b)
			CHECK_EQ(R->s.gpr[CPU_RAX] | R->s.gpr[CPU_RDX] << 32,
				 c->value);
	}
}

static void test_selectors(void)
{
	static const struct { unsigned sel; bool lar, lsl, verr, verw; } c[] = {
		{ 0, false, false, false, false },
		{ SEL_DATA3, true, true, true, true },
		{ SEL_DATA0, false, false, false, false },
		{ SEL_CODE3, true, true, true, false },
		{ SEL_CONFORMING, true, true, true, false },
		{ SEL_GATE, true, false, false, false },
		{ SEL_TASKGATE, true, false, false, false },
		{ SEL_TSS2, true, true, false, false },
		{ 0xfff8, false, false, false, false },
	};
	static const char *const insns[] = { "\x0f\x02\xd8", "\x0f\x03\xd8",
					     "\x0f\x00\xe0", "\x0f\x00\xe8" };

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		for (unsigned n = 0; n < 4; n++) {
			bool want = n == 0 ? c[i].lar : n == 1 ? c[i].lsl :
				    n == 2 ? c[i].verr : c[i].verw;

			srig_set(R, RIG_32, 3);
			R->s.gpr[CPU_RAX] = c[i].sel;
			R->s.gpr[CPU_RBX] = 0x55;
			code(insns[n], 3);
			srig_run(R, 1);
			CHECK_EQ(R->s.rip, RIG_CODE + 3);
			CHECK_EQ(!!(R->s.rflags & EFL_ZF), want);
			if (n < 2 && !want)
				CHECK_EQ(R->s.gpr[CPU_RBX], 0x55);
		}
	CHECK_EQ(R->s.gpr[CPU_RBX], 0x55);
	srig_set(R, RIG_32, 0);
	R->s.gpr[CPU_RAX] = SEL_SMALL;
	CODE("\x0f\x03\xd8");
	srig_run(R, 1);
	CHECK_EQ(R->s.gpr[CPU_RBX], 0xff);
	srig_set(R, RIG_32, 0);
	R->s.gpr[CPU_RAX] = SEL_DATA0;
	CODE("\x0f\x03\xd8\x0f\x02\xc8");
	srig_run(R, 2);
	CHECK_EQ(R->s.gpr[CPU_RBX], 0xffffffff);
	CHECK_EQ(R->s.gpr[CPU_RCX] & 0xf0ff00, 0xc09300);

	srig_set(R, RIG_32, 0);
	R->s.gpr[CPU_RAX] = 0x10;
	R->s.gpr[CPU_RBX] = 0x13;
	CODE("\x63\xd8\x63\xd8");			/* arpl ax, bx */
	srig_run(R, 1);
	CHECK_EQ(R->s.gpr[CPU_RAX], 0x13);
	CHECK(R->s.rflags & EFL_ZF);
	R->s.rip = RIG_CODE;
	srig_run(R, 1);
	CHECK(!(R->s.rflags & EFL_ZF));
}

static void test_real_mode(void)
{
	/* INT through the IVT, and IRET. */
	srig_set(R, RIG_REAL, 0);
	R->s.idtr.base = 0;
	R->s.idtr.limit = 0x3ff;
	R->s.rflags |= EFL_IF | EFL_TF;
	R->s.rflags &= ~(uint64_t)EFL_TF;
	srig_write(R, 0x21 * 4, 4, 0x0a000000);
	srig_write(R, RIG_TARGET, 1, 0xcf);
	CODE("\xcd\x21");
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, 0);
	CHECK_EQ(R->s.seg[CPU_CS].base, RIG_TARGET);
	CHECK_EQ(R->s.rflags, 2);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 2);
	CHECK_EQ(srig_stack(R, 2), EFL_IF | 2);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_CODE + 2);
	CHECK_EQ(R->s.rflags, EFL_IF | 2);
	CHECK_EQ(R->s.gpr[CPU_RSP], 0xf000);

	/* The IVT is too short: #GP has no place there either, nor has #DF. */
	srig_set(R, RIG_REAL, 0);
	R->s.idtr.base = 0;
	R->s.idtr.limit = 0x1f;
	CODE("\xcd\x21");
	srig_run(R, 1);
	CHECK_EQ(R->stop, STOP_SHUTDOWN);

	/* Unreal mode: a limit of 4 GiB outlives the return to real mode. */
	srig_set(R, RIG_REAL, 0);
	R->s.seg[CPU_DS].limit = UINT32_MAX;
	R->s.gpr[CPU_RAX] = 0x1000;
	srig_write(R, 0x10000 + 0x12345, 4, 0xcafe);
	/* mov ds, ax; mov ebx, [dword 0x12345] */
	CODE("\x8e\xd8\x67\x66\x8b\x1d\x45\x23\x01\x00");
	srig_run(R, 2);
	CHECK_EQ(R->s.gpr[CPU_RBX], 0xcafe);

	/* Without it: #GP through the IVT. */
	srig_set(R, RIG_REAL, 0);
	R->s.idtr.base = 0;
	R->s.idtr.limit = 0x3ff;
	srig_write(R, EXC_GP * 4, 4, 0x0a000000);
	CODE("\x67\x66\x8b\x1d\x45\x23\x01\x00");
	srig_run(R, 1);
	if (R->s.rip)
		R->stop = cpu_run(&R->cpu, 1);
	cpu_get_state(&R->cpu, &R->s);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE);
}

/* JMP FAR from compatibility to 64-bit mode and back. */
static void test_mode_switches(void)
{
	srig_set(R, RIG_64, 0);
	R->s.seg[CPU_CS].attr = 0xc09b;
	R->s.seg[CPU_CS].selector = SEL_CODE0;
	CODE("\xea\x00\xa0\x00\x00\x90\x00");
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_TARGET);
	CHECK_EQ(R->s.seg[CPU_CS].attr, 0xaf9b & 0xf0ff);

	/* From real mode by MOV CR0 and a far jump. */
	srig_set(R, RIG_REAL, 0);
	R->s.gdtr.base = RIG_GDT;
	/* mov eax, cr0; inc ax; mov cr0, eax; jmp dword 8:target */
	CODE("\x0f\x20\xc0\x40\x0f\x22\xc0\x66\xea\x00\xa0\x00\x00\x08\x00");
	srig_run(R, 4);
	CHECK_EQ(R->s.rip, RIG_TARGET);
	CHECK_EQ(R->s.seg[CPU_CS].selector, SEL_CODE0);
	CHECK_EQ(R->s.cr0 & 1, 1);
}

int main(void)
{
	srig_init(R);
	test_ist();
	test_syscall();
	test_page_faults();
	test_steps();
	test_breakpoints();
	test_shadows();
	test_msrs();
	test_selectors();
	test_real_mode();
	test_mode_switches();
	srig_fini(R);
	return 0;
}
