/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.h - copy the content of images into another image.
 *
 * What is to be copied comes from img_map(): holes and zeroes are never read.
 * Worker threads take turns at the work, each with buffers of its own; memory
 * is bounded whatever the images' size.  Unless `out_of_order` is set, writes
 * reach dst in the order of their offsets, so that a format which allocates as
 * it is written to gives the same bytes whatever the number of threads.
 *
 * The images belong to the caller and must be used by nobody else meanwhile.
 * dst is not flushed: img_flush() or img_close() does that.
 */
#ifndef CONVERT_COPY_H
#define CONVERT_COPY_H

#include <stdatomic.h>

#include "convert/copy/checksum.h"
#include "imgfmt/imgfmt.h"

/* A run of zeroes this long becomes sparse where the caller does not say. */
#define COPY_SPARSE_DEFAULT 4096u

struct hasher;

struct copy_progress {
	uint64_t done;		/* bytes of the sources dealt with, holes too */
	uint64_t total;		/* bytes of the sources */
	uint64_t data;		/* bytes read so far */
};

/* Bytes that could not be read, and were written as zeroes. */
struct copy_lost {
	uint64_t offset, len;	/* in dst, bytes */
	int error;		/* the negative errno of the first failure */
};

/* Zeroed members mean the default. */
struct copy_args {
	struct img *const *sources;	/* laid end to end */
	size_t n_sources;
	struct img *dst;		/* no smaller than all of them; NULL:
					 * only read, for the checksum */
	unsigned threads;		/* 0: one a core */

	/* dst reads as zeroes everywhere now, so zeroes need not be written.
	 * A backing file of dst makes this wrong; use keep_backing.
	 */
	bool target_is_zero;
	/* dst has a backing file that provides what the sources' own layer does
	 * not store: copy only what the source's top layer stores (qemu-img
	 * convert -B).  One source only; dst must have been opened with its
	 * backing file, which tells where that ends.
	 */
	bool keep_backing;
	uint64_t sparse;	/* smallest run of zeroes to be made sparse,
				 * bytes; 0: COPY_SPARSE_DEFAULT */
	bool no_sparse;		/* write every byte (qemu-img convert -S 0) */
	bool out_of_order;	/* writes may reach dst in any order (-W) */

	bool compress;		/* store compressed units; implied where dst
				 * stores nothing else */
	int level;		/* 0: the format's default */

	bool salvage;		/* write zeroes for what cannot be read */
	/* Called in the caller's thread, once for each range when all is
	 * copied, in the order of the offsets.  May be NULL: the result
	 * has them too.
	 */
	void (*lost)(void *arg, const struct copy_lost *range);

	uint64_t rate;		/* bytes read a second at most; 0: no limit */

	/* Called in the caller's thread, a few times each second and at the
	 * end.  May be NULL.
	 */
	void (*progress)(void *arg, const struct copy_progress *p);
	void *arg;		/* for lost and progress */

	/* Stops the copy with -ECANCELED when it is set to something else than
	 * 0, which a signal handler may do.  May be NULL.
	 */
	const atomic_int *cancel;

	/* Hash the sources' content in the same pass; NULL: do not. */
	const struct checksum_type *checksum;
	/* The checksum is of what the source, a single one, has below: of its
	 * backing file, which is read again where the source hides it.  Without
	 * `checksum` this says nothing.  Not for a copy in parts.
	 */
	bool checksum_backing;

	/* Only a part of the sources, dst being as large as all of them: [start,
	 * end), multiples of COPY_PART (end: or the end of all); end 0: all.  The
	 * parts of a copy follow each other, with the same `hasher` (hash.h, of
	 * the type `checksum`) for all, which the caller ends: the result has no
	 * digest then.
	 */
	uint64_t start, end;
	struct hasher *hasher;
};

#define COPY_MAX_THREADS 64u
#define COPY_PART	(64u << 20)	/* bytes */

struct copy_result {
	uint64_t total;			/* bytes of the sources */
	uint64_t data;			/* bytes read from them */
	uint64_t written;		/* bytes written as data; compressed
					 * units count as what they hold */
	uint64_t lost;			/* bytes that salvage gave up */
	struct copy_lost *lost_ranges;	/* merged, in order */
	size_t n_lost;
	/* Why salvage gave up a source that can only be read in its order (the
	 * rest of it is among the ranges); else empty.
	 */
	struct err gave_up;
	uint8_t digest[CHECKSUM_MAX_LEN];	/* args->checksum->len bytes */
};

/* Copy.  On failure dst holds a part of it; the sentence names the offset.
 * *result is filled in as far as it got; copy_result_fini() it in any case.
 */
int copy_run(const struct copy_args *args, struct copy_result *result,
	     struct err *e);
void copy_result_fini(struct copy_result *result);

/* How many bytes will a copy read at most: the data in the sources' maps?
 * -ESPIPE: one is img_in_order(), which has none.
 * Uses sources, n_sources and keep_backing.
 */
int copy_data_bytes(const struct copy_args *args, uint64_t *bytes,
		    struct err *e);

#endif
