/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rangelock.h - shared and exclusive locks on ranges of an image.
 *
 * A thread holds at most one range of a lock at a time.  Those who wait are
 * served in the order they came where their ranges overlap, so that a writer
 * does not starve.
 */
#ifndef IMGFMT_RANGELOCK_H
#define IMGFMT_RANGELOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct rangelock_held {		/* the holder's storage, valid while held */
	uint64_t start, end;
	bool exclusive;
	struct rangelock_held *prev, *next;
};

struct rangelock {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct rangelock_held *first, *last;	/* held or waiting, as they came */
	unsigned n_waiting;
};

void rangelock_init(struct rangelock *l);
void rangelock_fini(struct rangelock *l);
/* Wait until no earlier holder of an overlapping range is in the way. */
void rangelock_take(struct rangelock *l, struct rangelock_held *held,
		    uint64_t start, uint64_t end, bool exclusive);
void rangelock_drop(struct rangelock *l, struct rangelock_held *held);

#endif
