/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_inode.c - inodes that are changed: read with doubt, stored, freed. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"

/* Flags of <linux/fs.h> that libext2fs has no notion of writing. */
#define NOT_WRITTEN (EXT4_ENCRYPT_FL | EXT4_VERITY_FL | EXT4_CASEFOLD_FL | \
		     EXT2_COMPRBLK_FL)

static size_t inode_size(const struct ext_write *w)
{
	return min_u64(EXT2_INODE_SIZE(w->fs->super), sizeof(union ext_inode));
}

int ext_inode_read(struct ext_write *w, ext2_ino_t ino, union ext_inode *out,
		   struct err *e)
{
	ext2_filsys fs = w->fs;
	errcode_t code;

	if (ino < 1 || ino > fs->super->s_inodes_count ||
	    !ext2fs_test_inode_bitmap2(fs->inode_map, ino))
		return fail(e, EUCLEAN, "a name leads to inode %u, which is "
			    "not in use", ino);
	memset(out, 0, sizeof(*out));
	code = ext2fs_read_inode_full(fs, ino, &out->small,
				      (int)inode_size(w));
	if (code)
		return ext_fail(e, code, "inode %u", ino);
	if (!out->small.i_links_count)
		return fail(e, EUCLEAN, "a name leads to inode %u, which has "
			    "been deleted", ino);
	return 0;
}

int ext_inode_store(struct ext_write *w, ext2_ino_t ino, union ext_inode *inode,
		    struct err *e)
{
	errcode_t code = ext2fs_write_inode_full(w->fs, ino, &inode->small,
						 (int)inode_size(w));

	return code ? ext_fail(e, code, "writing inode %u", ino) : 0;
}

struct check {
	const struct ext_write *w;
	uint64_t n;		/* blocks seen */
	uint64_t wrong;
};

static int check_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count,
		       blk64_t ref, int ref_offset, void *arg)
{
	struct check *c = arg;
	uint64_t blocks = ext2fs_blocks_count(fs->super);

	(void)count;
	(void)ref;
	(void)ref_offset;
	if (*block < fs->super->s_first_data_block || *block >= blocks ||
	    ++c->n > blocks ||
	    !ext2fs_test_block_bitmap2(fs->block_map, *block)) {
		c->wrong = *block;
		return BLOCK_ABORT;
	}
	return 0;
}

int ext_inode_check(struct ext_write *w, ext2_ino_t ino,
		    const union ext_inode *inode, struct err *e)
{
	struct check c = { .w = w };
	uint8_t *buf;
	errcode_t code;

	if (inode->small.i_flags & NOT_WRITTEN)
		return fail(e, ENOTSUP, "inode %u is encrypted, compressed, "
			    "sealed by verity or ignores case, which cannot be "
			    "changed", ino);
	if (!ext2fs_inode_has_valid_blocks2(w->fs,
					    (struct ext2_inode *)&inode->small))
		return 0;
	buf = array_alloc(3, w->fs->blocksize);
	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	code = ext2fs_block_iterate3(w->fs, ino, BLOCK_FLAG_READ_ONLY,
				     (char *)buf, check_block, &c);
	free(buf);
	if (code)
		return ext_fail(e, code, "the blocks of inode %u", ino);
	if (c.wrong || c.n > ext2fs_blocks_count(w->fs->super))
		return fail(e, EUCLEAN, "inode %u has block %" PRIu64
			    ", which is free or beyond the end", ino, c.wrong);
	return 0;
}

/* Seconds after 2038 have two more bits, where the inode is large enough. */
static void set_time(const union ext_inode *inode, uint32_t *seconds,
		     uint32_t *extra, int64_t now)
{
	size_t end = (size_t)((uint8_t *)(extra + 1) - inode->bytes);

	*seconds = (uint32_t)now;
	if ((size_t)EXT2_GOOD_OLD_INODE_SIZE + inode->large.i_extra_isize >= end)
		*extra = (uint32_t)((now - (int32_t)now) >> 32) & 3;
}

void ext_inode_touch(struct ext_write *w, union ext_inode *inode,
		     unsigned which)
{
	struct ext2_inode_large *l = &inode->large;
	bool extra = EXT2_INODE_SIZE(w->fs->super) > EXT2_GOOD_OLD_INODE_SIZE;
	uint16_t extra_isize = l->i_extra_isize;

	if (!extra)
		l->i_extra_isize = 0;
	set_time(inode, &l->i_ctime, &l->i_ctime_extra, w->now);
	if (which & EXT_MTIME)
		set_time(inode, &l->i_mtime, &l->i_mtime_extra, w->now);
	if (which & EXT_ATIME)
		set_time(inode, &l->i_atime, &l->i_atime_extra, w->now);
	if (which & EXT_CRTIME && extra)
		set_time(inode, &l->i_crtime, &l->i_crtime_extra, w->now);
	l->i_extra_isize = extra_isize;
}

int ext_inode_touched(struct ext_write *w, ext2_ino_t ino, unsigned which,
		      struct err *e)
{
	union ext_inode inode;
	int rc = ext_inode_read(w, ino, &inode, e);

	if (rc)
		return rc;
	ext_inode_touch(w, &inode, which);
	return ext_inode_store(w, ino, &inode, e);
}

void ext_inode_own(union ext_inode *inode, const struct ext_new *n)
{
	struct ext2_inode *i = &inode->small;

	i->i_uid = (uint16_t)n->uid;
	i->osd2.linux2.l_i_uid_high = (uint16_t)(n->uid >> 16);
	i->i_gid = (uint16_t)n->gid;
	i->osd2.linux2.l_i_gid_high = (uint16_t)(n->gid >> 16);
}

static int collect_name(char *name, char *value, size_t len, void *arg)
{
	(void)value;
	(void)len;
	if (*(char **)arg)
		return 0;
	*(char **)arg = strdup(name);
	return *(char **)arg ? 0 : XATTR_ABORT;
}

/* Values that are inodes of their own have a count of users. */
static int free_value_inodes(struct ext_write *w, ext2_ino_t ino,
			     struct err *e)
{
	struct ext2_xattr_handle *h;
	errcode_t code = ext2fs_xattrs_open(w->fs, ino, &h);
	size_t left = 0;

	if (code)
		return ext_fail(e, code, "attributes of inode %u", ino);
	code = ext2fs_xattrs_read(h);
	if (!code)
		code = ext2fs_xattrs_count(h, &left);
	while (!code && left--) {
		char *name = NULL;

		code = ext2fs_xattrs_iterate(h, collect_name, &name);
		if (!code && !name)
			code = ENOMEM;
		if (!code)
			code = ext2fs_xattr_remove(h, name);
		free(name);
	}
	ext2fs_xattrs_close(&h);
	return code ? ext_fail(e, code, "attributes of inode %u", ino) : 0;
}

static int free_content(struct ext_write *w, ext2_ino_t ino,
			union ext_inode *inode, struct err *e)
{
	ext2_filsys fs = w->fs;
	errcode_t code = 0;
	int rc;

	if (ext2fs_has_feature_ea_inode(fs->super)) {
		rc = free_value_inodes(w, ino, e);
		if (!rc)
			rc = ext_inode_read(w, ino, inode, e);
		if (rc)
			return rc;
	}
	if (ext2fs_file_acl_block(fs, &inode->small))
		code = ext2fs_free_ext_attr(fs, ino, &inode->large);
	if (!code && ext2fs_inode_has_valid_blocks2(fs, &inode->small) &&
	    !(inode->small.i_flags & EXT4_INLINE_DATA_FL))
		code = ext2fs_punch(fs, ino, &inode->small, NULL, 0, ~0ULL);
	return code ? ext_fail(e, code, "freeing inode %u", ino) : 0;
}

int ext_inode_free(struct ext_write *w, ext2_ino_t ino, union ext_inode *inode,
		   struct err *e)
{
	bool is_dir = LINUX_S_ISDIR(inode->small.i_mode);
	int rc = ext_inode_check(w, ino, inode, e);

	if (!rc)
		rc = free_content(w, ino, inode, e);
	if (rc)
		return rc;
	ext_inode_touch(w, inode, 0);
	inode->small.i_links_count = 0;
	inode->small.i_dtime = (uint32_t)w->now;
	rc = ext_inode_store(w, ino, inode, e);
	if (!rc)
		ext2fs_inode_alloc_stats2(w->fs, ino, -1, is_dir);
	return rc;
}

int ext_inherit(struct ext_write *w, ext2_ino_t dir, ext2_ino_t ino,
		struct err *e)
{
	static const char label[] = "security.selinux";
	struct ext2_xattr_handle *h;
	void *value = NULL;
	size_t len;
	errcode_t code = ext2fs_xattrs_open(w->fs, dir, &h);

	if (code)
		return ext_fail(e, code, "attributes of inode %u", dir);
	code = ext2fs_xattrs_read(h);
	if (!code)
		code = ext2fs_xattr_get(h, label, &value, &len);
	ext2fs_xattrs_close(&h);
	if (code == EXT2_ET_EA_KEY_NOT_FOUND)
		return 0;
	if (!code)
		code = ext2fs_xattrs_open(w->fs, ino, &h);
	if (code)
		goto out;
	code = ext2fs_xattrs_read(h);
	if (!code)
		code = ext2fs_xattr_set(h, label, value, len);
	ext2fs_xattrs_close(&h);
out:
	if (value)
		ext2fs_free_mem(&value);
	return code ? ext_fail(e, code, "the security label of inode %u", ino) :
		0;
}
