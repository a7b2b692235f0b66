/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext4_files.c - file systems that mke2fs makes of a folder, with every feature it
 * has, show that folder; their allocation map is dumpe2fs's, and blocks belong
 * to the file that debugfs says.  CHECK_ALL=1 for all rows.
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
	bool always, index;	/* let e2fsck make hash trees */
	unsigned flags;		/* FSTREE_* */
} rows[] = {
	{ "-t ext2", "40M", true, false, 0 },
	{ "-t ext2 -r 0 -b 1024", "40M", false, false, FSTREE_NO_XATTR },
	{ "-t ext3", "40M", true, true, 0 },
	{ "-t ext2 -I 128 -b 1024", "40M", false, true, 0 },
	{ "-t ext4", "64M", false, false, 0 },
	{ "-t ext4", "64M", false, true, 0 },
	{ "-t ext4 -b 1024", "64M", true, true, 0 },
	{ "-t ext4 -b 2048 -O ^has_journal", "64M", false, true, 0 },
	{ "-t ext4 -b 65536 -g 2048", "512M", true, true, 0 },
	{ "-t ext4 -O ^extents,^64bit", "64M", false, true, 0 },
	{ "-t ext4 -O ^metadata_csum,uninit_bg", "64M", true, true, 0 },
	{ "-t ext4 -O ^metadata_csum,^64bit,uninit_bg", "64M", false, true, 0 },
	{ "-t ext4 -O meta_bg,^resize_inode -b 1024", "128M", true, true, 0 },
	{ "-t ext4 -O sparse_super2,^resize_inode", "64M", false, true, 0 },
	{ "-t ext4 -O inline_data -I 256", "64M", true, true, 0 },
	{ "-t ext4 -O inline_data -I 1024", "64M", false, true, 0 },
	{ "-t ext4 -O bigalloc -C 16384", "64M", true, true, 0 },
	{ "-t ext4 -O bigalloc -b 1024 -C 65536", "128M", false, true, 0 },
	{ "-t ext4 -O large_dir,ea_inode", "64M", true, true, 0 },
	{ "-t ext4 -O ^flex_bg -g 1024", "64M", false, true, 0 },
	{ "-t ext4 -G 4 -b 1024 -g 1024 -E packed_meta_blocks=1", "64M",
	  false, true, 0 },
	{ "-t ext4 -O quota,project -E quotatype=usrquota:prjquota", "64M",
	  false, true, 0 },
	{ "-t ext4 -O mmp", "64M", false, true, 0 },
	{ "-t ext4 -O casefold,encrypt,verity", "64M", false, true, 0 },
	{ "-t ext4 -O metadata_csum_seed,fast_commit,stable_inodes", "64M",
	  false, true, 0 },
	{ "-t ext4 -O ^huge_file,^dir_nlink,^extra_isize,^filetype", "64M",
	  false, true, 0 },
	{ "-t ext4 -O orphan_file", "64M", false, true, 0 },
};

/* "  Free blocks: 3, 7-9, ..." of all groups, one byte a block.  Of a cluster
 * only the first block is named.
 */
static uint8_t *dumpe2fs_free(uint64_t n_blocks, uint32_t block_size)
{
	uint64_t ratio = 1;
	uint8_t *free_blocks = calloc(n_blocks, 1);
	FILE *f = popen("PATH=$PATH:/usr/sbin dumpe2fs image 2>/dev/null", "r");
	char *line = NULL, *p;
	size_t cap = 0;

	CHECK(free_blocks && f);
	while (getline(&line, &cap, f) > 0) {
		if (!strncmp(line, "Cluster size:", 13))
			ratio = strtoull(line + 13, NULL, 10) / block_size;
		if (strncmp(line, "  Free blocks: ", 15))
			continue;
		for (p = line + 15; *p >= '0' && *p <= '9';) {
			uint64_t from = strtoull(p, &p, 10), to = from;

			if (*p == '-')
				to = strtoull(p + 1, &p, 10);
			to += ratio - 1;
			CHECK(to < n_blocks);
			memset(free_blocks + from, 1, to - from + 1);
			p += *p == ',' ? 2 : 0;
		}
	}
	free(line);
	CHECK(!pclose(f));
	return free_blocks;
}

static void check_map(struct fs *fs, struct img *img)
{
	uint32_t size = fs_identity(fs)->block_size;
	uint64_t n = fs_identity(fs)->size / size, at = 0, unused = 0;
	uint8_t *free_blocks = dumpe2fs_free(n, size);
	struct fs_extent ext;
	bool before = false;

	CHECK(fs_identity(fs)->has_map);
	for (; at < img_size(img); at += ext.len) {
		CHECK_OK(fs_map(fs, at, &ext, &e));
		CHECK(ext.len && ext.offset == at && !(ext.len % size));
		CHECK(!at || ext.used != before);
		before = ext.used;
		for (uint64_t b = at / size; b < (at + ext.len) / size; b++)
			if (ext.used == (b < n && free_blocks[b])) {
				fprintf(stderr, "block %" PRIu64 " used: %d\n",
					b, ext.used);
				exit(1);
			}
		unused += ext.used ? 0 : ext.len;
	}
	CHECK_EQ(at, img_size(img));
	CHECK(unused);
	/* From the middle of an extent. */
	CHECK_OK(fs_map(fs, 5000, &ext, &e));
	CHECK(ext.used && ext.offset == 5000);
	free(free_blocks);
}

struct owner {
	const char *want;
	unsigned n, found;
};

static int see_owner(void *arg, const char *path)
{
	struct owner *o = arg;

	o->n++;
	if (!strcmp(path, o->want))
		o->found++;
	return 0;
}

/* Each block that debugfs says is a file's belongs to this file only. */
static void check_owner(struct fs *fs, const char *path)
{
	uint32_t size = fs_identity(fs)->block_size;
	unsigned long long block;
	unsigned n = 0;
	FILE *f;

	CHECK(fstree_run("debugfs -R 'blocks %s' image 2>/dev/null >blocks",
			 path));
	f = fopen("blocks", "r");
	CHECK(f);
	while (fscanf(f, "%llu", &block) == 1) {
		struct owner o = { .want = path };

		if (n++ % 50)
			continue;
		CHECK_OK(fs_owners(fs, block * size + 10, 20, see_owner, &o,
				   &e));
		CHECK(o.n == 1 && o.found == 1);
	}
	CHECK(n && !fclose(f));
}

static int stop_at_once(void *arg, const char *path)
{
	return path ? *(int *)arg : 0;
}

static void check_owners(struct fs *fs)
{
	struct owner o = { .want = "(file system's own)" };
	int seven = 7;

	check_owner(fs, "/size-300000");
	check_owner(fs, "/many");
	check_owner(fs, "/sparse");
	check_owner(fs, "/");
	CHECK_OK(fs_owners(fs, 1500, 1, see_owner, &o, &e));
	CHECK(o.n == 1 && o.found == 1);
	CHECK_EQ(fs_owners(fs, 1500, 1, stop_at_once, &seven, &e), 7);
	/* All of it: every file with a block of its own. */
	o.n = o.found = 0;
	o.want = "/many";
	CHECK_OK(fs_owners(fs, 0, fs_identity(fs)->size, see_owner, &o, &e));
	CHECK(o.n > 15 && o.found == 1);
}

static void check_row(unsigned i)
{
	struct img *img;
	struct fs *fs;
	unsigned n;

	if (!fstree_run("mke2fs -q -F %s -L 'a label' -d src image %s",
			rows[i].options, rows[i].size)) {
		printf("mke2fs does not make %s\n", rows[i].options);
		CHECK(!system("tail -n 1 log; grep -q 'Invalid filesys' log"));
		return;
	}
	if (rows[i].index)
		fstree_run("e2fsck -fyD image");
	CHECK(fstree_run("e2fsck -fn image"));
	fs = fstree_open("image", &img);
	CHECK(fs_identity(fs)->has_files);
	CHECK_STR(fs_identity(fs)->label, "a label");
	check_map(fs, img);
	check_owners(fs);
	n = fstree_compare(fs, "src", rows[i].flags);
	printf("%s: %u files\n", rows[i].options, n);
	CHECK(n > 700);
	fstree_close(fs, img);
	CHECK(!remove("image"));
}

int main(void)
{
	scratch_enter();
	if (!fstree_has("mke2fs") || !fstree_has("e2fsck")) {
		puts("SKIP: e2fsprogs is not installed");
		return 77;
	}
	fstree_make("src", 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].always || getenv("CHECK_ALL"))
			check_row(i);
	return 0;
}
