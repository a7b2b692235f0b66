/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs.h - a file system on a volume: what it is, which blocks it uses, its files.
 *
 * Read only, without a mount, through the block layer.  Whether files can be read
 * depends on the type: ext2, ext3 and ext4 here, FAT next; of swap and of what
 * only libblkid knows there is the identity alone, and all of it is in use.
 *
 * A file system whose journal is dirty is shown as it will be once the journal has
 * been replayed; nothing is written.
 *
 * Everything on a volume is hostile: -EUCLEAN with a sentence that names the
 * structure, and time and memory that are bounded whatever it says.  A file is
 * named by its inode number.  One thread at a time uses a struct fs.
 */
#ifndef CONVERT_FS_FS_H
#define CONVERT_FS_FS_H

#include "imgfmt/imgfmt.h"

struct fs;

struct fs_identity {
	char type[32];		/* libblkid's name: "ext4", "vfat", "swap", "xfs",
				 * "crypto_LUKS", "LVM2_member"...; "" unknown */
	char uuid[64];		/* as /dev/disk/by-uuid has it; "" none */
	char label[256];	/* "" none */
	uint64_t size;		/* bytes that it says it takes; 0 unknown */
	uint32_t block_size;	/* bytes; 0 unknown */
	bool dirty;		/* not unmounted cleanly: a journal to replay */
	bool hibernated;	/* a suspended system lies in it; type "swap" */
	bool has_files;		/* fs_lookup() and the like work */
	bool has_map;		/* fs_map() knows what is free */
	struct err note;	/* why there are no files or no map, though this
				 * type is known: what is damaged or not supported;
				 * "" if there is nothing to say */
};

/* Does the signature at the end of swap space's first page, in a partition or in a
 * file, say that a suspended system lies there?
 */
#define FS_SWAP_SIGNATURE 10u	/* bytes */
bool fs_is_hibernated(const uint8_t *signature);

/* `volume` is borrowed until fs_close().  What no reader knows is opened too,
 * without files, and so is what is corrupt or not supported: then `note` says why.
 * Only I/O errors and lack of memory fail.
 */
int fs_open(struct img *volume, struct fs **out, struct err *e);
void fs_close(struct fs *fs);		/* NULL is allowed */
const struct fs_identity *fs_identity(const struct fs *fs);

/* Which blocks are used?  Walk the volume by adding ext->len.  Where nothing is
 * known the answer is used; what lies in a dirty journal counts as used.
 */
struct fs_extent {
	uint64_t offset, len;	/* on the volume, bytes; len at least 1 */
	bool used;
};
int fs_map(struct fs *fs, uint64_t offset, struct fs_extent *ext,
	   struct err *e);

/* Files. */
struct fs_stat {
	uint64_t ino;
	uint32_t mode;		/* S_IFMT and permissions */
	uint32_t uid, gid, nlink;
	uint64_t size;		/* bytes */
	int64_t atime, mtime, ctime;	/* seconds */
	uint32_t rdev_major, rdev_minor;
};

uint64_t fs_root(const struct fs *fs);
int fs_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e);
/* One name in one directory, no slash: -ENOENT, -ENOTDIR. */
int fs_lookup(struct fs *fs, uint64_t dir, const char *name, size_t name_len,
	      uint64_t *ino, struct err *e);
/* Calls `entry` for each name but "." and ".."; a value other than 0 ends it and
 * is returned.  Names hold no slash and no NUL, are shorter than 256 bytes, and
 * may be anything else; names that break this are -EUCLEAN.
 */
int fs_list(struct fs *fs, uint64_t dir,
	    int (*entry)(void *arg, const char *name, uint64_t ino), void *arg,
	    struct err *e);
/* Bytes of a regular file, all or nothing; -ERANGE beyond its end. */
int fs_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset,
	    struct err *e);
/* The target, NUL-terminated: -ENAMETOOLONG when it does not fit. */
int fs_readlink(struct fs *fs, uint64_t ino, char *buf, size_t size,
		struct err *e);
/* An extended attribute ("security.selinux"), into memory that the caller frees;
 * -ENODATA: there is none.
 */
int fs_xattr(struct fs *fs, uint64_t ino, const char *name, void **value,
	     size_t *len, struct err *e);

/* Whose are the bytes [offset, offset + len) of the volume?  Calls `file` with the
 * path of each file that has some, once a file; `path` is what is known when a
 * file has no name ("inode 12").  "(file system's own)" for metadata.
 */
int fs_owners(struct fs *fs, uint64_t offset, uint64_t len,
	      int (*file)(void *arg, const char *path), void *arg,
	      struct err *e);

#endif
