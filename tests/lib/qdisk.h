/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qdisk.h - qcow2 images of random geometry, for the tests that hurt them.
 *
 * The image, its external data file and its backing files lie in any layers,
 * for instance a fault layer over memory; names inside it are answered here.
 */
#ifndef TESTS_QDISK_H
#define TESTS_QDISK_H

#include "imgfmt/imgfmt.h"

#define QDISK_MAX_DEPTH 3

struct qdisk_shape {
	unsigned version, cluster_bits, refcount_bits, depth;
	const char *prealloc;
	bool extl2, zstd, data_file, data_raw, lazy;
	uint64_t size;			/* bytes, a multiple of 512 */
	char text[160];			/* all that, for messages */
};

/* At random, with clusters of at most 1 << most_bits and at most max_size. */
void qdisk_choose(struct qdisk_shape *shape, uint64_t *random,
		  unsigned most_bits, uint64_t max_size);
/* After a change by hand: fill in the text. */
void qdisk_describe(struct qdisk_shape *shape);

/* Options for img_create(); `kv` points into this. */
struct qdisk_options {
	struct img_kv kv[10];
	size_t n;
	char cluster[16], bits[16];
};
void qdisk_options(const struct qdisk_shape *shape, struct qdisk_options *o);

struct qdisk {
	struct qdisk_shape shape;
	struct img *data;		/* where the data file lies; borrowed */
	/* Backing files in memory, [0] is the image's own; what they show. */
	struct img *backing[QDISK_MAX_DEPTH];
	uint8_t *initial;		/* max_size bytes, NULL without backing */
};

/* Make the backing files that the shape wants, with random content. */
void qdisk_init(struct qdisk *q, const struct qdisk_shape *shape,
		uint64_t max_size, uint64_t *random);
void qdisk_fini(struct qdisk *q);

/* Write a new image into `disk`. */
int qdisk_create(struct qdisk *q, struct img *disk, struct err *e);
/* Open it; ownership of `disk` as img_stack(). */
int qdisk_open(struct qdisk *q, struct img *disk, unsigned flags,
	       struct img **out, struct err *e);
/* Check it; `disk` stays the caller's.  -EUCLEAN when there are corruptions, or
 * leaks that were not fixed and not allowed.
 */
#define QDISK_LEAKS_OK 1u
#define QDISK_FIX_LEAKS 2u
#define QDISK_FIX_ALL 4u
int qdisk_check(struct qdisk *q, struct img *disk, unsigned options,
		struct err *e);

#endif
