/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_fail_once.c - every call below qcow2 and every allocation fails once
 * (or from then on) in each thing that can be done with an image: an error with
 * a sentence comes out, no sector holds anything but its old or new content, the
 * image is not corrupt, and doing it again works.  time limit: 240 s
 *
 * ONLY=name runs one thing, SHAPE=n on one of the shapes below; ROUNDS is how
 * many random shapes follow them, SEED is for those.
 */
#include <errno.h>
#include <jansson.h>

#include "convert/copy/copy.h"
#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "imgfmt/qcow2/state.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/borrow.h"
#include "tests/lib/model.h"
#include "tests/lib/qdisk.h"

#define SECTOR 512u
#define MAX_SIZE (4u << 20)

/* An image to start from, and what becomes of it. */
struct subject {
	struct qdisk q;
	struct img *disk, *data;	/* the template */
	uint8_t *old, *new;		/* content before and after, MAX_SIZE */
	uint64_t old_size, new_size;
	struct img *src;		/* of a conversion */
	/* One attempt. */
	struct img *now, *now_data;	/* fault layers */
	bool opened;			/* the call to fail comes after opening */
	const struct fault_plan *plan;
};

typedef int act_fn(struct subject *s, struct img *img, struct err *e);

struct action {
	const char *name;
	act_fn *act;		/* on an open image; NULL: only open, close */
	unsigned flags;		/* IMG_* to open with */
	bool damaged;		/* starts with wrong refcounts */
	bool dirty;		/* and with the dirty bit */
	bool create;		/* makes the image first */
};

static uint8_t buf[MAX_SIZE];

static int do_write(struct subject *s, struct img *img, struct err *e)
{
	uint64_t size = s->old_size, unit = img_block_size(img);
	int rc = 0;

	(void)e;
	memset(buf, 0x5a, sizeof(buf));
	/* They do not overlap: then no sector has more than two states. */
	for (unsigned i = 0; i < 5 && !rc; i++) {
		uint64_t at = size / 5 * i + 100;

		rc = img_write(img, buf, (size_t)min_u64(3 * unit + 700,
			       min_u64(size / 5 - 700, 60000)), at);
		if (!rc && i == 2)
			rc = img_flush(img);
	}
	return rc ? rc : img_flush(img);
}

static int do_zero(struct subject *s, struct img *img, struct err *e)
{
	uint64_t size = s->old_size, unit = img_block_size(img);
	int rc;

	(void)e;
	rc = img_zero(img, size / 3, min_u64(unit / 2, size / 8), 0);
	if (!rc)
		rc = img_zero(img, size / 5, size / 2 + 3, IMG_ZERO_KEEP);
	if (!rc)
		rc = img_flush(img);
	/* And something that uses what has become free. */
	memset(buf, 0x77, 40000);
	return rc ? rc : img_write(img, buf, (size_t)min_u64(size / 5, 40000),
				   size / 4 * 3);
}

static int do_discard(struct subject *s, struct img *img, struct err *e)
{
	uint64_t size = s->old_size;
	int rc;

	(void)e;
	rc = img_discard(img, size / 2, size / 4);
	if (!rc)
		rc = img_flush(img);
	return rc ? rc : img_discard(img, size / 8, 0);
}

static int do_compress(struct subject *s, struct img *img, struct err *e)
{
	uint32_t unit = img_compress_unit(img);
	struct img_codec *codec;
	size_t len;
	int rc;

	(void)s;
	if (!unit)
		return 0;
	rc = img_codec_new(img, 0, &codec, e);
	if (rc)
		return rc;
	for (uint64_t at = 0; at < img_size(img) && !rc; at += 5 * unit) {
		memset(buf, 0x33, unit);
		for (uint32_t i = 0; i < unit / 8; i++)
			buf[i] = (uint8_t)(i * i >> 3);
		rc = img_compress(codec, buf, (size_t)min_u64(unit,
				  img_size(img) - at), buf + unit, &len);
		if (!rc && len)
			rc = img_write_compressed(img, buf + unit, len, at);
		if (rc == -EEXIST)
			rc = 0;
	}
	img_codec_free(codec);
	e->text[0] = 'x';	/* data calls leave none */
	return rc ? rc : img_flush(img);
}

static int do_grow(struct subject *s, struct img *img, struct err *e)
{
	return img_resize(img, s->old_size * 2, NULL, e);
}

static int do_grow_full(struct subject *s, struct img *img, struct err *e)
{
	bool holes = !s->q.shape.depth;

	return img_resize(img, s->old_size + s->old_size / 1024 * 512,
			  holes ? "full" : NULL, e);
}

static int do_shrink(struct subject *s, struct img *img, struct err *e)
{
	return img_resize(img, s->old_size / 1024 * 512 - 512, NULL, e);
}

static int do_read(struct subject *s, struct img *img, struct err *e)
{
	(void)e;
	return img_read(img, buf, (size_t)s->old_size, 0);
}

static int do_map(struct subject *s, struct img *img, struct err *e)
{
	struct img_extent x;
	int rc = 0;

	(void)e;
	for (uint64_t at = 0; at < s->old_size && !rc; at += x.len)
		rc = img_map(img, at, s->old_size - at, &x);
	return rc;
}

static int do_info(struct subject *s, struct img *img, struct err *e)
{
	struct img_info info;
	int rc;

	(void)s;
	rc = img_info(img, &info, e);
	if (rc)
		return rc;
	json_decref(info.specific);
	json_decref(info.snapshots);
	return 0;
}

static int do_check(struct subject *s, struct img *img, struct err *e)
{
	struct img_check check = { .report = NULL };
	int rc = img_check(img, &check, e);

	(void)s;
	if (!rc && check.check_errors)
		rc = fail(e, EIO, "%" PRIu64 " errors", check.check_errors);
	return rc;
}

static int do_repair(struct subject *s, struct img *img, struct err *e)
{
	struct img_check check = { .fix_leaks = true, .fix_errors = true };
	int rc = img_check(img, &check, e);

	(void)s;
	if (!rc && (check.check_errors ||
		    check.corruptions > check.corruptions_fixed))
		rc = fail(e, EIO, "%" PRIu64 " errors", check.check_errors);
	return rc;
}

static int convert(struct subject *s, struct img *img, bool compress,
		   struct err *e)
{
	struct copy_args args = {
		.sources = &s->src, .n_sources = 1, .dst = img, .threads = 1,
		.compress = compress && img_compress_unit(img),
		.target_is_zero = args.compress,
	};
	struct copy_result result;
	int rc;

	args.target_is_zero = args.compress;
	rc = copy_run(&args, &result, e);
	copy_result_fini(&result);
	return rc;
}

static int do_convert(struct subject *s, struct img *img, struct err *e)
{
	return convert(s, img, false, e);
}

static int do_convert_c(struct subject *s, struct img *img, struct err *e)
{
	return convert(s, img, true, e);
}

static const struct action actions[] = {
	{ "open", NULL, IMG_WRITE, false, false, false },
	{ "open read-only", NULL, 0, false, false, false },
	{ "open dirty", NULL, IMG_WRITE, true, true, false },
	{ "read", do_read, 0, false, false, false },
	{ "map", do_map, 0, false, false, false },
	{ "info", do_info, 0, false, false, false },
	{ "write", do_write, IMG_WRITE, false, false, false },
	{ "zero", do_zero, IMG_WRITE, false, false, false },
	{ "discard", do_discard, IMG_WRITE, false, false, false },
	{ "compress", do_compress, IMG_WRITE, false, false, false },
	{ "grow", do_grow, IMG_WRITE, false, false, false },
	{ "grow full", do_grow_full, IMG_WRITE, false, false, false },
	{ "shrink", do_shrink, IMG_WRITE, false, false, false },
	{ "check", do_check, 0, false, false, false },
	{ "repair", do_repair, IMG_WRITE | IMG_REPAIR, true, false, false },
	{ "create", NULL, IMG_WRITE, false, false, true },
	{ "convert", do_convert, IMG_WRITE, false, false, true },
	{ "convert -c", do_convert_c, IMG_WRITE, false, false, true },
};

/* The old, or zeroes for what is dropped and for what a new image shows. */
static bool acceptable(const struct subject *s, const struct action *a,
		       const uint8_t *p, uint64_t at)
{
	if (!memcmp(p, s->old + at, SECTOR) || !memcmp(p, s->new + at, SECTOR))
		return true;
	return (a->act == do_shrink || a->act == do_discard || a->create) &&
	       (bytes_are_zero(p, SECTOR) ||
		(s->q.initial && !memcmp(p, s->q.initial + at, SECTOR)));
}

static void give_up(const struct subject *s, const struct action *a,
		    const char *why, uint64_t where, const struct err *e)
{
	const struct fault_plan *p = s->plan;

	fprintf(stderr, "%s: %s: call %" PRIu64 " of kinds 0x%x%s fails: %s "
		"(%" PRIu64 ") %s\n", s->q.shape.text, a->name,
		p ? p->nth : 0, p ? p->kinds : 0,
		p && p->lasting ? " lastingly" : "", why, where,
		e ? e->text : "");
	exit(1);
}

/* Look at what is left: not corrupt, and no sector is a third thing. */
static void look(struct subject *s, const struct action *a, bool exact)
{
	struct img *layer, *img;
	struct err e = { "" };

	if (qdisk_check(&s->q, s->now, a->damaged ? QDISK_FIX_ALL
						  : QDISK_LEAKS_OK, &e))
		give_up(s, a, "is corrupt afterwards", 0, &e);
	CHECK_OK(borrow(s->now, "disk", &layer, &e));
	if (qdisk_open(&s->q, layer, IMG_WRITE, &img, &e))
		give_up(s, a, "does not open afterwards", 0, &e);
	if (img_size(img) != s->new_size &&
	    (exact || img_size(img) != s->old_size))
		give_up(s, a, "has a third size", img_size(img), &e);
	CHECK_OK(img_read(img, buf, (size_t)img_size(img), 0));
	for (uint64_t at = 0; at < img_size(img); at += SECTOR)
		if (exact && a->act != do_discard
		    ? memcmp(buf + at, s->new + at, SECTOR) != 0
		    : !acceptable(s, a, buf + at, at))
			give_up(s, a, "holds what it never may", at, NULL);
	memset(buf, 0x11, SECTOR);
	if (img_write(img, buf, SECTOR, 0) || img_close(img, &e))
		give_up(s, a, "cannot be written afterwards", 0, &e);
	if (qdisk_check(&s->q, s->now, QDISK_FIX_LEAKS, &e) ||
	    qdisk_check(&s->q, s->now, 0, &e))
		give_up(s, a, "leaks cannot be repaired", 0, &e);
}

static int attempt(struct subject *s, const struct action *a, uint64_t alloc,
		   bool again, struct err *e)
{
	static const struct fault_plan none;
	struct img *layer, *img;
	int rc;

	CHECK_EQ(borrow(s->now, "disk", &layer, e), 0);
	e->text[0] = 0;
	alloc_fail(alloc);
	rc = a->create ? qdisk_create(&s->q, layer, e) : 0;
	if (!rc)
		rc = qdisk_open(&s->q, layer, a->flags, &img, e);
	if (rc) {
		if (!e->text[0])
			give_up(s, a, "no sentence", (uint64_t)-rc, e);
		img_close(layer, NULL);
		return rc;
	}
	if (a->act)
		rc = a->act(s, img, e);
	if (rc && (a->act == do_grow || a->act == do_check ||
		   a->act == do_repair || a->act == do_shrink ||
		   a->act == do_convert || a->act == do_grow_full ||
		   a->act == do_convert_c) && !e->text[0])
		give_up(s, a, "no sentence", (uint64_t)-rc, e);
	if (rc && again && !(s->plan && s->plan->lasting)) {
		fault_set(s->now, &none);
		if (s->now_data)
			fault_set(s->now_data, &none);
		alloc_fail(0);
		rc = a->act(s, img, e);
		if (rc)
			give_up(s, a, "does not work again", (uint64_t)-rc, e);
		if (img_close(img, e))
			give_up(s, a, "does not close again", 0, e);
		return 1;
	}
	if (rc)
		img_close(img, NULL);
	else
		rc = img_close(img, e);
	return rc;
}

static struct img *fresh(struct img *from)
{
	struct img *copy, *disk;
	struct err e;

	CHECK_OK(from ? fault_copy(from, &copy, &e) : img_memory(0, &copy, &e));
	CHECK_OK(fault_new(copy, 0, &disk, &e));
	return disk;
}

static void damage(struct subject *s, const struct action *a)
{
	uint64_t cluster = 1ull << s->q.shape.cluster_bits;
	uint8_t field[8] = { 0 };

	if (!a->damaged)
		return;
	/* The first refcount block lies in the third cluster. */
	memset(buf, 0xa6, 64);
	CHECK_EQ(img_write(s->now, buf, 7, 2 * cluster + 1), 0);
	if (!a->dirty || s->q.shape.version < 3)
		return;
	CHECK_EQ(img_read(s->now, field, 8, QCOW2_H_INCOMPAT), 0);
	field[7] |= QCOW2_INCOMPAT_DIRTY;
	CHECK_EQ(img_write(s->now, field, 8, QCOW2_H_INCOMPAT), 0);
}

static void begin(struct subject *s, const struct action *a)
{
	s->now = fresh(a->create ? NULL : s->disk);
	s->now_data = s->data ? fresh(a->create ? NULL : s->data) : NULL;
	s->q.data = s->now_data;
	damage(s, a);
}

static void finish(struct subject *s)
{
	img_close(s->now, NULL);
	img_close(s->now_data, NULL);
	s->now = s->now_data = s->q.data = NULL;
}

static uint64_t content(struct subject *s, struct img *disk, uint8_t *to)
{
	struct img *layer, *img;
	struct err e;
	uint64_t size;

	memset(to, 0, MAX_SIZE);
	CHECK_OK(borrow(disk, "disk", &layer, &e));
	CHECK_OK(qdisk_open(&s->q, layer, 0, &img, &e));
	size = img_size(img);
	CHECK(size <= MAX_SIZE);
	CHECK_OK(img_read(img, to, (size_t)size, 0));
	CHECK_OK(img_close(img, &e));
	return size;
}

/* Without any failure: what it comes to. */
static void rehearse(struct subject *s, const struct action *a)
{
	struct err e = { "" };
	int rc;

	s->q.data = s->data;
	s->old_size = content(s, s->disk, s->old);
	begin(s, a);
	s->plan = NULL;
	rc = attempt(s, a, 0, false, &e);
	if (rc)
		give_up(s, a, "does not work at all", (uint64_t)-rc, &e);
	s->new_size = content(s, s->now, s->new);
	finish(s);
}

/* Each call, or of a large image the first ones and some of the others. */
static uint64_t next(const struct subject *s, uint64_t nth)
{
	if (s->q.shape.size < 900 << 10 || getenv("CHECK_ALL"))
		return nth + 1;
	return nth + 1 + nth / 8;
}

static void fail_call(struct subject *s, const struct action *a,
		      const struct fault_plan *plan, bool again, bool *more)
{
	static const struct fault_plan none;
	struct err e;
	int rc;

	begin(s, a);
	s->plan = plan;
	fault_set(plan->seed && s->now_data ? s->now_data : s->now, plan);
	rc = attempt(s, a, 0, again, &e);
	*more = rc == 1 || fault_failures(s->now) ||
		(s->now_data && fault_failures(s->now_data));
	if (!*more && rc)
		give_up(s, a, "fails without a failure", (uint64_t)-rc, &e);
	fault_set(s->now, &none);
	if (s->now_data)
		fault_set(s->now_data, &none);
	if (rc == 1 || !a->create || !rc)
		look(s, a, rc >= 0);
	finish(s);
}

/* From the first call to the last. */
static void fail_calls(struct subject *s, const struct action *a,
		       unsigned kinds, bool lasting, bool again, bool data)
{
	struct fault_plan plan = {
		.kinds = kinds, .errnum = EIO, .lasting = lasting,
		.torn = true, .seed = data,
	};
	bool more = true;

	while (more) {
		plan.nth = next(s, plan.nth);
		fail_call(s, a, &plan, again, &more);
	}
}

static void fail_allocations(struct subject *s, const struct action *a,
			     bool again)
{
	uint64_t nth = 0, n;

	struct fault_plan plan = { .kinds = 0 };
	struct err e;
	int rc;

	do {
		plan.nth = nth = next(s, nth);
		s->plan = &plan;
		begin(s, a);
		rc = attempt(s, a, nth, again, &e);
		n = alloc_fail(0);
		if (rc < 0 && rc != -ENOMEM)
			give_up(s, a, "another error", (uint64_t)-rc, &e);
		if (rc == 1 || !a->create || !rc)
			look(s, a, rc >= 0);
		finish(s);
	} while (rc == 1 || (rc ? true : n >= nth));
}

static void fail_all(struct subject *s, const struct action *a)
{
	rehearse(s, a);
	for (unsigned again = 0; again < (a->act ? 2 : 1); again++) {
		fail_calls(s, a, FAULT_ALL, false, again, false);
		fail_allocations(s, a, again);
	}
	fail_calls(s, a, FAULT_ALL, true, false, false);
	fail_calls(s, a, FAULT_CHANGES | FAULT_FLUSH, true, false, false);
	if (!s->data)
		return;
	fail_calls(s, a, FAULT_ALL, false, true, true);
	fail_calls(s, a, FAULT_ALL, true, false, true);
}

static void populate(struct subject *s, struct img *img)
{
	uint64_t size = img_size(img), random = size;
	struct err e;

	for (uint64_t at = 0; at < size; at += 8 * img_block_size(img)) {
		size_t len = (size_t)min_u64(size - at, 3 * img_block_size(img));

		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)(fault_random(&random) >> 9);
		CHECK_EQ(img_write(img, buf, len, at), 0);
	}
	CHECK_OK(do_compress(s, img, &e));
	CHECK_EQ(img_zero(img, size / 9, size / 3, 0), 0);
}

static void make_subject(struct subject *s, const struct qdisk_shape *shape)
{
	uint64_t random = shape->size + shape->cluster_bits;
	struct img *layer, *img;
	struct err e;

	*s = (struct subject){ .old = malloc(MAX_SIZE), .new = malloc(MAX_SIZE) };
	CHECK(s->old && s->new);
	qdisk_init(&s->q, shape, MAX_SIZE, &random);
	CHECK_OK(img_memory(0, &s->disk, &e));
	if (shape->data_file)
		CHECK_OK(img_memory(0, &s->data, &e));
	s->q.data = s->data;
	CHECK_OK(img_memory(shape->size, &s->src, &e));
	CHECK_OK(qdisk_create(&s->q, s->disk, &e));
	CHECK_OK(borrow(s->disk, "disk", &layer, &e));
	CHECK_OK(qdisk_open(&s->q, layer, IMG_WRITE, &img, &e));
	populate(s, img);
	s->old_size = shape->size;
	CHECK_OK(img_read(img, buf, (size_t)shape->size, 0));
	CHECK_EQ(img_write(s->src, buf, (size_t)shape->size, 0), 0);
	CHECK_OK(img_close(img, &e));
}

static void free_subject(struct subject *s)
{
	img_close(s->disk, NULL);
	img_close(s->data, NULL);
	img_close(s->src, NULL);
	qdisk_fini(&s->q);
	free(s->old);
	free(s->new);
}

static const struct qdisk_shape shapes[] = {
	{ .version = 3, .cluster_bits = 9, .refcount_bits = 64,
	  .size = 60000 / 512 * 512 },
	{ .version = 2, .cluster_bits = 12, .refcount_bits = 16,
	  .size = 100000 / 512 * 512 },
	{ .version = 3, .cluster_bits = 10, .refcount_bits = 1, .depth = 2,
	  .size = 50000 / 512 * 512 },
	{ .version = 3, .cluster_bits = 14, .refcount_bits = 4, .extl2 = true,
	  .zstd = true, .depth = 1, .size = 500000 / 512 * 512 },
	{ .version = 3, .cluster_bits = 12, .refcount_bits = 16,
	  .data_file = true, .size = 80 << 10 },
	{ .version = 3, .cluster_bits = 12, .refcount_bits = 16,
	  .data_file = true, .data_raw = true, .size = 81 << 10 },
	{ .version = 3, .cluster_bits = 17, .refcount_bits = 16,
	  .size = 1000 << 10, .prealloc = "metadata" },
	/* Nearly as much as a refcount table of one cluster can count. */
	{ .version = 3, .cluster_bits = 9, .refcount_bits = 64,
	  .size = 1900 << 10, .prealloc = "metadata" },
};

static void fail_shape(const struct qdisk_shape *shape)
{
	const char *only = getenv("ONLY");
	struct subject s;

	make_subject(&s, shape);
	for (size_t k = 0; k < sizeof(actions) / sizeof(*actions); k++)
		if (!only || !strcmp(only, actions[k].name))
			fail_all(&s, &actions[k]);
	free_subject(&s);
	printf("%s\n", shape->text);
	fflush(stdout);
}

static void fail_random_shapes(uint64_t n)
{
	uint64_t random = model_seed("qcow2 shapes", 0);
	struct qdisk_shape shape;

	while (n--) {
		qdisk_choose(&shape, &random, 17, 600 << 10);
		shape.size = max_u64(shape.size, 8192);
		qdisk_describe(&shape);
		fail_shape(&shape);
	}
}

int main(void)
{
	const char *one = getenv("SHAPE"), *rounds = getenv("ROUNDS");

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct qdisk_shape shape = shapes[i];

		if (one && i != (size_t)atoi(one))
			continue;
		if (!shape.prealloc)
			shape.prealloc = "off";
		qdisk_describe(&shape);
		fail_shape(&shape);
	}
	fail_random_shapes(rounds ? strtoull(rounds, NULL, 0)
				  : getenv("CHECK_ALL") ? 40 : 0);
	return 0;
}
