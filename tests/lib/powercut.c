/* SPDX-License-Identifier: GPL-2.0-or-later */
/* powercut.c - random writes to an image on a disk that loses power. */
#include "tests/lib/powercut.h"

#include <errno.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"

#define SECTOR 512u
#define MAX_LEN (1u << 20)
#define CUTS_A_STATE 4		/* power cuts tried from one moment */

/* A sector written by write N at sector S: "N S" over and over; 0 is zeroes,
 * and INITIAL is what p->initial says.
 */
#define ZEROES 0u
#define INITIAL UINT64_MAX

/* What a sector may hold after a cut: `now`, or one of the older versions since
 * the last flush.
 */
struct sector {
	uint64_t now;
	uint64_t *old;
	size_t n, cap;
};

struct run {
	const struct powercut *p;
	uint64_t random, writes, cut;
	struct sector *sectors;	/* max_sectors */
	uint64_t n_sectors, max_sectors;
	uint64_t *sizes;	/* that a cut may bring back, sectors */
	size_t n_sizes, sizes_cap;
	uint8_t *buf;		/* 2 * MAX_LEN */
	struct img *disk, *second;	/* fault layers; there may be no second */
	struct img *img;	/* on top of disk */
	bool fails_once;	/* a failure does not last */
	const char *why;	/* what is wrong, NULL: nothing so far */
	uint64_t where;
	struct err e;
};

static uint64_t below(struct run *r, uint64_t n)
{
	return n ? fault_random(&r->random) % n : 0;
}

static bool wrong(struct run *r, const char *why, uint64_t where)
{
	if (!r->why) {
		r->why = why;
		r->where = where;
	}
	return false;
}

static void make_sector(const struct run *r, uint8_t *p, uint64_t version,
			uint64_t sector)
{
	uint64_t noise = version * 1000003 + sector;

	if (version == INITIAL) {
		memcpy(p, r->p->initial + sector * SECTOR, SECTOR);
		return;
	}
	memset(p, 0, SECTOR);
	for (unsigned i = 0; version != ZEROES && i < SECTOR; i += 32) {
		put_le64(p + i, version);
		put_le64(p + i + 8, sector);
		put_le64(p + i + 16, fault_random(&noise));
		put_le64(p + i + 24, noise * noise);
	}
}

static bool is_version(const struct run *r, const uint8_t *p, uint64_t version,
		       uint64_t sector)
{
	uint8_t want[SECTOR];

	make_sector(r, want, version, sector);
	return !memcmp(want, p, SECTOR);
}

static void may_become(struct sector *s, uint64_t version)
{
	CHECK(!array_grow(&s->old, &s->cap, s->n + 1, sizeof(*s->old)));
	s->old[s->n++] = s->now;
	s->now = version;
}

static void settle(struct run *r)
{
	for (uint64_t i = 0; i < r->max_sectors; i++)
		r->sectors[i].n = 0;
	r->n_sizes = 0;
}

/* Does it hold a version that it may hold?  Then that is what it holds; the
 * others may still come back until the next flush.
 */
static bool accept(struct run *r, const uint8_t *p, uint64_t sector)
{
	struct sector *s = &r->sectors[sector];
	uint64_t now = s->now;

	if (is_version(r, p, now, sector))
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (is_version(r, p, s->old[i], sector)) {
			s->now = s->old[i];
			s->old[i] = now;
			return true;
		}
	return false;
}

/* When is it looked at?  Without a failure it holds what was written last. */
enum moment { ALL_WELL, AFTER_FAILURE, AFTER_CUT };

static void size_may_return(struct run *r, uint64_t n_sectors)
{
	CHECK(!array_grow(&r->sizes, &r->sizes_cap, r->n_sizes + 1,
			  sizeof(*r->sizes)));
	r->sizes[r->n_sizes++] = n_sectors;
}

/* The size that a cut has left; what lies beyond it is gone. */
static bool accept_size(struct run *r, struct img *img, enum moment moment)
{
	uint64_t n = img_size(img) / SECTOR;
	bool known = n == r->n_sectors;

	for (size_t i = 0; i < r->n_sizes && moment != ALL_WELL; i++)
		known = known || r->sizes[i] == n;
	if (!known)
		return wrong(r, "has a size that it never had", img_size(img));
	if (n != r->n_sectors)
		size_may_return(r, r->n_sectors);
	r->n_sectors = n;
	for (; n < r->max_sectors && moment == AFTER_CUT; n++) {
		r->sectors[n].now = ZEROES;
		r->sectors[n].n = 0;
	}
	return true;
}

/* Read all.  What a failure or a cut has left must be acceptable, and is known
 * from here on.
 */
static bool verify(struct run *r, struct img *img, enum moment moment)
{
	uint64_t step = MAX_LEN / SECTOR;

	if (!accept_size(r, img, moment))
		return false;
	for (uint64_t i = 0; i < r->n_sectors; i += step) {
		uint64_t n = min_u64(step, r->n_sectors - i);

		if (img_read(img, r->buf, (size_t)n * SECTOR, i * SECTOR))
			return wrong(r, "cannot be read", i * SECTOR);
		for (uint64_t k = 0; k < n; k++) {
			const uint8_t *p = r->buf + k * SECTOR;

			if (moment != ALL_WELL ? !accept(r, p, i + k)
			    : !is_version(r, p, r->sectors[i + k].now, i + k))
				return wrong(r, "holds what it never may",
					     (i + k) * SECTOR);
		}
	}
	return true;
}

static uint64_t pick_range(struct run *r, uint64_t *n)
{
	uint64_t unit = max_u64((r->p->unit ? r->p->unit : 4096) / SECTOR, 1);
	uint64_t at = below(r, r->n_sectors);
	uint64_t most = min_u64(r->n_sectors - at, MAX_LEN / SECTOR);

	if (below(r, 2)) {
		at -= at % unit;
		most = min_u64(r->n_sectors - at, MAX_LEN / SECTOR);
	}
	*n = below(r, 3) ? 1 + below(r, 2 * unit) : unit * (1 + below(r, 3));
	*n = max_u64(min_u64(*n, most), 1);
	return at;
}

/* What a failed call leaves is one more thing that may be there. */
static int do_write(struct run *r)
{
	uint64_t n, at = pick_range(r, &n), version = ++r->writes;
	int rc;

	for (uint64_t i = 0; i < n; i++)
		make_sector(r, r->buf + i * SECTOR, version, at + i);
	rc = img_write(r->img, r->buf, (size_t)n * SECTOR, at * SECTOR);
	for (uint64_t i = 0; i < n; i++)
		may_become(&r->sectors[at + i], version);
	return rc;
}

static int do_zero(struct run *r)
{
	uint64_t n, at = pick_range(r, &n);
	int rc = img_zero(r->img, n * SECTOR, at * SECTOR,
			  below(r, 3) ? 0 : IMG_ZERO_KEEP);

	for (uint64_t i = 0; i < n; i++)
		may_become(&r->sectors[at + i], ZEROES);
	return rc;
}

/* Zeroes or what was there; reading tells which. */
static int do_discard(struct run *r)
{
	uint64_t n, at = pick_range(r, &n);
	int rc = img_discard(r->img, n * SECTOR, at * SECTOR);

	if (!rc)
		rc = img_read(r->img, r->buf, (size_t)n * SECTOR, at * SECTOR);
	for (uint64_t i = 0; i < n; i++) {
		struct sector *s = &r->sectors[at + i];
		const uint8_t *p = r->buf + i * SECTOR;
		uint64_t was = s->now;

		may_become(s, ZEROES);
		if (rc || is_version(r, p, ZEROES, at + i))
			continue;
		may_become(s, was);
		if (!is_version(r, p, was, at + i))
			wrong(r, "is neither old nor zero after discard",
			      (at + i) * SECTOR);
	}
	return rc;
}

/* A unit that is there already stays as it is. */
static int do_compressed(struct run *r)
{
	uint64_t unit = img_compress_unit(r->img) / SECTOR, version;
	uint64_t at = below(r, r->n_sectors) / unit * unit;
	uint64_t n = min_u64(unit, r->n_sectors - at);
	struct img_codec *codec;
	size_t len = 0;
	int rc;

	version = ++r->writes;
	for (uint64_t i = 0; i < n; i++)
		make_sector(r, r->buf + i * SECTOR, version, at + i);
	rc = img_codec_new(r->img, 0, &codec, &r->e);
	if (rc)
		return rc;
	rc = img_compress(codec, r->buf, (size_t)n * SECTOR, r->buf + MAX_LEN,
			  &len);
	img_codec_free(codec);
	if (rc || !len)
		return rc;
	rc = img_write_compressed(r->img, r->buf + MAX_LEN, len, at * SECTOR);
	if (rc == -EEXIST)
		return 0;
	for (uint64_t i = 0; i < n; i++)
		may_become(&r->sectors[at + i], version);
	return rc;
}

/* What is dropped may already show nothing, or what lies behind, while the size
 * is still the old one.
 */
static int do_resize(struct run *r)
{
	uint64_t n = 1 + below(r, r->max_sectors), old = r->n_sectors;
	int rc;

	size_may_return(r, old);
	rc = img_resize(r->img, n * SECTOR, NULL, &r->e);
	if (r->p->initial)
		for (uint64_t i = min_u64(n, old); i < max_u64(n, old); i++)
			may_become(&r->sectors[i], INITIAL);
	for (uint64_t i = min_u64(n, old); i < r->max_sectors; i++)
		may_become(&r->sectors[i], ZEROES);
	r->n_sectors = n;
	return rc;
}

static int do_flush(struct run *r)
{
	int rc = img_flush(r->img);

	if (!rc)
		settle(r);
	return rc;
}

static uint64_t failures(struct run *r)
{
	return fault_failures(r->disk) +
	       (r->second ? fault_failures(r->second) : 0);
}

static int any_step(struct run *r, bool compressed)
{
	uint64_t kind = below(r, 100);

	if (kind < 50)
		return do_write(r);
	if (kind < 60)
		return compressed ? do_compressed(r) : do_write(r);
	if (kind < 75)
		return do_zero(r);
	if (kind < 85)
		return do_discard(r);
	if (kind < 94)
		return do_flush(r);
	if (kind < 97 && r->p->max_size)
		return do_resize(r);
	if (r->fails_once || !failures(r))
		verify(r, r->img, ALL_WELL);
	return 0;
}

/* Work until a lasting failure; without one, for a while. */
static void work(struct run *r)
{
	bool compressed = r->p->compressed && img_compress_unit(r->img) &&
			  img_compress_unit(r->img) <= MAX_LEN;
	uint64_t steps = 1 + below(r, 30);
	int rc = 0;

	for (uint64_t i = 0; i < steps && !rc && !r->why; i++) {
		rc = any_step(r, compressed);
		if (!rc)
			continue;
		if (!failures(r))
			wrong(r, "a call failed without reason", (uint64_t)-rc);
		else if (r->fails_once && verify(r, r->img, AFTER_FAILURE))
			rc = 0;
	}
}

/* Half of the time the power fails in the midst of a call, or one call fails
 * and the user goes on.
 */
static void plan_failure(struct run *r)
{
	struct fault_plan plan = {
		.kinds = FAULT_CHANGES | FAULT_FLUSH, .errnum = EIO,
		.lasting = below(r, 2), .torn = true,
		.seed = fault_random(&r->random),
	};

	r->fails_once = !plan.lasting;
	if (below(r, 2))
		plan.nth = 1 + below(r, 40);
	if (r->second && below(r, 3) == 0) {
		fault_set(r->second, &plan);
		plan.nth = 0;
	} else if (r->second) {
		fault_set(r->second, &(struct fault_plan){ .nth = 0 });
	}
	fault_set(r->disk, &plan);
}

static void tell_second(const struct run *r, struct img *second)
{
	if (r->p->second)
		r->p->second(r->p->arg, second);
}

/* What a cut has left of both disks. */
struct after {
	struct img *disk, *second;
};

static void drop_after(struct after *a)
{
	img_close(a->disk, NULL);
	img_close(a->second, NULL);
}

/* Record anew. */
static void power_on(struct run *r, struct after *a)
{
	struct img *disk;

	CHECK_EQ(fault_new(a->disk, FAULT_RECORD, &disk, &r->e), 0);
	a->disk = disk;
	if (!a->second)
		return;
	CHECK_EQ(fault_new(a->second, FAULT_RECORD, &disk, &r->e), 0);
	a->second = disk;
}

/* Open what a cut left and look at it; with `keep`, go on with it. */
static bool look(struct run *r, struct after *a, bool keep)
{
	struct img *img = NULL;

	tell_second(r, a->second);
	if (r->p->check && r->p->check(r->p->arg, a->disk, &r->e)) {
		drop_after(a);
		return wrong(r, "fails its check", r->cut);
	}
	power_on(r, a);
	tell_second(r, a->second);
	if (r->p->open(r->p->arg, a->disk, &img, &r->e)) {
		drop_after(a);
		return wrong(r, "does not open", r->cut);
	}
	if (verify(r, img, AFTER_CUT) && keep) {
		r->disk = a->disk;
		r->second = a->second;
		r->img = img;
		return true;
	}
	img_close(img, NULL);
	img_close(a->second, NULL);
	return !r->why;
}

static struct sector *copy_sectors(const struct run *r)
{
	struct sector *s = array_alloc(r->max_sectors, sizeof(*s));

	CHECK(s);
	for (uint64_t i = 0; i < r->max_sectors; i++) {
		const struct sector *from = &r->sectors[i];

		s[i] = (struct sector){ .now = from->now };
		if (!from->n)
			continue;
		CHECK(!array_grow(&s[i].old, &s[i].cap, from->n,
				  sizeof(*s[i].old)));
		memcpy(s[i].old, from->old, from->n * sizeof(*from->old));
		s[i].n = from->n;
	}
	return s;
}

static void free_sectors(struct run *r, struct sector *s)
{
	for (uint64_t i = 0; i < r->max_sectors; i++)
		free(s[i].old);
	free(s);
}

/* Several ways in which this moment could have ended; go on with the last. */
static void cut(struct run *r)
{
	struct after after[CUTS_A_STATE] = { { NULL, NULL } };
	uint64_t n_sectors = r->n_sectors;

	for (int i = 0; i < CUTS_A_STATE; i++) {
		CHECK_EQ(fault_power_cut(r->disk, fault_random(&r->random),
					 &after[i].disk, &r->e), 0);
		if (r->second)
			CHECK_EQ(fault_power_cut(r->second,
					fault_random(&r->random),
					&after[i].second, &r->e), 0);
	}
	img_close(r->img, NULL);
	img_close(r->second, NULL);
	r->img = r->disk = r->second = NULL;
	for (int i = 0; i < CUTS_A_STATE; i++) {
		bool last = i == CUTS_A_STATE - 1;
		struct sector *saved = last ? NULL : copy_sectors(r);

		if (r->why)
			drop_after(&after[i]);
		else
			look(r, &after[i], last);
		if (saved) {
			free_sectors(r, r->sectors);
			r->sectors = saved;
			r->n_sectors = n_sectors;
		}
	}
	settle(r);
}

static void start(struct run *r)
{
	struct after a = { NULL, NULL };

	CHECK_EQ(img_memory(0, &a.disk, &r->e), 0);
	if (r->p->second)
		CHECK_EQ(img_memory(0, &a.second, &r->e), 0);
	power_on(r, &a);
	r->disk = a.disk;
	r->second = a.second;
	tell_second(r, r->second);
	if (r->p->create(r->p->arg, r->disk, &r->e) ||
	    img_flush(r->disk) || (r->second && img_flush(r->second)) ||
	    r->p->open(r->p->arg, r->disk, &r->img, &r->e)) {
		fprintf(stderr, "%s: cannot start: %s\n", r->p->what,
			r->e.text);
		exit(1);
	}
	verify(r, r->img, ALL_WELL);
}

static void report(const struct run *r)
{
	if (r->why)
		fprintf(stderr, "%s: power cut %" PRIu64 ": %s (%" PRIu64
			"): %s\n", r->p->what, r->cut, r->why, r->where,
			r->e.text);
}

static uint64_t run(const struct powercut *p, bool quiet)
{
	uint64_t cuts = model_ops(p->cuts), found;
	struct run r = { .p = p, .n_sectors = p->size / SECTOR };

	r.max_sectors = max_u64(p->size, p->max_size) / SECTOR;
	r.random = model_seed(p->what, p->seed);
	r.sectors = array_alloc(r.max_sectors, sizeof(*r.sectors));
	r.buf = malloc(2 * MAX_LEN);
	CHECK(r.sectors && r.buf);
	for (uint64_t i = 0; i < r.n_sectors; i++)
		r.sectors[i].now = p->initial ? INITIAL : ZEROES;
	start(&r);
	while (!r.why && r.cut < cuts) {
		r.cut++;
		plan_failure(&r);
		work(&r);
		if (!r.why)
			cut(&r);
	}
	found = r.why ? r.cut : 0;
	if (!quiet)
		report(&r);
	img_close(r.img, NULL);
	img_close(r.second, NULL);
	free_sectors(&r, r.sectors);
	free(r.sizes);
	free(r.buf);
	return found;
}

void powercut_run(const struct powercut *p)
{
	if (run(p, false))
		exit(1);
}

uint64_t powercut_find(const struct powercut *p)
{
	return run(p, true);
}
