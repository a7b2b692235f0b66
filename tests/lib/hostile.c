/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostile.c - small qcow2 images to be damaged, and doing everything with them
 * that can be done.
 */
#include "tests/lib/hostile.h"

#include <errno.h>
#include <jansson.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"

static struct err e;

static void put_compressed(struct img *img, uint64_t offset)
{
	uint32_t unit = img_compress_unit(img);
	uint8_t *buf = calloc(2, unit);
	struct img_codec *codec;
	size_t len;

	CHECK(buf);
	memset(buf, 7, unit / 2);
	CHECK_OK(img_codec_new(img, 0, &codec, &e));
	CHECK_EQ(img_compress(codec, buf, unit, buf + unit, &len), 0);
	CHECK_EQ(img_write_compressed(img, buf + unit, len, offset), 0);
	img_codec_free(codec);
	free(buf);
}

struct img *hostile_make(unsigned kind)
{
	static const struct img_kv options[HOSTILE_KINDS][3] = {
		{ { "cluster_size", "512" }, { "refcount_bits", "16" },
		  { "compat", "1.1" } },
		{ { "cluster_size", "16k" }, { "extended_l2", "on" },
		  { "refcount_bits", "1" } },
		{ { "cluster_size", "4k" }, { "compression_type", "zstd" },
		  { "refcount_bits", "64" } },
		{ { "cluster_size", "4k" }, { "compat", "0.10" },
		  { "preallocation", "metadata" } },
		{ { "cluster_size", "64k" }, { "lazy_refcounts", "on" },
		  { "compat", "1.1" } },
	};
	struct img_create_args args = {
		.format = "qcow2", .size = HOSTILE_SIZE, .options = options[kind],
		.n_options = 3,
	};
	struct img_open_args open = { .format = "qcow2", .flags = IMG_WRITE };
	static uint8_t data[20000];
	struct img *mem, *img;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(img_create(mem, &args, &e));
	CHECK_OK(img_stack(mem, &open, &img, &e));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i >> 3);
	CHECK_EQ(img_write(img, data, sizeof(data), 3000), 0);
	if (kind != 3) {
		put_compressed(img, 128 << 10);
		if (img_compress_unit(img) < 65536)
			put_compressed(img, 144 << 10);
	}
	CHECK_EQ(img_zero(img, 20000, 64 << 10, 0), 0);
	CHECK_OK(img_close_layer(img, &e));
	return mem;
}

static uint64_t below(uint64_t *random, uint64_t n)
{
	return fault_random(random) % n;
}

static void look_at(struct img *img)
{
	uint64_t size = min_u64(img_size(img), 4 << 20), pos = 0;
	static uint8_t buf[65536];
	struct img_info info;
	struct img_extent x;

	while (pos < size && !img_map(img, pos, size - pos, &x)) {
		CHECK(x.len && x.len <= size - pos);
		pos += x.len;
	}
	for (pos = 0; pos < size; pos += sizeof(buf))
		img_read(img, buf, (size_t)min_u64(sizeof(buf), size - pos), pos);
	if (size > 5000)
		img_read(img, buf, 1000, size - 4000);
	if (!img_info(img, &info, &e)) {
		json_decref(info.specific);
		json_decref(info.snapshots);
	}
}

static void scribble(struct img *img, uint64_t *random)
{
	static const uint8_t data[30000];

	for (unsigned i = 0; i < 12 && img_size(img) > 40000; i++) {
		uint64_t most = min_u64(img_size(img), 4 << 20) - 30000;
		size_t len = 1 + below(random, 30000);

		if (i % 3 == 0)
			img_zero(img, len, below(random, most), 0);
		else if (i % 3 == 1)
			img_discard(img, len, below(random, most));
		else
			img_write(img, data, len, below(random, most));
		if (i % 5 == 0)
			img_flush(img);
	}
	img_resize(img, HOSTILE_SIZE * 3, "metadata", &e);
	img_resize(img, HOSTILE_SIZE / 2, NULL, &e);
}

static void check(struct img *img, bool repair)
{
	struct img_check c = { .fix_errors = repair, .fix_leaks = repair };

	img_check(img, &c, &e);
}

void hostile_use(struct img *mem, unsigned flags, uint64_t *random)
{
	struct img_open_args args = { .format = "qcow2", .flags = flags };
	struct img *copy, *img;

	CHECK_OK(fault_copy(mem, &copy, &e));
	if (img_stack(copy, &args, &img, &e)) {
		CHECK(e.text[0]);
		CHECK_OK(img_close(copy, &e));
		return;
	}
	if (flags & IMG_REPAIR)
		check(img, flags & IMG_WRITE);
	look_at(img);
	if (flags & IMG_WRITE)
		scribble(img, random);
	img_close(img, NULL);
}
