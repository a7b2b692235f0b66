/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h - the pieces of a content checksum, for the engine that reads, and for who
 * copies in parts.  checksum.c defines the construction.
 */
#ifndef COPY_HASH_H
#define COPY_HASH_H

#include "convert/copy/checksum.h"

#define HASH_BLOCK (64u << 10)	/* part of the construction */

struct hasher;

int hasher_new(const struct checksum_type *type, struct hasher **out,
	       struct err *e);
void hasher_free(struct hasher *h);

/* Hash one block (the last may be short) into `digest`.  From any thread. */
int hasher_block(const struct hasher *h, const void *buf, size_t len,
		 uint8_t *digest);

/* Add the digests of the next `n` blocks; or `n` whole blocks of zeroes.  In
 * order, one thread at a time.
 */
int hasher_add(struct hasher *h, const uint8_t *digests, uint64_t n);
int hasher_add_zeroes(struct hasher *h, uint64_t n);
const uint8_t *hasher_zero_digest(const struct hasher *h);

int hasher_end(struct hasher *h, uint64_t total, uint8_t *digest);

#endif
