/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_calls.c - every call to the file below and every allocation fails once,
 * or from there on, while qcow2 images are made, opened, written, compressed,
 * resized and closed: an error comes out, nothing is lost from memory, and the
 * image is left without corruption.
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"

#define SIZE (300u << 10)

static struct err e;

struct kind {
	struct img_kv options[3];
	size_t n;
};

static const struct kind kinds[] = {
	{ { { "cluster_size", "512" }, { "refcount_bits", "64" } }, 2 },
	{ { { "cluster_size", "16k" }, { "extended_l2", "on" },
	    { "compression_type", "zstd" } }, 3 },
	{ { { "cluster_size", "4k" }, { "compat", "0.10" },
	    { "preallocation", "metadata" } }, 3 },
};

static int compress(struct img *img, uint64_t offset)
{
	uint32_t unit = img_compress_unit(img);
	uint8_t *buf = calloc(2, unit);
	struct img_codec *codec = NULL;
	size_t len = 0;
	int rc;

	if (!buf)
		return -ENOMEM;
	rc = img_codec_new(img, 0, &codec, &e);
	if (!rc)
		rc = img_compress(codec, buf, unit, buf + unit, &len);
	if (!rc)
		rc = img_write_compressed(img, buf + unit, len, offset);
	img_codec_free(codec);
	free(buf);
	return rc == -EEXIST ? 0 : rc;
}

static int use(struct img *img)
{
	static uint8_t buf[70000];
	struct img_extent ext;
	int rc;

	memset(buf, 'x', sizeof(buf));
	rc = img_write(img, buf, sizeof(buf), 1000);
	if (!rc)
		rc = compress(img, 128 << 10);
	if (!rc)
		rc = compress(img, 144 << 10);
	if (!rc)
		rc = img_flush(img);
	if (!rc)
		rc = img_write(img, buf, 3000, (128 << 10) + 100);
	if (!rc)
		rc = img_zero(img, 40000, 2000, 0);
	if (!rc)
		rc = img_discard(img, 20000, 48 << 10);
	if (!rc)
		rc = img_read(img, buf, sizeof(buf), 999);
	if (!rc)
		rc = img_map(img, 0, SIZE, &ext);
	if (!rc)
		rc = img_resize(img, SIZE + (4 << 20), "metadata", &e);
	if (!rc)
		rc = img_write(img, buf, sizeof(buf), 2 << 20);
	if (!rc)
		rc = img_resize(img, SIZE / 2, NULL, &e);
	return rc;
}

/* `disk` stays; *made says whether there is an image now. */
static int exercise(struct img *disk, const struct kind *k, bool *made)
{
	struct img_create_args create = {
		.format = "qcow2", .size = SIZE, .options = k->options,
		.n_options = k->n,
	};
	struct img_open_args args = { .format = "qcow2", .flags = IMG_WRITE };
	struct img *img;
	int rc, close_rc;

	*made = false;
	rc = img_create(disk, &create, &e);
	*made = !rc;
	if (!rc)
		rc = img_stack(disk, &args, &img, &e);
	if (rc)
		return rc;
	rc = use(img);
	close_rc = img_close_layer(img, NULL);
	return rc ? rc : close_rc;
}

static void check_image(struct img *disk, bool leaks_allowed)
{
	struct img_open_args args = { .format = "qcow2" };
	struct img_check check = { 0 };
	struct img *img;

	CHECK_OK(img_stack(disk, &args, &img, &e));
	CHECK_OK(img_check(img, &check, &e));
	CHECK_EQ(check.corruptions, 0);
	CHECK_EQ(check.check_errors, 0);
	if (!leaks_allowed)
		CHECK_EQ(check.leaks, 0);
	CHECK_OK(img_close_layer(img, &e));
}

static bool fail_call(const struct kind *k, const struct fault_plan *plan)
{
	struct fault_plan none = { 0 };
	struct img *mem, *disk;
	bool made, failed;
	int rc;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(fault_new(mem, 0, &disk, &e));
	fault_set(disk, plan);
	rc = exercise(disk, k, &made);
	failed = fault_failures(disk) > 0;
	fault_set(disk, &none);
	/* That space could not be given back to the host is no error. */
	if (rc)
		CHECK(failed && rc == -plan->errnum);
	if (made)
		check_image(disk, rc != 0);
	CHECK_OK(img_close(disk, &e));
	return failed;
}

static void fail_calls(const struct kind *k, bool lasting)
{
	struct fault_plan plan = {
		.kinds = FAULT_ALL & ~FAULT_MAP, .errnum = ENOSPC,
		.lasting = lasting, .torn = lasting,
	};

	while (++plan.nth < 20000)
		if (!fail_call(k, &plan))
			break;
	printf("%u calls\n", (unsigned)plan.nth - 1);
	CHECK(plan.nth > 30 && plan.nth < 20000);
}

static void fail_allocations(const struct kind *k, uint64_t step)
{
	struct img *mem, *disk;
	uint64_t n = UINT64_MAX;
	bool made;

	for (uint64_t i = 0; i <= n; i += i ? step : 1) {
		int rc;

		CHECK_OK(img_memory(0, &mem, &e));
		CHECK_OK(fault_new(mem, 0, &disk, &e));
		alloc_fail(i);
		rc = exercise(disk, k, &made);
		if (!i)
			n = alloc_fail(0);
		alloc_fail(0);
		CHECK(rc == 0 || (i && rc == -ENOMEM));
		if (made)
			check_image(disk, rc != 0);
		CHECK_OK(img_close(disk, &e));
	}
	printf("%u allocations\n", (unsigned)n);
	CHECK(n > 50);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		fail_calls(&kinds[i], false);
		fail_calls(&kinds[i], true);
		/* With tiny clusters there are thousands, much alike. */
		fail_allocations(&kinds[i], i ? 1 : 7);
	}
	return 0;
}
