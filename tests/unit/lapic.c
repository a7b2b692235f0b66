/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lapic.c - our local APICs: priorities, EOI, destinations, the timer's modes,
 * errors, what switching off does (Intel SDM volume 3, chapter 11).
 */
#include "tests/check.h"
#include "tests/lib/fakevm.h"

#include "vmm/chip/lapic.h"

#define BASE	0xfee00000u
#define CPUS	3u

static struct vm *vm;
static struct lapics *ls;
static unsigned told[CPUS];

static void notify(struct vm *of, unsigned cpu, unsigned what)
{
	(void)of;
	told[cpu] |= what;
}

static uint32_t rd(unsigned cpu, unsigned reg)
{
	return (uint32_t)lapic_mmio_read(lapics_at(ls, cpu), BASE + reg, 4);
}

static void wr(unsigned cpu, unsigned reg, uint32_t v)
{
	lapic_mmio_write(lapics_at(ls, cpu), BASE + reg, 4, v);
}

static int ack(unsigned cpu)
{
	bool ext_int;
	int vector = lapic_ack(lapics_at(ls, cpu), &ext_int);

	CHECK(!ext_int);
	return vector;
}

static void fresh(void)
{
	for (unsigned i = 0; i < CPUS; i++) {
		lapic_reset(lapics_at(ls, i), false);
		wr(i, 0xf0, 0x1ff);
		wr(i, 0x350, 0x10000);
		told[i] = 0;
	}
}

static void send(uint32_t dest, uint32_t low_bits, uint32_t data)
{
	lapics_message(ls, BASE | dest << 12 | low_bits, data);
}

static void test_priorities(void)
{
	fresh();
	send(0, 0, 0x41);
	send(0, 0, 0x63);
	send(0, 0, 0x45);
	CHECK_EQ(told[0], LAPIC_INTR);
	CHECK_EQ(rd(0, 0x220), 0x22);		/* IRR, 0x40 to 0x5f */
	CHECK_EQ(ack(0), 0x63);
	CHECK_EQ(rd(0, 0xa0), 0x60);		/* PPR */
	CHECK_EQ(ack(0), -1);
	/* The same class waits; a higher one does not. */
	send(0, 0, 0x6f);
	CHECK_EQ(ack(0), -1);
	send(0, 0, 0x70);
	CHECK_EQ(ack(0), 0x70);
	wr(0, 0xb0, 0);
	CHECK_EQ(rd(0, 0xa0), 0x60);
	CHECK_EQ(ack(0), -1);
	wr(0, 0xb0, 0);
	CHECK_EQ(ack(0), 0x6f);
	wr(0, 0xb0, 0);
	/* TPR keeps its class and those below out, and lets them in again. */
	lapic_set_tpr(lapics_at(ls, 0), 0x40);
	CHECK_EQ(ack(0), -1);
	told[0] = 0;
	wr(0, 0x80, 0x3f);
	CHECK_EQ(told[0], LAPIC_INTR);
	CHECK_EQ(ack(0), 0x45);
	wr(0, 0xb0, 0);
	CHECK_EQ(ack(0), 0x41);
	wr(0, 0xb0, 0);
	CHECK_EQ(ack(0), -1);
}

static unsigned who_has(unsigned vector)
{
	unsigned cpus = 0;

	for (unsigned i = 0; i < CPUS; i++)
		if (rd(i, 0x200 + vector / 32 * 16) >> vector % 32 & 1)
			cpus |= 1u << i;
	return cpus;
}

static void test_destinations(void)
{
	fresh();
	send(1, 0, 0x30);
	CHECK_EQ(who_has(0x30), 2);
	send(0xff, 0, 0x31);
	CHECK_EQ(who_has(0x31), 7);
	/* Flat: a bit each. */
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, 0xd0, 1u << (24 + i));
	send(5, 4, 0x32);
	CHECK_EQ(who_has(0x32), 5);
	/* Clusters. */
	for (unsigned i = 0; i < CPUS; i++) {
		wr(i, 0xe0, 0x0fffffff);
		wr(i, 0xd0, (i == 2 ? 0x21u : 0x11u + i) << 24);
	}
	send(0x13, 4, 0x33);
	CHECK_EQ(who_has(0x33), 3);
	send(0x23, 4, 0x34);
	CHECK_EQ(who_has(0x34), 4);
	/* Lowest priority: the one with the lowest PPR. */
	fresh();
	wr(0, 0x80, 0x50);
	wr(2, 0x80, 0x40);
	wr(1, 0x80, 0x20);
	send(0xff, 0, 0x135);
	CHECK_EQ(who_has(0x35), 2);
	/* Shorthands of the ICR: self, all, others. */
	wr(1, 0x300, 0x40036);
	CHECK_EQ(who_has(0x36), 2);
	wr(1, 0x300, 0x80037);
	CHECK_EQ(who_has(0x37), 7);
	wr(1, 0x300, 0xc0038);
	CHECK_EQ(who_has(0x38), 5);
	wr(1, 0x310, 2u << 24);
	wr(1, 0x300, 0x39);
	CHECK_EQ(who_has(0x39), 4);
}

static void test_signals(void)
{
	uint8_t vector;

	fresh();
	wr(0, 0x300, 0xc4500);
	CHECK_EQ(told[0] | told[1] << 8 | told[2] << 16,
		 LAPIC_INIT << 8 | LAPIC_INIT << 16);
	CHECK_EQ(lapic_take(lapics_at(ls, 1), LAPIC_INIT, &vector), LAPIC_INIT);
	CHECK_EQ(lapic_take(lapics_at(ls, 1), LAPIC_INIT, &vector), 0);
	/* De-assertion says nothing. */
	told[1] = 0;
	wr(0, 0x300, 0xc8500);
	CHECK_EQ(told[1], 0);
	wr(0, 0x310, 1u << 24);
	wr(0, 0x300, 0x4612);
	CHECK_EQ(lapic_take(lapics_at(ls, 1), LAPIC_SIPI, &vector), LAPIC_SIPI);
	CHECK_EQ(vector, 0x12);
	wr(0, 0x300, 0x4400);
	CHECK_EQ(lapic_take(lapics_at(ls, 1), LAPIC_NMI, &vector), LAPIC_NMI);
	/* They pass an APIC whose software has switched it off; others do not. */
	wr(1, 0xf0, 0xff);
	wr(0, 0x300, 0x4400);
	CHECK_EQ(lapic_take(lapics_at(ls, 1), LAPIC_NMI, &vector), LAPIC_NMI);
	send(1, 0, 0x50);
	CHECK_EQ(who_has(0x50), 0);
}

static void test_timer(void)
{
	fresh();
	wr(0, 0x3e0, 0xb);			/* by 1: a ns */
	wr(0, 0x320, 0x40);
	wr(0, 0x380, 1000);
	fakevm_pass(vm, 400);
	CHECK_EQ(rd(0, 0x390), 600);
	CHECK_EQ(who_has(0x40), 0);
	fakevm_pass(vm, 600);
	CHECK_EQ(who_has(0x40), 1);
	CHECK_EQ(rd(0, 0x390), 0);
	CHECK_EQ(ack(0), 0x40);
	wr(0, 0xb0, 0);
	fakevm_pass(vm, 5000);
	CHECK_EQ(ack(0), -1);
	/* Periodic, by 16. */
	wr(0, 0x3e0, 3);
	wr(0, 0x320, 0x20041);
	wr(0, 0x380, 100);
	for (unsigned i = 0; i < 5; i++) {
		fakevm_pass(vm, 1599);
		CHECK_EQ(ack(0), -1);
		fakevm_pass(vm, 1);
		CHECK_EQ(ack(0), 0x41);
		wr(0, 0xb0, 0);
	}
	wr(0, 0x380, 0);
	fakevm_pass(vm, 10000);
	CHECK_EQ(ack(0), -1);
	/* TSC deadline: the count register does nothing. */
	wr(0, 0x320, 0x40042);
	wr(0, 0x380, 10);
	lapic_set_deadline(lapics_at(ls, 0), 777, vm_now(vm) + 500);
	CHECK_EQ(lapic_deadline(lapics_at(ls, 0)), 777);
	fakevm_pass(vm, 499);
	CHECK_EQ(ack(0), -1);
	fakevm_pass(vm, 1);
	CHECK_EQ(ack(0), 0x42);
	CHECK_EQ(lapic_deadline(lapics_at(ls, 0)), 0);
	wr(0, 0xb0, 0);
	/* Masked. */
	wr(0, 0x320, 0x10043);
	wr(0, 0x380, 10);
	fakevm_pass(vm, 1000);
	CHECK_EQ(ack(0), -1);
}

static void test_errors(void)
{
	fresh();
	wr(0, 0x370, 0x52);
	send(0, 0, 0x05);			/* an illegal vector */
	CHECK_EQ(ack(0), 0x52);
	CHECK_EQ(rd(0, 0x280), 0);
	wr(0, 0x280, 0);
	CHECK_EQ(rd(0, 0x280), 0x40);
	wr(0, 0x280, 0);
	CHECK_EQ(rd(0, 0x280), 0);
	wr(0, 0x300, 0x05);
	rd(0, 0x40);
	wr(0, 0x280, 0);
	CHECK_EQ(rd(0, 0x280), 0xa0);
	/* Its own LVT with an illegal vector does not go round in circles. */
	wr(0, 0x370, 0x02);
	send(0, 0, 0x05);
}

static void test_switching(void)
{
	struct lapic *l = lapics_at(ls, 0);
	bool ext_int;
	uint64_t v;

	fresh();
	/* LINT0 brings the 8259 pair's. */
	wr(0, 0x350, 0x700);
	lapics_ext_int(ls, true);
	CHECK_EQ(lapic_ack(l, &ext_int), -1);
	CHECK(ext_int);
	wr(0, 0x350, 0x10700);
	CHECK(!lapic_pending(l));
	/* A message brings one, too, whatever LINT0 is; SMI brings nothing. */
	lapics_message(ls, 0xfee00000, 0x700);
	CHECK(lapic_pending(l));
	CHECK_EQ(lapic_ack(l, &ext_int), -1);
	CHECK(ext_int);
	CHECK(!lapic_pending(l));
	lapics_message(ls, 0xfee00000, 0x200);
	CHECK(!lapic_pending(l));
	CHECK_EQ(lapic_ack(l, &ext_int), -1);
	CHECK(!ext_int);
	/* But not from a CPU. */
	wr(0, 0x300, 0x40700);
	CHECK(!lapic_pending(l));
	/* Without an APIC it is the CPU's pin. */
	CHECK(lapic_write_base(l, 0xfee00100));
	CHECK(lapic_pending(l));
	CHECK(!lapic_covers(l, BASE));
	lapics_ext_int(ls, false);
	/* Elsewhere, as x2APIC, and back only by switching off. */
	CHECK(lapic_write_base(l, 0xfec80900));
	CHECK(lapic_covers(l, 0xfec80030) && !lapic_covers(l, BASE));
	CHECK(lapic_write_base(l, 0xfee00d00));
	CHECK(!lapic_covers(l, BASE));
	CHECK(lapic_msr_read(l, 0x803, &v));
	CHECK_EQ(v & 0xff, 0x14);
	CHECK(!lapic_msr_read(l, 0x80e, &v));	/* no DFR */
	CHECK(!lapic_msr_write(l, 0x80b, 1));
	CHECK(lapic_msr_write(l, 0x80f, 0x1ff));
	CHECK(lapic_msr_write(l, 0x83f, 0x77));
	CHECK_EQ(ack(0), 0x77);
	CHECK(lapic_msr_write(l, 0x80b, 0));
	CHECK(lapic_msr_write(l, 0x830, (1ull << 32) | 0x55));
	CHECK_EQ(ack(1), 0x55);
	CHECK(!lapic_write_base(l, 0xfee00900));
	CHECK(!lapic_write_base(l, 0xfee00400));
	CHECK(lapic_write_base(l, 0xfee00100));
	CHECK(lapic_write_base(l, 0xfee00900));
	/* SVR off: all LVTs are masked. */
	wr(0, 0xf0, 0xff);
	wr(0, 0x320, 0x40);
	CHECK_EQ(rd(0, 0x320), 0x10040);
}

int main(void)
{
	vm = fakevm_bare(1 << 20, CPUS);
	CHECK_EQ(lapics_new(vm, notify, &ls), 0);
	test_priorities();
	test_destinations();
	test_signals();
	test_timer();
	test_errors();
	test_switching();
	lapics_free(ls);
	vm_free(vm);
	return 0;
}
