/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_write.h - change the files of an ext2, ext3 or ext4 file system that is
 * not mounted, on any writable layer.
 *
 * libext2fs does it, on our block layer.  Every call leaves a file system that
 * e2fsck finds nothing wrong with, once ext_write_flush() has run; blocks whose
 * bytes stay the same are not written, so that an overlay stays small.  There
 * is no journal about it: after a failure, or a power cut before the flush, the
 * volume is of no use, which is why edits go to an overlay.
 *
 * Paths count from the file system's root, without a link on the way, ".", or
 * "..": "etc/fstab", a slash in front is allowed.  Errors: -ENOENT, -EEXIST,
 * -ENOTDIR, -EISDIR as of the system calls; -ENOSPC; -EUCLEAN and a sentence
 * for what is corrupt; -ENOTSUP for features that are not written: quotas,
 * encrypted, case-folded and verity files, shared blocks.  One thread at a
 * time.
 */
#ifndef CONVERT_FS_EXT_WRITE_H
#define CONVERT_FS_EXT_WRITE_H

#include "imgfmt/imgfmt.h"

struct ext_write;

/* `volume` is open for writing, has been accepted by fs_open(), and is
 * borrowed. A dirty journal is replayed, and what was deleted but open when the
 * guest stopped is freed, as a mount would do.  `now` (seconds) is the time
 * that changed files get.  A file system that says that it has errors, an ext2
 * that was not unmounted, and one that another machine has mounted (MMP) are
 * refused, -EBUSY.
 */
int ext_write_open(struct img *volume, int64_t now, struct ext_write **out,
		   struct err *e);
/* Write out what is pending. */
int ext_write_flush(struct ext_write *w, struct err *e);
/* Without a flush; NULL is allowed. */
void ext_write_close(struct ext_write *w);

/* What a new file, folder or link gets, besides the security label of the
 * folder it is in.
 */
struct ext_new {
	uint32_t mode;		/* permissions only */
	uint32_t uid, gid;
};

/* The whole content of a file: an existing one keeps its inode, owner, mode and
 * attributes.
 */
int ext_write_file(struct ext_write *w, const char *path, const void *data,
		   size_t len, const struct ext_new *n, struct err *e);
/* Behind the end of a regular file that exists. */
int ext_write_append(struct ext_write *w, const char *path, const void *data,
		     size_t len, struct err *e);
int ext_write_mkdir(struct ext_write *w, const char *path,
		    const struct ext_new *n, struct err *e);
int ext_write_symlink(struct ext_write *w, const char *path, const char *target,
		      const struct ext_new *n, struct err *e);
/* A name; the file goes with the last one.  Of a folder all that is in it. */
int ext_write_remove(struct ext_write *w, const char *path, struct err *e);

/* How much room is there?  Nothing is written, `volume` may be read-only; what
 * ext_write_open() would refuse is refused, but for the journal, without which
 * the numbers may be somewhat old.
 */
struct ext_room {
	uint64_t free_bytes;	/* also what is reserved for root */
	uint64_t free_inodes;
	uint32_t unit;		/* bytes: block, or cluster with bigalloc */
};
int ext_room(struct img *volume, struct ext_room *out, struct err *e);
/* At most so many bytes does a file of `len` bytes take, with its map of
 * blocks, attributes, and the growth of its folder if it is `fresh`.
 */
uint64_t ext_room_of_file(const struct ext_room *r, uint64_t len, bool fresh);

#endif
