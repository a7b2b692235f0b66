/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vec.h - a place in memory that lies in pieces.
 *
 * No piece is empty, and nothing goes beyond the last: the caller knows how many
 * bytes there are.
 */
#ifndef IMGFMT_BASE_VEC_H
#define IMGFMT_BASE_VEC_H

#include <string.h>
#include <sys/uio.h>

#include "base.h"

struct vec {
	const struct iovec *v;	/* the piece with the next byte */
	size_t skip;		/* bytes of it that are behind us */
};

/* A plain buffer.  An lvalue that lives as long as the block around it. */
#define VEC_OF(buf, len) ((struct vec){ &(struct iovec){ (buf), (len) }, 0 })

/* How many of the next `left` bytes lie together?  `left` is not 0. */
static inline size_t vec_piece(const struct vec *at, uint64_t left)
{
	return (size_t)min_u64(at->v->iov_len - at->skip, left);
}

/* The next byte, and go on behind the `n` that lie together there. */
static inline uint8_t *vec_step(struct vec *at, size_t n)
{
	uint8_t *p = (uint8_t *)at->v->iov_base + at->skip;

	at->skip += n;
	if (at->skip == at->v->iov_len)
		*at = (struct vec){ at->v + 1, 0 };
	return p;
}

static inline void vec_skip(struct vec *at, uint64_t len)
{
	while (len) {
		size_t n = vec_piece(at, len);

		vec_step(at, n);
		len -= n;
	}
}

static inline void vec_zero(struct vec *at, uint64_t len)
{
	while (len) {
		size_t n = vec_piece(at, len);

		memset(vec_step(at, n), 0, n);
		len -= n;
	}
}

/* The next `len` bytes as at most `max` pieces; how many those are.  *len becomes
 * what they hold.  *at stays.
 */
static inline unsigned vec_list(struct vec at, uint64_t *len, struct iovec *list,
				unsigned max)
{
	uint64_t left = *len;
	unsigned n = 0;

	for (; left && n < max; n++) {
		list[n].iov_len = vec_piece(&at, left);
		list[n].iov_base = vec_step(&at, list[n].iov_len);
		left -= list[n].iov_len;
	}
	*len -= left;
	return n;
}

#endif
