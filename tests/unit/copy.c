/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - the copy engine, on images whose every sector can be looked at.
 *
 * time limit: 300 s
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "convert/copy/copy.h"
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/sheet.h"

#define MIB (1u << 20)

static struct err e;

/* What a random copy is made of. */
struct scene {
	struct sheet src[3], base, dst;
	struct img *img[3], *dst_img;
	uint8_t *want;		/* what dst shall read as */
	uint64_t total;
	struct copy_args args;
};

static void read_all(struct img *img, uint8_t *buf)
{
	CHECK_OK(img_read(img, buf, (size_t)img_size(img), 0));
}

/* dst holds rubbish unless the copy is told that it is zero. */
static void make_dst(struct scene *s, uint64_t *seed)
{
	struct copy_args *a = &s->args;

	sheet_init(&s->dst, s->total + (sheet_random(seed) % 2 ? 0 : 8192));
	s->dst.block_size = 512u << sheet_random(seed) % 12;
	s->dst.unit = 512u << sheet_random(seed) % 13;
	a->compress = sheet_random(seed) % 3 == 0;
	a->target_is_zero = sheet_random(seed) % 2;
	a->out_of_order = sheet_random(seed) % 4 == 0;
	a->no_sparse = sheet_random(seed) % 4 == 0;
	a->sparse = (uint64_t[]){ 0, 512, 4096, 1536, 65536, 16u << 20 }
		[sheet_random(seed) % 6];
	a->threads = (unsigned)(sheet_random(seed) % 8 + 1);
	if (sheet_random(seed) % 3 == 0)
		a->checksum = checksum_find("xxh3");
	if (!a->target_is_zero)
		sheet_data(&s->dst, 0, s->dst.size, -1, seed);
	s->want = malloc(s->dst.size);
	CHECK(s->want);
	memcpy(s->want, s->dst.bytes, s->dst.size);
}

static void make_scene(struct scene *s, uint64_t *seed)
{
	static const uint32_t align[] = { 512, 4096, 65536 };
	uint64_t at = 0;

	*s = (struct scene){ .args.sources = s->img };
	s->args.n_sources = sheet_random(seed) % 3 + 1;
	for (size_t i = 0; i < s->args.n_sources; i++) {
		uint64_t size = sheet_random(seed) % (3 * MIB) / 512 * 512;

		if (sheet_random(seed) % 4 == 0)
			size += 100;
		sheet_init(&s->src[i], size);
		sheet_fill(&s->src[i], seed, align[sheet_random(seed) % 3]);
		s->src[i].jitter = true;
		s->img[i] = sheet_open(&s->src[i], NULL);
		s->total += size;
	}
	make_dst(s, seed);
	for (size_t i = 0; i < s->args.n_sources; i++) {
		memcpy(s->want + at, s->src[i].bytes, s->src[i].size);
		at += s->src[i].size;
	}
	s->dst_img = sheet_open(&s->dst, NULL);
	s->args.dst = s->dst_img;
}

static void end_scene(struct scene *s)
{
	for (size_t i = 0; i < s->args.n_sources; i++) {
		CHECK_OK(img_close(s->img[i], &e));
		sheet_fini(&s->src[i]);
	}
	CHECK_OK(img_close(s->dst_img, &e));
	sheet_fini(&s->dst);
	free(s->want);
}

/* Whole blocks of zeroes are not stored; with no_sparse all is. */
static void check_sparse(const struct scene *s)
{
	uint64_t block = s->args.compress ? s->dst.unit :
		max_u64(s->dst.block_size, 4096);

	if (block > MIB)
		block = MIB;
	for (uint64_t at = 0; at + block <= s->total; at += block) {
		bool zero = bytes_are_zero(s->want + at, block);
		uint8_t state = s->dst.state[at / SHEET_SECTOR];

		if (s->args.no_sparse)
			CHECK(state == SHEET_DATA || state == SHEET_COMPRESSED);
		else if (zero && (s->args.sparse <= block || s->args.compress))
			CHECK(state == SHEET_HOLE || state == SHEET_ZERO);
	}
}

static void check_digest(const struct scene *s, const struct copy_result *r)
{
	uint8_t digest[CHECKSUM_MAX_LEN];
	struct checksum_args args = { .type = s->args.checksum };
	struct sheet flat;

	if (!s->args.checksum)
		return;
	sheet_init(&flat, s->total);
	memcpy(flat.bytes, s->want, s->total);
	memset(flat.state, SHEET_DATA, div_round_up(s->total, SHEET_SECTOR));
	args.img = sheet_open(&flat, NULL);
	CHECK_OK(checksum_run(&args, digest, &e));
	CHECK(!memcmp(digest, r->digest, checksum_len(args.type)));
	CHECK_OK(img_close(args.img, &e));
	sheet_fini(&flat);
}

static void test_random(uint64_t seed)
{
	struct copy_result r;
	struct scene s;

	make_scene(&s, &seed);
	CHECK_OK(copy_run(&s.args, &r, &e));
	CHECK(!memcmp(s.dst.bytes, s.want, s.dst.size));
	CHECK(s.args.out_of_order || s.dst.in_order);
	CHECK_EQ(r.total, s.total);
	CHECK_EQ(r.n_lost, 0);
	check_sparse(&s);
	check_digest(&s, &r);
	copy_result_fini(&r);
	end_scene(&s);
}

/* The number of threads shows nowhere in the result. */
static void test_threads(uint64_t seed)
{
	uint8_t *state = NULL;
	uint64_t writes = 0;

	for (unsigned threads = 1; threads <= 8; threads++) {
		uint64_t own = seed;
		struct copy_result r;
		struct scene s;

		make_scene(&s, &own);
		s.args.threads = threads;
		s.args.out_of_order = false;
		CHECK_OK(copy_run(&s.args, &r, &e));
		if (!state) {
			state = malloc(s.dst.size);
			CHECK(state);
			memcpy(state, s.dst.state, s.dst.size / SHEET_SECTOR);
			writes = s.dst.writes;
		}
		CHECK(!memcmp(state, s.dst.state, s.dst.size / SHEET_SECTOR));
		CHECK_EQ(s.dst.writes, writes);
		CHECK(s.dst.in_order);
		copy_result_fini(&r);
		end_scene(&s);
	}
	free(state);
}

/* Only what the source's own layer stores goes into a target over the same
 * backing file; its zero marks hide the backing file's data.
 */
static void test_backing(uint64_t seed)
{
	struct sheet base[2], top, dst;
	struct copy_result r;
	struct copy_args args = { .n_sources = 1, .keep_backing = true };
	struct img *src_img, *dst_img;
	uint64_t size = MIB + 512 * (sheet_random(&seed) % 4000), own;
	uint8_t *want = malloc(size), *got = malloc(size);

	for (int i = 0; i < 2; i++) {
		own = seed;
		sheet_init(&base[i], size / 2 / 512 * 512);
		sheet_fill(&base[i], &own, 512);
	}
	sheet_init(&top, size);
	sheet_fill(&top, &own, sheet_random(&own) % 2 ? 512 : 4096);
	sheet_init(&dst, size);
	dst.unit = 65536;
	src_img = sheet_open(&top, sheet_open(&base[0], NULL));
	dst_img = sheet_open(&dst, sheet_open(&base[1], NULL));
	args.sources = &src_img;
	args.dst = dst_img;
	args.threads = (unsigned)(own % 4 + 1);
	args.compress = own % 3 == 0;
	args.checksum = own % 2 ? checksum_find("sha256") : NULL;
	CHECK_OK(copy_run(&args, &r, &e));
	CHECK(want && got);
	read_all(src_img, want);
	read_all(dst_img, got);
	CHECK(!memcmp(want, got, size));
	for (uint64_t i = 0; i + 128 <= size / 512 && !args.compress; i += 128)
		if (!memchr(top.state + i, SHEET_DATA, 128) &&
		    !memchr(top.state + i, SHEET_ZERO, 128))
			CHECK_EQ(dst.state[i], SHEET_HOLE);
	copy_result_fini(&r);
	CHECK_OK(img_close(src_img, &e));
	CHECK_OK(img_close(dst_img, &e));
	for (int i = 0; i < 2; i++)
		sheet_fini(&base[i]);
	sheet_fini(&top);
	sheet_fini(&dst);
	free(want);
	free(got);
}

static void count_lost(void *arg, const struct copy_lost *range)
{
	uint64_t *sum = arg;

	CHECK_EQ(range->error, -EIO);
	*sum += range->len;
}

/* Everything that can be read is copied; the rest is zero and listed. */
static void test_salvage(uint64_t seed)
{
	struct copy_result r;
	uint64_t lost = 0, bad = 0;
	struct scene s;

	make_scene(&s, &seed);
	s.args.checksum = NULL;
	for (uint64_t i = 0; i < s.src[0].size / SHEET_SECTOR; i++) {
		if (s.src[0].state[i] != SHEET_DATA || sheet_random(&seed) % 50)
			continue;
		s.src[0].bad[i] = 1;
		bad += SHEET_SECTOR;
		memset(s.want + i * SHEET_SECTOR, 0, SHEET_SECTOR);
	}
	if (bad) {
		CHECK_EQ(copy_run(&s.args, &r, &e), -EIO);
		CHECK(strstr(e.text, "reading sheet at offset "));
		copy_result_fini(&r);
		memset(s.dst.state, SHEET_HOLE, s.dst.size / SHEET_SECTOR);
		memset(s.dst.bytes, 0, s.dst.size);
		memset(s.want + s.total, 0, s.dst.size - s.total);
	}
	s.args.salvage = true;
	s.args.lost = count_lost;
	s.args.arg = &lost;
	CHECK_OK(copy_run(&s.args, &r, &e));
	CHECK(!memcmp(s.dst.bytes, s.want, s.dst.size));
	CHECK_EQ(r.lost, bad);
	CHECK_EQ(lost, bad);
	for (size_t i = 1; i < r.n_lost; i++)
		CHECK(r.lost_ranges[i - 1].offset + r.lost_ranges[i - 1].len <
		      r.lost_ranges[i].offset);
	copy_result_fini(&r);
	end_scene(&s);
}

static void test_full_disk(void)
{
	uint64_t seed = 1;
	struct copy_result r;
	struct scene s;

	make_scene(&s, &seed);
	sheet_data(&s.src[0], 0, s.src[0].size, 'x', &seed);
	s.dst.room = s.total / 2;
	s.args.threads = 4;
	CHECK_EQ(copy_run(&s.args, &r, &e), -ENOSPC);
	CHECK(strstr(e.text, "writing sheet at offset "));
	CHECK(strstr(e.text, "No space left on device"));
	copy_result_fini(&r);
	end_scene(&s);
}

static void set_cancel(void *arg, uint64_t offset)
{
	(void)offset;
	atomic_store((atomic_int *)arg, 1);
}

static void test_cancel(void)
{
	atomic_int cancel = 0;
	struct copy_result r;
	struct sheet src, dst;
	struct img *from, *to;
	struct copy_args args = {
		.sources = &from, .n_sources = 1, .threads = 3,
		.cancel = &cancel,
	};

	sheet_init(&src, 64 * MIB);
	sheet_data(&src, 0, src.size, 'x', NULL);
	sheet_init(&dst, src.size);
	dst.on_write = set_cancel;
	dst.arg = &cancel;
	from = sheet_open(&src, NULL);
	to = args.dst = sheet_open(&dst, NULL);
	CHECK_EQ(copy_run(&args, &r, &e), -ECANCELED);
	CHECK(dst.writes < 20);
	copy_result_fini(&r);
	cancel = 1;		/* before it began */
	dst.writes = 0;
	CHECK_EQ(copy_run(&args, &r, &e), -ECANCELED);
	CHECK_EQ(dst.writes, 0);
	copy_result_fini(&r);
	CHECK_OK(img_close(from, &e));
	CHECK_OK(img_close(to, &e));
	sheet_fini(&src);
	sheet_fini(&dst);
}

static void cut_file(void *arg, uint64_t offset)
{
	(void)offset;
	CHECK(!truncate(arg, 3 * MIB / 2));
}

/* What is missing at the end must not be taken for zeroes. */
static void test_shrinking(void)
{
	struct img_open_args raw = { .format = "raw" };
	char path[] = "/tmp/copy-test.XXXXXX";
	struct copy_args args = { .n_sources = 1, .threads = 1 };
	struct copy_result r;
	struct sheet dst;
	struct img *from;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(pwrite(fd, "data", 4, (off_t)i * MIB), 4);
	CHECK(!ftruncate(fd, 8 * MIB));
	CHECK_OK(img_open(path, &raw, &from, &e));
	sheet_init(&dst, img_size(from));
	dst.on_write = cut_file;
	dst.arg = path;
	args.sources = &from;
	args.dst = sheet_open(&dst, NULL);
	CHECK_EQ(copy_run(&args, &r, &e), -EIO);
	CHECK(strstr(e.text, "became shorter"));
	copy_result_fini(&r);
	CHECK_OK(img_close(from, &e));
	CHECK_OK(img_close(args.dst, &e));
	sheet_fini(&dst);
	close(fd);
	unlink(path);
}

static void last_progress(void *arg, const struct copy_progress *p)
{
	*(struct copy_progress *)arg = *p;
}

static void test_progress_and_rate(void)
{
	struct timespec start, end;
	struct copy_progress last;
	struct sheet src, dst;
	struct img *from;
	struct copy_result r;
	struct copy_args args = {
		.sources = &from, .n_sources = 1, .threads = 2,
		.rate = 64 * MIB, .progress = last_progress, .arg = &last,
	};
	uint64_t bytes;

	sheet_init(&src, 16 * MIB);
	sheet_data(&src, MIB, 8 * MIB, 'x', NULL);
	sheet_init(&dst, src.size);
	from = sheet_open(&src, NULL);
	args.dst = sheet_open(&dst, NULL);
	args.target_is_zero = true;
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK_OK(copy_run(&args, &r, &e));
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* 8 MiB, of which the first is free, at 64 MiB a second. */
	CHECK((end.tv_sec - start.tv_sec) * 1000 +
	      (end.tv_nsec - start.tv_nsec) / 1000000 >= 100);
	CHECK_EQ(last.done, 16 * MIB);
	CHECK_EQ(last.total, 16 * MIB);
	CHECK_EQ(last.data, 8 * MIB);
	CHECK_EQ(r.data, 8 * MIB);
	CHECK_EQ(r.written, 8 * MIB);
	CHECK_OK(copy_data_bytes(&args, &bytes, &e));
	CHECK_EQ(bytes, 8 * MIB);
	copy_result_fini(&r);
	CHECK_OK(img_close(from, &e));
	CHECK_OK(img_close(args.dst, &e));
	sheet_fini(&src);
	sheet_fini(&dst);
}

static void test_refusals(void)
{
	struct sheet src, dst;
	struct img *from;
	struct copy_result r;
	struct copy_args args = { .sources = &from, .n_sources = 1 };

	sheet_init(&src, MIB);
	sheet_init(&dst, MIB - 512);
	from = sheet_open(&src, NULL);
	args.dst = sheet_open(&dst, NULL);
	CHECK_EQ(copy_run(&args, &r, &e), -ENOSPC);
	CHECK(strstr(e.text, "1048064") && strstr(e.text, "1048576"));
	CHECK_OK(img_close(args.dst, &e));
	sheet_fini(&dst);
	sheet_init(&dst, MIB);
	args.dst = sheet_open(&dst, NULL);
	args.compress = true;
	CHECK_EQ(copy_run(&args, &r, &e), -ENOTSUP);
	args.compress = false;
	args.keep_backing = true;
	CHECK_EQ(copy_run(&args, &r, &e), -EINVAL);
	CHECK_OK(img_close(from, &e));
	CHECK_OK(img_close(args.dst, &e));
	sheet_fini(&src);
	sheet_fini(&dst);
}

/* A hole of 2^60 bytes is one look at the map, or a few. */
static void test_vast_hole(void)
{
	struct img *from, *to;
	struct copy_result r;
	struct copy_args args = {
		.sources = &from, .n_sources = 1, .target_is_zero = true,
	};

	CHECK_OK(img_memory((uint64_t)1 << 60, &from, &e));
	CHECK_OK(img_memory((uint64_t)1 << 60, &to, &e));
	CHECK_OK(img_write(from, "end", 3, ((uint64_t)1 << 60) - 3));
	args.dst = to;
	CHECK_OK(copy_run(&args, &r, &e));
	CHECK(r.data <= 65536);
	copy_result_fini(&r);
	CHECK_OK(img_close(from, &e));
	CHECK_OK(img_close(to, &e));
}

int main(void)
{
	const char *n = getenv("CHECK_ALL");
	uint64_t rounds = n ? 2000 : 40;

	for (uint64_t seed = 1; seed <= rounds; seed++)
		test_random(seed);
	for (uint64_t seed = 1; seed <= rounds / 10; seed++)
		test_threads(seed);
	for (uint64_t seed = 1; seed <= rounds; seed++)
		test_backing(seed);
	for (uint64_t seed = 1; seed <= rounds; seed++)
		test_salvage(seed);
	test_full_disk();
	test_cancel();
	test_shrinking();
	test_progress_and_rate();
	test_refusals();
	test_vast_hole();
	return 0;
}
