/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.c - the content checksum against known answers, and against other
 * ways to store the same content; that of a disk under an overlay.
 *
 * The answers were computed with Python's hashlib by the definition at the head
 * of convert/copy/checksum.c.
 */
#include <errno.h>

#include <unistd.h>

#include "convert/copy/checksum.h"
#include "convert/copy/image_file.h"
#include "convert/copy/overlay.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"
#include "tests/lib/sheet.h"

#define BLOCK 65536u

static struct err e;

static void check_sum(struct img *img, const char *type, unsigned threads,
		      const char *want)
{
	struct checksum_args args = {
		.img = img, .type = checksum_find(type), .threads = threads,
	};
	uint8_t digest[CHECKSUM_MAX_LEN];
	char text[CHECKSUM_TEXT_LEN];

	CHECK(args.type);
	CHECK_OK(checksum_run(&args, digest, &e));
	CHECK_STR(checksum_text(args.type, digest, text), want);
}

struct run {
	uint64_t len;
	int byte;		/* -1: a hole */
};

static void check_runs(const struct run *runs, size_t n, const char *want)
{
	struct sheet s;
	struct img *img;
	uint64_t size = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		size += runs[i].len;
	sheet_init(&s, size);
	for (size_t i = 0; i < n; i++) {
		if (runs[i].byte >= 0)
			sheet_data(&s, at, runs[i].len, runs[i].byte, NULL);
		at += runs[i].len;
	}
	img = sheet_open(&s, NULL);
	for (unsigned threads = 1; threads <= 8; threads *= 2)
		check_sum(img, "sha256", threads, want);
	CHECK_OK(img_close(img, &e));
	sheet_fini(&s);
}

#define CHECK_RUNS(want, ...)						\
	do {								\
		const struct run runs_[] = { __VA_ARGS__ };		\
		check_runs(runs_, sizeof(runs_) / sizeof(runs_[0]), want); \
	} while (0)

static void test_known(void)
{
	CHECK_RUNS("af5570f5a1810b7af78caf4bc70a660f"
		   "0df51e42baf91d4de5b2328de0e83dfc", { 0, -1 });
	CHECK_RUNS("2e3a5f57d5e726ee5de62db1a85ff816"
		   "f4fa6ea4627807d9a51bdc4c883e165e", { BLOCK, 'A' });
	CHECK_RUNS("9467334d6d7668a2f06898185b5cddc7"
		   "8cdfbd962f50c6bf250101f03a0e54dc", { BLOCK / 2, 'A' });
	CHECK_RUNS("e623a5702b1feb08fbb3d18e35bbb7ec"
		   "10146b8cd1bcff811200a3948c78c55c",
		   { 8 * BLOCK + BLOCK / 2, -1 });
	CHECK_RUNS("e623a5702b1feb08fbb3d18e35bbb7ec"
		   "10146b8cd1bcff811200a3948c78c55c",
		   { 8 * BLOCK + BLOCK / 2, 0 });
	CHECK_RUNS("4b2b5acd96f8105f4fb26abaf35c7c57"
		   "56338ef9ccce19ffe7714c9ad94b4398",
		   { BLOCK / 2, 'A' }, { BLOCK, -1 }, { BLOCK / 2, 0 },
		   { BLOCK / 2, 'E' }, { BLOCK / 2, -1 }, { BLOCK / 2, 0 },
		   { BLOCK / 2, -1 });
}

/* Holes, zero marks, zeroes as data, threads: same content, same sum. */
static void test_storage(void)
{
	char want[2][CHECKSUM_TEXT_LEN];
	struct checksum_args args = { 0 };
	uint8_t digest[CHECKSUM_MAX_LEN];
	uint64_t seed = 7;
	struct sheet s;

	sheet_init(&s, 40 * BLOCK + 777);
	sheet_fill(&s, &seed, 512);
	args.img = sheet_open(&s, NULL);
	for (size_t i = 0; checksum_types(i); i++) {
		args.type = checksum_find(checksum_types(i));
		CHECK_STR(checksum_name(args.type), checksum_types(i));
		CHECK_OK(checksum_run(&args, digest, &e));
		checksum_text(args.type, digest, want[i]);
		CHECK_EQ(strlen(want[i]), 2 * checksum_len(args.type));
	}
	for (uint64_t i = 0; i <= s.size / SHEET_SECTOR; i++)
		s.state[i] = SHEET_DATA;
	for (size_t i = 0; checksum_types(i); i++)
		check_sum(args.img, checksum_types(i), 3, want[i]);
	s.bytes[s.size - 1] ^= 1;
	args.type = NULL;
	CHECK_OK(checksum_run(&args, digest, &e));
	CHECK(strcmp(checksum_text(checksum_find("sha256"), digest, want[1]),
		     want[0]));
	s.bad[9] = 1;
	CHECK_EQ(checksum_run(&args, digest, &e), -EIO);
	CHECK_OK(img_close(args.img, &e));
	sheet_fini(&s);
}

/* Zeroes that the map knows are not read. */
static void test_no_read(void)
{
	struct sheet s;
	struct checksum_args args = { 0 };
	uint8_t digest[CHECKSUM_MAX_LEN];

	sheet_init(&s, 100 * BLOCK);
	memset(s.bad, 1, 100 * BLOCK / SHEET_SECTOR);
	args.img = sheet_open(&s, NULL);
	CHECK_OK(checksum_run(&args, digest, &e));
	CHECK_OK(img_close(args.img, &e));
	sheet_fini(&s);
}

/* The sum of the disk under an overlay, had by copying the overlay. */
static void check_below(size_t size, bool compress)
{
	struct checksum_args below = { .type = checksum_find("xxh3") };
	struct image_file_args file = { .create.format = "qcow2" };
	struct copy_args how = {
		.checksum = below.type, .checksum_backing = true,
		.compress = compress, .threads = 3,
	};
	static uint8_t data[8 << 20];
	uint8_t want[CHECKSUM_MAX_LEN];
	struct copy_result r;
	struct img *overlay;
	uint64_t seed = size;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i & 1 << 20 ? 0 : sheet_random(&seed));
	CHECK_OK(img_memory(size, &below.img, &e));
	CHECK_OK(img_write(below.img, data, size, 0));
	CHECK_OK(checksum_run(&below, want, &e));
	CHECK_OK(overlay_open(below.img, &overlay, &e));
	CHECK_OK(img_zero(overlay, size / 2, size / 4, 0));
	CHECK_OK(img_write(overlay, data, 70000, size - 70000));
	for (unsigned i = 0; i < 9; i++)
		CHECK_OK(img_write(overlay, data + i, 3, size / 10 * i));
	CHECK_OK(image_file_copy(overlay, "copy", &file, &how, &r, &e));
	CHECK(!memcmp(want, r.digest, checksum_len(below.type)));
	copy_result_fini(&r);
	CHECK(!unlink("copy"));
	/* Without it, it is the overlay's own. */
	how.checksum_backing = false;
	how.sources = &overlay;
	how.n_sources = 1;
	how.compress = false;
	CHECK_OK(copy_run(&how, &r, &e));
	CHECK(memcmp(want, r.digest, checksum_len(below.type)));
	copy_result_fini(&r);
	CHECK_OK(img_close(overlay, &e));
}

/* What the overlay hides must be read for the sum, and that may fail. */
static void check_bad_below(void)
{
	struct copy_args how = {
		.checksum = checksum_find("xxh3"), .checksum_backing = true,
		.n_sources = 1,
	};
	struct copy_result r;
	struct img *overlay;
	uint64_t seed = 5;
	struct sheet s;

	sheet_init(&s, 40 * BLOCK);
	sheet_fill(&s, &seed, 512);
	for (uint64_t i = 0; i < s.size / SHEET_SECTOR; i++)
		s.state[i] = SHEET_DATA;
	CHECK_OK(overlay_open(sheet_open(&s, NULL), &overlay, &e));
	CHECK_OK(img_zero(overlay, 2 * BLOCK, 4 * BLOCK, 0));
	s.bad[5 * BLOCK / SHEET_SECTOR] = 1;
	how.sources = &overlay;
	CHECK_EQ(copy_run(&how, &r, &e), -EIO);
	copy_result_fini(&r);
	how.checksum_backing = false;
	CHECK_OK(copy_run(&how, &r, &e));
	copy_result_fini(&r);
	CHECK_OK(img_close(overlay, &e));
	sheet_fini(&s);
}

/* Who has no backing file cannot be asked for its sum. */
static void check_no_below(void)
{
	struct copy_args how = {
		.checksum = checksum_find("xxh3"), .checksum_backing = true,
		.n_sources = 1,
	};
	struct copy_result r;
	struct img *img;

	CHECK_OK(img_memory(BLOCK, &img, &e));
	how.sources = &img;
	CHECK_EQ(copy_run(&how, &r, &e), -EINVAL);
	copy_result_fini(&r);
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	scratch_enter();
	setenv("TMPDIR", ".", 1);
	check_below(8 << 20, false);
	check_below(8 << 20, true);
	check_below(7654321, false);
	check_below(5 * BLOCK + 1, true);
	check_no_below();
	check_bad_below();
	CHECK(!checksum_find("md4"));
	test_known();
	test_storage();
	test_no_read();
	return 0;
}
