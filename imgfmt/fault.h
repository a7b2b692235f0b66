/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.h - a layer for tests that makes the layer below it fail, and that
 * remembers what a power cut would lose.  Internal to imgfmt and its tests.
 *
 * Put it under a format:
 *
 *	img_memory(0, &mem, &e);
 *	fault_new(mem, FAULT_RECORD, &disk, &e);
 *	img_create(disk, &create_args, &e);
 *	img_stack(disk, &open_args, &img, &e);
 *	... writes ...
 *	fault_power_cut(disk, seed, &after, &e);
 *	img_close(img, NULL);			(closes disk and mem too)
 *	... open what `after` holds and check it ...
 *
 * To cut in the midst of one call, plan a lasting failure first.  Data calls
 * may come from any thread; the functions here may be called beside them.
 */
#ifndef IMGFMT_FAULT_H
#define IMGFMT_FAULT_H

#include "imgfmt.h"

/* Kinds of calls. */
#define FAULT_READ	0x01u
#define FAULT_WRITE	0x02u
#define FAULT_ZERO	0x04u
#define FAULT_DISCARD	0x08u
#define FAULT_FLUSH	0x10u
#define FAULT_TRUNCATE	0x20u
#define FAULT_MAP	0x40u
#define FAULT_CHANGES	(FAULT_WRITE | FAULT_ZERO | FAULT_DISCARD | \
			 FAULT_TRUNCATE)
#define FAULT_ALL	0x7fu

/* A layer over `below`, which it owns on success.  With FAULT_RECORD it keeps
 * what is below as it is now, and everything written since the last flush, for
 * fault_power_cut().
 */
#define FAULT_RECORD	0x01u
int fault_new(struct img *below, unsigned options, struct img **out,
	      struct err *e);

struct fault_plan {
	unsigned kinds;		/* which calls count and fail */
	uint64_t nth;		/* the first one to fail, from 1; 0: none */
	int errnum;		/* how: EIO, ENOSPC, ... */
	bool lasting;		/* and all after it */
	bool torn;		/* a failed write leaves some of its sectors
				 * written, a failed read fills half a buffer */
	uint64_t seed;		/* for what is torn */
};

/* From now on, fail like this; counting starts anew. */
void fault_set(struct img *img, const struct fault_plan *plan);

/* Calls since fault_set() or fault_new() of these kinds, failed ones too. */
uint64_t fault_calls(struct img *img, unsigned kinds);

/* How many calls were made to fail since fault_set(). */
uint64_t fault_failures(struct img *img);

/* Changes since the last flush that succeeded: what a power cut may lose. */
uint64_t fault_pending(struct img *img);

/* What the disk may hold when the power fails now: a new memory layer.  Of the
 * changes since the last flush some are there and some are not, in units of 512
 * bytes; which ones, `seed` decides.  Each unit holds what it held at the flush
 * or after any later change to it, so that reordered writes are covered.  May
 * be called often, also with other seeds.
 */
int fault_power_cut(struct img *img, uint64_t seed, struct img **out,
		    struct err *e);

/* A new memory layer with the content of `img` as it is now. */
int fault_copy(struct img *img, struct img **out, struct err *e);

/* The next number of a repeatable sequence; *state is the seed. */
uint64_t fault_random(uint64_t *state);

#endif
