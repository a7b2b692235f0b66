/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_read.c - reading a disk in a package while each allocation, and each read
 * below, fails once: the right bytes, or the error.
 */
#include <errno.h>
#include <jansson.h>
#include <zlib.h>

#include "convert/ova/tarhead.h"
#include "imgfmt/fault.h"
#include "imgfmt/ova/manifest.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/sheet.h"

#define SIZE 300000u
#define PIECE 20000u

static uint8_t content[SIZE];
static uint8_t package[2 * SIZE];
static size_t package_len;

static void add(const char *name, const void *data, size_t len)
{
	tarhead_make(package + package_len, name, len, 0);
	memcpy(package + package_len + 512, data, len);
	package_len += 512 + (len + 511) / 512 * 512;
	CHECK(package_len + 2 * SIZE / 10 < sizeof(package));
}

/* A disk, compressed or not, in pieces. */
static void add_disk(bool gzip)
{
	static uint8_t packed[SIZE + 1000];
	z_stream z = { 0 };
	char name[40];

	CHECK_EQ(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY),
		 Z_OK);
	z.next_in = content;
	z.avail_in = SIZE;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
	for (unsigned i = 0; i * PIECE < (gzip ? z.total_out : SIZE); i++) {
		size_t left = (gzip ? z.total_out : SIZE) - i * PIECE;

		snprintf(name, sizeof(name), "d.raw.%s%09u", gzip ? "gz." : "",
			 i);
		add(name, (gzip ? packed : content) + i * PIECE,
		    (size_t)min_u64(PIECE, left));
	}
	deflateEnd(&z);
}

static void make(bool gzip)
{
	/* Of "abc". */
	static const char manifest[] = "SHA1(d.ovf)= "
		"a9993e364706816aba3e25717850c26c9cd0d89d\n";

	uint64_t seed = 1;

	package_len = 0;
	memset(package, 0, sizeof(package));
	for (unsigned i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(sheet_random(&seed) & 0x3f);
	add("d.ovf", "abc", 3);
	add("d.mf", manifest, strlen(manifest));
	add_disk(gzip);
	add("odd", "what is this?", 13);
}

static struct img *memory(void)
{
	struct img *mem;

	CHECK_EQ(img_memory(package_len, &mem, NULL), 0);
	CHECK_EQ(img_write(mem, package, package_len, 0), 0);
	return mem;
}

static int use(struct img *img)
{
	static uint8_t buf[SIZE];
	struct img_verify verify = { 0 };
	struct img_info info;
	struct err e = { "" };
	int rc = 0;

	CHECK_EQ(img_size(img), SIZE);
	for (uint32_t at = 0; at < SIZE && !rc; at += 90000)
		rc = img_read(img, buf + at, min_u64(90000, SIZE - at), at);
	if (!rc)
		CHECK(!memcmp(buf, content, SIZE));
	if (!rc)
		rc = img_verify(img, &verify, &e);
	CHECK(rc != -EUCLEAN);
	if (!rc) {
		CHECK(verify.has_digests);
		rc = img_info(img, &info, &e);
		json_decref(rc ? NULL : info.specific);
	}
	return rc;
}

static int run(struct img *file)
{
	struct img_open_args args = { 0 };
	struct img *img;
	struct err e = { "" };
	int rc = img_stack(file, &args, &img, &e);

	if (rc) {
		CHECK(e.text[0]);
		img_close(file, NULL);
		return rc;
	}
	CHECK_STR(img_format(img), "ova");
	rc = use(img);
	img_close(img, NULL);
	return rc;
}

static void fail_allocations(void)
{
	uint64_t n = 0, total;

	do {
		struct img *file = memory();
		int rc;

		alloc_fail(++n);
		rc = run(file);
		total = alloc_fail(0);
		CHECK_EQ(rc, n <= total ? -ENOMEM : 0);
	} while (n <= total);
	CHECK(total > 20);
}

static void fail_reads(void)
{
	unsigned failed = 0;
	int rc;

	do {
		struct fault_plan plan = {
			.kinds = FAULT_READ, .nth = failed + 1, .errnum = EIO,
			.torn = true, .seed = failed,
		};
		struct img *disk;

		CHECK_EQ(fault_new(memory(), 0, &disk, NULL), 0);
		fault_set(disk, &plan);
		rc = run(disk);
		CHECK(!rc || rc == -EIO);
		failed += rc != 0;
	} while (rc);
	CHECK(failed > 20);
}

int main(void)
{
	for (unsigned gzip = 0; gzip < 2; gzip++) {
		make(gzip);
		fail_allocations();
		fail_reads();
	}
	return 0;
}
