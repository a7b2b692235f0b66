/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.h - compare packages with their manifests, beside a copy or alone.
 * With --ignore-manifest what does not match is a warning.
 */
#ifndef VIMG_VERIFY_H
#define VIMG_VERIFY_H

#include <pthread.h>
#include <stdatomic.h>

#include "tools/cli/cli.h"

struct verify {
	struct img *const *images;
	size_t n;
	bool ignore, stopped;
	bool running;
	pthread_t thread;
	atomic_int stop;
	int rc;
	char *notes;		/* lines, or NULL */
	struct err e;
};

/* Begin in a thread of its own; nothing happens when none is a package. */
int verify_start(const struct cli *cli, struct verify *v,
		 struct img *const *images, size_t n,
		 struct err *e);
/* Wait for it, print its notes.  `failed`: stop, the copy was in vain; but when
 * it was because a package is damaged, say that.  Returns the first failure.
 */
int verify_end(struct cli *cli, struct verify *v, int failed, struct err *e);

/* The result is known already: verify_end() is not to wait for the rest. */
void verify_stop(struct verify *v);

#endif
