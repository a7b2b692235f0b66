/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs.c - every allocation and every read fails once while file systems are looked
 * at: no crash, and no leak where a sanitizer looks; and the power fails at each
 * write of a journal's replay, which then can be done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "convert/fs/ext4.h"
#include "convert/fs/volumes.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/fstree.h"
#include "tests/lib/fsuse.h"
#include "tests/lib/scratch.h"

#define SIZE (4u << 20)

static struct err e;
static uint8_t *content;

static struct img *disk_of(const uint8_t *p)
{
	struct img *mem;

	CHECK_OK(img_memory(SIZE, &mem, &e));
	CHECK_OK(img_write(mem, p, SIZE, 0));
	return mem;
}

static void load(const char *commands)
{
	int fd;

	CHECK(fstree_run("rm -f image; %s", commands));
	fd = open("image", O_RDONLY);
	memset(content, 0, SIZE);
	CHECK(fd >= 0 && read(fd, content, SIZE) > 0 && !close(fd));
}

static void open_volumes(struct img *img)
{
	struct volumes v;
	struct err why = { "" };

	if (!volumes_open(&img, 1, &v, &why))
		volumes_close(&v);
	else
		CHECK(why.text[0]);
}

static void fail_each(const struct fs_driver *drv)
{
	struct img *mem = disk_of(content), *disk;
	uint64_t n, allocations;

	CHECK(fs_use(mem, drv));
	/* Until there is none to fail any more. */
	for (n = 1;; n++) {
		alloc_fail(n);
		fs_use(mem, drv);
		open_volumes(mem);
		allocations = alloc_fail(0);
		if (allocations < n)
			break;
	}
	CHECK(allocations > 10);
	CHECK_OK(fault_new(mem, 0, &disk, &e));
	for (n = 1; ; n++) {
		struct fault_plan plan = { FAULT_READ, .nth = n, .errnum = EIO };

		fault_set(disk, &plan);
		fs_use(disk, drv);
		open_volumes(disk);
		if (!fault_failures(disk))
			break;
	}
	CHECK(n > 5);
	printf("%llu reads and %llu allocations failed\n",
	       (unsigned long long)n, (unsigned long long)allocations);
	CHECK_OK(img_close(disk, &e));
}

static uint8_t *read_all(struct img *img)
{
	uint8_t *p = malloc(SIZE);

	CHECK(p);
	CHECK_OK(img_read(img, p, SIZE, 0));
	return p;
}

/* Writing ends with the nth write; then what may be on the disk is replayed. */
static bool cut_at(uint64_t nth, const uint8_t *want)
{
	struct fault_plan plan = { FAULT_WRITE, .nth = nth, .errnum = EIO,
				   .lasting = true };
	struct img *disk, *after;
	uint8_t *got;
	int rc;

	CHECK_OK(fault_new(disk_of(content), FAULT_RECORD, &disk, &e));
	fault_set(disk, &plan);
	rc = ext4_replay(disk, &e);
	for (uint64_t seed = 1; seed <= 4; seed++) {
		CHECK_OK(fault_power_cut(disk, seed, &after, &e));
		CHECK_OK(ext4_replay(after, &e));
		got = read_all(after);
		CHECK(!memcmp(got, want, SIZE));
		free(got);
		CHECK_OK(img_close(after, &e));
	}
	img_close(disk, NULL);
	return rc != 0;
}

static void cut_each(void)
{
	struct img *whole = disk_of(content);
	uint8_t *want;
	uint64_t n = 1;

	CHECK_OK(ext4_replay(whole, &e));
	want = read_all(whole);
	CHECK(memcmp(want, content, SIZE));
	while (cut_at(n, want))
		n++;
	/* Three blocks and two superblocks. */
	CHECK_EQ(n, 6);
	free(want);
	CHECK_OK(img_close(whole, &e));
}

int main(void)
{
	scratch_enter();
	content = malloc(SIZE);
	CHECK(content);
	if (!fstree_has("debugfs") || !fstree_has("mkfs.fat") ||
	    !fstree_has("mcopy")) {
		puts("SKIP: e2fsprogs, dosfstools or mtools is not installed");
		return 77;
	}
	CHECK(fstree_run("mkdir -p src/dir && echo hello >src/dir/file && "
			 "seq 9999 >src/long && ln -s long src/link && "
			 "head -c 3000 /dev/urandom >junk"));
	load("mke2fs -q -F -t ext4 -O ^resize_inode,inline_data -N 64 -b 1024 "
	     "-d src -J size=1 image 4M && printf '%s\\n' 'jo -c' 'jw -b 3900,3901 "
	     "junk' 'jw -b 3902 junk' jc >cmd && debugfs -w -f cmd image");
	fail_each(&fs_ext4_driver);
	load("mke2fs -q -F -t ext3 -N 64 -b 1024 -J size=1 image 4M && "
	     "printf '%s\\n' jo 'jw -b 3900,3901 junk' 'jw -b 3902 junk' jc >cmd "
	     "&& debugfs -w -f cmd image");
	cut_each();
	load("truncate -s 100k image && mkfs.fat -F 12 -r 32 image && "
	     "mcopy -i image -s src/dir src/long ::");
	fail_each(&fs_fat_driver);
	free(content);
	return 0;
}
