/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - host files when the kernel moves few bytes at a time, interrupts,
 * cannot punch holes, or fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/imgfmt.h"
#include "tests/check.h"
#include "tests/lib/hostio.h"
#include "tests/lib/model.h"
#include "tests/lib/scratch.h"

#define SIZE (1u << 20)

static const char path[] = "disk";
static struct err e;
static unsigned extra;		/* IMG_DIRECT or not */

static int open_raw(void *arg, struct img **out, struct err *err)
{
	struct img_open_args args = {
		.format = "raw", .flags = IMG_WRITE | extra,
	};

	(void)arg;
	return img_open(path, &args, out, err);
}

static void make(void)
{
	int fd;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, SIZE) && !close(fd));
}

static void model_with(const char *what, const struct hostio *h)
{
	struct model m = {
		.what = what, .size = SIZE, .max_size = 2 * SIZE, .ops = 300,
		.open = open_raw,
	};

	make();
	hostio_set(h);
	model_run(&m);
	CHECK(hostio_set(NULL) > 50);
}

static void test_models(void)
{
	struct hostio bits = { .most = 700, .interrupt = 3 };
	struct hostio blocks = { .most = 8192, .interrupt = 2 };
	struct hostio old = { .no_fallocate = 1, .no_holes = 1 };
	struct img_extent ext;
	struct img *img;

	model_with("few bytes, interrupted", &bits);
	model_with("no fallocate, no holes", &old);
	/* Then all of it is data, up to the end. */
	make();
	hostio_set(&old);
	CHECK_OK(img_file_open(path, 0, &img, &e));
	CHECK_OK(img_map(img, 5, 2 * SIZE, &ext));
	CHECK(!ext.flags && ext.len == SIZE - 5 && ext.fd >= 0);
	CHECK_OK(img_map(img, SIZE, SIZE, &ext));
	CHECK_EQ(ext.flags, IMG_EXT_ZERO | IMG_EXT_HOLE);
	CHECK_OK(img_close(img, &e));
	hostio_set(NULL);
	extra = IMG_DIRECT;
	if (open_raw(NULL, &img, &e)) {
		extra = 0;
		return;		/* this file system has none */
	}
	CHECK_OK(img_close(img, &e));
	model_with("O_DIRECT, few blocks, interrupted", &blocks);
	model_with("O_DIRECT, no fallocate", &old);
	extra = 0;
}

/* Whatever call fails: an error comes out, at the latest from close(), and what
 * was not touched is as it was.
 */
static int some_calls(void)
{
	static uint8_t buf[20000];
	struct img *img;
	int rc, rc2;

	rc = open_raw(NULL, &img, &e);
	if (rc)
		return rc;
	memset(buf, 'n', sizeof(buf));
	rc = img_write(img, buf, sizeof(buf), 100001);
	if (!rc)
		rc = img_zero(img, 30000, 200001, 0);
	if (!rc)
		rc = img_zero(img, 30000, 300001, IMG_ZERO_KEEP);
	if (!rc)
		rc = img_discard(img, 30000, 400001);
	if (!rc)
		rc = img_read(img, buf, sizeof(buf), 5);
	if (!rc)
		rc = img_resize(img, SIZE + 5000, "falloc", &e);
	if (!rc)
		rc = img_flush(img);
	rc2 = img_close(img, &e);
	return rc ? rc : rc2;
}

static void test_failures(void)
{
	static uint8_t old[50000], got[50000];
	uint64_t n;

	memset(old, 'o', sizeof(old));
	make();
	hostio_set(NULL);
	CHECK_EQ(some_calls(), 0);
	n = hostio_set(NULL);
	CHECK(n >= 7);
	for (uint64_t i = 1; i <= n; i++) {
		struct hostio h = { .fail_nth = i, .errnum = EIO };
		struct img *img;

		make();
		CHECK_OK(open_raw(NULL, &img, &e));
		CHECK_OK(img_write(img, old, sizeof(old), 0));
		CHECK_OK(img_close(img, &e));
		hostio_set(&h);
		CHECK_EQ(some_calls(), -EIO);
		hostio_set(NULL);
		CHECK_OK(open_raw(NULL, &img, &e));
		CHECK_OK(img_read(img, got, sizeof(got), 0));
		CHECK(!memcmp(got, old, sizeof(got)));
		CHECK_OK(img_close(img, &e));
	}
}

/* The kernel tells of a lost write once; we go on telling. */
static void test_flush_error(void)
{
	struct hostio h = { .fail_nth = 2, .errnum = EIO };
	struct img *img;

	make();
	CHECK_OK(open_raw(NULL, &img, &e));
	hostio_set(&h);
	CHECK_EQ(img_write(img, "x", 1, 0), 0);
	CHECK_EQ(img_flush(img), -EIO);
	CHECK_EQ(img_flush(img), -EIO);
	CHECK_EQ(img_close(img, &e), -EIO);
	CHECK(strstr(e.text, path));
	hostio_set(NULL);

	/* What nobody flushed is flushed on closing. */
	CHECK_OK(open_raw(NULL, &img, &e));
	hostio_set(&h);
	CHECK_EQ(img_write(img, "x", 1, 0), 0);
	CHECK_EQ(img_close(img, &e), -EIO);
	CHECK_EQ(hostio_set(NULL), 2);
	/* Without flushing there is nothing to fail. */
	extra = IMG_NO_FLUSH;
	CHECK_OK(open_raw(NULL, &img, &e));
	hostio_set(&h);
	CHECK_EQ(img_write(img, "x", 1, 0), 0);
	CHECK_EQ(img_flush(img), 0);
	CHECK_EQ(img_close(img, &e), 0);
	CHECK_EQ(hostio_set(NULL), 1);
	extra = 0;
}

int main(void)
{
	scratch_enter();
	test_models();
	test_failures();
	test_flush_error();
	return 0;
}
