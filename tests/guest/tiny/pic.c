/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pic.c - interrupts through the 8259 pair: the PIT at IRQ 0, the RTC at IRQ 8
 * behind the cascade, masks, priorities, and a timer that ticks while it is
 * waited for.
 */
#include "tiny.h"

static volatile uint32_t pit_count, rtc_count;
static volatile uint32_t order;

static void pit_irq(void)
{
	pit_count++;
	order = order << 4 | 1;
	outb(0x20, 0x20);
}

static uint8_t rtc_read(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static void rtc_write(uint8_t reg, uint8_t v)
{
	outb(0x70, reg);
	outb(0x71, v);
}

static void rtc_irq(void)
{
	rtc_count += rtc_read(0xc) >> 6 & 1;
	order = order << 4 | 2;
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void pit_start(uint8_t mode, uint16_t count)
{
	outb(0x43, mode);
	outb(0x40, (uint8_t)count);
	outb(0x40, (uint8_t)(count >> 8));
}

static uint8_t pic_irr(uint16_t port)
{
	outb(port, 0x0a);
	return inb(port);
}

/* Both are raised before either is let in: the one of higher priority, IRQ 0,
 * is served first.
 */
static void priorities(void)
{
	outb(0x21, 0xff);
	order = 0;
	rtc_read(0xc);
	rtc_write(0xb, rtc_read(0xb) | 0x40);
	pit_start(0x30, 100);
	while (!(pic_irr(0x20) & 1) || !(pic_irr(0xa0) & 1))
		;
	check("IRQ 2 is raised by the cascade", pic_irr(0x20) & 5, 5);
	rtc_write(0xb, rtc_read(0xb) & ~0x40);
	outb(0x21, (uint8_t)~5);
	while (order < 0x10)
		wait_irq();
	check("IRQ 0 before IRQ 8", order, 0x12);
}

void guest_main(void)
{
	idt_set(0x20, pit_irq);
	idt_set(0x28, rtc_irq);
	pic_init(0x20, 1);
	pit_start(0x34, 1193);
	while (pit_count < 5)
		wait_irq();
	put("5 ticks of the PIT\n");
	pit_start(0x30, 2000);
	pit_count = 0;
	wait_irq();
	check("one shot", pit_count, 1);

	pic_init(0x20, 1 << 2 | 1 << 8);
	rtc_write(0xa, 0x26);		/* 1024 Hz */
	rtc_read(0xc);
	rtc_write(0xb, 0x42);		/* periodic, 24 hours */
	while (rtc_count < 5)
		wait_irq();
	put("5 ticks of the RTC\n");
	rtc_write(0xb, 0x02);
	priorities();
}
