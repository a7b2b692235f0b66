/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_orphan.c - files that were deleted while they were open, as the feature
 * orphan_file notes them: opening for writing frees them, and cuts those that
 * were being cut; e2fsck finds nothing left to do.
 */
#include <errno.h>
#include <ext2fs/ext2fs.h>

#include "convert/fs/ext_write.h"
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

#define SIZE (4u << 20)

static ext2_ino_t find(ext2_filsys fs, const char *path)
{
	ext2_ino_t ino;

	CHECK_EQ(ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino), 0);
	return ino;
}

/* Write numbers into the first block of the file of orphans. */
static void note(ext2_filsys fs, const uint32_t *inos, unsigned n, bool wrong)
{
	ext2_ino_t file = fs->super->s_orphan_file_inum;
	char *block = calloc(1, fs->blocksize);
	blk64_t at;

	CHECK(block);
	CHECK_EQ(ext2fs_bmap2(fs, file, NULL, NULL, 0, 0, NULL, &at), 0);
	CHECK_EQ(io_channel_read_blk64(fs->io, at, 1, block), 0);
	for (unsigned i = 0; i < n; i++)
		put_le32(block + 4 * (3 * i + 1), inos[i]);
	CHECK_EQ(ext2fs_orphan_file_block_csum_set(fs, file, at, block), 0);
	block[0] = (char)(wrong ? 12 : 0);
	CHECK_EQ(io_channel_write_blk64(fs->io, at, 1, block), 0);
	free(block);
	ext2fs_set_feature_orphan_present(fs->super);
	ext2fs_mark_super_dirty(fs);
}

/* "deleted" has no name any more, "cut" has blocks behind its end. */
static void plant(bool wrong)
{
	struct ext2_inode inode;
	ext2_filsys fs;
	uint32_t inos[2];

	CHECK_EQ(ext2fs_open("image", EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0,
			     unix_io_manager, &fs), 0);
	CHECK_EQ(ext2fs_read_bitmaps(fs), 0);
	inos[0] = find(fs, "deleted");
	CHECK_EQ(ext2fs_unlink(fs, EXT2_ROOT_INO, "deleted", inos[0], 0), 0);
	CHECK_EQ(ext2fs_read_inode(fs, inos[0], &inode), 0);
	inode.i_links_count = 0;
	CHECK_EQ(ext2fs_write_inode(fs, inos[0], &inode), 0);
	inos[1] = find(fs, "cut");
	CHECK_EQ(ext2fs_read_inode(fs, inos[1], &inode), 0);
	inode.i_size = 5000;
	CHECK_EQ(ext2fs_write_inode(fs, inos[1], &inode), 0);
	note(fs, inos, 2, wrong);
	CHECK_EQ(ext2fs_close(fs), 0);
}

static int settle(struct err *e)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	struct ext_write *w;
	struct img *img;
	int rc;

	CHECK_EQ(img_open("image", &args, &img, e), 0);
	rc = ext_write_open(img, 1800000000, &w, e);
	if (!rc) {
		rc = ext_write_flush(w, e);
		ext_write_close(w);
	}
	img_close(img, NULL);
	return rc;
}

static bool make(const char *options, bool wrong)
{
	if (!fstree_run("rm -rf src && mkdir src && seq 30000 >src/deleted && "
			"seq 20000 >src/cut && "
			"mke2fs -q -F -t ext4 %s -d src image %u", options,
			SIZE / 1024))
		return false;
	CHECK(fstree_run("e2fsck -fn image"));
	plant(wrong);
	return true;
}

int main(void)
{
	static const char *const rows[] = {
		"-O orphan_file", "-O orphan_file,^metadata_csum -b 1024",
	};
	struct err e = { "" };

	scratch_enter();
	for (size_t i = 0; i < 2; i++) {
		if (!make(rows[i], false)) {
			puts("SKIP: mke2fs does not know orphan_file");
			return 77;
		}
		CHECK_OK(settle(&e));
		CHECK(fstree_run("e2fsck -fn image"));
		CHECK(fstree_run("! dumpe2fs -h image | grep orphan_present"));
	}
	CHECK(make(rows[0], true));
	CHECK_EQ(settle(&e), -EUCLEAN);
	CHECK(strstr(e.text, "wrong checksum"));
	return 0;
}
