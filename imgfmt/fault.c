/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.c - a layer that fails on request and that can lose what was not
 * flushed.
 *
 * `below` always holds what was written.  When recording, `stable` holds what
 * the last flush made safe, and a journal the changes since; a flush applies
 * the journal to it, and a power cut applies parts of the journal to a copy.
 * The work is in proportion to what was written since the last flush.
 */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "drivers.h"

#define SECTOR 512u
#define COPY_CHUNK (256u << 10)
#define KINDS 7

struct change {
	unsigned kind;		/* one of FAULT_CHANGES */
	uint64_t offset, len;	/* for FAULT_TRUNCATE, offset is the new size */
	uint8_t *data;		/* only of FAULT_WRITE */
};

struct fault {
	struct fault_plan plan;
	uint64_t calls[KINDS];
	uint64_t counted;	/* calls of the plan's kinds */
	uint64_t failures;
	struct img *stable;	/* NULL: not recording */
	struct change *journal;
	size_t n, cap;
};

uint64_t fault_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Count a call: 0, or the error that it is to fail with. */
static int count(struct fault *f, unsigned kind)
{
	f->calls[__builtin_ctz(kind)]++;
	if (!(f->plan.kinds & kind))
		return 0;
	f->counted++;
	if (!f->plan.nth || f->counted < f->plan.nth ||
	    (f->counted > f->plan.nth && !f->plan.lasting))
		return 0;
	f->failures++;
	return -f->plan.errnum;
}

static int record(struct fault *f, unsigned kind, const void *data,
		  uint64_t len, uint64_t offset)
{
	struct change *c;

	if (!f->stable)
		return 0;
	if (array_grow(&f->journal, &f->cap, f->n + 1, sizeof(*f->journal)))
		return -ENOMEM;
	c = &f->journal[f->n];
	*c = (struct change){ .kind = kind, .offset = offset, .len = len };
	if (data) {
		c->data = malloc((size_t)len);
		if (!c->data)
			return -ENOMEM;
		memcpy(c->data, data, (size_t)len);
	}
	f->n++;
	return 0;
}

static void clear_journal(struct fault *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->journal[i].data);
	f->n = 0;
}

/* Do [from, from + len) of a change to `to`. */
static int apply_part(struct img *to, const struct change *c, uint64_t from,
		      uint64_t len)
{
	switch (c->kind) {
	case FAULT_WRITE:
		return img_write(to, c->data + (from - c->offset), (size_t)len,
				 from);
	case FAULT_ZERO:
		return img_zero(to, len, from, 0);
	case FAULT_DISCARD:
		return img_discard(to, len, from);
	default:
		return img_truncate(to, c->offset, NULL);
	}
}

static int apply(struct img *to, const struct change *c)
{
	return apply_part(to, c, c->offset, c->len);
}

/* Apply each sector of a change with a chance of `of_256` in 256. */
static int apply_torn(struct img *to, const struct change *c, uint64_t *seed,
		      unsigned of_256)
{
	uint64_t pos = c->offset, end = c->offset + c->len;
	int rc = 0;

	if (c->kind == FAULT_TRUNCATE)
		return fault_random(seed) % 256 < of_256 ? apply(to, c) : 0;
	while (pos < end && !rc) {
		uint64_t next = min_u64(round_down(pos, SECTOR) + SECTOR, end);

		/* A long zeroing is torn in few places. */
		if (end - pos > COPY_CHUNK)
			next = round_down(pos, SECTOR) + COPY_CHUNK;
		if (fault_random(seed) % 256 < of_256)
			rc = apply_part(to, c, pos, next - pos);
		pos = next;
	}
	return rc;
}

static int fault_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct fault *f = img->state;
	int rc = count(f, FAULT_READ);

	if (rc && f->plan.torn)
		img_read(img->below, buf, len / 2, offset);
	return rc ? rc : img_read(img->below, buf, len, offset);
}

static int fault_readv(struct img *img, struct vec *at, size_t len,
		       uint64_t offset)
{
	struct fault *f = img->state;
	int rc = count(f, FAULT_READ);

	if (rc && f->plan.torn)
		img_readv(img->below, at, len / 2, offset);
	return rc ? rc : img_readv(img->below, at, len, offset);
}

/* Some sectors get there, and a cut may lose those again. */
static void tear_write(struct img *img, const void *buf, size_t len,
		       uint64_t offset)
{
	struct fault *f = img->state;
	const uint8_t *p = buf;
	size_t first = (size_t)min_u64(SECTOR - offset % SECTOR, len);
	size_t n = (size_t)(fault_random(&f->plan.seed) % (len + 1));

	n = n < first ? 0 : n - (size_t)((offset + n) % SECTOR);
	if (n && !img_write(img->below, p, n, offset))
		record(f, FAULT_WRITE, p, n, offset);
}

static int fault_write(struct img *img, const void *buf, size_t len,
		       uint64_t offset)
{
	struct fault *f = img->state;
	int rc = count(f, FAULT_WRITE);

	if (rc && f->plan.torn)
		tear_write(img, buf, len, offset);
	if (!rc)
		rc = img_write(img->below, buf, len, offset);
	return rc ? rc : record(f, FAULT_WRITE, buf, len, offset);
}

static int fault_zero(struct img *img, uint64_t len, uint64_t offset,
		      unsigned flags)
{
	struct fault *f = img->state;
	int rc = count(f, FAULT_ZERO);

	if (!rc)
		rc = img_zero(img->below, len, offset, flags);
	return rc ? rc : record(f, FAULT_ZERO, NULL, len, offset);
}

static int fault_discard(struct img *img, uint64_t len, uint64_t offset)
{
	struct fault *f = img->state;
	int rc = count(f, FAULT_DISCARD);

	if (!rc)
		rc = img_discard(img->below, len, offset);
	return rc ? rc : record(f, FAULT_DISCARD, NULL, len, offset);
}

static int fault_flush(struct img *img)
{
	struct fault *f = img->state;
	int rc = count(f, FAULT_FLUSH);

	if (!rc)
		rc = img_flush(img->below);
	if (img->flags & IMG_NO_FLUSH)
		return rc;
	for (size_t i = 0; i < f->n && !rc; i++)
		rc = apply(f->stable, &f->journal[i]);
	if (!rc)
		clear_journal(f);
	return rc;
}

static int fault_map(struct img *img, uint64_t offset, uint64_t len,
		     struct img_extent *ext)
{
	int rc = count(img->state, FAULT_MAP);

	if (rc)
		return rc;
	rc = img_map(img->below, offset, len, ext);
	/* Nobody may go round this layer. */
	ext->fd = -1;
	ext->fd_offset = 0;
	ext->fd_name = NULL;
	return rc;
}

static uint64_t fault_length(struct img *img)
{
	return img_length(img->below);
}

static int fault_truncate(struct img *img, uint64_t size, struct err *e)
{
	struct fault *f = img->state;
	int rc;

	pthread_mutex_lock(&img->serial);
	rc = count(f, FAULT_TRUNCATE);
	if (rc)
		fail_rc(e, rc, "planned failure");
	else
		rc = img_truncate(img->below, size, e);
	if (!rc) {
		img->size = size;
		rc = record(f, FAULT_TRUNCATE, NULL, 0, size);
	}
	pthread_mutex_unlock(&img->serial);
	return rc;
}

static int fault_close(struct img *img, struct err *e)
{
	struct fault *f = img->state;

	(void)e;
	clear_journal(f);
	free(f->journal);
	img_close(f->stable, NULL);
	return 0;
}

#define DRIVER(name_, flags_)						\
	{								\
		.name = name_, .state_size = sizeof(struct fault),	\
		.flags = flags_, .close = fault_close,			\
		.read = fault_read, .readv = fault_readv,		\
		.write = fault_write,					\
		.zero = fault_zero, .discard = fault_discard,		\
		.flush = fault_flush, .map = fault_map,			\
		.length = fault_length, .truncate = fault_truncate,	\
	}

static const struct img_driver fixed_driver = DRIVER("fault", 0);
static const struct img_driver growing_driver = DRIVER("fault", DRV_GROWS);

static int copy_range(struct img *from, struct img *to, uint8_t *buf,
		      const struct img_extent *ext)
{
	uint64_t pos = ext->offset, end = pos + ext->len;
	int rc = 0;

	while (pos < end && !rc) {
		size_t n = (size_t)min_u64(end - pos, COPY_CHUNK);

		rc = img_read(from, buf, n, pos);
		if (!rc)
			rc = img_write(to, buf, n, pos);
		pos += n;
	}
	return rc;
}

int fault_copy(struct img *img, struct img **out, struct err *e)
{
	uint64_t size = img_length(img), pos = 0;
	uint8_t *buf = buf_alloc(COPY_CHUNK);
	struct img_extent ext;
	struct img *to = NULL;
	int rc;

	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	rc = img_memory(size, &to, e);
	while (!rc && pos < size) {
		rc = img_map(img, pos, size - pos, &ext);
		if (!rc && !(ext.flags & IMG_EXT_ZERO))
			rc = copy_range(img, to, buf, &ext);
		pos += ext.len;
		if (rc)
			fail_rc(e, rc, "cannot copy %s", img->name);
	}
	free(buf);
	if (rc)
		img_close(to, NULL);
	else
		*out = to;
	return rc;
}

int fault_new(struct img *below, unsigned options, struct img **out,
	      struct err *e)
{
	bool grows = below->drv->flags & DRV_GROWS;
	struct img *img;
	struct fault *f;
	int rc;

	rc = img_layer_new(grows ? &growing_driver : &fixed_driver, below,
			   below->name, below->flags, &img, e);
	if (rc)
		return rc;
	f = img->state;
	img->size = img_length(below);
	img->block_size = below->block_size;
	if (options & FAULT_RECORD)
		rc = fault_copy(below, &f->stable, e);
	if (rc) {
		img_layer_free(img);
		return rc;
	}
	*out = img;
	return 0;
}

void fault_set(struct img *img, const struct fault_plan *plan)
{
	struct fault *f = img->state;

	pthread_mutex_lock(&img->serial);
	f->plan = *plan;
	memset(f->calls, 0, sizeof(f->calls));
	f->counted = 0;
	f->failures = 0;
	pthread_mutex_unlock(&img->serial);
}

uint64_t fault_calls(struct img *img, unsigned kinds)
{
	struct fault *f = img->state;
	uint64_t n = 0;

	pthread_mutex_lock(&img->serial);
	for (unsigned i = 0; i < KINDS; i++)
		if (kinds & 1u << i)
			n += f->calls[i];
	pthread_mutex_unlock(&img->serial);
	return n;
}

uint64_t fault_failures(struct img *img)
{
	struct fault *f = img->state;
	uint64_t n;

	pthread_mutex_lock(&img->serial);
	n = f->failures;
	pthread_mutex_unlock(&img->serial);
	return n;
}

uint64_t fault_pending(struct img *img)
{
	struct fault *f = img->state;
	uint64_t n;

	pthread_mutex_lock(&img->serial);
	n = f->n;
	pthread_mutex_unlock(&img->serial);
	return n;
}

/* Which of the changes survive?  Each manner finds another sort of mistake: a
 * cut between two changes, one late straggler, one early bird, and chaos.
 */
static int lose_some(struct img *to, const struct fault *f, uint64_t seed)
{
	unsigned manner = (unsigned)(fault_random(&seed) % 6);
	size_t pick = (size_t)(fault_random(&seed) % (f->n + 1));
	unsigned chance = (unsigned)(fault_random(&seed) % 257);
	int rc = 0;

	for (size_t i = 0; i < f->n && !rc; i++) {
		const struct change *c = &f->journal[i];
		unsigned odds;

		switch (manner) {
		case 0:		/* in order up to here, that one torn */
			odds = i < pick ? 256 : i > pick ? 0 : chance;
			break;
		case 1:		/* all but one */
			odds = i == pick ? 0 : 256;
			break;
		case 2:		/* only one */
			odds = i == pick ? 256 : 0;
			break;
		case 3:		/* the later ones */
			odds = i < pick ? 0 : 256;
			break;
		case 4:		/* any, whole */
			odds = fault_random(&seed) % 256 < chance ? 256 : 0;
			break;
		default:	/* any, torn */
			odds = chance;
		}
		rc = odds == 256 ? apply(to, c)
				 : odds ? apply_torn(to, c, &seed, odds) : 0;
	}
	return rc;
}

int fault_power_cut(struct img *img, uint64_t seed, struct img **out,
		    struct err *e)
{
	struct fault *f = img->state;
	struct img *to;
	int rc;

	if (!f->stable)
		return fail(e, EINVAL, "this fault layer does not record");
	pthread_mutex_lock(&img->serial);
	rc = fault_copy(f->stable, &to, e);
	if (!rc) {
		rc = lose_some(to, f, seed);
		if (rc) {
			fail_rc(e, rc, "cannot apply what was written");
			img_close(to, NULL);
		} else {
			*out = to;
		}
	}
	pthread_mutex_unlock(&img->serial);
	return rc;
}
