/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jbd2.c - the journal's superblock, its blocks, and fast commits; see journal.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/journal.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

#define KNOWN (JBD2_REVOKES | JBD2_64BIT | JBD2_ASYNC_COMMIT | JBD2_CSUM_V2 | \
	       JBD2_CSUM_V3 | JBD2_FAST_COMMIT)
#define DEFAULT_FAST_BLOCKS 256u

int jbd2_locate(struct jbd2 *j, uint32_t i, uint64_t *block, struct err *e)
{
	struct ext4_run run;
	int rc = ext4_run(j->x, &j->in, i, 1, &run, e);

	if (!rc && !run.block)
		return fail(e, EUCLEAN, "its block %u is a hole", i);
	*block = run.block;
	return rc;
}

int jbd2_read(struct jbd2 *j, uint32_t i, uint8_t *buf, struct err *e)
{
	uint64_t block;
	int rc = jbd2_locate(j, i, &block, e);

	return rc ? rc : ext4_read(j->x, buf, j->x->s.block_size,
				   block << j->x->s.block_bits, e);
}

static uint32_t csum_without(uint32_t seed, const uint8_t *p, size_t len,
			     uint32_t at)
{
	uint8_t zero[4] = { 0 };
	uint32_t c = crc32c(crc32c(seed, p, at), zero, 4);

	return crc32c(c, p + at + 4, len - at - 4);
}

bool jbd2_csum_ok(const struct jbd2 *j, const uint8_t *buf, uint32_t at)
{
	return !j->csum || csum_without(j->seed, buf, j->x->s.block_size, at) ==
			   get_be32(buf + at);
}

static int get_log(struct jbd2 *j, const uint8_t *sb, struct err *e)
{
	uint32_t n = get_be32(sb + 0x10), fast = 0;

	if (get_be32(sb + 0x0c) != j->x->s.block_size)
		return fail(e, EUCLEAN, "its blocks have %u bytes, must be %u",
			    get_be32(sb + 0x0c), j->x->s.block_size);
	if (n > j->in.size >> j->x->s.block_bits)
		return fail(e, EUCLEAN, "it counts %u blocks, its inode %llu", n,
			    (unsigned long long)(j->in.size >>
						 j->x->s.block_bits));
	if (j->incompat & JBD2_FAST_COMMIT) {
		fast = get_be32(sb + 0x54);
		if (!fast)
			fast = DEFAULT_FAST_BLOCKS;
	}
	j->first = get_be32(sb + 0x14);
	j->start = get_be32(sb + 0x1c);
	j->sequence = get_be32(sb + 0x18);
	if (fast >= n || !j->first || j->first >= n - fast ||
	    (j->start && (j->start < j->first || j->start >= n - fast)))
		return fail(e, EUCLEAN, "its log begins in block %u with the "
			    "oldest transaction in %u, of %u blocks and %u for "
			    "fast commits", j->first, j->start, n, fast);
	j->end = n - fast;
	j->fast_end = n;
	return 0;
}

static int get_super(struct jbd2 *j, const uint8_t *sb, struct err *e)
{
	uint32_t type = get_be32(sb + 4);

	if (get_be32(sb) != JBD2_MAGIC ||
	    (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
		return fail(e, EUCLEAN, "it has no superblock");
	if (type == JBD2_SUPER_V2) {
		j->compat = get_be32(sb + 0x24);
		j->incompat = get_be32(sb + 0x28);
	}
	if (j->incompat & ~KNOWN)
		return fail(e, ENOTSUP, "it has incompatible features that are "
			    "not supported: 0x%x", j->incompat & ~KNOWN);
	j->csum = j->incompat & (JBD2_CSUM_V2 | JBD2_CSUM_V3);
	if (j->csum) {
		if (sb[0x50] != 4)
			return fail(e, ENOTSUP, "its checksums are of type %u, "
				    "must be 4 (CRC-32C)", sb[0x50]);
		if (csum_without(~0u, sb, JBD2_SUPER_LEN, 0xfc) !=
		    get_be32(sb + 0xfc))
			return fail(e, EUCLEAN,
				    "its superblock's checksum is wrong");
		j->seed = crc32c(~0u, sb + 0x30, 16);
	}
	j->error = get_be32(sb + 0x20) != 0;
	return get_log(j, sb, e);
}

int jbd2_open(struct ext4 *x, struct jbd2 *j, struct err *e)
{
	uint8_t sb[JBD2_SUPER_LEN];
	int rc;

	*j = (struct jbd2){ .x = x };
	if (!(x->s.compat & COMPAT_HAS_JOURNAL))
		return fail(e, EUCLEAN, "it has to be replayed, but there is none");
	if (!x->s.journal_ino)
		return fail(e, ENOTSUP, "it is on another device, and has to be "
			    "replayed first");
	rc = ext4_inode(x, x->s.journal_ino, &j->in, e);
	if (!rc)
		rc = jbd2_locate(j, 0, &j->super_block, e);
	if (!rc)
		rc = ext4_read(x, sb, sizeof(sb),
			       j->super_block << x->s.block_bits, e);
	return rc ? rc : get_super(j, sb, e);
}

/* Fast commits: 0 tag, 2 length, little-endian, then so many bytes.  A head (tag
 * 9) has features and the sequence number of the transaction before which they
 * count; a tail (8) that number, and the checksum since the tail before.
 */
#define FC_TAIL 8u
#define FC_HEAD 9u

int jbd2_has_fast_commits(struct jbd2 *j, uint32_t sequence, bool *has,
			  struct err *e)
{
	uint32_t size = j->x->s.block_size, c = 0;
	uint8_t *buf = malloc(size);
	int rc = buf ? 0 : fail(e, ENOMEM, "out of memory");
	bool ours = false;

	*has = false;
	for (uint32_t i = j->end; i < j->fast_end && !rc && !*has; i++) {
		uint32_t at = 0, tag, len;

		rc = jbd2_read(j, i, buf, e);
		for (; !rc && size - at >= 4; at += 4 + len) {
			tag = get_le16(buf + at);
			len = get_le16(buf + at + 2);
			if (len > size - at - 4)
				goto out;
			if (tag == FC_HEAD && len >= 8)
				ours = get_le32(buf + at + 8) == sequence;
			if (!ours)
				goto out;
			if (tag == FC_TAIL && len >= 8 &&
			    get_le32(buf + at + 4) == sequence &&
			    crc32c(c, buf + at, 8) == get_le32(buf + at + 8)) {
				*has = true;
				break;
			}
			c = crc32c(c, buf + at, 4 + len);
		}
	}
out:
	free(buf);
	return rc;
}
