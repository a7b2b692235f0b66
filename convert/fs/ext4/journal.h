/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.h - the journal (JBD2) as it lies on the volume.  Internal to
 * convert/fs/ext4.
 *
 * All numbers are big-endian.  Each block of the log begins with 0 magic, 4 type,
 * 8 sequence number of its transaction.  Superblock, 1024 bytes:
 *
 *	0x0c	block size		0x24	features: compatible,
 *	0x10	blocks in all		0x28	incompatible
 *	0x14	first block of the log	0x30	UUID
 *	0x18	sequence number and	0x50	type of checksums (8)
 *	0x1c	block of the oldest	0x54	blocks for fast commits
 *		transaction (0: clean)	0xfc	checksum
 *	0x20	error
 */
#ifndef CONVERT_FS_EXT4_JOURNAL_H
#define CONVERT_FS_EXT4_JOURNAL_H

#include "convert/fs/ext4/reader.h"

#define JBD2_MAGIC	0xc03b3998u
#define JBD2_SUPER_LEN	1024u

enum { JBD2_DESCRIPTOR = 1, JBD2_COMMIT, JBD2_SUPER_V1, JBD2_SUPER_V2,
       JBD2_REVOKE };

#define JBD2_COMPAT_CHECKSUM	1u
#define JBD2_REVOKES		1u
#define JBD2_64BIT		2u
#define JBD2_ASYNC_COMMIT	4u
#define JBD2_CSUM_V2		8u
#define JBD2_CSUM_V3		16u
#define JBD2_FAST_COMMIT	32u

struct jbd2 {
	struct ext4 *x;
	struct ext4_inode in;
	uint32_t first, end;		/* the log's blocks, of the journal */
	uint32_t fast_end;		/* fast commits are from `end` to here */
	uint32_t start, sequence;	/* of the oldest transaction */
	uint32_t compat, incompat;
	bool csum;			/* of version 2 or 3 */
	bool error;			/* the kernel had aborted it */
	uint32_t seed;
	uint64_t super_block;		/* where on the volume, in blocks */
};

/* Read the superblock of the journal. */
int jbd2_open(struct ext4 *x, struct jbd2 *j, struct err *e);
/* Where on the volume is block `i` of the journal?  In blocks. */
int jbd2_locate(struct jbd2 *j, uint32_t i, uint64_t *block, struct err *e);
/* One block of it. */
int jbd2_read(struct jbd2 *j, uint32_t i, uint8_t *buf, struct err *e);
/* The checksum at `at` of a block, which counts as zero in it. */
bool jbd2_csum_ok(const struct jbd2 *j, const uint8_t *buf, uint32_t at);

/* fastcommit.c: are there fast commits that belong behind the last transaction?
 * `sequence` is the next one's.
 */
int jbd2_has_fast_commits(struct jbd2 *j, uint32_t sequence, bool *has,
			  struct err *e);

#endif
