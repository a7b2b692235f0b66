/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir.c - directories, read from the first block to the last: what belongs to a
 * hash tree looks there like free entries.
 *
 * Entry: 0 inode, 4 length of the entry (16), 6 length of the name, 7 type of
 * file (without the feature "filetype": high byte of the name's length), 8 name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

/* Ten million long names; memory and time of those who list it are at stake. */
#define MAX_DIR (1ull << 30)

#define TAIL 12u	/* bytes of an entry that holds a leaf's checksum */

struct listing {
	struct ext4 *x;
	const struct ext4_inode *dir;
	int (*entry)(void *arg, const char *name, uint64_t ino);
	void *arg;
	struct err *e;
};

/* Blocks of 64 KiB do not fit in 16 bits; 0 and 65535 are all of one. */
static uint32_t entry_len(const uint8_t *p, uint32_t block_size)
{
	uint32_t len = get_le16(p + 4);

	if (block_size < 65536)
		return len;
	if (!len || len == 65535)
		return 65536;
	return (len & 65532) | (len & 3) << 16;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int emit(struct listing *l, const uint8_t *p, uint32_t len)
{
	bool typed = l->x->s.incompat & INCOMPAT_FILETYPE;
	uint32_t name_len = typed ? p[6] : get_le16(p + 6);
	uint32_t ino = get_le32(p);
	char name[256];

	if (!ino)
		return 0;
	if (!name_len || name_len > 255 || name_len > len - 8)
		return fail(l->e, EUCLEAN, "directory inode %u: a name of %u "
			    "bytes in an entry of %u", l->dir->ino, name_len,
			    len);
	memcpy(name, p + 8, name_len);
	name[name_len] = 0;
	if (strlen(name) != name_len)
		return fail(l->e, EUCLEAN, "directory inode %u: the name of inode "
			    "%u holds a NUL byte", l->dir->ino, ino);
	return is_dots(name) ? 0 : l->entry(l->arg, name, ino);
}

static int list_entries(struct listing *l, const uint8_t *p, uint32_t size)
{
	uint32_t at = 0, len;
	int rc = 0;

	for (; at < size && !rc; at += len) {
		if (size - at < 8)
			return fail(l->e, EUCLEAN, "directory inode %u: %u bytes "
				    "are left behind the last entry",
				    l->dir->ino, size - at);
		len = entry_len(p + at, l->x->s.block_size);
		if (len < 8 || len % 4 || len > size - at)
			return fail(l->e, EUCLEAN, "directory inode %u: an entry "
				    "of %u bytes where %u are left",
				    l->dir->ino, len, size - at);
		rc = emit(l, p + at, len);
	}
	return rc;
}

/* A block of the hash tree: where is the number of its entries?  0: it is a leaf.
 */
static uint32_t tree_entries(const uint8_t *p, uint32_t size)
{
	if (entry_len(p, size) == size && !get_le32(p))
		return 8;
	if (entry_len(p, size) == 12 && entry_len(p + 12, size) == size - 12 &&
	    !get_le32(p + 24) && p[29] == 8)
		return 32;
	return 0;
}

/* Over the entries in use; the checksum stands behind the room for entries. */
static bool tree_csum_ok(const struct listing *l, const uint8_t *p,
			 uint32_t count_at, uint32_t size)
{
	uint32_t room = get_le16(p + count_at), n = get_le16(p + count_at + 2);
	uint32_t tail = count_at + 8 * room, c;
	uint8_t zero[4] = { 0 };

	if (n > room || tail + 8 > size)
		return false;
	c = crc32c(l->dir->seed, p, count_at + 8 * n);
	c = crc32c(crc32c(c, p + tail, 4), zero, 4);
	return c == get_le32(p + tail + 4);
}

static int check_csum(const struct listing *l, const uint8_t *p, uint64_t i)
{
	uint32_t size = l->x->s.block_size, count_at = tree_entries(p, size);
	const uint8_t *tail = p + size - TAIL;

	if (!l->x->s.csum)
		return 0;
	if (count_at ? tree_csum_ok(l, p, count_at, size)
		     : !get_le32(tail) && get_le16(tail + 4) == TAIL &&
		       tail[7] == 0xde && crc32c(l->dir->seed, p, size - TAIL) ==
		       get_le32(tail + 8))
		return 0;
	return fail(l->e, EUCLEAN, "directory inode %u: the checksum of its block "
		    "%llu is wrong", l->dir->ino, (unsigned long long)i);
}

static int list_block(struct listing *l, uint8_t *p, uint64_t i, uint64_t block)
{
	uint32_t size = l->x->s.block_size;
	int rc;

	rc = ext4_read(l->x, p, size, block << l->x->s.block_bits, l->e);
	if (!rc)
		rc = check_csum(l, p, i);
	return rc ? rc : list_entries(l, p, size);
}

static int list_blocks(struct listing *l)
{
	uint64_t n = l->dir->size >> l->x->s.block_bits, i = 0;
	uint8_t *p = malloc(l->x->s.block_size);
	struct ext4_run run;
	int rc = 0;

	if (!p)
		return fail(l->e, ENOMEM, "out of memory");
	while (i < n && !rc) {
		rc = ext4_run(l->x, l->dir, i, n - i, &run, l->e);
		if (!rc && (!run.block || run.unwritten)) {
			i += run.len;	/* Linux passes over holes */
			continue;
		}
		for (uint64_t k = 0; !rc && k < run.len; k++, i++)
			rc = list_block(l, p, i, run.block + k);
	}
	free(p);
	return rc;
}

/* The parent's inode, 56 bytes of entries, more of them in an attribute. */
static int list_inline(struct listing *l)
{
	uint8_t *more = NULL;
	size_t len = 0;
	int rc;

	rc = list_entries(l, l->dir->block + 4, sizeof(l->dir->block) - 4);
	if (rc)
		return rc;
	rc = ext4_xattr(l->x, l->dir, EXT4_XATTR_SYSTEM, "data", &more, &len,
			l->e);
	if (rc == -ENODATA)
		return 0;
	if (!rc && len)
		rc = list_entries(l, more, (uint32_t)len);
	free(more);
	return rc;
}

int ext4_dir_list(struct ext4 *x, const struct ext4_inode *dir,
		  int (*entry)(void *arg, const char *name, uint64_t ino),
		  void *arg, struct err *e)
{
	struct listing l = { x, dir, entry, arg, e };

	if (!S_ISDIR(dir->mode))
		return fail(e, ENOTDIR, "inode %u is no directory", dir->ino);
	if (dir->flags & INODE_ENCRYPT)
		return fail(e, ENOTSUP, "directory inode %u is encrypted "
			    "(fscrypt)", dir->ino);
	if (dir->flags & INODE_INLINE)
		return list_inline(&l);
	if (dir->size & (x->s.block_size - 1) || dir->size > MAX_DIR)
		return fail(e, EUCLEAN, "directory inode %u has %llu bytes, must "
			    "be whole blocks up to %llu", dir->ino,
			    (unsigned long long)dir->size, MAX_DIR);
	return list_blocks(&l);
}
