/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_remove.c - take files and folders away.
 *
 * Of a tree only the top's name is taken out of its folder: what is below is
 * freed, the deepest first.  A folder that holds itself is found by the path
 * down to it, other loops by what has been freed already.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"

struct frame {
	ext2_ino_t dir;
	ext2_ino_t *children;
	size_t n, cap, next;
};

struct walk {
	struct frame *stack;
	size_t n, cap;
};

static bool is_dot(const struct ext2_dir_entry *d)
{
	int len = ext2fs_dirent_name_len(d);

	return d->name[0] == '.' &&
		(len == 1 || (len == 2 && d->name[1] == '.'));
}

static int collect(ext2_ino_t dir, int entry, struct ext2_dir_entry *d,
		   int offset, int blocksize, char *buf, void *arg)
{
	struct frame *f = arg;

	(void)dir;
	(void)entry;	/* in an inode it is wrong */
	(void)offset;
	(void)blocksize;
	(void)buf;
	if (!d->inode || is_dot(d))
		return 0;
	if (array_grow(&f->children, &f->cap, f->n + 1,
		       sizeof(*f->children)))
		return DIRENT_ABORT;
	f->children[f->n++] = d->inode;
	/* How collect() says that it has ended by itself. */
	f->next = f->n;
	return 0;
}

/* One of the reserved inodes is no file of anybody's. */
static int removable(const struct ext_write *w, ext2_ino_t ino, struct err *e)
{
	if (ino < EXT2_FIRST_INODE(w->fs->super) || ino == EXT2_ROOT_INO)
		return fail(e, EUCLEAN, "a name leads to inode %u, which is "
			    "reserved", ino);
	return 0;
}

static int push(struct ext_write *w, struct walk *walk, ext2_ino_t dir,
		struct err *e)
{
	struct frame *f;
	errcode_t code;

	for (size_t i = 0; i < walk->n; i++)
		if (walk->stack[i].dir == dir)
			return fail(e, EUCLEAN, "folder %u holds itself", dir);
	if (array_grow(&walk->stack, &walk->cap, walk->n + 1, sizeof(*f)))
		return fail(e, ENOMEM, "out of memory");
	f = &walk->stack[walk->n++];
	*f = (struct frame){ .dir = dir };
	code = ext2fs_dir_iterate2(w->fs, dir, 0, NULL, collect, f);
	if (code)
		return ext_fail(e, code, "folder %u", dir);
	if (f->next != f->n)
		return fail(e, ENOMEM, "out of memory");
	f->next = 0;
	return 0;
}

/* One name less. */
static int drop_file(struct ext_write *w, ext2_ino_t ino,
		     union ext_inode *inode, struct err *e)
{
	int rc;

	if (inode->small.i_links_count == 1)
		return ext_inode_free(w, ino, inode, e);
	inode->small.i_links_count--;
	ext_inode_touch(w, inode, 0);
	rc = ext_inode_store(w, ino, inode, e);
	return rc;
}

static int drop(struct ext_write *w, struct walk *walk, ext2_ino_t ino,
		struct err *e)
{
	union ext_inode inode;
	int rc = removable(w, ino, e);

	if (!rc)
		rc = ext_inode_read(w, ino, &inode, e);
	if (!rc && LINUX_S_ISDIR(inode.small.i_mode)) {
		rc = ext_inode_check(w, ino, &inode, e);
		return rc ? rc : push(w, walk, ino, e);
	}
	return rc ? rc : drop_file(w, ino, &inode, e);
}

static int free_folder(struct ext_write *w, ext2_ino_t ino, struct err *e)
{
	union ext_inode inode;
	int rc = ext_inode_read(w, ino, &inode, e);

	return rc ? rc : ext_inode_free(w, ino, &inode, e);
}

static int drop_tree(struct ext_write *w, ext2_ino_t ino, struct err *e)
{
	struct walk walk = { 0 };
	int rc = drop(w, &walk, ino, e);

	while (!rc && walk.n) {
		struct frame *f = &walk.stack[walk.n - 1];

		if (f->next < f->n) {
			rc = drop(w, &walk, f->children[f->next++], e);
			continue;
		}
		rc = free_folder(w, f->dir, e);
		free(f->children);
		walk.n--;
	}
	while (walk.n)
		free(walk.stack[--walk.n].children);
	free(walk.stack);
	return rc;
}

/* The folder has lost a name, and perhaps a folder. */
static int leave(struct ext_write *w, const struct ext_place *at, bool is_dir,
		 struct err *e)
{
	union ext_inode dir;
	int rc = ext_inode_read(w, at->dir, &dir, e);

	if (rc)
		return rc;
	if (is_dir && dir.small.i_links_count > 2)
		dir.small.i_links_count--;
	ext_inode_touch(w, &dir, EXT_MTIME);
	return ext_inode_store(w, at->dir, &dir, e);
}

static int remove_at(struct ext_write *w, const struct ext_place *at,
		     struct err *e)
{
	char name[EXT2_NAME_LEN + 1];
	union ext_inode inode;
	errcode_t code;
	int rc = ext_inode_read(w, at->ino, &inode, e);

	if (!rc)
		rc = removable(w, at->ino, e);
	if (rc)
		return rc;
	memcpy(name, at->name, (size_t)at->name_len);
	name[at->name_len] = 0;
	code = ext2fs_unlink(w->fs, at->dir, name, at->ino, 0);
	if (code)
		return ext_fail(e, code, "its name");
	rc = drop_tree(w, at->ino, e);
	return rc ? rc : leave(w, at, LINUX_S_ISDIR(inode.small.i_mode), e);
}

int ext_write_remove(struct ext_write *w, const char *path, struct err *e)
{
	struct ext_place at;
	int rc = ext_find(w, path, &at, e);

	if (rc)
		return rc;
	if (!at.ino)
		return fail(e, ENOENT, "'%s' does not exist", path);
	rc = remove_at(w, &at, e);
	return rc ? fail_prefix(e, rc, "'%s'", path) : 0;
}
