/* SPDX-License-Identifier: GPL-2.0-or-later */
/* open.c - opening ext2, ext3 and ext4, and what fs.c calls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/driver.h"
#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"

#define SUPER_AT 1024u
#define SUPER_LEN 1024u

void ext4_close(struct ext4 *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < EXT4_MAX_DEPTH; i++)
		free(x->path[i].data);
	for (unsigned i = 0; i < EXT4_LINES; i++)
		free(x->cache.line[i]);
	free(x->block);
	free(x->fresh);
	free(x->raw);
	free(x->meta);
	free(x->bitmap);
	free(x);
}

static int alloc_buffers(struct ext4 *x)
{
	x->block = malloc(x->s.block_size);
	x->raw = malloc(x->s.inode_size);
	x->bitmap = malloc(x->s.block_size);
	return x->block && x->raw && x->bitmap ? 0 : -ENOMEM;
}

/* The superblock as it will be may be in the journal too. */
static int replay_in_memory(struct ext4 *x, struct err *e)
{
	struct ext4_super after;
	uint8_t sb[SUPER_LEN];
	int rc;

	rc = ext4_journal_scan(x, e);
	if (rc)
		return fail_prefix(e, rc, "the journal");
	ext4_cache_drop(x);
	rc = ext4_read(x, sb, sizeof(sb), SUPER_AT, e);
	if (rc)
		return rc;
	rc = ext4_decode_super(sb, img_size(x->volume), &after, e);
	if (rc)
		return fail_prefix(e, rc, "as the journal has it");
	if (after.block_size != x->s.block_size ||
	    after.inode_size != x->s.inode_size)
		return fail(e, EUCLEAN, "the superblock in the journal has blocks "
			    "of %u bytes, the one on the volume of %u",
			    after.block_size, x->s.block_size);
	x->s = after;
	if (x->journal_error)
		x->s.state |= STATE_ERROR;
	return 0;
}

int ext4_open(struct img *volume, struct ext4 **out, struct err *e)
{
	uint8_t sb[SUPER_LEN];
	struct ext4 *x;
	int rc;

	if (img_size(volume) < SUPER_AT + SUPER_LEN)
		return fail(e, EUCLEAN, "there is no superblock of ext4");
	x = calloc(1, sizeof(*x));
	if (!x)
		return fail(e, ENOMEM, "out of memory");
	x->volume = volume;
	ext4_cache_drop(x);
	rc = img_read(volume, sb, sizeof(sb), SUPER_AT);
	if (rc)
		fail_rc(e, rc, "reading the superblock");
	if (!rc)
		rc = ext4_decode_super(sb, img_size(volume), &x->s, e);
	if (!rc && alloc_buffers(x))
		rc = fail(e, ENOMEM, "out of memory");
	x->dirty = x->s.incompat & INCOMPAT_RECOVER;
	if (!rc && x->dirty)
		rc = replay_in_memory(x, e);
	if (rc) {
		ext4_close(x);
		return rc;
	}
	*out = x;
	return 0;
}

/* Can what the bitmaps say be believed? */
static bool trust_bitmaps(const struct ext4 *x, struct err *note)
{
	if (x->s.state & STATE_ERROR) {
		fail(note, EUCLEAN, "the file system is marked as having errors: "
		     "all of it counts as used");
		return false;
	}
	if (!(x->s.state & STATE_VALID) &&
	    !(x->s.compat & COMPAT_HAS_JOURNAL)) {
		fail(note, EUCLEAN, "the file system was not unmounted cleanly and "
		     "has no journal: all of it counts as used");
		return false;
	}
	return true;
}

/* Identity before all checks: a damaged ext4 is still one. */
static int open_fs(struct fs *fs, struct err *e)
{
	uint8_t sb[SUPER_LEN], uuid[16];
	const char *type;
	struct ext4 *x;
	int rc;

	if (img_size(fs->volume) < SUPER_AT + SUPER_LEN)
		return -EUCLEAN;
	rc = img_read(fs->volume, sb, sizeof(sb), SUPER_AT);
	if (rc)
		return fail_rc(e, rc, "reading the superblock");
	if (!ext4_name_super(sb, &type, uuid, fs->id.label, &fs->id.size))
		return -EUCLEAN;
	strcpy(fs->id.type, type);
	if (!bytes_are_zero(uuid, 16))
		fs_uuid_text(uuid, fs->id.uuid);
	rc = ext4_open(fs->volume, &x, e);
	if (rc)
		return rc;
	fs->state = x;
	x->note = &fs->id.note;
	fs->id.block_size = x->s.block_size;
	fs->id.dirty = x->dirty || !(x->s.state & STATE_VALID);
	fs->id.has_files = true;
	fs->id.has_map = trust_bitmaps(x, &fs->id.note);
	return 0;
}

static void close_fs(struct fs *fs)
{
	ext4_close(fs->state);
}

static int map(struct fs *fs, uint64_t offset, struct fs_extent *ext,
	       struct err *e)
{
	ext->offset = offset;
	return ext4_map(fs->state, offset, &ext->len, &ext->used, e);
}

/* Small numbers in i_block's first word, larger ones in its second. */
static void get_device(const struct ext4_inode *in, struct fs_stat *st)
{
	uint32_t old = get_le32(in->block), dev = get_le32(in->block + 4);

	if (old) {
		st->rdev_major = old >> 8 & 255;
		st->rdev_minor = old & 255;
	} else {
		st->rdev_major = dev >> 8 & 0xfff;
		st->rdev_minor = (dev & 255) | (dev >> 12 & 0xfff00);
	}
}

static int stat_fs(struct fs *fs, uint64_t ino, struct fs_stat *out,
		   struct err *e)
{
	struct ext4_inode in;
	int rc = ext4_inode(fs->state, ino, &in, e);

	if (rc)
		return rc;
	*out = (struct fs_stat){
		.ino = ino, .mode = in.mode, .uid = in.uid, .gid = in.gid,
		.nlink = in.links, .size = in.size, .atime = in.atime,
		.mtime = in.mtime, .ctime = in.ctime,
	};
	if ((in.mode & 0170000) == 0060000 || (in.mode & 0170000) == 0020000)
		get_device(&in, out);
	return 0;
}

static int list(struct fs *fs, uint64_t dir,
		int (*entry)(void *arg, const char *name, uint64_t ino),
		void *arg, struct err *e)
{
	struct ext4_inode in;
	int rc = ext4_inode(fs->state, dir, &in, e);

	return rc ? rc : ext4_dir_list(fs->state, &in, entry, arg, e);
}

static int read_fs(struct fs *fs, uint64_t ino, void *buf, size_t len,
		   uint64_t offset, struct err *e)
{
	struct ext4_inode in;
	int rc = ext4_inode(fs->state, ino, &in, e);

	if (rc)
		return rc;
	if ((in.mode & 0170000) != 0100000)
		return fail(e, EINVAL, "inode %u is no regular file", in.ino);
	if (!in_range(offset, len, in.size))
		return fail(e, ERANGE, "inode %u has %llu bytes", in.ino,
			    (unsigned long long)in.size);
	return ext4_file_read(fs->state, &in, buf, len, offset, e);
}

static int readlink_fs(struct fs *fs, uint64_t ino, char *buf, size_t size,
		       struct err *e)
{
	struct ext4_inode in;
	int rc = ext4_inode(fs->state, ino, &in, e);

	if (rc)
		return rc;
	if ((in.mode & 0170000) != 0120000)
		return fail(e, EINVAL, "inode %u is no symbolic link", in.ino);
	return ext4_file_readlink(fs->state, &in, buf, size, e);
}

static int xattr(struct fs *fs, uint64_t ino, const char *name, void **value,
		 size_t *len, struct err *e)
{
	struct ext4_inode in;
	int rc = ext4_inode(fs->state, ino, &in, e);

	return rc ? rc : ext4_xattr_by_name(fs->state, &in, name, value, len, e);
}

static int owners(struct fs *fs, uint64_t offset, uint64_t len,
		  int (*file)(void *arg, const char *path), void *arg,
		  struct err *e)
{
	return ext4_owners(fs->state, offset, len, file, arg, e);
}

const struct fs_driver fs_ext4_driver = {
	.open = open_fs,
	.close = close_fs,
	.map = map,
	.root = 2,
	.stat = stat_fs,
	.list = list,
	.read = read_fs,
	.readlink = readlink_fs,
	.xattr = xattr,
	.owners = owners,
};
