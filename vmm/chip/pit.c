/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pit.c - the 8254 of a PC and port 0x61 beside it.  Intel 8254 data sheet
 * (231164); PIIX3 (290550, 2.6 "NMI status and control").
 */
#include <errno.h>
#include <stdlib.h>

#include "pit.h"
#include "pit_channel.h"
#include "vmm/vm.h"

#define N_CHANNELS	3u
#define CONTROL		3u	/* the offset of port 0x43 */

/* Read-back command: bits that are zero ask for something. */
#define NO_COUNT	0x20u
#define NO_STATUS	0x10u

/* Port 0x61. */
#define GATE2		0x01u
#define REFRESH		0x10u
#define OUT2		0x20u
#define PORT61_WRITABLE	0x0fu

/* Channel 1 refreshed the memory every 18 ticks. */
#define REFRESH_TICKS	18u

/* A guest may ask for 600,000 interrupts a second; this many nanoseconds lie
 * between two that it gets.
 */
#define MIN_GAP_NS	50000u

struct pit {
	struct device dev;
	struct region region, region61;
	struct irq_line irq;
	struct vm_timer timer;
	struct pit_channel ch[N_CHANNELS];
	uint8_t port61;
	uint64_t last_irq;	/* ns */
};

static uint64_t ticks(struct pit *pit)
{
	return clock_scale(vm_now(pit->dev.vm), PIT_HZ, NS_PER_S);
}

/* A time at which `tick` has begun, at most a nanosecond late. */
static uint64_t tick_ns(uint64_t tick)
{
	return clock_scale(tick, NS_PER_S, PIT_HZ) + 1;
}

static void arm(struct pit *pit, uint64_t now)
{
	uint64_t rise = pit_channel_next_rise(&pit->ch[0], now);

	if (rise == UINT64_MAX)
		vm_timer_cancel(&pit->timer);
	else
		vm_timer_arm(&pit->timer, max_u64(tick_ns(rise), pit->last_irq +
						  MIN_GAP_NS));
}

/* The output of channel 0 rose.  It fell some time before, which nobody saw. */
static void fire(void *arg)
{
	struct pit *pit = arg;

	pit->last_irq = vm_now(pit->dev.vm);
	irq_set(&pit->irq, false);
	irq_set(&pit->irq, true);
	arm(pit, ticks(pit));
}

/* An access may come before the timer that is already due. */
static uint64_t catch_up(struct pit *pit)
{
	if (pit->timer.armed && vm_now(pit->dev.vm) >= pit->timer.when) {
		vm_timer_cancel(&pit->timer);
		fire(pit);
	}
	return ticks(pit);
}

static void control(struct pit *pit, uint8_t value, uint64_t now)
{
	unsigned n = value >> 6;

	if (n < N_CHANNELS) {
		if (value & 0x30)
			pit_channel_control(&pit->ch[n], value & 0x3f, now);
		else
			pit_channel_latch(&pit->ch[n], true, false, now);
		return;
	}
	for (n = 0; n < N_CHANNELS; n++)
		if (value & 2u << n)
			pit_channel_latch(&pit->ch[n], !(value & NO_COUNT),
					  !(value & NO_STATUS), now);
}

static uint64_t pit_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct pit *pit = (struct pit *)dev;

	(void)size;
	if (offset == CONTROL)
		return 0;	/* can only be written */
	return pit_channel_read(&pit->ch[offset], catch_up(pit));
}

static void pit_write(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value)
{
	struct pit *pit = (struct pit *)dev;
	uint64_t now = catch_up(pit);

	(void)size;
	if (offset == CONTROL)
		control(pit, (uint8_t)value, now);
	else
		pit_channel_write(&pit->ch[offset], (uint8_t)value, now);
	irq_set(&pit->irq, pit_channel_out(&pit->ch[0], now));
	arm(pit, now);
}

static uint64_t port61_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct pit *pit = (struct pit *)dev;
	uint64_t now = ticks(pit);
	uint8_t value = pit->port61;

	(void)offset;
	(void)size;
	if (now / REFRESH_TICKS & 1)
		value |= REFRESH;
	if (pit_channel_out(&pit->ch[2], now))
		value |= OUT2;
	return value;
}

static void port61_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	struct pit *pit = (struct pit *)dev;

	(void)offset;
	(void)size;
	pit->port61 = value & PORT61_WRITABLE;
	pit_channel_set_gate(&pit->ch[2], value & GATE2, ticks(pit));
}

static const struct region_ops pit_region_ops = {
	.read = pit_read, .write = pit_write, .max_size = 1,
};
static const struct region_ops port61_ops = {
	.read = port61_read, .write = port61_write, .max_size = 1,
};

static void pit_reset(struct device *dev)
{
	struct pit *pit = (struct pit *)dev;

	for (unsigned i = 0; i < N_CHANNELS; i++)
		pit_channel_reset(&pit->ch[i], i != 2);
	pit->port61 = 0;
	vm_timer_cancel(&pit->timer);
	irq_set(&pit->irq, false);
}

static void pit_fini(struct device *dev)
{
	struct pit *pit = (struct pit *)dev;

	vm_timer_cancel(&pit->timer);
	free(pit);
}

static const struct state_field pit_fields[] = {
	STATE_TIMER(struct pit, timer),
	STATE_OBJECTS(struct pit, ch, &pit_channel_state),
	STATE_NUMBER(struct pit, port61, .max = PORT61_WRITABLE),
	STATE_NUMBER(struct pit, last_irq),
};
STATE_TRANSIENT(struct pit, "how the machine was made", dev, region, region61, irq);

static const struct state_table pit_state = {
	.version = 1, STATE_FIELDS(pit_fields),
};

static const struct device_ops pit_ops = {
	.name = "8254", .reset = pit_reset, .fini = pit_fini,
	.state = &pit_state,
};

int pit_new(struct vm *vm, struct err *e)
{
	struct pit *pit = calloc(1, sizeof(*pit));

	if (!pit)
		return fail_rc(e, -ENOMEM, "8254");
	device_add(vm, &pit->dev, &pit_ops);
	bus_add(vm, &pit->region, &pit->dev, &pit_region_ops, BUS_PIO, 0x40, 4);
	bus_add(vm, &pit->region61, &pit->dev, &port61_ops, BUS_PIO, 0x61, 1);
	pit->irq = irq_isa(vm, 0);
	vm_timer_init(&pit->timer, vm, fire, pit);
	pit_reset(&pit->dev);
	return 0;
}
