/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group.c - descriptors of block groups, read as they are needed.
 *
 *	0x00	block bitmap		0x20	its high half, where a descriptor
 *	0x04	inode bitmap		0x24	has 64 bytes or more
 *	0x08	inode table		0x28
 *	0x12	flags (16): 1 no inodes, 2 no block bitmap
 *	0x18	checksum of the block bitmap (16), high at 0x38
 *	0x1c	unused inodes (16), high at 0x32
 *	0x1e	checksum (16)
 */
#include <errno.h>
#include <string.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

#define MAX_DESC 1024u

uint64_t ext4_group_start(const struct ext4 *x, uint32_t g)
{
	return (uint64_t)g * x->s.blocks_per_group + x->s.first_block;
}

uint64_t ext4_table_blocks(const struct ext4 *x)
{
	return div_round_up((uint64_t)x->s.inodes_per_group * x->s.inode_size,
			    x->s.block_size);
}

static bool is_power_of(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

static bool has_super(const struct ext4_super *s, uint32_t g)
{
	if (!g)
		return true;
	if (s->compat & COMPAT_SPARSE_SUPER2)
		return g == s->backup_bgs[0] || g == s->backup_bgs[1];
	if (g == 1 || !(s->ro & RO_SPARSE_SUPER))
		return true;
	return is_power_of(g, 3) || is_power_of(g, 5) || is_power_of(g, 7);
}

/* Is its descriptor in a block of a meta group, and not behind the superblock? */
static bool in_meta_bg(const struct ext4_super *s, uint32_t gdt)
{
	return s->incompat & INCOMPAT_META_BG && gdt >= s->first_meta_bg;
}

uint32_t ext4_group_overhead(const struct ext4 *x, uint32_t g)
{
	const struct ext4_super *s = &x->s;
	uint32_t per_block = s->block_size / s->desc_size;
	uint32_t gdt = g / per_block, in_gdt = g % per_block;
	uint32_t super = has_super(s, g);

	/* Blocks of 1024 bytes counted from 0: the boot block is in front. */
	if (!g && s->block_size == 1024 && !s->first_block)
		super = 2;
	if (in_meta_bg(s, gdt))
		return super + (in_gdt <= 1 || in_gdt == per_block - 1);
	if (!super)
		return 0;
	return super + s->reserved_gdt +
	       (s->incompat & INCOMPAT_META_BG ? s->first_meta_bg : s->n_gdt);
}

/* The block that holds the descriptor of group `g`. */
static uint64_t desc_block(const struct ext4 *x, uint32_t g)
{
	const struct ext4_super *s = &x->s;
	uint32_t per_block = s->block_size / s->desc_size;
	uint32_t gdt = g / per_block, first = gdt * per_block;
	bool odd;

	if (!in_meta_bg(s, gdt))
		return (s->block_size == 1024) + 1ull + gdt;
	odd = s->block_size == 1024 && !gdt && !s->first_block;
	return ext4_group_start(x, first) + has_super(s, first) + odd;
}

static uint16_t crc16(uint16_t crc, const uint8_t *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (unsigned i = 0; i < 8; i++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
	}
	return crc;
}

/* Of the descriptor without its field for the checksum. */
static uint16_t desc_csum(const struct ext4_super *s, uint32_t g,
			  const uint8_t *d)
{
	uint8_t number[4], zero[2] = { 0 };
	uint32_t c;
	uint16_t short_crc;

	put_le32(number, g);
	if (s->csum) {
		c = crc32c(crc32c(s->seed, number, 4), d, 0x1e);
		c = crc32c(c, zero, 2);
		return (uint16_t)crc32c(c, d + 0x20, s->desc_size - 0x20);
	}
	short_crc = crc16(crc16(0xffff, s->uuid, 16), number, 4);
	short_crc = crc16(short_crc, d, 0x1e);
	return crc16(short_crc, d + 0x20, s->desc_size - 0x20);
}

static bool lies_inside(const struct ext4 *x, uint64_t block, uint64_t n)
{
	return block > x->s.first_block && in_range(block, n, x->s.n_blocks);
}

static void decode(const struct ext4_super *s, const uint8_t *d,
		   struct ext4_group *out)
{
	uint16_t flags = get_le16(d + 0x12);

	*out = (struct ext4_group){
		.block_bitmap = get_le32(d), .inode_bitmap = get_le32(d + 4),
		.inode_table = get_le32(d + 8),
		.bitmap_csum = get_le16(d + 0x18),
	};
	if (s->csum || s->ro & RO_GDT_CSUM) {
		out->unused = get_le16(d + 0x1c);
		out->no_inodes = flags & 1;
		out->no_block_bitmap = flags & 2;
	}
	if (s->desc_size < 64)
		return;
	out->block_bitmap |= (uint64_t)get_le32(d + 0x20) << 32;
	out->inode_bitmap |= (uint64_t)get_le32(d + 0x24) << 32;
	out->inode_table |= (uint64_t)get_le32(d + 0x28) << 32;
	out->bitmap_csum |= (uint32_t)get_le16(d + 0x38) << 16;
	out->csum_is_long = true;
	if (s->csum || s->ro & RO_GDT_CSUM)
		out->unused |= (uint32_t)get_le16(d + 0x32) << 16;
}

int ext4_group(struct ext4 *x, uint32_t g, struct ext4_group *out,
	       struct err *e)
{
	const struct ext4_super *s = &x->s;
	uint32_t per_block = s->block_size / s->desc_size;
	uint8_t d[MAX_DESC];
	int rc;

	rc = ext4_read(x, d, s->desc_size, (desc_block(x, g) << s->block_bits) +
		       g % per_block * s->desc_size, e);
	if (rc)
		return fail_prefix(e, rc, "descriptor of group %u", g);
	if ((s->csum || s->ro & RO_GDT_CSUM) &&
	    desc_csum(s, g, d) != get_le16(d + 0x1e))
		return fail(e, EUCLEAN, "the checksum of group %u's descriptor is "
			    "wrong", g);
	decode(s, d, out);
	if (!lies_inside(x, out->block_bitmap, 1) ||
	    !lies_inside(x, out->inode_bitmap, 1) ||
	    !lies_inside(x, out->inode_table, ext4_table_blocks(x)))
		return fail(e, EUCLEAN, "group %u has its bitmaps in blocks %llu "
			    "and %llu and its inodes from %llu on, of %llu "
			    "blocks", g, (unsigned long long)out->block_bitmap,
			    (unsigned long long)out->inode_bitmap,
			    (unsigned long long)out->inode_table,
			    (unsigned long long)s->n_blocks);
	return 0;
}
