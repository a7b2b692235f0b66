/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fat_mtools.c - FAT of all widths, made by mkfs.fat and filled by mtools, shows
 * what was put there, and as many free bytes as mdir.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

static struct err e;

static const struct {
	const char *options, *size;
} rows[] = {
	{ "-F 12 -s 8", "12M" },
	{ "-F 16 -s 2", "30M" },
	{ "-F 16 -S 1024", "32M" },
	{ "-F 16 -S 4096 -s 1", "40M" },
	{ "-F 32 -s 1", "40M" },
	{ "-F 32 -s 1 -f 1 -R 100", "300M" },
};

/* "   12 345 678 bytes free" */
static uint64_t mdir_free(void)
{
	char line[256];
	uint64_t n = 0;
	FILE *f;

	CHECK(fstree_run("mdir -i image :: | grep 'bytes free' >free"));
	f = fopen("free", "r");
	CHECK(f && fgets(line, sizeof(line), f) && !fclose(f));
	for (const char *p = line; *p && *p != 'b'; p++)
		if (*p >= '0' && *p <= '9')
			n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

static void check_map(struct fs *fs, struct img *img)
{
	struct fs_extent ext;
	uint64_t n = 0;

	CHECK(fs_identity(fs)->has_map && !fs_identity(fs)->dirty);
	for (uint64_t at = 0; at < img_size(img); at += ext.len) {
		CHECK_OK(fs_map(fs, at, &ext, &e));
		n += ext.used ? 0 : ext.len;
		CHECK(at || ext.used);
	}
	CHECK_EQ(n, mdir_free());
}

static void check_row(unsigned i)
{
	struct img *img;
	struct fs *fs;
	uint64_t ino;

	printf("%s\n", rows[i].options);
	fflush(stdout);
	CHECK(fstree_run("rm -f image; truncate -s %s image", rows[i].size));
	CHECK(fstree_run("mkfs.fat %s -i 1234abcd -n LABEL image",
			 rows[i].options));
	CHECK(fstree_run("cd src && mcopy -i ../image -s * ::"));
	/* Free entries between others, and clusters that lie apart. */
	CHECK(fstree_run("mdel -i image ::/size-100 ::/size-70000 && "
			 "mcopy -i image src/size-300000 ::/again && "
			 "mdel -i image ::/size-300000 && "
			 "mcopy -i image src/size-100 src/size-70000 "
			 "src/size-300000 :: && mdel -i image ::/again"));
	fs = fstree_open("image", &img);
	CHECK_STR(fs_identity(fs)->type, "vfat");
	CHECK_STR(fs_identity(fs)->uuid, "1234-ABCD");
	CHECK_STR(fs_identity(fs)->label, "LABEL");
	CHECK(fs_identity(fs)->has_files);
	CHECK_EQ(fstree_compare(fs, "src", FSTREE_PLAIN), 120);
	CHECK_OK(fs_lookup(fs, fs_root(fs), "SIZE-1", 6, &ino, &e));
	check_map(fs, img);
	fstree_close(fs, img);
}

int main(void)
{
	scratch_enter();
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("MTOOLS_SKIP_CHECK", "1", 1);
	if (!fstree_has("mkfs.fat") || !fstree_has("mcopy")) {
		puts("SKIP: dosfstools or mtools is not installed");
		return 77;
	}
	fstree_make("src", FSTREE_PLAIN);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(i);
	return 0;
}
