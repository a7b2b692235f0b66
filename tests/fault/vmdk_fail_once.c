/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_fail_once.c - every call below a VMDK and every allocation fails once in
 * each thing that can be done with it: an error comes out, no sector holds
 * anything but its old or new content, and repaired it is sound.
 * time limit: 240 s
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/borrow.h"
#include "tests/lib/model.h"
#include "tests/lib/scratch.h"
#include "tests/lib/vdisk.h"

#define SIZE (3u << 20)
#define LARGER (40u << 20)
#define SHOWN (4u << 20)		/* what is compared */
#define SECTOR 512u

typedef int act_fn(struct img *img, struct err *e);

static uint8_t buf[SHOWN], old[SHOWN], new[SHOWN], got[SHOWN];

static int fill(struct img *img, struct err *e)
{
	(void)e;
	memset(buf, 0x33, 400000);
	return img_write(img, buf, 400000, 500000);
}

static int do_write(struct img *img, struct err *e)
{
	int rc = 0;

	(void)e;
	memset(buf, 0x5a, 200000);
	for (unsigned i = 0; i < 5 && !rc; i++) {
		rc = img_write(img, buf, 150000, i * 600000ull + 100);
		if (!rc && i == 2)
			rc = img_flush(img);
	}
	return rc ? rc : img_flush(img);
}

static int do_zero(struct img *img, struct err *e)
{
	int rc;

	(void)e;
	rc = img_zero(img, 1000000, 70000, 0);
	if (!rc)
		rc = img_zero(img, 100000, 2000003, IMG_ZERO_KEEP);
	return rc ? rc : img_flush(img);
}

static int do_grow(struct img *img, struct err *e)
{
	return img_resize(img, LARGER, NULL, e);
}

static int do_check(struct img *img, struct err *e)
{
	struct img_check check = { .fix_errors = true, .fix_leaks = true };
	int rc = img_check(img, &check, e);

	if (!rc && check.check_errors)
		rc = fail(e, EIO, "errors");
	return rc;
}

static const struct action {
	const char *name;
	act_fn *act;			/* NULL: only open and close */
	bool parent, create;
	const char *subformat;
} actions[] = {
	{ "open", NULL, false, false, NULL },
	{ "write", do_write, false, false, NULL },
	{ "write to a child", do_write, true, false, NULL },
	{ "zero", do_zero, false, false, NULL },
	{ "zero a child", do_zero, true, false, NULL },
	{ "grow", do_grow, false, false, NULL },
	{ "check", do_check, false, false, NULL },
	{ "create", NULL, false, true, NULL },
	{ "create, write", do_write, false, true, NULL },
	{ "stream", do_write, false, true, "streamOptimized" },
};

static int make(const struct action *a, struct img *disk, struct err *e)
{
	struct img_resolver r = vdisk_resolver();
	struct img_kv kv[] = {
		{ "zeroed_grain", "on" },
		{ "subformat", a->subformat ? a->subformat
					    : "monolithicSparse" },
	};
	struct img_create_args args = {
		.format = "vmdk", .size = SIZE, .options = kv, .n_options = 2,
		.resolver = &r, .backing = a->parent ? "parent.vmdk" : NULL,
		.backing_format = a->parent ? "vmdk" : NULL,
	};

	return img_create(disk, &args, e);
}

/* On the layer `disk`, which stays the caller's. */
static int attempt(const struct action *a, struct img *disk, act_fn *act,
		   struct err *e)
{
	struct img_resolver r = vdisk_resolver();
	struct img_open_args args = {
		.format = "vmdk", .flags = IMG_WRITE, .resolver = &r,
	};
	struct img *layer, *img;
	int rc = borrow(disk, "disk", &layer, e), one;

	if (rc)
		return rc;
	if (a->create)
		rc = make(a, layer, e);
	if (!rc)
		rc = img_stack(layer, &args, &img, e);
	if (rc) {
		img_close(layer, NULL);
		return rc;
	}
	if (act)
		rc = act(img, e);
	one = img_close(img, rc ? NULL : e);
	return rc ? rc : one;
}

/* What the disk shows; after repair, that nothing is wrong with it. */
static void look(struct img *disk, uint8_t *out, bool repair)
{
	struct img_resolver r = vdisk_resolver();
	struct img_open_args args = {
		.format = "vmdk", .resolver = &r,
		.flags = repair ? IMG_WRITE | IMG_REPAIR : 0,
	};
	struct img *layer, *img;
	struct err e;

	CHECK_OK(borrow(disk, "disk", &layer, &e));
	CHECK_OK(img_stack(layer, &args, &img, &e));
	if (repair)
		CHECK_OK(vdisk_check(img, true, true, &e));
	memset(out, 0, SHOWN);
	CHECK_EQ(img_read(img, out, (size_t)min_u64(SHOWN, img_size(img)), 0),
		 0);
	CHECK_OK(img_close(img, &e));
}

static void compare(const struct action *a, uint64_t n)
{
	for (size_t at = 0; at < SHOWN; at += SECTOR)
		if (memcmp(got + at, old + at, SECTOR) &&
		    memcmp(got + at, new + at, SECTOR)) {
			printf("%s, failure %" PRIu64 ": the sector at %zu is "
			       "neither old nor new\n", a->name, n, at);
			exit(1);
		}
}

/* The n-th call or allocation fails; false: there are not so many. */
static bool fail_nth(const struct action *a, struct img *template, uint64_t n,
		     bool alloc)
{
	static const struct fault_plan none;
	struct fault_plan plan = {
		.kinds = FAULT_ALL, .nth = alloc ? 0 : n, .errnum = EIO,
		.torn = n % 2, .seed = n,
	};
	struct img *copy, *disk;
	struct err e = { "" };
	uint64_t failed;
	int rc;

	CHECK_OK(fault_copy(template, &copy, &e));
	CHECK_OK(fault_new(copy, 0, &disk, &e));
	fault_set(disk, &plan);
	alloc_fail(alloc ? n : 0);
	rc = attempt(a, disk, a->act, &e);
	failed = alloc ? alloc_fail(0) >= n : fault_failures(disk);
	fault_set(disk, &none);
	/* What fails while making or opening leaves nothing to look at. */
	if (failed && rc && a->create)
		goto out;
	look(disk, got, false);
	compare(a, n);
	if (!rc)
		CHECK(!memcmp(got, new, SHOWN));
	if (!a->subformat) {
		look(disk, got, true);
		compare(a, n);
		/* And doing it again works. */
		CHECK_OK(attempt(a, disk, a->act, &e));
		look(disk, got, false);
		if (memcmp(got, new, SHOWN)) {
			printf("%s, after failure %" PRIu64 ": doing it again "
			       "is not the same\n", a->name, n);
			exit(1);
		}
	}
	if (!failed)
		CHECK_EQ(rc, 0);
out:
	img_close(disk, NULL);
	return failed;
}

static void run(const struct action *a)
{
	struct action first = *a;
	struct img *template, *copy;
	uint64_t calls = 0, allocs = 0;
	struct err e = { "" };

	CHECK_OK(img_memory(0, &template, &e));
	memset(old, 0, sizeof(old));
	if (!a->create) {
		CHECK_OK(make(a, template, &e));
		first.create = false;
		CHECK_OK(attempt(&first, template, fill, &e));
		look(template, old, false);
	}
	CHECK_OK(fault_copy(template, &copy, &e));
	CHECK_OK(attempt(a, copy, a->act, &e));
	look(copy, new, false);
	img_close(copy, NULL);
	while (fail_nth(a, template, calls + 1, false))
		calls++;
	while (fail_nth(a, template, allocs + 1, true))
		allocs++;
	printf("%s: %" PRIu64 " calls, %" PRIu64 " allocations\n", a->name,
	       calls, allocs);
	CHECK(calls > 3 && allocs > 3);
	img_close(template, NULL);
}

int main(void)
{
	const char *only = getenv("ONLY");
	struct img *img;
	struct err e;

	scratch_enter();
	CHECK_OK(vdisk_create("parent.vmdk", "monolithicSparse", false, SIZE,
			      NULL, &e));
	CHECK_OK(vdisk_open("parent.vmdk", IMG_WRITE, &img, &e));
	memset(buf, 0x11, SIZE);
	CHECK_EQ(img_write(img, buf, SIZE - 500000, 0), 0);
	CHECK_OK(img_close(img, &e));
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!only || !strcmp(only, actions[i].name))
			run(&actions[i]);
	return 0;
}
