/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - what goes into a pipe comes out in order, gaps as zeroes; what comes
 * out of one can be read on, and a little back.
 */
#include <errno.h>
#include <pthread.h>
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

static bool stop(void *arg)
{
	return --*(int *)arg < 0;
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/* A million bytes through the pipe, by a thread of their own. */
static void *feed(void *arg)
{
	int fd = *(int *)arg;
	uint8_t buf[1000];

	for (size_t at = 0; at < 1000000; at += sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = byte_at(at + i);
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			break;
	}
	close(fd);
	return NULL;
}

static void check_bytes(struct img *img, size_t at, size_t len)
{
	static uint8_t got[300000];

	CHECK_EQ(img_read(img, got, len, at), 0);
	for (size_t i = 0; i < len; i++)
		if (got[i] != byte_at(at + i)) {
			CHECK_EQ(at + i, SIZE_MAX);
			return;
		}
}

static void test_read(void)
{
	struct img_open_args raw = { .format = "raw" };
	struct img *img, *top;
	pthread_t thread;
	uint8_t b;
	struct err e;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(pthread_create(&thread, NULL, feed, &fds[1]), 0);
	CHECK_OK(img_pipe_fd(fds[0], "pipe", NULL, NULL, &img, &e));
	CHECK_EQ(img_stack(img, &raw, &top, &e), -ESPIPE);
	check_bytes(img, 100, 1000);
	check_bytes(img, 0, 300000);
	check_bytes(img, 299000, 1001);		/* a short way back */
	check_bytes(img, 700000, 5);		/* and a skip */
	check_bytes(img, 0, 65536);		/* the beginning stays */
	CHECK_EQ(img_read(img, &b, 1, 100000), -ESPIPE);
	check_bytes(img, 999999, 1);
	CHECK_EQ(img_write(img, &b, 1, 0), -EROFS);
	CHECK_EQ(img_read(img, &b, 1, 1000000), -ENODATA);
	CHECK_OK(img_close(img, &e));
	pthread_join(thread, NULL);
}

/* A writer that says nothing does not keep a reader for ever. */
static void test_stop(void)
{
	int fds[2], patience = 3;
	struct img *img;
	struct err e;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(img_pipe_fd(fds[0], "pipe", stop, &patience, &img, &e),
		 -ECANCELED);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	test_raw();
	test_broken_pipe();
	test_read();
	test_stop();
	return 0;
}
