/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_htree.c - may the index of a folder be walked?  libext2fs takes the
 * counts in its nodes as they are.
 *
 * Root, block 0: entries "." and "..", at 24 the root info, at 32 the entries
 * of the index.  Other nodes: an empty entry over the whole block, at 8 the
 * entries. The first of them holds limit and count instead of a hash; a
 * checksum's tail of 8 bytes follows the limit.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define ROOT_INFO 24u
#define ROOT_ENTRIES 32u
#define NODE_ENTRIES 8u
#define ENTRY 8u
#define MAX_LEVELS 3u		/* of nodes below the root, with large_dir */

struct node {
	uint8_t *buf;
	uint8_t *entries;
	unsigned count, next;
};

struct htree {
	struct ext_write *w;
	ext2_ino_t dir;
	struct ext2_inode *inode;
	uint64_t blocks, seen;	/* of the folder */
	struct err *e;
};

static int read_block(struct htree *t, uint64_t block, uint8_t *buf)
{
	ext2_filsys fs = t->w->fs;
	blk64_t at;
	errcode_t code = ext2fs_bmap2(fs, t->dir, t->inode, NULL, 0, block,
				      NULL, &at);

	if (!code && (!at || at >= ext2fs_blocks_count(fs->super)))
		return fail(t->e, EUCLEAN, "folder %u has no block %" PRIu64,
			    t->dir, block);
	if (!code)
		code = io_channel_read_blk64(fs->io, at, 1, buf);
	return code ? ext_fail(t->e, code, "folder %u", t->dir) : 0;
}

static int read_node(struct htree *t, uint64_t block, unsigned start,
		     struct node *node)
{
	ext2_filsys fs = t->w->fs;
	unsigned tail = ext2fs_has_feature_metadata_csum(fs->super) ?
		sizeof(struct ext2_dx_tail) : 0;
	unsigned limit = (fs->blocksize - start - tail) / ENTRY;
	int rc;

	if (block >= t->blocks || ++t->seen > t->blocks)
		return fail(t->e, EUCLEAN, "the index of folder %u leads to "
			    "block %" PRIu64 " of %" PRIu64, t->dir, block,
			    t->blocks);
	rc = read_block(t, block, node->buf);
	if (rc)
		return rc;
	node->entries = node->buf + start;
	node->next = 0;
	node->count = get_le16(node->entries + 2);
	if (get_le16(node->entries) != limit || !node->count ||
	    node->count > limit)
		return fail(t->e, EUCLEAN, "the index of folder %u has a node "
			    "of %u entries, limit %u, where %u have room",
			    t->dir, node->count, get_le16(node->entries),
			    limit);
	return 0;
}

static int check_root(struct htree *t, const uint8_t *root, unsigned *levels)
{
	ext2_filsys fs = t->w->fs;
	const uint8_t *info = root + ROOT_INFO;
	unsigned max = ext2fs_has_feature_largedir(fs->super) ? MAX_LEVELS : 2;

	*levels = info[6];
	if (info[5] != 8 || *levels >= max || get_le16(root + 4) != 12 ||
	    get_le16(root + 16) != fs->blocksize - 12)
		return fail(t->e, EUCLEAN, "the index of folder %u has a root "
			    "of %u bytes and %u levels", t->dir, info[5],
			    *levels);
	return 0;
}

/* Every node, and each leaf's number. */
static int walk(struct htree *t, struct node *nodes)
{
	unsigned levels, depth = 0;
	int rc = read_node(t, 0, ROOT_ENTRIES, &nodes[0]);

	if (!rc)
		rc = check_root(t, nodes[0].buf, &levels);
	while (!rc) {
		struct node *n = &nodes[depth];
		uint32_t block;

		if (n->next == n->count) {
			if (!depth--)
				break;
			continue;
		}
		block = get_le32(n->entries + ENTRY * n->next++ + 4) &
			0x0fffffff;
		if (depth < levels)
			rc = read_node(t, block, NODE_ENTRIES,
				       &nodes[++depth]);
		else if (block >= t->blocks)
			rc = fail(t->e, EUCLEAN, "the index of folder %u leads "
				  "to block %u of %" PRIu64, t->dir, block,
				  t->blocks);
	}
	return rc;
}

int ext_htree_check(struct ext_write *w, ext2_ino_t dir,
		    const union ext_inode *inode, struct err *e)
{
	struct htree t = {
		.w = w, .dir = dir, .e = e,
		.inode = (struct ext2_inode *)&inode->small,
		.blocks = EXT2_I_SIZE(&inode->small) / w->fs->blocksize,
	};
	struct node nodes[MAX_LEVELS + 1] = { { 0 } };
	uint8_t *buf;
	int rc;

	if (!(inode->small.i_flags & EXT2_INDEX_FL) ||
	    inode->small.i_flags & EXT4_INLINE_DATA_FL ||
	    !ext2fs_has_feature_dir_index(w->fs->super))
		return 0;
	buf = array_alloc(MAX_LEVELS + 1, w->fs->blocksize);
	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i <= MAX_LEVELS; i++)
		nodes[i].buf = buf + (size_t)i * w->fs->blocksize;
	rc = walk(&t, nodes);
	free(buf);
	return rc;
}
