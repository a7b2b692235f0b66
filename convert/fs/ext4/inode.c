/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inode.c - inodes.
 *
 *	0x00	mode (16)	0x20	flags		0x74	blocks, high (16)
 *	0x02	uid (16)	0x28	i_block, 60	0x76	attributes, high (16)
 *	0x04	size		0x64	generation	0x78	uid, high (16)
 *	0x08	atime		0x68	attributes	0x7a	gid, high (16)
 *	0x0c	ctime		0x6c	size, high	0x7c	checksum (16)
 *	0x10	mtime
 *	0x18	gid (16)	from 0x80: 0 length of what follows (16),
 *	0x1a	links (16)	2 checksum, high (16), 4 ctime, 8 mtime, 12 atime:
 *				two bits of seconds and nanoseconds
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

/* Are the `n` bytes at `offset` part of this inode's fields? */
static bool has_field(const struct ext4_inode *in, uint32_t offset, uint32_t n)
{
	return offset + n <= 128 + in->extra;
}

static int check_csum(struct ext4 *x, const struct ext4_inode *in,
		      struct err *e)
{
	const uint8_t *raw = x->raw, zero[2] = { 0 };
	uint32_t size = x->s.inode_size, c;
	uint32_t want = get_le16(raw + 0x7c), mask = 0xffff;

	c = crc32c(in->seed, raw, 0x7c);
	c = crc32c(c, zero, 2);
	c = crc32c(c, raw + 0x7e, 2);
	if (size > 128) {
		c = crc32c(c, raw + 128, 2);
		if (has_field(in, 0x82, 2)) {
			want |= (uint32_t)get_le16(raw + 0x82) << 16;
			mask = ~0u;
			c = crc32c(c, zero, 2);
		} else {
			c = crc32c(c, raw + 130, 2);
		}
		c = crc32c(c, raw + 132, size - 132);
	}
	if ((c & mask) != want)
		return fail(e, EUCLEAN, "the checksum of inode %u is wrong",
			    in->ino);
	return 0;
}

static int64_t get_time(const struct ext4 *x, const struct ext4_inode *in,
			uint32_t offset, uint32_t extra)
{
	int64_t t = (int32_t)get_le32(x->raw + offset);

	if (x->s.inode_size > 128 && has_field(in, extra, 4))
		t += (int64_t)(get_le32(x->raw + extra) & 3) << 32;
	return t;
}

static void decode(const struct ext4 *x, struct ext4_inode *in)
{
	const uint8_t *raw = x->raw;

	in->mode = get_le16(raw);
	in->uid = get_le16(raw + 2) | (uint32_t)get_le16(raw + 0x78) << 16;
	in->gid = get_le16(raw + 0x18) | (uint32_t)get_le16(raw + 0x7a) << 16;
	in->links = get_le16(raw + 0x1a);
	in->flags = get_le32(raw + 0x20);
	in->size = get_le32(raw + 4);
	if (S_ISREG(in->mode) || x->s.incompat & INCOMPAT_LARGEDIR)
		in->size |= (uint64_t)get_le32(raw + 0x6c) << 32;
	in->file_acl = get_le32(raw + 0x68);
	if (x->s.incompat & INCOMPAT_64BIT)
		in->file_acl |= (uint64_t)get_le16(raw + 0x76) << 32;
	memcpy(in->block, raw + 0x28, sizeof(in->block));
	in->atime = get_time(x, in, 0x08, 0x8c);
	in->ctime = get_time(x, in, 0x0c, 0x84);
	in->mtime = get_time(x, in, 0x10, 0x88);
}

int ext4_inode_any(struct ext4 *x, uint64_t ino, struct ext4_inode *out,
		   struct err *e)
{
	uint32_t per_group = x->s.inodes_per_group, index;
	struct ext4_group g;
	uint8_t number[4];
	int rc;

	memset(out, 0, sizeof(*out));
	if (!ino || ino > x->s.n_inodes)
		return fail(e, EUCLEAN, "there is no inode %llu: they are "
			    "numbered from 1 to %u", (unsigned long long)ino,
			    x->s.n_inodes);
	out->ino = (uint32_t)ino;
	rc = ext4_group(x, (out->ino - 1) / per_group, &g, e);
	if (rc)
		return fail_prefix(e, rc, "inode %u", out->ino);
	index = (out->ino - 1) % per_group;
	if (g.no_inodes)
		return 0;
	rc = ext4_read(x, x->raw, x->s.inode_size,
		       (g.inode_table << x->s.block_bits) +
		       (uint64_t)index * x->s.inode_size, e);
	if (rc)
		return fail_prefix(e, rc, "inode %u", out->ino);
	out->generation = get_le32(x->raw + 0x64);
	if (x->s.inode_size > 128) {
		out->extra = get_le16(x->raw + 128);
		if (out->extra % 4 || out->extra > x->s.inode_size - 128)
			return fail(e, EUCLEAN, "inode %u has %u more bytes of "
				    "fields, must be a multiple of 4 up to %u",
				    out->ino, out->extra,
				    x->s.inode_size - 128);
	}
	decode(x, out);
	if (!x->s.csum)
		return 0;
	put_le32(number, out->ino);
	out->seed = crc32c(x->s.seed, number, 4);
	put_le32(number, out->generation);
	out->seed = crc32c(out->seed, number, 4);
	/* One that was never used has none. */
	if (!out->mode && bytes_are_zero(x->raw, x->s.inode_size))
		return 0;
	return check_csum(x, out, e);
}

int ext4_inode(struct ext4 *x, uint64_t ino, struct ext4_inode *out,
	       struct err *e)
{
	int rc = ext4_inode_any(x, ino, out, e);

	if (!rc && !out->mode)
		return fail(e, EUCLEAN, "inode %u is named but is not in use",
			    out->ino);
	return rc;
}
