/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timers.c - the PIT's channel 2 behind port 0x61, the PM timer, the RTC and the
 * TSC go on, and agree as far as a guest can tell that may be stopped at any
 * instruction: what one timer surely saw pass, another saw as well.
 */
#include "tiny.h"

static uint8_t rtc_read(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static uint32_t rtc_seconds(void)
{
	uint8_t v;

	while (rtc_read(0xa) & 0x80)
		;
	v = rtc_read(0);
	return rtc_read(0xb) & 4 ? v : (uint32_t)(v >> 4) * 10 + (v & 15);
}

static uint32_t tsc(void)
{
	uint32_t low;

	__asm__ volatile("rdtsc" : "=a"(low) : : "edx");
	return low;
}

/* 10 ms by the PIT; the PM timer was read before and after. */
static void pit_channel2(void)
{
	uint32_t before, after;

	outb(0x61, (inb(0x61) & ~2) | 1);
	outb(0x43, 0xb0);
	outb(0x42, (uint8_t)11932);
	before = pm_ticks();
	outb(0x42, 11932 >> 8);
	check("OUT2 at first", inb(0x61) >> 5 & 1, 0);
	while (!(inb(0x61) & 0x20))
		;
	after = pm_ticks();
	/* A count less for the clock that loads the counter. */
	check("10 ms of the PIT are 10 ms of the PM timer",
	      ((after - before) & 0xffffff) >= 35790, 1);
}

void guest_main(void)
{
	uint32_t t, second, before;

	pit_channel2();
	t = tsc();
	pm_wait(3580);
	check("the TSC moves", tsc() != t, 1);
	before = pm_ticks();
	second = rtc_seconds();
	while (rtc_seconds() == second)
		;
	second = rtc_seconds();
	before = pm_ticks();
	while (rtc_seconds() == second)
		;
	/* Reading takes its time: the first change may have been seen late. */
	check("a second of the RTC", ((pm_ticks() - before) & 0xffffff) >
	      1000000, 1);
	check("seconds follow each other", rtc_seconds(), (second + 1) % 60);
}
