/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - what goes into a pipe comes out in order, gaps as zeroes. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "imgfmt/imgfmt.h"
#include "tests/check.h"

static size_t drain(int fd, uint8_t *buf, size_t cap)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap && (n = read(fd, buf + len, cap - len)) > 0)
		len += (size_t)n;
	close(fd);
	return len;
}

static void test_raw(void)
{
	struct img_create_args create = { .format = "raw", .size = 8192 };
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	uint8_t got[16384], want[8192] = { 0 };
	struct img *stream, *img;
	struct err e;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_OK(img_stream_fd(fds[1], "pipe", &stream, &e));
	CHECK_OK(img_create(stream, &create, &e));
	CHECK_OK(img_stack(stream, &args, &img, &e));
	CHECK_EQ(img_size(img), 8192);
	memset(want + 100, 7, 50);
	memset(want + 4096, 9, 10);
	CHECK_EQ(img_write(img, want + 100, 50, 100), 0);
	CHECK_EQ(img_zero(img, 1000, 2000, 0), 0);
	CHECK_EQ(img_write(img, want + 4096, 10, 4096), 0);
	CHECK_EQ(img_write(img, want, 1, 0), -ESPIPE);
	/* What has gone out at the start can be read again. */
	CHECK_EQ(img_read(img, got, 50, 100), 0);
	CHECK(!memcmp(got, want + 100, 50));
	CHECK_EQ(img_read(img, got, 1, 8000), -ESPIPE);
	CHECK_OK(img_close(img, &e));
	CHECK_EQ(drain(fds[0], got, sizeof(got)), 8192);
	CHECK(!memcmp(got, want, sizeof(want)));
}

static void test_broken_pipe(void)
{
	uint8_t data[512] = { 1 };
	struct img *stream;
	struct err e;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(pipe(fds), 0);
	CHECK_OK(img_stream_fd(fds[1], "pipe", &stream, &e));
	close(fds[0]);
	CHECK_EQ(img_write(stream, data, sizeof(data), 0), -EPIPE);
	CHECK_EQ(img_write(stream, data, sizeof(data), 512), -EPIPE);
	CHECK_EQ(img_flush(stream), -EPIPE);
	CHECK_EQ(img_close(stream, &e), -EPIPE);
}

int main(void)
{
	test_raw();
	test_broken_pipe();
	return 0;
}
