/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - the fault layer does what tests of others rely on. */
#include "imgfmt/fault.h"

#include <errno.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"
#include "tests/check.h"

static struct err e;

static struct img *new_disk(uint64_t size, unsigned options)
{
	struct img *mem, *disk;

	CHECK_OK(img_memory(size, &mem, &e));
	CHECK_OK(fault_new(mem, options, &disk, &e));
	CHECK_EQ(img_size(disk), size);
	return disk;
}

static void test_nth(void)
{
	struct fault_plan plan = {
		.kinds = FAULT_WRITE | FAULT_FLUSH, .nth = 3, .errnum = EIO,
	};
	struct img *disk = new_disk(4096, 0);
	struct img_extent ext;
	char buf[16];

	fault_set(disk, &plan);
	CHECK_EQ(img_write(disk, "a", 1, 0), 0);
	CHECK_EQ(img_read(disk, buf, 1, 0), 0);	/* another kind */
	CHECK_EQ(img_flush(disk), 0);
	CHECK_EQ(img_write(disk, "b", 1, 0), -EIO);
	CHECK_EQ(img_write(disk, "c", 1, 1), 0);
	CHECK_EQ(fault_failures(disk), 1);
	CHECK_EQ(fault_calls(disk, FAULT_WRITE), 3);
	CHECK_EQ(fault_calls(disk, FAULT_ALL), 5);
	CHECK_EQ(img_read(disk, buf, 2, 0), 0);
	CHECK(!memcmp(buf, "ac", 2));	/* the failed one left nothing */

	plan = (struct fault_plan){ .kinds = FAULT_ALL, .nth = 2,
				    .errnum = ENOSPC, .lasting = true };
	fault_set(disk, &plan);
	CHECK_EQ(img_zero(disk, 10, 0, 0), 0);
	CHECK_EQ(img_discard(disk, 10, 0), -ENOSPC);
	CHECK_EQ(img_map(disk, 0, 1, &ext), -ENOSPC);
	CHECK_EQ(img_truncate(disk, 1, &e), -ENOSPC);
	CHECK_EQ(img_read(disk, buf, 2, 0), -ENOSPC);
	CHECK_EQ(fault_failures(disk), 4);
	plan.nth = 0;
	fault_set(disk, &plan);
	CHECK_EQ(img_flush(disk), 0);
	CHECK_OK(img_close(disk, &e));
}

/* A torn write leaves a run of whole sectors from its beginning. */
static void test_torn(void)
{
	static uint8_t new[8192], got[8192];
	bool some = false;

	memset(new, 'n', sizeof(new));
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct fault_plan plan = {
			.kinds = FAULT_WRITE, .nth = 1, .errnum = EIO,
			.torn = true, .seed = seed,
		};
		struct img *disk = new_disk(sizeof(got), 0);
		size_t n = 0;

		fault_set(disk, &plan);
		CHECK_EQ(img_write(disk, new, 5000, 100), -EIO);
		CHECK_OK(img_read(disk, got, sizeof(got), 0));
		while (got[100 + n])
			n++;
		CHECK(n <= 5000 && (!n || n == 5000 || (100 + n) % 512 == 0));
		CHECK(bytes_are_zero(got + 100 + n, sizeof(got) - 100 - n));
		some |= n > 0 && n < 5000;
		CHECK_OK(img_close(disk, &e));
	}
	CHECK(some);
}

/* After a cut, what was flushed is there; of the rest each sector is old or
 * new, and over many seeds every sector is seen both ways, alone and with
 * others.
 */
static void test_cut(void)
{
	struct img *disk = new_disk(0, FAULT_RECORD), *after;
	unsigned seen[8] = { 0 }, patterns[256] = { 0 }, n = 0;
	static uint8_t old[4096], new[4096], got[4096];

	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	CHECK_OK(img_write(disk, old, sizeof(old), 0));
	CHECK_EQ(fault_pending(disk), 1);
	CHECK_OK(img_flush(disk));
	CHECK_EQ(fault_pending(disk), 0);
	CHECK_OK(img_write(disk, new, 1024, 0));
	CHECK_OK(img_write(disk, new, 2048, 1024));
	CHECK_OK(img_write(disk, new, 1024, 3072));
	for (uint64_t seed = 0; seed < 2000; seed++) {
		unsigned pattern = 0;

		CHECK_OK(fault_power_cut(disk, seed, &after, &e));
		CHECK_EQ(img_length(after), 4096);
		CHECK_OK(img_read(after, got, sizeof(got), 0));
		for (unsigned i = 0; i < 8; i++) {
			const uint8_t *p = got + i * 512;

			CHECK(!memcmp(p, old, 512) || !memcmp(p, new, 512));
			pattern |= (unsigned)(*p == 'n') << i;
			seen[i] |= *p == 'n' ? 2 : 1;
		}
		patterns[pattern] = 1;
		CHECK_OK(img_close(after, &e));
	}
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(seen[i], 3);
	for (unsigned i = 0; i < 256; i++)
		n += patterns[i];
	CHECK(n > 64 && patterns[0] && patterns[255]);
	CHECK(patterns[0x03] && patterns[0x3c] && patterns[0xc0]);
	/* What happens afterwards on the disk is no matter. */
	CHECK_OK(img_flush(disk));
	CHECK_OK(fault_power_cut(disk, 1, &after, &e));
	CHECK_OK(img_read(after, got, sizeof(got), 0));
	CHECK(!memcmp(got, new, sizeof(got)));
	CHECK_OK(img_close(after, &e));
	CHECK_OK(img_close(disk, &e));
}

/* Growing, shrinking and zeroing can be lost as well; a flush that fails makes
 * nothing safe.
 */
static void test_cut_length(void)
{
	struct fault_plan plan = { .kinds = FAULT_FLUSH, .nth = 1,
				   .errnum = EIO };
	struct img *disk = new_disk(1000, FAULT_RECORD), *after;
	bool small = false, large = false, cleared = false, kept = false;
	uint8_t byte;

	CHECK_OK(img_write(disk, "x", 1, 0));
	CHECK_OK(img_flush(disk));
	fault_set(disk, &plan);
	CHECK_OK(img_zero(disk, 10, 0, 0));
	CHECK_OK(img_truncate(disk, 5000, &e));
	CHECK_EQ(img_length(disk), 5000);
	CHECK_EQ(img_flush(disk), -EIO);
	for (uint64_t seed = 0; seed < 100; seed++) {
		CHECK_OK(fault_power_cut(disk, seed, &after, &e));
		CHECK_OK(img_read(after, &byte, 1, 0));
		small |= img_length(after) == 1000;
		large |= img_length(after) == 5000;
		cleared |= !byte;
		kept |= byte == 'x';
		CHECK_OK(img_close(after, &e));
	}
	CHECK(small && large && cleared && kept);
	CHECK_OK(img_close(disk, &e));
}

/* The same seed gives the same content; a format on top can use it. */
static void test_repeatable(void)
{
	struct img_create_args create = { .format = "raw", .size = 1 << 20 };
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	struct img *disk = new_disk(0, FAULT_RECORD), *img, *a, *b;
	static uint8_t x[1 << 20], y[1 << 20];

	CHECK_OK(img_create(disk, &create, &e));
	CHECK_OK(img_stack(disk, &args, &img, &e));
	CHECK_OK(img_flush(img));
	for (unsigned i = 0; i < 100; i++) {
		memset(x, (int)i, 3000);
		CHECK_OK(img_write(img, x, 3000, i * 10007));
	}
	for (uint64_t seed = 0; seed < 20; seed++) {
		CHECK_OK(fault_power_cut(disk, seed, &a, &e));
		CHECK_OK(fault_power_cut(disk, seed, &b, &e));
		CHECK_OK(img_read(a, x, sizeof(x), 0));
		CHECK_OK(img_read(b, y, sizeof(y), 0));
		CHECK(!memcmp(x, y, sizeof(x)));
		CHECK_OK(img_close(a, &e));
		CHECK_OK(img_close(b, &e));
	}
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	test_nth();
	test_torn();
	test_cut();
	test_cut_length();
	test_repeatable();
	return 0;
}
