/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c - host files: types, growing, map, zero, discard, O_DIRECT, threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/driver.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;

static struct img *open_file(const char *path, unsigned flags)
{
	struct img *img;

	CHECK_OK(img_file_open(path, flags, &img, &e));
	return img;
}

static void make_file(const char *path, off_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, len) && !close(fd));
}

static void refused(const char *path, unsigned flags, int rc, const char *text)
{
	struct img *img = NULL;

	CHECK_EQ(img_file_open(path, flags, &img, &e), rc);
	CHECK(!img);
	if (!strstr(e.text, text) || !strstr(e.text, path)) {
		fprintf(stderr, "\"%s\" lacks \"%s\"\n", e.text, text);
		exit(1);
	}
}

static void test_types(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "sock" };
	struct img *img;
	int fd;

	CHECK(!mkdir("dir", 0700) && !mkfifo("fifo", 0600));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)));
	refused("dir", 0, -EISDIR, "is a directory");
	refused("fifo", 0, -EINVAL, "is a pipe");
	refused("fifo", IMG_WRITE, -EINVAL, "is a pipe");
	refused("sock", 0, -EINVAL, "is a socket");
	refused("/dev/zero", 0, -EINVAL, "is a character device");
	refused("none", 0, -ENOENT, "No such file");
	close(fd);

	/* A descriptor is looked at just as closely, and stays the caller's. */
	fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK_EQ(img_file_fd(fd, "fifo", 0, &img, &e), -EINVAL);
	CHECK(!close(fd));
	make_file("f", 10);
	fd = open("f", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(img_file_fd(fd, "f", IMG_WRITE, &img, &e), -EBADF);
	CHECK_OK(img_file_fd(fd, "f", 0, &img, &e));
	CHECK_EQ(img_size(img), 10);
	CHECK_STR(img_name(img), "f");
	CHECK_OK(img_close(img, &e));
	CHECK(close(fd) && errno == EBADF);
	fd = open("f", O_WRONLY | O_CLOEXEC);
	CHECK_EQ(img_file_fd(fd, "f", 0, &img, &e), -EBADF);
	CHECK(!close(fd));
}

static void test_grow(void)
{
	struct img *img;
	uint64_t used, id[2], id2[2];
	char buf[100];
	struct stat st;

	make_file("f", 0);
	img = open_file("f", IMG_WRITE);
	memset(buf, 'x', sizeof(buf));
	CHECK_OK(img_read(img, buf, sizeof(buf), 1 << 20));
	CHECK(bytes_are_zero(buf, sizeof(buf)));
	CHECK_OK(img_write(img, "abc", 3, 4999));
	CHECK_EQ(img_length(img), 5002);
	CHECK_OK(img_read(img, buf, 10, 4995));
	CHECK(!memcmp(buf, "\0\0\0\0abc\0\0\0", 10));
	CHECK_OK(img_zero(img, 1000, 9000, 0));		/* beyond the end */
	CHECK_EQ(img_length(img), 10000);
	CHECK_OK(img_zero(img, 1000, 9500, IMG_ZERO_KEEP));
	CHECK_EQ(img_length(img), 10500);
	CHECK_OK(img_discard(img, 1 << 20, 10000));	/* keeps the length */
	CHECK_EQ(img_length(img), 10500);
	CHECK_OK(img_truncate(img, 5000, &e));
	CHECK_EQ(img_length(img), 5000);
	CHECK_EQ(img_truncate(img, UINT64_MAX, &e), -EFBIG);
	CHECK_OK(img_host_usage(img, &used));
	CHECK(!stat("f", &st));
	CHECK_EQ(used, st.st_blocks * 512);
	CHECK_OK(img->drv->host_id(img, id));
	CHECK_OK(img_close(img, &e));
	CHECK(!link("f", "g"));
	img = open_file("g", 0);
	CHECK_OK(img->drv->host_id(img, id2));
	CHECK(id[0] == id2[0] && id[1] == id2[1]);
	CHECK_OK(img_close(img, &e));
}

static unsigned flags_at(struct img *img, uint64_t offset, uint64_t len,
			 uint64_t *got)
{
	struct img_extent x;
	char name[8];

	CHECK_OK(img_map(img, offset, len, &x));
	CHECK_EQ(x.offset, offset);
	CHECK_EQ(x.fd_offset, offset);
	CHECK(x.fd >= 0);
	snprintf(name, sizeof(name), "%s", x.fd_name);
	CHECK_STR(name, "f");
	*got = x.len;
	return x.flags;
}

#define HOLE (IMG_EXT_ZERO | IMG_EXT_HOLE)
#define M (1u << 20)

/* Data at 1 and 3 MiB of 5. */
static void test_map(void)
{
	static uint8_t data[M];
	struct img *img;
	uint64_t len;

	make_file("f", 5 * M);
	img = open_file("f", IMG_WRITE);
	memset(data, 'd', sizeof(data));
	CHECK_OK(img_write(img, data, M, 1 * M));
	CHECK_OK(img_write(img, data, M, 3 * M));
	if (flags_at(img, 0, 5 * M, &len) != HOLE) {
		puts("(this file system does not tell holes)");
		CHECK_OK(img_close(img, &e));
		return;
	}
	CHECK_EQ(len, M);
	CHECK_EQ(flags_at(img, M, 4 * M, &len), 0);
	CHECK_EQ(len, M);
	CHECK_EQ(flags_at(img, M + 5, 10, &len), 0);	/* remembered */
	CHECK_EQ(len, 10);
	CHECK_EQ(flags_at(img, 2 * M - 1, M, &len), 0);
	CHECK_EQ(len, 1);
	CHECK_EQ(flags_at(img, 2 * M, 3 * M, &len), HOLE);
	CHECK_EQ(len, M);
	CHECK_EQ(flags_at(img, 3 * M, 2 * M, &len), 0);
	CHECK_EQ(flags_at(img, 4 * M, M, &len), HOLE);
	CHECK_EQ(len, M);
	CHECK_EQ(flags_at(img, 5 * M, 100, &len), HOLE);	/* beyond */
	CHECK_EQ(len, 100);

	/* What was remembered as data is asked again after it is zeroed... */
	CHECK_EQ(flags_at(img, M, 4 * M, &len), 0);
	CHECK_OK(img_zero(img, M, M, 0));
	CHECK_EQ(flags_at(img, M, 4 * M, &len), HOLE);
	CHECK_EQ(len, 2 * M);
	CHECK_EQ(flags_at(img, 3 * M, 2 * M, &len), 0);
	CHECK_OK(img_discard(img, M, 3 * M));
	CHECK_EQ(flags_at(img, 3 * M, 2 * M, &len), HOLE);
	/* ... and a hole is never remembered. */
	CHECK_OK(img_write(img, data, M, M));
	CHECK_EQ(flags_at(img, M, 4 * M, &len), 0);
	CHECK_OK(img_truncate(img, M, &e));
	CHECK_OK(img_truncate(img, 5 * M, &e));
	CHECK_EQ(flags_at(img, M, 4 * M, &len), HOLE);
	/* Zeroes that stay allocated are no hole on the disk. */
	CHECK_OK(img_zero(img, M, 0, IMG_ZERO_KEEP));
	CHECK_OK(img_host_usage(img, &len));
	CHECK(len >= M);
	CHECK_OK(img_close(img, &e));
}

/* Random unaligned reads and writes through O_DIRECT against a plain array. */
static void test_direct(void)
{
	static uint8_t want[300000], got[300000];
	struct img *img;
	uint64_t len = 0;
	int rc;

	make_file("f", 1000);
	rc = img_file_open("f", IMG_WRITE | IMG_DIRECT, &img, &e);
	if (rc == -EINVAL && strstr(e.text, "O_DIRECT")) {
		puts("(this file system has no O_DIRECT)");
		return;
	}
	CHECK_OK(rc);
	srand(7);
	for (int i = 0; i < 300; i++) {
		size_t at = (size_t)rand() % 200000;
		size_t n = (size_t)rand() % (i % 3 ? 5000 : 90000) + 1;

		if (i % 5 == 0)
			at &= ~(size_t)511;
		if (i % 7 == 0)
			n = (n + 511) & ~(size_t)511;
		memset(want + at, i, n);
		CHECK_OK(img_write(img, want + at, n, at));
		len = max_u64(len, max_u64(1000, at + n));
		CHECK_EQ(img_length(img), len);
		at = (size_t)rand() % 200000;
		CHECK_OK(img_read(img, got + 1, n, at));
		CHECK(!memcmp(got + 1, want + at, n));
	}
	CHECK_OK(img_zero(img, 5000, 3333, 0));
	memset(want + 3333, 0, 5000);
	CHECK_OK(img_read(img, got, sizeof(got), 0));
	CHECK(!memcmp(got, want, sizeof(got)));
	CHECK_OK(img_close(img, &e));
	img = open_file("f", 0);	/* and the page cache agrees */
	CHECK_OK(img_read(img, got, sizeof(got), 0));
	CHECK(!memcmp(got, want, sizeof(got)));
	CHECK_OK(img_close(img, &e));
}

struct worker {
	struct img *img;
	uint8_t id;
	pthread_t thread;
};

/* Each thread owns every fourth 100 bytes: all write parts of the same blocks.
 */
static void *write_stripes(void *arg)
{
	struct worker *w = arg;
	char buf[100];

	memset(buf, w->id, sizeof(buf));
	for (uint64_t i = 0; i < 200; i++)
		CHECK_EQ(img_write(w->img, buf, sizeof(buf),
				   (i * 4 + w->id) * 100), 0);
	return NULL;
}

static void test_threads(unsigned flags)
{
	static uint8_t got[80000];
	struct worker w[4];
	struct img *img;

	make_file("f", 0);
	if (img_file_open("f", IMG_WRITE | flags, &img, &e))
		return;		/* no O_DIRECT */
	for (uint8_t i = 0; i < 4; i++) {
		w[i] = (struct worker){ .img = img, .id = i };
		CHECK_EQ(thread_start(&w[i].thread, "writer", write_stripes,
				      &w[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(w[i].thread, NULL);
	CHECK_EQ(img_length(img), sizeof(got));
	CHECK_OK(img_read(img, got, sizeof(got), 0));
	for (size_t i = 0; i < sizeof(got); i++)
		CHECK_EQ(got[i], i / 100 % 4);
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	scratch_enter();
	test_types();
	test_grow();
	test_map();
	test_direct();
	test_threads(0);
	test_threads(IMG_DIRECT);
	return 0;
}
