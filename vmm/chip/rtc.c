/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtc.c - real-time clock and CMOS.  Motorola MC146818A data sheet; what a PC
 * keeps in the bytes from 0x0e on is the firmware's (SeaBIOS, src/hw/rtc.h).
 *
 * While the clock runs, its registers are computed when they are read.  While
 * it is stopped (SET, or the divider held in reset) they are the bytes in cmos.
 * Events are flagged when someone looks, and a timer looks when one that may
 * interrupt is due; so at most one interrupt is under way, however late we are.
 */
#include <errno.h>
#include <stdlib.h>

#include "calendar.h"
#include "rtc.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define CMOS_SIZE	128u
#define SECONDS		0x00u
#define SECONDS_ALARM	0x01u
#define MINUTES		0x02u
#define MINUTES_ALARM	0x03u
#define HOURS		0x04u
#define HOURS_ALARM	0x05u
#define WEEKDAY		0x06u
#define DAY		0x07u
#define MONTH		0x08u
#define YEAR		0x09u
#define REG_A		0x0au
#define REG_B		0x0bu
#define REG_C		0x0cu
#define REG_D		0x0du

#define A_UIP		0x80u
#define A_DIVIDER_RESET	0x60u	/* and 0x70 */
#define A_RATE		0x0fu
#define B_24H		0x02u
#define B_BINARY	0x04u
#define B_SQWE		0x08u
#define B_SET		0x80u
#define UPDATE		0x10u	/* in B: may interrupt; in C: happened */
#define ALARM		0x20u
#define PERIODIC	0x40u
#define EVENTS		(UPDATE | ALARM | PERIODIC)
#define C_IRQF		0x80u
#define D_VALID		0x80u
#define PM		0x80u

#define CRYSTAL_HZ	32768u
#define UIP_NS		244141u	/* this long before an update UIP is set */
#define DAY_S		86400

struct rtc {
	struct device dev;
	struct region region;
	struct irq_line irq;
	struct vm_timer timer;
	uint8_t index;		/* as written: bit 7 masks NMI */
	uint8_t cmos[CMOS_SIZE];
	/* At `base` ns (which wraps) second `base_s` since 1970 began. */
	uint64_t base;
	int64_t base_s;
	int weekday_off;	/* what software set it to, against the date */
	uint64_t seen;		/* ns until which events are flagged in C */
};

static uint8_t encode(const struct rtc *rtc, unsigned n)
{
	if (rtc->cmos[REG_B] & B_BINARY)
		return (uint8_t)n;
	return (uint8_t)(n / 10 << 4 | n % 10);
}

static unsigned decode(const struct rtc *rtc, uint8_t v)
{
	return rtc->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned h)
{
	if (rtc->cmos[REG_B] & B_24H)
		return encode(rtc, h);
	return (uint8_t)(encode(rtc, (h + 11) % 12 + 1) | (h >= 12 ? PM : 0));
}

static unsigned decode_hour(const struct rtc *rtc, uint8_t v)
{
	if (rtc->cmos[REG_B] & B_24H)
		return decode(rtc, v);
	return decode(rtc, v & 0x7f) % 12 + (v & PM ? 12 : 0);
}

static bool is_stopped(const struct rtc *rtc)
{
	return (rtc->cmos[REG_B] & B_SET) ||
		(rtc->cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static uint64_t phase(const struct rtc *rtc, uint64_t now)
{
	return (now - rtc->base) % NS_PER_S;
}

static int64_t second_at(const struct rtc *rtc, uint64_t now)
{
	return rtc->base_s + (int64_t)((now - rtc->base) / NS_PER_S);
}

static uint64_t second_ns(const struct rtc *rtc, int64_t second)
{
	return rtc->base + (uint64_t)(second - rtc->base_s) * NS_PER_S;
}

/* The days since 1970, and the seconds of the day. */
static int64_t split_day(int64_t second, unsigned *of_day)
{
	int64_t days = second / DAY_S - (second % DAY_S < 0);

	*of_day = (unsigned)(second - days * DAY_S);
	return days;
}

/* Put the running time into cmos. */
static void time_to_cmos(struct rtc *rtc, uint64_t now)
{
	unsigned s, year;
	int64_t days = split_day(second_at(rtc, now), &s);
	struct calendar_date date = calendar_date(days);

	/* Four digits is what there is. */
	year = (unsigned)((date.year % 10000 + 10000) % 10000);
	rtc->cmos[SECONDS] = encode(rtc, s % 60);
	rtc->cmos[MINUTES] = encode(rtc, s / 60 % 60);
	rtc->cmos[HOURS] = encode_hour(rtc, s / 3600);
	rtc->cmos[WEEKDAY] = encode(rtc, (unsigned)
		(((days + rtc->weekday_off) % 7 + 7) % 7 + 1));
	rtc->cmos[DAY] = encode(rtc, (unsigned)date.day);
	rtc->cmos[MONTH] = encode(rtc, (unsigned)date.month);
	rtc->cmos[YEAR] = encode(rtc, year % 100);
	rtc->cmos[RTC_CENTURY] = encode(rtc, year / 100);
}

/* Go on from what cmos says; values out of range count on. */
static void time_from_cmos(struct rtc *rtc, uint64_t now)
{
	const uint8_t *c = rtc->cmos;
	struct calendar_date date = {
		.year = decode(rtc, c[RTC_CENTURY]) * 100 + decode(rtc, c[YEAR]),
		.month = (int)decode(rtc, c[MONTH]),
		.day = (int)decode(rtc, c[DAY]),
	};
	int64_t days = calendar_days(&date);

	rtc->base = now - phase(rtc, now);
	rtc->base_s = days * DAY_S + decode_hour(rtc, c[HOURS]) * 3600 +
		decode(rtc, c[MINUTES]) * 60 + decode(rtc, c[SECONDS]);
	rtc->weekday_off = (int)((decode(rtc, c[WEEKDAY]) + 6 - days % 7) % 7);
}

/* Ticks of the crystal between periodic events; 0: there are none. */
static uint64_t period(const struct rtc *rtc)
{
	unsigned rate = rtc->cmos[REG_A] & A_RATE;

	if (!rate || (rtc->cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET)
		return 0;
	return 1ull << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t crystal(uint64_t now)
{
	return clock_scale(now, CRYSTAL_HZ, NS_PER_S);
}

static bool alarm_is(const struct rtc *rtc, unsigned reg, uint8_t value)
{
	return (rtc->cmos[reg] & 0xc0) == 0xc0 || rtc->cmos[reg] == value;
}

/* Can the minutes or the seconds of the alarm ever come true? */
static bool alarm_possible(const struct rtc *rtc, unsigned reg)
{
	for (unsigned n = 0; n < 60; n++)
		if (alarm_is(rtc, reg, encode(rtc, n)))
			return true;
	return false;
}

/* The first second after `second` at which the alarm goes off; INT64_MAX: none. */
static int64_t next_alarm(const struct rtc *rtc, int64_t second)
{
	unsigned t;
	int64_t day = split_day(second + 1, &t) * DAY_S;

	if (is_stopped(rtc) || !alarm_possible(rtc, MINUTES_ALARM) ||
	    !alarm_possible(rtc, SECONDS_ALARM))
		return INT64_MAX;
	while (t < 2 * DAY_S) {
		if (!alarm_is(rtc, HOURS_ALARM,
			      encode_hour(rtc, t / 3600 % 24)))
			t = (t / 3600 + 1) * 3600;
		else if (!alarm_is(rtc, MINUTES_ALARM,
				   encode(rtc, t / 60 % 60)))
			t = (t / 60 + 1) * 60;
		else if (!alarm_is(rtc, SECONDS_ALARM, encode(rtc, t % 60)))
			t++;
		else
			return day + t;
	}
	return INT64_MAX;
}

/* When is the next event that may interrupt, and has not happened already? */
static uint64_t next_event(const struct rtc *rtc, uint64_t now)
{
	unsigned wait = rtc->cmos[REG_B] & EVENTS & ~rtc->cmos[REG_C];
	uint64_t when = UINT64_MAX, p = period(rtc);
	int64_t alarm;

	if ((wait & PERIODIC) && p)
		when = clock_scale((crystal(now) / p + 1) * p, NS_PER_S,
				   CRYSTAL_HZ) + 1;
	if (is_stopped(rtc))
		return when;
	if (wait & UPDATE)
		when = min_u64(when, second_ns(rtc, second_at(rtc, now) + 1));
	if (wait & ALARM) {
		alarm = next_alarm(rtc, second_at(rtc, now));
		if (alarm != INT64_MAX)
			when = min_u64(when, second_ns(rtc, alarm));
	}
	return when;
}

/* After a change of registers: the interrupt line and the timer. */
static void settle(struct rtc *rtc, uint64_t now)
{
	uint8_t *c = &rtc->cmos[REG_C];
	uint64_t when;

	*c &= EVENTS;
	if (*c & rtc->cmos[REG_B])
		*c |= C_IRQF;
	irq_set(&rtc->irq, *c & C_IRQF);
	when = next_event(rtc, now);
	if (when == UINT64_MAX)
		vm_timer_cancel(&rtc->timer);
	else
		vm_timer_arm(&rtc->timer, when);
}

/* Flag what has happened since the last look. */
static uint64_t catch_up(struct rtc *rtc)
{
	uint64_t now = vm_now(rtc->dev.vm), p = period(rtc);
	int64_t before, second;

	if (p && crystal(now) / p != crystal(rtc->seen) / p)
		rtc->cmos[REG_C] |= PERIODIC;
	if (!is_stopped(rtc)) {
		before = second_at(rtc, rtc->seen);
		second = second_at(rtc, now);
		if (second != before)
			rtc->cmos[REG_C] |= UPDATE;
		if (next_alarm(rtc, before) <= second)
			rtc->cmos[REG_C] |= ALARM;
	}
	rtc->seen = now;
	settle(rtc, now);
	return now;
}

static void look(void *arg)
{
	catch_up(arg);
}

static bool is_time(unsigned reg)
{
	return reg <= YEAR || reg == RTC_CENTURY;
}

static bool is_alarm(unsigned reg)
{
	return reg == SECONDS_ALARM || reg == MINUTES_ALARM ||
		reg == HOURS_ALARM;
}

static uint8_t reg_read(struct rtc *rtc, unsigned reg)
{
	uint64_t now = catch_up(rtc);
	uint8_t value;

	if (is_time(reg) && !is_alarm(reg) && !is_stopped(rtc))
		time_to_cmos(rtc, now);
	value = rtc->cmos[reg];
	if (reg == REG_A && !is_stopped(rtc) &&
	    phase(rtc, now) >= NS_PER_S - UIP_NS)
		value |= A_UIP;
	if (reg == REG_C) {
		rtc->cmos[REG_C] = 0;
		settle(rtc, now);
	}
	return value;
}

/* A write that changes how time goes on, or what its registers mean. */
static void clock_write(struct rtc *rtc, unsigned reg, uint8_t value,
			uint64_t now)
{
	bool was_reset = (rtc->cmos[REG_A] & A_DIVIDER_RESET) ==
		A_DIVIDER_RESET;

	if (!is_stopped(rtc))
		time_to_cmos(rtc, now);
	rtc->cmos[reg] = value;
	/* The first update comes half a second after the divider starts. */
	if (was_reset && (rtc->cmos[REG_A] & A_DIVIDER_RESET) !=
	    A_DIVIDER_RESET)
		rtc->base = now - NS_PER_S / 2;
	if (!is_stopped(rtc)) {
		time_from_cmos(rtc, now);
		rtc->seen = now;
	}
}

static void reg_write(struct rtc *rtc, unsigned reg, uint8_t value)
{
	uint64_t now = catch_up(rtc);

	if (reg == REG_C || reg == REG_D)
		return;
	if (reg == REG_A)
		value &= (uint8_t)~A_UIP;
	else if (reg == REG_B && (value & B_SET))
		value &= (uint8_t)~UPDATE;
	if (is_alarm(reg) || (!is_time(reg) && reg != REG_A && reg != REG_B))
		rtc->cmos[reg] = value;
	else
		clock_write(rtc, reg, value, now);
	settle(rtc, now);
}

static uint64_t rtc_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct rtc *rtc = (struct rtc *)dev;

	(void)size;
	return offset ? reg_read(rtc, rtc->index & 0x7f) : rtc->index;
}

static void rtc_write(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value)
{
	struct rtc *rtc = (struct rtc *)dev;

	(void)size;
	if (offset)
		reg_write(rtc, rtc->index & 0x7f, (uint8_t)value);
	else
		rtc->index = (uint8_t)value;
}

static const struct region_ops rtc_region_ops = {
	.read = rtc_read, .write = rtc_write, .max_size = 1,
};

static void put16(struct rtc *rtc, unsigned reg, uint64_t value)
{
	value = min_u64(value, 0xffff);
	rtc->cmos[reg] = (uint8_t)value;
	rtc->cmos[reg + 1] = (uint8_t)(value >> 8);
}

/* What firmware without a better source wants to know. */
static void describe_machine(struct rtc *rtc, const struct vm_config *config)
{
	uint64_t low = min_u64(config->memory, MEM_LOW_MAX);
	uint64_t high = (config->memory - low) >> 16;
	unsigned sum = 0;

	rtc->cmos[0x14] = 0x02;			/* has an FPU */
	put16(rtc, 0x15, 640);
	put16(rtc, 0x17, (low - min_u64(low, 1u << 20)) >> 10);
	put16(rtc, 0x30, (low - min_u64(low, 1u << 20)) >> 10);
	put16(rtc, 0x34, (low - min_u64(low, 16u << 20)) >> 16);
	put16(rtc, 0x5b, high & 0xffff);
	rtc->cmos[0x5d] = (uint8_t)min_u64(high >> 16, 0xff);
	rtc->cmos[0x5f] = (uint8_t)(config->topology.cpus - 1);
	rtc->cmos[0x38] = 0x01;			/* do not look for floppies */
	rtc->cmos[0x3d] = 0x02;			/* boot from hard disk only */
	for (unsigned i = 0x10; i <= 0x2d; i++)
		sum += rtc->cmos[i];
	rtc->cmos[0x2e] = (uint8_t)(sum >> 8);
	rtc->cmos[0x2f] = (uint8_t)sum;
}

static void rtc_reset(struct device *dev)
{
	struct rtc *rtc = (struct rtc *)dev;

	rtc->index = 0;
	rtc->cmos[REG_B] &= (uint8_t)~(EVENTS | B_SQWE);
	rtc->cmos[REG_C] = 0;
	rtc->seen = vm_now(dev->vm);
	settle(rtc, rtc->seen);
}

static void rtc_fini(struct device *dev)
{
	vm_timer_cancel(&((struct rtc *)dev)->timer);
	free(dev);
}

/* Dates that four digits can say, and as much again. */
#define BASE_MAX (1ll << 41)

static int rtc_loaded(void *obj, struct err *e)
{
	const struct rtc *rtc = obj;

	if (rtc->base_s < -BASE_MAX || rtc->base_s > BASE_MAX)
		return fail(e, EINVAL, "base_s is %lld, which is no date",
			    (long long)rtc->base_s);
	return 0;
}

static const struct state_field rtc_fields[] = {
	STATE_TIMER(struct rtc, timer),
	STATE_NUMBER(struct rtc, index),
	STATE_BYTES(struct rtc, cmos),
	STATE_NUMBER(struct rtc, base),
	STATE_NUMBER(struct rtc, base_s),
	STATE_NUMBER(struct rtc, weekday_off),
	STATE_NUMBER(struct rtc, seen),
};
STATE_TRANSIENT(struct rtc, "how the machine was made", dev, region, irq);

static const struct state_table rtc_state = {
	.version = 1, STATE_FIELDS(rtc_fields), .loaded = rtc_loaded,
};

static const struct device_ops rtc_ops = {
	.name = "RTC", .reset = rtc_reset, .fini = rtc_fini,
	.state = &rtc_state,
};

int rtc_new(struct vm *vm, struct err *e)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));

	if (!rtc)
		return fail_rc(e, -ENOMEM, "RTC");
	device_add(vm, &rtc->dev, &rtc_ops);
	bus_add(vm, &rtc->region, &rtc->dev, &rtc_region_ops, BUS_PIO, 0x70, 2);
	rtc->irq = irq_isa(vm, 8);
	vm_timer_init(&rtc->timer, vm, look, rtc);
	rtc->cmos[REG_A] = 0x26;	/* 32768 Hz, periodic events at 1024 Hz */
	rtc->cmos[REG_B] = B_24H;
	rtc->cmos[REG_D] = D_VALID;
	rtc->base_s = (int64_t)vm_epoch(vm);
	rtc->weekday_off = 4;		/* 1970-01-01 was a Thursday */
	describe_machine(rtc, &vm->config);
	rtc_reset(&rtc->dev);
	return 0;
}
