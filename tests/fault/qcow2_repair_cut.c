/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_repair_cut.c - the power fails while a damaged image is repaired, or
 * while one that was not closed cleanly is opened: at every call, in several
 * ways.  The guest's data is there all the time, and a second repair succeeds.
 *
 * ROUNDS sets how many images are damaged.
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "imgfmt/qcow2/qcow2.h"
#include "tests/check.h"
#include "tests/lib/borrow.h"
#include "tests/lib/model.h"
#include "tests/lib/qdisk.h"

#define MAX_SIZE (400u << 10)
#define CUTS 4

struct patient {
	struct qdisk q;
	struct img *mem;		/* as damaged */
	uint8_t *want;
	uint64_t random;
	bool dirty;			/* repaired by opening it */
	uint64_t nth;			/* the call at which the power fails */
	uint64_t calls;			/* all that were cut so far */
};

static struct err e;
static uint8_t buf[MAX_SIZE];

static uint64_t below(struct patient *p, uint64_t n)
{
	return fault_random(&p->random) % n;
}

static struct img *open_on(struct patient *p, struct img *disk, unsigned flags)
{
	struct img *layer, *img;

	CHECK_OK(borrow(disk, "disk", &layer, &e));
	if (!qdisk_open(&p->q, layer, flags, &img, &e))
		return img;
	img_close(layer, NULL);
	return NULL;
}

static void populate(struct patient *p)
{
	uint64_t size = p->q.shape.size;
	struct img *img = open_on(p, p->mem, IMG_WRITE);

	CHECK(img);
	for (unsigned i = 0; i < 25; i++) {
		uint64_t at = below(p, size);
		uint64_t len = 1 + below(p, min_u64(size - at, 20000));

		memset(buf, (int)i + 1, len);
		if (below(p, 4))
			CHECK_EQ(img_write(img, buf, (size_t)len, at), 0);
		else
			CHECK_EQ(img_zero(img, len, at, 0), 0);
		if (!below(p, 5))
			CHECK_EQ(img_flush(img), 0);
	}
	CHECK_EQ(img_read(img, p->want, (size_t)size, 0), 0);
	CHECK_OK(img_close(img, &e));
}

/* Bytes of the first refcount block, and flags of L1 entries. */
static void damage(struct patient *p)
{
	struct qcow2_header h;
	uint8_t entry[8];
	uint64_t block;

	CHECK_OK(qcow2_header_read(p->mem, 0, &h, &e));
	CHECK_EQ(img_read(p->mem, entry, 8, h.reftable_offset), 0);
	block = get_be64(entry);
	for (uint64_t i = below(p, 30); i; i--) {
		uint8_t byte = (uint8_t)fault_random(&p->random);

		if (below(p, 3))
			byte = 0;
		CHECK_EQ(img_write(p->mem, &byte, 1, block +
				   below(p, min_u64(h.cluster_size, 600))), 0);
	}
	if (!below(p, 4)) {
		/* Or there is no block, which needs a rebuild. */
		memset(entry, 0, 8);
		CHECK_EQ(img_write(p->mem, entry, 8, h.reftable_offset), 0);
	}
	for (uint32_t i = 0; i < h.l1_size && !below(p, 2); i++) {
		CHECK_EQ(img_read(p->mem, entry, 8, h.l1_offset + i * 8), 0);
		entry[0] ^= 0x80;
		if (get_be64(entry) & QCOW2_OFFSET_MASK)
			CHECK_EQ(img_write(p->mem, entry, 8,
					   h.l1_offset + i * 8), 0);
	}
	if (p->dirty) {
		put_be64(entry, h.incompat | QCOW2_INCOMPAT_DIRTY);
		CHECK_EQ(img_write(p->mem, entry, 8, QCOW2_H_INCOMPAT), 0);
	}
	qcow2_header_free(&h);
}

static void expect(struct patient *p, struct img *disk, const char *when)
{
	uint64_t size = p->q.shape.size;
	struct img *img = open_on(p, disk, 0);

	if (img && !img_read(img, buf, (size_t)size, 0) &&
	    !memcmp(buf, p->want, size)) {
		img_close(img, NULL);
		return;
	}
	fprintf(stderr, "%s: %s, call %" PRIu64 "%s: %s: %s\n",
		p->q.shape.text, p->dirty ? "opening" : "repairing", p->nth,
		when, img ? "holds something else" : "does not open", e.text);
	exit(1);
}

static void repair(struct patient *p, struct img *disk)
{
	struct img_check check = { .fix_leaks = true, .fix_errors = true };
	struct img *img = open_on(p, disk, IMG_WRITE |
				  (p->dirty ? 0 : IMG_REPAIR));

	if (!img)
		return;
	if (!p->dirty)
		img_check(img, &check, &e);
	img_close(img, NULL);
}

static void look(struct patient *p, struct img *disk)
{
	expect(p, disk, " (cut)");
	if (p->dirty)
		repair(p, disk);
	else
		CHECK_OK(qdisk_check(&p->q, disk, QDISK_FIX_ALL, &e));
	CHECK_OK(qdisk_check(&p->q, disk, 0, &e));
	expect(p, disk, " (cut, repaired)");
}

/* Returns false when the repair needs fewer calls. */
static bool cut_at(struct patient *p)
{
	struct fault_plan plan = {
		.kinds = FAULT_CHANGES | FAULT_FLUSH, .nth = p->nth,
		.errnum = EIO, .lasting = true, .torn = true, .seed = p->nth,
	};
	struct img *copy, *disk, *after;
	bool reached;

	CHECK_OK(fault_copy(p->mem, &copy, &e));
	CHECK_OK(fault_new(copy, FAULT_RECORD, &disk, &e));
	fault_set(disk, &plan);
	repair(p, disk);
	reached = fault_failures(disk);
	for (unsigned i = 0; i < CUTS; i++) {
		CHECK_OK(fault_power_cut(disk, fault_random(&p->random),
					 &after, &e));
		look(p, after);
		CHECK_OK(img_close(after, &e));
	}
	CHECK_OK(img_close(disk, &e));
	p->calls += reached;
	return reached;
}

static void treat(struct patient *p)
{
	struct qdisk_shape g;

	qdisk_choose(&g, &p->random, 13, MAX_SIZE);
	g.data_file = g.data_raw = false;
	p->dirty = g.version >= 3 && below(p, 2);
	qdisk_describe(&g);
	qdisk_init(&p->q, &g, MAX_SIZE, &p->random);
	p->want = malloc(MAX_SIZE);
	CHECK(p->want);
	CHECK_OK(img_memory(0, &p->mem, &e));
	CHECK_OK(qdisk_create(&p->q, p->mem, &e));
	populate(p);
	damage(p);
	p->nth = 1;
	while (cut_at(p))
		p->nth++;
	CHECK_OK(img_close(p->mem, &e));
	qdisk_fini(&p->q);
	free(p->want);
}

int main(void)
{
	struct patient p = { .random = model_seed("qcow2 repairs", 0) };
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0)
			    : getenv("CHECK_ALL") ? 500 : 50;

	for (uint64_t i = 0; i < n; i++)
		treat(&p);
	printf("%" PRIu64 " images, %" PRIu64 " calls cut\n", n, p.calls);
	CHECK(p.calls > 2 * n || n < 5);
	return 0;
}
