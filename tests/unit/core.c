/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core.c - what the core does for drivers: checks, missing calls, chains,
 * locks.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;

/* Formats for these tests: what memory below does not hold is "see the backing
 * file", and overlapping calls are counted.
 */
struct probe {
	atomic_int inside, most;
	unsigned flushes;
};

static void enter(struct img *img)
{
	struct probe *p = img->state;
	int n = atomic_fetch_add(&p->inside, 1) + 1;

	if (n > atomic_load(&p->most))
		atomic_store(&p->most, n);
	usleep(200);
	atomic_fetch_sub(&p->inside, 1);
}

static int t_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	enter(img);
	return img_read(img->below, buf, len, offset);
}

static int t_write(struct img *img, const void *buf, size_t len,
		   uint64_t offset)
{
	enter(img);
	return img_write(img->below, buf, len, offset);
}

static int t_flush(struct img *img)
{
	struct probe *p = img->state;

	p->flushes++;
	return img_flush(img->below);
}

static int t_map(struct img *img, uint64_t offset, uint64_t len,
		 struct img_extent *ext)
{
	int rc = img_map(img->below, offset, len, ext);

	ext->flags &= ~IMG_EXT_ZERO;
	return rc;
}

static int bad_map(struct img *img, uint64_t offset, uint64_t len,
		   struct img_extent *ext)
{
	(void)img;
	ext->len = offset ? len + 1 : 0;
	return 0;
}

static int no_zero(struct img *img, uint64_t len, uint64_t offset,
		   unsigned flags)
{
	(void)img;
	(void)len;
	(void)offset;
	(void)flags;
	return -ENOTSUP;
}

static const struct img_driver overlay = {
	.name = "overlay", .state_size = sizeof(struct probe),
	.read = t_read, .write = t_write, .flush = t_flush, .map = t_map,
};
static const struct img_driver parallel = {
	.name = "parallel", .state_size = sizeof(struct probe),
	.flags = DRV_PARALLEL,
	.read = t_read, .write = t_write,
};
static const struct img_driver read_only = {
	.name = "readonly", .read = t_read,
	.state_size = sizeof(struct probe),
};
static const struct img_driver liar = {
	.name = "liar", .state_size = sizeof(struct probe),
	.read = t_read, .map = bad_map, .write = t_write, .zero = no_zero,
};

static struct img *layer(const struct img_driver *drv, uint64_t size,
			 unsigned flags)
{
	struct img *mem, *img;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(img_layer_new(drv, mem, "", flags, &img, &e));
	img->size = size;
	return img;
}

static void test_ranges(void)
{
	struct img *img = layer(&overlay, 10000, IMG_WRITE);
	struct img_extent ext;
	char buf[16];

	CHECK_EQ(img_read(img, buf, 10, 9990), 0);
	CHECK_EQ(img_read(img, buf, 0, 10000), 0);
	CHECK_EQ(img_read(img, buf, 10, 9991), -ERANGE);
	CHECK_EQ(img_read(img, buf, 1, UINT64_MAX), -ERANGE);
	CHECK_EQ(img_write(img, buf, 10, 9991), -ERANGE);
	CHECK_EQ(img_write(img, buf, 10, UINT64_MAX - 5), -ERANGE);
	CHECK_EQ(img_zero(img, UINT64_MAX, 1, 0), -ERANGE);
	CHECK_EQ(img_zero(img, 1, 10000, 0), -ERANGE);
	CHECK_EQ(img_discard(img, 2, 9999), -ERANGE);
	CHECK_EQ(img_discard(img, 2, 9998), 0);
	CHECK_EQ(img_map(img, 0, 0, &ext), -ERANGE);
	CHECK_EQ(img_map(img, 9999, 2, &ext), -ERANGE);
	CHECK_EQ(img_map(img, 9999, 1, &ext), 0);
	CHECK_OK(img_close(img, &e));

	CHECK_OK(img_memory(10, &img, &e));	/* grows */
	CHECK_EQ(img_read(img, buf, 16, 1000), 0);
	CHECK_EQ(img_write(img, buf, 16, INT64_MAX - 15), -ERANGE);
	CHECK_OK(img_close(img, &e));
}

static void test_read_only(void)
{
	struct img *img = layer(&overlay, 10000, 0);
	char byte = 0;

	CHECK_EQ(img_write(img, &byte, 1, 0), -EROFS);
	CHECK_EQ(img_zero(img, 1, 0, 0), -EROFS);
	CHECK_EQ(img_discard(img, 1, 0), -EROFS);
	CHECK_EQ(img_flush(img), 0);
	CHECK_EQ(img_resize(img, 1, NULL, &e), -EROFS);
	CHECK_EQ(img_truncate(img, 1, &e), -EROFS);
	CHECK_EQ(img_write_compressed(img, &byte, 1, 0), -ENOTSUP);
	CHECK_OK(img_close(img, &e));

	img = layer(&read_only, 10000, IMG_WRITE);
	CHECK_EQ(img_write(img, &byte, 1, 0), -EROFS);
	CHECK_EQ(img_zero(img, 1, 0, 0), -EROFS);
	CHECK_EQ(img_resize(img, 1, NULL, &e), -ENOTSUP);
	CHECK_EQ(img_truncate(img, 1, &e), -ENOTSUP);
	CHECK_OK(img_close(img, &e));
}

/* A driver without zero() gets zeroes written; FAST is refused. */
static void test_default_zero(void)
{
	const struct img_driver *drivers[] = { &parallel, &liar };
	static uint8_t buf[600000];

	for (int i = 0; i < 2; i++) {
		struct img *img = layer(drivers[i], sizeof(buf), IMG_WRITE);

		memset(buf, 'x', sizeof(buf));
		CHECK_OK(img_write(img, buf, sizeof(buf), 0));
		CHECK_EQ(img_zero(img, 10, 0, IMG_ZERO_FAST), -ENOTSUP);
		CHECK_OK(img_zero(img, 500000, 777, 0));
		CHECK_OK(img_read(img, buf, sizeof(buf), 0));
		CHECK(buf[776] == 'x' && buf[500777] == 'x');
		CHECK(bytes_are_zero(buf + 777, 500000));
		CHECK_OK(img_close(img, &e));
	}
}

static void test_bad_driver(void)
{
	struct img *img = layer(&liar, 100, 0);
	struct img_extent ext;
	char buf[10];

	CHECK_EQ(img_map(img, 0, 10, &ext), -EIO);
	CHECK_EQ(img_map(img, 1, 10, &ext), -EIO);
	CHECK_OK(img_memory(100, &img->backing, &e));
	CHECK_EQ(img_read(img, buf, 10, 0), -EIO);
	CHECK_OK(img_close(img, &e));
}

/* Three layers, the lower ones shorter: 300000, 200000, 100000 bytes. */
static void test_chain(void)
{
	struct img *top = layer(&overlay, 300000, IMG_WRITE);
	struct img *mid = layer(&overlay, 200000, IMG_WRITE);
	struct img *base = layer(&overlay, 100000, IMG_WRITE);
	static uint8_t buf[300000], fill[65536];
	struct img_extent x;

	/* Memory keeps 64 KiB chunks: a write fills the whole of one. */
	memset(fill, 'b', sizeof(fill));
	CHECK_OK(img_write(base, fill, 65536, 0));
	CHECK_OK(img_write(base, fill, 100000 - 65536, 65536));
	memset(fill, 'm', sizeof(fill));
	CHECK_OK(img_write(mid, fill, 65536, 131072));
	memset(fill, 't', sizeof(fill));
	CHECK_OK(img_write(top, fill, 65536, 65536));
	mid->backing = base;
	top->backing = mid;

	memset(buf, 0xff, sizeof(buf));
	CHECK_OK(img_read(top, buf, sizeof(buf), 0));
	for (size_t i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], i < 65536 ? 'b' : i < 131072 ? 't'
				 : i < 196608 ? 'm' : 0);
	CHECK_OK(img_read_backing(top, buf, 10, 131072 - 5));
	CHECK(!memcmp(buf, "\0\0\0\0\0mmmmm", 10));
	CHECK_OK(img_read_backing(top, buf, 10, 199995));
	CHECK(bytes_are_zero(buf, 10));

	CHECK_OK(img_map(top, 0, 300000, &x));
	CHECK(x.len == 65536 && x.depth == 2 && !x.flags);
	CHECK_OK(img_map(top, 65536, 300000 - 65536, &x));
	CHECK(x.len == 65536 && x.depth == 0 && !x.flags);
	CHECK_OK(img_map(top, 131072, 300000 - 131072, &x));
	CHECK(x.len == 65536 && x.depth == 1 && !x.flags);
	/* Up to the end of mid it is base that has nothing, by being short. */
	CHECK_OK(img_map(top, 196608, 300000 - 196608, &x));
	CHECK(x.len == 200000 - 196608 && x.depth == 2);
	CHECK_EQ(x.flags, IMG_EXT_ZERO);
	CHECK_OK(img_map(top, 200000, 100000, &x));
	CHECK(x.len == 100000 && x.depth == 1);
	CHECK_EQ(x.flags, IMG_EXT_ZERO);
	CHECK_OK(img_map_layer(top, 0, 300000, &x));
	CHECK(x.len == 65536 && x.flags == IMG_EXT_HOLE);
	CHECK_OK(img_map(base, 98304, 100, &x));
	CHECK_EQ(x.flags, 0);

	CHECK(img_backing(top) == mid && img_backing(base) == NULL);
	CHECK_OK(img_close(top, &e));
}

static void *read_some(void *arg)
{
	char buf[16];

	for (int i = 0; i < 20; i++)
		CHECK_EQ(img_read(arg, buf, sizeof(buf), 0), 0);
	return NULL;
}

static int most_inside(const struct img_driver *drv)
{
	struct img *img = layer(drv, 1000, 0);
	struct probe *p = img->state;
	pthread_t t[4];
	int most;

	for (int i = 0; i < 4; i++)
		CHECK_EQ(thread_start(&t[i], "reader", read_some, img), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	most = atomic_load(&p->most);
	CHECK_OK(img_close(img, &e));
	return most;
}

static void test_serial(void)
{
	CHECK_EQ(most_inside(&overlay), 1);
	/* The other kind may overlap, but a busy machine need not show it. */
	CHECK(most_inside(&parallel) >= 1);
}

static void test_writethrough(void)
{
	struct img *img = layer(&overlay, 1000, IMG_WRITE | IMG_WRITETHROUGH);
	struct probe *p = img->state;

	CHECK_OK(img_write(img, "x", 1, 0));
	CHECK_OK(img_zero(img, 10, 0, 0));
	CHECK_OK(img_discard(img, 10, 0));
	CHECK(p->flushes >= 2);
	CHECK_OK(img_close(img, &e));
}

/* A resolver that gives "a" the backing file "b" and "b" the name in arg. */
static int chain_open(void *arg, const char *referrer, const char *name,
		      const char *format, unsigned flags,
		      const struct img_resolver *self, struct img **out,
		      struct err *err)
{
	struct img_open_args args = { .format = format, .flags = flags };
	int rc;

	(void)referrer;
	(void)self;
	if (!strcmp(name, "memory")) {
		struct img *mem;

		rc = img_memory(512, &mem, err);
		if (!rc)
			rc = img_stack(mem, &args, out, err);
	} else {
		rc = img_open(name, &args, out, err);
	}
	if (rc)
		return rc;
	(*out)->backing_name = strdup(arg);
	(*out)->backing_format = strdup("raw");
	return 0;
}

static int open_chained(const char *next, const char *format,
			struct img_resolver *r, unsigned flags)
{
	struct img_open_args args = {
		.format = "raw", .flags = flags, .resolver = r,
		.backing = next, .backing_format = format,
	};
	struct img *img;
	int rc = img_open("a", &args, &img, &e);

	return rc ? rc : img_close(img, &e);
}

static void test_loops(void)
{
	struct img_resolver r = { .open = chain_open, .arg = (void *)"a" };

	CHECK(!system("truncate -s 4k a b; ln -s a link"));
	CHECK_EQ(open_chained("b", "raw", &r, 0), -ELOOP);	/* a b a */
	CHECK(strstr(e.text, "loop"));
	CHECK_EQ(open_chained("a", "raw", &r, 0), -ELOOP);
	CHECK_EQ(open_chained("link", "raw", &r, 0), -ELOOP);
	r.arg = (void *)"b";
	CHECK_EQ(open_chained("b", "raw", &r, 0), -ELOOP);	/* a b b */
	r.arg = (void *)"memory";
	CHECK_EQ(open_chained("memory", "raw", &r, 0), -ELOOP);
	CHECK(strstr(e.text, "200"));
	CHECK_EQ(open_chained("b", "raw", &r, IMG_NO_BACKING), 0);
	CHECK_EQ(open_chained("b", "raw", &r, IMG_NO_DATA), 0);
	CHECK_EQ(open_chained("", NULL, &r, 0), 0);
	/* Nobody to ask, no format told. */
	CHECK_EQ(open_chained("b", "raw", NULL, 0), -EPERM);
	CHECK_EQ(open_chained("b", NULL, &r, 0), -EPERM);
	CHECK(strstr(e.text, "format"));
	CHECK(!system("rm a b link"));
}

static void test_open(void)
{
	struct img_open_args args = { .format = "nonsense" };
	struct img *img = NULL;

	CHECK(!system("truncate -s 4k a"));
	CHECK_EQ(img_open("a", &args, &img, &e), -EINVAL);
	args.format = "file";			/* not one to name */
	CHECK_EQ(img_open("a", &args, &img, &e), -EINVAL);
	args.format = NULL;
	CHECK_OK(img_open("a", &args, &img, &e));
	CHECK_STR(img_format(img), "raw");
	CHECK_STR(img_name(img), "a");
	CHECK_OK(img_close(img, &e));
	args.snapshot = "1";
	CHECK_EQ(img_open("a", &args, &img, &e), -ENOENT);
	CHECK_EQ(img_close(NULL, &e), 0);
	CHECK(!system("rm a"));
}

/* An image is not raw because its first bytes could not be read. */
static void test_probe(void)
{
	struct fault_plan plan = { .kinds = FAULT_READ, .nth = 1,
				   .errnum = EIO };
	struct img_open_args args = { .format = NULL };
	struct img *mem, *disk, *img = NULL;

	CHECK_OK(img_memory(4096, &mem, &e));
	CHECK_OK(img_write(mem, "QFI\373\0\0\0\003", 8, 0));
	CHECK_STR(img_probe(mem), "qcow2");
	CHECK_OK(fault_new(mem, 0, &disk, &e));
	fault_set(disk, &plan);
	CHECK_EQ(img_stack(disk, &args, &img, &e), -EIO);
	CHECK(!img);
	CHECK_OK(img_close(disk, &e));
}

static int pack(void *codec, const void *src, size_t len, void *dst,
		size_t *dst_len)
{
	(void)codec;
	(void)len;
	memcpy(dst, src, 1);
	*dst_len = 1;
	return 0;
}

static int pack_new(struct img *img, int level, void **codec, struct err *err)
{
	(void)img;
	*codec = NULL;
	return level == 77 ? fail(err, EINVAL, "level 77") : 0;
}

static void pack_free(void *codec)
{
	(void)codec;
}

static int pack_write(struct img *img, const void *data, size_t data_len,
		      uint64_t offset)
{
	return img_write(img->below, data, data_len, offset);
}

static const struct img_driver packer = {
	.name = "packer", .state_size = sizeof(struct probe), .read = t_read,
	.codec_new = pack_new, .codec_free = pack_free, .compress = pack,
	.write_compressed = pack_write,
};

static void test_compressed(void)
{
	struct img *img = layer(&packer, 10000, IMG_WRITE);
	struct img_codec *codec;
	char buf[4096] = "x";
	size_t len;

	CHECK_EQ(img_compress_unit(img), 0);
	CHECK_EQ(img_codec_new(img, 0, &codec, &e), -ENOTSUP);
	img->compress_unit = 4096;
	CHECK_EQ(img_compress_unit(img), 4096);
	CHECK_EQ(img_codec_new(img, 77, &codec, &e), -EINVAL);
	CHECK_OK(img_codec_new(img, 0, &codec, &e));
	CHECK_OK(img_compress(codec, "y", 1, buf, &len));
	img_codec_free(codec);
	img_codec_free(NULL);
	CHECK_OK(img_write_compressed(img, buf, len, 4096));
	CHECK_OK(img_write_compressed(img, buf, len, 8192));	/* short */
	CHECK_EQ(img_write_compressed(img, buf, 0, 0), -EINVAL);
	CHECK_EQ(img_write_compressed(img, buf, 4096, 0), -EINVAL);
	CHECK_EQ(img_write_compressed(img, buf, 1, 512), -EINVAL);
	CHECK_EQ(img_write_compressed(img, buf, 1, 12288), -ERANGE);
	CHECK_EQ(img_write_compressed(img, buf, 1, 1ull << 63), -ERANGE);
	img->flags = 0;
	CHECK_EQ(img_write_compressed(img, buf, 1, 0), -EROFS);
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	scratch_enter();
	test_ranges();
	test_read_only();
	test_default_zero();
	test_bad_driver();
	test_chain();
	test_serial();
	test_writethrough();
	test_loops();
	test_open();
	test_probe();
	test_compressed();
	return 0;
}
