/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs_open.c - who a file system is, also where there is no reader for it or it
 * cannot be used.
 */
#include <errno.h>

#include "convert/fs/fs.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"
#include "tests/check.h"

#define SIZE (16u << 20)

static struct err e;
static struct img *img;

static void start(void)
{
	CHECK_OK(img_memory(SIZE, &img, &e));
}

static void put(uint64_t at, const void *p, size_t len)
{
	CHECK_OK(img_write(img, p, len, at));
}

static struct fs *open_fs(const char *type)
{
	struct fs *fs;

	CHECK_OK(fs_open(img, &fs, &e));
	CHECK_STR(fs_identity(fs)->type, type);
	return fs;
}

static void finish(struct fs *fs)
{
	struct fs_extent ext;

	if (!fs_identity(fs)->has_map) {
		CHECK_OK(fs_map(fs, 100, &ext, &e));
		CHECK(ext.used && ext.len == SIZE - 100);
	}
	CHECK_EQ(fs_map(fs, SIZE, &ext, &e), -ERANGE);
	fs_close(fs);
	CHECK_OK(img_close(img, &e));
}

static void test_nothing(void)
{
	uint64_t ino;
	struct fs *fs;

	start();
	fs = open_fs("");
	CHECK(!fs_identity(fs)->has_files && !fs_root(fs));
	CHECK_EQ(fs_lookup(fs, 2, "a", 1, &ino, &e), -ENOTSUP);
	finish(fs);
	fs_close(NULL);
}

static void test_swap(const char *signature, uint32_t page, bool hibernated)
{
	uint8_t header[44] = { 1 };
	struct fs *fs;

	start();
	put_le32(header + 4, SIZE / page - 1);
	memcpy(header + 12, "0123456789abcdef", 16);
	memcpy(header + 28, "my swap", 7);
	put(1024, header, sizeof(header));
	put(page - 10, signature, strlen(signature));
	fs = open_fs("swap");
	CHECK_EQ(fs_identity(fs)->hibernated, hibernated);
	CHECK_EQ(fs_identity(fs)->size, SIZE);
	CHECK_STR(fs_identity(fs)->label, "my swap");
	CHECK_STR(fs_identity(fs)->uuid,
		  "30313233-3435-3637-3839-616263646566");
	finish(fs);
}

/* What only libblkid knows: at the beginning, and at the end. */
static void test_blkid(void)
{
	uint8_t b[512] = "LUKS\xba\xbe\0\1", md[256] = { 0 };
	struct fs *fs;

	start();
	memcpy(b + 168, "01234567-89ab-cdef-0123-456789abcdef", 36);
	put(0, b, sizeof(b));
	fs = open_fs("crypto_LUKS");
	CHECK_STR(fs_identity(fs)->uuid, "01234567-89ab-cdef-0123-456789abcdef");
	finish(fs);

	/* Half a mirror: version 1.0 has its superblock at the end, and the file
	 * system on it is not to be used for itself.
	 */
	start();
	put_le32(md, 0xa92b4efc);
	put_le32(md + 4, 1);
	put_le64(md + 144, (SIZE - 8192) / 512);
	put(SIZE - 8192, md, sizeof(md));
	put(1024 + 56, "\x53\xef", 2);
	fs = open_fs("linux_raid_member");
	CHECK(!fs_identity(fs)->has_files);
	finish(fs);
}

/* NTFS, whose file table libblkid wants to see, wherever it is. */
static void test_ntfs(void)
{
	uint8_t b[512] = "\xeb\x52\x90NTFS    ", mft[1024] = "FILE";
	struct fs *fs;

	start();
	put_le16(b + 11, 512);
	b[13] = 8;
	b[21] = 0xf8;
	put_le64(b + 40, SIZE / 512 - 1);
	put_le64(b + 48, 2000);
	put_le64(b + 56, 2);
	b[64] = 0xf6;
	b[68] = 1;
	put_le64(b + 72, 0x0123456789abcdef);
	put_le16(b + 510, 0xaa55);
	put(0, b, sizeof(b));
	for (unsigned i = 0; i < 4; i++)
		put(2000 * 4096 + i * 1024, mft, sizeof(mft));
	fs = open_fs("ntfs");
	CHECK_STR(fs_identity(fs)->uuid, "0123456789ABCDEF");
	finish(fs);
}

/* As much of ext4 as its superblock is. */
static void make_super(uint8_t *sb)
{
	memset(sb, 0, 1024);
	put_le32(sb, 64);
	put_le32(sb + 0x04, SIZE / 4096);
	put_le32(sb + 0x18, 2);
	put_le32(sb + 0x1c, 2);
	put_le32(sb + 0x20, 32768);
	put_le32(sb + 0x24, 32768);
	put_le32(sb + 0x28, 64);
	put_le16(sb + 0x38, 0xef53);
	put_le16(sb + 0x3a, 1);
	put_le32(sb + 0x4c, 1);
	put_le32(sb + 0x54, 11);
	put_le16(sb + 0x58, 256);
	put_le32(sb + 0x60, 0x42);
	put_le32(sb + 0x64, 0x400);
	memcpy(sb + 0x68, "0123456789abcdef", 16);
	memcpy(sb + 0x78, "label", 5);
	sb[0x175] = 1;
	put_le32(sb + 0x3fc, crc32c(~0u, sb, 0x3fc));
}

static void expect_ext(const uint8_t *sb, const char *type, bool files,
		       const char *note)
{
	struct fs *fs;

	start();
	put(1024, sb, 1024);
	fs = open_fs(type);
	CHECK_STR(fs_identity(fs)->label, "label");
	CHECK_EQ(fs_identity(fs)->has_files, files);
	if (!strstr(fs_identity(fs)->note.text, note)) {
		fprintf(stderr, "\"%s\", wanted \"%s\"\n",
			fs_identity(fs)->note.text, note);
		exit(1);
	}
	if (!files)
		CHECK(!fs_identity(fs)->has_map);
	finish(fs);
}

static void with(uint32_t at, unsigned width, uint64_t value, const char *note)
{
	uint8_t sb[1024];

	make_super(sb);
	if (width == 2)
		put_le16(sb + at, (uint16_t)value);
	else
		put_le32(sb + at, (uint32_t)value);
	put_le32(sb + 0x3fc, crc32c(~0u, sb, 0x3fc));
	expect_ext(sb, "ext4", !*note, note);
}

static void test_ext4(void)
{
	uint8_t sb[1024];

	make_super(sb);
	expect_ext(sb, "ext4", true, "");
	sb[0x3fc] ^= 1;
	expect_ext(sb, "ext4", false, "the superblock's checksum is wrong");
	with(0x60, 4, 0x1042, "not supported: 0x1000");
	with(0x60, 4, 0x46, "there is none");
	with(0x04, 4, SIZE / 4096 + 1, "counts 4097 blocks");
	with(0x04, 4, 0, "counts 0 blocks");
	with(0x14, 4, 1, "first data block is 1");
	with(0x18, 4, 7, "block size is 7");
	with(0x20, 4, 32769, "in a group");
	with(0x20, 4, 0, "in a group");
	with(0x20, 4, 8, "8 blocks in a group");
	with(0x20, 4, 1024, "inodes in 4 groups");
	with(0x28, 4, 0, "inodes in 1 groups");
	with(0x58, 2, 8192, "inode size is 8192");
	with(0x58, 2, 200, "inode size is 200");
	with(0xce, 2, 2000, "reserves 2000 blocks");
}

/* Bitmaps that nothing vouches for. */
static void test_unclean(void)
{
	uint8_t sb[1024];

	make_super(sb);
	put_le16(sb + 0x3a, 0);
	put_le32(sb + 0x3fc, crc32c(~0u, sb, 0x3fc));
	expect_ext(sb, "ext4", true, "not unmounted cleanly");
	put_le16(sb + 0x3a, 3);
	put_le32(sb + 0x3fc, crc32c(~0u, sb, 0x3fc));
	expect_ext(sb, "ext4", true, "having errors");
}

int main(void)
{
	test_nothing();
	test_swap("SWAPSPACE2", 4096, false);
	test_swap("SWAPSPACE2", 65536, false);
	test_swap("S1SUSPEND", 4096, true);
	test_swap("LINHIB0001", 4096, true);
	test_blkid();
	test_ntfs();
	test_ext4();
	test_unclean();
	return 0;
}
