/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers.c - every allocation and every call fails once while raw images are
 * made, opened, written and resized: an error comes out, and nothing is lost or
 * leaked.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/scratch.h"

static struct err e;
static const char path[] = "disk";

/* All that a layer can do; 0, or the first error. */
static int exercise(struct img *file)
{
	struct img_kv falloc = { "preallocation", "falloc" };
	struct img_create_args create = {
		.format = "raw", .size = 1 << 20, .options = &falloc,
		.n_options = 1,
	};
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	static uint8_t buf[70000];
	struct img_extent ext;
	struct img *img;
	int rc;

	rc = img_create(file, &create, &e);
	if (!rc)
		rc = img_stack(file, &args, &img, &e);
	if (rc) {
		img_close(file, NULL);
		return rc;
	}
	memset(buf, 'x', sizeof(buf));
	rc = img_write(img, buf, sizeof(buf), 1000);
	if (!rc)
		rc = img_zero(img, 5000, 2000, 0);
	if (!rc)
		rc = img_discard(img, 5000, 20000);
	if (!rc)
		rc = img_read(img, buf, sizeof(buf), 999);
	if (!rc)
		rc = img_map(img, 0, 1 << 20, &ext);
	if (!rc)
		rc = img_resize(img, 2 << 20, "full", &e);
	if (!rc)
		rc = img_flush(img);
	if (rc)
		img_close(img, NULL);
	else
		rc = img_close(img, &e);
	return rc;
}

static int on_file(void)
{
	struct img *file;
	int rc = img_file_open(path, IMG_WRITE, &file, &e);

	return rc ? rc : exercise(file);
}

static int on_direct_file(void)
{
	struct img *file;
	int rc = img_file_open(path, IMG_WRITE | IMG_DIRECT, &file, &e);

	return rc ? rc : exercise(file);
}

static int on_memory(void)
{
	struct img *mem;
	int rc = img_memory(0, &mem, &e);

	return rc ? rc : exercise(mem);
}

static void fail_allocations(int (*run)(void))
{
	uint64_t n;

	alloc_fail(0);
	if (run())
		return;		/* no O_DIRECT here */
	n = alloc_fail(0);
	CHECK(n > 3);
	for (uint64_t i = 1; i <= n; i++) {
		alloc_fail(i);
		CHECK_EQ(run(), -ENOMEM);
	}
	alloc_fail(0);
	CHECK_OK(run());
}

static int on_fault(const struct fault_plan *plan)
{
	struct img *mem, *disk;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(fault_new(mem, 0, &disk, &e));
	fault_set(disk, plan);
	return exercise(disk);
}

static void fail_calls(void)
{
	struct fault_plan plan = { .kinds = FAULT_ALL, .errnum = ENOSPC };
	unsigned failed = 0;

	while (++plan.nth < 200) {
		int rc = on_fault(&plan);

		if (!rc)
			break;
		CHECK_EQ(rc, -ENOSPC);
		failed++;
	}
	CHECK(failed >= 10 && plan.nth < 200);
}

int main(void)
{
	int fd;

	scratch_enter();
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && !close(fd));
	fail_allocations(on_memory);
	fail_allocations(on_file);
	fail_allocations(on_direct_file);
	fail_calls();
	return 0;
}
