/* SPDX-License-Identifier: GPL-2.0-or-later */
/* powercut.h - random writes to an image on a disk that loses power, again and
 * again.
 *
 * After each cut the image must open, pass the caller's check, and hold in
 * every sector what was there at the last flush or something written to it
 * since; and what was flushed must all be there.  Its size is one that it had
 * since then.  Each sector carries the number of the write that made it, so
 * that it is known whether it is one of those.  The seed is printed; SEED and
 * OPS of the environment override, as in model.h.
 */
#ifndef TESTS_POWERCUT_H
#define TESTS_POWERCUT_H

#include "imgfmt/imgfmt.h"

struct powercut {
	const char *what;	/* for messages */
	uint64_t size;		/* virtual size, bytes: a multiple of 512 */
	uint64_t unit;		/* cluster or the like, bytes; 0: 4096 */
	uint64_t cuts;		/* how often power fails, unless OPS is set */
	uint64_t seed;		/* unless SEED is set; 0: from the clock */
	uint64_t max_size;	/* resize at random up to this; 0: never */
	bool compressed;	/* write compressed units, too */

	/* Write a new image into `disk` (which has been flushed already when
	 * this returns or not, as you like; it is flushed afterwards).
	 */
	int (*create)(void *arg, struct img *disk, struct err *e);
	/* Open the image on `disk` for writing.  On failure `disk` stays the
	 * caller's, on success the image owns it: as img_stack().
	 */
	int (*open)(void *arg, struct img *disk, struct img **out,
		    struct err *e);
	/* Optional: is the image on `disk`, which is not open, consistent after
	 * the cut?  `disk` stays the caller's, and may be changed (repaired).
	 */
	int (*check)(void *arg, struct img *disk, struct err *e);
	/* Set: there is a second disk, which loses power with the first, and
	 * this is told which it is before each of the calls above.
	 */
	void (*second)(void *arg, struct img *disk);
	void *arg;
	/* What the image shows at the start, when it is not zeroes: its
	 * backing file's content.  As long as the image may become.
	 */
	const uint8_t *initial;
};

/* Ends the program with status 1 when something is wrong. */
void powercut_run(const struct powercut *p);

/* The same, but returns how many cuts it took to find something wrong, 0 if
 * nothing was found: for builds that are wrong on purpose.
 */
uint64_t powercut_find(const struct powercut *p);

#endif
