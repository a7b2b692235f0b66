/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdkmake.c - small VMDK files of every kind.  Specification: VMware, Virtual
 * Disk Format 5.0.
 */
#include <zlib.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "vmdkmake.h"

#define UNITS ((VMDKMAKE_SIZE + VMDKMAKE_UNIT - 1) / VMDKMAKE_UNIT)
#define GTES 4u			/* entries of a table of a hosted extent */
#define TABLES ((UNITS + GTES - 1) / GTES)
#define UNIT_SECTORS (VMDKMAKE_UNIT / 512)

static void put(struct img *f, uint64_t offset, const void *data, size_t len)
{
	CHECK_EQ(img_write(f, data, len, offset), 0);
}

static void put32(struct img *f, uint64_t offset, uint32_t n)
{
	uint8_t b[4];

	put_le32(b, n);
	put(f, offset, b, sizeof(b));
}

static void put64(struct img *f, uint64_t offset, uint64_t n)
{
	uint8_t b[8];

	put_le64(b, n);
	put(f, offset, b, sizeof(b));
}

uint8_t vmdkmake_byte(uint64_t offset)
{
	uint64_t unit = offset / VMDKMAKE_UNIT;

	return unit % 3 == 1 ? (uint8_t)('a' + unit) : 0;
}

static void put_unit(struct img *f, uint64_t sector, unsigned unit)
{
	uint8_t data[VMDKMAKE_UNIT];

	memset(data, vmdkmake_byte((uint64_t)unit * VMDKMAKE_UNIT),
	       sizeof(data));
	put(f, sector * 512, data, sizeof(data));
}

static void put_header(struct img *f, uint64_t sector, uint32_t version,
		       uint32_t flags, uint64_t rgd, uint64_t gd)
{
	uint64_t at = sector * 512;

	put(f, at, "KDMV", 4);
	put32(f, at + 4, version);
	put32(f, at + 8, flags | 1);
	put64(f, at + 12, VMDKMAKE_SECTORS);
	put64(f, at + 20, UNIT_SECTORS);
	put64(f, at + 28, VMDKMAKE_DESC);
	put64(f, at + 36, 2);
	put32(f, at + 44, GTES);
	put64(f, at + 48, rgd);
	put64(f, at + 56, gd);
	put64(f, at + 64, VMDKMAKE_GRAINS);
	put(f, at + 73, "\n \r\n", 4);
	if (flags & 1u << 16)
		put(f, at + 77, "\1", 1);
	put(f, at + 511, "", 1);
}

static void put_descriptor(struct img *f, const char *type)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "# Disk DescriptorFile\n"
			 "version=1\nCID=12345678\nparentCID=ffffffff\n"
			 "createType=\"%s\"\nRW %u SPARSE \"other.vmdk\"\n"
			 "ddb.adapterType = \"ide\"\n", type,
			 VMDKMAKE_SECTORS);

	put(f, VMDKMAKE_DESC * 512, text, (size_t)n);
}

static void make_sparse(struct img *f)
{
	uint32_t next = VMDKMAKE_GRAINS;

	put_header(f, 0, 2, 6, VMDKMAKE_RGD, VMDKMAKE_GD);
	put_descriptor(f, "monolithicSparse");
	for (unsigned i = 0; i < TABLES; i++) {
		put32(f, VMDKMAKE_RGD * 512 + i * 4, VMDKMAKE_RGT + i);
		put32(f, VMDKMAKE_GD * 512 + i * 4, VMDKMAKE_GT + i);
	}
	for (unsigned u = 0; u < UNITS; u++) {
		uint32_t in_table = u / GTES * 512 + u % GTES * 4;
		uint32_t entry = u % 3 == 2;

		if (u % 3 == 1) {
			put_unit(f, next, u);
			entry = next;
			next += UNIT_SECTORS;
		}
		put32(f, VMDKMAKE_RGT * 512 + in_table, entry);
		put32(f, VMDKMAKE_GT * 512 + in_table, entry);
	}
}

static uint64_t put_marker(struct img *f, uint64_t sector, uint64_t value,
			   uint32_t type)
{
	put64(f, sector * 512, value);
	put32(f, sector * 512 + 8, 0);
	put32(f, sector * 512 + 12, type);
	put(f, sector * 512 + 511, "", 1);
	return sector + 1;
}

/* Returns the sector behind it. */
static uint64_t put_grain(struct img *f, uint64_t sector, unsigned unit,
			  bool markers)
{
	uint8_t plain[VMDKMAKE_UNIT], packed[VMDKMAKE_UNIT + 512];
	uLongf len = sizeof(packed);
	uint64_t at = sector * 512;

	memset(plain, vmdkmake_byte((uint64_t)unit * VMDKMAKE_UNIT),
	       sizeof(plain));
	CHECK_EQ(compress(packed, &len, plain, sizeof(plain)), Z_OK);
	if (markers) {
		put64(f, at, unit * UNIT_SECTORS);
		put32(f, at + 8, (uint32_t)len);
		at += 12;
	}
	put(f, at, packed, len);
	at = (at + len + 511) / 512;
	put(f, at * 512 - 1, "", 1);
	return at;
}

static void make_stream(struct img *f, enum vmdkmake_kind kind)
{
	bool markers = kind != VMDKMAKE_STREAM_BARE;
	bool front = kind != VMDKMAKE_STREAM;
	bool footer = kind == VMDKMAKE_STREAM || kind == VMDKMAKE_STREAM_BOTH;
	uint32_t flags = 1u << 16 | (markers ? 1u << 17 : 0);
	uint64_t next = VMDKMAKE_GRAINS, tables[TABLES], gd;

	put_header(f, 0, 3, flags, 0, front ? VMDKMAKE_GD : UINT64_MAX);
	put_descriptor(f, "streamOptimized");
	for (unsigned t = 0; t < TABLES; t++) {
		uint8_t gt[512] = { 0 };

		for (unsigned u = t * GTES; u < UNITS && u < (t + 1) * GTES;
		     u++) {
			if (u % 3 == 0)
				continue;
			put_le32(gt + u % GTES * 4, (uint32_t)next);
			next = put_grain(f, next, u, markers);
		}
		if (!front)
			next = put_marker(f, next, 1, 1);
		tables[t] = front ? VMDKMAKE_GT + t : next++;
		put(f, tables[t] * 512, gt, sizeof(gt));
	}
	if (!front)
		next = put_marker(f, next, 1, 2);
	gd = front ? VMDKMAKE_GD : next++;
	for (unsigned t = 0; t < TABLES; t++)
		put32(f, gd * 512 + t * 4, (uint32_t)tables[t]);
	put(f, gd * 512 + 511, "", 1);
	if (footer) {
		next = put_marker(f, next, 1, 3);
		put_header(f, next++, 3, flags, 0, gd);
		put_marker(f, next, 0, 0);
	}
}

static void make_cowd(struct img *f)
{
	uint32_t next = 8 + 32;

	put(f, 0, "COWD", 4);
	put32(f, 4, 1);
	put32(f, 8, 3);
	put32(f, 12, VMDKMAKE_SECTORS);
	put32(f, 16, 1);
	put32(f, 20, 4);
	put32(f, 24, 1);
	put32(f, 4 * 512, 8);
	for (unsigned i = 0; i < VMDKMAKE_SECTORS; i++) {
		uint8_t data[512];
		unsigned unit = i / UNIT_SECTORS;

		memset(data, vmdkmake_byte((uint64_t)i * 512), sizeof(data));
		if (unit % 3 == 0)
			continue;
		put32(f, 8 * 512 + i * 4, next);
		put(f, next * 512, data, sizeof(data));
		next++;
	}
	put32(f, 28, next);
}

/* Grains far apart, so that both parts of their numbers are used. */
static void make_sesparse(struct img *f)
{
	const uint64_t grains = 16;

	put64(f, 0, 0xcafebabe);
	put64(f, 8, 0x0000000200000001);
	put64(f, 16, VMDKMAKE_SECTORS);
	put64(f, 24, UNIT_SECTORS);
	put64(f, 32, 1);			/* a table: 64 entries */
	put64(f, 80, 1);
	put64(f, 88, 1);
	put64(f, 128, 2);
	put64(f, 136, 1);
	put64(f, 144, 3);
	put64(f, 152, 2);
	put64(f, 192, grains);
	put64(f, 512, 0xcafecafe);
	put64(f, 1024, 0x1000000000000001);	/* the second table */
	for (unsigned u = 0; u < UNITS; u++) {
		uint64_t number = u * 4097, entry = u % 3 ?
			(uint64_t)(u % 6 == 5 ? 1 : 2) << 60 : 0;

		if (u % 3 == 1) {
			entry = 3ull << 60 | (number & 0xfff) << 48 |
				number >> 12;
			put_unit(f, grains + number * UNIT_SECTORS, u);
		}
		put64(f, 4 * 512 + u * 8, entry);
	}
}

struct img *vmdkmake(enum vmdkmake_kind kind)
{
	struct img *f;

	CHECK_EQ(img_memory(0, &f, NULL), 0);
	switch (kind) {
	case VMDKMAKE_SPARSE:
		make_sparse(f);
		break;
	case VMDKMAKE_COWD:
		make_cowd(f);
		break;
	case VMDKMAKE_SESPARSE:
		make_sesparse(f);
		break;
	default:
		make_stream(f, kind);
	}
	return f;
}
