/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip_stream.c - inflating a gzip file (RFC 1952) from the points where that
 * can start.
 *
 * Inflating can start where a deflate block begins, given the 32 KiB of content
 * before it and the bits of its first byte.  zlib stops at these places on
 * request.  Several members in a row are one content.
 */
#include "gzip_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/driver.h"

#define IN_LEN (64u << 10)
#define TRAILER 8u		/* of a member: CRC and length */
#define GZIP_BITS 31		/* zlib: with header and trailer */
#define RAW_BITS (-15)		/* zlib: neither */

int gzip_stream_init(struct gzip_stream *s, struct img *below)
{
	*s = (struct gzip_stream){ .below = below, .end = img_length(below) };
	s->buf = malloc(IN_LEN);
	if (!s->buf || inflateInit2(&s->z, GZIP_BITS) != Z_OK) {
		free(s->buf);
		s->buf = NULL;
		return -ENOMEM;
	}
	s->inited = true;
	return 0;
}

void gzip_stream_fini(struct gzip_stream *s)
{
	if (s->inited)
		inflateEnd(&s->z);
	free(s->buf);
	*s = (struct gzip_stream){ 0 };
}

/* Have at least one byte of input, unless the file has ended. */
static int load(struct gzip_stream *s)
{
	size_t n = (size_t)min_u64(IN_LEN, s->end - s->in);
	int rc;

	if (s->z.avail_in || !n)
		return 0;
	rc = img_read(s->below, s->buf, n, s->in);
	if (rc)
		return rc;
	s->in += n;
	s->z.next_in = s->buf;
	s->z.avail_in = (unsigned)n;
	return 0;
}

static int next_byte(struct gzip_stream *s, uint8_t *byte)
{
	int rc = load(s);

	if (rc)
		return rc;
	if (!s->z.avail_in)
		return -ENODATA;
	*byte = *s->z.next_in++;
	s->z.avail_in--;
	return 0;
}

int gzip_stream_start(struct gzip_stream *s, const struct gzip_point *p)
{
	uint8_t byte;
	int rc;

	s->raw = !p->member;
	s->done = false;
	s->out = p->out;
	s->member_out = p->have;
	s->in = p->in - (p->bits ? 1 : 0);
	s->z.avail_in = 0;
	if (inflateReset2(&s->z, s->raw ? RAW_BITS : GZIP_BITS) != Z_OK)
		return -ENOMEM;
	if (p->bits) {
		rc = next_byte(s, &byte);
		if (rc)
			return rc;
		if (inflatePrime(&s->z, (int)p->bits,
				 byte >> (8 - p->bits)) != Z_OK)
			return -EUCLEAN;
	}
	if (p->have && inflateSetDictionary(&s->z, p->window, p->have) != Z_OK)
		return -EUCLEAN;
	return 0;
}

/* A member has ended: is there another one?  Padding with zeroes is common. */
static int next_member(struct gzip_stream *s)
{
	uint8_t byte;
	int rc = 0;

	for (unsigned i = 0; s->raw && i < TRAILER && !rc; i++)
		rc = next_byte(s, &byte);
	if (!rc)
		rc = load(s);
	if (rc)
		return rc;
	s->done = !s->z.avail_in || !*s->z.next_in;
	s->raw = false;
	s->member_out = 0;
	if (s->done)
		return 0;
	return inflateReset2(&s->z, GZIP_BITS) == Z_OK ? 0 : -ENOMEM;
}

/* One call of zlib, which takes input, gives output, or both. */
static int step(struct gzip_stream *s, int flush)
{
	unsigned room = s->z.avail_out;
	int rc = load(s), z;

	if (rc)
		return rc;
	if (!s->z.avail_in)
		return -ENODATA;
	z = inflate(&s->z, flush);
	s->out += room - s->z.avail_out;
	s->member_out += room - s->z.avail_out;
	if (z == Z_STREAM_END)
		return next_member(s);
	if (z == Z_MEM_ERROR)
		return -ENOMEM;
	return z == Z_OK || z == Z_BUF_ERROR ? 0 : -EUCLEAN;
}

int gzip_stream_read(struct gzip_stream *s, void *buf, size_t len, size_t *got)
{
	int rc = 0;

	s->z.next_out = buf;
	s->z.avail_out = (unsigned)len;	/* a GZIP_BLOCK at most */
	while (!rc && s->z.avail_out && !s->done)
		rc = step(s, Z_NO_FLUSH);
	*got = len - s->z.avail_out;
	return rc;
}

/* Too many points: drop every second one. */
static void thin_out(struct gzip_index *x)
{
	size_t kept = 1;

	for (size_t i = 1; i < x->n; i++) {
		if (i % 2)
			free(x->points[i].window);
		else
			x->points[kept++] = x->points[i];
	}
	x->n = kept;
	x->spacing *= 2;
}

/* `ring` holds the last output; the next byte would go to ring[at]. */
static int add_point(struct gzip_index *x, const struct gzip_stream *s,
		     const uint8_t *ring, size_t at)
{
	struct gzip_point *p;
	size_t tail;

	if (x->n == GZIP_MAX_POINTS)
		thin_out(x);
	p = &x->points[x->n];
	*p = (struct gzip_point){
		.out = s->out, .in = s->in - s->z.avail_in,
		.bits = (unsigned)s->z.data_type & 7,
		.have = (unsigned)min_u64(s->member_out, GZIP_WINDOW),
	};
	p->window = malloc(p->have ? p->have : 1);
	if (!p->window)
		return -ENOMEM;
	x->n++;
	/* The older part lies behind `at`, the newer before it. */
	tail = at < p->have ? p->have - at : 0;
	memcpy(p->window, ring + GZIP_WINDOW - tail, tail);
	memcpy(p->window + tail, ring + at - (p->have - tail), p->have - tail);
	return 0;
}

static int scan(struct gzip_index *x, struct gzip_stream *s, uint8_t *ring)
{
	int rc = 0;

	s->z.avail_out = 0;
	while (!rc && !s->done) {
		if (!s->z.avail_out) {
			s->z.next_out = ring;
			s->z.avail_out = GZIP_WINDOW;
		}
		rc = step(s, Z_BLOCK);
		if (!rc && s->out > GZIP_MAX_SIZE)
			rc = -EFBIG;
		/* At the end of a block that is not the last one? */
		if (!rc && !s->done && (s->z.data_type & 0xc0) == 0x80 &&
		    s->out - x->points[x->n - 1].out >= x->spacing)
			rc = add_point(x, s, ring,
				       GZIP_WINDOW - s->z.avail_out);
	}
	return rc;
}

static int explain(const struct gzip_stream *s, const char *name, int rc,
		   struct err *e)
{
	unsigned long long in = s->in - s->z.avail_in, out = s->out;

	if (rc == -ENODATA)
		return fail(e, EUCLEAN, "%s: the gzip data is cut short at byte "
			    "%llu, after %llu bytes of content", name, in, out);
	if (rc == -EUCLEAN)
		return fail(e, EUCLEAN, "%s: the gzip data is broken before "
			    "byte %llu, after %llu bytes of content", name, in,
			    out);
	if (rc == -EFBIG)
		return fail(e, EFBIG, "%s: the gzip data holds more than %llu "
			    "bytes", name, (unsigned long long)GZIP_MAX_SIZE);
	return fail_rc(e, rc, "%s: reading gzip data", name);
}

int gzip_index_build(struct gzip_index *x, struct img *below, uint64_t spacing,
		     struct err *e)
{
	uint8_t *ring = calloc(1, GZIP_WINDOW);
	struct gzip_stream s;
	int rc;

	*x = (struct gzip_index){ .n = 1, .spacing = spacing };
	x->points[0].member = true;
	rc = gzip_stream_init(&s, below);
	if (!rc)
		rc = ring ? scan(x, &s, ring) : -ENOMEM;
	x->size = s.out;
	if (rc) {
		explain(&s, img_name(below), rc, e);
		gzip_index_free(x);
	}
	gzip_stream_fini(&s);
	free(ring);
	return rc == -ENODATA ? -EUCLEAN : rc;
}

void gzip_index_free(struct gzip_index *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->points[i].window);
	x->n = 0;
}

const struct gzip_point *gzip_index_find(const struct gzip_index *x,
					 uint64_t out)
{
	size_t low = 0, high = x->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (x->points[mid].out <= out)
			low = mid;
		else
			high = mid;
	}
	return &x->points[low];
}
