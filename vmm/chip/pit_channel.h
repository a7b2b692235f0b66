/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pit_channel.h - one counter of an 8254, as a function of the number of clock
 * ticks that have passed (Intel 8254 data sheet, 231164).
 *
 * `now` is that number; it never goes back.  Nothing here waits or interrupts:
 * pit.c asks when the output will rise.  Called with the machine lock held.
 */
#ifndef CHIP_PIT_CHANNEL_H
#define CHIP_PIT_CHANNEL_H

#include "vmm/state.h"

struct pit_channel {
	uint8_t control;	/* bits 0-5 of the control word */
	bool gate;
	bool has_count;		/* one was written since the control word */
	bool is_new;		/* and is not in the counting element yet */
	uint32_t count;		/* the last one written, 1 to 65536 */
	bool msb_next_write, msb_next_read;
	uint8_t lsb;		/* the first half of a count */

	/* The counting element: it was loaded with `loaded` at tick `start`, or
	 * it stands still: at `frozen`, or `held` ticks after the start.
	 */
	bool counting, is_held;
	bool low_first;		/* mode 3: the half that comes first is low */
	uint32_t loaded, frozen;
	uint64_t start, held;

	/* Modes 2 and 3: a new count waits for the end of the (half) cycle. */
	bool has_next, next_low;
	uint64_t next_at;

	bool status_latched, count_latched;
	uint8_t status;
	uint32_t latch;
};

extern const struct state_table pit_channel_state;

void pit_channel_reset(struct pit_channel *ch, bool gate);

/* The control word's bits 0 to 5; those with bits 4 and 5 clear latch the count
 * instead (pit_channel_latch()).
 */
void pit_channel_control(struct pit_channel *ch, uint8_t control, uint64_t now);
void pit_channel_latch(struct pit_channel *ch, bool count, bool status,
		       uint64_t now);
void pit_channel_write(struct pit_channel *ch, uint8_t value, uint64_t now);
uint8_t pit_channel_read(struct pit_channel *ch, uint64_t now);
void pit_channel_set_gate(struct pit_channel *ch, bool gate, uint64_t now);

bool pit_channel_out(struct pit_channel *ch, uint64_t now);

/* The first tick after `now` at which the output goes from low to high if
 * nothing is written until then; UINT64_MAX: it will not.
 */
uint64_t pit_channel_next_rise(struct pit_channel *ch, uint64_t now);

#endif
