/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piece.c - what the engine does with one piece of the content: map it, read
 * it, look for zeroes, compress and hash.  piece_write.c writes it.
 */
#include "convert/copy/piece.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

int piece_alloc(struct copy *c, struct piece *p)
{
	size_t units;

	p->buf = buf_alloc(c->piece_size);
	p->granules = array_alloc(c->piece_size / c->granule, 1);
	if (!p->buf || !p->granules)
		return -ENOMEM;
	if (c->hasher) {
		p->digests = array_alloc(c->piece_size / HASH_BLOCK,
					 CHECKSUM_MAX_LEN);
		if (!p->digests)
			return -ENOMEM;
	}
	if (c->hash_below) {
		p->below = buf_alloc(HASH_BLOCK);
		if (!p->below)
			return -ENOMEM;
	}
	if (c->unit) {
		units = c->piece_size / c->unit;
		p->packed = buf_alloc(units * img_compress_bound(c->args->dst));
		p->packed_len = array_alloc(units, sizeof(*p->packed_len));
		if (!p->packed || !p->packed_len)
			return -ENOMEM;
	}
	return 0;
}

void piece_free(struct piece *p)
{
	free(p->buf);
	free(p->granules);
	free(p->digests);
	free(p->below);
	free(p->packed);
	free(p->packed_len);
	free(p->lost);
	img_batch_free(&p->batch);
}

static enum granule extent_granule(const struct copy *c,
				   const struct img_extent *ext)
{
	if (c->args->keep_backing && ext->depth)
		return GRANULE_SKIP;
	return ext->flags & IMG_EXT_ZERO ? GRANULE_HOLE : GRANULE_DATA;
}

/* Where kinds meet inside a granule it is read as a whole: a source shows
 * through to its backing file, so that this is right for SKIP as well.
 */
static int map_granules(struct copy *c, struct piece *p, struct err *e)
{
	uint64_t end = p->offset + p->len, at;
	struct img_extent ext;
	int rc;

	memset(p->granules, GRANULE_UNSET, piece_granules(c, p));
	for (at = p->offset; at < end; at += ext.len) {
		size_t first, last;
		enum granule g;

		rc = source_map(&c->src, at, end - at, &ext);
		if (rc && c->args->salvage) {
			ext = (struct img_extent){ .len = end - at };
		} else if (rc) {
			uint64_t in;
			const char *name = source_at(&c->src, at, &in);

			return fail_rc(e, rc, "mapping %s at offset %llu", name,
				       (unsigned long long)in);
		}
		g = extent_granule(c, &ext);
		first = (size_t)((at - p->offset) / c->granule);
		last = (size_t)((at + ext.len - 1 - p->offset) / c->granule);
		if (p->granules[first] != GRANULE_UNSET &&
		    p->granules[first] != g)
			p->granules[first++] = GRANULE_DATA;
		if (first <= last)
			memset(p->granules + first, (int)g, last - first + 1);
	}
	return 0;
}

/* A compressed unit is stored as a whole or not at all. */
static void complete_units(struct copy *c, struct piece *p)
{
	size_t per = c->unit / c->granule, n = piece_granules(c, p);

	for (size_t i = 0; i < n; i += per) {
		size_t end = (size_t)min_u64(i + per, n), skipped = 0;

		for (size_t g = i; g < end; g++)
			skipped += p->granules[g] == GRANULE_SKIP;
		if (!skipped || skipped == end - i)
			continue;
		for (size_t g = i; g < end; g++)
			if (p->granules[g] == GRANULE_SKIP)
				p->granules[g] = GRANULE_DATA;
	}
}

static bool must_read(const struct copy *c, uint8_t granule)
{
	return granule == GRANULE_DATA ||
	       (granule == GRANULE_SKIP && c->hasher);
}

void piece_wait_for_rate(struct copy *c, struct pipeline *pl, size_t len)
{
	uint64_t start, now = clock_ns();

	if (!c->args->rate)
		return;
	pthread_mutex_lock(&c->rate_lock);
	start = max_u64(now, c->rate_next);
	c->rate_next = start + len * UINT64_C(1000000000) / c->args->rate;
	pthread_mutex_unlock(&c->rate_lock);
	if (start > now)
		pipeline_sleep(pl, start);
}

static int read_granules(struct copy *c, struct piece *p, struct pipeline *pl,
			 struct err *e)
{
	size_t n = piece_granules(c, p), i, end, len;
	int rc;

	for (i = 0; i < n; i = end) {
		end = i + 1;
		if (!must_read(c, p->granules[i]))
			continue;
		while (end < n && must_read(c, p->granules[end]))
			end++;
		len = piece_bytes(c, p, i, end);
		piece_wait_for_rate(c, pl, len);
		rc = piece_read(c, p, i * c->granule, len, e);
		if (rc)
			return rc;
		p->data += len;
	}
	return 0;
}

static void find_zeroes(struct copy *c, struct piece *p)
{
	size_t n = piece_granules(c, p);

	for (size_t i = 0; i < n; i++)
		if (p->granules[i] == GRANULE_DATA &&
		    bytes_are_zero(p->buf + i * c->granule,
				   piece_bytes(c, p, i, i + 1)))
			p->granules[i] = GRANULE_ZERO;
}

/* Make granules data, whatever they were. */
static void make_data(struct copy *c, struct piece *p, size_t i, size_t end)
{
	for (; i < end; i++) {
		if (p->granules[i] == GRANULE_HOLE)
			memset(p->buf + i * c->granule, 0,
			       piece_bytes(c, p, i, i + 1));
		p->granules[i] = GRANULE_DATA;
	}
}

/* Keep the part of a run of zeroes that makes whole blocks of dst sparse, and
 * is long enough; the rest becomes data.
 */
static void trim_run(struct copy *c, struct piece *p, size_t first, size_t end,
		     bool has_hole)
{
	uint64_t from = p->offset + first * (uint64_t)c->granule;
	uint64_t to = p->offset + first * (uint64_t)c->granule +
		      piece_bytes(c, p, first, end);
	uint64_t long_enough = has_hole ? 1 : c->sparse;
	size_t keep_first, keep_end;

	from = round_up(from, c->block);
	if (to != c->src.total)
		to = round_down(to, c->block);
	if (from >= to || to - from < long_enough) {
		make_data(c, p, first, end);
		return;
	}
	keep_first = (size_t)((from - p->offset) / c->granule);
	keep_end = (size_t)div_round_up(to - p->offset, c->granule);
	make_data(c, p, first, keep_first);
	make_data(c, p, keep_end, end);
}

/* Which zeroes are not worth a hole in dst? */
static void trim_zeroes(struct copy *c, struct piece *p)
{
	size_t n = piece_granules(c, p), i, end;
	bool has_hole;

	for (i = 0; i < n; i = end) {
		end = i + 1;
		if (!granule_is_zero(p->granules[i])) {
			continue;
		} else if (c->args->no_sparse) {
			make_data(c, p, i, end);
			continue;
		}
		has_hole = p->granules[i] == GRANULE_HOLE;
		for (; end < n && granule_is_zero(p->granules[end]); end++)
			has_hole |= p->granules[end] == GRANULE_HOLE;
		trim_run(c, p, i, end, has_hole);
	}
}

/* Are all granules of [at, at + len) zero? */
static bool all_zero(const struct copy *c, const struct piece *p, size_t at,
		     size_t len)
{
	for (size_t i = at / c->granule; i * c->granule < at + len; i++)
		if (!granule_is_zero(p->granules[i]))
			return false;
	return true;
}

/* Holes have nothing in the buffer until somebody wants the bytes. */
static void fill_holes(struct copy *c, struct piece *p, size_t at, size_t len)
{
	for (size_t i = at / c->granule; i * c->granule < at + len; i++)
		if (p->granules[i] == GRANULE_HOLE)
			memset(p->buf + i * c->granule, 0,
			       piece_bytes(c, p, i, i + 1));
}

/* Where the source's own layer says something, have the backing file's bytes. */
static int read_below(struct copy *c, struct piece *p, uint64_t offset, size_t n,
		      bool *have)
{
	struct img_extent ext = { .depth = 1 };
	int rc = 0;

	*have = false;
	for (uint64_t at = offset; at < offset + n && ext.depth && !rc;
	     at += ext.len)
		rc = source_map(&c->src, at, offset + n - at, &ext);
	if (rc || ext.depth)
		return rc;
	*have = true;
	return img_read(c->hash_below, p->below, n, offset);
}

static int hash_window(struct copy *c, struct piece *p, struct err *e)
{
	size_t len = checksum_len(c->args->checksum);
	uint8_t *digest = p->digests;
	int rc = 0;

	for (size_t at = 0; at < p->len && !rc; at += HASH_BLOCK) {
		uint64_t offset = p->offset + at;
		size_t n = (size_t)min_u64(HASH_BLOCK, c->hash_size - offset);
		bool below = false;

		if (c->hash_below)
			rc = read_below(c, p, offset, n, &below);
		if (rc)
			break;
		if (below) {
			rc = hasher_block(c->hasher, p->below, n, digest);
		} else if (n == HASH_BLOCK && all_zero(c, p, at, n)) {
			memcpy(digest, hasher_zero_digest(c->hasher), len);
		} else {
			fill_holes(c, p, at, n);
			rc = hasher_block(c->hasher, p->buf + at, n, digest);
		}
		digest += len;
	}
	return rc ? fail_rc(e, rc, "computing the checksum") : 0;
}

static int compress_window(struct copy *c, struct piece *p, unsigned worker,
			   struct err *e)
{
	uint8_t *out = p->packed;
	int rc;

	for (size_t i = 0; i * c->unit < p->len; i++) {
		size_t at = i * c->unit;
		size_t len = (size_t)min_u64(c->unit, p->len - at);

		p->packed_len[i] = 0;
		if (p->granules[at / c->granule] == GRANULE_SKIP ||
		    (!c->args->no_sparse && all_zero(c, p, at, len)))
			continue;
		fill_holes(c, p, at, len);
		make_data(c, p, at / c->granule,
			  (size_t)div_round_up(at + len, c->granule));
		/* Only the end of an image may be less than a unit. */
		if (len < c->unit &&
		    p->offset + at + len != img_size(c->args->dst))
			continue;
		rc = img_compress(c->codecs[worker], p->buf + at, len, out,
				  &p->packed_len[i]);
		if (rc)
			return fail_rc(e, rc, "compressing at offset %llu",
				       (unsigned long long)(p->offset + at));
		out += p->packed_len[i];
	}
	return 0;
}

static int map_and_read(struct copy *c, struct piece *p, struct pipeline *pl,
			struct err *e)
{
	int rc = map_granules(c, p, e);

	if (!rc && c->unit)
		complete_units(c, p);
	if (!rc)
		rc = read_granules(c, p, pl, e);
	return rc ? rc : source_check(&c->src, e);
}

static int load(struct copy *c, struct piece *p, struct pipeline *pl,
		struct err *e)
{
	if (!c->in_order)
		return map_and_read(c, p, pl, e);
	for (size_t i = 0; i < p->batch.n; i++)
		piece_wait_for_rate(c, pl, p->batch.runs[i].len);
	return in_order_load(c, p, e);
}

int piece_process(struct copy *c, struct piece *p, struct pipeline *pl,
		  unsigned worker, struct err *e)
{
	int rc;

	p->data = 0;
	p->written = 0;
	p->n_lost = 0;
	if (p->kind == PIECE_WINDOW) {
		rc = load(c, p, pl, e);
		if (rc)
			return rc;
		if (pipeline_stopped(pl))
			return 0;
		/* Late zeroes must be written: they may not be the first. */
		if (!p->late)
			find_zeroes(c, p);
		rc = c->hasher ? hash_window(c, p, e) : 0;
		if (!rc && c->unit)
			rc = compress_window(c, p, worker, e);
		else if (!rc && c->args->dst)
			trim_zeroes(c, p);
		if (rc)
			return rc;
	}
	return c->args->dst && !c->ordered ? piece_write(c, p, e) : 0;
}
