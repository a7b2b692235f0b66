/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apic.c - interrupts through the IOAPIC and the LAPIC: the PIT at pin 2, edge
 * and masked, an interrupt to oneself, the LAPIC's timer.
 */
#include "tiny.h"

#define VECTOR_PIT	0x50
#define VECTOR_TIMER	0x60
#define VECTOR_SELF	0x70

static volatile uint32_t pit_count, timer_count, self_count;

static void pit_irq(void)
{
	pit_count++;
	lapic_write(LAPIC_EOI, 0);
}

static void timer_irq(void)
{
	timer_count++;
	lapic_write(LAPIC_EOI, 0);
}

static void self_irq(void)
{
	self_count++;
	lapic_write(LAPIC_EOI, 0);
}

static void pit_start(uint8_t mode, uint16_t count)
{
	outb(0x43, mode);
	outb(0x40, (uint8_t)count);
	outb(0x40, (uint8_t)(count >> 8));
}

static void timer(void)
{
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);	/* by 1 */
	lapic_write(LAPIC_TIMER, VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_COUNT, 100000);
	while (!timer_count)
		wait_irq();
	check("one shot", lapic_read(LAPIC_TIMER_NOW), 0);
	lapic_write(LAPIC_TIMER, 1 << 17 | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_COUNT, 1000000);
	while (timer_count < 4)
		wait_irq();
	lapic_write(LAPIC_TIMER, 1 << 16 | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_COUNT, 0);
	put("3 ticks of the LAPIC's timer\n");
}

void guest_main(void)
{
	idt_set(VECTOR_PIT, pit_irq);
	idt_set(VECTOR_TIMER, timer_irq);
	idt_set(VECTOR_SELF, self_irq);
	lapic_enable();
	check("pins", ioapic_read(1) >> 16 & 0xff, 23);
	ioapic_write(0x15, lapic_read(LAPIC_ID));
	ioapic_write(0x14, VECTOR_PIT);
	pit_start(0x34, 1193);
	while (pit_count < 5)
		wait_irq();
	put("5 ticks of the PIT\n");

	ioapic_write(0x14, 1 << 16 | VECTOR_PIT);
	/* One may have been on its way. */
	__asm__ volatile("sti");
	pm_wait(400);
	cli();
	pit_count = 0;
	__asm__ volatile("sti");
	pm_wait(36000);
	cli();
	check("masked", pit_count, 0);

	lapic_write(LAPIC_ICR, 1 << 18 | VECTOR_SELF);
	while (!self_count)
		wait_irq();
	check("to oneself", self_count, 1);
	timer();
}
