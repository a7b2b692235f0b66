/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c - content of files and symbolic links: by extents or indirect blocks, or
 * in the inode itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"

/* Pieces at least as long do not go through the cache. */
#define LARGE (EXT4_LINE / 2)

int ext4_check_blocks(const struct ext4 *x, uint32_t ino, uint64_t block,
		      uint64_t n, struct err *e)
{
	if (block > x->s.first_block && in_range(block, n, x->s.n_blocks))
		return 0;
	return fail(e, EUCLEAN, "inode %u has %llu blocks from block %llu on, but "
		    "the file system ends at %llu", ino, (unsigned long long)n,
		    (unsigned long long)block,
		    (unsigned long long)x->s.n_blocks);
}

int ext4_run(struct ext4 *x, const struct ext4_inode *in, uint64_t logical,
	     uint64_t max, struct ext4_run *run, struct err *e)
{
	int rc;

	if (in->flags & INODE_EXTENTS)
		rc = ext4_run_extents(x, in, logical, run, e);
	else
		rc = ext4_run_indirect(x, in, logical, run, e);
	run->len = min_u64(run->len, max);
	return rc;
}

/* A link's target, or a device's number: no blocks in i_block. */
static bool is_fast_symlink(const struct ext4_inode *in)
{
	return S_ISLNK(in->mode) && in->size < sizeof(in->block) &&
	       !(in->flags & INODE_INLINE) &&
	       !(in->flags & INODE_EXTENTS && get_le16(in->block) == 0xf30a);
}

static bool has_blocks(const struct ext4_inode *in)
{
	return (S_ISREG(in->mode) || S_ISDIR(in->mode) || S_ISLNK(in->mode)) &&
	       !(in->flags & INODE_INLINE) && !is_fast_symlink(in);
}

int ext4_blocks(struct ext4 *x, const struct ext4_inode *in,
		int (*range)(void *arg, uint64_t block, uint64_t n), void *arg,
		struct err *e)
{
	int rc = 0;

	if (has_blocks(in))
		rc = in->flags & INODE_EXTENTS
			? ext4_blocks_extents(x, in, range, arg, e)
			: ext4_blocks_indirect(x, in, range, arg, e);
	if (!rc && in->file_acl) {
		rc = ext4_check_blocks(x, in->ino, in->file_acl, 1, e);
		if (!rc)
			rc = range(arg, in->file_acl, 1);
	}
	return rc;
}

/* The first bytes are i_block, the rest the attribute "system.data". */
static int read_inline(struct ext4 *x, const struct ext4_inode *in, void *buf,
		       size_t len, uint64_t offset, struct err *e)
{
	uint8_t *more = NULL, *to = buf;
	size_t more_len = 0, n;
	int rc;

	if (offset + len > sizeof(in->block)) {
		rc = ext4_xattr(x, in, EXT4_XATTR_SYSTEM, "data", &more,
				&more_len, e);
		if (rc && rc != -ENODATA)
			return rc;
	}
	if (!in_range(offset, len, sizeof(in->block) + more_len)) {
		free(more);
		return fail(e, EUCLEAN, "inode %u has %llu bytes, but holds %zu",
			    in->ino, (unsigned long long)in->size,
			    sizeof(in->block) + more_len);
	}
	while (len) {
		if (offset < sizeof(in->block)) {
			n = (size_t)min_u64(len, sizeof(in->block) - offset);
			memcpy(to, in->block + offset, n);
		} else {
			n = len;
			memcpy(to, more + (offset - sizeof(in->block)), n);
		}
		to += n;
		offset += n;
		len -= n;
	}
	free(more);
	return 0;
}

int ext4_file_read(struct ext4 *x, const struct ext4_inode *in, void *buf,
		   size_t len, uint64_t offset, struct err *e)
{
	unsigned bits = x->s.block_bits;
	uint8_t *to = buf;
	struct ext4_run run;
	int rc = 0;

	if (in->flags & INODE_ENCRYPT)
		return fail(e, ENOTSUP, "inode %u is encrypted (fscrypt)",
			    in->ino);
	if (in->flags & INODE_COMPR)
		return fail(e, ENOTSUP, "inode %u is compressed", in->ino);
	if (in->flags & INODE_INLINE)
		return read_inline(x, in, buf, len, offset, e);
	while (len && !rc) {
		uint64_t skip = offset & (x->s.block_size - 1), at;
		size_t n;

		rc = ext4_run(x, in, offset >> bits, 1 + (len + skip) / x->s.block_size,
			      &run, e);
		if (rc)
			break;
		n = (size_t)min_u64(len, (run.len << bits) - skip);
		at = (run.block << bits) + skip;
		if (!run.block || run.unwritten)
			memset(to, 0, n);
		else if (n >= LARGE)
			rc = ext4_read_past(x, to, n, at, e);
		else
			rc = ext4_read(x, to, n, at, e);
		to += n;
		offset += n;
		len -= n;
	}
	return rc;
}

int ext4_file_readlink(struct ext4 *x, const struct ext4_inode *in, char *buf,
		       size_t size, struct err *e)
{
	size_t len = (size_t)in->size;
	int rc = 0;

	if (in->flags & INODE_ENCRYPT)
		return fail(e, ENOTSUP, "inode %u is encrypted (fscrypt)",
			    in->ino);
	if (!in->size || in->size >= x->s.block_size)
		return fail(e, EUCLEAN, "the symbolic link in inode %u has %llu "
			    "bytes, must be 1 to %u", in->ino,
			    (unsigned long long)in->size, x->s.block_size - 1);
	if (len >= size)
		return fail(e, ENAMETOOLONG, "the symbolic link in inode %u has "
			    "%zu bytes", in->ino, len);
	if (is_fast_symlink(in))
		memcpy(buf, in->block, len);
	else
		rc = ext4_file_read(x, in, buf, len, 0, e);
	buf[len] = 0;
	if (!rc && strlen(buf) != len)
		return fail(e, EUCLEAN, "the symbolic link in inode %u holds a "
			    "NUL byte", in->ino);
	return rc;
}
