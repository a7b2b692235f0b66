/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.c - bytes of the volume, with what the journal holds in their place.
 *
 * Lines of 64 KiB: metadata lies close together, and a line is one read of a
 * compressed image's cluster.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext4/journal.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

/* The first one of a block that is not in front of `block`. */
static size_t find_fresh(const struct ext4 *x, uint64_t block)
{
	size_t low = 0, high = x->n_fresh;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->fresh[mid].block < block)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Put newer blocks over what was read from the volume. */
static int freshen(struct ext4 *x, uint8_t *buf, size_t len, uint64_t offset)
{
	uint64_t size = x->s.block_size, end = offset + len;
	size_t i = find_fresh(x, offset >> x->s.block_bits);

	for (; i < x->n_fresh; i++) {
		const struct ext4_fresh *f = &x->fresh[i];
		uint64_t at = f->block << x->s.block_bits, from, to;
		int rc;

		if (at >= end)
			return 0;
		rc = img_read(x->volume, x->block, size,
			      f->at << x->s.block_bits);
		if (rc)
			return rc;
		if (f->escaped)
			put_be32(x->block, JBD2_MAGIC);
		from = max_u64(at, offset);
		to = min_u64(at + size, end);
		memcpy(buf + (from - offset), x->block + (from - at), to - from);
	}
	return 0;
}

int ext4_read_past(struct ext4 *x, void *buf, size_t len, uint64_t offset,
		   struct err *e)
{
	int rc;

	if (!in_range(offset, len, x->s.n_blocks << x->s.block_bits))
		return fail(e, EUCLEAN, "%zu bytes at %llu lie beyond the file "
			    "system", len, (unsigned long long)offset);
	rc = img_read(x->volume, buf, len, offset);
	if (!rc)
		rc = freshen(x, buf, len, offset);
	if (rc)
		return fail_rc(e, rc, "reading %zu bytes at %llu", len,
			       (unsigned long long)offset);
	return 0;
}

static unsigned oldest(const struct ext4_cache *c)
{
	unsigned best = 0;

	for (unsigned i = 1; i < EXT4_LINES; i++)
		if (c->used[i] < c->used[best])
			best = i;
	return best;
}

/* The line at `at`, or EXT4_LINES where not all of it can be read. */
static int get_line(struct ext4 *x, uint64_t at, unsigned *line)
{
	struct ext4_cache *c = &x->cache;
	uint64_t end = x->s.n_blocks << x->s.block_bits;
	unsigned i = c->last;
	struct err ignored;
	size_t len;
	int rc;

	if (c->at[i] != at)
		for (i = 0; i < EXT4_LINES && c->at[i] != at; i++)
			;
	if (i == EXT4_LINES) {
		i = oldest(c);
		if (!c->line[i])
			c->line[i] = buf_alloc(EXT4_LINE);
		if (!c->line[i])
			return -ENOMEM;
		c->at[i] = UINT64_MAX;
		len = (size_t)min_u64(EXT4_LINE, end - at);
		rc = ext4_read_past(x, c->line[i], len, at, &ignored);
		*line = EXT4_LINES;
		if (rc)
			return rc == -ENOMEM ? rc : 0;
		c->at[i] = at;
		c->len[i] = (uint32_t)len;
	}
	c->used[i] = ++c->clock;
	c->last = i;
	*line = i;
	return 0;
}

int ext4_read(struct ext4 *x, void *buf, size_t len, uint64_t offset,
	      struct err *e)
{
	uint8_t *to = buf;
	unsigned line;
	int rc;

	if (!in_range(offset, len, x->s.n_blocks << x->s.block_bits))
		return ext4_read_past(x, buf, len, offset, e);
	while (len) {
		uint64_t at = round_down(offset, EXT4_LINE);
		size_t n = (size_t)min_u64(len, at + EXT4_LINE - offset);

		rc = get_line(x, at, &line);
		if (rc)
			return fail_rc(e, rc, "reading at %llu",
				       (unsigned long long)offset);
		/* A bad sector near by is no reason to fail. */
		if (line == EXT4_LINES) {
			rc = ext4_read_past(x, to, n, offset, e);
			if (rc)
				return rc;
		} else {
			memcpy(to, x->cache.line[line] + (offset - at), n);
		}
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

void ext4_cache_drop(struct ext4 *x)
{
	for (unsigned i = 0; i < EXT4_LINES; i++) {
		x->cache.at[i] = UINT64_MAX;
		x->cache.used[i] = 0;
	}
	for (unsigned i = 0; i < EXT4_MAX_DEPTH; i++)
		x->path[i].block = 0;
	x->bitmap_group = UINT64_MAX;
}
