/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline.h - work that is taken in order, done in parallel, and finished in
 * order.  Internal to convert/copy.
 *
 * There are a few slots, each with the buffers for one piece of work.  A worker
 * takes the next piece into a free slot, processes it, and then, unless another
 * one is at it, finishes all pieces at the head of the line that are processed.
 * So nobody waits for a turn while there is a free slot, memory is bounded by
 * the slots, and what finish() does happens in the order of next().
 */
#ifndef COPY_PIPELINE_H
#define COPY_PIPELINE_H

#include <stdatomic.h>

#include "imgfmt/base/base.h"

struct pipeline;

struct pipeline_args {
	const char *name;		/* of the threads */
	unsigned threads, slots;	/* slots >= threads >= 1 */
	/* Put the next piece of work into the slot: 1, or 0 at the end, or
	 * -errno.  Called by one thread at a time.
	 */
	int (*next)(void *ctx, unsigned slot, struct err *e);
	/* Called in parallel; `worker` counts from 0. */
	int (*process)(void *ctx, struct pipeline *p, unsigned worker,
		       unsigned slot, struct err *e);
	/* Called by one thread at a time, in the order of next(). */
	int (*finish)(void *ctx, unsigned slot, struct err *e);
	/* Called in the caller's thread a few times each second, or NULL. */
	void (*tick)(void *ctx);
	void *ctx;
	const atomic_int *cancel;	/* may be NULL */
};

/* Run until next() says 0 and all is finished, or to the first error.
 * -ECANCELED when *cancel became nonzero.
 */
int pipeline_run(const struct pipeline_args *args, struct err *e);

/* For process(): has something failed or been cancelled, so that this work is
 * in vain?
 */
bool pipeline_stopped(struct pipeline *p);

/* For process(): sleep until clock_ns() shows `ns`, or the pipeline stops. */
void pipeline_sleep(struct pipeline *p, uint64_t ns);

uint64_t clock_ns(void);		/* CLOCK_MONOTONIC, ns */

#endif
