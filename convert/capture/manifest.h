/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest.h - manifest.json beside captured disks: what they are, and their content
 * hashes.
 */
#ifndef CONVERT_CAPTURE_MANIFEST_H
#define CONVERT_CAPTURE_MANIFEST_H

#include <jansson.h>
#include <stdio.h>

#include "convert/capture/capture.h"

#define MANIFEST_NAME	"manifest.json"
#define MANIFEST_DISKS	256u
#define MANIFEST_MAX	(64u << 20)	/* bytes: lost ranges are listed in it */

/* How the disk's file systems were while it was read. */
enum capture_state {
	CAPTURE_QUIET,		/* none was mounted for writing */
	CAPTURE_FROZEN,
	CAPTURE_LIVE,		/* at least one may have been written to */
};

/* A disk, for the array "disks"; NULL: out of memory. */
json_t *manifest_disk(const char *source, const char *file,
		      enum capture_state state, const struct capture_plan *plan,
		      const struct capture_result *result);
/* The whole; takes `disks` and `machine` (NULL: none). */
json_t *manifest_make(json_t *disks, json_t *machine);

/* What a manifest says of its disks. */
struct manifest_entry {
	char *file;		/* in the manifest's folder: no slash */
	uint64_t size;
	const struct checksum_type *checksum;
	uint8_t digest[CHECKSUM_MAX_LEN];
};

struct manifest {
	struct manifest_entry *list;
	size_t n;
};

/* A file that may be one, to be read; -ENOENT and others with a sentence. */
int manifest_open(const char *path, FILE **out, struct err *e);

/* -EUCLEAN with a sentence.  Free with manifest_fini(), also after a failure. */
int manifest_read(const char *path, struct manifest *out, struct err *e);
/* The same from a stream, which is called `path`. */
int manifest_load(FILE *f, const char *path, struct manifest *out, struct err *e);
void manifest_fini(struct manifest *m);

/* Is the file in `folder` what the manifest says?  -EUCLEAN if not. */
int manifest_verify(const struct manifest_entry *entry, const char *folder,
		    const struct checksum_args *how, struct err *e);

#endif
