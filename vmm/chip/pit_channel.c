/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pit_channel.c - one counter of an 8254.  See pit_channel.h; the modes are
 * those of the data sheet's "Mode Definitions", the read-back of its figures
 * 5 to 7.
 *
 * A count that was written is in the counting element one tick later.
 */
#include <errno.h>

#include "pit_channel.h"

#define CONTROL_BCD	0x01u
#define RW_LSB		1u
#define RW_MSB		2u
#define RW_BOTH		3u

#define STATUS_OUT	0x80u
#define STATUS_NULL	0x40u

static unsigned mode(const struct pit_channel *ch)
{
	unsigned m = ch->control >> 1 & 7;

	return m > 5 ? m - 4 : m;	/* modes 2 and 3 ignore the top bit */
}

static unsigned rw(const struct pit_channel *ch)
{
	return ch->control >> 4 & 3;
}

static bool is_periodic(const struct pit_channel *ch)
{
	return mode(ch) == 2 || mode(ch) == 3;
}

/* In modes 1 and 5 the gate's rise is what starts the count. */
static bool is_triggered(const struct pit_channel *ch)
{
	return mode(ch) == 1 || mode(ch) == 5;
}

static uint32_t wrap(const struct pit_channel *ch)
{
	return ch->control & CONTROL_BCD ? 10000 : 65536;
}

/* The number that 16 bits mean.  Digits above 9 count as what they are. */
static uint32_t decode(const struct pit_channel *ch, uint32_t bits)
{
	uint32_t n = bits;

	if (ch->control & CONTROL_BCD)
		n = (bits >> 12) * 1000 + (bits >> 8 & 15) * 100 +
			(bits >> 4 & 15) * 10 + (bits & 15);
	return n ? n : wrap(ch);
}

static uint32_t encode(const struct pit_channel *ch, uint32_t n)
{
	n %= wrap(ch);
	if (ch->control & CONTROL_BCD)
		n = n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 |
			n % 10;
	return n;
}

/* Ticks since the counting element was loaded. */
static uint64_t elapsed(const struct pit_channel *ch, uint64_t now)
{
	if (ch->is_held)
		return ch->held;
	return now > ch->start ? now - ch->start : 0;
}

static void load(struct pit_channel *ch, uint64_t start)
{
	ch->loaded = ch->count;
	ch->start = start;
	ch->held = 0;
	ch->counting = true;
	ch->has_next = ch->low_first = ch->is_new = false;
}

/* Let what has happened until `now` have happened. */
static void settle(struct pit_channel *ch, uint64_t now)
{
	bool low = ch->next_low;

	if (!ch->has_next || now < ch->next_at)
		return;
	load(ch, ch->next_at);
	ch->low_first = low;
}

/* Mode 3: the high half is the longer one. */
static uint32_t first_half(const struct pit_channel *ch)
{
	return ch->low_first ? ch->loaded / 2 : (ch->loaded + 1) / 2;
}

static uint32_t counter(const struct pit_channel *ch, uint64_t now)
{
	uint64_t e = elapsed(ch, now);
	uint32_t w = wrap(ch), n = ch->loaded, at;

	if (!ch->counting)
		return ch->frozen;
	if (is_periodic(ch)) {
		at = (uint32_t)(e % n);
		if (mode(ch) == 2)
			return n - at;
		if (at >= first_half(ch))
			at -= first_half(ch);
		return (n & ~1u) - 2 * at;
	}
	if (e <= n)
		return n - (uint32_t)e;
	return (w - (uint32_t)((e - n) % w)) % w;
}

bool pit_channel_out(struct pit_channel *ch, uint64_t now)
{
	uint64_t e;

	settle(ch, now);
	e = elapsed(ch, now);
	if (!ch->counting)
		return mode(ch) != 0;
	switch (mode(ch)) {
	case 0:
	case 1:
		return e >= ch->loaded;
	case 2:
		return ch->is_held || e % ch->loaded != ch->loaded - 1;
	case 3:
		return ch->is_held ||
			(e % ch->loaded < first_half(ch)) != ch->low_first;
	default:
		return e != ch->loaded;
	}
}

uint64_t pit_channel_next_rise(struct pit_channel *ch, uint64_t now)
{
	uint32_t n;
	uint64_t e, at;

	settle(ch, now);
	if (!ch->counting || ch->is_held)
		return UINT64_MAX;
	n = ch->loaded;
	e = elapsed(ch, now);
	if (!is_periodic(ch)) {
		at = ch->start + n + (mode(ch) >= 4);
		return at > now ? at : UINT64_MAX;
	}
	if (n < 2)
		return UINT64_MAX;	/* not allowed, and never high or low */
	if (ch->has_next && ch->next_low && ch->count < 2)
		return UINT64_MAX;
	if (ch->has_next)
		return ch->next_at + (ch->next_low ? ch->count / 2 : 0);
	if (!ch->low_first)
		return ch->start + (e / n + 1) * n;
	at = ch->start + e / n * n + first_half(ch);
	return at > now ? at : at + n;
}

void pit_channel_reset(struct pit_channel *ch, bool gate)
{
	*ch = (struct pit_channel){ .control = RW_BOTH << 4, .gate = gate,
				   .is_new = true };
}

void pit_channel_control(struct pit_channel *ch, uint8_t control, uint64_t now)
{
	settle(ch, now);
	ch->frozen = counter(ch, now);
	ch->control = control & 0x3f;
	ch->counting = ch->has_count = ch->has_next = false;
	ch->msb_next_read = ch->msb_next_write = false;
	ch->count_latched = ch->status_latched = false;
	ch->is_new = true;
	ch->is_held = !ch->gate && !is_triggered(ch);
	ch->held = 0;
}

/* The count is complete. */
static void write_count(struct pit_channel *ch, uint32_t bits, uint64_t now)
{
	uint64_t e = elapsed(ch, now);
	uint32_t n = ch->loaded, half;
	bool running = ch->counting && !ch->is_held && now >= ch->start;

	ch->count = decode(ch, bits);
	ch->has_count = ch->is_new = true;
	if (is_triggered(ch))
		return;
	if (!is_periodic(ch) || !running) {
		load(ch, now + 1);
		return;
	}
	if (ch->has_next)
		return;
	ch->has_next = true;
	ch->next_at = ch->start + (e / n + 1) * n;
	ch->next_low = ch->low_first;
	half = first_half(ch);
	if (mode(ch) == 3 && e % n < half) {
		ch->next_at -= n - half;
		ch->next_low = !ch->low_first;
	}
}

void pit_channel_write(struct pit_channel *ch, uint8_t value, uint64_t now)
{
	settle(ch, now);
	switch (rw(ch)) {
	case RW_LSB:
		write_count(ch, value, now);
		return;
	case RW_MSB:
		write_count(ch, (uint32_t)value << 8, now);
		return;
	}
	if (ch->msb_next_write) {
		ch->msb_next_write = false;
		write_count(ch, (uint32_t)value << 8 | ch->lsb, now);
		return;
	}
	ch->msb_next_write = true;
	ch->lsb = value;
	/* Mode 0 stops between the halves. */
	if (mode(ch) == 0) {
		ch->frozen = counter(ch, now);
		ch->counting = false;
	}
}

/* Is what was written last not yet what counts? */
static bool is_null(const struct pit_channel *ch, uint64_t now)
{
	if (ch->is_new)
		return true;
	return !ch->is_held && now < ch->start;
}

void pit_channel_latch(struct pit_channel *ch, bool count, bool status,
		       uint64_t now)
{
	bool out = pit_channel_out(ch, now);

	if (count && !ch->count_latched) {
		ch->latch = encode(ch, counter(ch, now));
		ch->count_latched = true;
	}
	if (status && !ch->status_latched) {
		ch->status = ch->control;
		if (out)
			ch->status |= STATUS_OUT;
		if (is_null(ch, now))
			ch->status |= STATUS_NULL;
		ch->status_latched = true;
	}
}

uint8_t pit_channel_read(struct pit_channel *ch, uint64_t now)
{
	uint32_t value;
	bool msb = rw(ch) == RW_MSB;

	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status;
	}
	settle(ch, now);
	value = ch->count_latched ? ch->latch : encode(ch, counter(ch, now));
	if (rw(ch) == RW_BOTH) {
		msb = ch->msb_next_read;
		ch->msb_next_read = !msb;
	}
	if (rw(ch) != RW_BOTH || msb)
		ch->count_latched = false;
	return (uint8_t)(msb ? value >> 8 : value);
}

void pit_channel_set_gate(struct pit_channel *ch, bool gate, uint64_t now)
{
	settle(ch, now);
	if (gate == ch->gate)
		return;
	ch->gate = gate;
	if (is_triggered(ch)) {
		if (gate && ch->has_count)
			load(ch, now + 1);
		return;
	}
	if (!gate) {
		ch->held = elapsed(ch, now);
		ch->is_held = true;
		return;
	}
	/* Modes 2 and 3 begin afresh, 0 and 4 go on. */
	ch->is_held = false;
	if (ch->counting && is_periodic(ch))
		load(ch, now + 1);
	else
		ch->start = now - ch->held;
}

/* What divides by a count relies on this. */
static int loaded(void *obj, struct err *e)
{
	const struct pit_channel *ch = obj;

	if (ch->counting && !ch->loaded)
		return fail(e, EINVAL, "it counts, but loaded is 0");
	if ((ch->has_count || ch->has_next) && !ch->count)
		return fail(e, EINVAL, "it has a count, but count is 0");
	return 0;
}

#define COUNT_MAX 65536

static const struct state_field channel_fields[] = {
	STATE_NUMBER(struct pit_channel, control, .max = 0x3f),
	STATE_BOOL(struct pit_channel, gate),
	STATE_BOOL(struct pit_channel, has_count),
	STATE_BOOL(struct pit_channel, is_new),
	STATE_NUMBER(struct pit_channel, count, .max = COUNT_MAX),
	STATE_BOOL(struct pit_channel, msb_next_write),
	STATE_BOOL(struct pit_channel, msb_next_read),
	STATE_NUMBER(struct pit_channel, lsb),
	STATE_BOOL(struct pit_channel, counting),
	STATE_BOOL(struct pit_channel, is_held),
	STATE_BOOL(struct pit_channel, low_first),
	STATE_NUMBER(struct pit_channel, loaded, .max = COUNT_MAX),
	STATE_NUMBER(struct pit_channel, frozen, .max = COUNT_MAX),
	STATE_NUMBER(struct pit_channel, start),
	STATE_NUMBER(struct pit_channel, held),
	STATE_BOOL(struct pit_channel, has_next),
	STATE_BOOL(struct pit_channel, next_low),
	STATE_NUMBER(struct pit_channel, next_at),
	STATE_BOOL(struct pit_channel, status_latched),
	STATE_BOOL(struct pit_channel, count_latched),
	STATE_NUMBER(struct pit_channel, status),
	STATE_NUMBER(struct pit_channel, latch, .max = 0xffff),
};

const struct state_table pit_channel_state = {
	.version = 1, STATE_FIELDS(channel_fields), .loaded = loaded,
};
