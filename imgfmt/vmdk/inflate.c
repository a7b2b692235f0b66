/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inflate.c - reading compressed grains.  Specification: "Compressed Grain
 * Marker"; the data is in zlib's wrapping (RFC 1950), whatever it says there.
 *
 * Whole grains are decompressed into the caller's buffer.  Smaller reads go
 * through a few remembered grains.  Decompressors are kept and reused; any
 * number of threads may be in here.
 */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

#define MAX_REMEMBERED (4u << 20)	/* bytes */
#define MAX_SLOTS 16u

struct worker {				/* what one thread needs */
	struct libdeflate_decompressor *deflate;
	uint8_t *in;
	size_t in_cap;
	struct worker *next;
};

struct slot {				/* a remembered grain */
	const struct vmdk_extent *x;	/* NULL: none */
	uint64_t host;
	uint8_t *data;
	unsigned users;			/* readers copying out of it */
	uint64_t used;			/* when, in counts of uses */
};

struct vmdk_inflate {
	pthread_mutex_t lock;
	struct worker *idle;
	struct slot slots[MAX_SLOTS];
	unsigned n_slots;
	uint64_t clock;
};

int vmdk_inflate_new(struct vmdk *s)
{
	struct vmdk_inflate *f = calloc(1, sizeof(*f));
	uint32_t grain = max_u64(s->img->block_size, 1) > MAX_REMEMBERED
			 ? MAX_REMEMBERED : s->img->block_size;

	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	f->n_slots = grain ? MAX_REMEMBERED / grain : 0;
	if (f->n_slots > MAX_SLOTS)
		f->n_slots = MAX_SLOTS;
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
	for (unsigned i = 0; i < f->n_slots; i++)
		free(f->slots[i].data);
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

/* Deflate adds little to what does not shrink. */
static uint64_t max_stream(const struct vmdk_tables *t)
{
	return 2ull * t->grain + 4096;
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
	uint64_t max = max_stream(t), guess = run->room;
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

/* Find the grain among those remembered, and keep it there while in use. */
static struct slot *find_slot(struct vmdk_inflate *f,
			      const struct vmdk_run *run)
{
	struct slot *found = NULL;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_slots && !found; i++)
		if (f->slots[i].x == run->x && f->slots[i].host == run->host)
			found = &f->slots[i];
	if (found) {
		found->users++;
		found->used = ++f->clock;
	}
	pthread_mutex_unlock(&f->lock);
	return found;
}

static void release_slot(struct vmdk_inflate *f, struct slot *slot)
{
	pthread_mutex_lock(&f->lock);
	slot->users--;
	pthread_mutex_unlock(&f->lock);
}

/* Remember `data` in place of the one not used for longest; returns what is to
 * be freed.
 */
static uint8_t *remember(struct vmdk_inflate *f, const struct vmdk_run *run,
			 uint8_t *data)
{
	struct slot *oldest = NULL;
	uint8_t *old = data;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_slots; i++) {
		struct slot *slot = &f->slots[i];

		if (!slot->users && (!oldest || slot->used < oldest->used))
			oldest = slot;
	}
	if (oldest) {
		old = oldest->data;
		*oldest = (struct slot){
			.x = run->x, .host = run->host, .data = data,
			.used = ++f->clock,
		};
	}
	pthread_mutex_unlock(&f->lock);
	return old;
}

int vmdk_inflate_read(struct vmdk *s, const struct vmdk_run *run, uint64_t rel,
		      void *buf, size_t len)
{
	uint32_t grain = run->x->t.grain;
	size_t in_grain = (size_t)(rel & (grain - 1));
	struct slot *slot;
	uint8_t *data;
	int rc;

	if (len == grain)
		return inflate_grain(s, run, rel, buf);
	slot = find_slot(s->inflate, run);
	if (slot) {
		memcpy(buf, slot->data + in_grain, len);
		release_slot(s->inflate, slot);
		return 0;
	}
	data = buf_alloc(grain);
	if (!data)
		return -ENOMEM;
	rc = inflate_grain(s, run, rel, data);
	if (rc) {
		free(data);
		return rc;
	}
	memcpy(buf, data + in_grain, len);
	free(remember(s->inflate, run, data));
	return 0;
}
