/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the -o options of create. */
#include <errno.h>

#include "imgfmt/driver.h"
#include "tests/check.h"

static struct err e;

static struct img_create_args args_of(const struct img_kv *kv, size_t n)
{
	return (struct img_create_args){
		.format = "raw", .size = 512, .options = kv, .n_options = n,
	};
}

static void test_size(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} t[] = {
		{ "64k", 0, 65536 }, { "0", 0, 0 }, { "8E", -ERANGE, 7 },
		{ "big", -EINVAL, 7 }, { "", -EINVAL, 7 }, { "-1", -EINVAL, 7 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct img_kv kv = { "cluster_size", t[i].text };
		struct img_create_args args = args_of(&kv, 1);
		uint64_t value = 7;

		CHECK_EQ(opt_size(&args, "cluster_size", &value, &e), t[i].rc);
		CHECK(t[i].rc ? strstr(e.text, "cluster_size") != NULL
			      : value == t[i].value);
		value = 7;
		CHECK_EQ(opt_size(&args, "other", &value, &e), 0);
		CHECK_EQ(value, 7);
	}
}

static void test_number(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} t[] = {
		{ "16", 0, 16 }, { "0x10", 0, 16 }, { "0", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -EINVAL, 7 }, { "", -EINVAL, 7 },
		{ "-1", -EINVAL, 7 }, { "1k", -EINVAL, 7 },
		{ "one", -EINVAL, 7 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct img_kv kv = { "bits", t[i].text };
		struct img_create_args args = args_of(&kv, 1);
		uint64_t value = 7;

		CHECK_EQ(opt_number(&args, "bits", &value, &e), t[i].rc);
		CHECK_EQ(value, t[i].value);
		CHECK_EQ(opt_number(&args, "other", &value, &e), 0);
		CHECK_EQ(value, t[i].value);
	}
}

static void test_bool(void)
{
	static const char *const yes[] = { "on", "yes", "true", "y" };
	static const char *const no[] = { "off", "no", "false", "n" };
	static const char *const bad[] = { "", "1", "ON", "onn", "maybe" };
	struct img_kv kv = { "lazy", NULL };
	struct img_create_args args = args_of(&kv, 1);
	bool value;

	for (size_t i = 0; i < 4; i++) {
		value = false;
		kv.value = yes[i];
		CHECK_EQ(opt_bool(&args, "lazy", &value, &e), 0);
		CHECK(value);
		kv.value = no[i];
		CHECK_EQ(opt_bool(&args, "lazy", &value, &e), 0);
		CHECK(!value);
	}
	for (size_t i = 0; i < 5; i++) {
		kv.value = bad[i];
		CHECK_EQ(opt_bool(&args, "lazy", &value, &e), -EINVAL);
	}
	value = true;
	CHECK_EQ(opt_bool(&args, "other", &value, &e), 0);
	CHECK(value);
}

static void test_check(void)
{
	struct img_kv kv[] = {
		{ "preallocation", "off" }, { "preallocation", "full" },
		{ "nonsense", "1" },
	};
	struct img_create_args args = args_of(kv, 3);
	struct img_measure m;
	struct img *mem;

	CHECK_EQ(opt_check(&args, &e), -EINVAL);
	CHECK_STR(e.text, "Invalid parameter 'nonsense'");
	args.n_options = 2;
	CHECK_EQ(opt_check(&args, &e), 0);
	CHECK_STR(opt_string(&args, "preallocation"), "full");	/* the last */
	CHECK(!opt_string(&args, "nonsense"));
	args.n_options = 0;
	CHECK_EQ(opt_check(&args, &e), 0);

	/* Nothing is touched before the options are known to be good. */
	CHECK_OK(img_memory(77, &mem, &e));
	args.n_options = 3;
	CHECK_EQ(img_create(mem, &args, &e), -EINVAL);
	CHECK_EQ(img_measure(&args, NULL, &m, &e), -EINVAL);
	args.n_options = 0;
	args.size = UINT64_MAX;
	CHECK_EQ(img_create(mem, &args, &e), -EINVAL);
	args.size = (uint64_t)INT64_MAX - 510;
	CHECK_EQ(img_create(mem, &args, &e), -EINVAL);
	args.format = "nonsense";
	CHECK_EQ(img_create(mem, &args, &e), -EINVAL);
	CHECK_STR(e.text, "Unknown file format 'nonsense'");
	CHECK_EQ(img_measure(&args, NULL, &m, &e), -EINVAL);
	CHECK_EQ(img_length(mem), 77);
	CHECK_OK(img_close(mem, &e));
}

static void test_formats(void)
{
	bool raw = false;

	for (size_t i = 0; img_formats(i); i++)
		raw |= !strcmp(img_formats(i), "raw");
	CHECK(raw);
	CHECK(img_format_can_create("raw") && !img_format_can_create("file"));
	CHECK(!img_format_can_create("nonsense"));
	CHECK(img_create_options("raw") && !img_create_options("nonsense"));
}

int main(void)
{
	test_size();
	test_number();
	test_bool();
	test_check();
	test_formats();
	return 0;
}
