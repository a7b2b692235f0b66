/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - the layers for memory and for windows. */
#include <errno.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/driver.h"
#include "tests/check.h"

#define CHUNK 65536u
#define HOLE (IMG_EXT_ZERO | IMG_EXT_HOLE)

static struct err e;

static void test_sparse(void)
{
	struct img *m;
	struct img_extent x;
	uint64_t used;
	char buf[16];

	CHECK_OK(img_memory(1ull << 60, &m, &e));
	CHECK_EQ(img_size(m), 1ll << 60);
	CHECK_OK(img_host_usage(m, &used));
	CHECK_EQ(used, 0);
	CHECK_OK(img_write(m, "end", 3, (1ull << 60) - 3));
	CHECK_OK(img_write(m, "start", 5, CHUNK - 2));
	CHECK_OK(img_host_usage(m, &used));
	CHECK_EQ(used, 3 * CHUNK);
	CHECK_OK(img_read(m, buf, 9, CHUNK - 4));
	CHECK(!memcmp(buf, "\0\0start\0\0", 9));

	CHECK_OK(img_map(m, 10, 1ull << 59, &x));
	CHECK(!x.flags && x.len == 2 * CHUNK - 10);
	CHECK_OK(img_map(m, 2 * CHUNK, 1ull << 59, &x));
	CHECK(x.flags == HOLE && x.len == 1ull << 59);
	CHECK_OK(img_map(m, 2 * CHUNK, (1ull << 60) - 2 * CHUNK, &x));
	CHECK(x.flags == HOLE && x.len == (1ull << 60) - 3 * CHUNK);
	CHECK_OK(img_map(m, 1ull << 61, 5, &x));
	CHECK(x.flags == HOLE && x.len == 5);

	/* A discard of everything is quick and frees all. */
	CHECK_OK(img_discard(m, 1ull << 60, 0));
	CHECK_OK(img_host_usage(m, &used));
	CHECK_EQ(used, 0);
	CHECK_EQ(img_length(m), 1ll << 60);
	CHECK_EQ(img_memory(UINT64_MAX, &m, &e), -EINVAL);
	CHECK_OK(img_close(m, &e));
}

/* Zeroing leaves alone what is beside it, whatever edges share a chunk. */
static void test_zero_edges(void)
{
	static uint8_t want[4 * CHUNK], got[4 * CHUNK];
	const uint64_t at[] = { 0, 1, CHUNK - 1, CHUNK, CHUNK + 1,
				2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 5,
				4 * CHUNK };
	struct img *m;

	for (size_t i = 0; i < 9; i++)
		for (size_t j = i + 1; j < 9; j++) {
			CHECK_OK(img_memory(0, &m, &e));
			memset(want, 'x', sizeof(want));
			CHECK_OK(img_write(m, want, sizeof(want), 0));
			memset(want + at[i], 0, at[j] - at[i]);
			CHECK_OK(img_zero(m, at[j] - at[i], at[i],
					  j % 2 ? IMG_ZERO_KEEP : 0));
			CHECK_OK(img_read(m, got, sizeof(got), 0));
			CHECK(!memcmp(want, got, sizeof(got)));
			CHECK_OK(img_close(m, &e));
		}
}

static void test_length(void)
{
	struct img *m;
	char buf[8];

	CHECK_OK(img_memory(100, &m, &e));
	CHECK_OK(img_write(m, "abcdef", 6, 200));
	CHECK_EQ(img_length(m), 206);
	CHECK_OK(img_truncate(m, 203, &e));
	CHECK_OK(img_truncate(m, 300, &e));
	CHECK_OK(img_read(m, buf, 6, 200));
	CHECK(!memcmp(buf, "abc\0\0\0", 6));
	CHECK_OK(img_zero(m, 10, 1000, 0));
	CHECK_EQ(img_length(m), 1010);
	CHECK_OK(img_truncate(m, 0, &e));
	CHECK_EQ(img_length(m), 0);
	CHECK_OK(img_read(m, buf, 6, 200));
	CHECK(bytes_are_zero(buf, 6));
	CHECK_OK(img_close(m, &e));
}

static void *hammer(void *arg)
{
	struct img *m = arg;
	uint8_t buf[1000];

	for (uint64_t i = 0; i < 300; i++) {
		memset(buf, (int)i, sizeof(buf));
		CHECK_EQ(img_write(m, buf, sizeof(buf), i * 5000), 0);
		CHECK_EQ(img_read(m, buf, sizeof(buf), i * 3000), 0);
		CHECK_EQ(img_discard(m, 10000, i * 7000), 0);
	}
	return NULL;
}

static void test_threads(void)
{
	struct img *m;
	pthread_t t[3];

	CHECK_OK(img_memory(0, &m, &e));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(thread_start(&t[i], "hammer", hammer, m), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK_OK(img_close(m, &e));
}

static void test_window(void)
{
	struct img *m, *w, *w2, *none = NULL;
	struct img_extent x;
	char buf[16];

	CHECK_OK(img_memory(4 * CHUNK, &m, &e));
	CHECK_EQ(img_window(m, 4 * CHUNK, 1, &none, &e), -ERANGE);
	CHECK_EQ(img_window(m, UINT64_MAX, 2, &none, &e), -ERANGE);
	CHECK_EQ(img_window(m, 1, UINT64_MAX, &none, &e), -ERANGE);
	CHECK(!none);
	CHECK_OK(img_write(m, "0123456789", 10, CHUNK));
	CHECK_OK(img_window(m, CHUNK - 2, CHUNK, &w, &e));
	CHECK_EQ(img_size(w), CHUNK);
	CHECK_OK(img_read(w, buf, 6, 0));
	CHECK(!memcmp(buf, "\0\0" "0123", 6));
	CHECK_OK(img_map(w, 0, CHUNK, &x));
	CHECK(x.offset == 0 && x.len == 2 && x.flags == HOLE);
	CHECK_OK(img_map(w, 2, 100, &x));
	CHECK(x.offset == 2 && x.len == 100 && !x.flags);

	/* One in the other; it does not reach beyond itself. */
	CHECK_OK(img_window(w, 4, 6, &w2, &e));
	CHECK_OK(img_read(w2, buf, 6, 0));
	CHECK(!memcmp(buf, "234567", 6));
	CHECK_EQ(img_read(w2, buf, 7, 0), -ERANGE);
	CHECK_EQ(img_write(w2, buf, 1, 6), -ERANGE);
	CHECK_OK(img_zero(w2, 2, 4, 0));
	CHECK_OK(img_write(w2, "AB", 2, 0));
	CHECK_EQ(img_truncate(w2, 3, &e), -ENOTSUP);
	CHECK_OK(img_read(m, buf, 10, CHUNK));
	CHECK(!memcmp(buf, "01AB45\0\0" "89", 10));
	CHECK_OK(img_discard(w2, 6, 0));
	CHECK_OK(img_flush(w2));
	CHECK_OK(img_close(w2, &e));
}

int main(void)
{
	test_sparse();
	test_zero_edges();
	test_length();
	test_threads();
	test_window();
	return 0;
}
