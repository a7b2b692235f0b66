/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_failed_flush.c - one call of a flush fails, the guest writes on, and the
 * power fails in the next flush: for every such pair of calls, what is left is
 * not corrupt.
 */
#include <errno.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/borrow.h"
#include "tests/lib/qdisk.h"

#define CUTS 12

static struct err e;

static void write_some(struct img *img, unsigned which, bool all)
{
	static uint8_t buf[1024];

	memset(buf, (int)which + 1, sizeof(buf));
	/* Parts of three L2 tables, each time other clusters. */
	for (uint64_t table = 0; table < 3; table++) {
		uint64_t at = table * 32768 + which * 4096;
		int rc = img_write(img, buf, sizeof(buf), at);

		CHECK(!rc || !all);
	}
}

/* Returns whether both calls were reached. */
static bool run(struct qdisk *q, uint64_t failing, uint64_t last, bool *failed)
{
	struct fault_plan once = {
		.kinds = FAULT_CHANGES | FAULT_FLUSH, .nth = failing,
		.errnum = EIO,
	}, cut = once;
	struct img *mem, *disk, *layer, *img, *after;
	bool reached;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(fault_new(mem, FAULT_RECORD, &disk, &e));
	CHECK_OK(qdisk_create(q, disk, &e));
	CHECK_OK(borrow(disk, "disk", &layer, &e));
	CHECK_OK(qdisk_open(q, layer, IMG_WRITE, &img, &e));
	write_some(img, 0, true);
	fault_set(disk, &once);
	*failed = img_flush(img) != 0;
	cut.nth = last;
	cut.lasting = cut.torn = true;
	cut.seed = last;
	fault_set(disk, &cut);
	write_some(img, 1, false);
	img_flush(img);
	reached = fault_failures(disk);
	for (uint64_t i = 0; i < CUTS; i++) {
		CHECK_OK(fault_power_cut(disk, i * 77 + last, &after, &e));
		CHECK_OK(qdisk_check(q, after, QDISK_LEAKS_OK, &e));
		CHECK_OK(img_close(after, &e));
	}
	img_close(img, NULL);
	img_close(disk, NULL);
	return reached;
}

int main(void)
{
	struct qdisk q = {
		.shape = { .version = 3, .cluster_bits = 9,
			   .refcount_bits = 16, .prealloc = "off",
			   .size = 96 << 10 },
	};
	bool failed = true, reached;
	uint64_t failing, last;

	for (failing = 1; failed; failing++) {
		reached = true;
		for (last = 1; reached; last++)
			reached = run(&q, failing, last, &failed);
		CHECK(last > 8);
	}
	CHECK(failing > 6);
	return 0;
}
