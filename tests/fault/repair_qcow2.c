/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repair_qcow2.c - the power fails in the middle of a repair, at every change it
 * makes; every call it makes below fails once.  Afterwards the image still holds
 * its data, and another repair makes it clean.
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "imgfmt/qcow2/qcow2.h"
#include "tests/check.h"

#define SIZE (256u << 10)
#define SEEDS 10u		/* cuts at each place */

struct geometry {
	const char *cluster, *bits, *compat;
};

static const struct geometry geometries[] = {
	{ "512", "16", "1.1" }, { "512", "64", "1.1" }, { "1024", "1", "1.1" },
	{ "4096", "16", "0.10" },
};

/* What is wrong, by the places in the header. */
static void lose_reftable(struct img *disk, const struct qcow2_header *h)
{
	uint8_t zeroes[8] = { 0 };

	CHECK(!img_write(disk, zeroes, 8, h->reftable_offset));
}

static void lose_header_field(struct img *disk, const struct qcow2_header *h)
{
	uint8_t far[8] = { 0, 0, 1 };

	(void)h;
	CHECK(!img_write(disk, far, 8, QCOW2_H_REFTABLE_OFFSET));
}

/* Refcounts of random value, half of them 0. */
static void scramble_refcounts(struct img *disk, const struct qcow2_header *h)
{
	uint8_t block[4096], entry[8];
	uint64_t seed = 5;

	CHECK(!img_read(disk, entry, 8, h->reftable_offset));
	CHECK(!img_read(disk, block, h->cluster_size, get_be64(entry)));
	for (uint64_t i = 0; i < h->cluster_size; i++)
		if (fault_random(&seed) % 2)
			block[i] = (uint8_t)fault_random(&seed);
	CHECK(!img_write(disk, block, h->cluster_size, get_be64(entry)));
}

static void each_l2(struct img *disk, const struct qcow2_header *h,
		    uint64_t clear, uint64_t set)
{
	uint8_t l1[8], entry[8];
	uint64_t at;

	for (uint32_t i = 0; i < h->l1_size; i++) {
		CHECK(!img_read(disk, l1, 8, h->l1_offset + 8 * i));
		at = get_be64(l1) & QCOW2_OFFSET_MASK;
		if (!at)
			continue;
		CHECK(!img_read(disk, entry, 8, at));
		put_be64(entry, (get_be64(entry) & ~clear) | set);
		CHECK(!img_write(disk, entry, 8, at));
	}
}

static void wrong_flags(struct img *disk, const struct qcow2_header *h)
{
	each_l2(disk, h, QCOW2_COPIED, 2);
	scramble_refcounts(disk, h);
}

static void data_over_table(struct img *disk, const struct qcow2_header *h)
{
	each_l2(disk, h, QCOW2_OFFSET_MASK, h->l1_offset);
}

/* With large clusters the only one. */
static void lose_last_block(struct img *disk, const struct qcow2_header *h)
{
	uint8_t entry[8], zeroes[8] = { 0 };
	uint64_t at = h->reftable_offset + 64 * 8;

	do {
		at -= 8;
		CHECK(!img_read(disk, entry, 8, at));
	} while (!get_be64(entry));
	CHECK(!img_write(disk, zeroes, 8, at));
}

struct damage {
	void (*make)(struct img *, const struct qcow2_header *);
	/* Nothing but refcounts is repaired: at no time are there more findings
	 * than at first.
	 */
	bool refcounts_only;
};

static const struct damage damages[] = {
	{ lose_reftable, true }, { lose_header_field, true },
	{ lose_last_block, true }, { scramble_refcounts, false },
	{ wrong_flags, false }, { data_over_table, false },
};

#define N_DAMAGES (sizeof(damages) / sizeof(damages[0]))
#define N_GEOMETRIES (sizeof(geometries) / sizeof(geometries[0]))

static struct img *open_disk(struct img *disk, unsigned flags)
{
	struct img_open_args args = { .format = "qcow2", .flags = flags };
	struct err e = { "" };
	struct img *img;

	CHECK_OK(img_stack(disk, &args, &img, &e));
	return img;
}

static struct img *make(const struct geometry *g, unsigned damage)
{
	struct img_kv kv[] = {
		{ "cluster_size", g->cluster }, { "refcount_bits", g->bits },
		{ "compat", g->compat },
	};
	struct img_create_args args = {
		.format = "qcow2", .size = SIZE, .options = kv, .n_options = 3,
	};
	struct qcow2_header h;
	struct err e = { "" };
	struct img *disk, *img;
	uint8_t data[6000];

	CHECK_OK(img_memory(0, &disk, &e));
	CHECK_OK(img_create(disk, &args, &e));
	img = open_disk(disk, IMG_WRITE);
	for (unsigned i = 0; i < 8; i++) {
		memset(data, (int)i + 1, sizeof(data));
		CHECK_OK(img_write(img, data, sizeof(data), i * 30000));
	}
	CHECK_OK(img_close_layer(img, &e));
	CHECK_OK(qcow2_header_read(disk, 0, &h, &e));
	damages[damage].make(disk, &h);
	qcow2_header_free(&h);
	return disk;
}

static void read_all(struct img *disk, uint8_t *content)
{
	struct img *img = open_disk(disk, IMG_REPAIR);

	CHECK(!img_read(img, content, SIZE, 0));
	CHECK(!img_close_layer(img, NULL));
}

/* Closing may fail after a fault: what counts is what is on the disk. */
static int repair(struct img *disk, struct img_check *k)
{
	struct img *img = open_disk(disk, IMG_WRITE | IMG_REPAIR);
	struct err e = { "" };
	int rc;

	*k = (struct img_check){ .fix_leaks = true, .fix_errors = true };
	rc = img_check(img, k, &e);
	CHECK(!rc || e.text[0]);
	img_close_layer(img, NULL);
	return rc;
}

static uint64_t corruptions(struct img *disk)
{
	struct img *img = open_disk(disk, IMG_REPAIR);
	struct img_check k = { 0 };
	struct err e = { "" };

	CHECK_OK(img_check(img, &k, &e));
	CHECK(!img_close_layer(img, NULL));
	return k.corruptions;
}

/* Whatever was lost, the data is there and a repair works. */
static void check_after(struct img *disk, const uint8_t *content,
			uint64_t stays, const char *what, uint64_t nth)
{
	static uint8_t now[SIZE];
	struct img_check k;

	read_all(disk, now);
	if (memcmp(now, content, SIZE)) {
		fprintf(stderr, "%s: the content differs after %" PRIu64
			" calls\n", what, nth);
		exit(1);
	}
	CHECK_EQ(repair(disk, &k), 0);
	if (k.corruptions != stays || k.leaks || k.check_errors) {
		fprintf(stderr, "%s: cannot be repaired after %" PRIu64
			" calls: %" PRIu64 " corruptions, %" PRIu64 " leaks\n",
			what, nth, k.corruptions, k.leaks);
		exit(1);
	}
	read_all(disk, now);
	CHECK(!memcmp(now, content, SIZE));
	CHECK(!img_close(disk, NULL));
}

/* How many of these calls does the whole repair make? */
static uint64_t count_calls(struct img *bad, unsigned kinds, uint64_t *stays)
{
	struct err e = { "" };
	struct img *copy, *disk;
	struct img_check k;
	uint64_t n;

	CHECK_OK(fault_copy(bad, &copy, &e));
	CHECK_OK(fault_new(copy, 0, &disk, &e));
	CHECK_EQ(repair(disk, &k), 0);
	n = fault_calls(disk, kinds);
	*stays = k.corruptions;
	CHECK_OK(img_close(disk, &e));
	return n;
}

static void cut_at(struct img *bad, uint64_t nth, const uint8_t *content,
		   uint64_t stays, uint64_t most, const char *what)
{
	struct fault_plan plan = {
		.kinds = FAULT_CHANGES | FAULT_FLUSH, .nth = nth,
		.errnum = EIO, .lasting = true, .torn = true, .seed = nth,
	};
	struct err e = { "" };
	struct img *copy, *disk, *after;
	struct img_check k;

	CHECK_OK(fault_copy(bad, &copy, &e));
	CHECK_OK(fault_new(copy, FAULT_RECORD, &disk, &e));
	fault_set(disk, &plan);
	repair(disk, &k);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		CHECK_OK(fault_power_cut(disk, nth * SEEDS + seed, &after, &e));
		if (corruptions(after) > most) {
			fprintf(stderr, "%s: worse after %" PRIu64 " calls\n",
				what, nth);
			exit(1);
		}
		check_after(after, content, stays, what, nth);
	}
	img_close(disk, NULL);
}

static void fail_at(struct img *bad, uint64_t nth, const uint8_t *content,
		    uint64_t stays, const char *what)
{
	struct fault_plan plan = {
		.kinds = FAULT_ALL & ~FAULT_DISCARD & ~FAULT_MAP, .nth = nth,
		.errnum = EIO,
	};
	struct img_open_args args = {
		.format = "qcow2", .flags = IMG_WRITE | IMG_REPAIR,
	};
	struct img_check k = { .fix_leaks = true, .fix_errors = true };
	struct err e = { "" };
	struct img *copy, *disk, *img, *after;

	CHECK_OK(fault_copy(bad, &copy, &e));
	CHECK_OK(fault_new(copy, 0, &disk, &e));
	fault_set(disk, &plan);
	if (!img_stack(disk, &args, &img, &e)) {
		/* An unreadable table is an error, or counted as one. */
		if (!img_check(img, &k, &e) && fault_failures(disk))
			CHECK(k.corruptions >= stays);
		img_close_layer(img, NULL);
	}
	fault_set(disk, &(struct fault_plan){ .nth = 0 });
	CHECK_OK(fault_copy(disk, &after, &e));
	check_after(after, content, stays, what, nth);
	CHECK_OK(img_close(disk, &e));
}

static void run(const struct geometry *g, unsigned damage)
{
	static uint8_t content[SIZE];
	struct img *bad = make(g, damage);
	uint64_t stays, n, most = UINT64_MAX;
	char what[80];

	snprintf(what, sizeof(what), "clusters of %s, refcounts of %s bits, "
		 "damage %u", g->cluster, g->bits, damage);
	read_all(bad, content);
	if (damages[damage].refcounts_only)
		most = corruptions(bad);
	n = count_calls(bad, FAULT_CHANGES | FAULT_FLUSH, &stays);
	printf("%s: %" PRIu64 " changes, %" PRIu64 " stay\n", what, n, stays);
	for (uint64_t i = 1; i <= n; i++)
		cut_at(bad, i, content, stays, most, what);
	n = count_calls(bad, FAULT_ALL & ~FAULT_DISCARD & ~FAULT_MAP, &stays);
	for (uint64_t i = 1; i <= n; i++)
		fail_at(bad, i, content, stays, what);
	CHECK(!img_close(bad, NULL));
}

int main(void)
{
	for (unsigned g = 0; g < N_GEOMETRIES; g++)
		for (unsigned i = 0; i < N_DAMAGES; i++)
			run(&geometries[g], i);
	return 0;
}
