/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base.c - tests of imgfmt/base: arithmetic, sizes, errors, bytes, memory. */
#include <errno.h>

#include "imgfmt/base/base.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "tests/check.h"

static void test_arithmetic(void)
{
	uint64_t n;

	CHECK(add_ok(UINT64_MAX - 1, 1, &n) && n == UINT64_MAX);
	CHECK(!add_ok(UINT64_MAX, 1, &n));
	CHECK(mul_ok(1ull << 32, (1ull << 32) - 1, &n));
	CHECK(n == UINT64_MAX - UINT32_MAX);
	CHECK(!mul_ok(1ull << 32, 1ull << 32, &n));
	CHECK(mul_ok(0, UINT64_MAX, &n) && n == 0);

	CHECK(in_range(0, 0, 0));
	CHECK(in_range(10, 0, 10) && !in_range(11, 0, 10));
	CHECK(in_range(3, 7, 10) && !in_range(3, 8, 10));
	CHECK(!in_range(5, UINT64_MAX, 10) && !in_range(UINT64_MAX, 5, 10));
	CHECK(in_range(0, UINT64_MAX, UINT64_MAX));

	CHECK(is_pow2(1) && is_pow2(1ull << 63) && !is_pow2(0) && !is_pow2(6));
	CHECK(round_down(4097, 4096) == 4096 && round_down(4095, 4096) == 0);
	CHECK(round_up(4097, 4096) == 8192 && round_up(4096, 4096) == 4096);
	CHECK(round_up_ok(UINT64_MAX - 511, 512, &n));
	CHECK(n == UINT64_MAX - 511);
	CHECK(!round_up_ok(UINT64_MAX - 510, 512, &n));
	CHECK(div_round_up(0, 7) == 0 && div_round_up(7, 7) == 1);
	CHECK(div_round_up(8, 7) == 2);
	CHECK(div_round_up(UINT64_MAX, 2) == 1ull << 63);
	CHECK(min_u64(1, 2) == 1 && max_u64(1, 2) == 2);
}

static void test_size_parse(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "512k", 0, 512 << 10 },
		{ "512K", 0, 512 << 10 },
		{ "7b", 0, 7 },
		{ "10G", 0, 10ull << 30 },
		{ "1.5G", 0, 3ull << 29 },
		{ "0.5k", 0, 512 },
		{ "0.25T", 0, 1ull << 38 },
		{ "1.0", 0, 1 },
		{ "0x10", 0, 16 },
		{ "7E", 0, 7ull << 60 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "8E", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "k", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1kk", -EINVAL, 0 },
		{ "1kB", -EINVAL, 0 },
		{ "1Z", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
	};
	uint64_t n;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		n = 0;
		if (size_parse(cases[i].text, &n) != cases[i].rc ||
		    (!cases[i].rc && n != cases[i].bytes)) {
			fprintf(stderr, "size_parse(\"%s\") gave %" PRIu64 "\n",
				cases[i].text, n);
			exit(1);
		}
	}
}

static void test_size_text(void)
{
	char out[SIZE_TEXT_LEN];

	CHECK_STR(size_text(0, out), "0 B");
	CHECK_STR(size_text(999, out), "999 B");
	CHECK_STR(size_text(1000, out), "0.977 KiB");
	CHECK_STR(size_text(1536, out), "1.5 KiB");
	CHECK_STR(size_text(196616, out), "192 KiB");
	CHECK_STR(size_text(10ull << 30, out), "10 GiB");
	CHECK_STR(size_text(UINT64_MAX, out), "16 EiB");
}

static void test_err(void)
{
	char long_text[2000];
	struct err e;

	CHECK(fail(&e, EINVAL, "size is %d", 7) == -EINVAL);
	CHECK_STR(e.text, "size is 7");
	CHECK(fail_prefix(&e, -EINVAL, "%s", "a.raw") == -EINVAL);
	CHECK_STR(e.text, "a.raw: size is 7");
	CHECK(fail_rc(&e, -ENOENT, "b") == -ENOENT);
	CHECK_STR(e.text, "b: No such file or directory");

	/* Nobody may want the sentence, and none is too long. */
	CHECK(fail(NULL, EIO, "x") == -EIO);
	CHECK(fail_prefix(NULL, -EIO, "x") == -EIO);
	CHECK(fail_rc(NULL, -EIO, "x") == -EIO);
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	CHECK(fail(&e, EIO, "%s", long_text) == -EIO);
	CHECK(strlen(e.text) == sizeof(e.text) - 1);
	CHECK(fail_prefix(&e, -EIO, "%s", long_text) == -EIO);
	CHECK(strlen(e.text) == sizeof(e.text) - 1);
}

static void test_bytes(void)
{
	uint8_t b[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	uint8_t *big;

	CHECK(get_be16(b + 1) == 0x0203 && get_le16(b + 1) == 0x0302);
	CHECK(get_be32(b + 1) == 0x02030405 && get_le32(b + 1) == 0x05040302);
	CHECK(get_be64(b + 1) == 0x0203040506070809);
	CHECK(get_le64(b + 1) == 0x0908070605040302);
	put_be32(b + 3, 0xdeadbeef);
	CHECK(b[2] == 3 && b[3] == 0xde && b[6] == 0xef && b[7] == 8);
	put_le64(b + 5, 0x1122334455667788);
	CHECK(b[5] == 0x88 && b[12] == 0x11 && b[13] == 0);

	/* Every length, start and place of a single bit. */
	big = calloc(1, 600);
	CHECK(big);
	for (size_t start = 0; start < 17; start++) {
		for (size_t len = 0; len < 560; len += 1 + len / 16) {
			CHECK(bytes_are_zero(big + start, len));
			big[start + len] = 1;	/* beyond the end */
			CHECK(bytes_are_zero(big + start, len));
			big[start + len] = 0;
			for (size_t i = 0; i < len; i += 1 + i / 8) {
				big[start + i] = 0x80;
				CHECK(!bytes_are_zero(big + start, len));
				big[start + i] = 0;
			}
		}
	}
	free(big);
}

static void test_memory(void)
{
	uint32_t *a = NULL;
	size_t cap = 0;
	char *s;
	void *p;

	p = buf_alloc(5000);
	CHECK(p && (uintptr_t)p % BUF_ALIGN == 0);
	free(p);
	CHECK(!array_alloc(UINT64_MAX / 2, 16));
	p = array_alloc(100, 8);
	CHECK(p && bytes_are_zero(p, 800));
	free(p);

	for (uint32_t i = 0; i < 1000; i++) {
		CHECK(array_grow(&a, &cap, i + 1, sizeof(*a)) == 0);
		CHECK(cap > i);
		a[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		CHECK(a[i] == i);
	CHECK(array_grow(&a, &cap, SIZE_MAX / 2, sizeof(*a)) == -ENOMEM);
	CHECK(a[999] == 999);
	free(a);

	s = str_printf("%s-%d", "a", 5);
	CHECK_STR(s, "a-5");
	free(s);
}

static void *add_one(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static void test_thread(void)
{
	pthread_t thread;
	int n = 1;

	CHECK(thread_cpus() >= 1);
	CHECK(thread_start(&thread, "a-name-that-is-too-long", add_one, &n) ==
	      0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(n == 2);
}

int main(void)
{
	test_arithmetic();
	test_size_parse();
	test_size_text();
	test_err();
	test_bytes();
	test_memory();
	test_thread();
	return 0;
}
