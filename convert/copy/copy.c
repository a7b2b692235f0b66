/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - copy the content of images into another image: the plan, and what
 * holds the pieces together.
 */
#include "convert/copy/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/copy/piece.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"

/* A window.  Larger ones gain nothing and fall out of the processor's cache. */
#define PIECE_SIZE (1u << 20)
/* Zeroes are looked for in steps of this many bytes. */
#define GRANULE 4096u
#define SECTOR 512u
/* How far ahead to map: holes of up to this length are one piece.  It doubles
 * as long as there are only holes, and is short again after data, where finding
 * the end costs the file system time.
 */
#define MAP_ASK (64u << 20)

static uint64_t rest(const struct copy *c)
{
	return c->end - c->cursor;
}

/* Can a hole start here, and how long is it?  0 is a window's case. */
static int plan_hole(struct copy *c, struct piece *p, uint64_t *len,
		     struct err *e)
{
	uint64_t ask = min_u64(rest(c), c->map_ask);
	struct img_extent ext;
	bool skip, zero;
	int rc;

	*len = 0;
	if (c->cursor % c->piece_size || c->args->no_sparse)
		return 0;
	rc = source_map(&c->src, c->cursor, ask, &ext);
	if (rc && c->args->salvage)
		return 0;
	if (rc)
		return fail_rc(e, rc, "mapping %s at offset %llu",
			       source_at(&c->src, c->cursor, &ask),
			       (unsigned long long)c->cursor);
	skip = c->args->keep_backing && ext.depth;
	zero = ext.flags & IMG_EXT_ZERO && (ext.depth || !c->hash_below);
	if (zero || (skip && !c->hasher))
		*len = round_down(ext.len, c->piece_size);
	p->kind = skip ? PIECE_SKIP : PIECE_ZERO;
	c->map_ask = *len == ask && ask < UINT64_MAX / 2 ? 2 * ask : MAP_ASK;
	return 0;
}

static int copy_next(void *ctx, unsigned slot, struct err *e)
{
	struct copy *c = ctx;
	struct piece *p = &c->pieces[slot];
	int rc;

	if (c->in_order)
		return in_order_next(c, p, e);
	if (!rest(c))
		return 0;
	rc = plan_hole(c, p, &p->len, e);
	if (rc)
		return rc;
	p->offset = c->cursor;
	if (!p->len) {
		p->kind = PIECE_WINDOW;
		p->len = min_u64(rest(c), c->piece_size -
				 c->cursor % c->piece_size);
	}
	c->cursor += p->len;
	return 1;
}

static int copy_process(void *ctx, struct pipeline *pl, unsigned worker,
			unsigned slot, struct err *e)
{
	struct copy *c = ctx;

	return piece_process(c, &c->pieces[slot], pl, worker, e);
}

static int copy_finish(void *ctx, unsigned slot, struct err *e)
{
	struct copy *c = ctx;
	struct piece *p = &c->pieces[slot];
	struct copy_result *r = c->result;
	uint64_t blocks = div_round_up(p->len, HASH_BLOCK);
	int rc = 0;

	if (c->args->dst && c->ordered)
		rc = piece_write(c, p, e);
	if (!rc && c->hasher)
		rc = p->kind == PIECE_WINDOW ?
			hasher_add(c->hasher, p->digests, blocks) :
			hasher_add_zeroes(c->hasher, blocks);
	for (size_t i = 0; i < p->n_lost && !rc; i++) {
		const struct copy_lost *l = &p->lost[i];

		rc = lost_add(&r->lost_ranges, &r->n_lost, &c->lost_cap,
			      l->offset, l->len, l->error);
		r->lost += l->len;
	}
	p->n_lost = 0;
	r->data += p->data;
	r->written += p->written;
	atomic_fetch_add(&c->done, p->late ? 0 : p->len);
	atomic_fetch_add(&c->data, p->data);
	p->data = 0;
	p->written = 0;
	return rc;
}

static void copy_tick(void *ctx)
{
	struct copy *c = ctx;
	struct copy_progress now = {
		.done = atomic_load(&c->done),
		.total = c->src.total,
		.data = atomic_load(&c->data),
	};

	c->args->progress(c->args->arg, &now);
}

static int check_args(const struct copy_args *a, struct err *e)
{
	uint64_t total = 0;

	int rc = in_order_check(a, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < a->n_sources; i++)
		total += img_size(a->sources[i]);
	if (a->start % COPY_PART || (a->end != total && a->end % COPY_PART) ||
	    a->start > total || a->end > total || (a->end && a->end < a->start))
		return fail(e, EINVAL, "a part from %llu to %llu of %llu bytes",
			    (unsigned long long)a->start,
			    (unsigned long long)a->end,
			    (unsigned long long)total);
	if (!a->dst)
		return 0;
	if (img_size(a->dst) < total)
		return fail(e, ENOSPC, "%s has %llu bytes, and the source has "
			    "%llu", img_name(a->dst),
			    (unsigned long long)img_size(a->dst),
			    (unsigned long long)total);
	if (a->compress && !img_compress_unit(a->dst))
		return fail(e, ENOTSUP, "Compression not supported for the "
			    "format %s", img_format(a->dst));
	if (a->keep_backing && a->n_sources != 1)
		return fail(e, EINVAL, "a target with a backing file takes one "
			    "source, found %zu", a->n_sources);
	if (a->keep_backing && !img_backing(a->dst))
		return fail(e, EINVAL, "%s has no backing file to keep",
			    img_name(a->dst));
	return 0;
}

/* An overlay may be larger, as formats round: in its last block at most. */
static int check_below(const struct copy_args *a, struct err *e)
{
	struct img *below = a->n_sources == 1 ? img_backing(a->sources[0]) : NULL;

	if (!a->checksum || !a->checksum_backing)
		return 0;
	if (!below || a->hasher || img_in_order(a->sources[0]) ||
	    img_size(below) > img_size(a->sources[0]) ||
	    div_round_up(img_size(below), HASH_BLOCK) !=
	    div_round_up(img_size(a->sources[0]), HASH_BLOCK))
		return fail(e, EINVAL, "a checksum of a backing file needs one "
			    "source that is as large as its backing file");
	return 0;
}

/* A power of two that dst can make sparse at best, and that is not finer than
 * what the caller calls a hole: both ends of one are at multiples of it.
 */
static uint32_t sparse_block(const struct copy *c)
{
	uint32_t block = img_block_size(c->args->dst), least = c->granule;

	while (2 * (uint64_t)least <= c->sparse)
		least *= 2;
	if (!is_pow2(block) || block < least)
		block = least;
	return block < c->piece_size ? block : c->piece_size;
}

static bool compresses(const struct copy_args *a)
{
	return a->dst && (a->compress || img_compress_only(a->dst));
}

/* A window holds whole blocks of a source that comes in its own order. */
static void fit_source(struct copy *c, struct img *src)
{
	uint32_t block = img_block_size(src);

	c->in_order = true;
	if (block > c->piece_size)
		c->piece_size = block;
	if (block < c->granule)
		c->granule = block;
}

static void choose_sizes(struct copy *c)
{
	const struct copy_args *a = c->args;

	c->sparse = a->sparse ? a->sparse : COPY_SPARSE_DEFAULT;
	c->granule = c->sparse < GRANULE ? SECTOR : GRANULE;
	c->piece_size = PIECE_SIZE;
	c->map_ask = MAP_ASK;
	if (compresses(a)) {
		c->unit = img_compress_unit(a->dst);
		if (c->unit > c->piece_size)
			c->piece_size = c->unit;
		if (c->unit < c->granule)
			c->granule = c->unit;
	}
	if (a->n_sources && img_in_order(a->sources[0]))
		fit_source(c, a->sources[0]);
	c->sparse = min_u64(c->sparse, c->piece_size);
	c->block = a->dst ? sparse_block(c) : c->granule;
	if (a->keep_backing)
		c->backing_size = img_size(img_backing(a->dst));
	/* Writers of one file take turns in the kernel anyway, and badly when
	 * the machine is busy: better one after the other here.  Without the
	 * page cache, only parallel writes keep a device busy; a raw image
	 * has one place for each byte, so any order gives the same.
	 */
	c->ordered = a->dst &&
		     (!a->out_of_order || img_compress_only(a->dst) ||
		      c->in_order) &&
		     !(img_flags(a->dst) & IMG_DIRECT && !c->in_order &&
		       !strcmp(img_format(a->dst), "raw"));
	c->threads = a->threads ? a->threads : thread_cpus();
	if (c->threads > COPY_MAX_THREADS)
		c->threads = COPY_MAX_THREADS;
	/* More pieces than threads, so that one that is slow or not running
	 * at the head of the line does not stop the others.
	 */
	if (c->piece_size > PIECE_SIZE && c->in_order)
		c->slots = c->threads;	/* grains of many megabytes */
	else
		c->slots = c->threads == 1 ? 1 : c->threads < 4 ? 12
			   : c->threads + 8;
}

static int make_codecs(struct copy *c, struct err *e)
{
	int rc = 0;

	c->codecs = array_alloc(c->threads, sizeof(*c->codecs));
	if (!c->codecs)
		return fail(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < c->threads && !rc; i++)
		rc = img_codec_new(c->args->dst, c->args->level, &c->codecs[i],
				   e);
	return rc;
}

static int set_up(struct copy *c, struct err *e)
{
	int rc = 0;

	c->hasher = c->args->hasher;
	c->hash_size = c->src.total;
	if (c->args->checksum && c->args->checksum_backing) {
		c->hash_below = img_backing(c->args->sources[0]);
		c->hash_size = img_size(c->hash_below);
	}
	if (c->args->checksum && !c->hasher)
		rc = hasher_new(c->args->checksum, &c->hasher, e);
	if (!rc && c->unit)
		rc = make_codecs(c, e);
	if (rc)
		return rc;
	c->pieces = array_alloc(c->slots, sizeof(*c->pieces));
	if (!c->pieces)
		return fail(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < c->slots && !rc; i++)
		rc = piece_alloc(c, &c->pieces[i]);
	return rc ? fail(e, ENOMEM, "out of memory for %u buffers of %u bytes",
			 c->slots, c->piece_size) : 0;
}

static void tear_down(struct copy *c)
{
	for (unsigned i = 0; c->pieces && i < c->slots; i++)
		piece_free(&c->pieces[i]);
	free(c->pieces);
	img_batch_free(&c->ahead);
	for (unsigned i = 0; c->codecs && i < c->threads; i++)
		img_codec_free(c->codecs[i]);
	free(c->codecs);
	if (c->hasher != c->args->hasher)
		hasher_free(c->hasher);
}

static int run(struct copy *c, struct err *e)
{
	const struct pipeline_args args = {
		.name = "copy",
		.threads = c->threads,
		.slots = c->slots,
		.next = copy_next,
		.process = copy_process,
		.finish = copy_finish,
		.tick = c->args->progress ? copy_tick : NULL,
		.ctx = c,
		.cancel = c->args->cancel,
	};
	int rc;

	rc = pipeline_run(&args, e);
	/* It may be why reading failed, and then it says more. */
	if ((!rc || rc == -EIO) && source_check(&c->src, e))
		rc = -EIO;
	if (!rc && in_order_end(c))
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc && c->hasher && !c->args->hasher)
		rc = hasher_end(c->hasher, c->hash_size, c->result->digest);
	return rc;
}

int copy_run(const struct copy_args *args, struct copy_result *result,
	     struct err *e)
{
	struct copy c = { .args = args, .result = result };
	int rc;

	*result = (struct copy_result){ 0 };
	rc = check_args(args, e);
	if (!rc)
		rc = check_below(args, e);
	if (rc)
		return rc;
	rc = source_init(&c.src, args->sources, args->n_sources, e);
	if (rc)
		return rc;
	pthread_mutex_init(&c.rate_lock, NULL);
	result->total = c.src.total;
	c.cursor = args->start;
	atomic_store(&c.done, args->start);
	c.end = args->end ? args->end : c.src.total;
	choose_sizes(&c);
	rc = set_up(&c, e);
	if (!rc)
		rc = run(&c, e);
	if (args->progress)
		copy_tick(&c);
	for (size_t i = 0; args->lost && i < result->n_lost; i++)
		args->lost(args->arg, &result->lost_ranges[i]);
	tear_down(&c);
	pthread_mutex_destroy(&c.rate_lock);
	source_fini(&c.src);
	return rc;
}

void copy_result_fini(struct copy_result *result)
{
	free(result->lost_ranges);
	result->lost_ranges = NULL;
	result->n_lost = 0;
}

int copy_data_bytes(const struct copy_args *args, uint64_t *bytes,
		    struct err *e)
{
	struct img_extent ext = { 0 };
	struct source src;
	uint64_t at;
	int rc;

	*bytes = 0;
	for (size_t i = 0; i < args->n_sources; i++)
		if (img_in_order(args->sources[i]))
			return fail(e, ESPIPE, "%s tells only as it is read",
				    img_name(args->sources[i]));
	rc = source_init(&src, args->sources, args->n_sources, e);
	if (rc)
		return rc;
	for (at = 0; at < src.total && !rc; at += ext.len) {
		rc = source_map(&src, at, src.total - at, &ext);
		if (rc && args->salvage) {
			/* It will be tried as data. */
			ext = (struct img_extent){
				.len = min_u64(src.total - at, PIECE_SIZE),
			};
			rc = 0;
		}
		if (rc)
			fail_rc(e, rc, "mapping a source at offset %llu",
				(unsigned long long)at);
		else if (!(ext.flags & IMG_EXT_ZERO) &&
			 !(args->keep_backing && ext.depth))
			*bytes += ext.len;
	}
	source_fini(&src);
	return rc;
}
