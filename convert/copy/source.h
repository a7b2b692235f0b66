/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h - several images read as one, laid end to end.  Internal to
 * convert/copy.
 */
#ifndef COPY_SOURCE_H
#define COPY_SOURCE_H

#include <pthread.h>

#include "imgfmt/imgfmt.h"

/* A source's host files are watched for shrinking; a chain of more files than
 * this has the rest unwatched.
 */
#define SOURCE_MAX_WATCHED 32u

struct source_file {
	int fd;
	uint64_t size;			/* when first seen, bytes */
	const char *name;		/* owned by the image */
};

struct source {
	struct img *const *images;
	size_t n;
	uint64_t *start;		/* of each; start[n] is total */
	uint64_t total;
	pthread_mutex_t lock;		/* of the files below */
	struct source_file files[SOURCE_MAX_WATCHED];
	unsigned n_files;
};

int source_init(struct source *s, struct img *const *images, size_t n,
		struct err *e);
void source_fini(struct source *s);

/* As img_map() and img_read(); any range inside, from any thread. */
int source_map(struct source *s, uint64_t offset, uint64_t len,
	       struct img_extent *ext);
int source_read(struct source *s, void *buf, size_t len, uint64_t offset);

/* The image at `offset`, and the offset in it, for messages. */
const char *source_at(const struct source *s, uint64_t offset, uint64_t *in);

/* Has a file that source_map() met become shorter since?  What lies beyond its
 * end reads as zeroes then, which nobody put there: -EIO.
 */
int source_check(struct source *s, struct err *e);

#endif
