/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo_file.h - the pieces of an undo file.  Internal to undo.h. */
#ifndef CONVERT_GUEST_UNDO_FILE_H
#define CONVERT_GUEST_UNDO_FILE_H

#include <xxhash.h>

#include "convert/guest/undo.h"

#define UNDO_UNIT 512u			/* hashed apart: what a disk writes at once */
#define UNDO_RECORD_MAX (1u << 20)	/* bytes of the disk in a record */
#define UNDO_MAX_UNITS (UNDO_RECORD_MAX / UNDO_UNIT)
#define UNDO_HEADER_LEN 192u
#define UNDO_RECORD_HEAD 16u
#define UNDO_EXCESS_MAX (16u << 20)

struct undo_header {
	struct undo_info info;
	uint64_t file_len;
	XXH128_canonical_t body;	/* hash of all behind the header */
};

void undo_header_encode(const struct undo_header *h,
			uint8_t out[UNDO_HEADER_LEN]);
int undo_header_read(struct img *file, struct undo_header *h, struct err *e);

/* A piece of the disk. */
struct undo_record {
	uint64_t offset;		/* bytes */
	uint32_t len;
	uint64_t hashes[UNDO_MAX_UNITS];	/* of its units after edits */
	uint8_t data[UNDO_RECORD_MAX];		/* before */
};

static inline unsigned undo_units(uint32_t len)
{
	return (unsigned)div_round_up(len, UNDO_UNIT);
}

/* Read records one after the other; -ENOENT behind the last one, where the hash
 * has been found right.
 */
struct undo_reader;
int undo_reader_new(struct img *file, const struct undo_header *h,
		    struct undo_reader **out, struct err *e);
int undo_reader_next(struct undo_reader *r, const struct undo_record **out,
		     struct err *e);
void undo_reader_free(struct undo_reader *r);

#endif
