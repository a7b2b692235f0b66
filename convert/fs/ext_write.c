/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_write.c - an ext file system that is open for changes: what may be
 * opened, what it holds, how much room there is.
 */
#include "convert/fs/ext_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4.h"
#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"

/* May it be written at all? */
static int check_features(const struct ext2_super_block *s, struct err *e)
{
	struct ext2_super_block *super = (struct ext2_super_block *)s;

	if (ext2fs_has_feature_journal_dev(super))
		return fail(e, ENOTSUP, "this is a journal, without files");
	/* Whom attributes in inodes of their own are charged to is another tale. */
	if (ext2fs_has_feature_quota(super) && ext2fs_has_feature_ea_inode(super))
		return fail(e, ENOTSUP, "the file system has the features quota "
			    "and ea_inode, whose accounts would no longer be "
			    "right; switch quota off in the guest: tune2fs -O "
			    "^quota");
	if (ext2fs_has_feature_shared_blocks(super) ||
	    ext2fs_has_feature_readonly(super))
		return fail(e, ENOTSUP, "the file system is one that is never "
			    "written (feature shared_blocks or read-only)");
	if (s->s_state & EXT2_ERROR_FS)
		return fail(e, EBUSY, "the file system says that it has "
			    "errors; run e2fsck in the guest first");
	if (!(s->s_state & EXT2_VALID_FS) && !ext2fs_has_feature_journal(super))
		return fail(e, EBUSY, "the file system was not unmounted, and "
			    "has no journal; run e2fsck in the guest first");
	return 0;
}

static int check_mmp(ext2_filsys fs, struct err *e)
{
	struct mmp_struct *mmp;
	errcode_t code;
	uint32_t seq;

	if (!ext2fs_has_feature_mmp(fs->super))
		return 0;
	mmp = array_alloc(1, fs->blocksize);
	if (!mmp)
		return fail(e, ENOMEM, "out of memory");
	code = io_channel_read_blk64(fs->io, fs->super->s_mmp_block, 1, mmp);
	seq = ext2fs_le32_to_cpu(mmp->mmp_seq);
	free(mmp);
	if (code)
		return ext_fail(e, code, "the MMP block");
	if (seq != EXT4_MMP_SEQ_CLEAN)
		return fail(e, EBUSY, "the file system is mounted by another "
			    "machine, or was when that one stopped (MMP "
			    "sequence %#x)", seq);
	return 0;
}

/* The superblock's counts are old after a crash; mounting sums them up, too. */
static void count_free(ext2_filsys fs)
{
	uint64_t blocks = 0, inodes = 0;

	for (dgrp_t g = 0; g < fs->group_desc_count; g++) {
		blocks += ext2fs_bg_free_blocks_count(fs, g);
		inodes += ext2fs_bg_free_inodes_count(fs, g);
	}
	blocks <<= fs->cluster_ratio_bits;
	if (ext2fs_free_blocks_count(fs->super) == blocks &&
	    fs->super->s_free_inodes_count == inodes)
		return;
	ext2fs_free_blocks_count_set(fs->super, blocks);
	fs->super->s_free_inodes_count = (uint32_t)inodes;
	if (fs->flags & EXT2_FLAG_RW)
		ext2fs_mark_super_dirty(fs);
}

/* Where bitmaps and inode tables are said to be.  ext2fs_check_desc() also
 * looks for overlaps, block by block: seconds on a large disk.
 */
static int check_groups(ext2_filsys fs, struct err *e)
{
	uint64_t first = fs->super->s_first_data_block;
	uint64_t end = ext2fs_blocks_count(fs->super);

	for (dgrp_t g = 0; g < fs->group_desc_count; g++) {
		uint64_t table = ext2fs_inode_table_loc(fs, g);
		uint64_t blocks = ext2fs_block_bitmap_loc(fs, g);
		uint64_t inodes = ext2fs_inode_bitmap_loc(fs, g);

		if (blocks < first || blocks >= end || inodes < first ||
		    inodes >= end || table < first ||
		    !in_range(table, fs->inode_blocks_per_group, end))
			return fail(e, EUCLEAN, "group %u has its bitmaps at "
				    "blocks %" PRIu64 " and %" PRIu64 ", its "
				    "inodes at %" PRIu64 ", of %" PRIu64
				    " blocks", g, blocks, inodes, table, end);
	}
	return 0;
}

/* Opened, of a size and layout that can be, and one that may be written. */
static int open_checked(struct img *volume, int flags, ext2_filsys *out,
			struct err *e)
{
	ext2_filsys fs;
	uint64_t size;
	int rc = ext_io_open(volume, flags, &fs, e);

	if (rc)
		return rc;
	if (!mul_ok(ext2fs_blocks_count(fs->super), fs->blocksize, &size) ||
	    size > img_size(volume)) {
		rc = fail(e, EUCLEAN, "the file system has %" PRIu64 " blocks "
			  "of %u bytes, more than the volume's %" PRIu64
			  " bytes", (uint64_t)ext2fs_blocks_count(fs->super),
			  fs->blocksize, img_size(volume));
		goto fail;
	}
	rc = check_features(fs->super, e);
	if (!rc)
		rc = check_mmp(fs, e);
	if (!rc)
		rc = check_groups(fs, e);
	if (rc)
		goto fail;
	count_free(fs);
	*out = fs;
	return 0;
fail:
	ext2fs_free(fs);
	return rc;
}

static int begin(struct ext_write *w, struct err *e)
{
	errcode_t code;

	if (ext2fs_has_feature_journal_needs_recovery(w->fs->super))
		return fail(e, EBUSY, "the journal has not been replayed");
	code = ext2fs_read_bitmaps(w->fs);
	if (code)
		return ext_fail(e, code, "the bitmaps");
	w->fs->now = (time_t)w->now;
	return ext_orphans(w, e);
}

int ext_write_open(struct img *volume, int64_t now, struct ext_write **out,
		   struct err *e)
{
	struct ext_write *w;
	int rc;

	if (!(img_flags(volume) & IMG_WRITE))
		return fail(e, EROFS, "the volume is not open for writing");
	w = array_alloc(1, sizeof(*w));
	if (!w)
		return fail(e, ENOMEM, "out of memory");
	w->volume = volume;
	w->now = now;
	rc = ext4_replay(volume, e);
	if (!rc)
		rc = open_checked(volume, EXT2_FLAG_RW, &w->fs, e);
	if (!rc)
		rc = begin(w, e);
	if (rc) {
		ext_write_close(w);
		return rc;
	}
	*out = w;
	return 0;
}

int ext_write_flush(struct ext_write *w, struct err *e)
{
	errcode_t code;
	int rc = ext_quota_update(w, e);

	if (rc)
		return rc;
	code = ext2fs_flush(w->fs);
	return code ? ext_fail(e, code, "writing the file system") : 0;
}

void ext_write_close(struct ext_write *w)
{
	if (!w)
		return;
	if (w->fs)
		ext2fs_free(w->fs);
	free(w);
}

int ext_room(struct img *volume, struct ext_room *out, struct err *e)
{
	ext2_filsys fs;
	int rc = open_checked(volume, 0, &fs, e);

	if (rc)
		return rc;
	out->unit = fs->blocksize << fs->cluster_ratio_bits;
	out->free_bytes = ext2fs_free_blocks_count(fs->super) * fs->blocksize;
	out->free_inodes = fs->super->s_free_inodes_count;
	ext2fs_free(fs);
	return 0;
}

/* Where every block lies apart, a block of the map has 84 extents of 12 bytes
 * in the smallest block, 1 KiB, with three levels above.  A folder that splits
 * an index node of each level grows by as many blocks and a leaf.
 */
uint64_t ext_room_of_file(const struct ext_room *r, uint64_t len, bool fresh)
{
	uint64_t units = div_round_up(len, r->unit);

	units += units / 80 + (units > 1 ? 3 : 0) + (fresh ? 6 : 0);
	return units <= UINT64_MAX / r->unit ? units * r->unit : UINT64_MAX;
}
