/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable.c - partition tables that are odd, damaged or hostile. */
#include <errno.h>
#include <zlib.h>

#include "convert/fs/volumes.h"
#include "imgfmt/base/bytes.h"
#include "tests/check.h"

#define SIZE (8u << 20)

static struct err e;
static uint8_t disk[SIZE];

static void entry(uint64_t sector, unsigned i, uint8_t type, uint32_t start,
		  uint32_t len)
{
	uint8_t *p = disk + sector * 512 + 446 + 16 * i;

	p[4] = type;
	put_le32(p + 8, start);
	put_le32(p + 12, len);
	put_le16(disk + sector * 512 + 510, 0xaa55);
}

static void clear(void)
{
	memset(disk, 0, sizeof(disk));
	put_le32(disk + 0x1b8, 0xcafe);
}

static int read_size(struct ptable *t, uint64_t size)
{
	struct img *img;
	int rc;

	CHECK_OK(img_memory(size, &img, &e));
	CHECK_OK(img_write(img, disk, size, 0));
	e.text[0] = 0;
	rc = ptable_read(img, t, &e);
	CHECK(!rc == !e.text[0]);
	CHECK_OK(img_close(img, &e));
	return rc;
}

static void expect(int want, const char *word)
{
	struct ptable t;
	char text[sizeof(e.text)];
	int rc = read_size(&t, SIZE);

	memcpy(text, e.text, sizeof(text));
	if (rc != want || (word && !strstr(rc ? text : t.note.text, word))) {
		fprintf(stderr, "%d \"%s\" \"%s\", wanted %d with \"%s\"\n", rc,
			text, t.note.text, want, word);
		exit(1);
	}
	ptable_fini(&t);
}

static void test_mbr(void)
{
	struct ptable t;

	clear();
	expect(0, NULL);
	entry(0, 0, 0x83, 1, 100);
	entry(0, 2, 0x83, 101, SIZE / 512 - 101);
	CHECK_OK(read_size(&t, SIZE));
	CHECK(t.kind == PTABLE_MBR && t.n == 2 && t.partitions[1].number == 3);
	CHECK_STR(t.uuid, "0000cafe");
	CHECK_STR(t.partitions[1].partuuid, "0000cafe-03");
	ptable_fini(&t);
	entry(0, 2, 0x83, 101, SIZE / 512 - 100);
	expect(-EUCLEAN, "beyond the disk");
	entry(0, 2, 0x83, ~0u, ~0u);
	expect(-EUCLEAN, "beyond the disk");
	entry(0, 2, 0x83, 100, 1);
	expect(-EUCLEAN, "partitions 1 and 3 overlap");
	/* The whole of one sector is a table; less is none. */
	CHECK_OK(read_size(&t, 511));
	CHECK_EQ(t.kind, PTABLE_NONE);
}

/* Boot sectors of file systems on a whole disk. */
static void test_none(void)
{
	struct ptable t;

	clear();
	entry(0, 0, 0x83, 1, 100);
	disk[446] = 0x12;	/* no boot flag */
	CHECK_OK(read_size(&t, SIZE));
	CHECK(t.kind == PTABLE_NONE && !t.n);
	clear();
	entry(0, 0, 0, 0, 0);
	CHECK_OK(read_size(&t, SIZE));
	CHECK(t.kind == PTABLE_MBR && !t.n);
	put_le16(disk + 1080, 0xef53);
	CHECK_OK(read_size(&t, SIZE));
	CHECK_EQ(t.kind, PTABLE_NONE);
	put_le16(disk + 1080, 0);
	memcpy(disk, "\xeb\x3c\x90mkfs.fat\0\2\4\1\0\2\0\2\0\0\xf8", 22);
	CHECK_OK(read_size(&t, SIZE));
	CHECK_EQ(t.kind, PTABLE_NONE);
}

static void test_logical(void)
{
	struct ptable t;

	clear();
	entry(0, 1, 5, 1000, 9000);
	entry(1000, 0, 0x83, 10, 100);
	entry(1000, 1, 5, 3000, 1);	/* in sector 4000 */
	entry(4000, 0, 0x82, 10, 200);
	entry(4000, 1, 5, 1000, 1);	/* backwards: sector 2000 */
	entry(2000, 0, 0x8e, 10, 300);
	CHECK_OK(read_size(&t, SIZE));
	CHECK_EQ(t.n, 4);
	CHECK(t.partitions[0].extended && t.partitions[0].number == 2);
	CHECK_EQ(t.partitions[3].number, 7);
	CHECK_EQ(t.partitions[3].offset, 2010 * 512);
	CHECK_EQ(t.partitions[3].mbr_type, 0x8e);
	ptable_fini(&t);
	entry(2000, 1, 5, 3000, 1);
	expect(-EUCLEAN, "comes back to sector 4000");
	entry(2000, 1, 5, 0x7fffffff, 1);
	expect(-EUCLEAN, "beyond the disk's");
	entry(2000, 1, 5, 5000, 1);	/* nothing there */
	expect(0, "has no signature");
	entry(2000, 1, 0, 0, 0);
	entry(4000, 0, 0x82, 7000, 1000);
	expect(0, "reaches out");
	entry(1000, 0, 0x83, 1020, 100);
	expect(-EUCLEAN, "partitions 7 and 5 overlap");
}

/* As many EBRs as fit. */
static void test_long_chain(void)
{
	clear();
	entry(0, 0, 5, 10, SIZE / 512 - 10);
	for (uint32_t i = 0; i < 2000; i++) {
		entry(10 + i * 4, 0, 0x83, 1, 2);
		entry(10 + i * 4, 1, 5, (i + 1) * 4, 1);
	}
	expect(-ENOTSUP, "more than 1024");
}

static uint32_t sector = 512;

static void put_header(uint64_t lba, uint64_t other, uint64_t entries)
{
	uint8_t *h = disk + lba * sector, *list = disk + entries * sector;

	memset(h, 0, sector);
	memcpy(h, "EFI PART", 8);
	put_le32(h + 8, 0x10000);
	put_le32(h + 12, 92);
	put_le64(h + 24, lba);
	put_le64(h + 32, other);
	put_le64(h + 56, 0x1122334455667788);
	put_le64(h + 72, entries);
	put_le32(h + 80, 128);
	put_le32(h + 84, 128);
	put_le32(h + 88, (uint32_t)crc32(0, list, 128 * 128));
	put_le32(h + 16, (uint32_t)crc32(0, h, 92));
}

static void gpt_entry(unsigned i, uint64_t first, uint64_t last)
{
	uint8_t *p = disk + 2 * sector + 128 * i;

	memset(p, 0x11, 32);
	put_le64(p + 32, first);
	put_le64(p + 40, last);
	memcpy(p + 56, "a\0b\0\x3d\xd8\x27\xdc\0\xd8x", 12);
}

static void put_gpt(void)
{
	uint64_t end = SIZE / sector - 1, n = div_round_up(128 * 128, sector);

	memcpy(disk + (end - n) * sector, disk + 2 * sector, 128 * 128);
	put_header(1, end, 2);
	put_header(end, 1, end - n);
}

static void test_gpt(uint32_t size)
{
	struct ptable t;

	sector = size;
	clear();
	entry(0, 0, 0xee, 1, ~0u);
	entry(0, 1, 0x83, 1, 100);	/* a hybrid one */
	gpt_entry(0, 100, 199);
	gpt_entry(5, 200, 200);
	put_gpt();
	CHECK_OK(read_size(&t, SIZE));
	CHECK(t.kind == PTABLE_GPT && t.sector_size == size && t.n == 2);
	CHECK(t.partitions[1].number == 6 && !t.note.text[0]);
	CHECK_EQ(t.partitions[1].offset, 200 * size);
	CHECK_EQ(t.partitions[1].len, size);
	CHECK_STR(t.partitions[0].name, "ab\xf0\x9f\x90\xa7\xef\xbf\xbdx");
	CHECK_STR(t.uuid, "55667788-3344-1122-0000-000000000000");
	ptable_fini(&t);

	disk[size + 60] ^= 1;
	expect(0, "the backup copy of the GPT is used");
	put_gpt();
	disk[2 * size + 3] ^= 1;
	expect(0, "entries in sector 2 is wrong: the backup copy");
	disk[SIZE - size + 60] ^= 1;
	expect(-EUCLEAN, "neither copy");
	put_gpt();
	disk[SIZE - size + 60] ^= 1;
	expect(0, "the backup copy of the GPT cannot be used");

	gpt_entry(5, 199, 200);
	put_gpt();
	expect(-EUCLEAN, "partitions 1 and 6 overlap");
	gpt_entry(5, 200, SIZE / size);
	put_gpt();
	expect(-EUCLEAN, "beyond the disk");
	gpt_entry(5, 200, 199);
	put_gpt();
	expect(-EUCLEAN, "ends in sector 199");
	gpt_entry(5, 1ull << 60, 1ull << 61);
	put_gpt();
	expect(-EUCLEAN, "beyond the disk");
	gpt_entry(5, 0, UINT64_MAX);
	put_gpt();
	expect(-EUCLEAN, "partition 6");
	disk[446 + 4] = 0x83;
	put_le32(disk + 446 + 12, 0);
	if (size == 512)
		expect(0, "only the MBR is used");
}

/* Windows on a disk that may be written are writable; a read-only one's are not. */
static void test_volumes(void)
{
	struct volumes v;
	struct img *img, *seen;
	char name[VOLUME_NAME_LEN], byte;

	clear();
	entry(0, 0, 0x83, 8, 100);
	entry(0, 1, 5, 1000, 9000);
	entry(1000, 0, 0x83, 10, 100);
	CHECK_OK(img_memory(SIZE, &img, &e));
	CHECK_OK(img_write(img, disk, SIZE, 0));
	CHECK_OK(volumes_open(&img, 1, &v, &e));
	CHECK(v.n_disks == 1 && v.n == 2 && !v.list[1].id->type[0]);
	CHECK_STR(volume_name(&v.list[1], name), "disk 1 partition 5");
	CHECK_EQ(v.list[1].offset, 1010 * 512);
	CHECK_OK(img_write(v.list[1].img, "x", 1, 99 * 512));
	CHECK_EQ(img_write(v.list[1].img, "x", 1, 100 * 512), -ERANGE);
	volumes_close(&v);
	CHECK_OK(img_read(img, &byte, 1, 1109 * 512));
	CHECK_EQ(byte, 'x');
	CHECK_OK(img_borrow(img, 0, &seen, &e));
	CHECK_OK(volumes_open((struct img *[]){ img, seen }, 2, &v, &e));
	CHECK(v.n == 4 && v.list[3].disk == 1);
	CHECK_EQ(img_write(v.list[3].img, "x", 1, 0), -EROFS);
	volumes_close(&v);
	CHECK_OK(img_close(seen, &e));
	CHECK_OK(img_write(img, "\xff\xff\xff\xff", 4, 446 + 8));
	CHECK_EQ(volumes_open(&img, 1, &v, &e), -EUCLEAN);
	CHECK(strstr(e.text, "disk 1: partition 1"));
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	test_mbr();
	test_none();
	test_logical();
	test_long_chain();
	test_gpt(512);
	test_gpt(4096);
	test_volumes();
	return 0;
}
