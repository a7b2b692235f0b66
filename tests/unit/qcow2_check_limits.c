/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_check_limits.c - images made to be expensive to check: tables that are
 * used millions of times, a very long file, a 1 TiB disk with all its metadata.
 * Each is checked within a bound of time and memory; the address space of the
 * process is limited.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/qcow2/qcow2.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

#define MAX_RSS_KIB (128u << 10)
#define MAX_SECONDS 20		/* of processor time; a walk of each reference
				 * by itself would need hours */

static int fd;

static void put(uint64_t at, unsigned len, uint64_t value)
{
	uint8_t bytes[8];

	if (len == 4)
		put_be32(bytes, (uint32_t)value);
	else
		put_be64(bytes, value);
	CHECK_EQ(pwrite(fd, bytes, len, (off_t)at), len);
}

/* `n` entries at `at`: first, first + step, ... */
static void table(uint64_t at, uint64_t n, uint64_t first, uint64_t step)
{
	enum { PART = 8192 };
	static uint8_t bytes[PART * 8];

	while (n) {
		uint64_t part = min_u64(n, PART);

		for (uint64_t i = 0; i < part; i++, first += step)
			put_be64(bytes + 8 * i, first);
		CHECK_EQ(pwrite(fd, bytes, part * 8, (off_t)at), part * 8);
		at += part * 8;
		n -= part;
	}
}

static void begin(unsigned cluster_bits, uint64_t size, uint32_t l1_size,
		  uint64_t l1_offset)
{
	fd = open("image", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	put(0, 4, QCOW2_MAGIC);
	put(4, 4, 3);
	put(QCOW2_H_CLUSTER_BITS, 4, cluster_bits);
	put(QCOW2_H_SIZE, 8, size);
	put(QCOW2_H_L1_SIZE, 4, l1_size);
	put(QCOW2_H_L1_OFFSET, 8, l1_offset);
	put(QCOW2_H_REFTABLE_OFFSET, 8, 1ull << cluster_bits);
	put(QCOW2_H_REFTABLE_CLUSTERS, 4, 1);
	put(QCOW2_H_REFCOUNT_ORDER, 4, 4);
	put(QCOW2_H_HEADER_LEN, 4, 104);
}

static void count_line(void *arg, const char *line)
{
	uint64_t *n = arg;

	CHECK(line[0]);
	++*n;
}

static struct img_check check(const char *what)
{
	struct img_open_args args = { .format = "qcow2", .flags = IMG_REPAIR };
	uint64_t lines = 0;
	struct img_check k = { .report = count_line, .arg = &lines };
	clock_t start = clock();
	struct rusage use;
	struct err e = { "" };
	struct img *img;
	double seconds;

	CHECK(!close(fd));
	CHECK_OK(img_open("image", &args, &img, &e));
	CHECK_OK(img_check(img, &k, &e));
	CHECK_OK(img_close(img, &e));
	seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	CHECK(!getrusage(RUSAGE_SELF, &use));
	printf("%s: %.2f s, peak so far %ld KiB, %" PRIu64 " corruptions in %"
	       PRIu64 " lines\n", what, seconds, use.ru_maxrss, k.corruptions,
	       lines);
	CHECK(seconds < MAX_SECONDS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK(use.ru_maxrss < MAX_RSS_KIB);
#endif
	return k;
}

/* 4 Mi L1 entries, one L2 table, whose 256 Ki entries are the table itself. */
static void one_l2(void)
{
	const uint64_t c = 2 << 20, n = 4 << 20;
	struct img_check k;

	begin(21, 1ull << 60, (uint32_t)n, 4 * c);
	put(c, 8, 2 * c);
	table(3 * c, c / 8, QCOW2_COPIED | 3 * c, 0);
	table(4 * c, n, QCOW2_COPIED | 3 * c, 0);
	k = check("one L2 table");
	CHECK_EQ(k.allocated_clusters, n * (c / 8));
}

/* 16 Ki L2 tables that are used 256 times each: a million large counts. */
static void many_counts(void)
{
	const uint64_t c = 512, n = 4 << 20, n_l2 = 16 << 10;
	uint64_t l2 = 3 * c + n * 8, data = l2 + n_l2 * c;
	struct img_check k;

	begin(9, 1ull << 37, (uint32_t)n, 3 * c);
	for (uint64_t i = 0; i < n / n_l2; i++)
		table(3 * c + i * n_l2 * 8, n_l2, QCOW2_COPIED | l2, c);
	table(l2, n_l2 * c / 8, QCOW2_COPIED | data, c);
	CHECK(!ftruncate(fd, (off_t)(data + n_l2 * (c / 8) * c)));
	k = check("many counts");
	CHECK_EQ(k.allocated_clusters, n * (c / 8));
}

/* 65536 snapshots with L1 tables of 32 MiB that overlap each other. */
static void snapshots(void)
{
	const uint64_t c = 65536, n = QCOW2_MAX_SNAPSHOTS, at = 16 * c;
	uint64_t l1 = round_up(at + n * 56, c);

	begin(16, 1 << 20, 1, 5 * c);
	put(QCOW2_H_N_SNAPSHOTS, 4, n);
	put(QCOW2_H_SNAPSHOTS_OFFSET, 8, at);
	put(c, 8, 3 * c);
	for (uint64_t i = 0; i < n; i++) {
		put(at + 56 * i, 8, l1 + i % 4000 * c);
		put(at + 56 * i + 8, 4, QCOW2_MAX_L1_LEN / 8);
		put(at + 56 * i + 36, 4, 16);
		put(at + 56 * i + 48, 8, 1 << 20);
	}
	table(l1, 4 * c / 8, QCOW2_COPIED | 6 * c, 0);
	CHECK(!ftruncate(fd, (off_t)(l1 + 5000 * c)));
	check("snapshots");
}

/* As long as qcow2 lets a file be checked, with references all over it. */
static void long_file(void)
{
	const uint64_t c = 512;

	begin(9, 1 << 20, 64, 2 * c);
	put(c, 8, 3 * c);
	table(2 * c, 64, QCOW2_COPIED | 4 * c, 0);
	table(4 * c, 64, QCOW2_COPIED | 5 * c, 1ull << 33);
	CHECK(!ftruncate(fd, (off_t)(INT32_MAX * c)));
	check("long file");
}

/* 1 TiB of 64 KiB clusters, all allocated: 128 MiB of L2 tables. */
static void one_tib(void)
{
	const uint64_t c = 65536, n_l2 = 2048, n = 1 << 24;
	const uint64_t blocks = 514, l2 = 3 * c + blocks * c;
	uint64_t data = l2 + n_l2 * c, total = data / c + n;
	static uint8_t ones[65536];
	struct img_check k;

	begin(16, 1ull << 40, (uint32_t)n_l2, 2 * c);
	table(2 * c, n_l2, QCOW2_COPIED | l2, c);
	table(l2, n, QCOW2_COPIED | data, c);
	table(c, blocks, 3 * c, c);
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t used = min_u64(32768, total - min_u64(total,
							       i * 32768));

		memset(ones, 0, sizeof(ones));
		for (uint64_t j = 0; j < used; j++)
			ones[2 * j + 1] = 1;
		CHECK_EQ(pwrite(fd, ones, sizeof(ones),
				(off_t)((3 + i) * c)), sizeof(ones));
	}
	CHECK(!ftruncate(fd, (off_t)(total * c)));
	k = check("1 TiB");
	CHECK_EQ(k.corruptions, 0);
	CHECK_EQ(k.leaks, 0);
	CHECK_EQ(k.allocated_clusters, n);
	CHECK_EQ(k.fragmented_clusters, 0);
}

int main(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit limit = { 256 << 20, 256 << 20 };

	CHECK(!setrlimit(RLIMIT_AS, &limit));
#endif
	scratch_enter();
	one_tib();
	one_l2();
	snapshots();
	long_file();
	many_counts();
	return 0;
}
