/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits.c - changes to a guest's files: planned, read as if made, shown, made
 * in an overlay over several volumes, looked at with our reader and by e2fsck.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/copy/compare.h"
#include "convert/copy/image_file.h"
#include "convert/guest/edits.h"
#include "convert/guest/undo.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/fstree.h"
#include "tests/lib/guest.h"
#include "tests/lib/scratch.h"
#include "tests/lib/sheet.h"

static struct guest g;
static struct edits *ed;
static const struct edit_new n = { .code = "test", .why = "a test" };

static void begin(void)
{
	struct err e = { "" };

	guest_open(&g, IMG_WRITE);
	CHECK_OK(edits_new(g.tree, &ed, &e));
	CHECK(edits_tree(ed) == g.tree);
}

static void end(void)
{
	edits_free(ed);
	guest_close(&g);
}

static void put(const char *path, const char *text)
{
	struct err e = { "" };

	CHECK_OK(edits_write(ed, path, text, strlen(text), &n, &e));
}

static void reads(const char *path, const char *want)
{
	struct err e = { "" };
	char *data;
	size_t len;

	CHECK_OK(edits_read(ed, path, 1000, &data, &len, &e));
	CHECK_EQ(len, strlen(want));
	CHECK_STR(data, want);
	free(data);
}

static void tree_reads(const char *path, const char *want)
{
	struct err e = { "" };
	char *data;
	size_t len;

	CHECK_OK(tree_read(g.tree, path, 1000, &data, &len, &e));
	CHECK_STR(data, want);
	free(data);
}

/* The volumes as e2fsck sees them. */
static void check_volumes(void)
{
	static const uint32_t offsets[] = { GUEST_BOOT_OFFSET,
					    GUEST_ROOT_OFFSET, 0 };
	uint8_t *all = malloc(GUEST_DISK1_SIZE);

	CHECK(all);
	for (unsigned i = 0; i < 3; i++) {
		struct img *disk = g.disks[i / 2];
		size_t size = (size_t)img_size(disk);
		FILE *f = fopen("now", "w");

		CHECK(f && !img_read(disk, all, size, 0));
		CHECK_EQ(fwrite(all, 1, size, f), size);
		CHECK(!fclose(f));
		if (!fstree_run("e2fsck -fn 'now?offset=%u'", offsets[i])) {
			fprintf(stderr, "e2fsck of volume %u:\n", i);
			exit(system("cat log >&2; false") != 0);
		}
	}
	free(all);
}

static void apply(void)
{
	struct err e = { "" };

	CHECK_OK(edits_apply(ed, &e));
	guest_reopen(&g);
	check_volumes();
}

/* What has been planned is read; links lead through what is planned, too. */
static void test_reading(void)
{
	struct err e = { "" };
	char *data;
	size_t len;

	begin();
	reads("/etc/name", "guest\n");
	put("/etc/name", "other\n");
	reads("/etc/hostname", "other\n");
	put("/etc/hostname", "third\n");
	reads("/etc/out", "third\n");
	CHECK_EQ(edits_count(ed), 2);
	put("/etc/hostname", "third\n");
	CHECK_EQ(edits_count(ed), 2);
	CHECK(!edits_exists(ed, "/new/deep/file"));
	put("/new/deep/file", "x");
	CHECK_EQ(edits_count(ed), 5);
	CHECK(edits_exists(ed, "/new/deep") && edits_exists(ed, "/new/deep/.."));
	CHECK_OK(edits_symlink(ed, "/new/link", "../etc/name", &n, &e));
	reads("/new/link", "third\n");
	CHECK_OK(edits_symlink(ed, "/new/link", "../etc/name", &n, &e));
	CHECK_OK(edits_symlink(ed, "/etc/name", "hostname", &n, &e));
	CHECK_EQ(edits_count(ed), 7);
	CHECK_OK(edits_append(ed, "/new/link", "more", 4, &n, &e));
	reads("/etc/hostname", "third\nmore");
	CHECK_OK(edits_append(ed, "/boot/vmlinuz", "more", 4, &n, &e));
	reads("/boot/kernel", "kernel\nmore");
	CHECK_OK(edits_remove(ed, "/new", &n, &e));
	CHECK(!edits_exists(ed, "/new/deep/file"));
	CHECK_OK(edits_mkdir(ed, "/new/other", &n, &e));
	CHECK(!edits_exists(ed, "/new/deep") && edits_exists(ed, "/new/other"));
	CHECK_OK(edits_remove(ed, "/etc/conf.d", &n, &e));
	CHECK(!edits_exists(ed, "/etc/conf.d/twin"));
	CHECK_OK(edits_mkdir(ed, "/etc/conf.d", &n, &e));
	CHECK(!edits_exists(ed, "/etc/conf.d/twin"));
	/* Through a link to nothing: the file is made where it points. */
	put("/etc/dangling", "here\n");
	reads("/nothing/here", "here\n");
	/* There is none: no edit. */
	len = edits_count(ed);
	CHECK_OK(edits_remove(ed, "/no/such/file", &n, &e));
	CHECK_OK(edits_mkdir(ed, "/etc", &n, &e));
	CHECK_EQ(edits_count(ed), len);
	CHECK_EQ(edits_read(ed, "/etc", 10, &data, &len, &e), -EISDIR);
	CHECK_EQ(edits_read(ed, "/etc/numbers", 10, &data, &len, &e), -EFBIG);
	CHECK_EQ(edits_read(ed, "/boot/vmlinuz", 10, &data, &len, &e), -EFBIG);
	CHECK_EQ(edits_write(ed, "/etc", "", 0, &n, &e), -EISDIR);
	CHECK_EQ(edits_write(ed, "/etc/loop1", "", 0, &n, &e), -ELOOP);
	CHECK_EQ(edits_append(ed, "/etc/none", "x", 1, &n, &e), -ENOENT);
	CHECK_EQ(edits_mkdir(ed, "/etc/numbers", &n, &e), -EEXIST);
	CHECK_EQ(edits_symlink(ed, "/etc", "x", &n, &e), -EISDIR);
	CHECK_EQ(edits_remove(ed, "/srv", &n, &e), -EBUSY);
	CHECK_STR(e.text, "'/srv' cannot be removed: a volume is mounted there");
	CHECK_EQ(edits_remove(ed, "/", &n, &e), -EBUSY);
	/* The tree is as it was. */
	tree_reads("/etc/hostname", "guest\n");
	end();
}

static void is(const char *path, uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct tree_node node;
	struct err e = { "" };

	CHECK_OK(tree_find(g.tree, path, TREE_NOFOLLOW, &node, &e));
	CHECK_EQ(node.stat.mode, mode);
	CHECK_EQ(node.stat.uid, uid);
	CHECK_EQ(node.stat.gid, gid);
}

static void test_apply(void)
{
	struct edit_new secret = { "key", "a key", 0600, 1000, 100000 };
	struct err e = { "" };
	char *data, *more = calloc(1, 3000000);
	size_t len;

	begin();
	CHECK(more);
	put("/etc/hostname", "new name\n");
	put("/boot/grub/grub.cfg", "menu\n");
	CHECK_OK(edits_write(ed, "/root/.ssh/keys", "k", 1, &secret, &e));
	CHECK_OK(edits_write(ed, "/etc/short", "longer\n", 7, &secret, &e));
	CHECK_OK(edits_append(ed, "/boot/initrd", more, 3000000, &n, &e));
	CHECK_OK(edits_symlink(ed, "/etc/numbers", "/dev/null", &n, &e));
	CHECK_OK(edits_symlink(ed, "/srv/my data/www/to", "index", &n, &e));
	CHECK_OK(edits_remove(ed, "/etc/name", &n, &e));
	CHECK_OK(edits_remove(ed, "/var", &n, &e));
	CHECK_OK(edits_mkdir(ed, "/var/lib/x", &n, &e));
	put("/gone/file", "x");
	CHECK_OK(edits_remove(ed, "/gone", &n, &e));
	CHECK_OK(edits_check_room(ed, &e));
	apply();
	tree_reads("/etc/hostname", "new name\n");
	tree_reads("/boot/grub/grub.cfg", "menu\n");
	tree_reads("/etc/conf.d/twin", "longer\n");
	tree_reads("/srv/my data/www/to", "page\n");
	is("/root/.ssh/keys", S_IFREG | 0600, 1000, 100000);
	is("/root/.ssh", S_IFDIR | 0755, 0, 0);
	is("/etc/short", S_IFREG | 0644, 0, 0);
	is("/etc/numbers", S_IFLNK | 0777, 0, 0);
	CHECK_OK(tree_read(g.tree, "/boot/initrd", 4000000, &data, &len, &e));
	CHECK_EQ(len, 3200000);
	CHECK(data[199999] == 'i' && !memcmp(data + 200000, more, 3000000));
	CHECK(!tree_exists(g.tree, "/etc/name") &&
	      !tree_exists(g.tree, "/var/run") &&
	      !tree_exists(g.tree, "/gone"));
	CHECK(tree_exists(g.tree, "/var/lib/x"));
	free(data);
	free(more);
	end();
	/* The disks themselves were not written. */
	guest_open(&g, 0);
	tree_reads("/etc/hostname", "guest\n");
	CHECK_OK(edits_new(g.tree, &ed, &e));
	put("/etc/hostname", "x");
	CHECK_EQ(edits_apply(ed, &e), -EROFS);
	CHECK(strstr(e.text, "/ on disk 1 partition 2"));
	end();
}

static void test_show(void)
{
	struct err e = { "" };
	char *text;
	json_t *all;

	begin();
	put("/etc/numbers", "1\n2\n3\n4\n5\nsix\n7\n8\n9\n10\n");
	put("/etc/short", "no line feed\n");
	put("/etc/binary", "text now\n");
	put("/etc/new", "one\ntwo\n");
	CHECK_OK(edits_symlink(ed, "/etc/l", "x", &n, &e));
	CHECK_OK(edits_remove(ed, "/etc/hostname", &n, &e));
	CHECK_OK(edits_append(ed, "/boot/initrd", "abc", 3, &n, &e));
	text = edits_text(ed, &e);
	CHECK(text);
	CHECK(strstr(text, "test: a test\n    /etc/numbers: rewritten, 23 bytes, "
			   "were 111\n--- /etc/numbers\n+++ /etc/numbers\n"
			   "@@ -3,38 +3,8 @@\n 3\n 4\n 5\n-6\n+six\n 7\n"));
	CHECK(strstr(text, "@@ -1 +1 @@\n-no line feed\n"
			   "\\ No newline at end of file\n+no line feed\n"));
	CHECK(strstr(text, "/etc/binary: rewritten, 9 bytes, were 3\ntest"));
	CHECK(strstr(text, "--- /dev/null\n+++ /etc/new\n@@ -0,0 +1,2 @@\n"
			   "+one\n+two\n"));
	CHECK(strstr(text, "/etc/l: new link to x\n"));
	CHECK(strstr(text, "/etc/hostname: removed\n"));
	CHECK(strstr(text, "/boot/initrd: 3 bytes appended\n"));
	free(text);
	all = edits_json(ed);
	CHECK_EQ(json_array_size(all), 7);
	CHECK_STR(json_string_value(json_object_get(json_array_get(all, 0),
						    "action")), "write");
	CHECK(json_object_get(json_array_get(all, 0), "diff"));
	CHECK_EQ(json_integer_value(json_object_get(json_array_get(all, 2),
						    "size")), 9);
	CHECK_STR(json_string_value(json_object_get(json_array_get(all, 4),
						    "target")), "x");
	json_decref(all);
	end();
}

/* What does not fit is said before a byte is written. */
static void test_room(void)
{
	size_t len = 9u << 20;
	uint8_t *much = calloc(1, len);
	struct err e = { "" };
	char name[40];

	begin();
	CHECK(much);
	put("/etc/hostname", "x");
	CHECK_OK(edits_append(ed, "/boot/initrd", much, len, &n, &e));
	CHECK_EQ(edits_check_room(ed, &e), -ENOSPC);
	CHECK(strstr(e.text, "/boot on disk 1 partition 1: there is no room"));
	CHECK_EQ(edits_apply(ed, &e), -ENOSPC);
	guest_reopen(&g);
	tree_reads("/etc/hostname", "guest\n");
	end();
	begin();
	for (unsigned i = 0; i < 2100; i++) {
		snprintf(name, sizeof(name), "/boot/%u", i);
		put(name, "");
	}
	CHECK_EQ(edits_check_room(ed, &e), -ENOSPC);
	end();
	/* What seems to fit does: a little less, until it is accepted. */
	for (len = 9u << 20; len; len -= 200000) {
		begin();
		CHECK_OK(edits_append(ed, "/boot/initrd", much, len, &n, &e));
		if (!edits_check_room(ed, &e))
			break;
		end();
	}
	CHECK(len > 3u << 20);
	apply();
	end();
	free(much);
}

static int add_file(unsigned i, uint64_t *seed)
{
	static const char *const folders[] = {
		"/boot", "/boot/grub", "/boot/new/deep",
	};
	static uint8_t data[200000];
	struct err e = { "" };
	char path[200];
	size_t len = (size_t)(sheet_random(seed) %
			      (sheet_random(seed) % 8 ? 3000 : sizeof(data)));

	snprintf(path, sizeof(path), "%s/a-rather-long-name-for-a-file-that-"
		 "fills-its-folder-%u", folders[i % 3], i);
	if (i % 5)
		CHECK_OK(edits_write(ed, path, data, len, &n, &e));
	else
		CHECK_OK(edits_symlink(ed, path, path, &n, &e));
	return edits_check_room(ed, &e);
}

/* Files as long as there is room for them: all of them can be made. */
static void test_room_of_many(uint64_t seed)
{
	uint64_t again = seed;
	unsigned most = 0;

	begin();
	while (!add_file(most, &seed))
		most++;
	CHECK(most > 20);
	end();
	begin();
	for (unsigned i = 0; i < most; i++)
		CHECK_EQ(add_file(i, &again), 0);
	apply();
	end();
}

/* All that can be planned, in a random order, many times. */
static int plan_all(struct err *e)
{
	char *text, *data;
	size_t len;
	json_t *all;
	int rc = edits_write(ed, "/a/b/c", "x\ny\n", 4, &n, e);

	if (!rc)
		rc = edits_write(ed, "/etc/numbers", "1\n3\n", 4, &n, e);
	if (!rc)
		rc = edits_append(ed, "/etc/numbers", "z", 1, &n, e);
	if (!rc)
		rc = edits_symlink(ed, "/etc/name", "short", &n, e);
	if (!rc)
		rc = edits_remove(ed, "/etc/conf.d", &n, e);
	if (!rc)
		rc = edits_read(ed, "/etc/numbers", 100, &data, &len, e);
	if (rc)
		return rc;
	CHECK_EQ(len, 5);
	free(data);
	text = edits_text(ed, e);
	free(text);
	all = edits_json(ed);
	json_decref(all);
	return text && all ? 0 : -ENOMEM;
}

static void test_no_memory(void)
{
	uint64_t nth = 0, total;

	guest_open(&g, IMG_WRITE);
	do {
		struct err e = { "" };
		int rc;

		alloc_fail(++nth);
		rc = edits_new(g.tree, &ed, &e);
		if (!rc) {
			rc = plan_all(&e);
			if (!rc)
				rc = edits_check_room(ed, &e);
			edits_free(ed);
		}
		total = alloc_fail(0);
		CHECK_EQ(rc, nth <= total ? -ENOMEM : 0);
		CHECK(!rc || e.text[0]);
	} while (nth <= total);
	CHECK(total > 50);
	/* Made, but for one allocation: no crash, no leak. */
	for (nth = 1; nth < 200; nth++) {
		struct err e = { "" };
		int rc;

		CHECK_OK(edits_new(g.tree, &ed, &e));
		CHECK_OK(edits_write(ed, "/a/b", "x", 1, &n, &e));
		alloc_fail(nth);
		rc = edits_apply(ed, &e);
		total = alloc_fail(0);
		CHECK(!rc || e.text[0]);
		edits_free(ed);
		if (!rc)
			break;
		guest_close(&g);
		guest_open(&g, IMG_WRITE);
	}
	guest_close(&g);
}

static struct img *open_image(const char *path, const char *format,
			      unsigned flags)
{
	struct img_open_args args = { .format = format, .flags = flags };
	struct img *img;
	struct err e = { "" };

	CHECK_OK(img_open(path, &args, &img, &e));
	return img;
}

/* Edited in an overlay, copied with it into one image, undone in that. */
static void test_undo(const char *format)
{
	struct image_file_args args = { .create.format = format };
	struct copy_args how = { .threads = 1 };
	struct copy_result copied;
	struct compare_result differ;
	struct compare_args compare = { 0 };
	struct img *file, *disk, *source;
	struct undo_info info;
	struct err e = { "" };
	int fd;

	begin();
	put("/etc/hostname", "new name\n");
	put("/boot/grub/grub.cfg", "menu\n");
	CHECK_OK(edits_remove(ed, "/etc/conf.d", &n, &e));
	CHECK_OK(edits_apply(ed, &e));
	unlink("undo");
	unlink("converted");
	fd = open("undo", O_RDWR | O_CREAT, 0600);
	CHECK_OK(img_file_fd(fd, "undo", IMG_WRITE, &file, &e));
	CHECK_OK(undo_write(g.disks[0], file, NULL, &info, &e));
	CHECK_OK(img_close(file, &e));
	CHECK(info.bytes >= 10 * 4096 && info.bytes < 400000);
	CHECK_OK(image_file_copy(g.disks[0], "converted", &args, &how, &copied,
				 &e));
	copy_result_fini(&copied);
	end();

	disk = open_image("converted", format, IMG_WRITE);
	source = open_image("disk1", "raw", 0);
	file = open_image("undo", "raw", 0);
	compare.a = source;
	compare.b = disk;
	CHECK_OK(compare_run(&compare, &differ, &e));
	CHECK_EQ(differ.verdict, COMPARE_CONTENT);
	CHECK_OK(undo_apply(file, disk, &e));
	CHECK_OK(compare_run(&compare, &differ, &e));
	CHECK_EQ(differ.verdict, COMPARE_SAME);
	img_close(disk, NULL);
	img_close(source, NULL);
	img_close(file, NULL);
}

/* A guest whose volumes are damaged: an error or not, but an end. */
static void test_hostile(unsigned rounds)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < rounds; i++) {
		struct err e = { "" };
		int rc = 0;

		guest_open(&g, IMG_WRITE);
		tree_close(g.tree);
		volumes_close(&g.volumes);
		for (unsigned k = 0; k <= i % 4; k++) {
			uint64_t at = i % 2 ? GUEST_ROOT_OFFSET :
				GUEST_BOOT_OFFSET;
			uint8_t bad = (uint8_t)sheet_random(&seed);

			/* Near the front is what counts. */
			at += 1024 + sheet_random(&seed) %
				(sheet_random(&seed) % 2 ? 4096 : 600000);
			CHECK_EQ(img_write(g.disks[0], &bad, 1, at), 0);
		}
		g.tree = NULL;
		CHECK_OK(volumes_open(g.disks, 2, &g.volumes, &e));
		rc = tree_open(&g.volumes, &g.volumes.list[1], &g.tree, &e);
		if (!rc) {
			CHECK_OK(edits_new(g.tree, &ed, &e));
			rc = plan_all(&e);
			if (!rc)
				rc = edits_write(ed, "/boot/new", "x", 1, &n,
						 &e);
			if (!rc)
				rc = edits_apply(ed, &e);
			edits_free(ed);
		}
		CHECK(!rc || e.text[0]);
		guest_close(&g);
	}
}

int main(void)
{
	scratch_enter();
	if (!guest_make(NULL)) {
		puts("SKIP: mke2fs, sfdisk or mkswap is not installed");
		return 77;
	}
	test_reading();
	test_show();
	test_apply();
	test_room();
	for (uint64_t seed = 1; seed <= (getenv("CHECK_ALL") ? 50 : 2); seed++)
		test_room_of_many(seed);
	test_no_memory();
	test_undo("raw");
	test_undo("qcow2");
	test_hostile(getenv("CHECK_ALL") ? 3000 : 100);
	return 0;
}
