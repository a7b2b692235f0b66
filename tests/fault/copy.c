/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - every allocation and every call of the layers fails once while an
 * image is converted, compared and hashed: an error with a sentence comes out,
 * nothing leaks, and what ends well is right.
 *
 * time limit: 240 s
 */
#include <errno.h>
#include <unistd.h>

#include "convert/copy/checksum.h"
#include "convert/copy/compare.h"
#include "convert/copy/copy.h"
#include "convert/copy/output.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/scratch.h"
#include "tests/lib/sheet.h"

#define SIZE (3u << 20)

static struct err e;

struct job {
	struct sheet *content;
	bool compress;
	unsigned side;		/* who gets `plan`: 0 source, 1 target */
	struct fault_plan plan;
	uint64_t failures;	/* how many calls were made to fail */
	uint64_t nth_alloc;	/* which allocation fails; 0: none */
};

/* Put a fault layer, and a format if there is one, on `below`; owns it. */
static int stack(struct img *below, struct job *job, unsigned side,
		 const char *format, struct img **fault, struct img **img)
{
	struct img_create_args create = { .format = format, .size = SIZE };
	struct img_open_args open = { .format = format, .flags = IMG_WRITE };
	int rc = fault_new(below, 0, fault, &e);

	if (rc) {
		img_close(below, NULL);
		return rc;
	}
	if (job->side == side)
		fault_set(*fault, &job->plan);
	*img = *fault;
	if (!format)
		return 0;
	rc = img_create(*fault, &create, &e);
	if (!rc)
		rc = img_stack(*fault, &open, img, &e);
	if (rc) {
		if (job->side == side)
			job->failures = fault_failures(*fault);
		img_close(*fault, NULL);
	}
	return rc;
}

static int copy_and_compare(struct job *job, struct img *src, struct img *dst)
{
	struct copy_args copy = {
		.sources = &src, .n_sources = 1, .dst = dst, .threads = 2,
		.target_is_zero = true, .compress = job->compress,
		.checksum = checksum_find("sha256"),
	};
	struct compare_args compare = { .a = src, .b = dst, .threads = 2 };
	struct checksum_args sum = { .img = dst, .threads = 2 };
	uint8_t digest[CHECKSUM_MAX_LEN];
	struct compare_result verdict;
	struct copy_result result;
	int rc;

	rc = copy_run(&copy, &result, &e);
	if (!rc)
		rc = compare_run(&compare, &verdict, &e);
	if (!rc)
		CHECK_EQ(verdict.verdict, COMPARE_SAME);
	if (!rc)
		rc = checksum_run(&sum, digest, &e);
	if (!rc)
		CHECK(!memcmp(digest, result.digest, 32));
	copy_result_fini(&result);
	return rc;
}

static int convert(struct job *job)
{
	struct img *fault[2] = { NULL, NULL }, *src, *dst, *mem;
	int rc, one;

	job->failures = 0;
	e.text[0] = 0;
	src = sheet_open(job->content, NULL);	/* its own may not fail */
	alloc_fail(job->nth_alloc);
	rc = stack(src, job, 0, NULL, &fault[0], &src);
	if (rc)
		return rc;
	rc = img_memory(0, &mem, &e);
	if (!rc)
		rc = stack(mem, job, 1, "qcow2", &fault[1], &dst);
	if (!rc) {
		rc = copy_and_compare(job, src, dst);
		if (!rc)
			rc = img_flush(dst);
		if (rc && !e.text[0])
			fail_rc(&e, rc, "flush");
		job->failures = fault_failures(fault[job->side]);
		one = img_close(dst, rc ? NULL : &e);
		rc = rc ? rc : one;
	}
	img_close(src, NULL);
	return rc;
}

static void fail_calls(struct sheet *content, bool compress, unsigned side)
{
	struct job job = {
		.content = content, .compress = compress, .side = side,
		.plan = { .kinds = FAULT_ALL, .errnum = EIO, .lasting = true },
	};
	uint64_t step = 1;

	do {
		int rc;

		/* All of the first ones, then fewer and fewer. */
		job.plan.nth += step;
		step = job.plan.nth / 40 + 1;
		rc = convert(&job);
		if (job.failures) {
			CHECK(rc);
			CHECK(e.text[0]);
		} else if (rc) {
			/* It was the closing that failed. */
			CHECK(e.text[0]);
			job.failures = 1;
		}
	} while (job.failures);
	CHECK(job.plan.nth > 3);
}

static void fail_allocations(struct sheet *content)
{
	struct job job = { .content = content, .compress = true };
	uint64_t n, total, failed = 0;

	CHECK_OK(convert(&job));
	total = alloc_fail(0);
	for (n = 1; n <= total; n += n / 40 + 1) {
		int rc;

		job.nth_alloc = n;
		rc = convert(&job);
		alloc_fail(0);
		failed += rc != 0;
		if (rc)
			CHECK_EQ(rc, -ENOMEM);
	}
	CHECK(failed > 20);
}

/* An output that fails at any allocation leaves no name. */
static void fail_output(void)
{
	struct output_args args = { .no_flush = true };
	uint64_t n = 0;
	int rc;

	do {
		struct output *out;
		struct img *file;

		alloc_fail(++n);
		rc = output_open("target", &args, &out, &e);
		if (!rc) {
			rc = output_layer(out, 0, &file, &e);
			if (!rc)
				rc = output_begin(out, &e);
			if (!rc)
				rc = img_close(file, &e);
			if (rc)
				output_abort(out);
			else
				rc = output_commit(out, &e);
		}
		alloc_fail(0);
		if (rc)
			CHECK(access("target", F_OK));
		args.visible = !args.visible;
	} while (rc);
	CHECK(n > 4);
	CHECK(!unlink("target"));
}

int main(void)
{
	struct sheet content;
	uint64_t seed = 3;

	scratch_enter();
	sheet_init(&content, SIZE);
	sheet_fill(&content, &seed, 4096);
	for (int compress = 0; compress < 2; compress++)
		for (unsigned side = 0; side < 2; side++)
			fail_calls(&content, compress, side);
	fail_allocations(&content);
	fail_output();
	sheet_fini(&content);
	return 0;
}
