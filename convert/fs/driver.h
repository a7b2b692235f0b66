/* SPDX-License-Identifier: GPL-2.0-or-later */
/* driver.h - what a reader of a file system implements.  Internal to convert/fs. */
#ifndef CONVERT_FS_DRIVER_H
#define CONVERT_FS_DRIVER_H

#include "convert/fs/fs.h"

struct fs {
	const struct fs_driver *drv;	/* NULL: no reader */
	struct img *volume;		/* borrowed */
	struct fs_identity id;
	void *state;			/* the driver's */
};

/* fs.c checks arguments, asks only where id.has_files or id.has_map says so, and
 * answers lookups by list().  A call that is left out gives -ENOTSUP.
 */
struct fs_driver {
	/* Fills in fs->id.  -EUCLEAN and -ENOTSUP leave there what is known, and
	 * the sentence goes into its note.  close() is called after any failure.
	 */
	int (*open)(struct fs *fs, struct err *e);
	void (*close)(struct fs *fs);
	/* `offset` lies on the volume; what is beyond it is cut by fs.c. */
	int (*map)(struct fs *fs, uint64_t offset, struct fs_extent *ext,
		   struct err *e);
	uint64_t root;
	/* Are two names the same?  NULL: when their bytes are. */
	bool (*same_name)(const char *a, const char *b);
	int (*stat)(struct fs *fs, uint64_t ino, struct fs_stat *out,
		    struct err *e);
	/* Names as they are, without "." and ".."; fs.c looks at them. */
	int (*list)(struct fs *fs, uint64_t dir,
		    int (*entry)(void *arg, const char *name, uint64_t ino),
		    void *arg, struct err *e);
	/* `len` is not 0. */
	int (*read)(struct fs *fs, uint64_t ino, void *buf, size_t len,
		    uint64_t offset, struct err *e);
	int (*readlink)(struct fs *fs, uint64_t ino, char *buf, size_t size,
			struct err *e);
	int (*xattr)(struct fs *fs, uint64_t ino, const char *name,
		     void **value, size_t *len, struct err *e);
	int (*owners)(struct fs *fs, uint64_t offset, uint64_t len,
		      int (*file)(void *arg, const char *path), void *arg,
		      struct err *e);
};

extern const struct fs_driver fs_ext4_driver, fs_fat_driver, fs_swap_driver;

/* What does libblkid say?  Fills in type, uuid and label; an empty type where it
 * knows nothing.
 */
int fs_blkid(struct img *volume, struct fs_identity *id, struct err *e);

/* The 16 bytes of a UUID as text. */
void fs_uuid_text(const uint8_t *uuid, char out[64]);

#endif
