/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_state.h - what the files of ext_write.h share.  Internal to them. */
#ifndef CONVERT_FS_EXT_STATE_H
#define CONVERT_FS_EXT_STATE_H

#include <ext2fs/ext2fs.h>

#include "convert/fs/ext_write.h"

struct ext_write {
	ext2_filsys fs;
	struct img *volume;
	int64_t now;		/* seconds */
};

/* An inode with its large part, whatever its size on the disk. */
union ext_inode {
	struct ext2_inode_large large;
	struct ext2_inode small;
	uint8_t bytes[EXT2_MIN_BLOCK_SIZE];
};

/* ext_io.c */

/* libext2fs on a layer; `flags` are EXT2_FLAG_*. */
int ext_io_open(struct img *volume, int flags, ext2_filsys *fs, struct err *e);
/* "what: libext2fs's words", and a negative errno. */
int ext_fail(struct err *e, errcode_t code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ext_inode.c */

/* Of an inode number that a directory holds: -EUCLEAN unless it is in use. */
int ext_inode_read(struct ext_write *w, ext2_ino_t ino, union ext_inode *out,
		   struct err *e);
int ext_inode_store(struct ext_write *w, ext2_ino_t ino, union ext_inode *inode,
		    struct err *e);
/* Refuse what is not written, and blocks that cannot be this file's. */
int ext_inode_check(struct ext_write *w, ext2_ino_t ino,
		    const union ext_inode *inode, struct err *e);
/* Set these to now. */
#define EXT_MTIME 1u
#define EXT_ATIME 2u
#define EXT_CRTIME 4u
void ext_inode_touch(struct ext_write *w, union ext_inode *inode,
		     unsigned which);
int ext_inode_touched(struct ext_write *w, ext2_ino_t ino, unsigned which,
		      struct err *e);
void ext_inode_own(union ext_inode *inode, const struct ext_new *n);
/* Free the blocks and attributes, then the inode itself. */
int ext_inode_free(struct ext_write *w, ext2_ino_t ino, union ext_inode *inode,
		   struct err *e);
/* The security label of folder `dir` for `ino`. */
int ext_inherit(struct ext_write *w, ext2_ino_t dir, ext2_ino_t ino,
		struct err *e);

/* ext_dir.c */

/* A path as folder and last name, which points into `path`. */
struct ext_place {
	ext2_ino_t dir, ino;	/* ino 0: there is no such name */
	const char *name;
	int name_len;
};
int ext_find(struct ext_write *w, const char *path, struct ext_place *out,
	     struct err *e);
/* Enter `ino` into the folder, which may grow. */
int ext_enter(struct ext_write *w, const struct ext_place *at, ext2_ino_t ino,
	      int type, struct err *e);

/* ext_htree.c: -EUCLEAN unless the index is one that may be walked. */
int ext_htree_check(struct ext_write *w, ext2_ino_t dir,
		    const union ext_inode *inode, struct err *e);

/* ext_quota.c: the accounts of users, groups and projects become right. */
int ext_quota_update(struct ext_write *w, struct err *e);

/* ext_orphan.c: free what had been deleted, cut what was to be cut. */
int ext_orphans(struct ext_write *w, struct err *e);

#endif
