/* SPDX-License-Identifier: GPL-2.0-or-later */
/* powercut_raw.c - the power-cut test finds nothing wrong with raw, and finds
 * layers that are wrong on purpose.
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "tests/check.h"
#include "tests/lib/powercut.h"

/* A format that says "flushed" without flushing. */
static int lazy_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return img_read(img->below, buf, len, offset);
}

static int lazy_write(struct img *img, const void *buf, size_t len,
		      uint64_t offset)
{
	return img_write(img->below, buf, len, offset);
}

static int lazy_flush(struct img *img)
{
	(void)img;
	return 0;
}

/* A format that writes to the wrong place when it is told to zero. */
static int stray_zero(struct img *img, uint64_t len, uint64_t offset,
		      unsigned flags)
{
	if (offset >= 512)
		img_zero(img->below, 512, offset - 512, flags);
	return img_zero(img->below, len, offset, flags);
}

static const struct img_driver lazy = {
	.name = "lazy", .read = lazy_read, .write = lazy_write,
	.flush = lazy_flush,
};
static const struct img_driver stray = {
	.name = "stray", .read = lazy_read, .write = lazy_write,
	.zero = stray_zero,
};

static int create(void *arg, struct img *disk, struct err *e)
{
	struct img_create_args args = { .format = "raw", .size = 256 << 10 };

	(void)arg;
	return img_create(disk, &args, e);
}

static int open_it(void *arg, struct img *disk, struct img **out, struct err *e)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	int rc;

	if (!arg)
		return img_stack(disk, &args, out, e);
	rc = img_layer_new(arg, disk, "", IMG_WRITE, out, e);
	if (!rc)
		(*out)->size = 256 << 10;
	return rc;
}

static int checks;

static int check(void *arg, struct img *disk, struct err *e)
{
	(void)arg;
	checks++;
	return img_length(disk) == 256 << 10 ? 0
		: fail(e, EUCLEAN, "its length is wrong");
}

int main(void)
{
	struct powercut p = {
		.what = "raw", .size = 256 << 10, .cuts = 100,
		.create = create, .open = open_it, .check = check,
	};
	uint64_t n;

	powercut_run(&p);
	CHECK(checks >= 100);
	p.cuts = 200;
	p.what = "no flush";
	p.arg = (void *)(uintptr_t)&lazy;
	n = powercut_find(&p);
	printf("found after %" PRIu64 " power cuts\n", n);
	CHECK(n > 0 && n < 100);
	p.what = "stray zeroes";
	p.arg = (void *)(uintptr_t)&stray;
	n = powercut_find(&p);
	CHECK(n > 0 && n < 100);
	return 0;
}
