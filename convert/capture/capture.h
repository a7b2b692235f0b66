/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h - a disk becomes an image that has what is in use: partition tables,
 * gaps between partitions, the used blocks of file systems that fs.h has a map of,
 * and other volumes whole.  What is free reads as zeroes.
 *
 *	capture_plan_make(disk, ...)	what is where, and what is free
 *	capture_run(&args, &result)	the copy: checksum, bad sectors, checkpoints
 *	capture_result_fini(), capture_plan_fini()
 *
 * The disk is only read.  One thread at a time; the copy has its own.
 */
#ifndef CONVERT_CAPTURE_H
#define CONVERT_CAPTURE_H

#include <stdio.h>

#include "convert/copy/copy.h"
#include "convert/fs/volumes.h"

#define CAPTURE_FINGERPRINT 32u

struct capture_plan {
	struct img *disk;		/* borrowed */
	struct volumes volumes;		/* of this disk alone */
	struct img_range *holes;	/* what is free, in order */
	size_t n_holes;
	uint64_t free_bytes;		/* in them */
	uint64_t *used;			/* bytes, by volume */
	bool *whole;			/* nothing is known to be free: by volume */
	/* Of tables, of what is free, and of the first bytes of each volume, which
	 * change when it is mounted for writing.
	 */
	uint8_t fingerprint[CAPTURE_FINGERPRINT];
};

/* `whole` (may be NULL) says of a volume that all of it is to be taken: somebody
 * may be writing to it.  Errors as volumes_open(); a map that cannot be read takes
 * the volume whole.  Free with capture_plan_fini(), also after a failure.
 */
int capture_plan_make(struct img *disk,
		      bool (*whole)(void *arg, const struct volume *v),
		      void *arg, struct capture_plan *plan, struct err *e);
void capture_plan_fini(struct capture_plan *plan);

struct capture_args {
	const struct capture_plan *plan;
	const char *path;		/* of the qcow2 image: made, or with `resume`
					 * gone on with */
	const char *checkpoint;		/* a file beside it; NULL: none */
	bool resume;			/* if both are there and of the same disk */
	bool plain;			/* not compressed */
	int level;			/* of zstd; 0: its default */
	unsigned threads;		/* 0: one a core */
	unsigned retries;		/* of sectors that cannot be read, afterwards */
	uint64_t rate;			/* bytes read a second at most; 0: any */
	void (*progress)(void *arg, const struct copy_progress *p);
	void *arg;
	const atomic_int *cancel;	/* -ECANCELED, with a checkpoint */
};

#define CAPTURE_MAX_FILES 100u	/* that are named of one bad range */

/* What stays unread, and is zeroes in the image. */
struct capture_lost {
	uint64_t offset, len;		/* on the disk, bytes */
	int error;			/* negative errno */
	char **files;			/* "disk 1 partition 2: /etc/passwd" */
	size_t n_files;
	bool more_files;
};

struct capture_result {
	uint64_t read;			/* bytes of the disk, this time */
	uint64_t resumed;		/* so far was done before; bytes */
	uint64_t recovered;		/* bytes that a retry could read */
	struct capture_lost *lost;
	size_t n_lost;
	const struct checksum_type *checksum;
	uint8_t digest[CHECKSUM_MAX_LEN];	/* of the image's content */
};

/* On failure, and when it is cancelled, image and checkpoint stay for `resume`. */
int capture_run(const struct capture_args *args, struct capture_result *result,
		struct err *e);
void capture_result_fini(struct capture_result *result);

/* checkpoint.c: how far a copy has come for good. */
struct checkpoint {
	uint8_t fingerprint[CAPTURE_FINGERPRINT];
	uint64_t size, done;		/* bytes; done: a multiple of COPY_PART */
	struct copy_lost *lost;		/* before that */
	size_t n_lost, cap;
};

/* Atomically and durably. */
int checkpoint_write(const char *path, const struct checkpoint *c,
		     struct err *e);
/* -ENOENT, or -EUCLEAN with a sentence. */
int checkpoint_read(const char *path, struct checkpoint *c, struct err *e);
/* The same to and from a stream; -EUCLEAN: it is none. */
int checkpoint_save(FILE *f, const struct checkpoint *c);
int checkpoint_load(FILE *f, struct checkpoint *c);
void checkpoint_fini(struct checkpoint *c);

/* owners.c: which files have a part of [offset, offset + len)? */
int capture_owners(const struct capture_plan *plan, struct capture_lost *lost,
		   struct err *e);

#endif
