/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_grow_split.c - a disk in files of 2 GiB gets more of them while every
 * call, allocation and naming of a file fails once, and while the power fails at
 * each: it is the old disk or the new one, whole, and a failure leaves no file.
 */
#include <errno.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/borrow.h"
#include "tests/lib/vdisk.h"

#define OLD_SIZE (100ull << 20)
#define NEW_SIZE (5ull << 30)
#define LEN 300000u
#define MAX_FILES 8u
#define DISK "disk.vmdk"

static struct err e;

struct file {
	char name[32];
	struct img *disk;		/* a fault layer */
	bool named;
};

/* A folder, and what goes wrong in it. */
struct folder {
	struct file files[MAX_FILES];
	unsigned n;
	unsigned bad;			/* file whose calls fail, by number */
	struct fault_plan plan;
	unsigned bad_naming, namings;	/* which naming fails, from 1 */
	bool cut;			/* a failure is that of the power */
};

static struct file *find(struct folder *d, const char *name)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->files[i].named && !strcmp(d->files[i].name, name))
			return &d->files[i];
	return NULL;
}

/* NULL: out of memory. */
static struct file *add(struct folder *d, const char *name, struct img *content)
{
	struct file *f = &d->files[d->n];

	CHECK(d->n < MAX_FILES);
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->named = false;
	if (fault_new(content, FAULT_RECORD, &f->disk, NULL)) {
		img_close(content, NULL);
		return NULL;
	}
	if (d->n++ == d->bad)
		fault_set(f->disk, &d->plan);
	return f;
}

static int open_file(void *arg, const char *referrer, const char *name,
		     const char *format, unsigned flags,
		     const struct img_resolver *self, struct img **out,
		     struct err *err)
{
	struct img_open_args args = {
		.format = format, .flags = flags, .resolver = self,
	};
	struct file *f = find(arg, name);
	struct img *layer;
	int rc;

	(void)referrer;
	if (!f)
		return fail(err, ENOENT, "there is no %s", name);
	rc = borrow(f->disk, name, &layer, err);
	if (rc)
		return rc;
	rc = img_stack(layer, &args, out, err);
	if (rc)
		img_close(layer, NULL);
	return rc;
}

static int create_file(void *arg, const char *referrer, const char *name,
		       struct img **out, struct err *err)
{
	struct img *memory;
	struct file *f;
	int rc = img_memory(0, &memory, err);

	(void)referrer;
	if (rc)
		return rc;
	f = add(arg, name, memory);
	return f ? borrow(f->disk, name, out, err)
		 : fail(err, ENOMEM, "out of memory");
}

/* In the order in which they were made, each when it is durable. */
static int name_all(struct folder *d, struct err *err)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct file *f = &d->files[i], *old = find(d, f->name);

		if (f->named || !f->disk || old > f)
			continue;
		if (img_flush(f->disk) || ++d->namings == d->bad_naming)
			return fail(err, EIO, "cannot name %s", f->name);
		if (old && strcmp(f->name, DISK))
			return fail(err, EEXIST, "%s exists", f->name);
		if (old)
			old->named = false;
		f->named = true;
	}
	return 0;
}

static int settle(void *arg, bool keep, struct err *err)
{
	struct folder *d = arg;
	struct folder before = *d;
	int rc = keep ? name_all(d, err) : 0;

	if (d->cut)
		return rc;
	for (unsigned i = 0; i < d->n && rc; i++)
		d->files[i].named = before.files[i].named;
	return rc;
}

static struct img_resolver resolver(struct folder *d)
{
	return (struct img_resolver){
		.open = open_file, .create = create_file, .settle = settle,
		.arg = d,
	};
}

static int open_disk(struct folder *d, unsigned flags, struct img **img)
{
	struct img_resolver r = resolver(d);

	return open_file(d, "", DISK, "vmdk", flags, &r, img, &e);
}

static void drop(struct folder *d)
{
	for (unsigned i = 0; i < d->n; i++)
		img_close(d->files[i].disk, NULL);
	*d = (struct folder){ .n = 0 };
}

/* What has a name, as it is or as a power cut leaves it. */
static struct folder copy(struct folder *from, bool cut, uint64_t seed)
{
	struct folder to = { .bad = MAX_FILES };

	for (unsigned i = 0; i < from->n; i++) {
		struct file *f = &from->files[i];
		struct img *memory;

		if (!f->named)
			continue;
		if (cut)
			CHECK_OK(fault_power_cut(f->disk, seed + i, &memory,
						 &e));
		else
			CHECK_OK(fault_copy(f->disk, &memory, &e));
		f = add(&to, f->name, memory);
		CHECK(f);
		f->named = true;
	}
	return to;
}

static uint8_t data[LEN];

static struct folder make(const char *subformat)
{
	struct folder d = { .bad = MAX_FILES };
	struct img_resolver r = resolver(&d);
	struct img_kv kv = { "subformat", subformat };
	struct img_create_args args = {
		.format = "vmdk", .size = OLD_SIZE, .options = &kv,
		.n_options = 1, .resolver = &r,
	};
	struct img *img;

	CHECK_OK(create_file(&d, "", DISK, &img, &e));
	CHECK_OK(img_create(img, &args, &e));
	CHECK_OK(img_close(img, &e));
	CHECK_OK(name_all(&d, &e));
	CHECK_OK(open_disk(&d, IMG_WRITE, &img));
	CHECK_EQ(img_write(img, data, LEN, OLD_SIZE - LEN), 0);
	CHECK_OK(img_close(img, &e));
	return d;
}

static void expect(struct img *img, uint64_t at, const uint8_t *want)
{
	static uint8_t got[LEN];
	size_t len = (size_t)min_u64(LEN, img_size(img) - at);

	CHECK_EQ(img_read(img, got, len, at), 0);
	CHECK(!memcmp(got, want, len));
}

/* Sound after repair, and one of both; which? */
static uint64_t look(struct folder *d)
{
	static const uint8_t zeroes[LEN];
	struct img *img;
	uint64_t size;

	CHECK_OK(open_disk(d, IMG_WRITE | IMG_REPAIR, &img));
	CHECK_OK(vdisk_check(img, true, true, &e));
	CHECK_OK(vdisk_check(img, true, false, &e));
	size = img_size(img);
	CHECK(size == OLD_SIZE || size == NEW_SIZE);
	expect(img, 0, zeroes);
	expect(img, OLD_SIZE - LEN, data);
	for (uint64_t at = OLD_SIZE; at < size; at += 50000000)
		expect(img, at, zeroes);
	CHECK_OK(img_close(img, &e));
	return size;
}

/* 0, or why not; and it can be written where it has grown. */
static int grow(struct folder *d)
{
	struct img *img;
	int rc = open_disk(d, IMG_WRITE, &img), one;

	if (rc)
		return rc;
	rc = img_resize(img, NEW_SIZE, NULL, &e);
	if (!rc)
		CHECK_EQ(img_size(img), NEW_SIZE);
	one = img_close(img, &e);
	return rc ? rc : one;
}

/* No file is left that nobody names; and once more, without failures: what is
 * new can be written.
 */
static void again(struct folder *d, unsigned n_old)
{
	struct folder clean = copy(d, false, 0);
	struct img *img;

	if (look(&clean) == OLD_SIZE) {
		CHECK_EQ(clean.n, n_old);
		CHECK_OK(grow(&clean));
	} else {
		CHECK_EQ(clean.n, n_old + 2);
	}
	CHECK_EQ(look(&clean), NEW_SIZE);
	CHECK_OK(open_disk(&clean, IMG_WRITE, &img));
	CHECK_EQ(img_write(img, data, LEN, NEW_SIZE - LEN), 0);
	expect(img, NEW_SIZE - LEN, data);
	CHECK_OK(img_close(img, &e));
	drop(&clean);
}

struct failure {
	unsigned file, naming;		/* or a naming */
	uint64_t nth, alloc;
	bool cut;
};

/* False: it never came to that. */
static bool attempt(struct folder *good, const struct failure *how)
{
	static const struct fault_plan none;
	struct folder d = copy(good, false, 0);
	unsigned n = d.n;
	bool failed;
	int rc;

	d.cut = how->cut;
	d.bad = how->file;
	d.bad_naming = how->naming;
	d.plan = (struct fault_plan){
		.kinds = how->cut ? FAULT_CHANGES | FAULT_FLUSH : FAULT_ALL,
		.nth = how->nth, .errnum = EIO, .lasting = how->cut,
		.torn = true, .seed = how->nth,
	};
	if (how->file < n)
		fault_set(d.files[how->file].disk, &d.plan);
	alloc_fail(how->alloc);
	rc = grow(&d);
	failed = how->alloc && alloc_fail(0) >= how->alloc;
	failed |= how->naming && d.namings >= how->naming;
	if (how->file < d.n) {
		failed |= fault_failures(d.files[how->file].disk) > 0;
		fault_set(d.files[how->file].disk, &none);
	}
	CHECK(failed || !rc);
	for (unsigned i = 0; i < 3 && how->cut; i++) {
		struct folder after = copy(&d, true, i + how->nth * 3);
		uint64_t size = look(&after);

		CHECK(rc || size == NEW_SIZE);
		drop(&after);
	}
	if (!how->cut)
		again(&d, n);
	drop(&d);
	return failed;
}

static void run(const char *subformat)
{
	struct folder good = make(subformat);
	uint64_t calls = 0, cuts = 0, namings = 0, allocs;
	struct failure how = { .file = MAX_FILES };

	for (unsigned cut = 0; cut < 2; cut++) {
		how = (struct failure){ .cut = cut };
		/* The descriptor, the old extent, two new ones, and the new
		 * descriptor.
		 */
		for (how.file = 0; how.file < 5; how.file++)
			for (how.nth = 1; attempt(&good, &how); how.nth++)
				cut ? cuts++ : calls++;
		how.nth = 0;
		for (how.naming = 1; attempt(&good, &how); how.naming++)
			namings++;
	}
	how = (struct failure){ .file = MAX_FILES };
	for (how.alloc = 1; attempt(&good, &how); how.alloc++)
		;
	allocs = how.alloc - 1;
	printf("%s: %" PRIu64 " calls, %" PRIu64 " power cuts, %" PRIu64
	       " namings, %" PRIu64 " allocations\n", subformat, calls, cuts,
	       namings, allocs);
	CHECK(calls > 15 && cuts > 10 && namings == 6 && allocs > 20);
	drop(&good);
}

int main(void)
{
	memset(data, 0x5a, sizeof(data));
	run("twoGbMaxExtentSparse");
	run("twoGbMaxExtentFlat");
	return 0;
}
