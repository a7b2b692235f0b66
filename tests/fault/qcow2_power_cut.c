/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_power_cut.c - qcow2 of random geometry loses power again and again; and
 * a driver that breaks one of the numbered invariants of its write ordering is
 * found out each time.  time limit: 240 s
 *
 * ROUNDS sets how many geometries are tried, OPS how many power cuts for each.
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "imgfmt/qcow2/state.h"
#include "tests/check.h"
#include "tests/lib/borrow.h"
#include "tests/lib/model.h"
#include "tests/lib/powercut.h"
#include "tests/lib/qdisk.h"
#include "tests/lib/scratch.h"

#define MAX_SIZE (600u << 10)
#define UNKNOWN_AUTOCLEAR (1ull << 40)

struct test {
	struct qdisk q;
	unsigned broken;	/* invariant that the driver breaks, 0: none */
	bool autoclear;		/* look at invariant 5 */
	uint64_t fill;		/* bytes that are allocated to begin with */
	bool snapshot;		/* and are in a snapshot, too */
	struct img *pristine;	/* as created, with an unknown autoclear bit */
};

static int set_autoclear(struct test *t, struct img *disk, struct err *e)
{
	uint8_t bits[8];
	int rc = img_read(disk, bits, sizeof(bits), QCOW2_H_AUTOCLEAR);

	put_be64(bits, get_be64(bits) | UNKNOWN_AUTOCLEAR);
	if (!rc)
		rc = img_write(disk, bits, sizeof(bits), QCOW2_H_AUTOCLEAR);
	return rc ? rc : fault_copy(disk, &t->pristine, e);
}

/* Zeroes, but in clusters. */
static int fill(struct test *t, struct img *disk, struct err *e)
{
	uint8_t *zeroes = calloc(1, t->fill);
	struct img *layer, *img;
	int rc;

	CHECK(zeroes);
	rc = borrow(disk, "disk", &layer, e);
	if (!rc)
		rc = qdisk_open(&t->q, layer, IMG_WRITE, &img, e);
	if (rc)
		goto out;
	rc = img_write(img, zeroes, (size_t)t->fill, 0);
	if (rc)
		img_close(img, NULL);
	else
		rc = img_close(img, e);
out:
	free(zeroes);
	return rc;
}

/* Let qemu-img make a snapshot. */
static int take_snapshot(struct img *disk, struct err *e)
{
	size_t len = (size_t)img_length(disk);
	uint8_t *buf = malloc(2 * len + (1 << 20));
	FILE *f = fopen("disk", "w+");
	int rc;

	CHECK(buf && f);
	rc = img_read(disk, buf, len, 0);
	CHECK(!rc && fwrite(buf, 1, len, f) == len && !fflush(f));
	CHECK(!system("qemu-img snapshot -c s0 disk"));
	rewind(f);
	len = fread(buf, 1, 2 * len + (1 << 20), f);
	CHECK(!fclose(f));
	rc = img_write(disk, buf, len, 0);
	free(buf);
	return rc ? fail_rc(e, rc, "cannot write back") : 0;
}

static int create(void *arg, struct img *disk, struct err *e)
{
	struct test *t = arg;
	int rc = qdisk_create(&t->q, disk, e);

	if (!rc && t->fill)
		rc = fill(t, disk, e);
	if (!rc && t->snapshot)
		rc = take_snapshot(disk, e);
	if (rc || !t->autoclear)
		return rc;
	return set_autoclear(t, disk, e);
}

static int open_it(void *arg, struct img *disk, struct img **out, struct err *e)
{
	struct test *t = arg;
	int rc = qdisk_open(&t->q, disk, IMG_WRITE, out, e);

	if (!rc)
		qcow2_test_break(*out, t->broken);
	return rc;
}

static bool same(struct img *a, struct img *b)
{
	uint64_t len = img_length(a);
	uint8_t x[4096], y[4096];

	if (len != img_length(b))
		return false;
	for (uint64_t pos = 0; pos < len; pos += sizeof(x)) {
		size_t n = (size_t)min_u64(len - pos, sizeof(x));

		if (img_read(a, x, n, pos) || img_read(b, y, n, pos) ||
		    memcmp(x, y, n))
			return false;
	}
	return true;
}

/* As long as the bit is set, nothing may have changed. */
static int check_autoclear(struct test *t, struct img *disk, struct err *e)
{
	uint8_t bits[8];

	CHECK(!img_read(disk, bits, sizeof(bits), QCOW2_H_AUTOCLEAR));
	if (get_be64(bits) & UNKNOWN_AUTOCLEAR && !same(disk, t->pristine))
		return fail(e, EUCLEAN, "changed under an autoclear bit");
	return 0;
}

/* The snapshot shows zeroes. */
static int check_snapshot(struct img *disk, struct err *e)
{
	struct img_open_args args = { .format = "qcow2", .snapshot = "s0" };
	uint8_t *buf = malloc(MAX_SIZE);
	struct img *layer, *img;
	size_t size;
	int rc;

	CHECK(buf);
	CHECK_EQ(borrow(disk, "disk", &layer, e), 0);
	rc = img_stack(layer, &args, &img, e);
	if (rc) {
		img_close(layer, NULL);
		free(buf);
		return rc;
	}
	size = (size_t)img_size(img);
	rc = img_read(img, buf, size, 0);
	if (rc || !bytes_are_zero(buf, size))
		rc = fail(e, EUCLEAN, "the snapshot has changed");
	img_close(img, NULL);
	free(buf);
	return rc;
}

static int check(void *arg, struct img *disk, struct err *e)
{
	struct test *t = arg;
	int rc = 0;

	if (t->snapshot)
		rc = check_snapshot(disk, e);
	if (!rc && t->autoclear)
		rc = check_autoclear(t, disk, e);
	if (!rc)
		rc = qdisk_check(&t->q, disk, QDISK_LEAKS_OK, e);
	/* Now and then the leaks are removed, and then nothing is left. */
	if (rc || img_length(disk) % 3)
		return rc;
	rc = qdisk_check(&t->q, disk, QDISK_FIX_LEAKS, e);
	return rc ? rc : qdisk_check(&t->q, disk, 0, e);
}

static void second(void *arg, struct img *disk)
{
	struct test *t = arg;

	t->q.data = disk;
}

static struct powercut plan(struct test *t, uint64_t seed, uint64_t max_size)
{
	const struct qdisk_shape *g = &t->q.shape;

	return (struct powercut){
		.what = g->text, .size = g->size, .max_size = max_size,
		.unit = 1u << g->cluster_bits, .compressed = true,
		.seed = seed, .create = create, .open = open_it,
		.check = check, .second = g->data_file ? second : NULL,
		.arg = t, .initial = t->q.initial,
	};
}

static void random_geometry(uint64_t seed, uint64_t *random)
{
	uint64_t max_size = MAX_SIZE / (1 + fault_random(random) % 8);
	struct qdisk_shape g;
	struct powercut p;
	struct test t = { .broken = 0 };

	qdisk_choose(&g, random, 16, max_size);
	qdisk_init(&t.q, &g, max_size, random);
	t.autoclear = g.version >= 3 && fault_random(random) % 4 == 0;
	p = plan(&t, seed, fault_random(random) % 3 ? max_size : 0);
	p.cuts = t.autoclear ? 5 : 25;
	powercut_run(&p);
	qdisk_fini(&t.q);
	img_close(t.pristine, NULL);
}

/* All but a few clusters in use that the first refcount table can count: soon a
 * larger one takes its place.
 */
static void table_grows(uint64_t seed, uint64_t *random)
{
	struct qdisk_shape g = {
		.version = 3, .cluster_bits = 9, .refcount_bits = 64,
		.prealloc = "off", .size = 2400 << 10,
	};
	struct test t = {
		.fill = (3945 + fault_random(random) % 25) * 512,
	};
	struct powercut p;

	qdisk_describe(&g);
	qdisk_init(&t.q, &g, g.size, random);
	p = plan(&t, seed, 0);
	p.cuts = 4;
	powercut_run(&p);
	qdisk_fini(&t.q);
}

static void with_snapshot(uint64_t seed, uint64_t *random)
{
	uint64_t max_size = MAX_SIZE / (1 + fault_random(random) % 8);
	struct qdisk_shape g;
	struct test t = { .snapshot = true };
	struct powercut p;

	do {
		qdisk_choose(&g, random, 14, max_size);
	} while (g.data_file || g.depth || g.refcount_bits == 1);
	qdisk_init(&t.q, &g, max_size, random);
	t.fill = g.size / 1024 * 512;
	p = plan(&t, seed, g.version < 3 ? 0 : max_size);
	p.cuts = 15;
	powercut_run(&p);
	qdisk_fini(&t.q);
}

/* Small clusters: many tables, and freed clusters are soon used again.  New L2
 * tables are seldom, so an image of many is begun anew often.
 */
static struct powercut hard_plan(struct test *t, uint64_t seed,
				 uint64_t *random)
{
	bool tables = t->broken == 2;
	uint64_t max_size = tables ? MAX_SIZE : MAX_SIZE / 4;
	struct qdisk_shape g;
	struct powercut p;

	qdisk_choose(&g, random, tables ? 9 : 12, max_size);
	g.version = 3;
	g.data_file = g.data_raw = false;
	g.prealloc = "off";
	qdisk_describe(&g);
	qdisk_init(&t->q, &g, max_size, random);
	p = plan(t, seed, max_size);
	p.cuts = t->autoclear ? 5 : tables ? 10 : 50;
	return p;
}

/* How many power cuts until it is found? */
static uint64_t find_broken(unsigned invariant, uint64_t seed, uint64_t *random,
			    uint64_t bound)
{
	uint64_t cuts = 0, one;

	while (cuts < bound) {
		struct test t = {
			.broken = invariant, .autoclear = invariant == 5,
		};
		struct powercut p = hard_plan(&t, seed + cuts, random);

		p.cuts = min_u64(p.cuts, bound - cuts);
		one = powercut_find(&p);
		cuts += one ? one : p.cuts;
		qdisk_fini(&t.q);
		img_close(t.pristine, NULL);
		if (one)
			return cuts;
	}
	return 0;
}

static void find_all_broken(uint64_t seed, uint64_t *random)
{
	static const uint64_t bound = 2000;

	for (unsigned i = 1; i <= 5; i++) {
		uint64_t n = find_broken(i, seed, random, bound);

		printf("invariant %u broken: found after %" PRIu64
		       " power cuts (bound %" PRIu64 ")\n", i, n, bound);
		fflush(stdout);
		CHECK(n > 0);
	}
}

int main(void)
{
	uint64_t seed = model_seed("qcow2 power cuts", 0), random = seed;
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0)
			    : getenv("CHECK_ALL") ? 600 : 60;
	bool has_qemu = !system("qemu-img --version >/dev/null 2>&1");

	/* That seed leads to those of all runs. */
	unsetenv("SEED");
	scratch_enter();
	for (uint64_t i = 0; i < n; i++) {
		random_geometry(seed + i, &random);
		if (i % 5 == 0)
			table_grows(seed + i, &random);
		if (i % 4 == 0 && has_qemu)
			with_snapshot(seed + i, &random);
	}
	find_all_broken(seed, &random);
	return 0;
}
