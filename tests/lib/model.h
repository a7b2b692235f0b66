/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.h - random operations on a writable image, compared with a plain array.
 *
 * The seed is printed, and comes from the environment's SEED if that is set;
 * OPS sets the number of operations.  A difference ends the program with status
 * 1 after printing the last operations.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "imgfmt/imgfmt.h"

struct model {
	const char *what;	/* for messages: "qcow2 v3 64k" */
	uint64_t size;		/* virtual size at the start, bytes */
	uint64_t max_size;	/* resize at random up to this; 0: never */
	uint64_t unit;		/* cluster or the like: offsets and lengths are
				 * often near its multiples; 0: 4096 */
	uint64_t ops;		/* how many, unless OPS is set */
	uint64_t seed;		/* unless SEED is set; 0: from the clock */
	const uint8_t *initial;	/* what the image shows at the start, `size`
				 * bytes; NULL: zeroes */
	bool no_compressed;	/* write no compressed units */
	bool no_discard;
	bool discard_zeroes;	/* whole units in what is discarded read as
				 * zeroes, also a short last one */

	/* Open the image for writing, also after it was closed. */
	int (*open)(void *arg, struct img **out, struct err *e);
	/* Optional: close it (img_close() otherwise). */
	int (*close)(void *arg, struct img *img, struct err *e);
	/* Optional: called while it is closed; is it consistent? */
	int (*check)(void *arg, struct err *e);
	void *arg;
};

void model_run(const struct model *m);

/* The same from several threads at once, each in its own parts of the image:
 * every n-th piece of a length that shares clusters with the others.  m->ops is
 * for each thread; no resizing; it is reopened and compared at the end only.
 */
void model_run_threads(const struct model *m, unsigned n_threads);

/* The seed to use: SEED of the environment, else `seed`, else the clock.
 * Prints it.  And the number of operations: OPS of the environment, else `ops`.
 */
uint64_t model_seed(const char *what, uint64_t seed);
uint64_t model_ops(uint64_t ops);

#endif
