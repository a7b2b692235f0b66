/* SPDX-License-Identifier: GPL-2.0-or-later */
/* super.c - the superblock: 1024 bytes at offset 1024.
 *
 *	0x00	inodes			0x100	...
 *	0x04	blocks, low		0x104	first_meta_bg
 *	0x14	first data block	0x150	blocks, high
 *	0x18	log block size - 10	0x168	MMP block (64 bits)
 *	0x1c	log cluster size - 10	0x175	checksum type (1: CRC-32C)
 *	0x20	blocks per group	0x24c	two groups with backups
 *	0x24	clusters per group	0x270	checksum seed
 *	0x28	inodes per group	0x3fc	checksum
 *	0x38	magic 0xef53 (16)
 *	0x3a	state (16)
 *	0x4c	revision		0x5c	features: compatible,
 *	0x54	first inode		0x60	incompatible,
 *	0x58	inode size (16)		0x64	compatible for readers
 *	0x68	UUID			0x78	label (16 bytes)
 *	0xce	reserved GDT blocks (16)
 *	0xe0	journal's inode		0xfe	descriptor size (16)
 */
#include <errno.h>
#include <string.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

#define KNOWN_INCOMPAT							\
	(INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG |	\
	 INCOMPAT_EXTENTS | INCOMPAT_64BIT | INCOMPAT_MMP |		\
	 INCOMPAT_FLEX_BG | INCOMPAT_EA_INODE | INCOMPAT_CSUM_SEED |	\
	 INCOMPAT_LARGEDIR | INCOMPAT_INLINE_DATA | INCOMPAT_ENCRYPT |	\
	 INCOMPAT_CASEFOLD)
/* mke2fs's limit; so there are not too many groups for all to be looked at. */
#define MIN_GROUP 256u
/* What ext3 had. */
#define EXT3_INCOMPAT (INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG)
#define EXT3_RO 7u

static uint64_t count_blocks(const uint8_t *sb)
{
	uint64_t n = get_le32(sb + 4);

	if (get_le32(sb + 0x4c) && get_le32(sb + 0x60) & INCOMPAT_64BIT)
		n |= (uint64_t)get_le32(sb + 0x150) << 32;
	return n;
}

bool ext4_name_super(const uint8_t *sb, const char **type, uint8_t uuid[16],
		     char label[17], uint64_t *size)
{
	bool dynamic = get_le32(sb + 0x4c) != 0;
	uint32_t incompat = dynamic ? get_le32(sb + 0x60) : 0;
	uint32_t ro = dynamic ? get_le32(sb + 0x64) : 0;
	uint32_t log_size = get_le32(sb + 0x18);

	if (get_le16(sb + 0x38) != 0xef53)
		return false;
	if (incompat & INCOMPAT_JOURNAL_DEV)
		*type = "jbd";
	else if (incompat & ~EXT3_INCOMPAT || ro & ~EXT3_RO)
		*type = "ext4";
	else
		*type = dynamic && get_le32(sb + 0x5c) & COMPAT_HAS_JOURNAL
			? "ext3" : "ext2";
	memcpy(uuid, sb + 0x68, 16);
	memcpy(label, sb + 0x78, 16);
	label[16] = 0;
	if (log_size > 6 || !mul_ok(count_blocks(sb), 1024u << log_size, size))
		*size = 0;
	return true;
}

static int check_csum(const uint8_t *sb, struct ext4_super *s, struct err *e)
{
	s->csum = s->ro & RO_METADATA_CSUM;
	if (!s->csum)
		return 0;
	if (sb[0x175] != 1)
		return fail(e, ENOTSUP, "its checksums are of type %u, must be 1 "
			    "(CRC-32C)", sb[0x175]);
	if (crc32c(~0u, sb, 0x3fc) != get_le32(sb + 0x3fc))
		return fail(e, EUCLEAN, "the superblock's checksum is wrong");
	s->seed = s->incompat & INCOMPAT_CSUM_SEED ? get_le32(sb + 0x270)
						   : crc32c(~0u, s->uuid, 16);
	return 0;
}

static int get_features(const uint8_t *sb, struct ext4_super *s, struct err *e)
{
	uint32_t unknown;

	s->inode_size = 128;
	s->first_ino = 11;
	s->desc_size = 32;
	if (!get_le32(sb + 0x4c))
		return 0;
	s->compat = get_le32(sb + 0x5c);
	s->incompat = get_le32(sb + 0x60);
	s->ro = get_le32(sb + 0x64);
	s->first_ino = get_le32(sb + 0x54);
	s->inode_size = get_le16(sb + 0x58);
	if (s->incompat & INCOMPAT_JOURNAL_DEV)
		return fail(e, ENOTSUP, "it is the journal of another file system");
	unknown = s->incompat & ~KNOWN_INCOMPAT;
	if (unknown)
		return fail(e, ENOTSUP, "it has incompatible features that are not "
			    "supported: 0x%x", unknown);
	if (s->incompat & INCOMPAT_64BIT) {
		s->desc_size = get_le16(sb + 0xfe);
		if (s->desc_size < 64 || s->desc_size > 1024 ||
		    !is_pow2(s->desc_size))
			return fail(e, EUCLEAN, "the superblock's descriptor size "
				    "is %u, must be a power of two from 64 to "
				    "1024", s->desc_size);
	}
	return 0;
}

static int get_block_size(const uint8_t *sb, struct ext4_super *s,
			  struct err *e)
{
	uint32_t block = get_le32(sb + 0x18), cluster = get_le32(sb + 0x1c);

	if (block > 6)
		return fail(e, EUCLEAN, "the superblock's logarithmic block size "
			    "is %u, must be 0 to 6", block);
	s->block_bits = 10 + block;
	s->block_size = 1u << s->block_bits;
	if (s->ro & RO_BIGALLOC) {
		if (cluster < block || cluster > 20)
			return fail(e, EUCLEAN, "the superblock's logarithmic "
				    "cluster size is %u, must be %u to 20",
				    cluster, block);
		s->cluster_bits = cluster - block;
	}
	s->first_block = get_le32(sb + 0x14);
	if (s->first_block > (s->block_size == 1024))
		return fail(e, EUCLEAN, "the superblock's first data block is %u "
			    "with blocks of %u bytes", s->first_block,
			    s->block_size);
	return 0;
}

static int get_groups(const uint8_t *sb, uint64_t volume_size,
		      struct ext4_super *s, struct err *e)
{
	uint64_t clusters = get_le32(sb + 0x20), groups;

	s->blocks_per_group = (uint32_t)clusters;
	if (s->ro & RO_BIGALLOC)
		clusters = get_le32(sb + 0x24);
	if (!clusters || clusters % 8 || clusters > 8ull * s->block_size ||
	    clusters << s->cluster_bits != s->blocks_per_group)
		return fail(e, EUCLEAN, "the superblock has %u blocks and %llu "
			    "clusters in a group, must be a multiple of 8 up to "
			    "%u clusters", s->blocks_per_group,
			    (unsigned long long)clusters, 8 * s->block_size);
	s->n_blocks = count_blocks(sb);
	if (s->n_blocks <= s->first_block ||
	    s->n_blocks > volume_size >> s->block_bits)
		return fail(e, EUCLEAN, "the superblock counts %llu blocks of %u "
			    "bytes, but the volume has %llu bytes",
			    (unsigned long long)s->n_blocks, s->block_size,
			    (unsigned long long)volume_size);
	groups = div_round_up(s->n_blocks - s->first_block,
			      s->blocks_per_group);
	if (groups > 1 && s->blocks_per_group < MIN_GROUP)
		return fail(e, EUCLEAN, "the superblock has %u blocks in a group, "
			    "must be at least %u", s->blocks_per_group,
			    MIN_GROUP);
	s->inodes_per_group = get_le32(sb + 0x28);
	s->n_inodes = get_le32(sb);
	if (!s->inodes_per_group || s->inodes_per_group > 8 * s->block_size ||
	    groups > UINT32_MAX ||
	    groups * s->inodes_per_group != s->n_inodes)
		return fail(e, EUCLEAN, "the superblock has %u inodes in %llu "
			    "groups of %u", s->n_inodes,
			    (unsigned long long)groups, s->inodes_per_group);
	s->n_groups = (uint32_t)groups;
	return 0;
}

static int get_inodes(const uint8_t *sb, struct ext4_super *s, struct err *e)
{
	uint64_t per_block = s->block_size / s->desc_size;

	if (s->inode_size < 128 || s->inode_size > s->block_size ||
	    !is_pow2(s->inode_size))
		return fail(e, EUCLEAN, "the superblock's inode size is %u, must "
			    "be a power of two from 128 to %u", s->inode_size,
			    s->block_size);
	if (s->n_groups * (uint64_t)s->inodes_per_group * s->inode_size >
	    s->n_blocks << s->block_bits)
		return fail(e, EUCLEAN, "the superblock's %u inodes of %u bytes "
			    "do not fit on it", s->n_inodes, s->inode_size);
	s->n_gdt = (uint32_t)div_round_up(s->n_groups, per_block);
	s->reserved_gdt = get_le16(sb + 0xce);
	if (s->reserved_gdt > s->block_size / 4)
		return fail(e, EUCLEAN, "the superblock reserves %u blocks for "
			    "descriptors, must be at most %u",
			    s->reserved_gdt, s->block_size / 4);
	if (s->incompat & INCOMPAT_META_BG)
		s->first_meta_bg = get_le32(sb + 0x104);
	return 0;
}

int ext4_decode_super(const uint8_t *sb, uint64_t volume_size,
		      struct ext4_super *s, struct err *e)
{
	int rc;

	memset(s, 0, sizeof(*s));
	if (get_le16(sb + 0x38) != 0xef53)
		return fail(e, EUCLEAN, "there is no superblock of ext4");
	memcpy(s->uuid, sb + 0x68, 16);
	s->state = get_le16(sb + 0x3a);
	rc = get_features(sb, s, e);
	if (!rc)
		rc = check_csum(sb, s, e);
	if (!rc)
		rc = get_block_size(sb, s, e);
	if (!rc)
		rc = get_groups(sb, volume_size, s, e);
	if (!rc)
		rc = get_inodes(sb, s, e);
	if (rc)
		return rc;
	if (s->compat & COMPAT_HAS_JOURNAL)
		s->journal_ino = get_le32(sb + 0xe0);
	if (s->compat & COMPAT_SPARSE_SUPER2) {
		s->backup_bgs[0] = get_le32(sb + 0x24c);
		s->backup_bgs[1] = get_le32(sb + 0x250);
	}
	if (s->incompat & INCOMPAT_MMP)
		s->mmp_block = get_le64(sb + 0x168);
	return 0;
}
