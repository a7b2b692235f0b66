/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_read.c - VMDK files of every kind, whole and damaged. */
#include <errno.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"
#include "imgfmt/vmdk/state.h"
#include "tests/check.h"
#include "tests/lib/vmdkmake.h"

static struct err e;

static int open_on(struct img *file, struct img **out)
{
	struct img_open_args args = { .format = NULL };
	int rc = img_stack(file, &args, out, &e);

	if (rc)
		img_close(file, NULL);
	return rc;
}

/* The whole disk, in pieces of many sizes. */
static void check_content(struct img *img)
{
	static uint8_t buf[VMDKMAKE_SIZE];

	CHECK_EQ(img_size(img), VMDKMAKE_SIZE);
	for (size_t n = VMDKMAKE_SIZE; n; n = n * 2 / 5)
		for (size_t at = 0; at < VMDKMAKE_SIZE; at += n) {
			size_t len = min_u64(n, VMDKMAKE_SIZE - at);

			CHECK_EQ(img_read(img, buf, len, at), 0);
			for (size_t i = 0; i < len; i++)
				CHECK_EQ(buf[i], vmdkmake_byte(at + i));
		}
}

static void check_map(struct img *img, enum vmdkmake_kind kind)
{
	bool stream = kind >= VMDKMAKE_STREAM && kind <= VMDKMAKE_STREAM_BARE;
	struct img_extent ext;

	for (uint64_t at = 0; at < VMDKMAKE_SIZE; at += ext.len) {
		uint64_t unit = at / VMDKMAKE_UNIT;
		unsigned want = stream ? IMG_EXT_COMPRESSED : 0;

		CHECK_EQ(img_map_layer(img, at, VMDKMAKE_SIZE - at, &ext), 0);
		if (unit % 3 == 0)
			want = IMG_EXT_HOLE;
		else if (unit % 3 == 2 && !stream && kind != VMDKMAKE_COWD)
			want = IMG_EXT_ZERO;
		CHECK_EQ(ext.flags, want);
	}
}

static void every_kind(void)
{
	for (unsigned kind = 0; kind < VMDKMAKE_N; kind++) {
		struct img *img;

		CHECK_OK(open_on(vmdkmake(kind), &img));
		CHECK_STR(img_format(img), "vmdk");
		check_content(img);
		check_map(img, kind);
		CHECK_OK(img_close(img, &e));
	}
}

/* Overwrite bytes at `at`, and see that the disk reads as before. */
static void survives(enum vmdkmake_kind kind, uint64_t at, const void *bytes,
		     size_t len)
{
	struct img *file = vmdkmake(kind), *img;

	CHECK_EQ(img_write(file, bytes, len, at), 0);
	CHECK_OK(open_on(file, &img));
	check_content(img);
	img_close(img, NULL);
}

/* The same, but it must be refused, at once or when reading, saying `say`. */
static void refused(enum vmdkmake_kind kind, uint64_t at, const void *bytes,
		    size_t len, int want, const char *say)
{
	struct img *file = vmdkmake(kind), *img;
	static uint8_t buf[VMDKMAKE_SIZE];
	int rc;

	CHECK_EQ(img_write(file, bytes, len, at), 0);
	e.text[0] = 0;
	rc = open_on(file, &img);
	if (!rc) {
		CHECK(!say);
		rc = img_read(img, buf, sizeof(buf), 0);
		img_close(img, NULL);
	}
	CHECK_EQ(rc, want);
	if (say && !strstr(e.text, say)) {
		fprintf(stderr, "'%s' does not say '%s'\n", e.text, say);
		exit(1);
	}
}

static void second_directory(void)
{
	static const uint8_t zero[512], far[8] = {
		0xfe, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff,
	};

	/* The header's pointer, entries of the directory, of a table. */
	survives(VMDKMAKE_SPARSE, 56, far, 8);
	survives(VMDKMAKE_SPARSE, 56, zero, 8);
	survives(VMDKMAKE_SPARSE, VMDKMAKE_GD * 512, far, 8);
	survives(VMDKMAKE_SPARSE, VMDKMAKE_GD * 512, zero, 512);
	survives(VMDKMAKE_SPARSE, VMDKMAKE_GT * 512 + 4, far, 4);
	/* The second one is not needed. */
	survives(VMDKMAKE_SPARSE, 48, far, 8);
	survives(VMDKMAKE_SPARSE, VMDKMAKE_RGD * 512, far, 8);
	survives(VMDKMAKE_SPARSE, VMDKMAKE_RGT * 512, far, 8);
	/* Without the flag there is none. */
	refused(VMDKMAKE_STREAM_FRONT, 56, far, 8, -EUCLEAN, "directory");
	refused(VMDKMAKE_STREAM_FRONT, VMDKMAKE_GD * 512, far, 4, -EUCLEAN,
		NULL);
	refused(VMDKMAKE_STREAM_FRONT, VMDKMAKE_GT * 512 + 4, far, 4, -EUCLEAN,
		NULL);
}

static void bad_headers(void)
{
	static const uint8_t big[8] = { 0, 0, 0, 0, 0, 0, 0, 0x80 };

	refused(VMDKMAKE_SPARSE, 4, "\4", 1, -ENOTSUP, "version");
	refused(VMDKMAKE_SPARSE, 4, "\0", 1, -ENOTSUP, "version");
	refused(VMDKMAKE_SPARSE, 12, big, 8, -EUCLEAN, "capacity");
	refused(VMDKMAKE_SPARSE, 20, "\0", 1, -EUCLEAN, "grain size");
	refused(VMDKMAKE_SPARSE, 20, "\11", 1, -EUCLEAN, "grain size");
	refused(VMDKMAKE_SPARSE, 20, big, 8, -EUCLEAN, "grain size");
	refused(VMDKMAKE_SPARSE, 44, "\0", 1, -EUCLEAN, "grain table");
	refused(VMDKMAKE_SPARSE, 44, big, 4, -EUCLEAN, "grain table");
	refused(VMDKMAKE_SPARSE, 75, "\n\n", 2, -EUCLEAN, "as text");
	refused(VMDKMAKE_SPARSE, 36, big, 8, -EUCLEAN, "descriptor");
	refused(VMDKMAKE_SPARSE, 28, "\0", 1, -EINVAL, "one extent");
	refused(VMDKMAKE_STREAM_FRONT, 77, "\2", 1, -ENOTSUP, "compression");
	/* Entry 1 needs a version that knows it. */
	refused(VMDKMAKE_SPARSE, 4, "\1\0\0\0\3", 5, -EUCLEAN, NULL);
	refused(VMDKMAKE_COWD, 4, "\2", 1, -ENOTSUP, "version");
	refused(VMDKMAKE_COWD, 16, "\3", 1, -EUCLEAN, "grain size");
	refused(VMDKMAKE_COWD, 22, "\1", 1, -EUCLEAN, "directory");
	refused(VMDKMAKE_COWD, 24, "\0", 1, -EUCLEAN, "directory");
	refused(VMDKMAKE_SESPARSE, 8, "\2", 1, -ENOTSUP, "version");
	refused(VMDKMAKE_SESPARSE, 16, big, 8, -EUCLEAN, "capacity");
	refused(VMDKMAKE_SESPARSE, 32, "\3", 1, -EUCLEAN, "grain table");
	refused(VMDKMAKE_SESPARSE, 128, big, 8, -EUCLEAN, "directories");
	refused(VMDKMAKE_SESPARSE, 136, "\0", 1, -EUCLEAN, "directory");
	refused(VMDKMAKE_SESPARSE, 512, "x", 1, -EUCLEAN, "volatile");
	refused(VMDKMAKE_SESPARSE, 512 + 24, "\1", 1, -ENOTSUP, "journal");
	refused(VMDKMAKE_SESPARSE, 1024 + 7, "\x20", 1, -EUCLEAN, NULL);
	refused(VMDKMAKE_SESPARSE, 4 * 512 + 8 + 7, "\x40", 1, -EUCLEAN, NULL);
	refused(VMDKMAKE_SESPARSE, 4 * 512 + 8 + 4, "\xff", 1, -EUCLEAN, NULL);
}

/* A capacity of 2.2e18 bytes and little else must not cost memory. */
static void huge_capacity(void)
{
	struct img *file = vmdkmake(VMDKMAKE_SPARSE), *img;
	uint8_t n[8];

	put_le64(n, 2200000000000000000ull);
	CHECK_EQ(img_write(file, n, 8, 12), 0);
	CHECK_EQ(open_on(file, &img), -EUCLEAN);
	file = vmdkmake(VMDKMAKE_SPARSE);
	put_le64(n, 2200000000000000000ull / 512);
	CHECK_EQ(img_write(file, n, 8, 12), 0);
	CHECK_EQ(open_on(file, &img), -EUCLEAN);
	CHECK(strstr(e.text, "grain directory"));
}

static void cut_to(enum vmdkmake_kind kind, uint64_t len, struct img **file)
{
	*file = vmdkmake(kind);
	CHECK_OK(img_truncate(*file, len, &e));
}

static void cut_streams(void)
{
	struct img *file = vmdkmake(VMDKMAKE_STREAM), *img;
	uint64_t len = img_size(file);

	img_close(file, NULL);
	/* Every cut is refused; only the end mark may be missing. */
	for (uint64_t cut = 512; cut < len; cut += 256) {
		cut_to(VMDKMAKE_STREAM, cut, &file);
		if (cut >= len - 512) {
			CHECK_OK(open_on(file, &img));
			check_content(img);
			img_close(img, NULL);
			continue;
		}
		CHECK_EQ(open_on(file, &img), -EUCLEAN);
	}
	/* In the second grain: unit 1 is whole. */
	cut_to(VMDKMAKE_STREAM, (VMDKMAKE_GRAINS + 1) * 512 + 20, &file);
	CHECK_EQ(open_on(file, &img), -EUCLEAN);
	CHECK(strstr(e.text, "cut off at byte 8704 of 8724"));
	CHECK(strstr(e.text, "1 grains are whole"));
	CHECK(strstr(e.text, "byte 8192 of the disk's 42496"));
	/* The directory is whole, what it points to is not. */
	file = vmdkmake(VMDKMAKE_STREAM_FRONT);
	len = img_size(file);
	img_close(file, NULL);
	for (uint64_t cut = 9 * 512 + 1; cut <= len; cut += 100) {
		cut_to(VMDKMAKE_STREAM_FRONT, cut, &file);
		CHECK_EQ(open_on(file, &img), -EUCLEAN);
		CHECK(strstr(e.text, cut < 11 * 512 ? "" : "cut off"));
		cut_to(VMDKMAKE_STREAM_BARE, min_u64(cut, len - 512), &file);
		CHECK_EQ(open_on(file, &img), -EUCLEAN);
	}
	cut_to(VMDKMAKE_STREAM_FRONT, (VMDKMAKE_GRAINS + 1) * 512 + 20, &file);
	CHECK_EQ(open_on(file, &img), -EUCLEAN);
	CHECK(strstr(e.text, "byte 8192 of the disk's 42496"));
	/* Something behind the stream. */
	file = vmdkmake(VMDKMAKE_STREAM);
	CHECK_EQ(img_write(file, "tail", 4, img_size(file) + 4000), 0);
	CHECK_OK(open_on(file, &img));
	check_content(img);
	img_close(img, NULL);
}

static void bad_grains(void)
{
	uint64_t at = VMDKMAKE_GRAINS * 512;

	/* The place, the length, the data. */
	refused(VMDKMAKE_STREAM, at, "\1", 1, -EUCLEAN, NULL);
	refused(VMDKMAKE_STREAM, at + 10, "\1", 1, -EUCLEAN, NULL);
	refused(VMDKMAKE_STREAM, at + 8, "\0", 1, -EUCLEAN, NULL);
	refused(VMDKMAKE_STREAM, at + 15, "xxxx", 4, -EUCLEAN, NULL);
	refused(VMDKMAKE_STREAM_BARE, at + 3, "xxxx", 4, -EUCLEAN, NULL);
}

/* Does a name alone tell which descriptor belongs to an extent? */
static void lone_extents(void)
{
	static const char *const names[][2] = {
		{ "a/d-s001.vmdk", "'a/d.vmdk'" },
		{ "d-f012.vmdk", "'d.vmdk'" },
		{ "d-flat.vmdk", "'d.vmdk'" }, { "d-DELTA.VMDK", "'d.VMDK'" },
		{ "d-000001-sesparse.vmdk", "'d-000001.vmdk'" },
		{ "d-s001.raw", "open the disk's descriptor" },
		{ "x", "open the disk's descriptor" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct img_open_args args = { .format = "vmdk" };
		struct img *file = vmdkmake(VMDKMAKE_SPARSE), *img;

		CHECK_EQ(img_write(file, "\0\0\0\0\0\0\0\0", 8, 28), 0);
		free(file->name);
		file->name = strdup(names[i][0]);
		CHECK_EQ(img_stack(file, &args, &img, &e), -EINVAL);
		CHECK(strstr(e.text, names[i][1]));
		img_close(file, NULL);
	}
}

/* More tables than are remembered. */
static void many_tables(void)
{
	const uint32_t n = 8192, grains = 1u << 20, grain_sectors = 128;
	struct vmdk_header h = {
		.version = 1, .flags = VMDK_FLAG_NEWLINES,
		.capacity = (uint64_t)n * 512 * grain_sectors,
		.grain = grain_sectors, .desc_offset = 1, .desc_size = 1,
		.n_gtes = 512, .gd = 8, .overhead = grains,
	};
	static const char text[] = "CID=1\nRW 536870912 SPARSE \"x\"\n";
	static uint8_t gt[2048];
	struct img *file, *img;
	uint8_t buf[VMDK_HEADER_LEN];

	CHECK_OK(img_memory(0, &file, &e));
	vmdk_header_encode(&h, buf);
	CHECK_EQ(img_write(file, buf, sizeof(buf), 0), 0);
	CHECK_EQ(img_write(file, text, sizeof(text), 512), 0);
	for (uint32_t i = 0; i < n; i++) {
		put_le32(buf, 128 + i * 4);
		CHECK_EQ(img_write(file, buf, 4, 8 * 512 + i * 4), 0);
		put_le32(gt + 4 * 7, grains + i % 16 * grain_sectors);
		CHECK_EQ(img_write(file, gt, sizeof(gt), (128 + i * 4) * 512),
			 0);
	}
	for (uint32_t i = 0; i < 16 * 128; i++) {
		memset(buf, (int)(i / 128 + 1), 512);
		CHECK_EQ(img_write(file, buf, 512, (grains + i) * 512ull), 0);
	}
	CHECK_OK(open_on(file, &img));
	for (uint32_t i = 0; i < 3 * n; i++) {
		uint64_t table = i * 2654435761u % n;

		CHECK_EQ(img_read(img, buf, 2, (table * 512 + 7) *
				  grain_sectors * 512), 0);
		CHECK_EQ(buf[0], table % 16 + 1);
		CHECK(((struct vmdk *)img->state)->cache.bytes <= VMDK_CACHE);
	}
	img_close(img, NULL);
}

int main(void)
{
	every_kind();
	lone_extents();
	many_tables();
	second_directory();
	bad_headers();
	huge_capacity();
	cut_streams();
	bad_grains();
	return 0;
}
