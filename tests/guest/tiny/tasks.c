/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tasks.c - task switches in hardware: JMP, CALL, gates, interrupts and IRET, to
 * TSSs of 32 and of 16 bits; what is saved, loaded and linked, and the faults on
 * either side of the switch.  Intel SDM volume 3, 7.2 to 7.5.
 *
 * It says what is wrong, and how much it has looked at.
 */
#include "tiny.h"

enum { MAIN = 0x30, A = 0x38, B = 0x40, GATE = 0x48, LDT = 0x50,
       SCRATCH = 0x58, CODE16 = 0x60, DATA16 = 0x68, C = 0x70, NOTHING = 0x78 };
enum { TS = 10, NP, SS, GP };
#define NT		0x4000u
#define CR0_TS		8u
#define TASK_BASE	0x100000u	/* of CODE16 and DATA16: where guests lie */

struct tss {
	uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], seg[6], ldt;
	uint16_t trap, map;
};
struct tss16 {
	uint16_t link, stacks[6], ip, flags, gpr[8], seg[4], ldt;
};

/* tasks.S */
struct seen {
	uint32_t gpr[8], eflags, ds, fs, tr, ldt, cr0, top;
};
extern const uint8_t task_entry[], task_again[], task16_entry[];
extern const uint8_t fault_ts[], fault_np[], fault_ss[], fault_gp[], fault_db[];
uint32_t leave(void (*how)(void));
#define WAY(name) void name(void); extern const uint8_t name##_end[]
WAY(jmp_main); WAY(jmp_a); WAY(jmp_b); WAY(call_a); WAY(call_b);
WAY(call_gate); WAY(jmp_gate); WAY(call_scratch); WAY(jmp_scratch);
WAY(call_ldt); WAY(int_gate); WAY(bad_load); WAY(nested_iret);

volatile struct seen seen;
void (*volatile task_does)(void);
volatile uint32_t task16_jumps, fault_vector, fault_error, fault_eip, fault_tr;
uint32_t resume, resume_esp;
uint64_t table[16] __attribute__((aligned(8)));
extern uint64_t gdt[];
extern struct { uint16_t low, selector, type, high; } idt[256];

static volatile struct tss main_tss, a, c;
static volatile struct tss16 b;
static uint64_t ldt[4];
static uint8_t stack_a[4096], stack_b[512], stack_c[4096];
static uint32_t n_checks;

static void expect(const char *what, uint32_t got, uint32_t want)
{
	n_checks++;
	if (got != want)
		check(what, got, want);
}

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t type)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)type << 40 | (uint64_t)(base >> 24) << 56;
}

static uint32_t type_of(uint32_t selector)
{
	return table[selector / 8] >> 40 & 0xff;
}

static void set_type(uint32_t selector, uint32_t type)
{
	uint64_t *d = &table[selector / 8];

	*d = (*d & ~(0xffull << 40)) | (uint64_t)type << 40;
}

static void gate(uint32_t vector, uint32_t selector, const void *entry,
		 uint32_t type)
{
	uint32_t at = (uint32_t)entry;

	idt[vector].low = (uint16_t)at;
	idt[vector].high = (uint16_t)(at >> 16);
	idt[vector].selector = (uint16_t)selector;
	idt[vector].type = (uint16_t)type;
}

static void prepare(volatile struct tss *t, uint8_t *stack)
{
	fill((void *)t, 0, sizeof(*t));
	t->eip = (uint32_t)task_entry;
	t->eflags = 2;
	for (uint32_t i = 0; i < 8; i++)
		t->gpr[i] = 0x01010101 * (0x10 + i);
	t->gpr[4] = (uint32_t)stack + 4096;
	t->seg[0] = t->seg[2] = t->seg[3] = t->seg[4] = t->seg[5] = 0x10;
	t->seg[1] = 8;
	t->map = sizeof(*t);
}

/* All as at the beginning. */
static void begin(void (*does)(void))
{
	prepare(&a, stack_a);
	prepare(&c, stack_c);
	a.seg[3] = 0x10;
	a.seg[4] = 0x20;
	fill((void *)&b, 0, sizeof(b));
	b.ip = (uint16_t)((uint32_t)task16_entry - TASK_BASE);
	b.flags = 2;
	for (uint32_t i = 0; i < 8; i++)
		b.gpr[i] = (uint16_t)(0x1111 * (i + 1));
	b.gpr[4] = (uint16_t)((uint32_t)stack_b + 512 - TASK_BASE);
	b.seg[0] = b.seg[3] = 0x10;
	b.seg[1] = CODE16;
	b.seg[2] = DATA16;
	set_type(MAIN, 0x8b);
	set_type(A, 0x89);
	set_type(B, 0x81);
	set_type(C, 0x89);
	fill((void *)&seen, 0, sizeof(seen));
	task_does = does;
	task16_jumps = 0;
	__asm__ volatile("clts");
}

static uint32_t cr0(void)
{
	uint32_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v) : : "memory");
	return v;
}

static uint32_t eflags(void)
{
	uint32_t v;

	__asm__ volatile("pushfl; popl %0" : "=r"(v) : : "memory");
	return v;
}

static uint32_t tr(void)
{
	uint32_t v = 0;

	__asm__ volatile("str %w0" : "+r"(v) : : "memory");
	return v;
}

/* What both descriptors are while the other task runs. */
static volatile uint32_t main_type, a_type, b_type;

static void look(void)
{
	main_type = type_of(MAIN);
	a_type = type_of(A);
	b_type = type_of(B);
}

static void look_and_jump(void)
{
	look();
	jmp_main();
}

static void test_jump(void)
{
	begin(look_and_jump);
	a.link = 0x1234;
	a.ldt = LDT;
	a.eflags = 0xcd7;
	for (uint32_t i = 0; i < 8; i++)
		main_tss.gpr[i] = 0;
	expect("JMP", leave(jmp_a), 0);
	expect("JMP: its EFLAGS", seen.eflags, 0xcd7);
	for (uint32_t i = 0; i < 8; i++)
		if (i != 4)
			expect("JMP: its registers", seen.gpr[i],
			       0x01010101 * (0x10 + i));
	expect("JMP: its ESP", seen.gpr[4], (uint32_t)stack_a + 4096);
	expect("JMP: its FS", seen.fs, 0x20);
	expect("JMP: its TR", seen.tr, A);
	expect("JMP: its LDT", seen.ldt, LDT);
	expect("JMP: TS", seen.cr0 & CR0_TS, CR0_TS);
	expect("JMP: the old one is not busy", main_type, 0x89);
	expect("JMP: the new one is", a_type, 0x8b);
	expect("JMP: no link", a.link, 0x1234);
	expect("JMP back: busy", type_of(MAIN), 0x8b);
	expect("JMP back: not busy", type_of(A), 0x89);
	expect("JMP back: TS", cr0() & CR0_TS, CR0_TS);
	expect("JMP back: TR", tr(), MAIN);
	expect("JMP: EIP is saved", main_tss.eip, (uint32_t)jmp_a_end);
	expect("JMP: CS", main_tss.seg[1], 8);
	expect("JMP: ESP", main_tss.gpr[4], resume_esp - 4);
	expect("JMP back: EIP is saved", a.eip, (uint32_t)jmp_main_end);
	/* It goes on where it was. */
	a.eip = (uint32_t)task_again;
	task_does = jmp_main;
	seen.tr = 0;
	expect("JMP by a gate", leave(jmp_gate), 0);
	expect("JMP by a gate: TR", seen.tr, A);
	expect("JMP by a gate: EIP is saved", main_tss.eip,
	       (uint32_t)jmp_gate_end);
}

static void test_call(void)
{
	static void (*const ways[])(void) = { call_a, call_gate, int_gate };
	static const uint8_t *const ends[] = { call_a_end, call_gate_end,
					       int_gate_end };

	for (uint32_t i = 0; i < 3; i++) {
		begin(look);
		expect("CALL", leave(ways[i]), 0);
		expect("CALL: NT", seen.eflags & NT, NT);
		expect("CALL: not in the TSS", a.eflags & NT, 0);
		expect("CALL: the link", a.link, MAIN);
		expect("CALL: the old one is busy", main_type, 0x8b);
		expect("CALL: the new one, too", a_type, 0x8b);
		expect("CALL: TS", seen.cr0 & CR0_TS, CR0_TS);
		expect("CALL: EIP is saved", main_tss.eip, (uint32_t)ends[i]);
		expect("IRET: EIP is saved", a.eip, (uint32_t)task_again);
		expect("IRET: busy", type_of(MAIN), 0x8b);
		expect("IRET: not busy", type_of(A), 0x89);
		expect("IRET: NT", eflags() & NT, 0);
		expect("IRET: TS", cr0() & CR0_TS, CR0_TS);
	}
}

/* A calls B, which returns to it. */
static void look_and_call(void)
{
	call_b();
	look();
}

static void test_nested(void)
{
	begin(look_and_call);
	expect("nested", leave(call_a), 0);
	expect("nested: in B", seen.tr & 0xffff, B);
	expect("nested: B's link", b.link, A);
	expect("nested: A is busy", a_type, 0x8b);
	expect("nested: B is not any more", b_type, 0x81);
	expect("nested: A had NT", a.eflags & NT, 0);
	expect("nested: none is left", type_of(A), 0x89);
}

static void test_16(void)
{
	begin(0);
	expect("16 bits: CALL", leave(call_b), 0);
	expect("16 bits: AX", seen.gpr[0] & 0xffff, 0x1111);
	expect("16 bits: CX", seen.gpr[1] & 0xffff, 0x2222);
	expect("16 bits: DI", seen.gpr[7] & 0xffff, 0x8888);
	expect("16 bits: SP", seen.gpr[4] & 0xffff,
	       ((uint32_t)stack_b + 512 - TASK_BASE) & 0xffff);
	expect("16 bits: NT", seen.eflags & NT, NT);
	expect("16 bits: the link", b.link, MAIN);
	expect("16 bits: AX is saved", b.gpr[0], 0xaaaa);
	expect("16 bits: CX is saved", b.gpr[1], 0x2222);
	expect("16 bits: SS is saved", b.seg[2], DATA16);
	expect("16 bits: NT is not", b.flags & NT, 0);
	expect("16 bits: not busy", type_of(B), 0x81);
	begin(0);
	task16_jumps = 1;
	expect("16 bits: JMP", leave(jmp_b), 0);
	expect("16 bits: TR", seen.tr & 0xffff, B);
	expect("16 bits: JMP: NT", seen.eflags & NT, 0);
	expect("16 bits: back", tr(), MAIN);
}

/* Those that leave the task where it is. */
static void old_fault(const char *what, void (*how)(void), uint32_t vector,
		      uint32_t error, uint32_t length)
{
	uint32_t at = (uint32_t)how;

	expect(what, leave(how), vector);
	expect(what, fault_error, error);
	expect(what, fault_tr, MAIN);
	expect(what, tr(), MAIN);
	if (length)
		expect(what, fault_eip - at, 0);
	expect(what, type_of(MAIN), 0x8b);
}

static void scratch(uint32_t base, uint32_t limit, uint32_t type)
{
	begin(0);
	table[SCRATCH / 8] = descriptor(base, limit, type);
}

static void test_old_faults(void)
{
	uint32_t at = (uint32_t)&a;

	scratch(at, 103, 0x8b);
	old_fault("CALL, busy", call_scratch, GP, SCRATCH, 7);
	old_fault("JMP, busy", jmp_scratch, GP, SCRATCH, 7);
	scratch(at, 103, 0x09);
	old_fault("CALL, not present", call_scratch, NP, SCRATCH, 7);
	old_fault("JMP, not present", jmp_scratch, NP, SCRATCH, 7);
	scratch(at, 102, 0x89);
	old_fault("CALL, too small", call_scratch, TS, SCRATCH, 7);
	old_fault("JMP, too small", jmp_scratch, TS, SCRATCH, 7);
	scratch((uint32_t)&b, 42, 0x81);
	old_fault("JMP, too small, 16 bits", jmp_scratch, TS, SCRATCH, 7);
	scratch(at, 103, 0x82);
	old_fault("JMP to an LDT", jmp_scratch, GP, SCRATCH, 7);
	/* Task gates to what they should not name. */
	begin(0);
	table[SCRATCH / 8] = (uint64_t)0x10 << 16 | 0x85ull << 40;
	old_fault("a gate to data", call_scratch, GP, 0x10, 7);
	table[SCRATCH / 8] = (uint64_t)A << 16 | 0x05ull << 40;
	old_fault("a gate, not present", call_scratch, NP, SCRATCH, 7);
	table[SCRATCH / 8] = (uint64_t)(A | 4) << 16 | 0x85ull << 40;
	old_fault("a gate into the LDT", call_scratch, GP, A | 4, 7);
	set_type(A, 0x8b);
	old_fault("a gate to a busy one", call_gate, GP, A, 7);
	begin(0);
	idt[0x90].selector = NOTHING;
	old_fault("INT to nothing", int_gate, GP, NOTHING, 2);
	idt[0x90].selector = A;
	/* IRET to what is not busy, or no TSS. */
	main_tss.link = A;
	old_fault("IRET, not busy", nested_iret, TS, A, 0);
	main_tss.link = 0x10;
	old_fault("IRET to data", nested_iret, TS, 0x10, 0);
	main_tss.link = A | 4;
	old_fault("IRET, into the LDT", nested_iret, TS, A | 4, 0);
}

/* Those that come in the new task, before its first instruction. */
static void new_fault(const char *what, uint32_t vector, uint32_t error)
{
	uint32_t eip = a.eip;

	expect(what, leave(call_a), vector);
	expect(what, fault_error, error);
	expect(what, fault_tr, A);
	expect(what, fault_eip, eip);
	expect(what, seen.tr, 0);
}

static void test_new_faults(void)
{
	begin(0);
	a.seg[3] = NOTHING;
	new_fault("DS: nothing", TS, NOTHING);
	begin(0);
	a.seg[0] = 0x1230;
	new_fault("ES: behind the table", TS, 0x1230);
	begin(0);
	a.seg[4] = MAIN;
	new_fault("FS: a TSS", TS, MAIN);
	scratch(0, 0xffff, 0x13);
	a.seg[5] = SCRATCH;
	new_fault("GS: not present", NP, SCRATCH);
	begin(0);
	a.seg[0] = 0;
	a.seg[5] = 3;
	expect("ES and GS: null", leave(call_a), 0);
	expect("ES and GS: null, TR", seen.tr, A);
}

/* With an exception's own task: whose SS and CS there are does not matter. */
static volatile uint32_t c_link, c_error, c_eip;

static void back_from_fault(void)
{
	c_link = c.link;
	c_error = seen.top;
	c_eip = a.eip;
	__asm__ volatile("pushfl; andl $0xffffbfff, (%%esp); popfl" : : :
			 "memory", "cc");
	set_type(MAIN, 0x89);
	jmp_main();
}

static void gate_fault(const char *what, uint32_t error)
{
	gate(TS, C, 0, 0x8500);
	task_does = back_from_fault;
	leave(call_a);
	expect(what, c_link, A);
	expect(what, c_error, error);
	expect(what, c_eip, (uint32_t)task_entry);
	expect(what, a.link, MAIN);
	gate(TS, 8, fault_ts, 0x8e00);
}

static void test_gate_faults(void)
{
	begin(0);
	a.ldt = 0x10;
	gate_fault("LDT: data", 0x10);
	begin(0);
	a.ldt = NOTHING;
	gate_fault("LDT: nothing", NOTHING);
	begin(0);
	a.seg[1] = 0x10;
	gate_fault("CS: data", 0x10);
	begin(0);
	a.seg[1] = 0;
	gate_fault("CS: null", 0);
	begin(0);
	a.seg[2] = 8;
	gate_fault("SS: code", 8);
	begin(0);
	a.seg[2] = 0;
	gate_fault("SS: null", 0);
}

/* An exception whose handler is a task: the error code is on its stack. */
static void skip_it(void)
{
	c_error = seen.top;
	c_eip = main_tss.eip;
	main_tss.eip = (uint32_t)bad_load_end;
}

static void test_exception(void)
{
	begin(skip_it);
	gate(GP, A, 0, 0x8500);
	expect("#GP by a task", leave(bad_load), 0);
	expect("#GP by a task: the error code", c_error, 0x1230);
	expect("#GP by a task: its place", seen.gpr[4],
	       (uint32_t)stack_a + 4092);
	expect("#GP by a task: EIP", c_eip, (uint32_t)bad_load_end - 2);
	expect("#GP by a task: the link", a.link, MAIN);
	expect("#GP by a task: NT", seen.eflags & NT, NT);
	gate(GP, 8, fault_gp, 0x8e00);
}

static void test_debug(void)
{
	uint32_t dr7;

	begin(jmp_main);
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x455) : "memory");
	expect("local breakpoints", leave(jmp_a), 0);
	__asm__ volatile("mov %%dr7, %0" : "=r"(dr7) : : "memory");
	expect("local breakpoints: none is left", dr7, 0x400);
}

static void make_tables(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed))
		pointer = { sizeof(table) - 1, (uint32_t)table };

	copy(table, gdt, 6 * 8);
	table[MAIN / 8] = descriptor((uint32_t)&main_tss, 103, 0x89);
	table[A / 8] = descriptor((uint32_t)&a, 103, 0x89);
	table[B / 8] = descriptor((uint32_t)&b, 43, 0x81);
	table[C / 8] = descriptor((uint32_t)&c, 103, 0x89);
	table[GATE / 8] = (uint64_t)A << 16 | 0x85ull << 40;
	table[LDT / 8] = descriptor((uint32_t)ldt, sizeof(ldt) - 1, 0x82);
	table[CODE16 / 8] = descriptor(TASK_BASE, 0xffff, 0x9b) | 4ull << 52;
	table[DATA16 / 8] = descriptor(TASK_BASE, 0xffff, 0x93);
	main_tss.map = sizeof(main_tss);
	__asm__ volatile("lgdt %0\n\t ltr %w1" : : "m"(pointer), "r"(MAIN) :
			 "memory");
	gate(TS, 8, fault_ts, 0x8e00);
	gate(NP, 8, fault_np, 0x8e00);
	gate(SS, 8, fault_ss, 0x8e00);
	gate(GP, 8, fault_gp, 0x8e00);
	gate(0x90, A, 0, 0x8500);
}

void guest_main(void)
{
	make_tables();
	test_jump();
	test_call();
	test_nested();
	test_16();
	test_old_faults();
	test_new_faults();
	test_gate_faults();
	test_exception();
	test_debug();
	put("tasks: ");
	put_dec(n_checks);
	put(" checks\n");
}
