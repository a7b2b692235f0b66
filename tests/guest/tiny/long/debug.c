/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug.c - breakpoints and single step: Intel SDM volume 3, chapter 17: exact
 * values of DR6, and places of #DB.
 */
#include "long.h"

#define TF	0x100u
#define RF	0x10000u
#define FIXED	0xffff0ff0u	/* DR6 with nothing to tell */
#define BS	0x4000u
#define BD	0x2000u
#define GD	0x2000u		/* of DR7 */
#define STEP	(FIXED | BS)
#define IOPL3	0x3000u
#define MAX	16u

/* debug.S */
#define SEQUENCE(name) void name(void); extern const uint64_t name##_at[]
SEQUENCE(basic);
SEQUENCE(slow);
SEQUENCE(sti_shadow);
SEQUENCE(mov_ss);
SEQUENCE(mov_ss_int1);
SEQUENCE(general_detect);
SEQUENCE(interrupted);
SEQUENCE(halted);
#define PLACE(name) void name(void); extern const uint8_t name##_end[]
PLACE(ss_int1);
PLACE(ss_int_1);
PLACE(ss_int3);
PLACE(int1);
PLACE(int3);
void on_nop(void), write_it(void), read_it(void), port_it(void);
extern const uint8_t write_end[], read_end[], port_end[];
extern uint64_t scratch[2];

/* The #DB that came. */
static struct {
	uint64_t rip, dr6;
} met[MAX];
static uint32_t n_met, n_bp;
static uint64_t bp_rip;

static void on_db(struct frame *f)
{
	if (n_met < MAX) {
		met[n_met].rip = f->rip;
		met[n_met].dr6 = read_dr6();
	}
	/* A code breakpoint would come again. */
	if (read_dr6() & 4)
		f->rflags |= RF;
	if (++n_met >= MAX) {
		f->rflags &= ~(uint64_t)TF;
		write_dr7(0x400);
	}
}

static void on_bp(struct frame *f)
{
	bp_rip = f->rip;
	n_bp++;
}

static void on_irq(struct frame *f)
{
	(void)f;
	lapic_write(0xb0, 0);
}

static void on_int(struct frame *f)
{
	expect("the flags keep TF", f->rflags & TF, TF);
}

static void begin(uint64_t dr6)
{
	n_met = n_bp = 0;
	write_dr6(dr6);
}

static void met_one(const char *what, uint64_t rip, uint64_t dr6)
{
	expect(what, n_met, 1);
	expect(what, met[0].rip, rip);
	expect(what, met[0].dr6, dr6);
}

/* The first ones have `first` in DR6, the others are steps. */
static void met_all(const char *what, const uint64_t *at, uint32_t n_first,
		    uint64_t first)
{
	expect(what, n_met, at[0]);
	for (uint32_t i = 0; i < n_met && i < at[0]; i++) {
		expect(what, met[i].rip, at[1 + i]);
		expect(what, met[i].dr6, i < n_first ? first : STEP);
	}
}

static uint64_t in_user(uint64_t fn)
{
	((void (*)(void))fn)();
	return 0;
}

static void step(const char *what, void (*fn)(void), const uint64_t *at,
		 uint32_t n_first, int user)
{
	begin(0);
	fn();
	met_all(what, at, n_first, FIXED);
	if (!user)
		return;
	begin(0);
	expect(what, user_try(in_user, (uint64_t)fn, IOPL3), NONE);
	met_all(what, at, n_first, FIXED);
}

static void test_steps(void)
{
	step("basic", basic, basic_at, 0, 1);
	step("slow instructions", slow, slow_at, 0, 1);
	step("STI", sti_shadow, sti_shadow_at, 0, 1);
	step("MOV SS", mov_ss, mov_ss_at, 0, 0);
	step("MOV SS and INT1", mov_ss_int1, mov_ss_int1_at, 2, 0);
	step("INT", interrupted, interrupted_at, 0, 0);
	/* The timer ends HLT; its handler is not stepped. */
	lapic_write(0x3e0, 0xb);
	lapic_write(0x320, 0x51);
	lapic_write(0x380, 1000000);
	step("HLT", halted, halted_at, 0, 0);
	begin(0);
	write_dr7(0x400 | GD);
	general_detect();
	met_all("general detect", general_detect_at, 1, FIXED | BD);
	expect("GD is cleared", read_dr7(), 0x400);
}

/* DR4 and DR5 are DR6 and DR7, or not there. */
static void test_aliases(void)
{
	uint64_t cr4 = read_cr4(), v;

	write_cr4(cr4 & ~8ull);
	write_dr6(BS | 2);
	__asm__ volatile(".byte 0x0f, 0x21, 0xe0" : "=a"(v));
	expect("DR4 is DR6", v, STEP | 2);
	__asm__ volatile(".byte 0x0f, 0x21, 0xe8" : "=a"(v));
	expect("DR5 is DR7", v, 0x400);
	write_cr4(cr4 | 8);
	expect("DR4 with DE", TRY(".byte 0x0f, 0x21, 0xe0", "a"(0)), UD);
	expect("DR5 with DE", TRY(".byte 0x0f, 0x23, 0xe8", "a"(0)), UD);
	expect("DR6 above", TRY("movq %0, %%dr6", "r"(1ull << 32)), GP);
	expect("DR7 above", TRY("movq %0, %%dr7", "r"(1ull << 32)), GP);
	write_dr6(0);
	expect("DR6 of 0", read_dr6(), FIXED);
	write_dr6(0xffffffff);
	expect("DR6 of ones", read_dr6(), FIXED | 0xe00f);
	write_dr0(0x123456789abcdef0);
	expect("DR0", read_dr0(), 0x123456789abcdef0);
	write_dr0(0);
}

static void test_breakpoints(void)
{
	write_dr2((uint64_t)on_nop);
	write_dr7(0x400 | 0x20);
	begin(0);
	on_nop();
	met_one("code", (uint64_t)on_nop, FIXED | 4);
	begin(BS | 2);
	on_nop();
	met_one("bits that stay, and that go", (uint64_t)on_nop, STEP | 4);

	write_dr1((uint64_t)scratch);
	write_dr7(0x400 | 0xd00000 | 8);	/* 4 bytes, writes */
	begin(BS);
	write_it();
	met_one("data, BS stays", (uint64_t)write_end, STEP | 2);
	begin(0);
	write_it();
	met_one("data", (uint64_t)write_end, FIXED | 2);
	begin(0);
	read_it();
	expect("a read is not met", n_met, 0);
	begin(0);
	scratch[1] = 1;
	expect("behind it", n_met, 0);
	write_dr7(0x400 | 0xf00000 | 8);	/* 4 bytes, both */
	begin(0);
	read_it();
	met_one("a read", (uint64_t)read_end, FIXED | 2);
	write_dr7(0x400 | 0x900000 | 8);	/* 8 bytes, writes */
	begin(0);
	*(volatile uint8_t *)((uint8_t *)scratch + 7) = 0;
	expect("its last byte", n_met, 1);
	/* Global and local are the same; two at once. */
	write_dr3((uint64_t)scratch + 2);
	write_dr7(0x400 | 0x10000000 | 0xd00000 | 0x44);
	begin(0);
	write_it();
	met_one("two", (uint64_t)write_end, FIXED | 10);
	write_dr0(0xe0);
	write_dr7(0x400 | 0x20000 | 2);
	begin(0);
	port_it();
	met_one("port", (uint64_t)port_end, FIXED | 1);
	write_dr7(0x400);
	begin(0);
	on_nop();
	port_it();
	write_it();
	expect("none is on", n_met, 0);
}

static void test_interrupts(void)
{
	begin(0);
	int1();
	met_one("INT1", (uint64_t)int1_end, FIXED);
	begin(0);
	int3();
	expect("INT3", n_bp, 1);
	expect("INT3 returns behind it", bp_rip, (uint64_t)int3_end);
	expect("INT3 is not #DB", n_met, 0);

	/* What MOV SS has met comes together with INT1, ... */
	scratch[0] = 0x10;
	write_dr1((uint64_t)scratch);
	write_dr7(0x400 | 0xf00000 | 8);
	begin(0);
	ss_int1();
	expect("MOV SS met it, and INT1", n_met, 1);
	expect("MOV SS met it, and INT1", met[0].rip, (uint64_t)ss_int1_end);
	/* ... and before the first instruction of another handler. */
	begin(0);
	ss_int3();
	expect("MOV SS met it, and INT3", n_met, 1);
	expect("MOV SS met it, and INT3", met[0].dr6, FIXED | 2);
	expect("INT3's handler", n_bp, 1);
	expect("INT3's handler", bp_rip, (uint64_t)ss_int3_end);
	begin(0);
	ss_int_1();
	expect("MOV SS met it, and INT 1", n_met, 2);
	expect("the outer one", met[1].rip, (uint64_t)ss_int_1_end);
	write_dr7(0x400);
}

void guest_main(void)
{
	on(DB, on_db);
	on(BP, on_bp);
	on(0x51, on_irq);
	on(0x81, on_int);
	test_aliases();
	test_steps();
	test_breakpoints();
	test_interrupts();
	done("debug");
}
