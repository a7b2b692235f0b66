/* SPDX-License-Identifier: GPL-2.0-or-later */
/* system.c - system registers, MSRs, segments and calls between rings in 64-bit
 * mode: Intel SDM volumes 2 and 3.
 */
#include "long.h"

#define CR4_UMIP	0x800u
#define CR4_PCIDE	0x20000u
#define CR4_SMAP	(1u << 21)
#define AC_FLAG		0x40000u
#define IF_FLAG		0x200u
#define NONCANONICAL	0xaaaaaaaaaaaaaaaaull
#define SOME_ADDRESS	0x0000123456789abcull

static void keeps(const char *what, uint32_t index, uint64_t v, uint64_t fixed)
{
	uint64_t before = rdmsr(index);

	v = (v & ~fixed) | (before & fixed);
	expect(what, wrmsr_try(index, v), NONE);
	expect(what, rdmsr(index), v);
	wrmsr(index, before);
}

static void test_msrs(void)
{
	static const uint32_t addresses[] = { 0x175, 0x176, 0xc0000100,
		0xc0000101, 0xc0000102, 0xc0000082, 0xc0000083 };
	uint64_t v;

	for (unsigned i = 0; i < 7; i++) {
		keeps("an address", addresses[i], SOME_ADDRESS, 0);
		keeps("an upper one", addresses[i], ~SOME_ADDRESS, 0);
		expect("canonical", wrmsr_try(addresses[i], NONCANONICAL), GP);
		expect("canonical", wrmsr_try(addresses[i], 1ull << 47), GP);
	}
	keeps("SYSENTER_CS", 0x174, 0x1234, 0);
	keeps("MISC_ENABLE", 0x1a0, 0x400c50809, 0x1880);
	wrmsr(0x1a0, rdmsr(0x1a0) | 1ull << 34 | 1u << 22);
	expect("NX was hidden", has(0x80000001, 3, 20), 0);
	expect("leaf 7 was hidden", has(7, 1, 7), 0);
	wrmsr(0x1a0, rdmsr(0x1a0) & ~(1ull << 34 | 1u << 22));
	keeps("PAT", 0x277, 0x07070707, 0);
	expect("PAT of 2", wrmsr_try(0x277, 2), GP);
	keeps("FMASK", 0xc0000084, 0xffffffff, 0);
	keeps("EFER", 0xc0000080, rdmsr(0xc0000080) ^ 1, 0);
	expect("EFER without LME", wrmsr_try(0xc0000080, 0), GP);
	expect("EFER, a reserved bit", wrmsr_try(0xc0000080, 2), GP);
	expect("MTRRCAP", wrmsr_try(0xfe, 0), GP);
	for (uint32_t i = 0x400 + 4 * (rdmsr(0x179) & 0xff); i < 0x480; i++) {
		expect("no bank", rdmsr_try(i, &v), GP);
		expect("no bank", wrmsr_try(i, 0), GP);
	}
	expect("no such MSR", rdmsr_try(0x12345678, &v), GP);
	wrmsr(0xc0000103, 7);
	__asm__ volatile("rdtscp" : "=c"(v) : : "rax", "rdx");
	expect("TSC_AUX", v, 7);
	expect("TSC_AUX, wide", wrmsr_try(0xc0000103, 1ull << 32), GP);
	v = rdtsc() + (1ull << 40);
	wrmsr(0x10, v);
	expect("TSC was set", rdtsc() - v < 1ull << 38, 1);
}

static void test_cr(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4(), cr3 = read_cr3(), v;
	uint64_t mem[3] = { 0, 0x0123456789abcdef, 0 };

	__asm__ volatile("smsww %w0" : "=r"(v) : "0"(0x1234567890abcdef));
	expect("SMSW, 16 bits", v, 0x1234567890ab0000 | (cr0 & 0xffff));
	__asm__ volatile("smswl %k0" : "=r"(v) : "0"(0x1234567890abcdef));
	expect("SMSW, 32 bits", v, (uint32_t)cr0);
	__asm__ volatile("smswq %0" : "=r"(v));
	expect("SMSW, 64 bits", v, cr0);
	__asm__ volatile("smsw %0" : "+m"(mem[1]));
	expect("SMSW to memory", mem[1], 0x0123456789ab0000 | (cr0 & 0xffff));
	__asm__ volatile("lmsw %w0" : : "r"(cr0 ^ 8));
	expect("LMSW", read_cr0(), cr0 ^ 8);
	mem[0] = (cr0 & ~1ull) ^ 4;
	__asm__ volatile("lmsw %0" : : "m"(mem[0]));
	expect("LMSW leaves PE", read_cr0(), cr0 ^ 4);
	write_cr0(cr0);
	expect("CR0, upper", TRY("mov %0, %%cr0", "r"(cr0 | 1ull << 32)), GP);
	expect("CR0, NW", TRY("mov %0, %%cr0", "r"(cr0 | 1u << 29)), GP);
	expect("CR0 without PE", TRY("mov %0, %%cr0", "r"(cr0 & ~1ull)), GP);
	expect("CR0 without PG",
	       TRY("mov %0, %%cr0", "r"(cr0 & 0x7fffffff)), GP);
	expect("CR4 without PAE", TRY("mov %0, %%cr4", "r"(cr4 & ~0x20ull)),
	       GP);
	expect("CR4, reserved", TRY("mov %0, %%cr4", "r"(cr4 | 1u << 15)), GP);
	expect("CR4, upper", TRY("mov %0, %%cr4", "r"(cr4 | 1ull << 40)), GP);
	expect("CR3, reserved", TRY("mov %0, %%cr3", "r"(cr3 | 1ull << 52)),
	       GP);
	expect("CR8, reserved", TRY("mov %0, %%cr8", "r"(16ull)), GP);
	expect("no CR1", TRY(".byte 0x0f, 0x20, 0xc8", "a"(0)), UD);
	expect("no CR5", TRY(".byte 0x0f, 0x22, 0xe8", "a"(0)), UD);
	write_cr8(3);
	expect("CR8", read_cr8(), 3);
	write_cr8(0);
}

static uint32_t invpcid(uint64_t type, uint64_t pcid, uint64_t lin)
{
	uint64_t desc[2] = { pcid, lin };

	return TRY("invpcid (%0), %1", "r"(desc), "r"(type));
}

static void test_pcid(void)
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();

	if (!has(1, 2, 17) || !has(7, 1, 10))
		return;
	expect("INVPCID, one, off", invpcid(1, 0, 0), NONE);
	expect("INVPCID, another, off", invpcid(1, 1, 0), GP);
	expect("INVPCID, address, off", invpcid(0, 1, 0), GP);
	write_cr3(cr3 | 1);
	expect("PCIDE with a PCID", TRY("mov %0, %%cr4", "r"(cr4 | CR4_PCIDE)),
	       GP);
	write_cr3(cr3);
	expect("PCIDE", TRY("mov %0, %%cr4", "r"(cr4 | CR4_PCIDE)), NONE);
	expect("PG off with it",
	       TRY("mov %0, %%cr0", "r"(cr0 & 0x7fffffff)), GP);
	expect("CR3, no flush",
	       TRY("mov %0, %%cr3", "r"(cr3 | 5 | 1ull << 63)), NONE);
	expect("it reads as 0", read_cr3(), cr3 | 5);
	write_cr3(cr3);
	for (uint64_t type = 0; type < 4; type++)
		expect("INVPCID", invpcid(type, 10, 0), NONE);
	expect("INVPCID, type 4", invpcid(4, 0, 0), GP);
	expect("INVPCID, reserved", invpcid(1, 1 << 12, 0), GP);
	expect("INVPCID, address", invpcid(0, 1, NONCANONICAL), GP);
	expect("INVPCID, not the address", invpcid(1, 1, NONCANONICAL), NONE);
	write_cr4(cr4);
	expect("CR3, no flush, off", TRY("mov %0, %%cr3",
					 "r"(cr3 | 1ull << 63)), GP);
}

/* Segments. */

static uint16_t ss_now(void)
{
	uint16_t v;

	__asm__ volatile("mov %%ss, %0" : "=r"(v));
	return v;
}

static void test_segments(void)
{
	struct {
		uint64_t offset;
		uint16_t selector;
	} __attribute__((packed)) far;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table, old;
	uint64_t v;

	expect("SS null", TRY("movl %0, %%ss", "r"(0)), NONE);
	expect("SS null", ss_now(), 0);
	expect("SS null, another ring", TRY("movl %0, %%ss", "r"(3)), GP);
	expect("SS is code", TRY("movl %0, %%ss", "r"(8)), GP);
	expect("its selector", caught.error, 8);
	expect("SS of ring 3", TRY("movl %0, %%ss", "r"(0x33)), GP);
	__asm__ volatile("movl %0, %%ss" : : "r"(0x10));
	expect("CS", TRY(".byte 0x8e, 0xc8", "a"(0x10)), UD);
	expect("behind the GDT", TRY("movl %0, %%fs", "r"(0xfff8)), GP);
	expect("its selector", caught.error, 0xfff8);
	expect("not there", TRY("ljmp *%0", "m"(far)), GP);
	far.offset = (uint64_t)&&there;
	far.selector = 8;
	__asm__ volatile goto("rex64 ljmp *%0" : : "m"(far) : : there);
	expect("a far jump", 0, 1);
there:
	far.selector = 0x20;
	expect("code not present", TRY("rex64 ljmp *%0", "m"(far)), NP);
	expect("its selector", caught.error, 0x20);
	v = 0x1111111111111111;
	expect("jump beyond", TRY("jmp *%0", "m"(v)), GP);
	expect("call beyond", TRY("call *%0", "m"(v)), GP);
	gdt[8] &= ~(1ull << 41);
	__asm__ volatile("ltr %w0" : : "r"(0x40) : "memory");
	__asm__ volatile("str %0" : "=r"(v));
	expect("STR", v, 0x40);
	expect("the TSS is busy", gdt[8] >> 41 & 1, 1);
	expect("LTR of a busy one", TRY("ltr %w0", "r"(0x40)), GP);
	expect("LTR null", TRY("ltr %w0", "r"(0)), GP);
	gdt[10] = 0x000082000000ffff;
	gdt[11] = 0;
	expect("LLDT", TRY("lldt %w0", "r"(0x50)), NONE);
	__asm__ volatile("sldt %0" : "=r"(v));
	expect("SLDT", v, 0x50);
	expect("LLDT of data", TRY("lldt %w0", "r"(0x10)), GP);
	expect("LLDT null", TRY("lldt %w0", "r"(0)), NONE);
	__asm__ volatile("sgdt %0" : "=m"(old));
	table.limit = 0xf234;
	table.base = SOME_ADDRESS;
	__asm__ volatile("lgdt %0" : : "m"(table));
	table.limit = 0;
	__asm__ volatile("sgdt %0" : "=m"(table));
	__asm__ volatile("lgdt %0" : : "m"(old));
	expect("LGDT", table.base, SOME_ADDRESS);
	expect("LGDT", table.limit, 0xf234);
	table.base = NONCANONICAL;
	expect("LGDT beyond", TRY("lgdt %0", "m"(table)), GP);
	expect("LIDT beyond", TRY("lidt %0", "m"(table)), GP);
}

/* What there is not. */
static void test_undefined(void)
{
	expect("UD2", TRY("ud2", "a"(0)), UD);
	expect("LEA of a register", TRY(".byte 0x8d, 0xc0", "a"(0)), UD);
	expect("MOVBE of a register", TRY(".byte 0x0f, 0x38, 0xf0, 0xc0",
					  "a"(0)), UD);
	expect("RDPRU", TRY(".byte 0x0f, 0x01, 0xfd", "c"(0)), UD);
	expect("LOCK NOP", TRY(".byte 0xf0, 0x90", "a"(0)), UD);
	expect("LOCK of a register", TRY(".byte 0xf0, 0x01, 0xc0", "a"(0)),
	       UD);
	expect("PUSH ES", TRY(".byte 0x06", "a"(0)), UD);
	expect("INTO", TRY(".byte 0xce", "a"(0)), UD);
	expect("XGETBV", TRY("xgetbv", "c"(0)), UD);
	expect("XSETBV", TRY("xsetbv", "c"(0), "a"(1), "d"(0)), UD);
	expect("RDPKRU", TRY(".byte 0x0f, 0x01, 0xee", "c"(0)), UD);
	expect("CLFLUSHOPT", TRY(".byte 0x66, 0x0f, 0xae, 0x3b", "b"(gdt)),
	       has(7, 1, 23) ? NONE : UD);
	expect("CLWB", TRY(".byte 0x66, 0x0f, 0xae, 0x33", "b"(gdt)),
	       has(7, 1, 24) ? NONE : UD);
	expect("CLWB of a register", TRY(".byte 0x66, 0x0f, 0xae, 0xf0",
					 "a"(0)), UD);
	expect("PCOMMIT", TRY(".byte 0x66, 0x0f, 0xae, 0xf8", "a"(0)), UD);
	expect("CLFLUSH", TRY("clflush (%0)", "r"(gdt)), NONE);
	expect("fences", TRY("lfence; sfence; mfence", "a"(0)), NONE);
	expect("15 bytes", TRY(".fill 14, 1, 0x2e; nop", "a"(0)), NONE);
	expect("16 bytes", TRY(".fill 15, 1, 0x2e; nop", "a"(0)), GP);
}

/* Ring 3. */

static uint64_t user_hlt(uint64_t arg)
{
	__asm__ volatile("hlt");
	return arg;
}

static uint64_t user_seg0(uint64_t arg)
{
	__asm__ volatile("movl %0, %%fs" : : "r"(8));
	return arg;
}

static uint64_t user_gs(uint64_t arg)
{
	uint64_t v;

	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(v) : "r"(arg));
	return v;
}

static uint64_t user_int(uint64_t arg)
{
	__asm__ volatile("int $0x82");
	return arg;
}

static uint64_t user_in(uint64_t arg)
{
	return inb((uint16_t)arg);
}

#define USER_TELLS(name, insn) \
static uint64_t user_##name(uint64_t arg) \
{ \
	uint8_t mem[16]; \
	__asm__ volatile(insn " %0" : "=m"(mem)); \
	return arg; \
}
USER_TELLS(sgdt, "sgdt")
USER_TELLS(sidt, "sidt")
USER_TELLS(sldt, "sldt")
USER_TELLS(str, "str")
USER_TELLS(smsw, "smsw")

static void test_user(void)
{
	static uint64_t value = 0xdeadbeefdeadbeef;
	static uint64_t (*const tells[])(uint64_t) = {
		user_sgdt, user_sidt, user_sldt, user_str, user_smsw };

	expect("HLT", user_try(user_hlt, 0, 0), GP);
	expect("a segment of ring 0", user_try(user_seg0, 0, 0), GP);
	expect("its selector", caught.error, 8);
	expect("a gate of ring 0", user_try(user_int, 0, 0), GP);
	expect("its vector", caught.error, 0x82 * 8 + 2);
	expect("IN", user_try(user_in, 0xe0, 0), GP);
	expect("IN with IOPL", user_try(user_in, 0xe0, 0x3000), NONE);
	wrmsr(0xc0000101, 0x400000);
	expect("GS", user_try(user_gs, (uint64_t)&value - 0x400000, 0), NONE);
	expect("GS keeps its base", user_result, value);
	wrmsr(0xc0000101, 0);
	for (unsigned i = 0; i < 5; i++)
		expect("told", user_try(tells[i], 0, 0), NONE);
	if (!has(7, 2, 2))
		return;
	write_cr4(read_cr4() | CR4_UMIP);
	for (unsigned i = 0; i < 5; i++) {
		expect("UMIP", user_try(tells[i], 0, 0), GP);
		expect("UMIP", caught.error, 0);
	}
	expect("UMIP in ring 0", TRY("smsw %%ax", "a"(0)), NONE);
	write_cr4(read_cr4() & ~(uint64_t)CR4_UMIP);
}

static void test_smap(void)
{
	volatile uint64_t *user = (uint64_t *)0x1000000;
	uint64_t cr4 = read_cr4();

	if (!has(7, 1, 20))
		return;
	expect("STAC in ring 0", TRY("stac; clac", "a"(0)), NONE);
	pd[0] &= ~4ull;
	write_cr3(read_cr3());
	write_cr4(cr4 | CR4_SMAP);
	expect("SMAP, read", TRY("movq (%0), %%r11", "r"(user)), PF);
	expect("SMAP, read", caught.error, 1);
	expect("SMAP, write", TRY("movq %0, (%0)", "r"(user)), PF);
	expect("SMAP, write", caught.error, 3);
	expect("SMAP, its own", TRY("movq (%0), %%r11", "r"(&cr4)), NONE);
	expect("STAC", TRY("stac; movq (%0), %%r11; clac", "r"(user)), NONE);
	expect("CLAC", TRY("stac; clac; movq (%0), %%r11", "r"(user)), PF);
	expect("STAC lets the flag be", caught.rflags & AC_FLAG, 0);
	write_cr4(cr4);
	pd[0] |= 4;
	write_cr3(read_cr3());
}

/* SYSCALL and SYSENTER: %rbx keeps what the kernel's side saw. */

void syscall_target(void), sysenter_target(void);
extern uint64_t seen_flags, seen_cs, seen_ss;
extern const uint8_t sysret_far[];
__asm__(".text\n"
	".globl syscall_target, sysenter_target, sysret_far\n"
	"syscall_target:\n\t"
	"pushfq\n\t"
	"popq seen_flags(%rip)\n\t"
	"movl %cs, %ebx\n\t"
	"movq %rbx, seen_cs(%rip)\n\t"
	"movl %ss, %ebx\n\t"
	"movq %rbx, seen_ss(%rip)\n\t"
	"sysretq\n"
	"sysenter_target:\n\t"
	"pushfq\n\t"
	"popq seen_flags(%rip)\n\t"
	"movl %cs, %ebx\n\t"
	"movq %rbx, seen_cs(%rip)\n\t"
	"sysexitq\n"
	".data\n"
	"seen_flags: .quad 0\n"
	"seen_cs: .quad 0\n"
	"seen_ss: .quad 0\n"
	".text");

static uint64_t user_syscall(uint64_t arg)
{
	uint64_t cs, ss;

	__asm__ volatile("pushq %%rbx; syscall; popq %%rbx\n\t"
			 "movl %%cs, %k0; movl %%ss, %k1"
			 : "=r"(cs), "=r"(ss) : : "rcx", "r11", "memory");
	return cs << 16 | ss | (arg & 0);
}

static uint64_t user_sysenter(uint64_t arg)
{
	uint64_t cs, ss;

	__asm__ volatile("pushq %%rbx\n\t"
			 "movq %%rsp, %%rcx\n\t"
			 "leaq 1f(%%rip), %%rdx\n\t"
			 "sysenter\n"
			 "1: popq %%rbx\n\t"
			 "movl %%cs, %k0; movl %%ss, %k1"
			 : "=r"(cs), "=r"(ss) : : "rcx", "rdx", "memory");
	return cs << 16 | ss | (arg & 0);
}

/* From 32-bit code, whose second SYSCALL ends it. */
extern const uint8_t syscall32[], syscall32_end[];
extern uint32_t syscall32_n;
void syscall32_target(void);
__asm__(".text\n"
	".globl syscall32, syscall32_end, syscall32_target, syscall32_n\n"
	".code32\n"
	"syscall32: pushfl\n\t"
	"orl $0x100, (%esp)\n\t"
	"popfl\n\t"
	"syscall\n"
	"syscall32_end: nop\n\t"
	"syscall\n"
	".code64\n"
	"syscall32_target:\n\t"
	"incl syscall32_n(%rip)\n\t"
	"cmpl $2, syscall32_n(%rip)\n\t"
	"je user_exit\n\t"
	"sysretl\n"
	".data\n"
	"syscall32_n: .long 0\n"
	".text");

static uint64_t user_syscall32(uint64_t arg)
{
	__asm__ volatile("pushq $0x2b; pushq %0; lretq" : :
			 "r"(syscall32), "a"(arg));
	return 0;
}

static uint32_t n_steps;
static uint64_t step_rip, step_cs;

static void on_step(struct frame *f)
{
	n_steps++;
	step_rip = f->rip;
	step_cs = f->cs;
	f->rflags &= ~0x100ull;
}

static void test_syscall32(void)
{
	wrmsr(0xc0000081, 0x002b000800000000);
	wrmsr(0xc0000083, 0);
	expect("without CSTAR", user_try(user_syscall32, 0, 0), UD);
	on(DB, on_step);
	wrmsr(0xc0000083, (uint64_t)syscall32_target);
	wrmsr(0xc0000084, 0x4700);
	expect("with CSTAR", user_try(user_syscall32, 0, 0), NONE);
	expect("it came twice", syscall32_n, 2);
	expect("a step only of SYSRET", n_steps, 1);
	expect("behind it", step_rip, (uint64_t)syscall32_end);
	expect("in 32-bit code", step_cs, 0x2b);
	on(DB, 0);
}

static void test_calls(void)
{
	static uint8_t stack[256] __attribute__((aligned(16)));
	uint64_t efer = rdmsr(0xc0000080);

	wrmsr(0xc0000081, 0x002b000800000000);
	wrmsr(0xc0000082, (uint64_t)syscall_target);
	wrmsr(0xc0000084, 0x200);
	expect("SYSCALL", user_try(user_syscall, 0, IF_FLAG), NONE);
	expect("SYSRET's CS and SS", user_result, 0x3b0033);
	expect("SYSCALL's CS", seen_cs, 8);
	expect("SYSCALL's SS", seen_ss, 0x10);
	expect("SYSCALL's IF", seen_flags & IF_FLAG, 0);
	wrmsr(0xc0000080, efer & ~1ull);
	expect("SYSCALL without SCE", user_try(user_syscall, 0, 0), UD);
	expect("SYSRET without SCE", TRY("sysretq", "c"(0)), UD);
	wrmsr(0xc0000080, efer);
	expect("SYSRET beyond", TRY("sysretq", "c"(1ull << 47)), GP);
	wrmsr(0x174, 0);
	expect("SYSENTER without CS", user_try(user_sysenter, 0, 0), GP);
	expect("SYSEXIT without CS", TRY("sysexitq", "c"(0), "d"(0)), GP);
	/* SYSEXIT wants its segments of ring 3 behind: 08, 10, -, -, 28, 30. */
	gdt[12] = gdt[5];
	wrmsr(0x174, 0x18);
	wrmsr(0x175, (uint64_t)stack + sizeof(stack));
	wrmsr(0x176, (uint64_t)sysenter_target);
	expect("SYSENTER", user_try(user_sysenter, 0, IF_FLAG), NONE);
	expect("SYSEXIT's CS and SS", user_result, 0x3b0043);
	expect("SYSENTER's CS", seen_cs, 0x18);
	expect("SYSENTER's IF", seen_flags & IF_FLAG, 0);
}

void guest_main(void)
{
	test_msrs();
	test_cr();
	test_pcid();
	test_segments();
	test_undefined();
	test_user();
	test_smap();
	test_calls();
	test_syscall32();
	done("system");
}
