/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader.h - the reader of ext2, ext3 and ext4.  Internal to convert/fs/ext4.
 *
 * Layout: Linux kernel, Documentation/filesystems/ext4.  Numbers of blocks count
 * from the start of the volume.
 */
#ifndef CONVERT_FS_EXT4_READER_H
#define CONVERT_FS_EXT4_READER_H

#include "imgfmt/imgfmt.h"

/* Features: compatible, incompatible, and compatible for readers. */
#define COMPAT_HAS_JOURNAL	0x0004u
#define COMPAT_SPARSE_SUPER2	0x0200u
#define INCOMPAT_FILETYPE	0x0002u
#define INCOMPAT_RECOVER	0x0004u
#define INCOMPAT_JOURNAL_DEV	0x0008u
#define INCOMPAT_META_BG	0x0010u
#define INCOMPAT_EXTENTS	0x0040u
#define INCOMPAT_64BIT		0x0080u
#define INCOMPAT_MMP		0x0100u
#define INCOMPAT_FLEX_BG	0x0200u
#define INCOMPAT_EA_INODE	0x0400u
#define INCOMPAT_CSUM_SEED	0x2000u
#define INCOMPAT_LARGEDIR	0x4000u
#define INCOMPAT_INLINE_DATA	0x8000u
#define INCOMPAT_ENCRYPT	0x10000u
#define INCOMPAT_CASEFOLD	0x20000u
#define RO_SPARSE_SUPER		0x0001u
#define RO_GDT_CSUM		0x0010u
#define RO_BIGALLOC		0x0200u
#define RO_METADATA_CSUM	0x0400u

#define STATE_VALID	1u
#define STATE_ERROR	2u

/* The superblock, decoded and checked. */
struct ext4_super {
	uint32_t compat, incompat, ro;
	uint32_t block_size;		/* bytes */
	unsigned block_bits;		/* its logarithm */
	unsigned cluster_bits;		/* a cluster has 1 << these blocks */
	uint64_t n_blocks;
	uint32_t first_block;		/* of group 0 */
	uint32_t blocks_per_group;
	uint32_t n_groups;
	uint32_t inodes_per_group, n_inodes, first_ino;
	uint32_t inode_size, desc_size;	/* bytes */
	uint32_t first_meta_bg, reserved_gdt, n_gdt;	/* blocks of descriptors */
	uint32_t backup_bgs[2];
	uint16_t state;
	uint64_t mmp_block;
	uint32_t journal_ino;
	bool csum;			/* metadata_csum */
	uint32_t seed;			/* of metadata checksums */
	uint8_t uuid[16];
};

/* A block that a journal holds in a newer version. */
struct ext4_fresh {
	uint64_t block, at;		/* which, and where the new one is */
	uint32_t sequence;		/* of its transaction */
	uint32_t order;			/* in the journal */
	bool escaped, revoked;
};

#define EXT4_LINE	65536u		/* bytes; the largest block */
#define EXT4_LINES	64u

/* Lines of the volume as after replay. */
struct ext4_cache {
	uint8_t *line[EXT4_LINES];	/* NULL: not needed yet */
	uint64_t at[EXT4_LINES];	/* bytes; UINT64_MAX: empty */
	uint32_t len[EXT4_LINES];
	uint64_t used[EXT4_LINES], clock;
	unsigned last;
};

#define EXT4_MAX_DEPTH	5u

struct ext4_range {
	uint64_t first, end;		/* blocks */
};

struct ext4 {
	struct img *volume;
	struct err *note;		/* for what is found later; or NULL */
	struct ext4_super s;
	struct ext4_cache cache;
	uint8_t *block;			/* one block, for who needs it briefly */
	/* What is to be replayed, by block, each once. */
	struct ext4_fresh *fresh;
	size_t n_fresh;
	uint32_t next_sequence;		/* behind the last transaction */
	uint64_t journal_block;		/* of its superblock */
	bool dirty;			/* there was a journal to replay */
	bool journal_error;		/* the kernel had aborted it */
	/* The inode read last. */
	uint8_t *raw;
	/* The nodes on the way to the extent looked up last. */
	struct {
		uint64_t block;		/* 0: none */
		uint32_t ino;
		uint8_t *data;
	} path[EXT4_MAX_DEPTH];
	/* map.c: the metadata's places, sorted, and one group's bitmap. */
	struct ext4_range *meta;
	size_t n_meta, meta_cap;
	bool meta_known;
	int meta_failed;		/* its places cannot be known */
	uint8_t *bitmap;
	uint64_t bitmap_group;		/* UINT64_MAX: none */
};

/* super.c.  `sb` has 1024 bytes. */
int ext4_decode_super(const uint8_t *sb, uint64_t volume_size,
		      struct ext4_super *s, struct err *e);
/* What it is called, whether or not the rest can be used: false, no ext4. */
bool ext4_name_super(const uint8_t *sb, const char **type, uint8_t uuid[16],
		     char label[17], uint64_t *size);

/* cache.c: bytes of the volume as after replay.  Any range; beyond the file
 * system -EUCLEAN.
 */
int ext4_read(struct ext4 *x, void *buf, size_t len, uint64_t offset,
	      struct err *e);
/* Not through the cache: for large pieces. */
int ext4_read_past(struct ext4 *x, void *buf, size_t len, uint64_t offset,
		   struct err *e);
void ext4_cache_drop(struct ext4 *x);

/* group.c */
struct ext4_group {
	uint64_t block_bitmap, inode_bitmap, inode_table;	/* blocks */
	uint32_t bitmap_csum;
	bool csum_is_long;		/* bitmap_csum has 32 bits, else 16 */
	uint32_t unused;		/* inodes at the table's end, never used */
	bool no_block_bitmap, no_inodes;	/* not initialised: all free */
};
int ext4_group(struct ext4 *x, uint32_t g, struct ext4_group *out,
	       struct err *e);
uint64_t ext4_group_start(const struct ext4 *x, uint32_t g);	/* block */
/* Copies of the superblock and of descriptors: from the group's start. */
uint32_t ext4_group_overhead(const struct ext4 *x, uint32_t g);	/* blocks */
uint64_t ext4_table_blocks(const struct ext4 *x);	/* of inodes, per group */

/* inode.c */
#define INODE_EXTENTS	0x00080000u
#define INODE_COMPR	0x00000004u
#define INODE_ENCRYPT	0x00000800u
#define INODE_EA	0x00200000u
#define INODE_INLINE	0x10000000u

struct ext4_inode {
	uint32_t ino;
	uint32_t mode, uid, gid, links, flags, generation;
	uint64_t size;
	uint64_t file_acl;		/* block of extended attributes, 0: none */
	int64_t atime, mtime, ctime;
	uint32_t extra;			/* bytes of fields behind the first 128 */
	uint8_t block[60];		/* i_block */
	uint32_t seed;			/* of checksums of what it owns */
};
/* x->raw then has its bytes, until another one is read. */
int ext4_inode(struct ext4 *x, uint64_t ino, struct ext4_inode *out,
	       struct err *e);
/* No mode: it is free. */
int ext4_inode_any(struct ext4 *x, uint64_t ino, struct ext4_inode *out,
		   struct err *e);

/* extents.c, indirect.c: where are the `max` (at least 1) blocks from `logical`
 * on?  run->len of them, at least 1, lie together; block 0: they read as zeroes.
 */
struct ext4_run {
	uint64_t block, len;		/* blocks */
	bool unwritten;			/* has a block, but reads as zeroes */
};
int ext4_run(struct ext4 *x, const struct ext4_inode *in, uint64_t logical,
	     uint64_t max, struct ext4_run *run, struct err *e);
int ext4_run_extents(struct ext4 *x, const struct ext4_inode *in,
		     uint64_t logical, struct ext4_run *run, struct err *e);
int ext4_run_indirect(struct ext4 *x, const struct ext4_inode *in,
		      uint64_t logical, struct ext4_run *run, struct err *e);
/* Calls `range` for all blocks of an inode, those that describe it too; in any
 * order.  A value other than 0 ends it.
 */
int ext4_blocks(struct ext4 *x, const struct ext4_inode *in,
		int (*range)(void *arg, uint64_t block, uint64_t n), void *arg,
		struct err *e);
int ext4_blocks_extents(struct ext4 *x, const struct ext4_inode *in,
			int (*range)(void *, uint64_t, uint64_t), void *arg,
			struct err *e);
int ext4_blocks_indirect(struct ext4 *x, const struct ext4_inode *in,
			 int (*range)(void *, uint64_t, uint64_t), void *arg,
			 struct err *e);
/* Blocks that lie on the file system? -EUCLEAN if not. */
int ext4_check_blocks(const struct ext4 *x, uint32_t ino, uint64_t block,
		      uint64_t n, struct err *e);

/* file.c.  Zeroes where nothing is stored; the range is inside the file. */
int ext4_file_read(struct ext4 *x, const struct ext4_inode *in, void *buf,
		   size_t len, uint64_t offset, struct err *e);
int ext4_file_readlink(struct ext4 *x, const struct ext4_inode *in, char *buf,
		       size_t size, struct err *e);

/* dir.c */
int ext4_dir_list(struct ext4 *x, const struct ext4_inode *dir,
		  int (*entry)(void *arg, const char *name, uint64_t ino),
		  void *arg, struct err *e);

/* xattr.c: `name` without its prefix, which is `index`.  The caller frees *value.
 */
int ext4_xattr(struct ext4 *x, const struct ext4_inode *in, unsigned index,
	       const char *name, uint8_t **value, size_t *len, struct err *e);
int ext4_xattr_by_name(struct ext4 *x, const struct ext4_inode *in,
		       const char *name, void **value, size_t *len,
		       struct err *e);
#define EXT4_XATTR_SYSTEM 7u		/* inline data is "data" there */

/* journal.c: find what a dirty journal holds: x->fresh and what stands with it. */
int ext4_journal_scan(struct ext4 *x, struct err *e);

/* map.c.  Whole groups or parts of them, in bytes. */
int ext4_map(struct ext4 *x, uint64_t offset, uint64_t *len, bool *used,
	     struct err *e);
/* Is any of these bytes the file system's own? */
int ext4_is_meta(struct ext4 *x, uint64_t offset, uint64_t len, bool *is,
		 struct err *e);

/* owners.c */
int ext4_owners(struct ext4 *x, uint64_t offset, uint64_t len,
		int (*file)(void *arg, const char *path), void *arg,
		struct err *e);

/* open.c.  On failure nothing is left to close. */
int ext4_open(struct img *volume, struct ext4 **out, struct err *e);
void ext4_close(struct ext4 *x);

#endif
