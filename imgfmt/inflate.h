/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inflate.h - what drivers share that read compressed units: decompressors, kept
 * and reused, and the units that memo.h remembers.  Internal to imgfmt.
 *
 * Any number of threads may use one; a worker belongs to the thread that got it.
 */
#ifndef IMGFMT_INFLATE_H
#define IMGFMT_INFLATE_H

#include <libdeflate.h>
#include <zstd.h>

#include "base/base.h"
#include "memo.h"

/* What one thread needs.  New ones are empty, and the driver makes what it uses. */
struct inflate_worker {
	struct libdeflate_decompressor *deflate;
	ZSTD_DCtx *zstd;
	uint8_t *in;			/* from buf_alloc() */
	size_t in_cap;			/* bytes of it */
	struct inflate_worker *next;
};

struct inflate;

struct inflate *inflate_new(void);	/* NULL when out of memory */
void inflate_free(struct inflate *f);	/* NULL is allowed; no worker is out */

/* NULL when out of memory.  What the driver made of it is still there when it
 * comes back out.
 */
struct inflate_worker *inflate_get(struct inflate *f);
void inflate_put(struct inflate *f, struct inflate_worker *w);

/* Decompress the unit that `arg` is about, all of it, into `out`. */
typedef int inflate_fn(void *arg, uint8_t *out);

/* Read `len` bytes at `at` of a unit of `unit` bytes.  A whole one goes straight
 * into `buf`, others are remembered by `key`.  -ENOMEM, or what `whole` returned.
 */
int inflate_read(struct inflate *f, struct memo_key key, size_t unit, size_t at,
		 void *buf, size_t len, inflate_fn *whole, void *arg);

/* The unit's place is being given to something else. */
void inflate_forget(struct inflate *f, struct memo_key key);

#endif
