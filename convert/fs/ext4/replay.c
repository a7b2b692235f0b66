/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c - write what the journal holds to its places, and mark it clean.
 *
 * The order: (1) the blocks, flushed; (2) the journal's superblock, flushed; (3)
 * the file system's.  Cut off after 1, the same is replayed again; after 2, an
 * empty journal.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4.h"
#include "convert/fs/ext4/journal.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

#define SUPER_AT 1024u
#define SUPER_LEN 1024u

static int write_blocks(struct ext4 *x)
{
	uint32_t size = x->s.block_size;
	int rc = 0;

	for (size_t i = 0; i < x->n_fresh && !rc; i++) {
		const struct ext4_fresh *f = &x->fresh[i];

		rc = img_read(x->volume, x->block, size,
			      f->at << x->s.block_bits);
		if (rc)
			break;
		if (f->escaped)
			put_be32(x->block, JBD2_MAGIC);
		rc = img_write(x->volume, x->block, size,
			       f->block << x->s.block_bits);
	}
	return rc ? rc : img_flush(x->volume);
}

static int clean_journal(struct ext4 *x)
{
	uint64_t at = x->journal_block << x->s.block_bits;
	uint8_t sb[JBD2_SUPER_LEN];
	int rc = img_read(x->volume, sb, sizeof(sb), at);

	if (rc)
		return rc;
	/* Cut off last time behind this. */
	if (!get_be32(sb + 0x1c) && !get_be32(sb + 0x20))
		return 0;
	/* The kernel leaves out a number too. */
	put_be32(sb + 0x18, x->next_sequence + 1);
	put_be32(sb + 0x1c, 0);
	put_be32(sb + 0x20, 0);
	if (get_be32(sb + 4) == JBD2_SUPER_V2 &&
	    get_be32(sb + 0x28) & (JBD2_CSUM_V2 | JBD2_CSUM_V3)) {
		put_be32(sb + 0xfc, 0);
		put_be32(sb + 0xfc, crc32c(~0u, sb, sizeof(sb)));
	}
	rc = img_write(x->volume, sb, sizeof(sb), at);
	return rc ? rc : img_flush(x->volume);
}

/* An error that made the kernel give up the journal becomes the file system's. */
static int clean_super(struct ext4 *x)
{
	uint8_t sb[SUPER_LEN];
	int rc = img_read(x->volume, sb, sizeof(sb), SUPER_AT);

	if (rc)
		return rc;
	put_le32(sb + 0x60, get_le32(sb + 0x60) & ~INCOMPAT_RECOVER);
	if (x->journal_error)
		put_le16(sb + 0x3a, get_le16(sb + 0x3a) | STATE_ERROR);
	if (x->s.csum)
		put_le32(sb + 0x3fc, crc32c(~0u, sb, 0x3fc));
	rc = img_write(x->volume, sb, sizeof(sb), SUPER_AT);
	return rc ? rc : img_flush(x->volume);
}

int ext4_replay(struct img *volume, struct err *e)
{
	struct ext4 *x;
	int rc = ext4_open(volume, &x, e);

	if (rc)
		return rc;
	if (x->dirty) {
		rc = write_blocks(x);
		if (!rc)
			rc = clean_journal(x);
		if (!rc)
			rc = clean_super(x);
		if (rc)
			fail_rc(e, rc, "replaying the journal");
	}
	ext4_close(x);
	return rc;
}
