/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_orphan.c - what was open and deleted, or being cut, when the guest
 * stopped.
 *
 * The superblock has a list of such inodes that goes through i_dtime; with the
 * feature orphan_file they stand in a file of their own besides, blocks of
 * inode numbers with a checksum.  An inode without links is freed, another is
 * cut at its size.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

static int cut(struct ext_write *w, ext2_ino_t ino, union ext_inode *inode,
	       struct err *e)
{
	uint64_t size = EXT2_I_SIZE(&inode->small);
	errcode_t code = 0;
	int rc = ext_inode_check(w, ino, inode, e);

	if (rc)
		return rc;
	inode->small.i_dtime = 0;
	if (ext2fs_inode_has_valid_blocks2(w->fs, &inode->small))
		code = ext2fs_punch(w->fs, ino, &inode->small, NULL,
				    div_round_up(size, w->fs->blocksize),
				    ~0ULL);
	if (code)
		return ext_fail(e, code, "cutting inode %u", ino);
	return ext_inode_store(w, ino, inode, e);
}

/* *next is the inode that the list goes on with. */
static int settle(struct ext_write *w, ext2_ino_t ino, ext2_ino_t *next,
		  struct err *e)
{
	ext2_filsys fs = w->fs;
	union ext_inode inode = { .small.i_mode = 0 };
	errcode_t code;

	if (ino < EXT2_FIRST_INODE(fs->super) ||
	    ino > fs->super->s_inodes_count ||
	    !ext2fs_test_inode_bitmap2(fs->inode_map, ino))
		return fail(e, EUCLEAN, "the list of deleted inodes has %u, "
			    "which is not in use", ino);
	code = ext2fs_read_inode_full(fs, ino, &inode.small,
				      (int)min_u64(EXT2_INODE_SIZE(fs->super),
						   sizeof(inode)));
	if (code)
		return ext_fail(e, code, "inode %u", ino);
	*next = inode.small.i_dtime;
	return inode.small.i_links_count ? cut(w, ino, &inode, e) :
		ext_inode_free(w, ino, &inode, e);
}

/* A loop ends where an inode comes again: it is free, or i_dtime is 0. */
static int settle_list(struct ext_write *w, struct err *e)
{
	ext2_ino_t ino = w->fs->super->s_last_orphan, next;
	int rc = 0;

	if (!ino)
		return 0;
	for (; ino && !rc; ino = next) {
		rc = settle(w, ino, &next, e);
		if (rc)
			next = 0;
	}
	w->fs->super->s_last_orphan = 0;
	ext2fs_mark_super_dirty(w->fs);
	return rc;
}

static int settle_block(struct ext_write *w, ext2_ino_t file, blk64_t block,
			char *buf, struct err *e)
{
	ext2_filsys fs = w->fs;
	unsigned n = (unsigned)ext2fs_inodes_per_orphan_block(fs);
	ext2_ino_t ignored;
	errcode_t code = io_channel_read_blk64(fs->io, block, 1, buf);
	int rc;

	if (!code && !ext2fs_orphan_file_block_csum_verify(fs, file, block,
							   buf))
		return fail(e, EUCLEAN, "a block of the file of deleted inodes "
			    "has a wrong checksum");
	for (unsigned i = 0; i < n && !code; i++) {
		uint32_t ino = get_le32(buf + 4 * i);

		rc = ino ? settle(w, ino, &ignored, e) : 0;
		if (rc)
			return rc;
		put_le32(buf + 4 * i, 0);
	}
	if (!code)
		code = ext2fs_orphan_file_block_csum_set(fs, file, block, buf);
	if (!code)
		code = io_channel_write_blk64(fs->io, block, 1, buf);
	return code ? ext_fail(e, code, "the file of deleted inodes") : 0;
}

static int settle_file(struct ext_write *w, struct err *e)
{
	ext2_filsys fs = w->fs;
	ext2_ino_t file = fs->super->s_orphan_file_inum;
	union ext_inode inode;
	uint64_t n;
	char *buf;
	int rc = ext_inode_read(w, file, &inode, e);

	if (!rc)
		rc = ext_inode_check(w, file, &inode, e);
	if (rc)
		return rc;
	n = EXT2_I_SIZE(&inode.small) / fs->blocksize;
	if (n > ext2fs_blocks_count(fs->super))
		return fail(e, EUCLEAN, "the file of deleted inodes has %" PRIu64
			    " blocks", n);
	buf = array_alloc(1, fs->blocksize);
	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	for (uint64_t i = 0; i < n && !rc; i++) {
		blk64_t block;
		errcode_t code = ext2fs_bmap2(fs, file, &inode.small, NULL, 0,
					      i, NULL, &block);

		rc = code ? ext_fail(e, code, "the file of deleted inodes") :
			block ? settle_block(w, file, block, buf, e) : 0;
	}
	free(buf);
	return rc;
}

int ext_orphans(struct ext_write *w, struct err *e)
{
	struct ext2_super_block *super = w->fs->super;
	int rc = settle_list(w, e);

	if (rc || !ext2fs_has_feature_orphan_present(super))
		return rc;
	if (!ext2fs_has_feature_orphan_file(super))
		return fail(e, EUCLEAN, "there is no file of deleted inodes, "
			    "though one is in use");
	rc = settle_file(w, e);
	if (!rc) {
		ext2fs_clear_feature_orphan_present(super);
		ext2fs_mark_super_dirty(w->fs);
	}
	return rc;
}
