/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_content.c - the bytes of files: new ones, other ones, more of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"

/* How much libext2fs is given at once. */
#define PIECE (1u << 20)

static errcode_t write_all(ext2_file_t file, const uint8_t *data, size_t len)
{
	while (len) {
		unsigned n = (unsigned)min_u64(len, PIECE), written;
		errcode_t code = ext2fs_file_write(file, data, n, &written);

		if (code)
			return code;
		data += written;
		len -= written;
	}
	return 0;
}

/* From `offset` on, where the file then ends. */
static int fill(struct ext_write *w, ext2_ino_t ino, const void *data,
		size_t len, uint64_t offset, struct err *e)
{
	ext2_file_t file;
	errcode_t code = ext2fs_file_open(w->fs, ino, EXT2_FILE_WRITE, &file),
		  closed;

	if (code)
		return ext_fail(e, code, "inode %u", ino);
	code = ext2fs_file_set_size2(file, (ext2_off64_t)offset);
	if (!code)
		code = ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL);
	if (!code)
		code = write_all(file, data, len);
	closed = ext2fs_file_close(file);
	if (!code)
		code = closed;
	return code ? ext_fail(e, code, "writing %zu bytes", len) :
		ext_inode_touched(w, ino, EXT_MTIME, e);
}

/* An empty map of blocks. */
static int init_map(struct ext_write *w, ext2_ino_t ino,
		    union ext_inode *inode, struct err *e)
{
	ext2_extent_handle_t handle;
	errcode_t code;

	if (!ext2fs_has_feature_extents(w->fs->super))
		return 0;
	inode->small.i_flags |= EXT4_EXTENTS_FL;
	code = ext2fs_extent_open2(w->fs, ino, &inode->small, &handle);
	if (code)
		return ext_fail(e, code, "inode %u", ino);
	ext2fs_extent_free(handle);
	return 0;
}

static int new_inode(struct ext_write *w, const struct ext_place *at,
		     const struct ext_new *n, ext2_ino_t *ino, struct err *e)
{
	uint32_t mode = LINUX_S_IFREG | (n->mode & 07777);
	union ext_inode inode = { .small.i_mode = (uint16_t)mode };
	errcode_t code = ext2fs_new_inode(w->fs, at->dir, (int)mode, NULL, ino);
	int rc;

	if (code)
		return ext_fail(e, code, "a new inode");
	inode.small.i_links_count = 1;
	ext_inode_own(&inode, n);
	rc = init_map(w, *ino, &inode, e);
	if (rc)
		return rc;
	code = ext2fs_write_new_inode(w->fs, *ino, &inode.small);
	if (code)
		return ext_fail(e, code, "a new inode");
	ext2fs_inode_alloc_stats2(w->fs, *ino, 1, 0);
	return 0;
}

static int create(struct ext_write *w, struct ext_place *at,
		  const struct ext_new *n, struct err *e)
{
	int rc = new_inode(w, at, n, &at->ino, e);

	if (!rc)
		rc = ext_enter(w, at, at->ino, EXT2_FT_REG_FILE, e);
	if (!rc)
		rc = ext_inode_touched(w, at->ino, EXT_MTIME | EXT_ATIME |
				       EXT_CRTIME, e);
	return rc ? rc : ext_inherit(w, at->dir, at->ino, e);
}

/* Data inside the inode goes out of it: into `old`, the file is then empty.
 * libext2fs would write it in place, but at a wrong length.
 */
static int take_inline(struct ext_write *w, ext2_ino_t ino,
		       union ext_inode *inode, char *old, struct err *e)
{
	struct ext2_xattr_handle *h;
	size_t len;
	errcode_t code = ext2fs_inline_data_get(w->fs, ino, &inode->small, old,
						&len);
	int rc;

	if (!code)
		code = ext2fs_xattrs_open(w->fs, ino, &h);
	if (code)
		return ext_fail(e, code, "data in inode %u", ino);
	code = ext2fs_xattrs_read(h);
	if (!code)
		code = ext2fs_xattr_remove(h, "system.data");
	ext2fs_xattrs_close(&h);
	if (code)
		return ext_fail(e, code, "data in inode %u", ino);
	rc = ext_inode_read(w, ino, inode, e);
	if (rc)
		return rc;
	inode->small.i_flags &= ~(uint32_t)EXT4_INLINE_DATA_FL;
	memset(inode->small.i_block, 0, sizeof(inode->small.i_block));
	inode->small.i_size = 0;
	rc = init_map(w, ino, inode, e);
	return rc ? rc : ext_inode_store(w, ino, inode, e);
}

static int unfold(struct ext_write *w, ext2_ino_t ino, union ext_inode *inode,
		  uint64_t size, struct err *e)
{
	size_t inode_size = EXT2_INODE_SIZE(w->fs->super);
	char *old;
	int rc;

	if (size > inode_size)
		return fail(e, EUCLEAN, "%" PRIu64 " bytes cannot be in inode "
			    "%u, which has %zu", size, ino, inode_size);
	old = array_alloc(2, inode_size);
	if (!old)
		return fail(e, ENOMEM, "out of memory");
	rc = take_inline(w, ino, inode, old, e);
	if (!rc)
		rc = fill(w, ino, old, (size_t)size, 0, e);
	free(old);
	return rc;
}

/* A regular file that may be changed; its size. */
static int writable(struct ext_write *w, ext2_ino_t ino, uint64_t *size,
		    struct err *e)
{
	union ext_inode inode;
	int rc = ext_inode_read(w, ino, &inode, e);

	if (rc)
		return rc;
	if (!LINUX_S_ISREG(inode.small.i_mode))
		return fail(e, LINUX_S_ISDIR(inode.small.i_mode) ? EISDIR :
			    EINVAL, "this is not a regular file");
	*size = EXT2_I_SIZE(&inode.small);
	rc = ext_inode_check(w, ino, &inode, e);
	if (!rc && inode.small.i_flags & EXT4_INLINE_DATA_FL)
		rc = unfold(w, ino, &inode, *size, e);
	return rc;
}

int ext_write_file(struct ext_write *w, const char *path, const void *data,
		   size_t len, const struct ext_new *n, struct err *e)
{
	struct ext_place at;
	uint64_t size;
	int rc = ext_find(w, path, &at, e);

	if (rc)
		return rc;
	rc = at.ino ? writable(w, at.ino, &size, e) : create(w, &at, n, e);
	if (!rc)
		rc = fill(w, at.ino, data, len, 0, e);
	return rc ? fail_prefix(e, rc, "'%s'", path) : 0;
}

int ext_write_append(struct ext_write *w, const char *path, const void *data,
		     size_t len, struct err *e)
{
	struct ext_place at;
	uint64_t size;
	int rc = ext_find(w, path, &at, e);

	if (rc)
		return rc;
	if (!at.ino)
		return fail(e, ENOENT, "'%s' does not exist", path);
	rc = writable(w, at.ino, &size, e);
	if (!rc)
		rc = fill(w, at.ino, data, len, size, e);
	return rc ? fail_prefix(e, rc, "'%s'", path) : 0;
}
