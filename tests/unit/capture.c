/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.c - a disk with sectors that cannot be read, at first or ever: all others
 * are in the image, and what is lost is said; masks; checkpoints that are broken.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "convert/capture/capture.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

#define SIZE (3 * COPY_PART + 4096)

static struct err e;

/* A layer whose sectors in these places fail, so many times. */
static struct bad {
	uint64_t offset, len;
	unsigned times;
	atomic_uint n;
} bad[] = {
	{ 5 << 20, 512, 1000000, 0 },		/* for ever */
	{ (5 << 20) + 1024, 512, 1000000, 0 },
	{ COPY_PART + 8192, 4096, 1000000, 0 },
	{ 2 * COPY_PART + 700 * 512, 512, 6, 0 },	/* until the retry */
};

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)((at / 512) * 2654435761u >> 24 | 1);
}

static int bad_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;

	(void)img;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (offset < bad[i].offset + bad[i].len &&
		    offset + len > bad[i].offset &&
		    atomic_fetch_add(&bad[i].n, 1) < bad[i].times)
			return -EIO;
	for (size_t i = 0; i < len; i++)
		p[i] = pattern(offset + i);
	return 0;
}

static const struct img_driver bad_driver = {
	.name = "bad", .flags = DRV_PARALLEL, .read = bad_read,
};

static struct img *open_bad(void)
{
	struct img *img;

	CHECK_OK(img_layer_new(&bad_driver, NULL, "bad", 0, &img, &e));
	img->size = SIZE;
	img->block_size = 4096;
	return img;
}

static bool is_lost(const struct capture_result *r, uint64_t at)
{
	for (size_t i = 0; i < r->n_lost; i++)
		if (at >= r->lost[i].offset &&
		    at < r->lost[i].offset + r->lost[i].len)
			return true;
	return false;
}

static void check_image(const char *path, const struct capture_result *r)
{
	const struct img_open_args open = { .format = "qcow2" };
	struct checksum_args sum = { .type = r->checksum };
	uint8_t digest[CHECKSUM_MAX_LEN], sector[512];

	CHECK_OK(img_open(path, &open, &sum.img, &e));
	CHECK_EQ(img_size(sum.img), SIZE);
	for (uint64_t at = 0; at < SIZE; at += 512) {
		CHECK_OK(img_read(sum.img, sector, 512, at));
		CHECK_EQ(sector[17], is_lost(r, at) ? 0 : pattern(at));
	}
	CHECK_OK(checksum_run(&sum, digest, &e));
	CHECK(!memcmp(digest, r->digest, checksum_len(r->checksum)));
	CHECK_OK(img_close(sum.img, &e));
}

static void check_lost(const struct capture_result *r)
{
	CHECK_EQ(r->n_lost, 3);
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(r->lost[i].offset, bad[i].offset);
		CHECK_EQ(r->lost[i].len, bad[i].len);
		CHECK_EQ(r->lost[i].error, -EIO);
		CHECK_EQ(r->lost[i].n_files, 1);	/* of an unknown volume */
	}
}

static void test_bad_sectors(void)
{
	struct img *disk = open_bad();
	struct capture_plan plan;
	struct capture_args args = {
		.plan = &plan, .path = "bad.qcow2", .checkpoint = "bad.check",
		.retries = 10, .level = 1,
	};
	struct capture_result r;

	CHECK_OK(capture_plan_make(disk, NULL, NULL, &plan, &e));
	CHECK_EQ(plan.n_holes, 0);
	CHECK_OK(capture_run(&args, &r, &e));
	check_lost(&r);
	CHECK_EQ(r.recovered, 512);
	check_image("bad.qcow2", &r);
	capture_result_fini(&r);

	/* All is there: nothing is read again but what is lost. */
	args.resume = true;
	bad[3].n = 0;
	CHECK_OK(capture_run(&args, &r, &e));
	CHECK_EQ(r.resumed, SIZE);
	CHECK_EQ(r.read, 0);
	check_lost(&r);
	check_image("bad.qcow2", &r);
	capture_result_fini(&r);
	capture_plan_fini(&plan);
	CHECK_OK(img_close(disk, &e));
}

/* The checkpoint says less than the image has, as kill -9 leaves them; what was lost
 * before it stays known.
 */
static void test_resume(void)
{
	struct img *disk = open_bad();
	const atomic_int now = 1;
	struct checkpoint at;
	struct capture_plan plan;
	struct capture_args args = {
		.plan = &plan, .path = "cut.qcow2", .checkpoint = "cut.check",
		.level = 1,
	};
	struct capture_result r;

	bad[3].n = 0;
	bad[3].times = 1000000;
	CHECK_OK(capture_plan_make(disk, NULL, NULL, &plan, &e));
	CHECK_OK(capture_run(&args, &r, &e));
	CHECK_EQ(r.n_lost, 4);
	capture_result_fini(&r);
	CHECK_OK(checkpoint_read("cut.check", &at, &e));
	CHECK_EQ(at.done, SIZE);
	CHECK_EQ(at.n_lost, 4);
	at.done = 2 * COPY_PART;
	at.n_lost = 3;
	CHECK_OK(checkpoint_write("cut.check", &at, &e));
	checkpoint_fini(&at);
	args.resume = true;
	bad[3].n = 1000000;
	CHECK_OK(capture_run(&args, &r, &e));
	CHECK_EQ(r.resumed, 2 * COPY_PART);
	CHECK(r.read > 0 && r.read <= COPY_PART + 4096);
	check_lost(&r);
	check_image("cut.qcow2", &r);
	capture_result_fini(&r);

	/* An image begun anew, and ended before it has a checkpoint, is not taken
	 * for the one of the old checkpoint.
	 */
	CHECK(!access("cut.check", F_OK) && !unlink("cut.qcow2"));
	args.cancel = &now;
	CHECK_EQ(capture_run(&args, &r, &e), -ECANCELED);
	CHECK(!access("cut.qcow2", F_OK));
	capture_result_fini(&r);
	args.cancel = NULL;
	CHECK_OK(capture_run(&args, &r, &e));
	CHECK_EQ(r.resumed, 0);
	check_image("cut.qcow2", &r);
	capture_result_fini(&r);
	capture_plan_fini(&plan);
	CHECK_OK(img_close(disk, &e));
}

static void put_file(const char *text)
{
	FILE *f = fopen("check", "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void test_checkpoints(void)
{
#define ZEROES "00000000000000000000000000000000"
#define HEAD "capture-checkpoint 1\nfingerprint " ZEROES ZEROES "\n"
	static const char *const broken[] = {
		"", "x\n", HEAD, HEAD "size 10\ndone 11\nend\n",
		HEAD "size 1000000000\ndone 5\nend\n",
		HEAD "size 10\ndone 10\nlost 5 6 5\nend\n",
		HEAD "size 10\ndone 10\nlost 5 1 5\nlost 4 1 5\nend\n",
		HEAD "size 10\ndone 10\nlost 5 0 5\nend\n",
		HEAD "size 10\ndone 10\nwhat\nend\n",
		"capture-checkpoint 1\nfingerprint xy\nend\n",
		HEAD "size 10\ndone 10\nlost 5 2 5\nsize 6\nend\n",
		HEAD "done 10\nsize 10\nend\n", HEAD "size 10\nend\n",
		HEAD "size -1\ndone 0\nend\n", HEAD "size 10x\ndone 10\nend\n",
		HEAD "size 10\ndone 10\nlost 5 2 5 5\nend\n",
		HEAD "size 99999999999999999999\ndone 0\nend\n",
	};
	struct checkpoint c;

	CHECK_EQ(checkpoint_read("none", &c, &e), -ENOENT);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		put_file(broken[i]);
		CHECK_EQ(checkpoint_read("check", &c, &e), -EUCLEAN);
	}
	put_file(HEAD "size 10\ndone 10\nlost 5 2 5\nlost 7 1 6\nend\n");
	CHECK_OK(checkpoint_read("check", &c, &e));
	CHECK(c.n_lost == 2 && c.lost[1].error == -6);
	checkpoint_fini(&c);
}

/* A layer with holes, against its definition. */
static void test_mask(void)
{
	static const struct img_range holes[] = {
		{ 0, 512 }, { 1000, 1 }, { 1001, 24 }, { 4096, 8192 },
		{ 20000, 480 },
	};
	const struct img_range wrong[] = { { 10, 10 }, { 19, 1 } };
	struct img *below, *img;
	struct img_extent ext;
	uint8_t in[20480], got[20480], one;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = pattern(i * 512);
	CHECK_OK(img_memory(sizeof(in), &below, &e));
	CHECK_OK(img_write(below, in, sizeof(in), 0));
	CHECK_EQ(img_mask(below, wrong, 2, &img, &e), -EINVAL);
	CHECK_OK(img_mask(below, holes, 5, &img, &e));
	for (size_t i = 0; i < 5; i++)
		memset(in + holes[i].offset, 0, holes[i].len);
	CHECK_OK(img_read(img, got, sizeof(got), 0));
	CHECK(!memcmp(in, got, sizeof(in)));
	for (size_t at = 0; at < sizeof(in); at += ext.len) {
		CHECK_OK(img_map(img, at, sizeof(in) - at, &ext));
		CHECK(ext.len && ext.offset == at);
		CHECK(bytes_are_zero(in + at, ext.len) ==
		      !!(ext.flags & IMG_EXT_ZERO));
	}
	for (size_t at = 0; at < sizeof(in); at += 7) {
		CHECK_OK(img_read(img, &one, 1, at));
		CHECK_EQ(one, in[at]);
	}
	CHECK_EQ(img_write(img, in, 1, 0), -EROFS);
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	scratch_enter();
	test_mask();
	test_checkpoints();
	test_bad_sectors();
	test_resume();
	return 0;
}
