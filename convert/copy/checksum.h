/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.h - a hash of an image's content, whatever its format, its holes and
 * the number of threads that compute it.
 *
 * The content is cut into blocks that are hashed apart; what the map says is
 * zero is never read.  checksum.c defines the construction.
 */
#ifndef CONVERT_CHECKSUM_H
#define CONVERT_CHECKSUM_H

#include <stdatomic.h>

#include "imgfmt/imgfmt.h"

#define CHECKSUM_MAX_LEN 64u

struct checksum_type;

/* By name: "sha256" (the default), "xxh3" (fast, no protection against
 * forgery); NULL if there is none.  checksum_types(i) is the i-th name, NULL at
 * the end.
 */
const struct checksum_type *checksum_find(const char *name);
const char *checksum_types(size_t i);
const char *checksum_name(const struct checksum_type *type);
size_t checksum_len(const struct checksum_type *type);	/* bytes */

struct checksum_args {
	struct img *img;
	const struct checksum_type *type;	/* NULL: sha256 */
	unsigned threads;			/* 0: one a core */
	/* As in struct copy_args; may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	const atomic_int *cancel;
};

/* Writes checksum_len() bytes into `digest`. */
int checksum_run(const struct checksum_args *args,
		 uint8_t digest[CHECKSUM_MAX_LEN], struct err *e);

/* Lower-case hexadecimal. */
#define CHECKSUM_TEXT_LEN (2 * CHECKSUM_MAX_LEN + 1)
const char *checksum_text(const struct checksum_type *type,
			  const uint8_t *digest, char out[CHECKSUM_TEXT_LEN]);

#endif
