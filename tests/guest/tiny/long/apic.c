/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apic.c - the local APIC's modes, identities, timer and interrupts between two
 * CPUs: Intel SDM volume 3, 11.4 to 11.12.
 */
#include "long.h"

#define APIC_BASE	0x1bu
#define EN		0x800u
#define EXTD		0x400u
#define DEADLINE	0x6e0u
#define NONE_ON_BUS	0xffffffffu

#define R_ID		0x20u
#define R_VERSION	0x30u
#define R_TPR		0x80u
#define R_PPR		0xa0u
#define R_EOI		0xb0u
#define R_LDR		0xd0u
#define R_DFR		0xe0u
#define R_SVR		0xf0u
#define R_ESR		0x280u
#define R_TIMER		0x320u
#define R_INITIAL	0x380u
#define R_NOW		0x390u
#define R_DIVIDE	0x3e0u
#define ONCE		0x00000u
#define PERIODIC	0x20000u
#define ON_DEADLINE	0x40000u
#define X2(reg)		(0x800u + ((reg) >> 4))

#define V_COUNT		0x51u
#define V_TIMER		0x52u
#define V_CALL		0x53u
#define V_FLUSH		0x54u
#define FIXED_IPI	0x4000u
#define NMI_IPI		0x4400u

static volatile uint32_t n_counted, n_timer, n_nmi;

static int is_x2(void)
{
	return rdmsr(APIC_BASE) & EXTD ? 1 : 0;
}

static uint32_t get(uint32_t reg)
{
	return is_x2() ? (uint32_t)rdmsr(X2(reg)) : lapic_read(reg);
}

static void set(uint32_t reg, uint32_t v)
{
	if (is_x2())
		wrmsr(X2(reg), v);
	else
		lapic_write(reg, v);
}

static void ipi(uint32_t id, uint32_t command)
{
	if (is_x2())
		wrmsr(0x830, (uint64_t)id << 32 | command);
	else
		send(id, command);
}

static void on_count(struct frame *f)
{
	(void)f;
	__asm__ volatile("lock incl %0" : "+m"(n_counted));
	set(R_EOI, 0);
}

static void on_timer(struct frame *f)
{
	(void)f;
	n_timer++;
	set(R_EOI, 0);
}

/* Run a function on the other CPU. */
static void (*volatile call)(void);
static volatile uint32_t n_called;

static void on_call(struct frame *f)
{
	(void)f;
	set(R_EOI, 0);
	call();
	n_called++;
}

static void on_other(void (*fn)(void))
{
	call = fn;
	ipi(1, FIXED_IPI | V_CALL);
}

static void on_other_wait(void (*fn)(void))
{
	uint32_t before = n_called;

	on_other(fn);
	while (n_called == before)
		pause();
}

void ap_main(void)
{
	lapic_write(R_SVR, 0x1ff);
	__asm__ volatile("lock incl %0" : "+m"(n_started));
	for (;;)
		__asm__ volatile("sti; hlt; cli");
}

static uint32_t base_write(uint64_t v)
{
	return wrmsr_try(APIC_BASE, v);
}

static void restart(uint64_t mode)
{
	uint64_t base = rdmsr(APIC_BASE) & ~(uint64_t)(EN | EXTD);

	wrmsr(APIC_BASE, base);
	wrmsr(APIC_BASE, base | EN);
	if (mode & EXTD)
		wrmsr(APIC_BASE, base | EN | EXTD);
	set(R_SVR, 0x1ff);
}

/* Nobody answers in memory; the priority is still CR8's. */
static void silent(const char *what)
{
	uint64_t cr8 = read_cr8();

	memset((void *)(uint64_t)LAPIC, 0xff, 4096);
	expect(what, mmio_read(LAPIC + R_VERSION), NONE_ON_BUS);
	expect(what, read_cr8(), cr8);
	write_cr8(cr8 ^ 15);
	expect(what, read_cr8(), cr8 ^ 15);
	expect(what, mmio_read(LAPIC + R_TPR), NONE_ON_BUS);
	write_cr8(cr8);
}

static void test_modes(void)
{
	uint64_t base = rdmsr(APIC_BASE), off = base & ~(uint64_t)(EN | EXTD);
	uint32_t version = lapic_read(R_VERSION);

	expect("version", version & 0xff, 0x14);
	wrmsr(APIC_BASE, off);
	expect("CPUID without an APIC", has(1, 3, 9), 0);
	silent("switched off");
	expect("off to invalid", base_write(off | EXTD), GP);
	expect("off to x2APIC", base_write(off | EXTD | EN), GP);
	expect("off to on", base_write(off | EN), NONE);
	expect("CPUID", has(1, 3, 9), 1);
	expect("version", lapic_read(R_VERSION), version);
	expect("TPR", lapic_read(R_TPR), read_cr8() << 4);
	write_cr8(5);
	expect("TPR", lapic_read(R_TPR), 0x50);
	write_cr8(0);
	expect("on to invalid", base_write(off | EXTD), GP);
	expect("a reserved bit", base_write(base | 1), GP);
	expect("behind the addresses", base_write(base | 1ull << 46), GP);
	expect("on to x2APIC", base_write(off | EN | EXTD), NONE);
	silent("x2APIC");
	expect("x2APIC to invalid", base_write(off | EXTD), GP);
	expect("x2APIC to on", base_write(off | EN), GP);
	expect("x2APIC to off", base_write(off), NONE);
	wrmsr(APIC_BASE, 0xfed40000u | (off & 0x100) | EN);
	expect("elsewhere", mmio_read(0xfed40000u + R_VERSION), version);
	expect("no more here", mmio_read(LAPIC + R_VERSION), NONE_ON_BUS);
	wrmsr(APIC_BASE, base);
	set(R_SVR, 0x1ff);
}

static void test_ids(void)
{
	uint32_t r[4], initial;
	uint64_t v;

	cpuid(1, 0, r);
	initial = r[1] >> 24;
	cpuid(0xb, 0, r);
	restart(EN);
	expect("id of CPUID", lapic_read(R_ID) >> 24, initial);
	lapic_write(R_ID, (initial + 1) << 24);
	expect("id is writable", lapic_read(R_ID) >> 24, initial + 1);
	wrmsr(APIC_BASE, rdmsr(APIC_BASE) | EXTD);
	expect("x2APIC id", rdmsr(X2(R_ID)), r[3]);
	expect("x2APIC id is the same", r[3] & 0xff, initial);
	expect("x2APIC id is fixed", wrmsr_try(X2(R_ID), 0), GP);
	expect("logical id", rdmsr(X2(R_LDR)), 1u << initial);
	expect("logical id is fixed", wrmsr_try(X2(R_LDR), 0), GP);
	expect("no destination format", wrmsr_try(X2(R_DFR), 0), GP);
	expect("EOI of something", wrmsr_try(X2(R_EOI), 1), GP);
	expect("EOI cannot be read", rdmsr_try(X2(R_EOI), &v), GP);
	expect("reserved bits", wrmsr_try(X2(R_SVR), 1ull << 32), GP);
	expect("no upper command", rdmsr_try(0x831, &v), GP);
	restart(EN);
	expect("id after it was off", lapic_read(R_ID) >> 24, initial);
}

static void test_self(uint64_t mode)
{
	restart(mode);
	n_counted = 0;
	sti();
	ipi(0, FIXED_IPI | 0x40000 | V_COUNT);
	expect("to oneself, at once", n_counted, 1);
	ipi(0, FIXED_IPI | V_COUNT);
	expect("by one's id", n_counted, 2);
	cli();
	ipi(0, FIXED_IPI | V_COUNT);
	ipi(0, FIXED_IPI | V_COUNT);
	sti();
	expect("two are one", n_counted, 3);
	set(R_TPR, 0x50);
	ipi(0, FIXED_IPI | V_COUNT);
	expect("below the priority", n_counted, 3);
	expect("PPR", get(R_PPR), 0x50);
	set(R_TPR, 0x4f);
	__asm__ volatile("nop");
	expect("above it", n_counted, 4);
	set(R_TPR, 0);
	cli();
}

static void wait_counted(const char *what, uint32_t want)
{
	for (uint32_t i = 0; i < 1000000 && n_counted < want; i++)
		pause();
	expect(what, n_counted, want);
	n_counted = 0;
}

static void other_mode(void)
{
	static uint64_t mode = EN;

	mode ^= EXTD;
	restart(mode);
}

static void other_logical(void)
{
	set(R_LDR, 2u << 24);
}

static void test_broadcast(uint64_t mode)
{
	uint32_t all = mode & EXTD ? 0xffffffff : 0xff;

	restart(mode);
	if (mode & EXTD)
		on_other_wait(other_mode);
	n_counted = 0;
	sti();
	ipi(all, FIXED_IPI | V_COUNT);
	wait_counted("to all", 2);
	ipi(0, FIXED_IPI | 0x80000 | V_COUNT);
	wait_counted("to all, by shorthand", 2);
	ipi(0, FIXED_IPI | 0xc0000 | V_COUNT);
	wait_counted("to all others", 1);
	ipi(1, FIXED_IPI | V_COUNT);
	wait_counted("to one", 1);
	if (mode & EXTD) {
		ipi(3, FIXED_IPI | 0x800 | V_COUNT);
		wait_counted("to a cluster", 2);
		ipi(0x10003, FIXED_IPI | 0x800 | V_COUNT);
		wait_counted("to another cluster", 0);
		on_other_wait(other_mode);
		cli();
		return;
	}
	set(R_DFR, 0xffffffff);
	set(R_LDR, 1u << 24);
	on_other_wait(other_logical);
	ipi(3, FIXED_IPI | 0x800 | V_COUNT);
	wait_counted("to two logical ones", 2);
	ipi(2, FIXED_IPI | 0x800 | V_COUNT);
	wait_counted("to one", 1);
	ipi(4, FIXED_IPI | 0x800 | V_COUNT);
	wait_counted("to none", 0);
	ipi(3, FIXED_IPI | 0x900 | V_COUNT);
	wait_counted("lowest priority", 1);
	cli();
}

/* NMIs. */

static volatile uint32_t go, n_rounds, other_rounds, n_after_sti, flushed;
extern const uint8_t behind_sti[];

static void on_nmi_sti(struct frame *f)
{
	n_nmi++;
	n_after_sti += f->rip == (uint64_t)behind_sti;
}

static void sti_again(void)
{
	__asm__ volatile("sti\n" "behind_sti: nop\n\t" "nop\n\t" "cli" : :
			 : "memory");
}

static void other_stis(void)
{
	while (go)
		sti_again();
}

static void test_nmi_after_sti(void)
{
	on(NMI, on_nmi_sti);
	n_nmi = n_after_sti = 0;
	go = 1;
	on_other(other_stis);
	for (uint32_t i = 1; i <= 2000; i++) {
		ipi(1, NMI_IPI);
		while (n_nmi < i)
			pause();
	}
	go = 0;
	expect("NMIs behind STI", n_after_sti, 0);
}

static void on_nmi_count(struct frame *f)
{
	(void)f;
	n_nmi++;
}

static void on_flush(struct frame *f)
{
	(void)f;
	flushed = 1;
	set(R_EOI, 0);
}

/* Each round both send an NMI to the first; none is lost. */
static void other_sends(void)
{
	while (go) {
		while (n_rounds == other_rounds && go)
			pause();
		if (!go)
			break;
		ipi(0, NMI_IPI);
		ipi(0, FIXED_IPI | V_FLUSH);
		other_rounds++;
	}
}

static void test_two_nmis(uint32_t rounds)
{
	uint32_t wrong = 0;

	on(NMI, on_nmi_count);
	on(V_FLUSH, on_flush);
	go = 1;
	n_rounds = other_rounds = 0;
	on_other(other_sends);
	sti();
	for (uint32_t i = 0; i < rounds; i++) {
		flushed = n_nmi = 0;
		n_rounds++;
		ipi(0, NMI_IPI);
		while (!flushed || other_rounds != n_rounds)
			pause();
		wrong += n_nmi != 2;
	}
	go = 0;
	cli();
	expect("two NMIs are two", wrong, 0);
}

static void on_nmi_many(struct frame *f)
{
	(void)f;
	if (++n_nmi == 1)
		for (uint32_t i = 0; i < 10; i++)
			ipi(0, NMI_IPI);
}

static void test_blocked_nmis(void)
{
	uint32_t wrong = 0;

	on(NMI, on_nmi_many);
	for (uint32_t i = 0; i < 1000; i++) {
		n_nmi = 0;
		ipi(0, NMI_IPI);
		wrong += n_nmi != 2;
	}
	expect("NMIs during one are one", wrong, 0);
}

/* The timer. */

static uint32_t wait_until(uint32_t from, uint32_t to)
{
	uint32_t now;

	do
		now = get(R_NOW);
	while (now > from || now <= to);
	return now;
}

static void test_timer(void)
{
	uint32_t count = 0x99999;
	uint64_t start;

	n_timer = 0;
	sti();
	set(R_TIMER, ONCE | V_TIMER);
	set(R_DIVIDE, 0xb);
	start = rdtsc();
	set(R_INITIAL, 0x10000);
	while (!n_timer)
		pause();
	expect("not too early", rdtsc() - start >= 0x10000, 1);
	expect("once", n_timer, 1);
	cli();
	set(R_TIMER, ONCE | 0x10000 | V_TIMER);
	set(R_INITIAL, count);
	expect("it counts", get(R_NOW) > 0, 1);
	while (get(R_NOW))
		pause();
	expect("the start stays", get(R_INITIAL), count);
	set(R_TIMER, PERIODIC | 0x10000 | V_TIMER);
	expect("at 0 it stays", get(R_NOW), 0);
	set(R_TIMER, ONCE | 0x10000 | V_TIMER);
	set(R_INITIAL, count);
	wait_until(count / 2, 0);
	set(R_TIMER, PERIODIC | 0x10000 | V_TIMER);
	expect("it counts on", get(R_NOW) <= count / 2, 1);
	wait_until(UINT32_MAX, count / 2);
	wait_until(count / 2, 0);
	set(R_TIMER, ONCE | 0x10000 | V_TIMER);
	expect("it counts on", get(R_NOW) <= count / 2, 1);
	while (get(R_NOW))
		pause();
	set(R_TIMER, ON_DEADLINE | V_TIMER);
	expect("no start in this mode", (set(R_INITIAL, 9), get(R_NOW)), 0);
	n_timer = 0;
	sti();
	wrmsr(DEADLINE, rdtsc());
	__asm__ volatile("nop");
	expect("a deadline that has passed", n_timer, 1);
	expect("none is left", rdmsr(DEADLINE), 0);
	cli();
	set(R_TIMER, ONCE | 0x10000 | V_TIMER);
}

void guest_main(void)
{
	uint32_t rounds = *args == 'l' ? 1000000 : 3000;

	on(V_COUNT, on_count);
	on(V_TIMER, on_timer);
	on(V_CALL, on_call);
	start_others(1);
	on_other_wait(test_ids);
	test_modes();
	test_self(EN);
	test_self(EN | EXTD);
	test_broadcast(EN);
	test_broadcast(EN | EXTD);
	restart(EN);
	test_timer();
	test_nmi_after_sti();
	test_two_nmis(rounds);
	test_blocked_nmis();
	done("apic");
}
