/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_quota.c - the accounts of ext4's feature quota, made right after changes: who
 * has how many inodes and bytes is summed up from all inodes, as e2fsck does, and
 * files of accounts that no longer agree are written anew, their limits kept.
 *
 * A quota file (Linux, fs/quota/quotaio_v2.h and quota_tree.h), little-endian, in
 * blocks of 1024 bytes:
 *
 *	block 0		magic (4 bytes), version 1 (4), and at 8: grace times of
 *			blocks and of inodes, flags, number of blocks, first free
 *			block, first data block with room (4 bytes each)
 *	block 1		the root of a tree, four levels deep: 256 block numbers, to
 *			be chosen by a byte of the id, the highest first
 *	data block	at 8: number of entries (2 bytes); from 16 on entries of 72
 *			bytes: id (4), zero (4), eight numbers of 8 bytes (below)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define BLOCK 1024u
#define FANOUT 256u
#define LEVELS 4u
#define ENTRY 72u
#define ENTRIES_AT 16u
#define PER_BLOCK ((BLOCK - ENTRIES_AT) / ENTRY)
#define MAX_FILE (64u << 20)		/* bytes: 900,000 accounts */
#define MAX_ACCOUNTS (MAX_FILE / ENTRY)

enum { IHARD, ISOFT, INODES, BHARD, BSOFT, SPACE, BTIME, ITIME, NUMBERS };

struct account {
	uint32_t id;
	bool taken;			/* this place of the table */
	uint64_t stored[NUMBERS];	/* as the file has it */
	uint64_t inodes, space;		/* as it is; space in bytes */
};

/* One file of accounts: of users, groups or projects. */
struct quota {
	struct ext_write *w;
	ext2_ino_t ino;
	unsigned type;
	uint8_t *file;			/* all of it */
	size_t len;
	uint8_t *seen;			/* tree blocks, a byte each */
	struct account *table;		/* hashed by id */
	size_t n, cap;			/* cap: a power of two, or 0 */
};

static int inode_size(const struct quota *q)
{
	return (int)min_u64(EXT2_INODE_SIZE(q->w->fs->super),
			    sizeof(union ext_inode));
}

static struct account *place(struct account *table, size_t cap, uint32_t id)
{
	size_t at = (id * UINT32_C(2654435761)) & (cap - 1);

	while (table[at].taken && table[at].id != id)
		at = (at + 1) & (cap - 1);
	return &table[at];
}

/* The account with that id, made if there is none; NULL: no memory, or too many. */
static struct account *account(struct quota *q, uint32_t id)
{
	struct account *a;

	if (2 * (q->n + 1) > q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 64;
		struct account *table = q->n < MAX_ACCOUNTS ?
			array_alloc(cap, sizeof(*table)) : NULL;

		if (!table)
			return NULL;
		for (size_t i = 0; i < q->cap; i++)
			if (q->table[i].taken)
				*place(table, cap, q->table[i].id) =
					q->table[i];
		free(q->table);
		q->table = table;
		q->cap = cap;
	}
	a = place(q->table, q->cap, id);
	if (!a->taken) {
		*a = (struct account){ .id = id, .taken = true };
		q->n++;
	}
	return a;
}

static int no_account(const struct quota *q, struct err *e)
{
	if (q->n >= MAX_ACCOUNTS)
		return fail(e, ENOTSUP, "quota: more than %u accounts",
			    MAX_ACCOUNTS);
	return fail(e, ENOMEM, "out of memory");
}

static int corrupt(const struct quota *q, const char *what, struct err *e)
{
	return fail(e, EUCLEAN, "the quota file in inode %u is damaged: %s; "
		    "run e2fsck in the guest first", q->ino, what);
}

/* The accounts of a data block that the tree names for `id`. */
static int take_entry(struct quota *q, uint32_t block, uint32_t id,
		      struct err *e)
{
	const uint8_t *p = q->file + (size_t)block * BLOCK + ENTRIES_AT;
	struct account *a;

	for (unsigned i = 0; i < PER_BLOCK; i++, p += ENTRY) {
		if (get_le32(p) != id || bytes_are_zero(p, ENTRY))
			continue;
		a = account(q, id);
		if (!a)
			return no_account(q, e);
		for (unsigned k = 0; k < NUMBERS; k++)
			a->stored[k] = get_le64(p + 8 + 8 * k);
		return 0;
	}
	return corrupt(q, "an account is missing", e);
}

static int walk(struct quota *q, uint32_t block, unsigned level, uint32_t id,
		struct err *e)
{
	const uint8_t *p = q->file + (size_t)block * BLOCK;
	int rc = 0;

	if (q->seen[block]++)
		return corrupt(q, "a block is in its tree twice", e);
	for (unsigned i = 0; i < FANOUT && !rc; i++) {
		uint32_t next = get_le32(p + 4 * i), below = id << 8 | i;

		if (!next)
			continue;
		if (next < 2 || next >= q->len / BLOCK)
			return corrupt(q, "its tree leads out of it", e);
		rc = level + 1 < LEVELS ? walk(q, next, level + 1, below, e) :
			take_entry(q, next, below, e);
	}
	return rc;
}

static int check_blocks(struct quota *q, struct err *e)
{
	union ext_inode inode;
	errcode_t code;

	memset(&inode, 0, sizeof(inode));
	code = ext2fs_read_inode_full(q->w->fs, q->ino, &inode.small,
				      inode_size(q));
	if (code)
		return ext_fail(e, code, "inode %u", q->ino);
	if (!LINUX_S_ISREG(inode.small.i_mode) || !inode.small.i_links_count)
		return corrupt(q, "it is no file", e);
	return ext_inode_check(q->w, q->ino, &inode, e);
}

/* All of the file, in memory. */
static int load(struct quota *q, struct err *e)
{
	ext2_file_t f;
	unsigned got = 0;
	errcode_t code = ext2fs_file_open(q->w->fs, q->ino, 0, &f);
	uint64_t size = 0;
	int rc = 0;

	if (code)
		return ext_fail(e, code, "the quota file in inode %u", q->ino);
	code = ext2fs_file_get_lsize(f, (__u64 *)&size);
	if (!code && (size < 2 * BLOCK || size > MAX_FILE)) {
		rc = fail(e, ENOTSUP, "the quota file in inode %u has %llu "
			  "bytes, must have %u to %u", q->ino,
			  (unsigned long long)size, 2 * BLOCK, MAX_FILE);
	} else if (!code) {
		q->len = (size_t)size;
		q->file = array_alloc(q->len + BLOCK, 1);
		q->seen = array_alloc(q->len / BLOCK + 1, 1);
		if (!q->file || !q->seen)
			rc = fail(e, ENOMEM, "out of memory");
		else
			code = ext2fs_file_read(f, q->file, (unsigned)q->len,
						&got);
	}
	ext2fs_file_close(f);
	if (code)
		return ext_fail(e, code, "the quota file in inode %u", q->ino);
	if (!rc && got != q->len)
		rc = corrupt(q, "it ends early", e);
	return rc;
}

static int read_accounts(struct quota *q, struct err *e)
{
	static const uint32_t magics[] = { 0xd9c01f11, 0xd9c01927, 0xd9c03f14 };
	int rc = check_blocks(q, e);

	if (!rc)
		rc = load(q, e);
	if (rc)
		return rc;
	if (get_le32(q->file) != magics[q->type] || get_le32(q->file + 4) != 1)
		return corrupt(q, "it does not begin as one", e);
	return walk(q, 1, 0, 0, e);
}

/* Whose is it? */
static uint32_t owner(const struct quota *q, const union ext_inode *inode)
{
	const struct ext2_inode_large *l = &inode->large;
	size_t end = offsetof(struct ext2_inode_large, i_projid) + 4;

	if (q->type == 0)
		return inode_uid(*l);
	if (q->type == 1)
		return inode_gid(*l);
	return EXT2_INODE_SIZE(q->w->fs->super) >= end &&
		(size_t)EXT2_GOOD_OLD_INODE_SIZE + l->i_extra_isize >= end ?
		l->i_projid : 0;
}

/* The file system's own are nobody's. */
static bool is_counted(const struct ext2_super_block *s, ext2_ino_t ino,
		       const union ext_inode *inode)
{
	return inode->small.i_links_count && ino != s->s_prj_quota_inum &&
		ino != s->s_orphan_file_inum &&
		(ino == EXT2_ROOT_INO || ino >= EXT2_FIRST_INODE(s));
}

static int count(struct quota *q, size_t n, struct err *e)
{
	ext2_filsys fs = q[0].w->fs;
	union ext_inode inode;
	ext2_inode_scan scan;
	ext2_ino_t ino = 0;
	errcode_t code = ext2fs_open_inode_scan(fs, 0, &scan);
	int rc = 0;

	if (code)
		return ext_fail(e, code, "the inodes");
	memset(&inode, 0, sizeof(inode));
	while (!rc) {
		code = ext2fs_get_next_inode_full(scan, &ino, &inode.small,
						  inode_size(q));
		if (code || !ino)
			break;
		if (!is_counted(fs->super, ino, &inode))
			continue;
		for (size_t i = 0; i < n && !rc; i++) {
			struct account *a = account(&q[i], owner(&q[i], &inode));

			if (!a) {
				rc = no_account(&q[i], e);
				break;
			}
			a->inodes++;
			a->space += (uint64_t)ext2fs_get_stat_i_blocks(
				fs, &inode.small) << 9;
		}
	}
	ext2fs_close_inode_scan(scan);
	return code && !rc ? ext_fail(e, code, "the inodes") : rc;
}

/* Is there anything to be written?  New numbers take the place of the old. */
static bool settle(struct quota *q)
{
	bool changed = false;

	for (size_t i = 0; i < q->cap; i++) {
		struct account *a = &q->table[i];

		if (!a->taken || (a->stored[INODES] == a->inodes &&
				  a->stored[SPACE] == a->space))
			continue;
		a->stored[INODES] = a->inodes;
		a->stored[SPACE] = a->space;
		changed = true;
	}
	return changed;
}

static int by_id(const void *a, const void *b)
{
	const struct account *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Those that say something, in order, at the head of the table. */
static void sort(struct quota *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->cap; i++)
		if (q->table[i].taken && !bytes_are_zero(q->table[i].stored,
							 sizeof(q->table[i].stored)))
			q->table[n++] = q->table[i];
	q->n = n;
	if (n)
		qsort(q->table, n, sizeof(*q->table), by_id);
}

/* A file that is being made: blocks are taken one after the other. */
struct made {
	uint8_t *file;
	uint32_t n_blocks;
};

/* The block of the next level for this id, from the tree block `at`. */
static uint32_t descend(struct made *m, uint32_t at, unsigned byte)
{
	uint8_t *ref = m->file + (size_t)at * BLOCK + 4 * byte;

	if (!get_le32(ref))
		put_le32(ref, m->n_blocks++);
	return get_le32(ref);
}

static void put_account(struct made *m, const struct account *a, uint32_t data)
{
	uint8_t *block = m->file + (size_t)data * BLOCK;
	unsigned n = get_le16(block + 8);
	uint8_t *entry = block + ENTRIES_AT + n * ENTRY;
	uint32_t at = 1;

	for (unsigned level = 0; level + 1 < LEVELS; level++)
		at = descend(m, at, a->id >> (24 - 8 * level) & 255);
	put_le32(m->file + (size_t)at * BLOCK + 4 * (a->id & 255), data);
	put_le32(entry, a->id);
	for (unsigned k = 0; k < NUMBERS; k++)
		put_le64(entry + 8 + 8 * k, a->stored[k]);
	put_le16(block + 8, (uint16_t)(n + 1));
}

/* Of sorted accounts; the caller frees the file. */
static int make_file(const struct quota *q, struct made *m, struct err *e)
{
	/* Three tree blocks and a data block an account are enough. */
	size_t most = (size_t)min_u64(2 + q->n * LEVELS, MAX_FILE / BLOCK);
	uint32_t data = 0;

	m->file = array_alloc(most, BLOCK);
	if (!m->file)
		return fail(e, ENOMEM, "out of memory");
	m->n_blocks = 2;
	memcpy(m->file, q->file, 20);
	for (size_t i = 0; i < q->n; i++) {
		if (m->n_blocks + LEVELS > most) {
			free(m->file);
			return fail(e, ENOTSUP, "quota: accounts in more than %u "
				    "bytes", MAX_FILE);
		}
		if (i % PER_BLOCK == 0)
			data = m->n_blocks++;
		put_account(m, &q->table[i], data);
	}
	put_le32(m->file + 20, m->n_blocks);
	put_le32(m->file + 24, 0);
	put_le32(m->file + 28, q->n % PER_BLOCK ? data : 0);
	return 0;
}

static int store(struct quota *q, struct err *e)
{
	struct made m = { 0 };
	ext2_file_t f;
	unsigned put = 0;
	errcode_t code, one;
	size_t len;
	int rc;

	sort(q);
	rc = make_file(q, &m, e);
	if (rc)
		return rc;
	len = (size_t)m.n_blocks * BLOCK;
	code = ext2fs_file_open(q->w->fs, q->ino, EXT2_FILE_WRITE, &f);
	if (!code) {
		code = ext2fs_file_write(f, m.file, (unsigned)len, &put);
		one = ext2fs_file_close(f);
		code = code ? code : one;
	}
	free(m.file);
	if (code)
		return ext_fail(e, code, "writing the quota file in inode %u",
				q->ino);
	return put == len ? 0 : fail(e, EIO, "the quota file in inode %u was "
				     "written in part", q->ino);
}

int ext_quota_update(struct ext_write *w, struct err *e)
{
	const struct ext2_super_block *s = w->fs->super;
	const uint32_t inos[3] = { s->s_usr_quota_inum, s->s_grp_quota_inum,
				   s->s_prj_quota_inum };
	struct quota q[3] = { 0 };
	size_t n = 0;
	int rc = 0;

	if (!ext2fs_has_feature_quota(w->fs->super))
		return 0;
	for (unsigned type = 0; type < 3 && !rc; type++) {
		if (!inos[type])
			continue;
		q[n] = (struct quota){ .w = w, .ino = inos[type], .type = type };
		rc = read_accounts(&q[n++], e);
	}
	if (!rc && n)
		rc = count(q, n, e);
	for (size_t i = 0; i < n && !rc; i++)
		if (settle(&q[i]))
			rc = store(&q[i], e);
	for (size_t i = 0; i < n; i++) {
		free(q[i].file);
		free(q[i].seen);
		free(q[i].table);
	}
	return rc;
}
