/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qdisk.c - qcow2 images of random geometry, for the tests that hurt them. */
#include "tests/lib/qdisk.h"

#include <errno.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/borrow.h"

static const char *const prealloc_names[] = { "off", "metadata", "falloc",
					      "full" };

static uint64_t pick(uint64_t *random, uint64_t n)
{
	return fault_random(random) % n;
}

void qdisk_describe(struct qdisk_shape *g)
{
	snprintf(g->text, sizeof(g->text), "qcow2 v%u 2^%u refcount %u%s%s%s%s%s "
		 "depth %u %s size %" PRIu64, g->version, g->cluster_bits,
		 g->refcount_bits, g->extl2 ? " extl2" : "",
		 g->zstd ? " zstd" : "", g->data_file ? " data" : "",
		 g->data_raw ? " raw" : "", g->lazy ? " lazy" : "", g->depth,
		 g->prealloc, g->size);
}

void qdisk_choose(struct qdisk_shape *g, uint64_t *random, unsigned most_bits,
		  uint64_t max_size)
{
	unsigned few = pick(random, 3) && most_bits > 16 ? 16 : most_bits;

	*g = (struct qdisk_shape){
		.version = pick(random, 4) ? 3 : 2, .refcount_bits = 16,
		.cluster_bits = 9 + (unsigned)pick(random, few - 8),
		.prealloc = "off",
	};
	g->depth = pick(random, 3) ? 0 : 1 + (unsigned)pick(random, 3);
	if (g->version == 3) {
		g->refcount_bits = 1u << pick(random, 7);
		g->extl2 = g->cluster_bits >= 14 && pick(random, 2);
		g->zstd = pick(random, 2);
		g->lazy = pick(random, 4) == 0;
		g->data_file = pick(random, 5) == 0;
		g->data_raw = g->data_file && !g->depth && pick(random, 2);
	}
	if (!pick(random, 3) && (!g->depth || g->extl2))
		g->prealloc = prealloc_names[pick(random, 4)];
	g->size = (pick(random, 4) ? pick(random, max_size / 512) + 1
				   : (pick(random, max_size / 32768) + 1) * 64);
	g->size *= 512;
	qdisk_describe(g);
}

static void add(struct qdisk_options *o, const char *key, const char *value)
{
	o->kv[o->n++] = (struct img_kv){ key, value };
}

void qdisk_options(const struct qdisk_shape *g, struct qdisk_options *o)
{
	*o = (struct qdisk_options){ .n = 0 };
	snprintf(o->cluster, sizeof(o->cluster), "%u", 1u << g->cluster_bits);
	snprintf(o->bits, sizeof(o->bits), "%u", g->refcount_bits);
	add(o, "compat", g->version == 2 ? "0.10" : "1.1");
	add(o, "cluster_size", o->cluster);
	add(o, "refcount_bits", o->bits);
	add(o, "extended_l2", g->extl2 ? "on" : "off");
	add(o, "compression_type", g->zstd ? "zstd" : "zlib");
	add(o, "preallocation", g->prealloc);
	add(o, "lazy_refcounts", g->lazy ? "on" : "off");
	if (g->data_file) {
		add(o, "data_file", "disk.data");
		add(o, "data_file_raw", g->data_raw ? "on" : "off");
	}
}

static int answer(void *arg, const char *referrer, const char *name,
		  const char *format, unsigned flags,
		  const struct img_resolver *self, struct img **out,
		  struct err *e)
{
	struct qdisk *q = arg;
	struct img_open_args args = {
		.format = format, .flags = flags, .resolver = self,
	};
	struct img *to = q->data, *layer;
	int rc;

	(void)referrer;
	if (!strncmp(name, "back", 4))
		to = q->backing[name[4] - '0'];
	CHECK(to);
	rc = borrow(to, name, &layer, e);
	if (rc)
		return rc;
	rc = img_stack(layer, &args, out, e);
	if (rc)
		img_close(layer, NULL);
	return rc;
}

static struct img_resolver resolver(struct qdisk *q)
{
	return (struct img_resolver){ .open = answer, .arg = q };
}

int qdisk_open(struct qdisk *q, struct img *disk, unsigned flags,
	       struct img **out, struct err *e)
{
	struct img_resolver r = resolver(q);
	struct img_open_args args = {
		.format = "qcow2", .flags = flags, .resolver = &r,
	};

	return img_stack(disk, &args, out, e);
}

static int create(struct qdisk *q, struct img *disk,
		  const struct qdisk_shape *g, const char *backing,
		  struct err *e)
{
	struct img_resolver r = resolver(q);
	struct qdisk_options o;
	struct img_create_args args = {
		.format = "qcow2", .size = g->size, .resolver = &r,
		.backing = backing, .backing_format = backing ? "qcow2" : NULL,
	};

	qdisk_options(g, &o);
	args.options = o.kv;
	args.n_options = o.n;
	return img_create(disk, &args, e);
}

int qdisk_create(struct qdisk *q, struct img *disk, struct err *e)
{
	return create(q, disk, &q->shape, q->shape.depth ? "back0" : NULL, e);
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "  %s\n", line);
}

int qdisk_check(struct qdisk *q, struct img *disk, unsigned options,
		struct err *e)
{
	struct img_check check = {
		.fix_leaks = options & (QDISK_FIX_LEAKS | QDISK_FIX_ALL),
		.fix_errors = options & QDISK_FIX_ALL,
		.report = getenv("VERBOSE") ? print_line : NULL,
	};
	bool fix = check.fix_leaks;
	struct img *layer, *img;
	int rc;

	rc = borrow(disk, "disk", &layer, e);
	if (rc)
		return rc;
	rc = qdisk_open(q, layer, IMG_NO_DATA |
			(fix ? IMG_WRITE | IMG_REPAIR : 0), &img, e);
	if (rc) {
		img_close(layer, NULL);
		return rc;
	}
	rc = img_check(img, &check, e);
	if (rc)
		img_close(img, NULL);
	else
		rc = img_close(img, e);
	if (rc)
		return rc;
	if (check.check_errors ||
	    check.corruptions > check.corruptions_fixed ||
	    (!(options & QDISK_LEAKS_OK) && check.leaks > check.leaks_fixed))
		return fail(e, EUCLEAN, "%" PRIu64 " corruptions, %" PRIu64
			    " fixed, %" PRIu64 " leaks, %" PRIu64 " fixed, %"
			    PRIu64 " errors", check.corruptions,
			    check.corruptions_fixed, check.leaks,
			    check.leaks_fixed, check.check_errors);
	return 0;
}

/* Some runs of data and zeroes, at random places. */
static void scribble(struct img *img, uint64_t *random)
{
	static uint8_t buf[20000];
	uint64_t size = img_size(img);

	for (unsigned i = 0; i < 12; i++) {
		uint64_t at = pick(random, size);
		size_t len = (size_t)min_u64(size - at,
					     1 + pick(random, sizeof(buf)));

		for (size_t k = 0; k < len; k++)
			buf[k] = (uint8_t)fault_random(random);
		if (pick(random, 4))
			CHECK_EQ(img_write(img, buf, len, at), 0);
		else
			CHECK_EQ(img_zero(img, len, at, 0), 0);
	}
}

static void make_backing(struct qdisk *q, unsigned i, uint64_t max_size,
			 uint64_t *random)
{
	char next[] = { 'b', 'a', 'c', 'k', (char)('1' + i), 0 };
	struct img *layer, *img;
	struct qdisk_shape g;
	struct err e;

	qdisk_choose(&g, random, 16, max_size);
	g.prealloc = "off";
	g.data_file = g.data_raw = false;
	CHECK_OK(img_memory(0, &q->backing[i], &e));
	CHECK_OK(create(q, q->backing[i], &g,
			i + 1 < q->shape.depth ? next : NULL, &e));
	CHECK_OK(borrow(q->backing[i], "back", &layer, &e));
	CHECK_OK(qdisk_open(q, layer, IMG_WRITE, &img, &e));
	scribble(img, random);
	if (!i) {
		q->initial = calloc(1, max_size);
		CHECK(q->initial);
		CHECK_OK(img_read(img, q->initial, (size_t)min_u64(max_size,
				  img_size(img)), 0));
	}
	CHECK_OK(img_close(img, &e));
}

void qdisk_init(struct qdisk *q, const struct qdisk_shape *shape,
		uint64_t max_size, uint64_t *random)
{
	*q = (struct qdisk){ .shape = *shape };
	for (unsigned i = shape->depth; i--; )
		make_backing(q, i, max_size, random);
}

void qdisk_fini(struct qdisk *q)
{
	for (unsigned i = 0; i < QDISK_MAX_DEPTH; i++)
		img_close(q->backing[i], NULL);
	free(q->initial);
}
