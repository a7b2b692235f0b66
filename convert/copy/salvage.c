/* SPDX-License-Identifier: GPL-2.0-or-later */
/* salvage.c - reading around errors.
 *
 * A read that fails is tried again in smaller steps, down to a sector: what is
 * given up is as little as the device lets us tell.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/copy/piece.h"
#include "imgfmt/base/buf.h"

static const size_t steps[] = { 64u << 10, 4096, 512 };
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

int lost_add(struct copy_lost **list, size_t *n, size_t *cap, uint64_t offset,
	     uint64_t len, int error)
{
	struct copy_lost *last = *n ? &(*list)[*n - 1] : NULL;
	int rc;

	if (last && last->offset + last->len == offset) {
		last->len += len;
		return 0;
	}
	rc = array_grow(list, cap, *n + 1, sizeof(**list));
	if (rc)
		return rc;
	(*list)[(*n)++] = (struct copy_lost){ offset, len, error };
	return 0;
}

/* Read [at, at + len) of the piece in steps[level]; `error` is how the whole of
 * it failed.
 */
static int read_around(struct copy *c, struct piece *p, size_t at, size_t len,
		       unsigned level, int error)
{
	size_t end = at + len, n;
	int rc;

	if (level == N_STEPS || len <= steps[N_STEPS - 1]) {
		memset(p->buf + at, 0, len);
		return lost_add(&p->lost, &p->n_lost, &p->lost_cap,
				p->offset + at, len, error);
	}
	for (; at < end; at += n) {
		n = steps[level] - (p->offset + at) % steps[level];
		n = (size_t)min_u64(n, end - at);
		rc = source_read(&c->src, p->buf + at, n, p->offset + at);
		if (rc)
			rc = read_around(c, p, at, n, level + 1, rc);
		if (rc)
			return rc;
	}
	return 0;
}

int piece_read(struct copy *c, struct piece *p, size_t at, size_t len,
	       struct err *e)
{
	const char *name;
	uint64_t in;
	int rc;

	rc = source_read(&c->src, p->buf + at, len, p->offset + at);
	if (!rc)
		return 0;
	if (c->args->salvage) {
		rc = read_around(c, p, at, len, 0, rc);
		return rc ? fail_rc(e, rc, "listing what was lost") : 0;
	}
	name = source_at(&c->src, p->offset + at, &in);
	return fail_rc(e, rc, "reading %s at offset %llu", name,
		       (unsigned long long)in);
}
