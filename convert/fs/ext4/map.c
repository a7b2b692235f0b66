/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.c - which blocks are used: the bitmaps, and, whatever those say, all
 * metadata and the journal.  A group whose bitmap cannot be believed is used.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"

/* mke2fs puts the metadata of sixteen groups together, so that three ranges serve
 * for them; this many are for a million groups in the worst order.
 */
#define MAX_RANGES (1u << 20)

/* Is it more of one of the last few?  Bitmaps and tables of neighbours are
 * together, each kind by itself.
 */
static bool merge(struct ext4 *x, uint64_t first, uint64_t end)
{
	size_t from = x->n_meta > 4 ? x->n_meta - 4 : 0;

	for (size_t i = from; i < x->n_meta; i++)
		if (x->meta[i].end == first) {
			x->meta[i].end = end;
			return true;
		}
	return false;
}

static int add_range(void *arg, uint64_t first, uint64_t n)
{
	struct ext4 *x = arg;

	if (!n || merge(x, first, first + n))
		return 0;
	if (x->n_meta == MAX_RANGES)
		return -ENOTSUP;
	if (array_grow(&x->meta, &x->meta_cap, x->n_meta + 1,
		       sizeof(*x->meta)))
		return -ENOMEM;
	x->meta[x->n_meta++] = (struct ext4_range){ first, first + n };
	return 0;
}

static int add_group(struct ext4 *x, uint32_t g)
{
	struct ext4_group d;
	int rc;

	rc = add_range(x, ext4_group_start(x, g), ext4_group_overhead(x, g));
	if (rc)
		return rc;
	rc = ext4_group(x, g, &d, NULL);
	/* All of that group is used then: see load(). */
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	rc = add_range(x, d.block_bitmap, 1);
	if (!rc)
		rc = add_range(x, d.inode_bitmap, 1);
	if (!rc)
		rc = add_range(x, d.inode_table, ext4_table_blocks(x));
	return rc;
}

static int by_first(const void *a, const void *b)
{
	const struct ext4_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Afterwards both ends rise from range to range. */
static void sort_ranges(struct ext4 *x)
{
	size_t n = 0;

	if (!x->n_meta)
		return;
	qsort(x->meta, x->n_meta, sizeof(*x->meta), by_first);
	for (size_t i = 1; i < x->n_meta; i++) {
		if (x->meta[i].first > x->meta[n].end)
			x->meta[++n] = x->meta[i];
		else
			x->meta[n].end = max_u64(x->meta[n].end,
						 x->meta[i].end);
	}
	x->n_meta = n + 1;
}

static int collect(struct ext4 *x)
{
	struct ext4_inode in;
	int rc = 0;

	for (uint32_t g = 0; g < x->s.n_groups && !rc; g++)
		rc = add_group(x, g);
	if (!rc && x->s.mmp_block)
		rc = add_range(x, x->s.mmp_block, 1);
	if (!rc && x->s.journal_ino) {
		rc = ext4_inode(x, x->s.journal_ino, &in, NULL);
		if (!rc)
			rc = ext4_blocks(x, &in, add_range, x, NULL);
	}
	return rc;
}

static int know_meta(struct ext4 *x, struct err *e)
{
	int rc;

	if (x->meta_known)
		return 0;
	x->n_meta = 0;
	rc = collect(x);
	if (rc == -ENOMEM)
		return fail(e, ENOMEM, "out of memory");
	x->meta_failed = rc;
	if (rc && x->note && !x->note->text[0])
		fail(x->note, -rc, "where the metadata is cannot be known: all of "
		     "the file system counts as used");
	sort_ranges(x);
	x->meta_known = true;
	return 0;
}

/* The first range that ends behind `block`. */
static size_t find_range(const struct ext4 *x, uint64_t block)
{
	size_t low = 0, high = x->n_meta;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->meta[mid].end <= block)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int ext4_is_meta(struct ext4 *x, uint64_t offset, uint64_t len, bool *is,
		 struct err *e)
{
	uint64_t first = offset >> x->s.block_bits;
	uint64_t last = (offset + len - 1) >> x->s.block_bits;
	int rc = know_meta(x, e);
	size_t i;

	if (rc)
		return rc;
	i = find_range(x, first);
	*is = first < x->s.first_block ||
	      (i < x->n_meta && x->meta[i].first <= last);
	return 0;
}

static uint32_t n_clusters(const struct ext4 *x, uint32_t g)
{
	uint64_t n = min_u64(x->s.blocks_per_group,
			     x->s.n_blocks - ext4_group_start(x, g));

	return (uint32_t)div_round_up(n, 1ull << x->s.cluster_bits);
}

static void set_bits(uint8_t *map, uint32_t first, uint32_t end)
{
	for (; first < end && first % 8; first++)
		map[first / 8] |= (uint8_t)(1u << first % 8);
	for (; first + 8 <= end; first += 8)
		map[first / 8] = 0xff;
	for (; first < end; first++)
		map[first / 8] |= (uint8_t)(1u << first % 8);
}

static void mark_meta(struct ext4 *x, uint32_t g)
{
	unsigned bits = x->s.cluster_bits;
	uint64_t start = ext4_group_start(x, g);
	uint64_t end = min_u64(start + x->s.blocks_per_group, x->s.n_blocks);

	for (size_t i = find_range(x, start);
	     i < x->n_meta && x->meta[i].first < end; i++) {
		uint64_t from = max_u64(x->meta[i].first, start) - start;
		uint64_t to = min_u64(x->meta[i].end, end) - start;

		set_bits(x->bitmap, (uint32_t)(from >> bits),
			 (uint32_t)((to - 1) >> bits) + 1);
	}
}

static int read_bitmap(struct ext4 *x, uint32_t g, struct err *e)
{
	uint32_t len = (x->s.blocks_per_group >> x->s.cluster_bits) / 8, c;
	struct ext4_group d;
	int rc = ext4_group(x, g, &d, e);

	if (rc)
		return rc;
	if (d.no_block_bitmap) {
		memset(x->bitmap, 0, len);
		return 0;
	}
	rc = ext4_read(x, x->bitmap, len, d.block_bitmap << x->s.block_bits, e);
	if (rc || !x->s.csum)
		return rc;
	c = crc32c(x->s.seed, x->bitmap, len);
	if ((d.csum_is_long ? c : c & 0xffff) != d.bitmap_csum)
		return fail(e, EUCLEAN, "the checksum of group %u's block bitmap "
			    "is wrong", g);
	return 0;
}

/* What may be wrong in one group is no reason to take the others whole. */
static int load(struct ext4 *x, uint32_t g, struct err *e)
{
	struct err why;
	int rc;

	if (x->bitmap_group == g)
		return 0;
	x->bitmap_group = UINT64_MAX;
	rc = read_bitmap(x, g, &why);
	if (rc == -ENOMEM)
		return fail(e, ENOMEM, "out of memory");
	if (rc) {
		memset(x->bitmap, 0xff, x->s.block_size);
		if (x->note && !x->note->text[0])
			fail(x->note, EUCLEAN, "%s: all of the group counts as "
			     "used", why.text);
	} else {
		mark_meta(x, g);
	}
	x->bitmap_group = g;
	return 0;
}

static bool bit(const uint8_t *map, uint32_t i)
{
	return map[i / 8] >> i % 8 & 1;
}

/* The end of the run of equal bits from `i` on. */
static uint32_t run_end(const uint8_t *map, uint32_t i, uint32_t n)
{
	bool want = bit(map, i);
	uint8_t whole = want ? 0xff : 0;

	while (i < n && bit(map, i) == want) {
		i++;
		while (i % 8 == 0 && i + 8 <= n && map[i / 8] == whole)
			i += 8;
	}
	return i;
}

int ext4_map(struct ext4 *x, uint64_t offset, uint64_t *len, bool *used,
	     struct err *e)
{
	const struct ext4_super *s = &x->s;
	uint64_t block = offset >> s->block_bits, at;
	int rc = know_meta(x, e);

	if (rc)
		return rc;
	*used = true;
	*len = UINT64_MAX - offset;
	if (x->meta_failed || block >= s->n_blocks)
		return 0;
	at = max_u64(block, s->first_block);
	for (bool first = true; at < s->n_blocks; first = false) {
		uint32_t g = (uint32_t)((at - s->first_block) /
					s->blocks_per_group);
		uint64_t start = ext4_group_start(x, g);
		uint32_t i = (uint32_t)((at - start) >> s->cluster_bits);
		uint32_t n = n_clusters(x, g), end;

		rc = load(x, g, e);
		if (rc)
			return rc;
		if (first)
			*used = block < s->first_block || bit(x->bitmap, i);
		if (bit(x->bitmap, i) != *used)
			break;
		end = run_end(x->bitmap, i, n);
		at = min_u64(start + ((uint64_t)end << s->cluster_bits),
			     s->n_blocks);
		if (end < n)
			break;
	}
	/* What is behind the file system is used. */
	if (at < s->n_blocks || !*used)
		*len = (at << s->block_bits) - offset;
	return 0;
}
