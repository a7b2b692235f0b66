/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_power_cut.c - a sparse VMDK loses power again and again; each time it
 * opens, is sound or says that it was not shut down cleanly, can be repaired, and
 * holds what it may hold.  A driver that breaks an invariant of its write
 * ordering is found out.  time limit: 240 s
 *
 * ROUNDS sets how many disks are tried, OPS how many power cuts for each.
 */
#include <jansson.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "imgfmt/vmdk/write.h"
#include "tests/check.h"
#include "tests/lib/borrow.h"
#include "tests/lib/model.h"
#include "tests/lib/powercut.h"
#include "tests/lib/scratch.h"
#include "tests/lib/vdisk.h"

#define MAX_SIZE (3u << 20)
#define BARE_GRAIN 4096u		/* 48 tables */

struct test {
	bool zeroed, parent;
	bool bare;			/* small grains, no tables yet */
	unsigned broken;		/* invariant, 0: none */
};

/* Some writers make tables when they are needed: empty directories behind the
 * descriptor, and many tables of few and small grains.
 */
static int make_bare(struct img *disk, struct err *e)
{
	uint8_t buf[VMDK_HEADER_LEN];
	struct vmdk_header h;
	uint64_t start;

	CHECK_EQ(img_read(disk, buf, sizeof(buf), 0), 0);
	CHECK_EQ(vmdk_header_decode(buf, &h, "disk", e), 0);
	start = h.desc_offset + h.desc_size;
	h.grain = BARE_GRAIN / VMDK_SECTOR;
	h.n_gtes = 16;
	h.rgd = start;
	h.gd = start + 1;
	h.overhead = round_up(start + 2, h.grain);
	vmdk_header_encode(&h, buf);
	CHECK_EQ(img_write(disk, buf, sizeof(buf), 0), 0);
	CHECK_EQ(img_truncate(disk, start * VMDK_SECTOR, e), 0);
	return img_truncate(disk, h.overhead * VMDK_SECTOR, e);
}

static int create(void *arg, struct img *disk, struct err *e)
{
	const struct test *t = arg;
	struct img_resolver r = vdisk_resolver();
	struct img_kv kv = { "zeroed_grain", t->zeroed ? "on" : "off" };
	struct img_create_args args = {
		.format = "vmdk", .size = MAX_SIZE, .options = &kv,
		.n_options = 1, .resolver = &r,
		.backing = t->parent ? "parent.vmdk" : NULL,
		.backing_format = t->parent ? "vmdk" : NULL,
	};

	int rc = img_create(disk, &args, e);

	return rc || !t->bare ? rc : make_bare(disk, e);
}

static int open_it(void *arg, struct img *disk, struct img **out, struct err *e)
{
	struct img_resolver r = vdisk_resolver();
	struct img_open_args args = {
		.format = "vmdk", .flags = IMG_WRITE, .resolver = &r,
	};

	const struct test *t = arg;
	int rc = img_stack(disk, &args, out, e);

	if (!rc)
		vmdk_test_break(*out, t->broken);
	return rc;
}

/* Without the mark, nothing is wrong. */
static int check_unmarked(struct img *disk, struct err *e)
{
	struct img_resolver r = vdisk_resolver();
	struct img_open_args args = { .format = "vmdk", .resolver = &r };
	struct img *layer, *img;
	struct img_info info;
	int rc;

	CHECK_EQ(borrow(disk, "disk", &layer, e), 0);
	rc = img_stack(layer, &args, &img, e);
	if (rc) {
		img_close(layer, NULL);
		return rc;
	}
	rc = img_info(img, &info, e);
	if (!rc) {
		json_decref(info.specific);
		json_decref(info.snapshots);
		if (!info.dirty)
			rc = vdisk_check(img, true, false, e);
	}
	img_close(img, NULL);
	return rc;
}

/* Repaired, nothing is wrong with it any more. */
static int check(void *arg, struct img *disk, struct err *e)
{
	struct img *layer, *img;
	int rc = check_unmarked(disk, e);

	for (unsigned pass = 0; pass < 2 && !rc; pass++) {
		CHECK_EQ(borrow(disk, "disk", &layer, e), 0);
		rc = open_it(arg, layer, &img, e);
		if (rc) {
			img_close(layer, NULL);
			return rc;
		}
		rc = vdisk_check(img, true, !pass, e);
		img_close(img, NULL);
	}
	return rc;
}

static uint8_t *make_parent(uint64_t *random)
{
	uint8_t *all = malloc(MAX_SIZE);
	struct img *img;
	struct err e;

	CHECK(all);
	for (size_t i = 0; i < MAX_SIZE; i++)
		all[i] = (uint8_t)fault_random(random);
	CHECK_OK(vdisk_create("parent.vmdk", "monolithicSparse", false, MAX_SIZE,
			      NULL, &e));
	CHECK_OK(vdisk_open("parent.vmdk", IMG_WRITE, &img, &e));
	CHECK_EQ(img_write(img, all, MAX_SIZE, 0), 0);
	CHECK_OK(img_close(img, &e));
	return all;
}

/* How many power cuts until it is found? */
static void find_broken(unsigned invariant, uint64_t seed, uint64_t *random)
{
	struct test t = {
		.parent = true, .zeroed = invariant > 2, .broken = invariant,
		.bare = invariant > 2,
	};
	uint8_t *initial = make_parent(random);
	uint64_t cuts = 0, one = 0;

	while (!one && cuts < 2000) {
		struct powercut p = {
			.what = "a broken driver", .size = MAX_SIZE,
			.unit = t.bare ? BARE_GRAIN : 65536, .cuts = 25,
			.seed = seed + cuts,
			.create = create, .open = open_it, .check = check,
			.arg = &t, .initial = initial,
		};

		one = powercut_find(&p);
		cuts += one ? one : 25;
	}
	free(initial);
	printf("invariant %u broken: found after %llu power cuts\n", invariant,
	       (unsigned long long)cuts);
	CHECK(one);
}

int main(void)
{
	uint64_t seed = model_seed("vmdk power cuts", 0), random = seed;
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0)
			    : getenv("CHECK_ALL") ? 200 : 12;

	unsetenv("SEED");
	scratch_enter();
	for (uint64_t i = 0; i < n; i++) {
		struct test t = {
			.zeroed = i % 3, .parent = i % 2, .bare = i / 2 % 2,
		};
		uint8_t *initial = t.parent ? make_parent(&random) : NULL;
		struct powercut p = {
			.what = t.parent ? "a child" : "a disk",
			.size = MAX_SIZE, .unit = t.bare ? BARE_GRAIN : 65536,
			.cuts = 25, .seed = seed + i, .create = create, .open = open_it,
			.check = check, .arg = &t, .initial = initial,
		};

		powercut_run(&p);
		free(initial);
	}
	for (unsigned invariant = 1; invariant <= 6; invariant++)
		find_broken(invariant, seed, &random);
	return 0;
}
