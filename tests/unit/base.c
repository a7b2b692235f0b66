/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base.c - checked arithmetic, sizes, byte order, buffers, errors, threads. */
#include "imgfmt/base/base.h"

#include <errno.h>
#include <sched.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/json.h"
#include "imgfmt/base/thread.h"
#include "tests/check.h"

#define MAX UINT64_MAX

static void test_arithmetic(void)
{
	uint64_t x;

	CHECK(add_ok(MAX - 1, 1, &x) && x == MAX);
	CHECK(!add_ok(MAX, 1, &x) && !add_ok(1, MAX, &x));
	CHECK(mul_ok(MAX, 1, &x) && x == MAX);
	CHECK(mul_ok(1ull << 32, (1ull << 32) - 1, &x));
	CHECK(!mul_ok(1ull << 32, 1ull << 32, &x) && mul_ok(MAX, 0, &x) && !x);

	CHECK(in_range(0, 0, 0) && in_range(5, 0, 5) && in_range(0, 5, 5));
	CHECK(!in_range(6, 0, 5) && !in_range(1, 5, 5) && !in_range(5, 1, 5));
	CHECK(!in_range(MAX, 1, MAX) && in_range(MAX, 0, MAX));
	CHECK(!in_range(1, MAX, MAX) && !in_range(MAX - 1, 3, 100));

	CHECK(is_pow2(1) && is_pow2(1ull << 63) && !is_pow2(0) && !is_pow2(3));
	CHECK_EQ(round_up(0, 512), 0);
	CHECK_EQ(round_up(1, 512), 512);
	CHECK_EQ(round_up(512, 512), 512);
	CHECK_EQ(round_down(1023, 512), 512);
	CHECK(round_up_ok(MAX - 511, 512, &x) && x == MAX - 511);
	CHECK(!round_up_ok(MAX - 510, 512, &x) && !round_up_ok(MAX, 512, &x));
	CHECK(round_up_ok(MAX, 1, &x) && x == MAX);
	CHECK_EQ(div_round_up(0, 7), 0);
	CHECK_EQ(div_round_up(7, 7), 1);
	CHECK_EQ(div_round_up(8, 7), 2);
	CHECK(div_round_up(MAX, 2) == 1ull << 63);
	CHECK(div_round_up(MAX, 1) == MAX);
	CHECK(min_u64(MAX, 1) == 1 && max_u64(MAX, 1) == MAX);
}

/* What qemu-img 7.2 makes of these, but that "1.999..." is not 1. */
static void test_size_parse(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bytes;
	} t[] = {
		{ "0", 0, 0 }, { "1", 0, 1 }, { "1b", 0, 1 }, { "1B", 0, 1 },
		{ "1k", 0, 1024 }, { "1K", 0, 1024 }, { "1M", 0, 1 << 20 },
		{ "2g", 0, 2ull << 30 }, { "1T", 0, 1ull << 40 },
		{ "1P", 0, 1ull << 50 }, { "1e", 0, 1ull << 60 },
		{ "1.5G", 0, 3ull << 29 }, { "0.5k", 0, 512 },
		{ "1.0", 0, 1 }, { "1.", 0, 1 }, { "1.k", 0, 1024 },
		{ "0.3G", 0, 322122547 }, { "0.1k", 0, 102 },
		{ "1.23456789T", 0, 1357421750333 },
		{ "0.00000000000000000001k", 0, 0 },
		{ "1.9999999999999999999999k", 0, 2047 },
		{ "0.000000000000000001E", 0, 1 },
		{ "7.5E", 0, 15ull << 59 },
		{ "0x200", 0, 512 }, { "0x10k", 0, 16384 }, { "010", 0, 10 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "8E", -ERANGE, 0 }, { "7.9999999999999999999E", 0, MAX },
		{ "8388608T", -ERANGE, 0 }, { "16777217T", -ERANGE, 0 },
		{ "99999999999999999999999E", -ERANGE, 0 },
		{ ".5k", -EINVAL, 0 }, { "1.5", -EINVAL, 0 },
		{ "1.5b", -EINVAL, 0 }, { "0x1.8k", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 }, { "1 k", -EINVAL, 0 },
		{ "1k ", -EINVAL, 0 }, { "1kb", -EINVAL, 0 },
		{ "1KiB", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
		{ "", -EINVAL, 0 }, { "k", -EINVAL, 0 }, { "0x", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 }, { "nan", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
		{ "1Z", -EINVAL, 0 }, { "1kk", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t bytes = 77;
		int rc = size_parse(t[i].text, &bytes);

		if (rc != t[i].rc ||
		    (!rc && t[i].bytes != MAX && bytes != t[i].bytes)) {
			fprintf(stderr, "size_parse(\"%s\"): %d, %" PRIu64 "\n",
				t[i].text, rc, bytes);
			exit(1);
		}
		CHECK(rc || bytes <= INT64_MAX);
	}
}

/* As `qemu-img info` of version 7.2 prints them. */
static void test_size_text(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} t[] = {
		{ 0, "0 B" }, { 512, "512 B" }, { 999, "999 B" },
		{ 1000, "0.977 KiB" }, { 1024, "1 KiB" }, { 999936, "976 KiB" },
		{ 1000448, "977 KiB" }, { 1023488, "1e+03 KiB" },
		{ 1024000, "0.977 MiB" }, { 1048064, "1 MiB" },
		{ 1535999488, "1.43 GiB" }, { 10737418240, "10 GiB" },
		{ 107374182400, "100 GiB" }, { 1ull << 40, "1 TiB" },
		{ 1ull << 63, "8 EiB" }, { MAX, "16 EiB" },
	};
	char buf[SIZE_TEXT_LEN];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		CHECK_STR(size_text(t[i].bytes, buf), t[i].text);
}

static void test_bytes(void)
{
	uint8_t b[16] = { 0 };

	for (unsigned at = 0; at < 8; at++) {
		put_be16(b + at, 0x0102);
		CHECK(b[at] == 1 && b[at + 1] == 2);
		CHECK_EQ(get_le16(b + at), 0x0201);
		put_le32(b + at, 0x01020304);
		CHECK(b[at] == 4 && b[at + 3] == 1);
		CHECK_EQ(get_be32(b + at), 0x04030201);
		put_be64(b + at, 0x0102030405060708);
		CHECK(b[at] == 1 && b[at + 7] == 8);
		CHECK_EQ(get_le64(b + at), 0x0807060504030201);
		CHECK_EQ(get_be64(b + at), 0x0102030405060708);
	}
}

static void test_hex(void)
{
	static const char *const bad[] = {
		"", "0", "00", "0011f", "0011ff0", "0011ffx", "0x11ff", " 011ff",
		"-011ff", "0011f ",
	};
	uint8_t b[3];

	CHECK(hex_read("00a1Ff", b, 3) && !b[0] && b[1] == 0xa1 && b[2] == 0xff);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!hex_read(bad[i], b, 3));
}

/* One byte that is not zero is found wherever it is, and none beside it. */
static void test_zero_scan(void)
{
	static uint8_t b[1200];

	for (size_t start = 0; start < 64; start++)
		for (size_t len = 0; len < 600; len += len < 70 ? 1 : 37) {
			CHECK(bytes_are_zero(b + start, len));
			b[start + len] = 1;
			if (start)
				b[start - 1] = 1;
			CHECK(bytes_are_zero(b + start, len));
			b[start + len] = 0;
			if (start)
				b[start - 1] = 0;
		}
	for (size_t len = 1; len < 1100; len += len < 300 ? 1 : 63)
		for (size_t at = 0; at < len; at++) {
			b[3 + at] = 0x80;
			CHECK(!bytes_are_zero(b + 3, len));
			b[3 + at] = 0;
		}
}

static void test_buf(void)
{
	uint32_t *array = NULL;
	size_t cap = 0;
	char *s;
	void *p;

	p = buf_alloc(1);
	CHECK(p && !((uintptr_t)p % BUF_ALIGN));
	memset(p, 1, BUF_ALIGN);	/* whole blocks, for O_DIRECT */
	free(p);
	p = buf_alloc(0);
	CHECK(p);
	free(p);
	CHECK(!buf_alloc(SIZE_MAX) && !buf_alloc(SIZE_MAX - 4094));
	CHECK(!array_alloc(MAX, 2) && !array_alloc(MAX / 2, 8));
	p = array_alloc(0, 8);
	CHECK(p);
	free(p);
	for (uint32_t i = 0; i < 10000; i++) {
		CHECK_EQ(array_grow(&array, &cap, i + 1, sizeof(*array)), 0);
		CHECK(cap > i);
		array[i] = i;
	}
	CHECK_EQ(array_grow(&array, &cap, SIZE_MAX / 4 + 1, 4), -ENOMEM);
	CHECK_EQ(array[9999], 9999);
	free(array);
	s = str_printf("%s-%d", "a", 7);
	CHECK_STR(s, "a-7");
	free(s);
}

static void test_err(void)
{
	char longer[3000];
	struct err e;

	CHECK_EQ(fail(&e, EINVAL, "cluster_bits is %d", 99), -EINVAL);
	CHECK_STR(e.text, "cluster_bits is 99");
	CHECK_EQ(fail_prefix(&e, -EIO, "%s", "a.qcow2"), -EIO);
	CHECK_STR(e.text, "a.qcow2: cluster_bits is 99");
	CHECK_EQ(fail_rc(&e, -ENOENT, "b"), -ENOENT);
	CHECK_STR(e.text, "b: No such file or directory");
	CHECK_EQ(fail(NULL, EPERM, "x"), -EPERM);
	CHECK_EQ(fail_prefix(NULL, -EPERM, "x"), -EPERM);
	CHECK_EQ(fail_rc(NULL, -EPERM, "x"), -EPERM);
	fail(&e, EPERM, "%s", "a\033[2Jb\tc\nd\x7f" "e");
	CHECK_STR(e.text, "a?[2Jb?c\nd?e");
	fail_prefix(&e, -EPERM, "\rx");
	CHECK_STR(e.text, "?x: a?[2Jb?c\nd?e");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	fail(&e, EPERM, "%s", longer);
	CHECK_EQ(strlen(e.text), sizeof(e.text) - 1);
	fail_prefix(&e, -EPERM, "%s", longer);
	CHECK_EQ(strlen(e.text), sizeof(e.text) - 1);
	fail_rc(&e, -EPERM, "%s", longer);
	CHECK_EQ(strlen(e.text), sizeof(e.text) - 1);
}

static void *tell_name(void *arg)
{
	pthread_getname_np(pthread_self(), arg, 16);
	return arg;
}

static void test_thread(void)
{
	char name[16] = "";
	cpu_set_t set;
	pthread_t t;
	void *out;

	/* The name is set from outside, perhaps after the thread has looked. */
	CHECK_EQ(thread_start(&t, "copy-3", tell_name, name), 0);
	CHECK_EQ(pthread_join(t, &out), 0);
	CHECK(out == name);
	CHECK_EQ(thread_start(&t, "a-name-that-is-too-long", tell_name, name),
		 0);
	CHECK_EQ(pthread_join(t, &out), 0);
	CHECK(!sched_getaffinity(0, sizeof(set), &set));
	CHECK_EQ(thread_cpus(), CPU_COUNT(&set));
}

/* Only what is no UTF-8 is replaced, a character that was cut off too. */
static void test_json_text(void)
{
	static const char *const texts[][2] = {
		{ "", "" }, { "disk", "disk" }, { "\xc3\xa9t", "\xc3\xa9t" },
		{ "\xc3\xa9t\xc3", "\xc3\xa9t\xef\xbf\xbd" },
		{ "\xff" "a\xf0\x9f\x92\xbe\xf0\x9f\x92",
		  "\xef\xbf\xbd" "a\xf0\x9f\x92\xbe\xef\xbf\xbd\xef\xbf\xbd"
		  "\xef\xbf\xbd" },
	};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *text = json_text(texts[i][0]);

		CHECK(text);
		CHECK_STR(json_string_value(text), texts[i][1]);
		json_decref(text);
	}
}

int main(void)
{
	test_arithmetic();
	test_json_text();
	test_size_parse();
	test_size_text();
	test_bytes();
	test_hex();
	test_zero_scan();
	test_buf();
	test_err();
	test_thread();
	return 0;
}
