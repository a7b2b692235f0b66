/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memo.h - a few decompressed units, remembered, so that reading one in sixteen
 * parts decompresses it once.  Internal to imgfmt.
 *
 * Any number of threads may use one.  That a remembered unit is still what the
 * image holds is the caller's to know: memo_forget() it before its place is
 * given to something else.
 */
#ifndef IMGFMT_MEMO_H
#define IMGFMT_MEMO_H

#include "base/base.h"

struct memo;

/* What tells units apart: the driver's choice. */
struct memo_key {
	uint64_t a, b;
};

struct memo *memo_new(void);		/* NULL when out of memory */
void memo_free(struct memo *m);		/* NULL is allowed */

/* Copy `len` bytes at `at` of the unit, if it is remembered. */
bool memo_copy(struct memo *m, struct memo_key key, void *buf, size_t len,
	       size_t at);

/* Remember the unit `data`, `len` bytes from malloc, which the memo owns from now
 * on.  Others are forgotten for it, so that all are 4 MiB at most.
 */
void memo_put(struct memo *m, struct memo_key key, uint8_t *data, size_t len);

void memo_forget(struct memo *m, struct memo_key key);

#endif
