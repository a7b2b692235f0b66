/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lapic.c - more of the LAPIC: an NMI to oneself, TSC deadlines, x2APIC, as far
 * as CPUID offers them.
 */
#include "tiny.h"

#define MSR_APIC_BASE	0x1bu
#define MSR_DEADLINE	0x6e0u
#define MSR_X2APIC_ID	0x802u
#define MSR_X2APIC_EOI	0x80bu
#define MSR_X2APIC_TIMER 0x832u
#define MSR_X2APIC_SELF	0x83fu
#define VECTOR		0x60u

static volatile uint32_t nmis, count;
static uint32_t x2apic;

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t v;

	__asm__ volatile("rdmsr" : "=A"(v) : "c"(msr));
	return v;
}

static void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "A"(v), "c"(msr) : "memory");
}

static uint64_t rdtsc(void)
{
	uint64_t v;

	__asm__ volatile("rdtsc" : "=A"(v));
	return v;
}

static uint32_t cpuid1_ecx(void)
{
	uint32_t a = 1, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return c;
}

static void nmi(void)
{
	nmis++;
}

static void irq(void)
{
	count++;
	if (x2apic)
		wrmsr(MSR_X2APIC_EOI, 0);
	else
		lapic_write(LAPIC_EOI, 0);
}

/* Not before its time, once, and not at all when it is taken back. */
static void deadline(void)
{
	uint64_t when;

	count = 0;
	if (x2apic)
		wrmsr(MSR_X2APIC_TIMER, 2 << 17 | VECTOR);
	else
		lapic_write(LAPIC_TIMER, 2 << 17 | VECTOR);
	when = rdtsc() + 2000000;
	wrmsr(MSR_DEADLINE, when);
	while (!count)
		wait_irq();
	check("not too early", rdtsc() >= when, 1);
	check("disarmed", rdmsr(MSR_DEADLINE) == 0, 1);
	wrmsr(MSR_DEADLINE, rdtsc() + 200000000);
	wrmsr(MSR_DEADLINE, 0);
	__asm__ volatile("sti");
	pm_wait(36000);
	cli();
	check("once", count, 1);
}

void guest_main(void)
{
	uint32_t offers = cpuid1_ecx();

	idt_set(2, nmi);
	idt_set(VECTOR, irq);
	lapic_enable();
	lapic_write(LAPIC_ICR, 1 << 18 | 4 << 8);
	pm_wait(3600);
	check("an NMI", nmis, 1);
	if (offers >> 24 & 1)
		deadline();
	if (!(offers >> 21 & 1))
		return;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic = 1;
	count = 0;
	check("x2APIC id", (uint32_t)rdmsr(MSR_X2APIC_ID), 0);
	wrmsr(MSR_X2APIC_SELF, VECTOR);
	while (!count)
		wait_irq();
	check("to oneself", count, 1);
	if (offers >> 24 & 1)
		deadline();
}
