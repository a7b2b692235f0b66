/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext4_special.c - what only some files of an ext4 have, and journals that cannot be
 * replayed, as debugfs makes them; loops and names that are none.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/fs/ext4.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

static struct err e;

static void make_image(const char *options, const char *commands)
{
	CHECK(fstree_run("rm -f image; mke2fs -q -F %s -d src image 20M && "
			 "printf '%%s\\n' %s >cmd && debugfs -w -f cmd image",
			 options, commands));
}

static uint64_t find(struct fs *fs, const char *name)
{
	uint64_t ino;

	CHECK_OK(fs_lookup(fs, fs_root(fs), name, strlen(name), &ino, &e));
	return ino;
}

static int count(void *arg, const char *name, uint64_t ino)
{
	(void)name;
	(void)ino;
	++*(unsigned *)arg;
	return 0;
}

static int count_path(void *arg, const char *path)
{
	(void)path;
	++*(unsigned *)arg;
	return 0;
}

/* Files that cannot be read do not keep others from it. */
static void test_files(void)
{
	uint8_t buf[8192], want[1024];
	struct fs_stat st;
	struct img *img;
	struct fs *fs;
	void *value;
	size_t len;
	unsigned n = 0;

	make_image("-t ext4 -b 1024 -O ea_inode,encrypt,verity",
		   "'sif encrypted flags 0x80800' 'sif vdir flags 0x80800' "
		   "'sif verity flags 0x180000' "
		   "'sif late mtime 100' 'sif late mtime_extra 2' "
		   "'write /dev/null unwritten' 'fallocate unwritten 0 7' "
		   "'sif unwritten size 8192' "
		   "'ea_set -f big late user.big' 'ln <2> src-loop'");
	fs = fstree_open("image", &img);
	CHECK(fs_identity(fs)->has_files);
	CHECK_EQ(fs_read(fs, find(fs, "encrypted"), buf, 1, 0, &e), -ENOTSUP);
	CHECK(strstr(e.text, "encrypted"));
	CHECK_EQ(fs_list(fs, find(fs, "vdir"), count, &n, &e), -ENOTSUP);
	CHECK_OK(fs_read(fs, find(fs, "verity"), buf, 5, 0, &e));
	CHECK(!memcmp(buf, "hello", 5));
	CHECK_OK(fs_stat(fs, find(fs, "late"), &st, &e));
	CHECK_EQ(st.mtime, (2ll << 32) + 100);
	memset(buf, 'x', sizeof(buf));
	CHECK_OK(fs_read(fs, find(fs, "unwritten"), buf, 8192, 0, &e));
	CHECK(bytes_are_zero(buf, 8192));
	CHECK_OK(fs_xattr(fs, find(fs, "late"), "user.big", &value, &len, &e));
	/* In an inode of its own; debugfs takes a block's length. */
	memset(want, 'b', sizeof(want));
	CHECK(len == sizeof(want) && !memcmp(value, want, len));
	free(value);
	/* The root is in itself: named once all the same. */
	n = 0;
	CHECK_OK(fs_owners(fs, 0, img_size(img), count_path, &n, &e));
	CHECK(n > 4 && n < 30);
	fstree_close(fs, img);
}

/* A slash in a name, and an entry that does not go on. */
static void test_names(void)
{
	static const struct {
		unsigned at;	/* of the name's entry */
		uint8_t value;
		const char *want;
	} rows[] = {
		{ 10, '/', "slash" }, { 10, 0, "NUL" }, { 4, 0, "entry of 0" },
		{ 5, 0xff, "where" }, { 6, 255, "a name of 255 bytes" },
		{ 6, 0, "a name of 0 bytes" },
	};
	uint8_t *p = malloc(20u << 20), *name;
	struct img *img;
	struct fs *fs;
	unsigned n;
	int fd;

	make_image("-t ext4 -O ^metadata_csum,^has_journal", "quit");
	fd = open("image", O_RDWR);
	CHECK(p && fd >= 0 && read(fd, p, 20u << 20) == 20 << 20);
	name = memmem(p, 20u << 20, "encrypted", 9);
	CHECK(name);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		off_t at = name - p - 8 + rows[i].at;

		CHECK(pwrite(fd, &rows[i].value, 1, at) == 1);
		fs = fstree_open("image", &img);
		CHECK_EQ(fs_list(fs, fs_root(fs), count, &n, &e), -EUCLEAN);
		if (!strstr(e.text, rows[i].want)) {
			fprintf(stderr, "\"%s\", wanted \"%s\"\n", e.text,
				rows[i].want);
			exit(1);
		}
		fstree_close(fs, img);
		CHECK(pwrite(fd, p + at, 1, at) == 1);
	}
	CHECK(!close(fd));
	free(p);
}

static void expect_note(const char *want)
{
	struct img *img;
	struct fs *fs = fstree_open("image", &img);
	struct stat before, after;
	uint64_t ino;

	CHECK(!fs_identity(fs)->has_files && !fs_identity(fs)->has_map);
	CHECK(strstr(fs_identity(fs)->note.text, want));
	CHECK_EQ(fs_lookup(fs, 2, "late", 4, &ino, &e), -ENOTSUP);
	fstree_close(fs, img);
	/* Nor is anything written. */
	CHECK(!stat("image", &before));
	CHECK_OK(img_file_open("image", IMG_WRITE, &img, &e));
	CHECK(ext4_replay(img, &e) && strstr(e.text, want));
	CHECK_OK(img_close(img, &e));
	CHECK(!stat("image", &after));
	CHECK(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
}

static void test_external(void)
{
	struct img *img;
	struct fs *fs;

	CHECK(fstree_run("rm -f image; mke2fs -q -F -O journal_dev -b 4096 image "
			 "8M"));
	fs = fstree_open("image", &img);
	CHECK_STR(fs_identity(fs)->type, "jbd");
	CHECK(!fs_identity(fs)->has_files);
	fstree_close(fs, img);
	make_image("-t ext4 -O ^metadata_csum",
		   "'ssv journal_inum 0' 'ssv journal_dev 0x801' "
		   "'feature needs_recovery'");
	expect_note("another device");
	/* When it is clean nothing is missing. */
	make_image("-t ext4 -O ^metadata_csum",
		   "'ssv journal_inum 0' 'ssv journal_dev 0x801'");
	fs = fstree_open("image", &img);
	CHECK(fs_identity(fs)->has_files && fs_identity(fs)->has_map);
	CHECK(!fs_identity(fs)->dirty);
	fstree_close(fs, img);
}

/* The journal's blocks, as debugfs lists them. */
static uint64_t journal_block(unsigned from_end)
{
	uint64_t list[20000];
	unsigned long long b;
	unsigned n = 0;
	FILE *f;

	CHECK(fstree_run("debugfs -R 'blocks <8>' image 2>/dev/null >blocks"));
	f = fopen("blocks", "r");
	CHECK(f);
	while (n < 20000 && fscanf(f, "%llu", &b) == 1)
		list[n++] = b;
	CHECK(n > from_end && !fclose(f));
	return from_end ? list[n - from_end] : list[0];
}

/* A fast commit that counts, one of an older transaction, one cut off. */
static void test_fast_commit(void)
{
	uint8_t sb[1024], fc[36] = { 9, 0, 8, 0 };
	struct img *img;
	struct fs *fs;
	uint64_t at;

	CHECK(fstree_run("head -c 1024 /dev/zero >junk"));
	make_image("-t ext4 -b 1024 -O ^metadata_csum,fast_commit",
		   "jo 'jw -b 19000 junk' jc");
	CHECK_OK(img_file_open("image", IMG_WRITE, &img, &e));
	CHECK_OK(img_read(img, sb, 1024, journal_block(0) * 1024));
	put_be32(sb + 0x28, get_be32(sb + 0x28) | 0x20);
	CHECK_OK(img_write(img, sb, 1024, journal_block(0) * 1024));
	at = get_be32(sb + 0x54);
	at = journal_block(at ? (unsigned)at : 256) * 1024;
	put_le32(fc + 8, get_be32(sb + 0x18) + 1);
	memcpy(fc + 12, "\5\0\4\0\1\2\3\4\10\0\10\0", 12);
	put_le32(fc + 24, get_be32(sb + 0x18) + 1);
	put_le32(fc + 28, crc32c(0, fc, 28));
	CHECK_OK(img_write(img, fc, sizeof(fc), at));
	CHECK_OK(img_close(img, &e));
	expect_note("fast commits");
	for (unsigned i = 0; i < 2; i++) {
		CHECK_OK(img_file_open("image", IMG_WRITE, &img, &e));
		CHECK_OK(img_write(img, "\x55", 1, at + (i ? 8 : 28)));
		CHECK_OK(img_close(img, &e));
		fs = fstree_open("image", &img);
		CHECK(fs_identity(fs)->has_files && fs_identity(fs)->dirty);
		fstree_close(fs, img);
	}
}

int main(void)
{
	scratch_enter();
	if (!fstree_has("debugfs")) {
		puts("SKIP: e2fsprogs is not installed");
		return 77;
	}
	CHECK(fstree_run("mkdir -p src/vdir && echo secret >src/encrypted && "
			 "echo hello >src/verity && seq 5000 >src/late && "
			 "head -c 9000 /dev/zero | tr '\\0' b >big"));
	test_files();
	test_names();
	test_external();
	test_fast_commit();
	return 0;
}
