/* SPDX-License-Identifier: GPL-2.0-or-later */
/* extents.c - the tree of extents; its root is the inode's i_block.
 *
 * Header: 0 magic 0xf30a, 2 entries, 4 room for entries, 6 depth (16 bits each),
 * 8 generation.  Extent: 0 logical block, 4 length (16; above 32768: unwritten,
 * that much less), 6 block, high (16), 8 block, low.  Index: 0 logical block,
 * 4 block of the node, low, 8 high (16).  Behind the room of a node that has a
 * block of its own: its checksum.
 *
 * The depth shrinks by one at each step, so that no tree is endless.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

#define ENTRY 12u
#define MAX_LEN 32768u

struct node {
	const uint8_t *data;
	unsigned entries, depth;
};

static const uint8_t *entry(const struct node *n, unsigned i)
{
	return n->data + ENTRY * (i + 1);
}

static uint32_t logical_of(const struct node *n, unsigned i)
{
	return get_le32(entry(n, i));
}

static uint64_t child_of(const struct node *n, unsigned i)
{
	const uint8_t *p = entry(n, i);

	return get_le32(p + 4) | (uint64_t)get_le16(p + 8) << 32;
}

struct extent {
	uint64_t logical, block, len;
	bool unwritten;
};

static struct extent extent_of(const struct node *n, unsigned i)
{
	const uint8_t *p = entry(n, i);
	uint16_t len = get_le16(p + 4);
	bool unwritten = len > MAX_LEN;

	return (struct extent){
		.logical = get_le32(p),
		.block = get_le32(p + 8) | (uint64_t)get_le16(p + 6) << 32,
		.len = unwritten ? len - MAX_LEN : len,
		.unwritten = unwritten,
	};
}

static int decode(const struct ext4_inode *in, const uint8_t *data, size_t size,
		  unsigned max_depth, struct node *n, struct err *e)
{
	unsigned room = get_le16(data + 4);

	n->data = data;
	n->entries = get_le16(data + 2);
	n->depth = get_le16(data + 6);
	if (get_le16(data) != 0xf30a || room > (size - ENTRY) / ENTRY ||
	    n->entries > room || n->depth > max_depth)
		return fail(e, EUCLEAN, "inode %u: a node of its extent tree has "
			    "magic 0x%x, %u of %u entries and depth %u, must be "
			    "0xf30a, up to %zu and up to %u", in->ino,
			    get_le16(data), n->entries, room, n->depth,
			    (size - ENTRY) / ENTRY, max_depth);
	return 0;
}

static int check_node_csum(struct ext4 *x, const struct ext4_inode *in,
			   const uint8_t *data, uint64_t block, struct err *e)
{
	size_t tail = ENTRY * (1u + get_le16(data + 4));

	if (!x->s.csum)
		return 0;
	if (tail + 4 > x->s.block_size ||
	    crc32c(in->seed, data, tail) != get_le32(data + tail))
		return fail(e, EUCLEAN, "inode %u: the checksum of its extents in "
			    "block %llu is wrong", in->ino,
			    (unsigned long long)block);
	return 0;
}

/* The child of entry `i`; kept until another one of that depth is wanted. */
static int get_child(struct ext4 *x, const struct ext4_inode *in,
		     const struct node *parent, unsigned i, struct node *n,
		     struct err *e)
{
	uint64_t block = child_of(parent, i);
	unsigned depth = parent->depth - 1;
	uint32_t size = x->s.block_size;
	uint8_t *data;
	int rc;

	if (!x->path[depth].data)
		x->path[depth].data = malloc(size);
	data = x->path[depth].data;
	if (!data)
		return fail(e, ENOMEM, "out of memory");
	if (x->path[depth].block != block || x->path[depth].ino != in->ino) {
		rc = ext4_check_blocks(x, in->ino, block, 1, e);
		if (rc)
			return rc;
		x->path[depth].block = 0;
		rc = ext4_read(x, data, size, block << x->s.block_bits, e);
		if (!rc)
			rc = check_node_csum(x, in, data, block, e);
		if (rc)
			return rc;
		x->path[depth].block = block;
		x->path[depth].ino = in->ino;
	}
	rc = decode(in, data, size, depth, n, e);
	if (!rc && n->depth != depth)
		return fail(e, EUCLEAN, "inode %u: its extents in block %llu have "
			    "depth %u, must be %u", in->ino,
			    (unsigned long long)block, n->depth, depth);
	return rc;
}

/* The last entry that begins at or before `logical`; -1: none. */
static int find(const struct node *n, uint64_t logical)
{
	unsigned low = 0, high = n->entries;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (logical_of(n, mid) <= logical)
			low = mid + 1;
		else
			high = mid;
	}
	return (int)low - 1;
}

int ext4_run_extents(struct ext4 *x, const struct ext4_inode *in,
		     uint64_t logical, struct ext4_run *run, struct err *e)
{
	uint64_t next = UINT64_MAX;	/* where something else begins */
	struct extent ex;
	struct node n;
	int rc, i;

	rc = decode(in, in->block, sizeof(in->block), EXT4_MAX_DEPTH, &n, e);
	while (!rc) {
		i = find(&n, logical);
		if (i + 1 < (int)n.entries)
			next = min_u64(next, logical_of(&n, (unsigned)i + 1));
		if (!n.depth || i < 0)
			break;
		rc = get_child(x, in, &n, (unsigned)i, &n, e);
	}
	if (rc)
		return rc;
	if (next <= logical)
		return fail(e, EUCLEAN, "inode %u: its extents are not in order",
			    in->ino);
	*run = (struct ext4_run){ .len = next - logical };
	if (i < 0)
		return 0;
	ex = extent_of(&n, (unsigned)i);
	if (logical - ex.logical >= ex.len)
		return 0;
	rc = ext4_check_blocks(x, in->ino, ex.block, ex.len, e);
	run->block = ex.block + (logical - ex.logical);
	run->len = min_u64(run->len, ex.len - (logical - ex.logical));
	run->unwritten = ex.unwritten;
	return rc;
}

struct walk {
	struct ext4 *x;
	const struct ext4_inode *in;
	int (*range)(void *arg, uint64_t block, uint64_t n);
	void *arg;
};

static int walk(struct walk *w, const struct node *n, struct err *e)
{
	struct node child;
	int rc = 0;

	for (unsigned i = 0; i < n->entries && !rc; i++) {
		if (!n->depth) {
			struct extent ex = extent_of(n, i);

			rc = ext4_check_blocks(w->x, w->in->ino, ex.block,
					       ex.len, e);
			if (!rc)
				rc = w->range(w->arg, ex.block, ex.len);
			continue;
		}
		rc = get_child(w->x, w->in, n, i, &child, e);
		if (!rc)
			rc = w->range(w->arg, child_of(n, i), 1);
		if (!rc)
			rc = walk(w, &child, e);
	}
	return rc;
}

int ext4_blocks_extents(struct ext4 *x, const struct ext4_inode *in,
			int (*range)(void *, uint64_t, uint64_t), void *arg,
			struct err *e)
{
	struct walk w = { x, in, range, arg };
	struct node root;
	int rc;

	rc = decode(in, in->block, sizeof(in->block), EXT4_MAX_DEPTH, &root, e);
	return rc ? rc : walk(&w, &root, e);
}
