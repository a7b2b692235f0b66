/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inflate.c - reading compressed grains.  Specification: "Compressed Grain
 * Marker"; the data is in zlib's wrapping (RFC 1950), whatever it says there.
 *
 * Whole grains are decompressed into the caller's buffer.  Smaller reads go
 * through memo.h.  Decompressors are kept and reused; any number of threads may be
 * in here.
 */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/memo.h"
#include "state.h"

struct worker {				/* what one thread needs */
	struct libdeflate_decompressor *deflate;
	uint8_t *in;
	size_t in_cap;
	struct worker *next;
};

struct vmdk_inflate {
	pthread_mutex_t lock;
	struct worker *idle;
	struct memo *memo;
};

int vmdk_inflate_new(struct vmdk *s)
{
	struct vmdk_inflate *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->memo = memo_new();
	if (!f->memo) {
		free(f);
		return -ENOMEM;
	}
	pthread_mutex_init(&f->lock, NULL);
	s->inflate = f;
	return 0;
}

static void free_worker(struct worker *w)
{
	libdeflate_free_decompressor(w->deflate);
	free(w->in);
	free(w);
}

void vmdk_inflate_free(struct vmdk *s)
{
	struct vmdk_inflate *f = s->inflate;

	if (!f)
		return;
	while (f->idle) {
		struct worker *w = f->idle;

		f->idle = w->next;
		free_worker(w);
	}
	memo_free(f->memo);
	pthread_mutex_destroy(&f->lock);
	free(f);
	s->inflate = NULL;
}

static struct worker *get_worker(struct vmdk_inflate *f)
{
	struct worker *w;

	pthread_mutex_lock(&f->lock);
	w = f->idle;
	if (w)
		f->idle = w->next;
	pthread_mutex_unlock(&f->lock);
	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (w)
		w->deflate = libdeflate_alloc_decompressor();
	if (w && !w->deflate) {
		free(w);
		return NULL;
	}
	return w;
}

static void put_worker(struct vmdk_inflate *f, struct worker *w)
{
	pthread_mutex_lock(&f->lock);
	w->next = f->idle;
	f->idle = w;
	pthread_mutex_unlock(&f->lock);
}

/* Have `len` bytes at `host` in w->in, of which `have` are there. */
static int fill(struct worker *w, struct vmdk_extent *x, uint64_t host,
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
static int read_stream(struct worker *w, const struct vmdk_run *run,
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
static int inflate(struct worker *w, const uint8_t *in, size_t len,
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
	struct worker *w = get_worker(s->inflate);
	int rc;

	if (!w)
		return -ENOMEM;
	rc = inflate(w, in, len, out, grain, need);
	put_worker(s->inflate, w);
	return rc;
}

/* The whole grain into `out`, which has room for one. */
static int inflate_grain(struct vmdk *s, const struct vmdk_run *run,
			 uint64_t rel, uint8_t *out)
{
	const struct vmdk_tables *t = &run->x->t;
	uint64_t need = min_u64(t->grain, t->capacity - round_down(rel,
								t->grain));
	struct worker *w = get_worker(s->inflate);
	size_t at, len;
	int rc;

	if (!w)
		return -ENOMEM;
	rc = read_stream(w, run, rel, &at, &len);
	if (!rc)
		rc = inflate(w, w->in + at, len, out, t->grain, (size_t)need);
	put_worker(s->inflate, w);
	return rc;
}

int vmdk_inflate_read(struct vmdk *s, const struct vmdk_run *run, uint64_t rel,
		      void *buf, size_t len)
{
	struct memo_key key = { .a = (uintptr_t)run->x, .b = run->host };
	struct memo *memo = s->inflate->memo;
	uint32_t grain = run->x->t.grain;
	size_t in_grain = (size_t)(rel & (grain - 1));
	uint8_t *data;
	int rc;

	if (len == grain)
		return inflate_grain(s, run, rel, buf);
	if (memo_copy(memo, key, buf, len, in_grain))
		return 0;
	data = buf_alloc(grain);
	if (!data)
		return -ENOMEM;
	rc = inflate_grain(s, run, rel, data);
	if (rc) {
		free(data);
		return rc;
	}
	memcpy(buf, data + in_grain, len);
	memo_put(memo, key, data, grain);
	return 0;
}
