/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext4_mutated.c - file systems with one byte of their metadata changed, and small
 * FAT ones: a sentence, or files, but no crash, and in bounded time.
 *
 * CHECK_ALL=1 for every byte of every block; else all of the superblock's and every
 * few of others.
 */
#include <fcntl.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/fsuse.h"
#include "tests/lib/scratch.h"

static struct err e;

static const struct {
	const char *make;
	const struct fs_driver *drv;
} rows[] = {
	{ "mke2fs -q -F -t ext2 -b 1024 -N 64 -d src image 200k",
	  &fs_ext4_driver },
	{ "mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum,inline_data "
	  "-I 256 -b 1024 -N 64 -d src image 200k", &fs_ext4_driver },
	{ "mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum,bigalloc -C 4096 "
	  "-b 1024 -N 64 -d src image 400k", &fs_ext4_driver },
	{ "mke2fs -q -F -t ext4 -O ^has_journal -b 1024 -N 64 -d src image 200k",
	  &fs_ext4_driver },
	/* A dirty journal, of both kinds. */
	{ "mke2fs -q -F -t ext3 -b 1024 -N 64 -J size=1 image 4M && "
	  "printf '%s\\n' jo 'jw -b 1900,1901 junk' 'jw -r 1900' 'jw -b 1902 "
	  "junk' jc >cmd && debugfs -w -f cmd image", &fs_ext4_driver },
	{ "mke2fs -q -F -t ext4 -O ^metadata_csum -b 1024 -N 64 -J size=1 image "
	  "4M && printf '%s\\n' 'jo -c' 'jw -b 1900,1901 junk' "
	  "'jw -b 1902 junk' jc >cmd && debugfs -w -f cmd image", &fs_ext4_driver },
	{ "truncate -s 100k image && mkfs.fat -F 12 -r 32 image && "
	  "mcopy -i image -s src/dir src/inline ::", &fs_fat_driver },
};

/* A look at the volume with the byte at `at` changed. */
static bool change(struct img *img, uint64_t at, uint8_t was, uint8_t is,
		   const struct fs_driver *drv)
{
	bool opened;

	CHECK_OK(img_write(img, &is, 1, at));
	opened = fs_use(img, drv);
	CHECK_OK(img_write(img, &was, 1, at));
	return opened;
}

static unsigned mutate(const uint8_t *p, uint64_t size, unsigned step,
		       const struct fs_driver *drv)
{
	unsigned n = 0, opened = 0;
	struct img *img;

	CHECK_OK(img_memory(size, &img, &e));
	CHECK_OK(img_write(img, p, size, 0));
	CHECK(fs_use(img, drv));
	for (uint64_t at = 0; at < size; at++) {
		/* Of zeroes that stand among zeroes, a few; no empty blocks. */
		if (!p[at] && at && !p[at - 1] &&
		    (at % 16 || bytes_are_zero(p + at / 1024 * 1024, 1024)))
			continue;
		if (at / 1024 != 1 && n++ % step)
			continue;
		opened += change(img, at, p[at], (uint8_t)~p[at], drv);
		opened += change(img, at, p[at],
				 (uint8_t)(p[at] ^ 1u << at % 8), drv);
	}
	CHECK_OK(img_close(img, &e));
	return opened;
}

static void check_row(unsigned i, unsigned step)
{
	int fd, ok = fstree_run("rm -f image; %s", rows[i].make);
	uint8_t *p;
	off_t size;

	if (!ok)
		CHECK(!system("cat log"));
	CHECK(ok);
	fd = open("image", O_RDONLY);
	CHECK(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	p = malloc((size_t)size);
	CHECK(p && pread(fd, p, (size_t)size, 0) == size && !close(fd));
	printf("%u: opened %u times\n", i,
	       mutate(p, (uint64_t)size, step, rows[i].drv));
	free(p);
}

int main(void)
{
	unsigned step = getenv("CHECK_ALL") ? 1 : 7;

	scratch_enter();
	if (!fstree_has("debugfs") || !fstree_has("mkfs.fat") ||
	    !fstree_has("mcopy")) {
		puts("SKIP: e2fsprogs, dosfstools or mtools is not installed");
		return 77;
	}
	CHECK(fstree_run("mkdir -p src/dir && ln -s target src/link && "
			 "printf %%0200d 0 >src/inline && "
			 "ln -s $(cat src/inline) src/slow && "
			 "for i in 1 2 3 4 5 6 7; do printf $i | dd of=src/sparse "
			 "bs=1k seek=$((i * 5)) status=none; touch src/dir/$i; "
			 "done; head -c 3000 /dev/urandom >junk"));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(i, step);
	return 0;
}
