/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piece.h - what the engine does with one piece of the content.  Internal to
 * convert/copy.
 *
 * A piece is either a window of at most `piece_size` bytes that is looked at
 * granule by granule, or a hole of any length.
 */
#ifndef COPY_PIECE_H
#define COPY_PIECE_H

#include "convert/copy/copy.h"
#include "convert/copy/hash.h"
#include "convert/copy/pipeline.h"
#include "convert/copy/source.h"

enum piece_kind { PIECE_WINDOW, PIECE_ZERO, PIECE_SKIP };

/* What a granule is.  DATA is in the buffer; so is ZERO, which was read and
 * found to be zeroes; HOLE is zero by the map; SKIP is left to dst's backing
 * file.
 */
enum granule { GRANULE_UNSET, GRANULE_DATA, GRANULE_ZERO, GRANULE_HOLE,
	       GRANULE_SKIP };

struct piece {
	enum piece_kind kind;
	uint64_t offset, len;
	uint8_t *buf;			/* piece_size bytes */
	uint8_t *granules;		/* enum granule, one each */
	uint8_t *digests;		/* of hash blocks; NULL: not wanted */
	uint8_t *below;			/* a hash block of the backing file */
	uint8_t *packed;		/* compressed units in a row, or NULL */
	size_t *packed_len;		/* of each unit; 0: not compressed */
	uint64_t data, written;		/* bytes */
	bool late;			/* its window has passed before */
	struct img_batch batch;		/* of a source in its own order */
	struct copy_lost *lost;		/* what salvage gave up here */
	size_t n_lost, lost_cap;
};

/* One copy; the numbers are fixed when the workers start. */
struct copy {
	const struct copy_args *args;
	struct source src;
	uint32_t piece_size;		/* powers of two, bytes: a piece, */
	uint32_t granule;		/* a granule, */
	uint32_t unit;			/* a compressed unit, or 0, */
	uint32_t block;			/* dst's block, at most a piece */
	uint64_t sparse;		/* bytes */
	uint64_t backing_size;		/* of dst's backing file, bytes */
	bool ordered;			/* dst is written by finish() */
	struct hasher *hasher;		/* or NULL */
	struct img *hash_below;		/* hashed in the source's place, or NULL */
	uint64_t hash_size;		/* of what is hashed, bytes */
	struct img_codec **codecs;	/* one a worker, or NULL */
	struct piece *pieces;		/* one a slot */
	unsigned threads, slots;
	uint64_t cursor, end;		/* next(): where it stands, and stops */
	uint64_t map_ask;		/* next(): how far ahead to map */
	bool in_order;			/* the source is img_in_order() */
	/* next(), of such a source. */
	struct img_batch ahead;		/* what comes next */
	bool no_more;
	uint64_t arrived;		/* the end of the data so far */
	int gave_up;			/* why salvage met no end, or 0 */
	pthread_mutex_t rate_lock;
	uint64_t rate_next;		/* when the next read may start, ns */
	atomic_uint_fast64_t done, data;	/* bytes */
	struct copy_result *result;	/* of finish() */
	size_t lost_cap;
};

static inline bool granule_is_zero(uint8_t granule)
{
	return granule == GRANULE_ZERO || granule == GRANULE_HOLE;
}

/* How many granules has a window? */
static inline size_t piece_granules(const struct copy *c, const struct piece *p)
{
	return (size_t)div_round_up(p->len, c->granule);
}

/* Bytes from granule `first` up to `end`; the last granule may be short. */
static inline size_t piece_bytes(const struct copy *c, const struct piece *p,
				 size_t first, size_t end)
{
	return (size_t)(min_u64(end * (uint64_t)c->granule, p->len) -
			first * (uint64_t)c->granule);
}

int piece_alloc(struct copy *c, struct piece *p);
void piece_free(struct piece *p);

/* Map, read, look for zeroes, compress, hash. */
int piece_process(struct copy *c, struct piece *p, struct pipeline *pl,
		  unsigned worker, struct err *e);
/* Write it to dst. */
int piece_write(struct copy *c, struct piece *p, struct err *e);

/* in_order.c: of a source that is img_in_order(): the calls that take the place
 * of next() and of mapping and reading, and what is lost at the end.
 */
int in_order_check(const struct copy_args *args, struct err *e);
int in_order_next(struct copy *c, struct piece *p, struct err *e);
int in_order_load(struct copy *c, struct piece *p, struct err *e);
int in_order_end(struct copy *c);

/* Wait until `len` bytes more may be read. */
void piece_wait_for_rate(struct copy *c, struct pipeline *pl, size_t len);

/* Read what the granules say, around errors if that is wanted. */
int piece_read(struct copy *c, struct piece *p, size_t at, size_t len,
	       struct err *e);
int lost_add(struct copy_lost **list, size_t *n, size_t *cap, uint64_t offset,
	     uint64_t len, int error);

#endif
