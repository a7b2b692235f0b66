/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.c - do two images hold the same?
 *
 * Runs that the maps show to be equal are one piece of work, all else is looked
 * at by the window.  Findings and errors are judged in the order of their
 * offsets, so that the answer is that of a reader going from front to end.
 */
#include "convert/copy/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/copy/copy.h"
#include "convert/copy/pipeline.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"

#define WINDOW (512u << 10)
#define SECTOR 512u
#define MAP_ASK (64u << 20)	/* see copy.c */

struct piece {
	uint64_t offset, len;
	bool equal;			/* by the maps */
	uint8_t *buf[2];
	/* What was found. */
	enum compare_verdict verdict;
	uint64_t at;
	int rc, failed_image;
	bool failed_map;
};

struct compare {
	const struct compare_args *args;
	struct compare_result *result;
	struct img *img[2];
	uint64_t size, cursor, map_ask;
	struct piece *pieces;
	unsigned threads, slots;
	atomic_uint_fast64_t done;
};

/* What both maps say about the same bytes. */
struct both {
	uint64_t len;
	struct img_extent ext[2];
	bool to_end[2];		/* strict: the extent is its image's last */
};

/* What lies at `offset`; the rest of the shorter image is zero. */
static int map_both(struct compare *c, uint64_t offset, uint64_t len,
		    struct both *b, int *failed)
{
	b->len = len;
	for (int i = 0; i < 2; i++) {
		uint64_t size = img_size(c->img[i]), rest;
		struct img_extent *ext = &b->ext[i];
		int rc;

		*failed = i;
		if (offset >= size) {
			*ext = (struct img_extent){
				.offset = offset, .len = len, .fd = -1,
				.flags = IMG_EXT_ZERO | IMG_EXT_HOLE,
			};
			continue;
		}
		rest = size - offset;
		rc = img_map(c->img[i], offset,
			     c->args->strict ? rest : min_u64(len, rest), ext);
		if (rc)
			return rc;
		if (!ext->len)
			return -EUCLEAN;
		b->to_end[i] = ext->len == rest;
		b->len = min_u64(b->len, ext->len);
	}
	return 0;
}

static bool same_place(const struct img_extent ext[2])
{
	const struct img_extent *a = &ext[0], *b = &ext[1];
	struct stat sa, sb;

	return a->fd >= 0 && b->fd >= 0 && a->fd_offset == b->fd_offset &&
	       !fstat(a->fd, &sa) && !fstat(b->fd, &sb) &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino &&
	       S_ISREG(sa.st_mode);
}

/* What a strict comparison compares, as qemu-img does: is it zero, compressed,
 * the last of its image, does it have a place in a host file, is it allocated?
 * A hole in a raw file has a place, and counts as allocated.
 */
static bool same_status(const struct compare *c, const struct both *b)
{
	const struct img_extent *ext = b->ext;
	bool placed[2], hole[2];

	if (!c->args->strict)
		return true;
	for (int i = 0; i < 2; i++) {
		placed[i] = ext[i].fd >= 0 || ext[i].fd_offset;
		hole[i] = ext[i].flags & IMG_EXT_HOLE && !placed[i];
	}
	return placed[0] == placed[1] && hole[0] == hole[1] &&
	       b->to_end[0] == b->to_end[1] &&
	       !((ext[0].flags ^ ext[1].flags) &
		 (IMG_EXT_ZERO | IMG_EXT_COMPRESSED));
}

static bool equal_by_map(const struct img_extent ext[2])
{
	return (ext[0].flags & ext[1].flags & IMG_EXT_ZERO) ||
	       same_place(ext);
}

static int compare_next(void *ctx, unsigned slot, struct err *e)
{
	struct compare *c = ctx;
	struct piece *p = &c->pieces[slot];
	uint64_t rest = c->size - c->cursor;
	uint64_t ask = min_u64(rest, c->map_ask);
	struct both b;
	int failed;

	(void)e;
	if (!rest)
		return 0;
	p->offset = c->cursor;
	/* An error here comes again in the window, where it has its place. */
	p->equal = !map_both(c, c->cursor, ask, &b, &failed) &&
		   same_status(c, &b) && equal_by_map(b.ext);
	if (p->equal) {
		p->len = b.len;
		c->map_ask = p->len == ask && ask < UINT64_MAX / 2 ? 2 * ask :
			MAP_ASK;
	} else {
		p->len = min_u64(rest, WINDOW - c->cursor % WINDOW);
		c->map_ask = MAP_ASK;
	}
	c->cursor += p->len;
	return 1;
}

static int found(struct piece *p, enum compare_verdict verdict, uint64_t at)
{
	p->verdict = verdict;
	p->at = at;
	return 1;
}

static int failed_read(struct piece *p, int image, uint64_t at, int rc)
{
	p->rc = rc;
	p->failed_image = image;
	p->at = at;
	return 1;
}

static int check_zero(struct compare *c, struct piece *p, int image,
		      uint64_t at, size_t len)
{
	uint8_t *buf = p->buf[0];
	int rc = img_read(c->img[image], buf, len, at);

	if (rc)
		return failed_read(p, image, at, rc);
	if (bytes_are_zero(buf, len))
		return 0;
	for (size_t i = 0; ; i += SECTOR)
		if (!bytes_are_zero(buf + i, min_u64(SECTOR, len - i)))
			return found(p, COMPARE_CONTENT, at + i);
}

static int check_data(struct compare *c, struct piece *p, uint64_t at,
		      size_t len)
{
	for (int i = 0; i < 2; i++) {
		int rc = img_read(c->img[i], p->buf[i], len, at);

		if (rc)
			return failed_read(p, i, at, rc);
	}
	if (!memcmp(p->buf[0], p->buf[1], len))
		return 0;
	for (size_t i = 0; ; i += SECTOR)
		if (memcmp(p->buf[0] + i, p->buf[1] + i,
			   min_u64(SECTOR, len - i)))
			return found(p, COMPARE_CONTENT, at + i);
}

static int compare_process(void *ctx, struct pipeline *pl, unsigned worker,
			   unsigned slot, struct err *e)
{
	struct compare *c = ctx;
	struct piece *p = &c->pieces[slot];
	uint64_t at, end = p->offset + p->len;
	struct both b;
	int stop = 0;

	(void)worker;
	(void)e;
	p->verdict = COMPARE_SAME;
	p->rc = 0;
	p->failed_map = false;
	for (at = p->offset; at < end && !p->equal && !stop; at += b.len) {
		int image, rc;

		if (pipeline_stopped(pl))
			break;
		rc = map_both(c, at, end - at, &b, &image);
		if (rc) {
			p->failed_map = true;
			failed_read(p, image, at, rc);
			break;
		}
		if (!same_status(c, &b))
			stop = found(p, COMPARE_STATUS, at);
		else if (equal_by_map(b.ext))
			continue;
		else if (b.ext[0].flags & IMG_EXT_ZERO)
			stop = check_zero(c, p, 1, at, (size_t)b.len);
		else if (b.ext[1].flags & IMG_EXT_ZERO)
			stop = check_zero(c, p, 0, at, (size_t)b.len);
		else
			stop = check_data(c, p, at, (size_t)b.len);
	}
	return 0;
}

/* A difference ends the pipeline as an "error" of this number, which no image
 * call gives.
 */
#define DIFFERENCE (-ESTRPIPE)

static int compare_finish(void *ctx, unsigned slot, struct err *e)
{
	struct compare *c = ctx;
	struct piece *p = &c->pieces[slot];

	if (p->rc) {
		c->result->failed_image = p->failed_image;
		c->result->failed_map = p->failed_map;
		return fail_rc(e, p->rc, "%s %s at offset %llu",
			       p->failed_map ? "mapping" : "reading",
			       img_name(c->img[p->failed_image]),
			       (unsigned long long)p->at);
	}
	if (p->verdict != COMPARE_SAME) {
		c->result->verdict = p->verdict;
		c->result->offset = p->at;
		return DIFFERENCE;
	}
	atomic_fetch_add(&c->done, p->len);
	return 0;
}

static void compare_tick(void *ctx)
{
	struct compare *c = ctx;

	c->args->progress(c->args->arg, atomic_load(&c->done), c->size);
}

static int alloc_pieces(struct compare *c, struct err *e)
{
	c->pieces = array_alloc(c->slots, sizeof(*c->pieces));
	if (!c->pieces)
		return fail(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < c->slots; i++)
		for (int k = 0; k < 2; k++) {
			c->pieces[i].buf[k] = buf_alloc(WINDOW);
			if (!c->pieces[i].buf[k])
				return fail(e, ENOMEM, "out of memory");
		}
	return 0;
}

static void free_pieces(struct compare *c)
{
	for (unsigned i = 0; c->pieces && i < c->slots; i++) {
		free(c->pieces[i].buf[0]);
		free(c->pieces[i].buf[1]);
	}
	free(c->pieces);
}

static int run(struct compare *c, struct err *e)
{
	const struct pipeline_args args = {
		.name = "compare",
		.threads = c->threads,
		.slots = c->slots,
		.next = compare_next,
		.process = compare_process,
		.finish = compare_finish,
		.tick = c->args->progress ? compare_tick : NULL,
		.ctx = c,
		.cancel = c->args->cancel,
	};
	int rc = pipeline_run(&args, e);

	return rc == DIFFERENCE ? 0 : rc;
}

int compare_run(const struct compare_args *args, struct compare_result *result,
		struct err *e)
{
	struct compare c = {
		.args = args,
		.result = result,
		.img = { args->a, args->b },
		.size = max_u64(img_size(args->a), img_size(args->b)),
		.map_ask = MAP_ASK,
	};
	int rc;

	*result = (struct compare_result){
		.sizes_differ = img_size(args->a) != img_size(args->b),
	};
	if (args->strict && result->sizes_differ) {
		result->verdict = COMPARE_SIZE;
		return 0;
	}
	c.threads = args->threads ? args->threads : thread_cpus();
	if (c.threads > COPY_MAX_THREADS)
		c.threads = COPY_MAX_THREADS;
	c.slots = 2 * c.threads;
	rc = alloc_pieces(&c, e);
	if (!rc)
		rc = run(&c, e);
	if (args->progress)
		compare_tick(&c);
	free_pieces(&c);
	return rc;
}
