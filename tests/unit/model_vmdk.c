/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model_vmdk.c - the model test on every kind of VMDK that is written in place,
 * with and without a parent and zeroed grains, by one and by several threads.
 * Whenever it is closed our check is content, and qemu-img often reads the same.
 * time limit: 240 s
 */
#include <errno.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"
#include "tests/lib/scratch.h"
#include "tests/lib/vdisk.h"

#define MAX_SIZE (4u << 20)

struct disk {
	uint64_t random;
	bool has_qemu;
};

static int open_disk(void *arg, struct img **out, struct err *e)
{
	(void)arg;
	return vdisk_open("disk.vmdk", IMG_WRITE, out, e);
}

static int compare_with_qemu(struct img *img, struct err *e)
{
	size_t size = (size_t)img_size(img);
	uint8_t *want = malloc(size + 1), *got = malloc(size + 1);
	FILE *f;
	bool same;

	CHECK(want && got);
	CHECK_EQ(img_read(img, want, size, 0), 0);
	CHECK(!system("qemu-img convert -U -f vmdk -O raw disk.vmdk out.raw"));
	f = fopen("out.raw", "r");
	CHECK(f);
	same = fread(got, 1, size, f) == size && !memcmp(got, want, size);
	fclose(f);
	free(want);
	free(got);
	return same ? 0 : fail(e, EUCLEAN, "qemu-img reads something else");
}

static int check_disk(void *arg, struct err *e)
{
	struct disk *d = arg;
	struct img *img;
	int rc = vdisk_open("disk.vmdk", 0, &img, e);

	if (rc)
		return rc;
	rc = vdisk_check(img, false, false, e);
	if (!rc && d->has_qemu && fault_random(&d->random) % 3 == 0)
		rc = compare_with_qemu(img, e);
	img_close(img, NULL);
	return rc;
}

/* A parent with something in it; what it shows, MAX_SIZE bytes. */
static uint8_t *make_parent(struct disk *d, uint64_t size)
{
	uint8_t *all = calloc(1, MAX_SIZE);
	struct img *img;
	struct err e;

	CHECK(all);
	CHECK_OK(vdisk_create("parent.vmdk", "monolithicSparse", false, size,
			      NULL, &e));
	CHECK_OK(vdisk_open("parent.vmdk", IMG_WRITE, &img, &e));
	for (unsigned i = 0; i < 10; i++) {
		uint64_t at = fault_random(&d->random) % size;
		uint64_t len = 1 + fault_random(&d->random) %
			       min_u64(size - at, 300000);

		memset(all + at, (int)(i + 1), (size_t)len);
		CHECK_EQ(img_write(img, all + at, (size_t)len, at), 0);
	}
	CHECK_OK(img_close(img, &e));
	return all;
}

static void run(struct disk *d, const char *subformat, bool zeroed, bool parent,
		bool threads, uint64_t seed)
{
	uint64_t size = (1 + fault_random(&d->random) % (MAX_SIZE / 512)) * 512;
	struct model m = {
		.what = subformat, .size = size, .unit = 65536, .ops = 400,
		.seed = seed, .no_compressed = true, .no_discard = true,
		.open = open_disk, .check = check_disk, .arg = d,
	};
	uint8_t *initial = NULL;
	struct err e;

	/* Each thread wants some pieces of its own. */
	if (threads && size < MAX_SIZE / 2)
		m.size = size += MAX_SIZE / 2;
	if (parent)
		initial = make_parent(d, 1 + fault_random(&d->random) % size);
	m.initial = initial;
	CHECK_OK(vdisk_create("disk.vmdk", subformat, zeroed, size,
			      parent ? "parent.vmdk" : NULL, &e));
	if (threads)
		model_run_threads(&m, 4);
	else
		model_run(&m);
	free(initial);
}

int main(void)
{
	struct disk d = { .random = model_seed("vmdk", 0) };
	uint64_t seed = d.random;
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0)
			    : getenv("CHECK_ALL") ? 200 : 5;

	unsetenv("SEED");
	scratch_enter();
	d.has_qemu = !system("qemu-img --version >/dev/null 2>&1");
	for (uint64_t i = 0; i < n; i++) {
		run(&d, "monolithicSparse", false, false, false, seed + i);
		run(&d, "monolithicSparse", false, true, false, seed + i);
		run(&d, "monolithicSparse", true, true, false, seed + i);
		run(&d, "twoGbMaxExtentSparse", true, true, false, seed + i);
		run(&d, "monolithicFlat", false, false, false, seed + i);
		run(&d, "twoGbMaxExtentFlat", false, false, true, seed + i);
		run(&d, "monolithicSparse", false, i % 2, true, seed + i);
	}
	return 0;
}
