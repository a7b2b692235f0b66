/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_write.c - random changes to an ext file system and to a plain folder.
 *
 * ext_write IMAGE FOLDER SEED STEPS, for tests/interop/ext_write.sh, which
 * makes both and compares them.  Without arguments the unit test runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/fs/ext_write.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"
#include "tests/lib/sheet.h"

#define NOW 1800000000
#define MAX_DATA 300000u
#define MAX_NAME 64u

static struct ext_write *w;
static int model = -1;
static uint64_t seed;
static uint8_t data[MAX_DATA];

static uint64_t pick(uint64_t n)
{
	return sheet_random(&seed) % n;
}

static void fill(size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)sheet_random(&seed);
}

static void put_model(const char *path, size_t len, int flags,
		      const struct ext_new *n)
{
	struct stat st;
	bool fresh = fstatat(model, path, &st, 0) != 0;
	int fd = openat(model, path, O_WRONLY | O_CREAT | O_NOFOLLOW | flags,
			0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, data, len), len);
	if (fresh) {
		CHECK_EQ(fchown(fd, n->uid, n->gid), 0);
		CHECK_EQ(fchmod(fd, n->mode), 0);
	}
	close(fd);
}

static bool is_a(const char *path, uint32_t type)
{
	struct stat st;

	return !fstatat(model, path, &st, AT_SYMLINK_NOFOLLOW) &&
		(st.st_mode & S_IFMT) == type;
}

static bool exists(const char *path)
{
	return !faccessat(model, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

static void remove_model(const char *path)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf /proc/self/fd/%d/%s", model,
		 path);
	CHECK_EQ(system(command), 0);
}

/* A path in one of a few folders; some of the names are long. */
static const char *pick_path(char out[MAX_NAME + 40])
{
	static const char *const folders[] = {
		"", "etc", "etc/many", "lib", "new", "new/deep", "crowd",
	};
	const char *folder = folders[pick(7)];
	unsigned n = (unsigned)pick(folder[0] == 'c' ? 2000 : 12);

	snprintf(out, MAX_NAME + 40, "%s%s%s%u", folder, *folder ? "/" : "",
		 n % 3 ? "f" : "a-much-longer-name-that-fills-the-folder-", n);
	return out;
}

static void do_write(const char *path, struct err e)
{
	struct ext_new n = {
		(uint32_t)pick(512), (uint32_t)pick(1u << 18),
		(uint32_t)pick(1u << 18),
	};
	size_t len = (size_t)pick(pick(4) ? 3000 : MAX_DATA);
	bool append = !pick(3);
	int rc;

	fill(len);
	rc = append ? ext_write_append(w, path, data, len, &e) :
		ext_write_file(w, path, data, len, &n, &e);
	if (exists(path) && !is_a(path, S_IFREG)) {
		CHECK_EQ(rc, is_a(path, S_IFDIR) ? -EISDIR : -EINVAL);
		return;
	}
	if (append && !exists(path)) {
		CHECK_EQ(rc, -ENOENT);
		return;
	}
	if (rc)
		fprintf(stderr, "%s\n", e.text);
	CHECK_EQ(rc, 0);
	put_model(path, len, append ? O_APPEND : O_TRUNC, &n);
}

static void do_link(const char *path, struct err e)
{
	static const struct ext_new n = { 0777, 5, 70000 };
	char target[1000];
	size_t len = 1 + (size_t)pick(pick(2) ? 58 : 900);
	int rc;

	memset(target, 'a' + (char)pick(20), len);
	target[len] = 0;
	rc = ext_write_symlink(w, path, target, &n, &e);
	CHECK_EQ(rc, exists(path) ? -EEXIST : 0);
	if (rc)
		return;
	CHECK_EQ(symlinkat(target, model, path), 0);
	CHECK_EQ(fchownat(model, path, n.uid, n.gid, AT_SYMLINK_NOFOLLOW), 0);
}

static void do_mkdir(const char *path, struct err e)
{
	static const struct ext_new n = { 0750, 1000, 100 };
	int rc = ext_write_mkdir(w, path, &n, &e);

	if (rc && rc != -EEXIST)
		fprintf(stderr, "%s\n", e.text);
	CHECK_EQ(rc, exists(path) ? -EEXIST : 0);
	if (rc)
		return;
	CHECK_EQ(mkdirat(model, path, 0750), 0);
	CHECK_EQ(fchownat(model, path, n.uid, n.gid, 0), 0);
}

static void do_remove(const char *path, struct err e)
{
	int rc = ext_write_remove(w, path, &e);

	if (rc && rc != -ENOENT)
		fprintf(stderr, "%s: %s\n", path, e.text);
	CHECK_EQ(rc, exists(path) ? 0 : -ENOENT);
	remove_model(path);
}

/* The folders that pick_path() names come and go as a whole. */
static void do_folder(struct err e)
{
	static const char *const folders[] = { "new", "new/deep", "crowd" };
	const char *path = folders[pick(3)];

	if (!strcmp(path, "new/deep") && !exists("new"))
		return;
	if (exists(path) && !pick(8))
		do_remove(path, e);
	else
		do_mkdir(path, e);
}

static void step(void)
{
	char path[MAX_NAME + 40], *slash;
	struct err e = { "" };
	char parent[MAX_NAME + 40];

	do_folder(e);
	strcpy(parent, pick_path(path));
	slash = strrchr(parent, '/');
	if (slash)
		*slash = 0;
	if (slash && !is_a(parent, S_IFDIR)) {
		CHECK_EQ(ext_write_remove(w, path, &e),
			 exists(parent) ? -ENOTDIR : -ENOENT);
		return;
	}
	switch (pick(8)) {
	case 0:
		do_link(path, e);
		break;
	case 1:
		do_mkdir(path, e);
		break;
	case 2:
		do_remove(path, e);
		break;
	default:
		do_write(path, e);
	}
}

/* Many small files, in a folder with a hash tree, which is split, and in one
 * without.
 */
static void crowd(unsigned n_files)
{
	static const struct ext_new n = { 0644, 0, 0 };
	struct err e = { "" };
	char path[100];

	if (!exists("crowd"))
		do_mkdir("crowd", e);
	for (unsigned i = 0; i < n_files; i++) {
		snprintf(path, sizeof(path), "%s/another-long-name-so-that-"
			 "the-folder-gets-many-blocks-%05u",
			 i % 2 ? "crowd" : "etc/many", i);
		data[0] = (uint8_t)i;
		CHECK_OK(ext_write_file(w, path, data, 1, &n, &e));
		put_model(path, 1, O_TRUNC, &n);
	}
}

static struct img *open_image(const char *path)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	struct img *img;
	struct err e = { "" };

	CHECK_OK(img_open(path, &args, &img, &e));
	return img;
}

static int random_changes(char **argv)
{
	unsigned long steps = strtoul(argv[4], NULL, 0);
	struct img *img = open_image(argv[1]);
	struct err e = { "" };
	struct fs *fs;

	umask(0);
	seed = strtoul(argv[3], NULL, 0);
	model = open(argv[2], O_RDONLY | O_DIRECTORY);
	CHECK(model >= 0);
	CHECK_OK(ext_write_open(img, NOW, &w, &e));
	for (unsigned long i = 0; i < steps; i++) {
		step();
		if (i == steps / 2) {
			crowd(steps < 1000 ? 700 : 4000);
			CHECK_OK(ext_write_flush(w, &e));
			ext_write_close(w);
			CHECK_OK(ext_write_open(img, NOW, &w, &e));
		}
	}
	CHECK_OK(ext_write_flush(w, &e));
	ext_write_close(w);
	CHECK_OK(fs_open(img, &fs, &e));
	printf("%u files\n", fstree_compare(fs, argv[2], FSTREE_CONTENT));
	fs_close(fs);
	img_close(img, NULL);
	close(model);
	return 0;
}

static void shell(const char *command)
{
	int status = system(command);

	if (status)
		fprintf(stderr, "%s: status %d\n", command, status);
	CHECK_EQ(status, 0);
}

/* ext4 of 8 MiB with a few files: a large one, an index, attributes. */
static void make(const char *options)
{
	char command[400];

	shell("rm -rf from image; mkdir -p from/etc from/many; "
	      "seq 20000 >from/etc/big; echo small >from/etc/small; "
	      "ln from/etc/small from/etc/twice; ln -s small from/etc/link; "
	      "for i in $(seq 300); do echo $i >from/many/"
	      "a-name-that-makes-the-folder-large-$i; done");
	snprintf(command, sizeof(command), "mke2fs -q -F %s -b 1024 -N 1024 "
		 "-d from image 8M >/dev/null", options);
	shell(command);
	/* mke2fs makes no hash trees. */
	shell("e2fsck -fyD image >/dev/null 2>&1 || [ $? = 1 ]");
}

static void debugfs(const char *request)
{
	char command[300];

	snprintf(command, sizeof(command),
		 "debugfs -w -R '%s' image >/dev/null 2>&1", request);
	shell(command);
}

static void refused(int want, const char *words)
{
	struct img *img = open_image("image");
	struct ext_room room;
	struct err e = { "" };

	CHECK_EQ(ext_room(img, &room, &e), want);
	CHECK_EQ(ext_write_open(img, NOW, &w, &e), want);
	if (!strstr(e.text, words)) {
		fprintf(stderr, "said \"%s\", not \"%s\"\n", e.text, words);
		exit(1);
	}
	img_close(img, NULL);
}

static void test_refused(void)
{
	struct img_open_args args = { .format = "raw" };
	struct err e = { "" };
	struct img *img;

	make("-t ext4");
	CHECK_OK(img_open("image", &args, &img, &e));
	CHECK_EQ(ext_write_open(img, NOW, &w, &e), -EROFS);
	img_close(img, NULL);
	debugfs("ssv state 3");
	refused(-EBUSY, "has errors");
	make("-t ext2");
	debugfs("ssv state 0");
	refused(-EBUSY, "not unmounted");
	make("-t ext4 -O quota,ea_inode");
	refused(-ENOTSUP, "quota");
	make("-t ext4 -O mmp -E mmp_update_interval=1");
	/* debugfs would wait whether somebody else counts. */
	shell("block=$(dumpe2fs -h image 2>/dev/null | "
	      "sed -n 's/^MMP block number: *//p'); "
	      "printf M | dd of=image bs=1 seek=$((block * 1024 + 4)) "
	      "conv=notrunc status=none");
	refused(-EBUSY, "another machine");
	shell("truncate -s 4M image");
	refused(-EUCLEAN, "but the volume has");
	shell("truncate -s 0 image; truncate -s 1M image");
	refused(-EUCLEAN, "");
}

static void begin(struct img **img)
{
	struct err e = { "" };

	*img = open_image("image");
	CHECK_OK(ext_write_open(*img, NOW, &w, &e));
}

static void end(struct img *img)
{
	struct err e = { "" };

	CHECK_OK(ext_write_flush(w, &e));
	ext_write_close(w);
	img_close(img, NULL);
	shell("e2fsck -fn image >log 2>&1 || { cat log; false; }");
}

static void test_errors(void)
{
	static const struct ext_new n = { 0644, 0, 0 };
	struct err e = { "" };
	struct img *img;
	char long_name[400];

	make("-t ext4");
	begin(&img);
	CHECK_EQ(ext_write_file(w, "etc", "x", 1, &n, &e), -EISDIR);
	CHECK_STR(e.text, "'etc': this is not a regular file");
	CHECK_EQ(ext_write_file(w, "etc/no/x", "x", 1, &n, &e), -ENOENT);
	CHECK_STR(e.text, "'etc/no' does not exist");
	CHECK_EQ(ext_write_file(w, "etc/big/x", "x", 1, &n, &e), -ENOTDIR);
	CHECK_EQ(ext_write_file(w, "etc/../x", "x", 1, &n, &e), -EINVAL);
	CHECK_EQ(ext_write_file(w, "/", "x", 1, &n, &e), -EINVAL);
	CHECK_EQ(ext_write_mkdir(w, "/etc/", &n, &e), -EEXIST);
	CHECK_EQ(ext_write_symlink(w, "etc/l", "", &n, &e), -EINVAL);
	CHECK_EQ(ext_write_remove(w, "etc/nothing", &e), -ENOENT);
	CHECK_EQ(ext_write_append(w, "etc/link", "x", 1, &e), -EINVAL);
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	CHECK_EQ(ext_write_remove(w, long_name, &e), -ENAMETOOLONG);
	end(img);
}

/* A new file gets its folder's label, an old one keeps its inode. */
static void test_attributes(const char *options, bool crtime)
{
	static const struct ext_new n = { 0600, 0, 0 };
	struct err e = { "" };
	struct img *img;

	make(options);
	debugfs("ea_set /etc security.selinux etc_t");
	debugfs("ea_set /etc/small security.selinux small_t");
	debugfs("ea_set /etc/small user.more some");
	begin(&img);
	CHECK_OK(ext_write_file(w, "etc/new", "x", 1, &n, &e));
	CHECK_OK(ext_write_file(w, "etc/small", "other\n", 6, &n, &e));
	CHECK_OK(ext_write_mkdir(w, "etc/dir", &n, &e));
	CHECK_OK(ext_write_file(w, "etc/dir/in", "x", 1, &n, &e));
	CHECK_OK(ext_write_symlink(w, "etc/dir/to", "x", &n, &e));
	end(img);
	shell("for f in new dir dir/in dir/to; do debugfs -R \"ea_get -V /etc/$f "
	      "security.selinux\" image 2>&1 | grep -q etc_t || exit; done");
	shell("debugfs -R 'ea_get -V /etc/small security.selinux' image 2>&1 | "
	      "grep -q small_t");
	shell("debugfs -R 'ea_get -V /etc/twice user.more' image 2>&1 | "
	      "grep -q some");
	shell("debugfs -R 'cat /etc/twice' image 2>/dev/null | grep -q other");
	if (crtime)
		shell("debugfs -R 'stat /etc/new' image 2>/dev/null | "
		      "grep -q 'crtime: 0x6b49d200'");
}

/* A large attribute may be an inode of its own, which goes with the file. */
static void test_value_inodes(void)
{
	struct err e = { "" };
	struct img *img;

	make("-t ext4 -O ea_inode");
	shell("seq 3000 >value");
	debugfs("ea_set -f value /etc/small user.large");
	debugfs("ea_set -f value /etc/big user.large");
	shell("debugfs -R 'ea_list /etc/big' image 2>&1 | grep -q 'large (1024)'");
	/* debugfs counts the blocks wrongly. */
	shell("e2fsck -fy image >/dev/null 2>&1 || [ $? = 1 ]");
	begin(&img);
	CHECK_OK(ext_write_remove(w, "etc/small", &e));
	CHECK_OK(ext_write_remove(w, "etc/big", &e));
	end(img);
	begin(&img);
	CHECK_OK(ext_write_remove(w, "etc/twice", &e));
	end(img);
}

/* Names in there are other bytes than they seem. */
static void test_not_written(void)
{
	static const struct ext_new n = { 0600, 0, 0 };
	struct err e = { "" };
	struct img *img;

	make("-t ext4 -O casefold,encrypt");
	debugfs("mkdir /folded");
	debugfs("sif /folded flags 0x40080000");
	begin(&img);
	CHECK_EQ(ext_write_file(w, "folded/new", "x", 1, &n, &e), -ENOTSUP);
	CHECK_EQ(ext_write_mkdir(w, "folded/new", &n, &e), -ENOTSUP);
	CHECK(strstr(e.text, "ignores case"));
	end(img);
}

/* What the journal holds comes first. */
static void test_journal(void)
{
	static const struct ext_new n = { 0600, 0, 0 };
	struct err e = { "" };
	struct img *img;

	make("-t ext4");
	shell("head -c 1024 /dev/zero | tr '\\0' j >junk; "
	      "block=$(debugfs -R 'blocks /etc/big' image 2>/dev/null | "
	      "cut -d' ' -f1); "
	      "printf 'jo -c\njw -b %s junk\njc\n' $block >cmd; "
	      "debugfs -w -f cmd image >/dev/null 2>&1; "
	      "dumpe2fs -h image 2>/dev/null | grep -q needs_recovery");
	begin(&img);
	CHECK_OK(ext_write_file(w, "etc/new", "x", 1, &n, &e));
	end(img);
	shell("debugfs -R 'cat /etc/big' image 2>/dev/null | head -c 1024 | "
	      "cmp - junk");
}

/* Deleted while open: freed; being cut: cut. */
static void test_orphans(const char *options)
{
	struct img *img;

	make(options);
	debugfs("unlink /etc/big");
	shell("ino=$(debugfs -R 'ls -p /etc' image 2>/dev/null | "
	      "sed -n 's#^/\\([0-9]*\\)/.*/small/.*#\\1#p'); "
	      "big=$((ino - 1)); "
	      "debugfs -R 'ncheck 14' image >/dev/null 2>&1; "
	      "for big in $(seq 12 20); do debugfs -R \"stat <$big>\" image "
	      "2>/dev/null | grep -q 'Size: 108894' && break; done; "
	      "debugfs -w -f /dev/stdin image >/dev/null 2>&1 <<END\n"
	      "sif <$big> links_count 0\n"
	      "sif <$big> dtime $ino\n"
	      "sif <$ino> size 2\n"
	      "sif <$ino> dtime 0\n"
	      "ssv last_orphan $big\nEND");
	shell("! e2fsck -fn image >/dev/null 2>&1");
	begin(&img);
	end(img);
}

static struct img *load(void)
{
	struct img *file = open_image("image"), *mem;
	size_t size = (size_t)img_size(file);
	uint8_t *all = malloc(size);
	struct err e = { "" };

	CHECK(all);
	CHECK_EQ(img_read(file, all, size, 0), 0);
	CHECK_OK(img_memory(size, &mem, &e));
	CHECK_EQ(img_write(mem, all, size, 0), 0);
	free(all);
	img_close(file, NULL);
	return mem;
}

static void use(struct img *img)
{
	static const struct ext_new n = { 0644, 0, 0 };
	struct ext_room room;
	struct err e = { "" };

	ext_room(img, &room, &e);
	if (ext_write_open(img, NOW, &w, &e)) {
		CHECK(e.text[0]);
		return;
	}
	ext_write_append(w, "etc/big", data, 5000, &e);
	ext_write_file(w, "etc/small", data, 2000, &n, &e);
	for (unsigned i = 0; i < 20; i++) {
		char name[60];

		snprintf(name, sizeof(name), "many/another-name-that-is-long-"
			 "enough-%u", i);
		if (ext_write_file(w, name, data, i, &n, &e))
			break;
	}
	ext_write_mkdir(w, "etc/dir", &n, &e);
	ext_write_symlink(w, "etc/dir/link", "x", &n, &e);
	ext_write_remove(w, "many", &e);
	ext_write_remove(w, "etc", &e);
	ext_write_flush(w, &e);
	ext_write_close(w);
}

/* Whatever is in it: an error or not, but an end. */
static void test_hostile(const char *options, unsigned n)
{
	struct img *whole;
	uint8_t *all;
	size_t size;

	make(options);
	whole = load();
	size = (size_t)img_size(whole);
	all = malloc(size);
	CHECK(all);
	for (unsigned i = 0; i < n; i++) {
		struct img *mem;

		seed = i;
		CHECK_EQ(img_read(whole, all, size, 0), 0);
		for (unsigned k = 0; k <= i % 6; k++) {
			/* Most of what counts lies in front. */
			size_t at = 1024 + (size_t)pick(pick(2) ? 4096 :
							400000);

			all[at] = (uint8_t)(pick(3) ? pick(256) : 0xff);
		}
		CHECK_EQ(img_memory(size, &mem, NULL), 0);
		CHECK_EQ(img_write(mem, all, size, 0), 0);
		use(mem);
		img_close(mem, NULL);
	}
	free(all);
	img_close(whole, NULL);
}

#define QUOTA_BLOCKS 6u		/* of a file with accounts in one data block */

/* Where the blocks of the users' quota file lie. */
static void quota_blocks(uint64_t at[QUOTA_BLOCKS])
{
	unsigned long long block;
	FILE *f;

	shell("for i in 0 1 2 3 4 5; do debugfs -R \"bmap <3> $i\" image "
	      "2>/dev/null; done >blocks");
	f = fopen("blocks", "r");
	CHECK(f);
	for (unsigned i = 0; i < QUOTA_BLOCKS; i++) {
		CHECK_EQ(fscanf(f, "%llu", &block), 1);
		at[i] = block * 1024;
	}
	fclose(f);
}

/* Write a file, with `len` bytes at `at` of the quota file changed before. */
static int write_charged(const uint64_t *blocks, uint64_t at, const void *bytes,
			 size_t len, struct err *e)
{
	static const struct ext_new n = { 0644, 12345, 0 };
	struct img *img = load();
	int rc;

	CHECK_EQ(img_write(img, bytes, len, blocks[at / 1024] + at % 1024), 0);
	rc = ext_write_open(img, NOW, &w, e);
	if (!rc) {
		rc = ext_write_file(w, "etc/new", data, 5000, &n, e);
		if (!rc)
			rc = ext_write_flush(w, e);
		ext_write_close(w);
	}
	img_close(img, NULL);
	return rc;
}

/* Accounts that do not make sense are refused, and never believed. */
static void test_quota(unsigned many)
{
	static const struct {
		uint64_t at;
		uint8_t bytes[4];
		const char *words;
	} bad[] = {
		{ 0, { 1 }, "does not begin as one" },
		{ 4, { 2 }, "does not begin as one" },
		{ 1024, { 1 }, "leads out of it" },
		{ 1024, { 200, 1 }, "leads out of it" },
		{ 1028, { 2 }, "twice" },
		{ 4096, { 0xff, 0xff, 0xff, 0xff }, "leads out of it" },
		{ 4096 + 4 * 7, { 5 }, "an account is missing" },
	};
	struct err e = { "" };
	uint64_t blocks[QUOTA_BLOCKS];

	make("-t ext4 -O quota");
	quota_blocks(blocks);
	CHECK_OK(write_charged(blocks, 40, "", 1, &e));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(write_charged(blocks, bad[i].at, bad[i].bytes, 4, &e), -EUCLEAN);
		CHECK(strstr(e.text, bad[i].words) &&
		      strstr(e.text, "quota file in inode 3"));
	}
	for (unsigned i = 0; i < many; i++) {
		uint8_t byte = (uint8_t)pick(pick(2) ? 8 : 256);

		e.text[0] = 0;
		CHECK(!write_charged(blocks, pick(6 * 1024), &byte, 1, &e) || e.text[0]);
	}
}

int main(int argc, char **argv)
{
	const char *path = getenv("PATH");
	unsigned many = getenv("CHECK_ALL") ? 10000 : 300;
	char longer[4096];

	if (argc == 5)
		return random_changes(argv);
	snprintf(longer, sizeof(longer), "%s:/sbin:/usr/sbin", path ? path : "");
	setenv("PATH", longer, 1);
	if (system("mke2fs -V >/dev/null 2>&1; e2fsck -V >/dev/null 2>&1 && "
		   "debugfs -V >/dev/null 2>&1")) {
		puts("SKIP: e2fsprogs are not installed");
		return 77;
	}
	scratch_enter();
	test_refused();
	test_errors();
	test_attributes("-t ext4", true);
	test_attributes("-t ext3 -I 128", false);
	test_value_inodes();
	test_not_written();
	test_journal();
	test_orphans("-t ext4");
	test_orphans("-t ext3");
	test_hostile("-t ext4 -O ^metadata_csum", many);
	test_hostile("-t ext2", many);
	test_quota(many);
	return 0;
}
