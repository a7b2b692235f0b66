/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.c - comparing images: what is the same, and where the first
 * difference is, whatever the number of threads.
 */
#include <errno.h>
#include <unistd.h>

#include "convert/copy/compare.h"
#include "tests/check.h"
#include "tests/lib/sheet.h"

#define MIB (1u << 20)

static struct err e;

static struct compare_result compare(struct img *a, struct img *b, bool strict,
				     unsigned threads)
{
	struct compare_args args = {
		.a = a, .b = b, .strict = strict, .threads = threads,
	};
	struct compare_result r;

	CHECK_OK(compare_run(&args, &r, &e));
	return r;
}

/* The first sector that differs, or UINT64_MAX. */
static uint64_t first_difference(const struct sheet *a, const struct sheet *b)
{
	uint64_t size = max_u64(a->size, b->size);

	for (uint64_t i = 0; i < size; i++) {
		uint8_t x = i < a->size ? a->bytes[i] : 0;
		uint8_t y = i < b->size ? b->bytes[i] : 0;

		if (x != y)
			return i / SHEET_SECTOR * SHEET_SECTOR;
	}
	return UINT64_MAX;
}

/* The same content stored in another way, perhaps of another size. */
static void make_twin(struct sheet *a, struct sheet *b, uint64_t *seed)
{
	uint64_t extra = sheet_random(seed) % 2 * 512 *
			 (sheet_random(seed) % 3000);

	sheet_init(b, a->size + extra);
	memcpy(b->bytes, a->bytes, a->size);
	for (uint64_t i = 0; i < b->size / SHEET_SECTOR; i++)
		b->state[i] = i >= a->size / SHEET_SECTOR ? SHEET_HOLE :
			a->state[i] == SHEET_HOLE ? SHEET_ZERO : SHEET_DATA;
}

static void test_random(uint64_t seed)
{
	struct sheet a, b;
	struct img *x, *y;

	sheet_init(&a, 512 * (sheet_random(&seed) % 8000));
	sheet_fill(&a, &seed, seed % 2 ? 512 : 65536);
	a.jitter = true;
	make_twin(&a, &b, &seed);
	x = sheet_open(&a, NULL);
	y = sheet_open(&b, NULL);
	for (unsigned round = 0; round < 4; round++) {
		uint64_t want = first_difference(&a, &b);

		for (unsigned threads = 1; threads < 6; threads += 2) {
			struct compare_result r = compare(x, y, false, threads);

			CHECK_EQ(r.verdict, want == UINT64_MAX ? COMPARE_SAME :
				 COMPARE_CONTENT);
			if (want != UINT64_MAX)
				CHECK_EQ(r.offset, want);
			CHECK_EQ(r.sizes_differ, a.size != b.size);
			r = compare(y, x, false, threads);
			CHECK(want == UINT64_MAX || r.offset == want);
		}
		for (int i = 0; i < 3 && b.size; i++)
			sheet_data(&b, sheet_random(&seed) % b.size, 1, 'z',
				   NULL);
	}
	CHECK_OK(img_close(x, &e));
	CHECK_OK(img_close(y, &e));
	sheet_fini(&a);
	sheet_fini(&b);
}

static void test_strict(void)
{
	struct compare_result r;
	struct sheet a, b;
	struct img *x, *y;

	sheet_init(&a, 4 * MIB);
	sheet_init(&b, 4 * MIB);
	x = sheet_open(&a, NULL);
	y = sheet_open(&b, NULL);
	sheet_data(&a, 0, MIB, 'x', NULL);
	sheet_data(&b, 0, MIB, 'x', NULL);
	CHECK_EQ(compare(x, y, true, 2).verdict, COMPARE_SAME);
	sheet_data(&b, 3 * MIB, 4096, 0, NULL);
	CHECK_EQ(compare(x, y, false, 2).verdict, COMPARE_SAME);
	r = compare(x, y, true, 2);
	CHECK_EQ(r.verdict, COMPARE_STATUS);
	/* Where the hole begins that ends elsewhere. */
	CHECK_EQ(r.offset, MIB);
	/* What comes first counts. */
	b.bytes[5000] = 'y';
	r = compare(x, y, true, 2);
	CHECK_EQ(r.verdict, COMPARE_CONTENT);
	CHECK_EQ(r.offset, 4608);
	CHECK_OK(img_close(y, &e));
	sheet_fini(&b);
	sheet_init(&b, 3 * MIB);
	y = sheet_open(&b, NULL);
	CHECK_EQ(compare(x, y, true, 2).verdict, COMPARE_SIZE);
	CHECK_OK(img_close(x, &e));
	CHECK_OK(img_close(y, &e));
	sheet_fini(&a);
	sheet_fini(&b);
}

/* An error after the first difference does not matter; before it, it does. */
static void test_errors(void)
{
	struct compare_args args = { .threads = 4 };
	struct compare_result r;
	struct sheet a, b;

	sheet_init(&a, 8 * MIB);
	sheet_init(&b, 8 * MIB);
	sheet_data(&a, 0, a.size, 'x', NULL);
	sheet_data(&b, 0, b.size, 'x', NULL);
	args.a = sheet_open(&a, NULL);
	args.b = sheet_open(&b, NULL);
	b.bad[6 * MIB / SHEET_SECTOR] = 1;
	CHECK_EQ(compare_run(&args, &r, &e), -EIO);
	CHECK_EQ(r.failed_image, 1);
	CHECK(!r.failed_map);
	CHECK(strstr(e.text, "reading sheet at offset "));
	a.bytes[5 * MIB] = 'y';
	CHECK_OK(compare_run(&args, &r, &e));
	CHECK_EQ(r.verdict, COMPARE_CONTENT);
	CHECK_EQ(r.offset, 5 * MIB);
	CHECK_OK(img_close(args.a, &e));
	CHECK_OK(img_close(args.b, &e));
	sheet_fini(&a);
	sheet_fini(&b);
}

/* Two views of one file are the same without a look at it. */
static void test_same_file(void)
{
	struct img_open_args raw = { .format = "raw" };
	char path[] = "/tmp/compare-test.XXXXXX";
	int fd = mkstemp(path);
	struct img *a, *b;

	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, "data", 4, 12345), 4);
	CHECK_OK(img_open(path, &raw, &a, &e));
	CHECK_OK(img_open(path, &raw, &b, &e));
	CHECK_EQ(compare(a, b, true, 1).verdict, COMPARE_SAME);
	CHECK_OK(img_close(a, &e));
	CHECK_OK(img_close(b, &e));
	close(fd);
	unlink(path);
}

int main(void)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		test_random(seed);
	test_strict();
	test_errors();
	test_same_file();
	return 0;
}
