/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_dir.c - folders that are changed: names found and entered, new folders
 * and links.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "convert/fs/ext_state.h"

#define MAX_DIR_LINKS 65000u	/* then, with dir_nlink, 1 means many */

/* The next component, or false at the end. */
static bool next_name(const char **path, const char **name, int *len)
{
	const char *p = *path;

	while (*p == '/')
		p++;
	*name = p;
	while (*p && *p != '/')
		p++;
	*len = (int)(p - *name);
	*path = p;
	return *len != 0;
}

static int check_name(const char *name, int len, struct err *e)
{
	if (len > EXT2_NAME_LEN)
		return fail(e, ENAMETOOLONG, "'%.40s...': a name has at most "
			    "%d bytes", name, EXT2_NAME_LEN);
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return fail(e, EINVAL, "'%.*s' is no name of a file", len,
			    name);
	return 0;
}

static int lookup(struct ext_write *w, ext2_ino_t dir, const char *name,
		  int len, ext2_ino_t *ino, struct err *e)
{
	union ext_inode inode;
	errcode_t code;
	int rc = ext_inode_read(w, dir, &inode, e);

	if (rc)
		return rc;
	if (!LINUX_S_ISDIR(inode.small.i_mode))
		return fail(e, ENOTDIR, "what should hold '%.*s' is not a "
			    "folder", len, name);
	rc = ext_inode_check(w, dir, &inode, e);
	if (rc)
		return rc;
	code = ext2fs_lookup(w->fs, dir, name, len, NULL, ino);
	if (code == EXT2_ET_FILE_NOT_FOUND)
		return -ENOENT;
	return code ? ext_fail(e, code, "looking for '%.*s'", len, name) : 0;
}

int ext_find(struct ext_write *w, const char *path, struct ext_place *out,
	     struct err *e)
{
	const char *rest = path, *name, *next;
	int rc, len, next_len;

	if (strlen(path) >= PATH_MAX)
		return fail(e, ENAMETOOLONG, "a path has at most %d bytes",
			    PATH_MAX - 1);
	*out = (struct ext_place){ .ino = EXT2_ROOT_INO };
	while (next_name(&rest, &name, &len)) {
		const char *more = rest;

		*out = (struct ext_place){ out->ino, 0, name, len };
		rc = check_name(name, len, e);
		if (!rc)
			rc = lookup(w, out->dir, name, len, &out->ino, e);
		if (rc == -ENOENT && !next_name(&more, &next, &next_len))
			return 0;
		if (rc == -ENOENT)
			return fail(e, ENOENT, "'%.*s' does not exist",
				    (int)(rest - path), path);
		if (rc)
			return fail_prefix(e, rc, "'%.*s'", (int)(rest - path),
					   path);
	}
	if (!out->dir)
		return fail(e, EINVAL, "'%s' is the root", path);
	return 0;
}

static int enter(struct ext_write *w, const struct ext_place *at,
		 ext2_ino_t ino, int type, struct err *e)
{
	char name[EXT2_NAME_LEN + 1];
	union ext_inode dir;
	errcode_t code;
	int rc = ext_inode_read(w, at->dir, &dir, e);

	if (!rc)
		rc = ext_htree_check(w, at->dir, &dir, e);
	if (rc)
		return rc;
	memcpy(name, at->name, (size_t)at->name_len);
	name[at->name_len] = 0;
	code = ext2fs_link(w->fs, at->dir, name, ino, type);
	if (code == EXT2_ET_DIR_NO_SPACE) {
		code = ext2fs_expand_dir(w->fs, at->dir);
		if (!code)
			code = ext2fs_link(w->fs, at->dir, name, ino, type);
	}
	return code ? ext_fail(e, code, "entering '%s'", name) : 0;
}

int ext_enter(struct ext_write *w, const struct ext_place *at, ext2_ino_t ino,
	      int type, struct err *e)
{
	int rc = enter(w, at, ino, type, e);

	return rc ? rc : ext_inode_touched(w, at->dir, EXT_MTIME, e);
}

/* Owner, mode and times of what libext2fs has made. */
static int dress(struct ext_write *w, const struct ext_place *at,
		 ext2_ino_t ino, const struct ext_new *n, uint32_t mode,
		 struct err *e)
{
	union ext_inode inode;
	int rc = ext_inode_read(w, ino, &inode, e);

	if (rc)
		return rc;
	inode.small.i_mode = (uint16_t)((inode.small.i_mode & LINUX_S_IFMT) |
					mode);
	ext_inode_own(&inode, n);
	ext_inode_touch(w, &inode, EXT_MTIME | EXT_ATIME | EXT_CRTIME);
	rc = ext_inode_store(w, ino, &inode, e);
	return rc ? rc : ext_inherit(w, at->dir, ino, e);
}

/* libext2fs knows neither the limit of links nor that 1 means many. */
static int count_folder(struct ext_write *w, ext2_ino_t dir, uint16_t before,
			struct err *e)
{
	union ext_inode parent;
	int rc = ext_inode_read(w, dir, &parent, e);

	if (rc)
		return rc;
	parent.small.i_links_count = before == 1 ? 1 : (uint16_t)(before + 1);
	if (before != 1 && before + 1u >= MAX_DIR_LINKS)
		parent.small.i_links_count = 1;
	ext_inode_touch(w, &parent, EXT_MTIME);
	return ext_inode_store(w, dir, &parent, e);
}

static int mkdir_at(struct ext_write *w, const struct ext_place *at,
		    const struct ext_new *n, struct err *e)
{
	char name[EXT2_NAME_LEN + 1];
	union ext_inode parent;
	ext2_ino_t ino;
	errcode_t code;
	int rc = ext_inode_read(w, at->dir, &parent, e);

	if (!rc)
		rc = ext_htree_check(w, at->dir, &parent, e);
	if (rc)
		return rc;
	if (parent.small.i_links_count + 1u >= MAX_DIR_LINKS &&
	    !ext2fs_has_feature_dir_nlink(w->fs->super))
		return fail(e, EMLINK, "the folder holds %u folders, more "
			    "cannot be", parent.small.i_links_count - 2u);
	memcpy(name, at->name, (size_t)at->name_len);
	name[at->name_len] = 0;
	code = ext2fs_new_inode(w->fs, at->dir, LINUX_S_IFDIR | 0755, NULL,
				&ino);
	if (!code)
		code = ext2fs_mkdir(w->fs, at->dir, ino, name);
	if (code == EXT2_ET_DIR_NO_SPACE) {
		code = ext2fs_expand_dir(w->fs, at->dir);
		if (!code)
			code = ext2fs_mkdir(w->fs, at->dir, ino, name);
	}
	if (code)
		return ext_fail(e, code, "making '%s'", name);
	rc = count_folder(w, at->dir, parent.small.i_links_count, e);
	return rc ? rc : dress(w, at, ino, n, n->mode & 07777, e);
}

static int symlink_at(struct ext_write *w, const struct ext_place *at,
		      const char *target, const struct ext_new *n,
		      struct err *e)
{
	ext2_ino_t ino;
	errcode_t code = ext2fs_new_inode(w->fs, at->dir, LINUX_S_IFLNK | 0777,
					  NULL, &ino);
	int rc;

	if (!code)
		code = ext2fs_symlink(w->fs, 0, ino, NULL, target);
	if (code)
		return ext_fail(e, code, "a link to '%.80s'", target);
	rc = ext_enter(w, at, ino, EXT2_FT_SYMLINK, e);
	return rc ? rc : dress(w, at, ino, n, 0777, e);
}

int ext_write_mkdir(struct ext_write *w, const char *path,
		    const struct ext_new *n, struct err *e)
{
	struct ext_place at;
	int rc = ext_find(w, path, &at, e);

	if (rc)
		return rc;
	if (at.ino)
		return fail(e, EEXIST, "'%s' exists already", path);
	rc = mkdir_at(w, &at, n, e);
	return rc ? fail_prefix(e, rc, "'%s'", path) : 0;
}

int ext_write_symlink(struct ext_write *w, const char *path, const char *target,
		      const struct ext_new *n, struct err *e)
{
	size_t len = strlen(target);
	struct ext_place at;
	int rc;

	if (!len || len >= min_u64(w->fs->blocksize, PATH_MAX))
		return fail(e, len ? ENAMETOOLONG : EINVAL, "'%s': the target "
			    "of a link has 1 to %" PRIu64 " bytes, not %zu",
			    path, min_u64(w->fs->blocksize, PATH_MAX) - 1, len);
	rc = ext_find(w, path, &at, e);
	if (rc)
		return rc;
	if (at.ino)
		return fail(e, EEXIST, "'%s' exists already", path);
	rc = symlink_at(w, &at, target, n, e);
	return rc ? fail_prefix(e, rc, "'%s'", path) : 0;
}
