/* SPDX-License-Identifier: GPL-2.0-or-later */
/* raw.c - the raw format on files and memory. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/driver.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;

static void open_raw(const char *path, unsigned flags, struct img **img)
{
	struct img_open_args args = { .format = "raw", .flags = flags };

	CHECK_OK(img_open(path, &args, img, &e));
}

static void make_file(const char *path, size_t len)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	while (len--)
		fputc('x', f);
	CHECK(!fclose(f));
}

static off_t file_len(const char *path)
{
	struct stat st;

	CHECK(!stat(path, &st));
	return st.st_size;
}

/* The last sector is rounded up, and is there once it is written. */
static void test_tail(void)
{
	struct img_extent ext;
	struct img *img;
	char buf[1024];

	make_file("tail", 1000);
	open_raw("tail", IMG_WRITE, &img);
	CHECK_EQ(img_size(img), 1024);
	CHECK_OK(img_read(img, buf, 1024, 0));
	CHECK(buf[999] == 'x' && buf[1000] == 0 && buf[1023] == 0);
	CHECK_EQ(img_read(img, buf, 2, 1023), -ERANGE);
	CHECK_OK(img_map(img, 0, 1024, &ext));
	CHECK_EQ(ext.len, 1000);
	CHECK_EQ(ext.flags, 0);
	CHECK_OK(img_map(img, 1000, 24, &ext));
	CHECK_EQ(ext.len, 24);
	CHECK_EQ(ext.flags, IMG_EXT_ZERO | IMG_EXT_HOLE);
	CHECK_EQ(file_len("tail"), 1000);
	CHECK_OK(img_write(img, "y", 1, 1010));
	CHECK_EQ(file_len("tail"), 1011);
	CHECK_EQ(img_size(img), 1024);
	CHECK_OK(img_close(img, &e));
}

/* A file that is cut meanwhile gives errors, not zeroes. */
static void test_shrink(void)
{
	struct img_extent ext;
	struct img *img;
	char buf[512];

	make_file("tail", 4000);
	open_raw("tail", 0, &img);
	CHECK_OK(img_read(img, buf, 512, 3584));
	CHECK(!truncate("tail", 2000));
	CHECK_OK(img_read(img, buf, 512, 1024));
	CHECK_EQ(img_read(img, buf, 512, 1536), -EIO);
	CHECK_EQ(img_read(img, buf, 96, 4000), -EIO);
	CHECK_EQ(img_map(img, 2000, 2096, &ext), -EIO);
	CHECK_OK(img_map(img, 0, 2000, &ext));
	CHECK_OK(img_close(img, &e));
}

static void create(const char *prealloc, uint64_t size, int want)
{
	struct img_kv kv = { "preallocation", prealloc };
	struct img_create_args args = {
		.format = "raw", .size = size, .options = &kv,
		.n_options = prealloc ? 1 : 0,
	};
	struct img *file;

	make_file("new", 5);
	CHECK_OK(img_file_open("new", IMG_WRITE, &file, &e));
	CHECK_EQ(img_create(file, &args, &e), want);
	CHECK_OK(img_close(file, &e));
}

static void test_create(void)
{
	struct img *img;
	uint64_t used;
	char buf[512];

	create(NULL, 1000, 0);
	CHECK_EQ(file_len("new"), 1024);
	open_raw("new", 0, &img);
	CHECK_OK(img_read(img, buf, 512, 0));
	CHECK_EQ(buf[0], 0);
	CHECK_OK(img_close(img, &e));

	create("falloc", 1 << 20, 0);
	open_raw("new", 0, &img);
	CHECK_OK(img_host_usage(img, &used));
	CHECK(used >= 1 << 20);
	CHECK_EQ(img_write(img, buf, 1, 0), -EROFS);
	CHECK_OK(img_close(img, &e));

	create("full", 1 << 20, 0);
	open_raw("new", 0, &img);
	CHECK_OK(img_host_usage(img, &used));
	CHECK(used >= 1 << 20);
	CHECK_OK(img_close(img, &e));

	create("metadata", 1 << 20, -ENOTSUP);
	CHECK_EQ(file_len("new"), 5);	/* refused before anything changed */
	create("much", 1 << 20, -EINVAL);
}

static void test_resize(void)
{
	struct img *img;
	uint64_t used;

	create(NULL, 4096, 0);
	open_raw("new", IMG_WRITE, &img);
	CHECK_OK(img_resize(img, 1500, NULL, &e));
	CHECK_EQ(file_len("new"), 1500);
	CHECK_EQ(img_size(img), 1536);
	CHECK_OK(img_resize(img, 1 << 20, "falloc", &e));
	CHECK_OK(img_host_usage(img, &used));
	CHECK(used >= (1 << 20) - 4096);
	CHECK_EQ(img_resize(img, 4096, "falloc", &e), -EINVAL);
	CHECK_EQ(img_resize(img, 1 << 21, "metadata", &e), -ENOTSUP);
	CHECK_EQ(img_size(img), 1 << 20);
	CHECK_OK(img_close(img, &e));
	open_raw("new", 0, &img);
	CHECK_EQ(img_resize(img, 4096, NULL, &e), -EROFS);
	CHECK_OK(img_close(img, &e));
}

static void test_measure(void)
{
	struct img_create_args args = { .format = "raw", .size = 1000 };
	struct img_measure m;
	struct img *mem;

	CHECK_OK(img_measure(&args, NULL, &m, &e));
	CHECK_EQ(m.required, 1024);
	CHECK_EQ(m.fully_allocated, 1024);
	CHECK_OK(img_memory(5000, &mem, &e));
	CHECK_OK(img_measure(&args, mem, &m, &e));
	CHECK_EQ(m.required, 5120);
	CHECK_OK(img_close(mem, &e));
}

/* In a window there is no room to round up into. */
static void test_fixed_below(void)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	struct img *mem, *win, *img;
	char buf[16];

	CHECK_OK(img_memory(4096, &mem, &e));
	CHECK_OK(img_window(mem, 100, 1000, &win, &e));
	CHECK_OK(img_stack(win, &args, &img, &e));
	CHECK_EQ(img_size(img), 1000);
	CHECK_EQ(img_resize(img, 2000, NULL, &e), -ENOSPC);
	CHECK_OK(img_write(img, "0123456789", 10, 990));
	CHECK_OK(img_read(mem, buf, 10, 1090));
	CHECK(!memcmp(buf, "0123456789", 10));
	CHECK_OK(img_close(img, &e));
}

/* Two windows on one image, which stays; only one of them may write. */
static void test_borrow(void)
{
	struct img *mem, *seen, *part[2];
	char buf[4];

	CHECK_OK(img_memory(4096, &mem, &e));
	for (unsigned i = 0; i < 2; i++) {
		CHECK_OK(img_borrow(mem, i ? IMG_WRITE : 0, &seen, &e));
		CHECK_OK(img_window(seen, 512, 1024, &part[i], &e));
	}
	CHECK_EQ(img_write(part[0], "abcd", 4, 8), -EROFS);
	CHECK_OK(img_write(part[1], "abcd", 4, 8));
	CHECK_OK(img_zero(part[1], 1, 9, 0));
	CHECK_OK(img_flush(part[1]));
	CHECK_OK(img_close(part[1], &e));
	CHECK_OK(img_read(part[0], buf, 4, 8));
	CHECK(!memcmp(buf, "a\0cd", 4));
	CHECK_EQ(img_borrow(part[0], IMG_WRITE, &seen, &e), -EROFS);
	CHECK_OK(img_close(part[0], &e));
	CHECK_OK(img_read(mem, buf, 4, 520));
	CHECK(!memcmp(buf, "a\0cd", 4));
	CHECK_OK(img_close(mem, &e));
}

/* Where bytes lie is asked through windows and raw down to the file. */
static void test_locate(void)
{
	struct img_open_args args = { .format = "raw" };
	struct img *file, *win, *img, *mem;
	struct img_extent ext;

	make_file("new", 10000);
	CHECK_OK(img_file_open("new", 0, &file, &e));
	CHECK_OK(img_window(file, 1000, 5000, &win, &e));
	CHECK_OK(img_stack(win, &args, &img, &e));
	img_locate(img, 7, &ext);
	CHECK(ext.fd >= 0 && ext.fd_offset == 1007);
	CHECK_STR(ext.fd_name, "new");
	CHECK_OK(img_map(img, 7, 100, &ext));
	CHECK(ext.fd >= 0 && ext.fd_offset == 1007 && ext.offset == 7);
	CHECK_OK(img_close(img, &e));

	CHECK_OK(img_memory(512, &mem, &e));
	CHECK_OK(img_window(mem, 0, 512, &win, &e));
	CHECK_OK(img_stack(win, &args, &img, &e));
	img_locate(img, 7, &ext);
	CHECK(ext.fd == -1 && !ext.fd_name);
	CHECK_OK(img_close(img, &e));
}

static void test_info(void)
{
	struct img_check check = { .fix_leaks = true };
	struct img_create_args args = { .format = "raw", .backing = "x" };
	struct img_info info;
	struct img *img, *mem;

	make_file("new", 10000);
	open_raw("new", 0, &img);
	CHECK_OK(img_info(img, &info, &e));
	CHECK(!info.cluster_size && !info.backing && !info.specific);
	CHECK_EQ(img_check(img, &check, &e), -EROFS);
	check.fix_leaks = false;
	CHECK_EQ(img_check(img, &check, &e), -ENOTSUP);
	CHECK_STR(e.text, "This image format does not support checks");
	CHECK_EQ(img_flags(img), 0);
	CHECK_EQ(img_block_size(img), 4096);
	CHECK_OK(img_close(img, &e));

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_EQ(img_create(mem, &args, &e), -ENOTSUP);
	CHECK_EQ(img_host_usage(img_below(mem), &(uint64_t){ 0 }), -ENOTSUP);
	CHECK_OK(img_close(mem, &e));
	open_raw("new", IMG_WRITE, &img);
	CHECK_EQ(img_resize(img, UINT64_MAX, NULL, &e), -EINVAL);
	CHECK_OK(img_truncate(img, 512, &e));
	CHECK_EQ(file_len("new"), 512);
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	scratch_enter();
	test_tail();
	test_shrink();
	test_create();
	test_resize();
	test_measure();
	test_fixed_below();
	test_borrow();
	test_locate();
	test_info();
	return 0;
}
