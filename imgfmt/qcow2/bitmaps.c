/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bitmaps.c - the directory of dirty bitmaps: read, never changed.
 * Specification: "Bitmap directory".
 *
 * An entry: table offset (8), table size (4), flags (4), type (1), granularity
 * bits (1), name length (2), extra data length (4), extra data, name, padding
 * to 8.
 */
#include <errno.h>
#include <stdlib.h>

#include "bitmaps.h"
#include "imgfmt/base/buf.h"

#define FIXED_LEN 24u
#define MAX_DIRECTORY (64u << 20)	/* bytes, QEMU's limit */
#define MAX_READ (1u << 20)		/* bytes we look at: thousands */

static bool decode(const uint8_t *p, uint64_t left, struct qcow2_bitmap *b,
		   uint64_t *used)
{
	uint32_t extra;

	if (left < FIXED_LEN)
		return false;
	b->flags = get_be32(p + 12);
	b->granularity_bits = p[17];
	b->name_len = get_be16(p + 18);
	extra = get_be32(p + 20);
	*used = (uint64_t)FIXED_LEN + extra + b->name_len;
	if (*used > left || b->granularity_bits > 31)
		return false;
	b->name = (const char *)p + FIXED_LEN + extra;
	*used = min_u64(round_up(*used, 8), left);
	return true;
}

static int read_directory(const struct qcow2 *s, uint8_t **dir, uint64_t *len)
{
	*len = s->h.bitmaps_len;
	if (*len > MAX_DIRECTORY ||
	    !in_range(s->h.bitmaps_offset, *len, img_length(s->file)))
		return -EUCLEAN;
	*len = min_u64(*len, MAX_READ);
	*dir = buf_alloc((size_t)*len);
	return *dir ? img_read(s->file, *dir, (size_t)*len, s->h.bitmaps_offset)
		    : -ENOMEM;
}

int qcow2_bitmaps_each(const struct qcow2 *s,
		       void (*fn)(void *arg, const struct qcow2_bitmap *b),
		       void *arg)
{
	uint64_t len = 0, pos = 0, used;
	struct qcow2_bitmap b;
	uint8_t *dir = NULL;
	int rc = 0;

	if (s->h.n_bitmaps)
		rc = read_directory(s, &dir, &len);
	for (uint32_t i = 0; i < s->h.n_bitmaps && !rc; i++) {
		if (!decode(dir + pos, len - pos, &b, &used))
			break;
		fn(arg, &b);
		pos += used;
	}
	free(dir);
	return rc;
}
