/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inflate.c - reading compressed grains.  Specification: "Compressed Grain
 * Marker"; the data is in zlib's wrapping (RFC 1950), whatever it says there.
 *
 * Any number of threads may be in here: see inflate.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/inflate.h"
#include "state.h"

static struct inflate_worker *get_worker(struct vmdk *s)
{
	struct inflate_worker *w = inflate_get(s->inflate);

	if (!w)
		return NULL;
	if (!w->deflate)
		w->deflate = libdeflate_alloc_decompressor();
	if (w->deflate)
		return w;
	inflate_put(s->inflate, w);
	return NULL;
}

/* Have `len` bytes at `host` in w->in, of which `have` are there. */
static int fill(struct inflate_worker *w, struct vmdk_extent *x, uint64_t host,
		size_t have, size_t len)
{
	if (len <= have)
		return 0;
	if (w->in_cap < len) {
		uint8_t *in = buf_alloc(len);

		if (!in)
			return -ENOMEM;
		if (have)
			memcpy(in, w->in, have);
		free(w->in);
		w->in = in;
		w->in_cap = len;
	}
	return img_read(x->file, w->in + have, len - have, host + have);
}

/* Read the stream of a grain: *at and *len say where in w->in.  One read where
 * the guess of its length was right.
 */
static int read_stream(struct inflate_worker *w, const struct vmdk_run *run,
		       uint64_t rel, size_t *at, size_t *len)
{
	const struct vmdk_tables *t = &run->x->t;
	uint64_t max = vmdk_max_stream(t), guess = run->room;
	uint64_t left = atomic_load(&run->x->file_len) - run->host;
	size_t size;
	int rc;

	if (!guess || guess > max || !t->markers)
		guess = t->markers ? t->grain / 2 + VMDK_SECTOR : max;
	guess = min_u64(guess, left);
	rc = fill(w, run->x, run->host, 0, (size_t)guess);
	if (rc)
		return rc;
	*at = 0;
	*len = (size_t)guess;
	if (!t->markers)
		return 0;
	if (guess < VMDK_MARKER_LEN)
		return -EUCLEAN;
	size = get_le32(w->in + VMDK_MARKER_SIZE);
	if (!size || size > max || size > left - VMDK_MARKER_LEN ||
	    get_le64(w->in) != round_down(rel, t->grain) / VMDK_SECTOR)
		return -EUCLEAN;
	*at = VMDK_MARKER_LEN;
	*len = size;
	return fill(w, run->x, run->host, (size_t)guess,
		    VMDK_MARKER_LEN + size);
}

/* What follows the stream is somebody else's.  A few writers left the wrapping
 * away, as the technote has it.
 */
static int inflate(struct inflate_worker *w, const uint8_t *in, size_t len,
		   uint8_t *out, size_t grain, size_t need)
{
	enum libdeflate_result r;
	size_t used, got;

	r = libdeflate_zlib_decompress_ex(w->deflate, in, len, out, grain,
					  &used, &got);
	if (r == LIBDEFLATE_BAD_DATA)
		r = libdeflate_deflate_decompress_ex(w->deflate, in, len, out,
						     grain, &used, &got);
	if (r != LIBDEFLATE_SUCCESS || got < need)
		return -EUCLEAN;
	memset(out + got, 0, grain - got);
	return 0;
}

int vmdk_inflate_bytes(struct vmdk *s, const uint8_t *in, size_t len,
		       uint8_t *out, size_t grain, size_t need)
{
	struct inflate_worker *w = get_worker(s);
	int rc;

	if (!w)
		return -ENOMEM;
	rc = inflate(w, in, len, out, grain, need);
	inflate_put(s->inflate, w);
	return rc;
}

struct grain {
	struct vmdk *s;
	const struct vmdk_run *run;
	uint64_t rel;			/* in it */
};

/* The whole grain into `out`: an inflate_fn. */
static int inflate_grain(void *arg, uint8_t *out)
{
	const struct grain *g = arg;
	const struct vmdk_tables *t = &g->run->x->t;
	uint64_t need = min_u64(t->grain, t->capacity -
				round_down(g->rel, t->grain));
	struct inflate_worker *w = get_worker(g->s);
	size_t at, len;
	int rc;

	if (!w)
		return -ENOMEM;
	rc = read_stream(w, g->run, g->rel, &at, &len);
	if (!rc)
		rc = inflate(w, w->in + at, len, out, t->grain, (size_t)need);
	inflate_put(g->s->inflate, w);
	return rc;
}

int vmdk_inflate_read(struct vmdk *s, const struct vmdk_run *run, uint64_t rel,
		      void *buf, size_t len)
{
	struct memo_key key = { .a = (uintptr_t)run->x, .b = run->host };
	uint32_t grain = run->x->t.grain;
	struct grain g = { s, run, rel };

	return inflate_read(s->inflate, key, grain, (size_t)(rel & (grain - 1)),
			    buf, len, inflate_grain, &g);
}
