/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piece_write.c - putting one piece of the content into the target. */
#include <errno.h>

#include "convert/copy/piece.h"

/* dst is zeroed in steps of this many bytes, so that a cancel is noticed. */
#define ZERO_STEP (256u << 20)

static int write_error(const struct copy *c, int rc, uint64_t offset,
		       struct err *e)
{
	return fail_rc(e, rc, "writing %s at offset %llu",
		       img_name(c->args->dst), (unsigned long long)offset);
}

/* Make a range of dst read as zeroes, if it does not already. */
static int write_zeroes(struct copy *c, uint64_t offset, uint64_t len,
			struct err *e)
{
	uint64_t end = offset + len, n;
	int rc;

	if (c->args->keep_backing)
		end = min_u64(end, max_u64(c->backing_size, offset));
	else if (c->args->target_is_zero)
		return 0;
	for (; offset < end; offset += n) {
		if (c->args->cancel && atomic_load(c->args->cancel))
			return fail(e, ECANCELED, "cancelled");
		n = min_u64(end - offset, ZERO_STEP);
		rc = img_zero(c->args->dst, n, offset, 0);
		if (rc)
			return write_error(c, rc, offset, e);
	}
	return 0;
}

/* Late data, for a target that can only be written in order. */
static int no_way_back(const struct copy *c, const struct piece *p,
		       struct err *e)
{
	return fail(e, ESPIPE, "%s comes back to byte %llu of the disk, which "
		    "has gone out already: save it, or what is made of it, to "
		    "a file first", img_name(c->args->sources[0]),
		    (unsigned long long)p->offset);
}

static int write_plain(struct copy *c, struct piece *p, size_t at, size_t len,
		       struct err *e)
{
	int rc;

	rc = img_write(c->args->dst, p->buf + at, len, p->offset + at);
	if (rc == -ESPIPE && p->late)
		return no_way_back(c, p, e);
	if (rc)
		return write_error(c, rc, p->offset + at, e);
	p->written += len;
	return 0;
}

static int write_units(struct copy *c, struct piece *p, struct err *e)
{
	const uint8_t *packed = p->packed;
	int rc = 0;

	for (size_t i = 0; i * c->unit < p->len && !rc; i++) {
		size_t at = i * c->unit, packed_len = p->packed_len[i];
		size_t len = (size_t)min_u64(c->unit, p->len - at);
		uint8_t first = p->granules[at / c->granule];

		if (first == GRANULE_SKIP)
			continue;
		if (granule_is_zero(first)) {
			rc = write_zeroes(c, p->offset + at, len, e);
			continue;
		}
		rc = -EEXIST;
		if (packed_len)
			rc = img_write_compressed(c->args->dst, packed,
						  packed_len, p->offset + at);
		packed += packed_len;
		if (rc == -EEXIST)	/* nothing gained, or not a new image */
			rc = write_plain(c, p, at, len, e);
		else if (rc)
			rc = write_error(c, rc, p->offset + at, e);
		else
			p->written += len;
	}
	return rc;
}

static int write_granules(struct copy *c, struct piece *p, struct err *e)
{
	size_t n = piece_granules(c, p), i, end, len;
	int rc = 0;

	for (i = 0; i < n && !rc; i = end) {
		uint8_t g = p->granules[i];

		end = i + 1;
		while (end < n && (p->granules[end] == g ||
				   (granule_is_zero(g) &&
				    granule_is_zero(p->granules[end]))))
			end++;
		len = piece_bytes(c, p, i, end);
		if (g == GRANULE_DATA)
			rc = write_plain(c, p, i * c->granule, len, e);
		else if (granule_is_zero(g))
			rc = write_zeroes(c, p->offset + i * c->granule, len,
					  e);
	}
	return rc;
}

int piece_write(struct copy *c, struct piece *p, struct err *e)
{
	switch (p->kind) {
	case PIECE_SKIP:
		return 0;
	case PIECE_ZERO:
		return write_zeroes(c, p->offset, p->len, e);
	case PIECE_WINDOW:
		break;
	}
	return c->unit ? write_units(c, p, e) : write_granules(c, p, e);
}
