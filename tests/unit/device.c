/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c - block devices, on a loop device; only root can make one. */
#include <errno.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

#define M (1u << 20)

static struct err e;
static char path[64];
static uint8_t buf[M];

static void detach(void)
{
	char command[128];

	snprintf(command, sizeof(command), "losetup -d %s", path);
	if (system(command))
		fprintf(stderr, "%s failed\n", command);
}

static bool attach(void)
{
	FILE *f = popen("truncate -s 8M disk && "
			"losetup -f --show disk 2>/dev/null", "r");
	bool ok = f && fgets(path, sizeof(path), f);

	path[strcspn(path, "\n")] = 0;
	if (f)
		pclose(f);
	return ok && !atexit(detach);
}

static void expect(struct img *img, uint64_t offset, uint64_t len,
		   uint8_t value)
{
	CHECK_OK(img_read(img, buf, len, offset));
	for (uint64_t i = 0; i < len; i++)
		CHECK_EQ(buf[i], value);
}

static void test_data(unsigned flags)
{
	struct img *img;
	struct img_extent x;

	CHECK_OK(img_file_open(path, IMG_WRITE | flags, &img, &e));
	CHECK_EQ(img_size(img), 8 * M);
	CHECK_EQ(img_length(img), 8 * M);
	memset(buf, 'x', M);
	for (uint64_t i = 0; i < 8; i++)
		CHECK_OK(img_write(img, buf, M, i * M));
	CHECK_EQ(img_write(img, buf, 2, 8 * M - 1), -ERANGE);
	CHECK_EQ(img_read(img, buf, 2, 8 * M - 1), -ERANGE);

	/* Unaligned zeroing: whole sectors by the device, edges by hand. */
	CHECK_OK(img_zero(img, 100000, 1001, 0));
	expect(img, 0, 1001, 'x');
	expect(img, 1001, 100000, 0);
	expect(img, 101001, 1000, 'x');
	CHECK_OK(img_zero(img, 100000, M + 77, IMG_ZERO_KEEP));
	expect(img, M, 77, 'x');
	expect(img, M + 77, 100000, 0);
	expect(img, M + 100077, 100, 'x');
	CHECK_OK(img_zero(img, 10, 2 * M + 5, 0));	/* in one sector */
	expect(img, 2 * M + 5, 10, 0);
	expect(img, 2 * M + 15, 10, 'x');
	CHECK_OK(img_discard(img, M, 3 * M + 1));
	expect(img, 3 * M, 1, 'x');
	expect(img, 4 * M + 1, 100, 'x');

	CHECK_OK(img_map(img, 5, 8 * M - 5, &x));
	CHECK(!x.flags && x.len == 8 * M - 5);
	CHECK_EQ(img_truncate(img, M, &e), -ENOTSUP);
	CHECK_OK(img_flush(img));
	CHECK_OK(img_close(img, &e));
}

static void test_raw(void)
{
	struct img_create_args create = { .format = "raw", .size = 8 * M };
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	struct img *img;

	CHECK_OK(img_file_open(path, IMG_WRITE, &img, &e));
	CHECK_OK(img_create(img, &create, &e));
	create.size++;
	CHECK_EQ(img_create(img, &create, &e), -ENOSPC);
	CHECK_OK(img_close(img, &e));
	CHECK_OK(img_open(path, &args, &img, &e));
	CHECK_EQ(img_size(img), 8 * M);
	CHECK_EQ(img_resize(img, 9 * M, NULL, &e), -ENOSPC);
	CHECK_OK(img_close(img, &e));
}

/* A format that finds its room at the end of the file says why it cannot. */
static void test_vmdk(void)
{
	struct img_create_args args = { .format = "vmdk", .size = M };
	struct img *img;

	CHECK_OK(img_file_open(path, IMG_WRITE, &img, &e));
	CHECK_EQ(img_create(img, &args, &e), -ENOTSUP);
	CHECK(strstr(e.text, "is a block device"));
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	scratch_enter();
	if (!attach()) {
		puts("SKIP: cannot make a loop device");
		return 77;
	}
	test_data(0);
	test_vmdk();
	test_data(IMG_DIRECT);
	test_raw();
	return 0;
}
