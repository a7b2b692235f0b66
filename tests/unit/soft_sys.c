/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_sys.c - protected mode of the software CPU as Intel SDM volumes 2 and 3 have
 * it: who may load, call and return to what, which exception comes with which
 * error code and return address, frames, task switches, double faults.
 */
#include "tests/lib/softrig.h"

static struct srig rig;
#define R (&rig)

/* One instruction, and the exception that it raises. */
struct fault_case {
	const char *what;
	enum srig_mode mode;
	unsigned cpl;
	uint32_t eax;
	const char *code;
	unsigned len;
	int vector;		/* -1: none */
	int64_t error;		/* -1: no error code */
};

#define CODE(bytes) bytes, sizeof(bytes) - 1

static const struct fault_case faults[] = {
	/* MOV to DS: SDM volume 2, MOV. */
	{ "mov ds, null", RIG_32, 0, 0, CODE("\x8e\xd8"), -1, 0 },
	{ "mov ds, null, RPL 3", RIG_32, 0, 3, CODE("\x8e\xd8"), -1, 0 },
	{ "mov ds, data", RIG_32, 3, SEL_DATA3, CODE("\x8e\xd8"), -1, 0 },
	{ "mov ds, data of ring 0", RIG_32, 3, SEL_DATA0, CODE("\x8e\xd8"),
	  EXC_GP, SEL_DATA0 },
	{ "mov ds, RPL too weak", RIG_32, 0, SEL_DATA0 | 3, CODE("\x8e\xd8"),
	  EXC_GP, SEL_DATA0 },
	{ "mov ds, conforming", RIG_32, 3, SEL_CONFORMING, CODE("\x8e\xd8"),
	  -1, 0 },
	{ "mov ds, execute-only", RIG_32, 0, SEL_EXECONLY, CODE("\x8e\xd8"),
	  EXC_GP, SEL_EXECONLY },
	{ "mov ds, absent", RIG_32, 0, SEL_ABSENT, CODE("\x8e\xd8"),
	  EXC_NP, SEL_ABSENT },
	{ "mov ds, TSS", RIG_32, 0, SEL_TSS, CODE("\x8e\xd8"), EXC_GP, SEL_TSS },
	{ "mov ds, beyond the GDT", RIG_32, 0, 0xa8, CODE("\x8e\xd8"),
	  EXC_GP, 0xa8 },
	{ "mov ds, no LDT", RIG_32, 0, 0x0c, CODE("\x8e\xd8"), EXC_GP, 0x0c },
	/* SS is stricter. */
	{ "mov ss, null", RIG_32, 0, 0, CODE("\x8e\xd0"), EXC_GP, 0 },
	{ "mov ss, null in 64-bit", RIG_64, 0, 0, CODE("\x8e\xd0"), -1, 0 },
	{ "mov ss, null, CPL 3", RIG_64, 3, 3, CODE("\x8e\xd0"), EXC_GP, 0 },
	{ "mov ss, RPL", RIG_32, 0, SEL_DATA0 | 3, CODE("\x8e\xd0"), EXC_GP,
	  SEL_DATA0 },
	{ "mov ss, DPL", RIG_32, 0, SEL_DATA3 & ~3u, CODE("\x8e\xd0"), EXC_GP,
	  SEL_DATA3 & ~3u },
	{ "mov ss, read-only", RIG_32, 0, SEL_READONLY, CODE("\x8e\xd0"),
	  EXC_GP, SEL_READONLY },
	{ "mov ss, code", RIG_32, 0, SEL_CODE0, CODE("\x8e\xd0"), EXC_GP,
	  SEL_CODE0 },
	{ "mov ss, absent", RIG_32, 0, SEL_ABSENT, CODE("\x8e\xd0"), EXC_SS,
	  SEL_ABSENT },
	{ "mov cs", RIG_32, 0, 0, CODE("\x8e\xc8"), EXC_UD, -1 },
	/* Only ring 0 may. */
	{ "hlt", RIG_32, 3, 0, CODE("\xf4"), EXC_GP, 0 },
	{ "cli", RIG_32, 3, 0, CODE("\xfa"), EXC_GP, 0 },
	{ "sti", RIG_32, 3, 0, CODE("\xfb"), EXC_GP, 0 },
	{ "clts", RIG_32, 3, 0, CODE("\x0f\x06"), EXC_GP, 0 },
	{ "mov eax, cr0", RIG_32, 3, 0, CODE("\x0f\x20\xc0"), EXC_GP, 0 },
	{ "mov cr3, eax", RIG_32, 3, 0, CODE("\x0f\x22\xd8"), EXC_GP, 0 },
	{ "mov eax, dr7", RIG_32, 3, 0, CODE("\x0f\x21\xf8"), EXC_GP, 0 },
	{ "lgdt", RIG_32, 3, 0, CODE("\x0f\x01\x15\x00\x90\x00\x00"), EXC_GP,
	  0 },
	{ "lidt", RIG_32, 3, 0, CODE("\x0f\x01\x1d\x00\x90\x00\x00"), EXC_GP,
	  0 },
	{ "lldt", RIG_32, 3, 0, CODE("\x0f\x00\xd0"), EXC_GP, 0 },
	{ "ltr", RIG_32, 3, SEL_TSS2, CODE("\x0f\x00\xd8"), EXC_GP, 0 },
	{ "lmsw", RIG_32, 3, 0, CODE("\x0f\x01\xf0"), EXC_GP, 0 },
	{ "invlpg", RIG_32, 3, 0, CODE("\x0f\x01\x38"), EXC_GP, 0 },
	{ "wbinvd", RIG_32, 3, 0, CODE("\x0f\x09"), EXC_GP, 0 },
	{ "rdmsr", RIG_32, 3, 0, CODE("\x0f\x32"), EXC_GP, 0 },
	{ "wrmsr", RIG_32, 3, 0, CODE("\x0f\x30"), EXC_GP, 0 },
	{ "swapgs", RIG_64, 3, 0, CODE("\x0f\x01\xf8"), EXC_GP, 0 },
	{ "sysret", RIG_64, 3, 0, CODE("\x0f\x07"), EXC_GP, 0 },
	{ "sysexit", RIG_32, 0, 0, CODE("\x0f\x35"), EXC_GP, 0 },
	{ "sysenter", RIG_32, 3, 0, CODE("\x0f\x34"), EXC_GP, 0 },
	{ "rdpmc", RIG_32, 0, 0, CODE("\x0f\x33"), EXC_GP, 0 },
	{ "rsm", RIG_32, 0, 0, CODE("\x0f\xaa"), EXC_UD, -1 },
	{ "syscall in 32-bit", RIG_32, 3, 0, CODE("\x0f\x05"), EXC_UD, -1 },
	{ "smsw", RIG_32, 3, 0, CODE("\x0f\x01\xe0"), -1, 0 },
	/* Ports: the TSS lets 0x80 through. */
	{ "in al, 0x80", RIG_32, 3, 0, CODE("\xe4\x80"), -1, 0 },
	{ "in ax, 0x80", RIG_32, 3, 0, CODE("\x66\xe5\x80"), EXC_GP, 0 },
	{ "out 0x81, al", RIG_32, 3, 0, CODE("\xe6\x81"), EXC_GP, 0 },
	{ "in al, 0x81, ring 0", RIG_32, 0, 0, CODE("\xe4\x81"), -1, 0 },
	/* Interrupts by instruction. */
	{ "int 0x30, DPL 0", RIG_32, 3, 0, CODE("\xcd\x30"), EXC_GP, 0x182 },
	{ "int 0x30, DPL 0", RIG_64, 3, 0, CODE("\xcd\x30"), EXC_GP, 0x182 },
	{ "int3, DPL 0", RIG_32, 3, 0, CODE("\xcc"), EXC_GP, 0x1a },
	{ "int1, whatever DPL", RIG_32, 3, 0, CODE("\xf1"), EXC_DB, -1 },
	{ "int3", RIG_32, 0, 0, CODE("\xcc"), EXC_BP, -1 },
	/* The CPU's own. */
	{ "div by 0", RIG_32, 3, 0, CODE("\xf7\xf0"), EXC_DE, -1 },
	{ "ud2", RIG_32, 3, 0, CODE("\x0f\x0b"), EXC_UD, -1 },
	{ "bound", RIG_32, 3, 5, CODE("\x62\x05\x00\x90\x00\x00"), EXC_BR, -1 },
	{ "lock nop", RIG_32, 3, 0, CODE("\xf0\x90"), EXC_UD, -1 },
	{ "int 0x80", RIG_32, 3, 0, CODE("\xcd\x80"), 0x80, -1 },
	{ "int 0x80", RIG_64, 3, 0, CODE("\xcd\x80"), 0x80, -1 },
	/* Far transfers. */
	{ "jmp null", RIG_32, 0, 0, CODE("\xea\x00\xa0\x00\x00\x00\x00"),
	  EXC_GP, 0 },
	{ "jmp code of ring 0", RIG_32, 3, 0,
	  CODE("\xea\x00\xa0\x00\x00\x08\x00"), EXC_GP, SEL_CODE0 },
	{ "jmp data", RIG_32, 0, 0, CODE("\xea\x00\xa0\x00\x00\x10\x00"),
	  EXC_GP, SEL_DATA0 },
	{ "jmp gate to an inner ring", RIG_32, 3, 0,
	  CODE("\xea\x00\x00\x00\x00\x58\x00"), EXC_GP, SEL_CODE0 },
	{ "call absent gate", RIG_32, 3, 0,
	  CODE("\x9a\x00\x00\x00\x00\x60\x00"), EXC_NP, SEL_GATE_ABSENT },
	{ "call gate, DPL 0", RIG_32, 3, 0,
	  CODE("\x9a\x00\x00\x00\x00\x68\x00"), EXC_GP, SEL_GATE0 },
	{ "jmp busy TSS", RIG_32, 0, 0, CODE("\xea\x00\x00\x00\x00\x28\x00"),
	  -1, 0 },
	{ "jmp TSS in 64-bit", RIG_64, 0, 0, CODE("\x48\xff\x2c\x25\x00\x90\x00"
	  "\x00"), EXC_GP, 0 },
	{ "ltr null", RIG_32, 0, 0, CODE("\x0f\x00\xd8"), EXC_GP, 0 },
	{ "ltr data", RIG_32, 0, SEL_DATA0, CODE("\x0f\x00\xd8"), EXC_GP,
	  SEL_DATA0 },
	{ "lldt data", RIG_32, 0, SEL_DATA0, CODE("\x0f\x00\xd0"), EXC_GP,
	  SEL_DATA0 },
	{ "lldt", RIG_32, 0, SEL_LDT, CODE("\x0f\x00\xd0"), -1, 0 },
	/* Control registers. */
	{ "cr0: PG without PE", RIG_32, 0, 0x80000000, CODE("\x0f\x22\xc0"),
	  EXC_GP, 0 },
	{ "cr0: NW without CD", RIG_32, 0, 0x20000001, CODE("\x0f\x22\xc0"),
	  EXC_GP, 0 },
	{ "cr4: reserved", RIG_32, 0, 0x80000000, CODE("\x0f\x22\xe0"), EXC_GP,
	  0 },
	{ "cr4: PCIDE outside long mode", RIG_32, 0, 0x20000,
	  CODE("\x0f\x22\xe0"), EXC_GP, 0 },
	{ "cr4: no PAE in long mode", RIG_64, 0, 0, CODE("\x0f\x22\xe0"),
	  EXC_GP, 0 },
	{ "cr0: no PG in 64-bit mode", RIG_64, 0, 1, CODE("\x0f\x22\xc0"),
	  EXC_GP, 0 },
	{ "cr1", RIG_32, 0, 0, CODE("\x0f\x22\xc8"), EXC_UD, -1 },
	{ "cr8: 16", RIG_64, 0, 16, CODE("\x44\x0f\x22\xc0"), EXC_GP, 0 },
	/* Limits. */
	{ "beyond the limit", RIG_32, 0, 0,
	  CODE("\xba\x98\x00\x00\x00\x8e\xda\xa0\x00\x01\x00\x00"), EXC_GP, 0 },
	{ "the last byte", RIG_32, 0, 0,
	  CODE("\xba\x98\x00\x00\x00\x8e\xda\xa0\xff\x00\x00\x00"), -1, 0 },
	{ "across the limit", RIG_32, 0, 0,
	  CODE("\xba\x98\x00\x00\x00\x8e\xda\xa1\xfd\x00\x00\x00"), EXC_GP, 0 },
	{ "expand-down: below", RIG_32, 0, 0,
	  CODE("\xba\x80\x00\x00\x00\x8e\xda\xa0\xff\x0f\x00\x00"), EXC_GP, 0 },
	{ "expand-down: above", RIG_32, 0, 0,
	  CODE("\xba\x80\x00\x00\x00\x8e\xda\xa0\x00\x10\x00\x00"), -1, 0 },
	{ "write to read-only", RIG_32, 0, 0,
	  CODE("\xba\x48\x00\x00\x00\x8e\xda\xa2\x00\x90\x00\x00"), EXC_GP, 0 },
	{ "write to code", RIG_32, 0, 0, CODE("\x2e\xa2\x00\x90\x00\x00"),
	  EXC_GP, 0 },
	{ "not canonical", RIG_64, 0, 0,
	  CODE("\xa0\x00\x00\x00\x00\x00\x80\x00\x00"), EXC_GP, 0 },
	/* Virtual-8086 mode with IOPL 0. */
	{ "vm86: cli", RIG_VM86, 0, 0, CODE("\xfa"), EXC_GP, 0 },
	{ "vm86: pushf", RIG_VM86, 0, 0, CODE("\x9c"), EXC_GP, 0 },
	{ "vm86: popf", RIG_VM86, 0, 0, CODE("\x9d"), EXC_GP, 0 },
	{ "vm86: iret", RIG_VM86, 0, 0, CODE("\xcf"), EXC_GP, 0 },
	{ "vm86: int 0x80", RIG_VM86, 0, 0, CODE("\xcd\x80"), EXC_GP, 0 },
	{ "vm86: out 0x81", RIG_VM86, 0, 0, CODE("\xe6\x81"), EXC_GP, 0 },
	{ "vm86: in 0x80", RIG_VM86, 0, 0, CODE("\xe4\x80"), -1, 0 },
	{ "vm86: mov ds", RIG_VM86, 0, SEL_ABSENT, CODE("\x8e\xd8"), -1, 0 },
	{ "vm86: lldt", RIG_VM86, 0, 0, CODE("\x0f\x00\xd0"), EXC_UD, -1 },
	{ "vm86: hlt", RIG_VM86, 0, 0, CODE("\xf4"), EXC_GP, 0 },
};

static unsigned n_insns(const struct fault_case *c)
{
	return c->len > 9 ? 3 : 1;
}

static bool has_return_behind(const struct fault_case *c)
{
	return c->vector == 0x80 || c->vector == EXC_BP ||
	       c->vector == EXC_DB;
}

/* The frame that the handler finds. */
static void check_frame(const struct fault_case *c,
			const struct cpu_state *before)
{
	unsigned n = 0;
	uint64_t rip, flags;

	if (c->error >= 0)
		CHECK_EQ(srig_stack(R, n++), c->error);
	rip = srig_stack(R, n++);
	CHECK_EQ(srig_stack(R, n++), before->seg[CPU_CS].selector);
	flags = srig_stack(R, n++);
	if (has_return_behind(c))
		CHECK_EQ(rip, RIG_CODE + c->len);
	else if (n_insns(c) == 1)
		CHECK_EQ(rip, RIG_CODE);
	/* Faults push RF. */
	CHECK_EQ(!(flags & EFL_RF), has_return_behind(c));
	CHECK_EQ(!(flags & EFL_VM), c->mode != RIG_VM86);
	if (c->mode == RIG_64 || c->cpl || c->mode == RIG_VM86) {
		CHECK_EQ(srig_stack(R, n++), before->gpr[CPU_RSP]);
		CHECK_EQ(srig_stack(R, n++), before->seg[CPU_SS].selector);
	}
	CHECK_EQ(R->s.rflags & (EFL_IF | EFL_TF | EFL_NT | EFL_VM | EFL_RF), 0);
	CHECK_EQ(R->s.seg[CPU_CS].selector & 3, 0);
}

static void test_faults(void)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault_case *c = &faults[i];
		struct cpu_state before;
		int vector;

		srig_set(R, c->mode, c->cpl);
		srig_code(R, c->code, c->len);
		R->s.gpr[CPU_RAX] = c->eax;
		before = R->s;
		srig_run(R, n_insns(c));
		if (R->stop == STOP_BUDGET && c->vector >= 0)
			R->stop = cpu_run(&R->cpu, 4);
		cpu_get_state(&R->cpu, &R->s);
		vector = srig_vector(R);
		if (vector != c->vector) {
			fprintf(stderr, "%s: vector %d, wanted %d (rip %llx)\n",
				c->what, vector, c->vector,
				(unsigned long long)R->s.rip);
			exit(1);
		}
		if (vector >= 0)
			check_frame(c, &before);
	}
}

/* CALL through a gate to ring 0 and RETF back; what is pushed where. */
static void test_call_gate(void)
{
	srig_set(R, RIG_32, 3);
	srig_code(R, "\x9a\x00\x00\x00\x00\x58\x00", 7);
	srig_write(R, RIG_STACK3 - 8, 4, 0x11111111);
	srig_write(R, RIG_STACK3 - 4, 4, 0x22222222);
	srig_write(R, RIG_TARGET, 3, 0x0008ca);		/* retf 8 */
	R->s.gpr[CPU_RSP] = RIG_STACK3 - 8;
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_TARGET);
	CHECK_EQ(R->s.seg[CPU_CS].selector, SEL_CODE0);
	CHECK_EQ(R->s.seg[CPU_SS].selector, SEL_DATA0);
	CHECK_EQ(R->s.gpr[CPU_RSP], RIG_STACK0 - 24);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 7);
	CHECK_EQ(srig_stack(R, 1), SEL_CODE3);
	CHECK_EQ(srig_stack(R, 2), 0x11111111);
	CHECK_EQ(srig_stack(R, 3), 0x22222222);
	CHECK_EQ(srig_stack(R, 4), RIG_STACK3 - 8);
	CHECK_EQ(srig_stack(R, 5), SEL_DATA3);
	/* Ring 0's data segment must not be there after the return. */
	R->s.seg[CPU_DS].selector = SEL_DATA0;
	R->s.seg[CPU_DS].attr = 0xc093;
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_CODE + 7);
	CHECK_EQ(R->s.seg[CPU_CS].selector, SEL_CODE3);
	CHECK_EQ(R->s.gpr[CPU_RSP], RIG_STACK3);
	CHECK_EQ(R->s.seg[CPU_DS].selector, 0);
	CHECK_EQ(R->s.seg[CPU_ES].selector, SEL_DATA3);
}

static void set_frame(unsigned n, const uint64_t *words, unsigned size)
{
	for (unsigned i = 0; i < n; i++)
		srig_write(R, R->s.gpr[CPU_RSP] + i * size, size, words[i]);
}

static void test_iret(void)
{
	/* To ring 3; IOPL and IF from ring 0's frame. */
	srig_set(R, RIG_32, 0);
	srig_code(R, "\xcf", 1);
	R->s.gpr[CPU_RSP] = RIG_STACK0 - 64;
	set_frame(5, (uint64_t[]){ 0xb000, SEL_CODE3, 0x3246, 0x1234,
				   SEL_DATA3 }, 4);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, 0xb000);
	CHECK_EQ(R->s.seg[CPU_CS].selector, SEL_CODE3);
	CHECK_EQ(R->s.gpr[CPU_RSP], 0x1234);
	CHECK_EQ(R->s.rflags, 0x3246);
	CHECK_EQ(R->s.seg[CPU_DS].selector, 0);

	/* In ring 3 with IOPL 0 neither of them changes. */
	srig_set(R, RIG_32, 3);
	srig_code(R, "\xcf", 1);
	R->s.gpr[CPU_RSP] = RIG_STACK3 - 64;
	set_frame(3, (uint64_t[]){ 0xb000, SEL_CODE3, 0x3ed7 }, 4);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, 0xb000);
	CHECK_EQ(R->s.rflags, 0xcd7);

	/* To virtual-8086 mode. */
	srig_set(R, RIG_32, 0);
	srig_code(R, "\xcf", 1);
	R->s.gpr[CPU_RSP] = RIG_STACK0 - 64;
	set_frame(9, (uint64_t[]){ 0x100, 0x1000, EFL_VM | 0x202, 0xfff0,
				   0x2000, 0x3000, 0x4000, 0x5000, 0x6000 }, 4);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, 0x100);
	CHECK(R->s.rflags & EFL_VM);
	CHECK_EQ(R->s.seg[CPU_CS].base, 0x10000);
	CHECK_EQ(R->s.seg[CPU_SS].base, 0x20000);
	CHECK_EQ(R->s.seg[CPU_ES].base, 0x30000);
	CHECK_EQ(R->s.seg[CPU_DS].base, 0x40000);
	CHECK_EQ(R->s.seg[CPU_FS].base, 0x50000);
	CHECK_EQ(R->s.seg[CPU_GS].base, 0x60000);
	CHECK_EQ(R->s.seg[CPU_GS].limit, 0xffff);

	/* 64-bit: SS and RSP come always, and SS may be null. */
	srig_set(R, RIG_64, 0);
	srig_code(R, "\x48\xcf", 2);
	R->s.gpr[CPU_RSP] = RIG_STACK0 - 64;
	set_frame(5, (uint64_t[]){ 0xb000, SEL_CODE64, 0x202, 0x12345, 0 }, 8);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, 0xb000);
	CHECK_EQ(R->s.gpr[CPU_RSP], 0x12345);
	CHECK_EQ(R->s.seg[CPU_SS].selector, 0);
	CHECK_EQ(R->s.rflags, 0x202);

	/* NT has no place there. */
	srig_set(R, RIG_64, 0);
	R->s.rflags |= EFL_NT;
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_GP);
}

/* From virtual-8086 mode to ring 0 and its nine words. */
static void test_vm86_interrupt(void)
{
	srig_set(R, RIG_VM86, 3);
	R->s.rflags |= EFL_IOPL;
	R->s.seg[CPU_DS].selector = 0x111;
	R->s.seg[CPU_GS].selector = 0x222;
	srig_code(R, "\xcd\x80", 2);
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), 0x80);
	CHECK_EQ(R->s.gpr[CPU_RSP], RIG_STACK0 - 36);
	CHECK_EQ(srig_stack(R, 0), RIG_CODE + 2);
	CHECK_EQ(srig_stack(R, 2), EFL_VM | EFL_IOPL | 2);
	CHECK_EQ(srig_stack(R, 3), 0xf000);
	CHECK_EQ(srig_stack(R, 6), 0x111);
	CHECK_EQ(srig_stack(R, 8), 0x222);
	CHECK_EQ(R->s.seg[CPU_DS].selector, 0);
	CHECK(R->s.seg[CPU_GS].attr & CPU_SEG_UNUSABLE);
	CHECK(!(R->s.rflags & EFL_VM));

	/* VME: to the program's own handler, at 0x80 * 4 in its IVT. */
	srig_set(R, RIG_VM86, 3);
	R->s.cr4 |= 1;
	R->s.rflags |= EFL_VIF;
	memset(R->soft.ram + RIG_TSS + 0x68, 0, 32);
	srig_write(R, 0x80 * 4, 4, 0x07000040);
	srig_code(R, "\xcd\x80", 2);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, 0x40);
	CHECK_EQ(R->s.seg[CPU_CS].base, 0x7000);
	CHECK(!(R->s.rflags & EFL_VIF));
	CHECK_EQ(srig_read(R, 0xf000 - 2, 2), EFL_IF | EFL_IOPL | 2);
	CHECK_EQ(srig_read(R, 0xf000 - 6, 2), RIG_CODE + 2);

	/* And CLI, STI work on VIF. */
	srig_set(R, RIG_VM86, 3);
	R->s.cr4 |= 1;
	srig_code(R, "\xfb", 1);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_CODE + 1);
	CHECK_EQ(R->s.rflags & (EFL_IF | EFL_VIF), EFL_VIF);
}

/* CALL to a TSS and IRET back: SDM volume 3, 7.3. */
static void test_tasks(void)
{
	srig_set(R, RIG_32, 0);
	srig_code(R, "\x9a\x00\x00\x00\x00\x70\x00", 7);
	srig_write(R, RIG_TSS2 + 0x20, 4, RIG_TARGET);
	srig_write(R, RIG_TSS2 + 0x24, 4, 0x2);
	srig_write(R, RIG_TSS2 + 0x28, 4, 0xaaaa);
	srig_write(R, RIG_TSS2 + 0x38, 4, 0xe000);
	for (unsigned i = 0; i < 6; i++)
		srig_write(R, RIG_TSS2 + 0x48 + i * 4, 2,
			  i == 1 ? SEL_CODE0 : SEL_DATA0);
	srig_write(R, RIG_TARGET, 1, 0xcf);		/* iret */
	R->s.gpr[CPU_RAX] = 0x77;
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_TARGET);
	CHECK_EQ(R->s.gpr[CPU_RAX], 0xaaaa);
	CHECK_EQ(R->s.gpr[CPU_RSP], 0xe000);
	CHECK_EQ(R->s.tr.selector, SEL_TSS2);
	CHECK(R->s.rflags & EFL_NT);
	CHECK(R->s.cr0 & CPU_CR0_TS);
	CHECK_EQ(srig_read(R, RIG_TSS2, 2), SEL_TSS);
	CHECK_EQ(srig_read(R, RIG_GDT + SEL_TSS2 + 5, 1), 0xeb);
	CHECK_EQ(srig_read(R, RIG_TSS + 0x20, 4), RIG_CODE + 7);
	CHECK_EQ(srig_read(R, RIG_TSS + 0x28, 4), 0x77);
	/* Back: the first TSS's descriptor has to be busy, as LTR leaves it. */
	srig_write(R, RIG_GDT + SEL_TSS + 5, 1, 0x8b);
	srig_run(R, 1);
	CHECK_EQ(R->s.rip, RIG_CODE + 7);
	CHECK_EQ(R->s.gpr[CPU_RAX], 0x77);
	CHECK_EQ(R->s.tr.selector, SEL_TSS);
	CHECK_EQ(srig_read(R, RIG_GDT + SEL_TSS2 + 5, 1), 0xe9);
	CHECK(!(R->s.rflags & EFL_NT));

	/* A bad selector in the new TSS: #TS there, before its first
	 * instruction.
	 */
	srig_set(R, RIG_32, 0);
	srig_code(R, "\xea\x00\x00\x00\x00\x78\x00", 7);
	srig_write(R, RIG_TSS2 + 0x20, 4, RIG_TARGET);
	srig_write(R, RIG_TSS2 + 0x38, 4, 0xe000);
	for (unsigned i = 0; i < 6; i++)
		srig_write(R, RIG_TSS2 + 0x48 + i * 4, 2,
			  i == 1 ? SEL_CODE0 : i == 3 ? SEL_EXECONLY :
							SEL_DATA0);
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_TS);
	CHECK_EQ(srig_stack(R, 0), SEL_EXECONLY);
	CHECK_EQ(srig_stack(R, 1), RIG_TARGET);
	CHECK_EQ(R->s.tr.selector, SEL_TSS2);

	/* Too small: #TS in the old one. */
	srig_set(R, RIG_32, 0);
	srig_gdt(R, SEL_TSS2, 0x89ull << 40 | RIG_TSS2 << 16 | 0x66);
	srig_code(R, "\xea\x00\x00\x00\x00\x78\x00", 7);
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_TS);
	CHECK_EQ(srig_stack(R, 0), SEL_TSS2);
	CHECK_EQ(srig_stack(R, 1), RIG_CODE);
}

/* Tables 6-4 and 6-5. */
static void test_double_faults(void)
{
	/* #GP's gate is absent: #NP of it makes a double fault. */
	srig_set(R, RIG_32, 0);
	srig_gate(R, EXC_GP, 0xe, 0, false);
	srig_code(R, "\x0f\x33", 2);
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_DF);
	CHECK_EQ(srig_stack(R, 0), 0);
	CHECK_EQ(srig_stack(R, 1), RIG_CODE);

	/* #UD is benign: #NP alone comes, with EXT. */
	srig_set(R, RIG_32, 0);
	srig_gate(R, EXC_UD, 0xe, 0, false);
	srig_code(R, "\x0f\x0b", 2);
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_NP);
	CHECK_EQ(srig_stack(R, 0), EXC_UD * 8 + 2 + 1);

	/* So does INT n's, without EXT. */
	srig_set(R, RIG_32, 0);
	srig_gate(R, 0x80, 0xe, 0, false);
	srig_code(R, "\xcd\x80", 2);
	srig_run(R, 4);
	CHECK_EQ(srig_vector(R), EXC_NP);
	CHECK_EQ(srig_stack(R, 0), 0x80 * 8 + 2);

	/* The double fault's gate is absent too. */
	srig_set(R, RIG_32, 0);
	srig_gate(R, EXC_GP, 0xe, 0, false);
	srig_gate(R, EXC_DF, 0xe, 0, false);
	srig_code(R, "\x0f\x33", 2);
	srig_run(R, 4);
	CHECK_EQ(R->stop, STOP_SHUTDOWN);

	/* No stack in the TSS: #TS. */
	srig_set(R, RIG_32, 3);
	srig_write(R, RIG_TSS + 8, 2, SEL_DATA3);
	srig_code(R, "\xcd\x80", 2);
	srig_run(R, 4);
	CHECK_EQ(R->stop, STOP_SHUTDOWN);
}

int main(void)
{
	srig_init(R);
	test_faults();
	test_call_gate();
	test_iret();
	test_vm86_interrupt();
	test_tasks();
	test_double_faults();
	srig_fini(R);
	return 0;
}
