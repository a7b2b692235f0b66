/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chip_timers.c - interval timer, real-time clock and the calendar, as the data
 * sheets say where the comparison with QEMU does not reach.
 */
#include <time.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/chip/calendar.h"
#include "vmm/chip/pit.h"
#include "vmm/chip/pit_channel.h"

static struct vm *vm;

static void outb(unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 1, value);
}

static unsigned inb(unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 1);
}

/* One channel by itself: `t` counts ticks. */
static void put(struct pit_channel *ch, unsigned mode, unsigned n, uint64_t t)
{
	pit_channel_control(ch, (uint8_t)(0x30 | mode << 1), t);
	pit_channel_write(ch, (uint8_t)n, t);
	pit_channel_write(ch, (uint8_t)(n >> 8), t);
}

static unsigned count(struct pit_channel *ch, uint64_t t)
{
	unsigned lsb;

	pit_channel_latch(ch, true, false, t);
	lsb = pit_channel_read(ch, t);
	return lsb | (unsigned)pit_channel_read(ch, t) << 8;
}

/* The output for each of `n` ticks from `t`, as "HHL..." */
static void check_out(struct pit_channel *ch, uint64_t t, const char *want)
{
	for (; *want; want++, t++)
		CHECK_EQ(pit_channel_out(ch, t), *want == 'H');
}

static void test_modes(void)
{
	struct pit_channel ch;

	/* The data sheet's figures 15 to 20, count 4; the count is loaded one
	 * tick after it was written.
	 */
	pit_channel_reset(&ch, true);
	put(&ch, 0, 4, 100);
	check_out(&ch, 100, "LLLLLHHHHH");
	CHECK_EQ(pit_channel_next_rise(&ch, 100), 105);
	CHECK_EQ(pit_channel_next_rise(&ch, 105), UINT64_MAX);
	CHECK_EQ(count(&ch, 101), 4);
	CHECK_EQ(count(&ch, 106), 0xffff);
	put(&ch, 0, 4, 200);
	pit_channel_set_gate(&ch, false, 202);
	CHECK_EQ(count(&ch, 250), 3);
	pit_channel_set_gate(&ch, true, 300);
	CHECK_EQ(count(&ch, 301), 2);
	CHECK_EQ(pit_channel_next_rise(&ch, 301), 303);
	/* Mode 0 stops between the halves of a count. */
	pit_channel_write(&ch, 9, 301);
	check_out(&ch, 302, "LLLLLL");
	pit_channel_write(&ch, 0, 310);
	CHECK_EQ(pit_channel_next_rise(&ch, 310), 320);

	/* Mode 1: triggered, and again. */
	pit_channel_reset(&ch, false);
	put(&ch, 1, 3, 100);
	check_out(&ch, 100, "HHHHH");
	pit_channel_set_gate(&ch, true, 110);
	check_out(&ch, 110, "LLLLHH");
	pit_channel_set_gate(&ch, false, 116);
	pit_channel_set_gate(&ch, true, 120);
	pit_channel_set_gate(&ch, false, 121);
	pit_channel_set_gate(&ch, true, 122);
	check_out(&ch, 122, "LLLLH");

	/* Mode 2: low in the last tick of each period. */
	pit_channel_reset(&ch, true);
	put(&ch, 2, 3, 100);
	check_out(&ch, 100, "HHHLHHLHHL");
	CHECK_EQ(pit_channel_next_rise(&ch, 100), 104);
	CHECK_EQ(pit_channel_next_rise(&ch, 104), 107);
	/* A new count begins with the next period. */
	pit_channel_write(&ch, 5, 105);
	pit_channel_write(&ch, 0, 105);
	check_out(&ch, 105, "HLHHHHLHHHHL");
	/* The gate stops it, and starts it afresh. */
	pit_channel_set_gate(&ch, false, 119);
	check_out(&ch, 119, "HHHHHHHH");
	CHECK_EQ(pit_channel_next_rise(&ch, 119), UINT64_MAX);
	pit_channel_set_gate(&ch, true, 140);
	CHECK_EQ(count(&ch, 141), 5);
	CHECK_EQ(pit_channel_next_rise(&ch, 141), 146);

	/* Mode 3: even, odd, and a new count after half a period. */
	put(&ch, 3, 4, 200);
	check_out(&ch, 200, "HHHLLHHLLHH");
	CHECK_EQ(count(&ch, 205), 4);
	CHECK_EQ(count(&ch, 206), 2);
	CHECK_EQ(count(&ch, 207), 4);
	CHECK_EQ(pit_channel_next_rise(&ch, 201), 205);
	pit_channel_write(&ch, 6, 209);
	pit_channel_write(&ch, 0, 209);
	check_out(&ch, 209, "HHLLLHHHLLL");
	put(&ch, 3, 5, 300);
	check_out(&ch, 300, "HHHHLLHHHLLHHH");
	CHECK_EQ(count(&ch, 301), 4);
	CHECK_EQ(count(&ch, 303), 0);
	CHECK_EQ(count(&ch, 304), 4);

	/* Mode 4: a strobe; mode 5: when triggered. */
	put(&ch, 4, 3, 400);
	check_out(&ch, 400, "HHHHLHHH");
	CHECK_EQ(pit_channel_next_rise(&ch, 400), 405);
	pit_channel_set_gate(&ch, false, 410);
	put(&ch, 5, 3, 420);
	check_out(&ch, 420, "HHHHHHH");
	pit_channel_set_gate(&ch, true, 430);
	check_out(&ch, 430, "HHHHLHHH");
}

static void test_read_back(void)
{
	struct pit_channel ch;

	pit_channel_reset(&ch, true);
	pit_channel_control(&ch, 0x35, 0);	/* mode 2, BCD */
	pit_channel_latch(&ch, false, true, 0);
	CHECK_EQ(pit_channel_read(&ch, 0), 0x80 | 0x40 | 0x35);
	pit_channel_write(&ch, 0x34, 0);
	pit_channel_write(&ch, 0x12, 0);
	CHECK_EQ(count(&ch, 1), 0x1234);
	CHECK_EQ(count(&ch, 1 + 235), 0x0999);
	pit_channel_latch(&ch, true, true, 2);
	/* The first latch stands until it is read: status, then count. */
	pit_channel_latch(&ch, true, true, 500);
	CHECK_EQ(pit_channel_read(&ch, 600), 0x80 | 0x35);
	CHECK_EQ(pit_channel_read(&ch, 600), 0x33);
	CHECK_EQ(pit_channel_read(&ch, 600), 0x12);
	/* BCD 0 is 10000. */
	pit_channel_control(&ch, 0x35, 1000);
	pit_channel_write(&ch, 0, 1000);
	pit_channel_write(&ch, 0, 1000);
	CHECK_EQ(count(&ch, 1002), 0x9999);
	/* One half only. */
	pit_channel_control(&ch, 0x14, 2000);
	pit_channel_write(&ch, 200, 2000);
	CHECK_EQ(pit_channel_read(&ch, 2011), 190);
	CHECK_EQ(pit_channel_read(&ch, 2021), 180);
	pit_channel_control(&ch, 0x24, 3000);
	pit_channel_write(&ch, 2, 3000);
	CHECK_EQ(pit_channel_read(&ch, 3002), 1);
}

/* How many interrupts did the lines of `bit` raise?  AEOI counts them. */
static unsigned interrupts(unsigned vector, uint64_t ns)
{
	unsigned n = 0;
	int got;

	for (uint64_t done = 0; done < ns; done += 20000) {
		fakevm_pass(vm, 20000);
		while ((got = irq_ack_pic(vm)) >= 0)
			n += got == (int)vector;
	}
	return n;
}

static void test_pit(void)
{
	fakevm_init_pic(vm);
	/* 1000 Hz for a second; 1193 ticks are a bit less than 1 ms. */
	outb(0x43, 0x34);
	outb(0x40, 1193 & 0xff);
	outb(0x40, 1193 >> 8);
	CHECK_EQ(interrupts(0x30, NS_PER_S), 1000);
	/* A guest that asks for 600 kHz gets what a host can bear. */
	outb(0x43, 0x34);
	outb(0x40, 2);
	outb(0x40, 0);
	CHECK(interrupts(0x30, NS_PER_S / 10) <= 2002);
	/* One shot. */
	outb(0x43, 0x30);
	outb(0x40, 0);
	outb(0x40, 1);
	(void)irq_ack_pic(vm);
	CHECK_EQ(interrupts(0x30, NS_PER_S / 10), 1);
	/* Port 0x61 as in Linux's TSC calibration. */
	outb(0x61, (inb(0x61) & ~2u) | 1);
	outb(0x43, 0xb0);
	outb(0x42, 11932 & 0xff);
	outb(0x42, 11932 >> 8);
	CHECK_EQ(inb(0x61) & 0x23, 0x01);
	fakevm_pass(vm, 9990000);
	CHECK_EQ(inb(0x61) & 0x20, 0);
	fakevm_pass(vm, 20000);
	CHECK_EQ(inb(0x61) & 0x20, 0x20);
	/* The refresh bit toggles every 15 us. */
	for (unsigned i = 0, last = inb(0x61) & 0x10; i < 20; i++) {
		fakevm_pass(vm, 15086);
		CHECK((inb(0x61) & 0x10) != last);
		last = inb(0x61) & 0x10;
	}
}

static unsigned rtc(unsigned reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static void rtc_write(unsigned reg, unsigned value)
{
	outb(0x70, reg);
	outb(0x71, value);
}

/* Pass until just after the next full second of the RTC. */
static void to_second(void)
{
	unsigned s = rtc(0);

	while (rtc(0) == s)
		fakevm_pass(vm, 100000);
}

static void test_rtc(void)
{
	fakevm_init_pic(vm);
	outb(0x43, 0x32);	/* the PIT is quiet */
	/* The start of virtual time was a Thursday. */
	CHECK_EQ(rtc(0x32), 0x20);
	CHECK_EQ(rtc(9), 0x26);
	CHECK_EQ(rtc(8), 1);
	CHECK_EQ(rtc(7), 1);
	CHECK_EQ(rtc(6), 5);
	CHECK_EQ(rtc(0xd), 0x80);
	/* Index and NMI mask are kept. */
	outb(0x70, 0x8f);
	CHECK_EQ(inb(0x70), 0x8f);
	outb(0x71, 0x5a);
	CHECK_EQ(rtc(0x0f), 0x5a);
	/* 16 MiB: 640 KiB, 15 MiB, nothing above. */
	CHECK_EQ(rtc(0x15) | rtc(0x16) << 8, 640);
	CHECK_EQ(rtc(0x30) | rtc(0x31) << 8, 15360);
	CHECK_EQ(rtc(0x34) | rtc(0x35) << 8, 0);
	/* Stopped, nothing moves; afterwards the time goes on from there, from
	 * the last second of a leap day on a Saturday, 12-hour BCD.
	 */
	rtc_write(0xb, 0x80);
	rtc_write(0, 0x59);
	rtc_write(2, 0x59);
	rtc_write(4, 0x91);
	rtc_write(6, 7);
	rtc_write(7, 0x29);
	rtc_write(8, 0x02);
	rtc_write(9, 0x20);
	fakevm_pass(vm, 5 * NS_PER_S);
	CHECK_EQ(rtc(0), 0x59);
	CHECK_EQ(rtc(0xa), 0x26);
	rtc_write(0xb, 0x00);
	to_second();
	CHECK_EQ(rtc(0), 0);
	CHECK_EQ(rtc(2), 0);
	CHECK_EQ(rtc(4), 0x12);
	CHECK_EQ(rtc(6), 1);
	CHECK_EQ(rtc(7), 1);
	CHECK_EQ(rtc(8), 3);
	/* UIP shows in the last 244 us before an update. */
	fakevm_pass(vm, NS_PER_S - 400000);
	CHECK_EQ(rtc(0xa) & 0x80, 0);
	CHECK_EQ(rtc(0), 0);
	fakevm_pass(vm, 200000);
	CHECK_EQ(rtc(0xa) & 0x80, 0x80);
	fakevm_pass(vm, 200000);
	CHECK_EQ(rtc(0xa) & 0x80, 0);
	CHECK_EQ(rtc(0), 1);
	/* Releasing the divider: half a second to the first update. */
	rtc_write(0xa, 0x76);
	fakevm_pass(vm, NS_PER_S * 3);
	CHECK_EQ(rtc(0), 1);
	rtc_write(0xa, 0x26);
	fakevm_pass(vm, 499000000);
	CHECK_EQ(rtc(0), 1);
	fakevm_pass(vm, 2000000);
	CHECK_EQ(rtc(0), 2);
}

static void test_rtc_interrupts(void)
{
	unsigned n = 0;

	fakevm_init_pic(vm);
	(void)rtc(0xc);
	rtc_write(0xb, 0x42);
	CHECK_EQ(interrupts(0x38, NS_PER_S / 10), 1);	/* one until read */
	CHECK_EQ(rtc(0xc) & 0xc0, 0xc0);
	CHECK_EQ(rtc(0xc) & 0xc0, 0);
	for (unsigned i = 0; i < 50000; i++) {
		fakevm_pass(vm, 20000);
		if (irq_ack_pic(vm) == 0x38) {
			CHECK_EQ(rtc(0xc) & 0xc0, 0xc0);
			n++;
		}
	}
	CHECK(n >= 1023 && n <= 1025);
	/* Update ended: once a second. */
	rtc_write(0xb, 0x12);
	(void)rtc(0xc);
	to_second();
	(void)rtc(0xc);
	(void)irq_ack_pic(vm);
	fakevm_pass(vm, 900000000);
	CHECK_EQ(irq_ack_pic(vm), -1);
	fakevm_pass(vm, 110000000);
	CHECK_EQ(irq_ack_pic(vm), 0x38);
	CHECK_EQ(rtc(0xc) & 0x90, 0x90);
	/* Alarm at 30 seconds past each minute. */
	rtc_write(1, 0x30);
	rtc_write(3, 0xff);
	rtc_write(5, 0xff);
	rtc_write(0xb, 0x22);
	(void)rtc(0xc);
	for (unsigned i = 0; i < 3; i++) {
		fakevm_pass(vm, 60 * NS_PER_S);
		CHECK_EQ(irq_ack_pic(vm), 0x38);
		CHECK_EQ(irq_ack_pic(vm), -1);
		CHECK_EQ(rtc(0xc) & 0xa0, 0xa0);
	}
	/* An alarm that can never be. */
	rtc_write(1, 0x7f);
	(void)rtc(0xc);
	fakevm_pass(vm, 86400 * NS_PER_S);
	CHECK_EQ(rtc(0xc) & 0x20, 0);
}

static void test_calendar(void)
{
	for (int64_t day = -800000; day < 3000000; day += 37) {
		time_t t = (time_t)(day * 86400);
		struct calendar_date date = calendar_date(day);
		struct tm tm;

		gmtime_r(&t, &tm);
		CHECK_EQ(date.year, tm.tm_year + 1900);
		CHECK_EQ(date.month, tm.tm_mon + 1);
		CHECK_EQ(date.day, tm.tm_mday);
		CHECK_EQ(calendar_days(&date), day);
		date.month += 40;
		date.day += 100;
		tm.tm_mon += 40;
		tm.tm_mday += 100;
		CHECK_EQ(calendar_days(&date), timegm(&tm) / 86400);
	}
}

int main(void)
{
	test_modes();
	test_read_back();
	test_calendar();
	vm = fakevm_pc(16 << 20, 1);
	test_rtc();
	test_rtc_interrupts();
	test_pit();
	vm_free(vm);
	return 0;
}
