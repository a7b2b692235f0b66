/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xattr.c - extended attributes: behind the inode's fields, and in a block.
 *
 * In the inode: magic 0xea020000, then entries; offsets of values count from the
 * first entry.  A block: 0 magic, 4 references, 8 blocks, 16 checksum, entries
 * from 32; offsets count from the block.  Entry: 0 length of the name, 1 prefix,
 * 2 offset of the value (16), 4 inode with the value or 0, 8 its size, 12 hash,
 * 16 name.  Four zero bytes, or the end, end the entries.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

#define MAGIC 0xea020000u
#define BLOCK_HEAD 32u
#define ENTRY 16u
/* Linux's limit of a value (XATTR_SIZE_MAX). */
#define MAX_VALUE 65536u

/* A place with attributes. */
struct place {
	const uint8_t *data;
	uint32_t size;		/* bytes */
	uint32_t at;		/* of the first entry */
	uint32_t base;		/* offsets of values count from here */
};

/* Copy the value of the entry at `p`. */
static int get_value(struct ext4 *x, const struct ext4_inode *in,
		     const struct place *pl, const uint8_t *p, uint8_t **value,
		     size_t *len, struct err *e)
{
	uint64_t offset = (uint64_t)pl->base + get_le16(p + 2);
	uint32_t ino = get_le32(p + 4), size = get_le32(p + 8);
	struct ext4_inode holder;
	int rc = 0;

	if (size > MAX_VALUE || (!ino && !in_range(offset, size, pl->size)))
		return fail(e, EUCLEAN, "inode %u: an extended attribute has %u "
			    "bytes at %llu of %u", in->ino, size,
			    (unsigned long long)offset, pl->size);
	*value = malloc(size + 1);
	if (!*value)
		return fail(e, ENOMEM, "out of memory");
	if (!ino) {
		memcpy(*value, pl->data + offset, size);
	} else {
		rc = ext4_inode(x, ino, &holder, e);
		/* In its blocks: else that would be an attribute again. */
		if (!rc && (!(holder.flags & INODE_EA) || holder.size < size ||
			    holder.flags & INODE_INLINE))
			rc = fail(e, EUCLEAN, "inode %u has an extended attribute "
				  "of %u bytes in inode %u, which holds none",
				  in->ino, size, ino);
		if (!rc && size)
			rc = ext4_file_read(x, &holder, *value, size, 0, e);
	}
	if (rc) {
		free(*value);
		*value = NULL;
		return rc;
	}
	(*value)[size] = 0;
	*len = size;
	return 0;
}

static int search(struct ext4 *x, const struct ext4_inode *in,
		  const struct place *pl, unsigned index, const char *name,
		  uint8_t **value, size_t *len, struct err *e)
{
	size_t want = strlen(name);
	uint32_t at = pl->at;

	while (pl->size - at >= 4 && get_le32(pl->data + at)) {
		const uint8_t *p = pl->data + at;
		uint32_t n;

		if (pl->size - at < ENTRY || pl->size - at - ENTRY < p[0])
			return fail(e, EUCLEAN, "inode %u: the extended attribute "
				    "at %u reaches beyond %u bytes", in->ino, at,
				    pl->size);
		if (p[1] == index && p[0] == want &&
		    !memcmp(p + ENTRY, name, want))
			return get_value(x, in, pl, p, value, len, e);
		n = (uint32_t)round_up(ENTRY + p[0], 4);
		if (n > pl->size - at)
			break;
		at += n;
	}
	return -ENODATA;
}

static int search_inode(struct ext4 *x, const struct ext4_inode *in,
			unsigned index, const char *name, uint8_t **value,
			size_t *len, struct err *e)
{
	uint32_t at = 128 + in->extra, size = x->s.inode_size;
	struct place pl = { .at = 0 };
	struct ext4_inode again;
	uint8_t *copy;
	int rc;

	if (size <= 128 || !in->extra || size - at < 8)
		return -ENODATA;
	/* Another inode may have been read since. */
	rc = ext4_inode_any(x, in->ino, &again, e);
	if (rc)
		return rc;
	if (get_le32(x->raw + at) != MAGIC)
		return -ENODATA;
	pl.size = size - at - 4;
	copy = malloc(pl.size);
	if (!copy)
		return fail(e, ENOMEM, "out of memory");
	memcpy(copy, x->raw + at + 4, pl.size);
	pl.data = copy;
	rc = search(x, in, &pl, index, name, value, len, e);
	free(copy);
	return rc;
}

static int check_block(const struct ext4 *x, const struct ext4_inode *in,
		       const uint8_t *p, struct err *e)
{
	uint8_t number[8], zero[4] = { 0 };
	uint32_t c;

	if (get_le32(p) != MAGIC || get_le32(p + 8) != 1)
		return fail(e, EUCLEAN, "inode %u: block %llu holds no extended "
			    "attributes", in->ino,
			    (unsigned long long)in->file_acl);
	if (!x->s.csum)
		return 0;
	put_le64(number, in->file_acl);
	c = crc32c(crc32c(x->s.seed, number, 8), p, 16);
	c = crc32c(crc32c(c, zero, 4), p + 20, x->s.block_size - 20);
	if (c != get_le32(p + 16))
		return fail(e, EUCLEAN, "inode %u: the checksum of the extended "
			    "attributes in block %llu is wrong", in->ino,
			    (unsigned long long)in->file_acl);
	return 0;
}

static int search_block(struct ext4 *x, const struct ext4_inode *in,
			unsigned index, const char *name, uint8_t **value,
			size_t *len, struct err *e)
{
	struct place pl = { .size = x->s.block_size, .at = BLOCK_HEAD };
	uint8_t *data;
	int rc;

	rc = ext4_check_blocks(x, in->ino, in->file_acl, 1, e);
	if (rc)
		return rc;
	data = malloc(pl.size);
	if (!data)
		return fail(e, ENOMEM, "out of memory");
	pl.data = data;
	rc = ext4_read(x, data, pl.size, in->file_acl << x->s.block_bits, e);
	if (!rc)
		rc = check_block(x, in, data, e);
	if (!rc)
		rc = search(x, in, &pl, index, name, value, len, e);
	free(data);
	return rc;
}

int ext4_xattr(struct ext4 *x, const struct ext4_inode *in, unsigned index,
	       const char *name, uint8_t **value, size_t *len, struct err *e)
{
	int rc = search_inode(x, in, index, name, value, len, e);

	if (rc == -ENODATA && in->file_acl)
		rc = search_block(x, in, index, name, value, len, e);
	return rc;
}

/* An ACL as it is stored (version 1, without what needs no id) in the form that
 * Linux shows (version 2).
 */
static int convert_acl(const struct ext4_inode *in, uint8_t **value,
		       size_t *len, struct err *e)
{
	const uint8_t *from = *value, *end = from + *len;
	uint8_t *acl, *to;
	bool ok = *len >= 4 && get_le32(from) == 1;

	/* Entries of 4 bytes become 8. */
	acl = malloc(4 + 2 * *len);
	if (!acl)
		return fail(e, ENOMEM, "out of memory");
	put_le32(acl, 2);
	to = acl + 4;
	for (from += 4; ok && from < end; to += 8) {
		uint16_t tag = end - from >= 4 ? get_le16(from) : 0;
		size_t n = tag == 2 || tag == 8 ? 8 : 4;

		ok = end - from >= (ptrdiff_t)n;
		if (!ok)
			break;
		memcpy(to, from, 4);
		put_le32(to + 4, n == 8 ? get_le32(from + 4) : ~0u);
		from += n;
	}
	if (!ok) {
		free(acl);
		return fail(e, EUCLEAN, "inode %u: an ACL that is stored in %zu "
			    "bytes is not understood", in->ino, *len);
	}
	free(*value);
	*value = acl;
	*len = (size_t)(to - acl);
	return 0;
}

int ext4_xattr_by_name(struct ext4 *x, const struct ext4_inode *in,
		       const char *name, void **value, size_t *len,
		       struct err *e)
{
	static const struct {
		const char *prefix;
		unsigned index;
		bool whole;	/* the name is no longer */
	} known[] = {
		{ "user.", 1, false },
		{ "system.posix_acl_access", 2, true },
		{ "system.posix_acl_default", 3, true },
		{ "trusted.", 4, false },
		{ "security.", 6, false },
	};
	uint8_t *v = NULL;
	int rc;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t n = strlen(known[i].prefix);

		if (strncmp(name, known[i].prefix, n) ||
		    (known[i].whole && name[n]))
			continue;
		rc = ext4_xattr(x, in, known[i].index, name + n, &v, len, e);
		if (!rc && known[i].whole) {
			rc = convert_acl(in, &v, len, e);
			if (rc)
				free(v);
		}
		if (!rc)
			*value = v;
		return rc;
	}
	return -ENODATA;
}
