/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.c - a disk that was edited in an overlay is given back byte for byte: at
 * once, after a failure at each write, and never when it has been used since;
 * what is no sound undo file is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <xxhash.h>

#include "convert/copy/checksum.h"
#include "convert/copy/overlay.h"
#include "convert/guest/undo.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/scratch.h"
#include "tests/lib/sheet.h"

#define SIZE (6u << 20)

static uint8_t before[SIZE], after[SIZE + 512], now[SIZE];
static uint64_t seed = 1;

static size_t pick(size_t n)
{
	return (size_t)(sheet_random(&seed) % n);
}

static struct img *memory(const uint8_t *data, size_t len)
{
	struct img *img;
	struct err e = { "" };

	CHECK_OK(img_memory(len, &img, &e));
	CHECK_EQ(img_write(img, data, len, 0), 0);
	return img;
}

/* Random edits; the overlay over `before`. */
static struct img *edit(size_t size)
{
	struct img *overlay;
	struct err e = { "" };

	for (size_t i = 0; i < size; i++)
		before[i] = (uint8_t)(sheet_random(&seed) & (i & 65536 ? 255 :
							     3));
	CHECK_OK(overlay_open(memory(before, size), &overlay, &e));
	for (unsigned i = 0; i < 20; i++) {
		size_t at = pick(size), len = 1 + pick(pick(2) ? 200 : 200000);

		len = (size_t)min_u64(len, size - at);
		for (size_t k = 0; k < len; k++)
			after[k] = (uint8_t)pick(256);
		if (i % 4)
			CHECK_EQ(img_write(overlay, after, len, at), 0);
		else
			CHECK_EQ(img_zero(overlay, len, at, 0), 0);
	}
	CHECK_EQ(img_read(overlay, after, size, 0), 0);
	return overlay;
}

static void compare(struct img *disk, const uint8_t *want, size_t size)
{
	CHECK_EQ(img_read(disk, now, size, 0), 0);
	CHECK(!memcmp(now, want, size));
}

static const char *sum(size_t size, const char *type)
{
	static char text[CHECKSUM_TEXT_LEN + 20];
	char hex[CHECKSUM_TEXT_LEN];
	uint8_t digest[CHECKSUM_MAX_LEN];
	struct checksum_args args = {
		.img = memory(before, size), .type = checksum_find(type),
	};
	struct err e = { "" };

	CHECK_OK(checksum_run(&args, digest, &e));
	img_close(args.img, NULL);
	snprintf(text, sizeof(text), "%s:%s", type,
		 checksum_text(args.type, digest, hex));
	return text;
}

static struct img *empty_file(void)
{
	int fd = open("undo", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct img *file;
	struct err e = { "" };

	CHECK(fd >= 0);
	CHECK_OK(img_file_fd(fd, "undo", IMG_WRITE, &file, &e));
	return file;
}

static struct img *undo_file(struct img *overlay, const char *checksum,
			     struct undo_info *info)
{
	struct img *file = empty_file();
	struct err e = { "" };

	CHECK_OK(undo_write(overlay, file, checksum, info, &e));
	CHECK_OK(img_close(file, &e));
	CHECK_OK(img_file_open("undo", 0, &file, &e));
	return file;
}

static void test_all(size_t size, size_t more)
{
	struct img *overlay = edit(size), *disk, *file;
	struct undo_info info, read;
	struct err e = { "" };

	file = undo_file(overlay, sum(size, more ? "xxh3" : "sha256"), &info);
	CHECK_EQ(info.size, size);
	CHECK(info.n_records > 0);
	CHECK_OK(undo_read_info(file, &read, &e));
	CHECK(!memcmp(&info, &read, sizeof(info)));
	img_close(overlay, NULL);
	memset(after + size, 0, more);
	disk = memory(after, size + more);
	CHECK_EQ(undo_verify(file, disk, &e), -EUCLEAN);
	CHECK_OK(undo_try(file, disk, &e));
	compare(disk, after, size);
	CHECK_OK(undo_apply(file, disk, &e));
	compare(disk, before, size);
	CHECK_OK(undo_verify(file, disk, &e));
	/* Once more is no harm. */
	CHECK_OK(undo_apply(file, disk, &e));
	compare(disk, before, size);
	img_close(disk, NULL);
	img_close(file, NULL);
}

/* A write fails, half of it done: the next time it ends well. */
static void test_killed(void)
{
	struct img *overlay = edit(SIZE), *file;
	struct err e = { "" };
	unsigned nth;
	int rc = -EIO;

	file = undo_file(overlay, NULL, NULL);
	img_close(overlay, NULL);
	for (nth = 1; rc; nth++) {
		struct img *disk = memory(after, SIZE);
		struct fault_plan plan = {
			.kinds = FAULT_WRITE, .nth = nth, .errnum = EIO,
			.torn = true, .seed = nth,
		};

		CHECK_OK(fault_new(disk, 0, &disk, &e));
		fault_set(disk, &plan);
		rc = undo_apply(file, disk, &e);
		CHECK(!rc || rc == -EIO);
		plan.nth = 0;
		plan.kinds = 0;
		fault_set(disk, &plan);
		CHECK_OK(undo_apply(file, disk, &e));
		compare(disk, before, SIZE);
		img_close(disk, NULL);
	}
	CHECK(nth > 3);
	img_close(file, NULL);
}

static void test_used_since(void)
{
	struct img *overlay = edit(SIZE), *disk, *file;
	struct err e = { "" };
	size_t at = 0;

	file = undo_file(overlay, NULL, NULL);
	img_close(overlay, NULL);
	while (before[at] == after[at])
		at++;
	after[at] = (uint8_t)~(before[at] ^ after[at]);
	if (after[at] == before[at])
		after[at] ^= 1;
	disk = memory(after, SIZE);
	CHECK_EQ(undo_apply(file, disk, &e), -EINVAL);
	CHECK(strstr(e.text, "in use since"));
	compare(disk, after, SIZE);
	CHECK_EQ(undo_verify(file, disk, &e), -ENODATA);
	img_close(disk, NULL);
	disk = memory(after, SIZE - 512);
	CHECK_EQ(undo_apply(file, disk, &e), -EINVAL);
	img_close(disk, NULL);
	img_close(file, NULL);
}

/* Changed where the conversion changed nothing: only the whole disk's checksum tells. */
static void test_used_elsewhere(void)
{
	struct img *overlay = edit(SIZE), *disk, *file;
	struct err e = { "" };
	size_t at = 0;

	file = undo_file(overlay, sum(SIZE, "xxh3"), NULL);
	img_close(overlay, NULL);
	while (memcmp(before + at, after + at, 4096))
		at += 4096;
	after[at + 17] ^= 1;
	disk = memory(after, SIZE);
	CHECK_EQ(undo_try(file, disk, &e), -EUCLEAN);
	CHECK(strstr(e.text, "changed elsewhere"));
	compare(disk, after, SIZE);
	CHECK_OK(undo_apply(file, disk, &e));
	CHECK_EQ(undo_verify(file, disk, &e), -EUCLEAN);
	img_close(disk, NULL);
	img_close(file, NULL);
}

/* Make the sums right, so that more than those refuses. */
static void seal(uint8_t *p, size_t len)
{
	XXH128_canonical_t hash;

	if (len < 192)
		return;
	put_le64(p + 40, len);
	XXH128_canonicalFromHash(&hash, XXH3_128bits(p + 192, len - 192));
	memcpy(p + 48, &hash, 16);
	XXH128_canonicalFromHash(&hash, XXH3_128bits(p, 176));
	memcpy(p + 176, &hash, 16);
}

static void test_hostile(void)
{
	struct img *overlay = edit(300000), *file, *disk;
	static uint8_t whole[SIZE], bad[SIZE];
	size_t len;
	unsigned refused = 0;

	file = undo_file(overlay, NULL, NULL);
	img_close(overlay, NULL);
	len = (size_t)img_size(file);
	CHECK_EQ(img_read(file, whole, len, 0), 0);
	img_close(file, NULL);
	for (unsigned i = 0; i < 3000; i++) {
		size_t cut = i % 10 ? len : pick(len);
		struct err e = { "" };
		int rc;

		memcpy(bad, whole, len);
		for (unsigned k = 0; k <= i % 3; k++)
			bad[pick(pick(2) ? 400 : len)] ^=
				(uint8_t)(1 + pick(255));
		if (i % 4)
			seal(bad, cut);
		file = memory(bad, cut);
		disk = memory(after, 300000);
		rc = undo_apply(file, disk, &e);
		CHECK(!rc || e.text[0]);
		refused += rc != 0;
		if (rc)
			compare(disk, after, 300000);
		img_close(disk, NULL);
		img_close(file, NULL);
	}
	CHECK(refused > 1500);
}

static void test_no_memory(void)
{
	struct img *overlay = edit(SIZE), *file, *disk;
	struct err e = { "" };
	uint64_t n = 0, total;
	int rc;

	do {
		struct undo_info info;

		file = empty_file();
		alloc_fail(++n);
		rc = undo_write(overlay, file, NULL, NULL, &e);
		total = alloc_fail(0);
		CHECK(!rc || rc == -ENOMEM);
		img_close(file, NULL);
		CHECK_OK(img_file_open("undo", 0, &file, &e));
		CHECK_EQ(undo_read_info(file, &info, &e), rc ? -EINVAL : 0);
		img_close(file, NULL);
	} while (n <= total);
	CHECK(n > 1);
	file = undo_file(overlay, NULL, NULL);
	disk = memory(after, SIZE);
	n = 0;
	do {
		alloc_fail(++n);
		rc = undo_apply(file, disk, &e);
		total = alloc_fail(0);
		CHECK(!rc || rc == -ENOMEM);
	} while (n <= total);
	compare(disk, before, SIZE);
	img_close(disk, NULL);
	img_close(file, NULL);

	file = undo_file(overlay, sum(SIZE, "xxh3"), NULL);
	disk = memory(after, SIZE);
	n = 0;
	do {
		alloc_fail(++n);
		rc = undo_try(file, disk, &e);
		total = alloc_fail(0);
		CHECK(!rc || rc == -ENOMEM);
	} while (n <= total);
	compare(disk, after, SIZE);
	img_close(disk, NULL);
	img_close(file, NULL);
	img_close(overlay, NULL);
}

int main(void)
{
	scratch_enter();
	setenv("TMPDIR", ".", 1);
	test_all(SIZE, 0);
	test_all(1234567, 0);
	test_all(5000, 4096 - 5000 % 512);
	test_all(SIZE - 70001, 65536);
	test_killed();
	test_used_since();
	test_used_elsewhere();
	test_hostile();
	test_no_memory();
	return 0;
}
