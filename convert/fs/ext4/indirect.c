/* SPDX-License-Identifier: GPL-2.0-or-later */
/* indirect.c - block pointers of ext2 and ext3: twelve of blocks, then one each
 * through one, two and three levels of indirect blocks.  0 is a hole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"

#define DIRECT 12u

static const uint8_t *pointer(const uint8_t *table, uint64_t i)
{
	return table + 4 * i;
}

/* An indirect block, kept like the nodes of an extent tree. */
static int get_table(struct ext4 *x, const struct ext4_inode *in,
		     unsigned level, uint64_t block, const uint8_t **table,
		     struct err *e)
{
	uint32_t size = x->s.block_size;
	uint8_t *data;
	int rc;

	if (!x->path[level].data)
		x->path[level].data = malloc(size);
	data = x->path[level].data;
	*table = data;
	if (!data)
		return fail(e, ENOMEM, "out of memory");
	if (x->path[level].block == block && x->path[level].ino == in->ino)
		return 0;
	rc = ext4_check_blocks(x, in->ino, block, 1, e);
	if (rc)
		return rc;
	x->path[level].block = 0;
	rc = ext4_read(x, data, size, block << x->s.block_bits, e);
	if (rc)
		return rc;
	x->path[level].block = block;
	x->path[level].ino = in->ino;
	return 0;
}

/* How many pointers from `i` on name blocks that lie together, or none? */
static uint64_t count(const uint8_t *table, uint64_t i, uint64_t n)
{
	uint32_t first = get_le32(pointer(table, i));
	uint64_t len = 1;

	while (i + len < n && get_le32(pointer(table, i + len)) ==
	       (first ? first + len : 0))
		len++;
	return len;
}

int ext4_run_indirect(struct ext4 *x, const struct ext4_inode *in,
		      uint64_t logical, struct ext4_run *run, struct err *e)
{
	unsigned bits = x->s.block_bits - 2, level = 0;
	uint64_t at = logical, n = DIRECT, block;
	const uint8_t *table = in->block;
	int rc;

	*run = (struct ext4_run){ .len = 1 };
	if (at >= DIRECT) {
		at -= DIRECT;
		for (level = 1; level <= 3; level++) {
			if (at < 1ull << bits * level)
				break;
			at -= 1ull << bits * level;
		}
		if (level > 3) {
			run->len = UINT64_MAX - logical;
			return 0;
		}
		block = get_le32(pointer(table, DIRECT + level - 1));
		n = 1ull << bits;
		while (level) {
			uint64_t below = 1ull << bits * --level, i;

			if (!block) {	/* all that hangs on it is a hole */
				run->len = (below << bits) - at;
				return 0;
			}
			rc = get_table(x, in, level, block, &table, e);
			if (rc)
				return rc;
			i = at / below;
			if (level) {
				at %= below;
				block = get_le32(pointer(table, i));
			}
		}
	}
	run->block = get_le32(pointer(table, at));
	run->len = count(table, at, n);
	if (!run->block)
		return 0;
	return ext4_check_blocks(x, in->ino, run->block, run->len, e);
}

struct walk {
	struct ext4 *x;
	const struct ext4_inode *in;
	int (*range)(void *arg, uint64_t block, uint64_t n);
	void *arg;
};

/* `n` pointers to blocks (level 0), or to tables of the level below. */
static int walk(struct walk *w, const uint8_t *table, uint64_t n,
		unsigned level, struct err *e)
{
	uint64_t len, block;
	const uint8_t *below;
	int rc = 0;

	for (uint64_t i = 0; i < n && !rc; i += len) {
		block = get_le32(pointer(table, i));
		len = level ? 1 : count(table, i, n);
		if (!block)
			continue;
		if (!level)
			rc = ext4_check_blocks(w->x, w->in->ino, block, len, e);
		else
			rc = get_table(w->x, w->in, level - 1, block, &below, e);
		if (!rc)
			rc = w->range(w->arg, block, len);
		if (!rc && level)
			rc = walk(w, below, w->x->s.block_size / 4, level - 1,
				  e);
	}
	return rc;
}

int ext4_blocks_indirect(struct ext4 *x, const struct ext4_inode *in,
			 int (*range)(void *, uint64_t, uint64_t), void *arg,
			 struct err *e)
{
	struct walk w = { x, in, range, arg };
	int rc = walk(&w, in->block, DIRECT, 0, e);

	for (unsigned level = 1; level <= 3 && !rc; level++)
		rc = walk(&w, pointer(in->block, DIRECT + level - 1), 1, level,
			  e);
	return rc;
}
