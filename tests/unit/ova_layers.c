/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_layers.c - the layers that a package's disk stands on: a gzip file read
 * at any offset, by several threads, whole, cut and broken; pieces laid end to
 * end.
 */
#include <errno.h>
#include <zlib.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/ova/concat.h"
#include "imgfmt/ova/gzip_stream.h"
#include "tests/check.h"
#include "tests/lib/sheet.h"

#define SIZE ((5u << 20) + 12345)
#define MAX_COMPRESSED (2 * SIZE)

static uint8_t *content, *packed;

/* Words of a small alphabet: it shrinks, and blocks of deflate come and go. */
static void fill(uint64_t seed)
{
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)((size_t)"abcdefgh"[sheet_random(&seed) % 8] +
				       (i >> 20));
}

/* gzip members of `each` bytes of content; a mem_level of 1 makes many blocks. */
static size_t pack(size_t len, size_t each, int level, int mem_level)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i += each) {
		z_stream z = { 0 };

		CHECK_EQ(deflateInit2(&z, level, Z_DEFLATED, 31,
				      mem_level, Z_DEFAULT_STRATEGY), Z_OK);
		z.next_in = content + i;
		z.avail_in = (unsigned)min_u64(each, len - i);
		z.next_out = packed + out;
		z.avail_out = (unsigned)(MAX_COMPRESSED - out);
		CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
		out = (size_t)(z.next_out - packed);
		deflateEnd(&z);
	}
	return out;
}

static struct img *memory(const void *data, size_t len)
{
	struct img *mem;

	CHECK_EQ(img_memory(len, &mem, NULL), 0);
	CHECK_EQ(img_write(mem, data, len, 0), 0);
	return mem;
}

static struct img *open_gzip(size_t len)
{
	struct img *mem = memory(packed, len), *img;
	struct err e = { "" };

	CHECK_OK(img_gzip(mem, &img, &e));
	return img;
}

struct reader {
	struct img *img;
	uint64_t seed;
};

static void *read_at_random(void *arg)
{
	struct reader *r = arg;
	uint8_t *buf = malloc(1u << 20);

	CHECK(buf);
	for (unsigned i = 0; i < 15; i++) {
		uint64_t offset = sheet_random(&r->seed) % SIZE;
		size_t len = (size_t)min_u64(sheet_random(&r->seed) %
					     (1u << (1 + i % 20)),
					     SIZE - offset);

		CHECK_EQ(img_read(r->img, buf, len, offset), 0);
		CHECK(!memcmp(buf, content + offset, len));
	}
	free(buf);
	return NULL;
}

static void test_read(size_t each, int level)
{
	size_t len = pack(SIZE, each, level, 8);
	struct img *img = open_gzip(len);
	struct reader readers[12];
	pthread_t threads[12];
	struct img_extent ext;

	CHECK_EQ(img_size(img), SIZE);
	CHECK_EQ(img_map(img, 5, 100, &ext), 0);
	CHECK(ext.flags == IMG_EXT_COMPRESSED && ext.fd < 0);
	for (unsigned i = 0; i < 12; i++) {
		readers[i] = (struct reader){ img, i + 1 };
		CHECK_EQ(thread_start(&threads[i], "reader", read_at_random,
				      &readers[i]), 0);
	}
	for (unsigned i = 0; i < 12; i++)
		pthread_join(threads[i], NULL);
	img_close(img, NULL);
}

static void test_padding(void)
{
	size_t len = pack(1000, 1000, 6, 8);
	struct img *img;

	memset(packed + len, 0, 512);
	img = open_gzip(len + 512);
	CHECK_EQ(img_size(img), 1000);
	img_close(img, NULL);
}

static void refused(size_t len, const char *words)
{
	struct img *mem = memory(packed, len), *img;
	struct err e = { "" };

	CHECK_EQ(img_gzip(mem, &img, &e), -EUCLEAN);
	if (!strstr(e.text, words)) {
		fprintf(stderr, "said \"%s\", not \"%s\"\n", e.text, words);
		exit(1);
	}
	img_close(mem, NULL);
}

static void test_broken(void)
{
	size_t len = pack(200000, 100000, 6, 8);

	for (size_t cut = 1; cut < len; cut += 1 + len / 97) {
		/* Between two members it is a shorter file, not a cut one. */
		struct img *mem = memory(packed, cut), *img;
		struct err e = { "" };
		int rc = img_gzip(mem, &img, &e);

		if (!rc)
			CHECK_EQ(img_size(img), 100000);
		else
			CHECK(rc == -EUCLEAN && strstr(e.text, "cut short"));
		img_close(rc ? mem : img, NULL);
	}
	refused(len - 1, "cut short at byte");
	packed[len - 6] ^= 1;	/* the sum */
	refused(len, "broken before");
	packed[len - 6] ^= 1;
	packed[len - 2] ^= 1;	/* the length */
	refused(len, "broken before");
	packed[len - 2] ^= 1;
	packed[len] = 'x';	/* trailing rubbish */
	refused(len + 1, "cut short");
	memcpy(packed + len, "rubbish", 7);
	refused(len + 7, "broken before");
	packed[2] = 9;
	refused(len, "broken before byte");
}

/* However much there is, there are not too many points, evenly spread, and
 * inflating can start at each.
 */
static void test_bounded(void)
{
	struct gzip_index *x = malloc(sizeof(*x));
	uint8_t *buf = malloc(GZIP_BLOCK);
	size_t len = pack(SIZE, SIZE, 1, 1), got;
	struct img *mem = memory(packed, len);
	struct gzip_stream s;
	struct err e;

	CHECK(x && buf);
	CHECK_OK(gzip_index_build(x, mem, 1000, &e));
	CHECK_EQ(x->size, SIZE);
	CHECK(x->n <= GZIP_MAX_POINTS && x->n > GZIP_MAX_POINTS / 3);
	CHECK(x->spacing > 1000);
	CHECK_EQ(gzip_stream_init(&s, mem), 0);
	for (size_t i = 0; i < x->n; i++) {
		const struct gzip_point *p = &x->points[i];

		CHECK(gzip_index_find(x, p->out) == p);
		CHECK(i == 0 || p->out - p[-1].out >= x->spacing / 2);
		CHECK_EQ(gzip_stream_start(&s, p), 0);
		CHECK_EQ(gzip_stream_read(&s, buf, 70000, &got), 0);
		CHECK_EQ(got, min_u64(70000, SIZE - p->out));
		CHECK(!memcmp(buf, content + p->out, got));
	}
	gzip_stream_fini(&s);
	gzip_index_free(x);
	img_close(mem, NULL);
	free(x);
	free(buf);
}

static void test_concat(void)
{
	static const size_t ends[] = { 1, 512, 513, 100000, 300000 };
	struct img *parts[5], *img;
	struct img_extent ext;
	uint8_t buf[1000];
	uint64_t seed = 7;
	struct err e;

	fill(3);
	for (size_t i = 0; i < 5; i++) {
		size_t start = i ? ends[i - 1] : 0;

		parts[i] = memory(content + start, ends[i] - start);
	}
	CHECK_OK(img_concat(parts, 5, &img, &e));
	CHECK_EQ(img_size(img), 300000);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t offset = i < 600 ? i : sheet_random(&seed) % 300000;
		size_t len = (size_t)min_u64(sheet_random(&seed) % 1000,
					     300000 - offset);

		CHECK_EQ(img_read(img, buf, len, offset), 0);
		CHECK(!memcmp(buf, content + offset, len));
	}
	CHECK_EQ(img_map(img, 511, 1000, &ext), 0);
	CHECK_EQ(ext.offset, 511);
	CHECK_EQ(ext.len, 1);
	CHECK_EQ(img_write(img, buf, 1, 0), -EROFS);
	img_close(img, NULL);
}

int main(void)
{
	content = malloc(SIZE);
	packed = malloc(MAX_COMPRESSED);
	CHECK(content && packed);
	fill(1);
	test_read(SIZE, 6);
	test_read(SIZE, 0);
	test_read(100001, 9);
	test_padding();
	test_broken();
	test_bounded();
	test_concat();
	free(content);
	free(packed);
	return 0;
}
