/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.c - what is to be replayed of a journal: which blocks, and where their
 * newest committed copies are.
 *
 * A transaction is descriptors, each followed by the blocks that it names; revoke
 * blocks; and a commit block.  Without that it does not count.  A block that is
 * revoked counts only from later transactions.  Memory: an entry for each block
 * of the journal.
 *
 * Tag: 0 block; then, checksums of version 3: 4 flags, 8 block, high, 12 checksum;
 * else: 4 checksum (16), 6 flags (16), 8 block, high, where it has 64 bits, and
 * with version 2 two bytes more.  Flags: 1 the block began with the magic number,
 * which was zeroed; 2 no UUID of 16 bytes follows; 8 the last tag.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/journal.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

/* mke2fs makes 1 GiB at most, which is a quarter of that in blocks of 1 KiB. */
#define MAX_BLOCKS (4u << 20)

#define TAG_ESCAPED	1u
#define TAG_SAME_UUID	2u
#define TAG_LAST	8u

struct revoke_block {
	uint32_t index, sequence;
};

struct scan {
	struct jbd2 j;
	uint32_t at, sequence;		/* the next block, its transaction */
	uint32_t left;			/* blocks of the log not yet seen */
	uint8_t *buf, *data;
	struct ext4_fresh *fresh;	/* committed, then those of this */
	size_t n, cap, committed;	/* transaction */
	uint32_t *csums;		/* of fresh[committed + i] */
	size_t csums_cap;
	struct revoke_block *revokes;
	size_t n_revokes, revokes_cap, revokes_committed;
	uint32_t old_csum;		/* version 1: of the transaction */
};

/* CRC-32, most significant bit first, as the first version of checksums has it.
 */
static uint32_t crc32_be(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len--) {
		crc ^= (uint32_t)*p++ << 24;
		for (unsigned i = 0; i < 8; i++)
			crc = crc << 1 ^ (crc & 1u << 31 ? 0x04c11db7u : 0);
	}
	return crc;
}

static void step(struct scan *s)
{
	if (++s->at == s->j.end)
		s->at = s->j.first;
	s->left--;
}

static uint32_t tag_len(const struct jbd2 *j)
{
	if (j->incompat & JBD2_CSUM_V3)
		return 16;
	return (j->incompat & JBD2_64BIT ? 12u : 8u) +
	       (j->incompat & JBD2_CSUM_V2 ? 2 : 0);
}

struct tag {
	uint64_t block;
	uint32_t flags, csum;
};

static struct tag get_tag(const struct jbd2 *j, const uint8_t *p)
{
	struct tag t = { .block = get_be32(p) };

	if (j->incompat & JBD2_CSUM_V3) {
		t.flags = get_be32(p + 4);
		t.csum = get_be32(p + 12);
	} else {
		t.csum = get_be16(p + 4);
		t.flags = get_be16(p + 6);
	}
	if (j->incompat & JBD2_64BIT)
		t.block |= (uint64_t)get_be32(p + 8) << 32;
	return t;
}

/* The block behind the descriptor that this tag is of. */
static int add_tag(struct scan *s, const struct tag *t, struct err *e)
{
	struct ext4 *x = s->j.x;
	struct ext4_fresh *f;
	int rc;

	if (!s->left)
		return fail(e, EUCLEAN, "a transaction is longer than the log");
	if (t->block >= img_size(x->volume) >> x->s.block_bits)
		return fail(e, EUCLEAN, "transaction %u has block %llu, beyond the "
			    "volume", s->sequence,
			    (unsigned long long)t->block);
	if (s->n == MAX_BLOCKS)
		return fail(e, ENOTSUP, "it holds more than %u blocks",
			    MAX_BLOCKS);
	if (array_grow(&s->fresh, &s->cap, s->n + 1, sizeof(*s->fresh)) ||
	    array_grow(&s->csums, &s->csums_cap, s->n - s->committed + 1,
		       sizeof(*s->csums)))
		return fail(e, ENOMEM, "out of memory");
	f = &s->fresh[s->n];
	*f = (struct ext4_fresh){
		.block = t->block, .sequence = s->sequence,
		.order = (uint32_t)s->n, .escaped = t->flags & TAG_ESCAPED,
	};
	rc = jbd2_locate(&s->j, s->at, &f->at, e);
	if (rc)
		return rc;
	s->csums[s->n++ - s->committed] = t->csum;
	if (!s->j.csum && s->j.compat & JBD2_COMPAT_CHECKSUM) {
		rc = jbd2_read(&s->j, s->at, s->data, e);
		s->old_csum = crc32_be(s->old_csum, s->data, x->s.block_size);
	}
	step(s);
	return rc;
}

static int read_descriptor(struct scan *s, struct err *e)
{
	uint32_t len = tag_len(&s->j), at = 12;
	uint32_t end = s->j.x->s.block_size - (s->j.csum ? 4 : 0);
	struct tag t;
	int rc = 0;

	s->old_csum = crc32_be(s->old_csum, s->buf, s->j.x->s.block_size);
	while (!rc && end - at >= len) {
		t = get_tag(&s->j, s->buf + at);
		at += len;
		rc = add_tag(s, &t, e);
		if (t.flags & TAG_LAST)
			break;
		if (!(t.flags & TAG_SAME_UUID)) {
			if (end - at < 16)
				break;
			at += 16;
		}
	}
	return rc;
}

static int add_revoke(struct scan *s, uint32_t index, struct err *e)
{
	if (array_grow(&s->revokes, &s->revokes_cap, s->n_revokes + 1,
		       sizeof(*s->revokes)))
		return fail(e, ENOMEM, "out of memory");
	s->revokes[s->n_revokes++] = (struct revoke_block){ index, s->sequence };
	return 0;
}

/* Does the data of the transaction match the checksums in its tags? */
static int check_data(struct scan *s, bool *good, struct err *e)
{
	uint32_t size = s->j.x->s.block_size, c, mask;
	uint8_t number[4];
	int rc;

	*good = true;
	if (!s->j.csum)
		return 0;
	mask = s->j.incompat & JBD2_CSUM_V3 ? ~0u : 0xffff;
	put_be32(number, s->sequence);
	for (size_t i = s->committed; i < s->n && *good; i++) {
		rc = ext4_read(s->j.x, s->data, size,
			       s->fresh[i].at << s->j.x->s.block_bits, e);
		if (rc)
			return rc;
		c = crc32c(crc32c(s->j.seed, number, 4), s->data, size);
		*good = (c & mask) == s->csums[i - s->committed];
	}
	return 0;
}

/* Version 1: of all blocks of the transaction, in its commit block. */
static bool old_csum_ok(const struct scan *s)
{
	const uint8_t *p = s->buf;

	if (s->j.csum || !(s->j.compat & JBD2_COMPAT_CHECKSUM) || p[12] != 1 ||
	    p[13] != 4)
		return true;
	return get_be32(p + 16) == s->old_csum;
}

static int commit(struct scan *s, bool *end, struct err *e)
{
	bool good;
	int rc = check_data(s, &good, e);

	if (rc)
		return rc;
	if (!good || !old_csum_ok(s)) {
		/* Only with that feature is it normal after a power cut. */
		if (!(s->j.incompat & JBD2_ASYNC_COMMIT))
			return fail(e, EUCLEAN, "the checksums of transaction %u "
				    "are wrong", s->sequence);
		*end = true;
		return 0;
	}
	s->committed = s->n;
	s->revokes_committed = s->n_revokes;
	s->sequence++;
	s->old_csum = ~0u;
	return 0;
}

static bool is_block(const struct scan *s, const uint8_t *buf, uint32_t type)
{
	return get_be32(buf) == JBD2_MAGIC && get_be32(buf + 8) == s->sequence &&
	       (!type || get_be32(buf + 4) == type);
}

/* A block's checksum is wrong.  If the power failed while it was written there is
 * no commit block behind it, and the log ends here.
 */
static int check_torn(struct scan *s, uint32_t index, struct err *e)
{
	int rc = 0;

	for (; s->left && !rc; step(s)) {
		rc = jbd2_read(&s->j, s->at, s->data, e);
		if (!rc && is_block(s, s->data, JBD2_COMMIT))
			return fail(e, EUCLEAN, "transaction %u is committed, but "
				    "the checksum of its block %u is wrong",
				    s->sequence, index);
	}
	return rc;
}

static int scan_block(struct scan *s, bool *end, struct err *e)
{
	uint32_t index = s->at, size = s->j.x->s.block_size, type;
	int rc = jbd2_read(&s->j, index, s->buf, e);

	if (rc)
		return rc;
	type = get_be32(s->buf + 4);
	if (!is_block(s, s->buf, 0) ||
	    (type != JBD2_DESCRIPTOR && type != JBD2_COMMIT &&
	     type != JBD2_REVOKE)) {
		*end = true;
		return 0;
	}
	step(s);
	if (!jbd2_csum_ok(&s->j, s->buf, type == JBD2_COMMIT ? 16 : size - 4)) {
		*end = true;
		if (type == JBD2_COMMIT)
			return fail(e, EUCLEAN, "the checksum of the commit block "
				    "of transaction %u is wrong", s->sequence);
		return check_torn(s, index, e);
	}
	if (type == JBD2_DESCRIPTOR)
		return read_descriptor(s, e);
	if (type == JBD2_REVOKE)
		return add_revoke(s, index, e);
	return commit(s, end, e);
}

static int by_block(const void *a, const void *b)
{
	const struct ext4_fresh *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Sort, and keep the last of each block. */
static void keep_last(struct scan *s)
{
	size_t n = 0;

	s->n = s->committed;
	if (s->n)
		qsort(s->fresh, s->n, sizeof(*s->fresh), by_block);
	for (size_t i = 0; i < s->n; i++)
		if (i + 1 == s->n || s->fresh[i + 1].block != s->fresh[i].block)
			s->fresh[n++] = s->fresh[i];
	s->n = n;
}

static void revoke(struct scan *s, uint64_t block, uint32_t sequence)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->fresh[mid].block < block)
			low = mid + 1;
		else
			high = mid;
	}
	/* Sequence numbers wrap. */
	if (low < s->n && s->fresh[low].block == block &&
	    (int32_t)(sequence - s->fresh[low].sequence) >= 0)
		s->fresh[low].revoked = true;
}

static int apply_revokes(struct scan *s, struct err *e)
{
	uint32_t width = s->j.incompat & JBD2_64BIT ? 8 : 4, end;
	uint32_t room = s->j.x->s.block_size - (s->j.csum ? 4 : 0);
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < s->revokes_committed; i++) {
		rc = jbd2_read(&s->j, s->revokes[i].index, s->buf, e);
		if (rc)
			return rc;
		end = get_be32(s->buf + 12);
		if (end > room)
			return fail(e, EUCLEAN, "a revoke block has %u bytes, must "
				    "be at most %u", end, room);
		for (uint32_t at = 16; at + width <= end; at += width)
			revoke(s, width == 8 ? get_be64(s->buf + at)
					     : get_be32(s->buf + at),
			       s->revokes[i].sequence);
	}
	for (size_t i = 0; i < s->n; i++)
		if (!s->fresh[i].revoked)
			s->fresh[n++] = s->fresh[i];
	s->n = n;
	return 0;
}

static int scan_log(struct scan *s, struct err *e)
{
	bool end = false, fast = false;
	int rc = 0;

	while (s->left && !end && !rc)
		rc = scan_block(s, &end, e);
	if (rc)
		return rc;
	if (s->j.incompat & JBD2_FAST_COMMIT)
		rc = jbd2_has_fast_commits(&s->j, s->sequence, &fast, e);
	if (!rc && fast)
		rc = fail(e, ENOTSUP, "it holds fast commits, which only the "
			  "kernel can replay: mount and unmount the file system "
			  "once");
	if (rc)
		return rc;
	keep_last(s);
	return apply_revokes(s, e);
}

int ext4_journal_scan(struct ext4 *x, struct err *e)
{
	struct scan s = { .old_csum = ~0u };
	int rc = jbd2_open(x, &s.j, e);

	if (rc)
		return rc;
	x->journal_block = s.j.super_block;
	x->journal_error = s.j.error;
	x->next_sequence = s.j.sequence;
	if (!s.j.start)
		return 0;
	s.at = s.j.start;
	s.sequence = s.j.sequence;
	s.left = s.j.end - s.j.first;
	s.buf = malloc(x->s.block_size);
	s.data = malloc(x->s.block_size);
	if (s.buf && s.data)
		rc = scan_log(&s, e);
	else
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc) {
		x->fresh = s.fresh;
		x->n_fresh = s.n;
		x->next_sequence = s.sequence;
		s.fresh = NULL;
	}
	free(s.fresh);
	free(s.csums);
	free(s.revokes);
	free(s.buf);
	free(s.data);
	return rc;
}
