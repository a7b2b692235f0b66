/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_read.c - reading VMDK files of every kind while each allocation, and
 * each call below, fails once: the right bytes, or the error.
 */
#include <errno.h>
#include <jansson.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/vmdkmake.h"

/* Open, look, read in pieces; what was read is right. */
static int run(struct img *file)
{
	static uint8_t buf[VMDKMAKE_SIZE];
	struct img_open_args args = { .format = "vmdk" };
	struct img_info info;
	struct img *img;
	struct err e = { "" };
	int rc = img_stack(file, &args, &img, &e);

	if (rc) {
		CHECK(e.text[0]);
		img_close(file, NULL);
		return rc;
	}
	for (uint32_t at = 0; at < VMDKMAKE_SIZE && !rc; at += 9000)
		rc = img_read(img, buf + at,
			      min_u64(9000, VMDKMAKE_SIZE - at), at);
	for (uint32_t i = 0; i < VMDKMAKE_SIZE && !rc; i++)
		CHECK_EQ(buf[i], vmdkmake_byte(i));
	if (!rc) {
		rc = img_info(img, &info, &e);
		json_decref(rc ? NULL : info.specific);
	}
	img_close(img, NULL);
	return rc;
}

static void fail_allocations(enum vmdkmake_kind kind)
{
	uint64_t n = 0, total;

	do {
		struct img *file = vmdkmake(kind);
		int rc;

		alloc_fail(++n);
		rc = run(file);
		total = alloc_fail(0);
		/* A look ahead may fail without harm. */
		CHECK(!rc || (rc == -ENOMEM && n <= total));
	} while (n <= total);
	CHECK(total > 5);
}

static void fail_reads(enum vmdkmake_kind kind)
{
	unsigned failed = 0;

	for (uint64_t n = 1; ; n++) {
		struct fault_plan plan = {
			.kinds = FAULT_READ, .nth = n, .errnum = EIO,
			.torn = true, .seed = n,
		};
		struct img *file = vmdkmake(kind), *disk;
		int rc;

		CHECK_EQ(fault_new(file, 0, &disk, NULL), 0);
		fault_set(disk, &plan);
		rc = run(disk);
		CHECK(!rc || rc == -EIO);
		failed += rc != 0;
		/* The second directory may make good for the first. */
		if (!rc && n > 64)
			break;
	}
	CHECK(failed > 5);
}

int main(void)
{
	for (unsigned kind = 0; kind < VMDKMAKE_N; kind++) {
		fail_allocations(kind);
		fail_reads(kind);
	}
	return 0;
}
