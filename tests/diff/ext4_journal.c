/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext4_journal.c - dirty journals that debugfs writes: the view of them is what
 * e2fsck makes of them, and so is what ext4_replay() writes.
 *
 * Image "after" is "before" with other files.  The blocks that differ are put into
 * the journal of "dirty", a copy of "before".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/fs/ext4.h"
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

static struct err e;

static const struct {
	const char *mke2fs, *open;	/* debugfs's journal_open */
	uint32_t block;			/* bytes */
} rows[] = {
	{ "-t ext3 -b 1024", "jo", 1024 },
	{ "-t ext4 -b 4096", "jo -c -v 3", 4096 },
	{ "-t ext4 -b 1024 -O 64bit", "jo -c -v 2", 1024 },
	{ "-t ext4 -b 4096 -O ^metadata_csum,^64bit", "jo", 4096 },
	{ "-t ext4 -b 2048 -O fast_commit", "jo -c", 2048 },
};

#define SIZE (24u << 20)

static uint8_t *load(const char *name)
{
	uint8_t *p = malloc(SIZE);
	int fd = open(name, O_RDONLY);

	CHECK(p && fd >= 0 && read(fd, p, SIZE) == SIZE && !close(fd));
	return p;
}

static void write_file(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(name, "w");

	CHECK(f && (!len || fwrite(data, len, 1, f) == 1) && !fclose(f));
}

static void make_before(const char *options)
{
	CHECK(fstree_run("rm -rf src && mkdir -p src/dir && cd src && "
			 "seq 1000 >one && seq 20000 >two && seq 3000 >three && "
			 "cp two dir/four && cp one dir/five"));
	CHECK(fstree_run("rm -f before; mke2fs -q -F %s -J size=4 -N 200 -d src "
			 "before %u", options, SIZE / 1024));
}

/* A new file, one removed, one that begins with the journal's magic number. */
static void make_after(void)
{
	CHECK(fstree_run("cd src && rm three && seq 7 30000 >new && "
			 "printf '\\300\\073\\071\\230 magic' >dir/magic && "
			 "ln new dir/link"));
	CHECK(fstree_run("cp before after && printf '%%s\\n' 'rm three' "
			 "'write src/new new' 'cd dir' "
			 "'write src/dir/magic magic' 'ln <12> x' 'unlink x' "
			 "'ln /new link' 'sif /new links_count 2' >cmd && "
			 "debugfs -w -f cmd after"));
	CHECK(fstree_run("e2fsck -fn after"));
}

/* The numbers of differing blocks go to debugfs, their content to "blocks". */
static void write_journal(unsigned row)
{
	uint8_t *before = load("before"), *after = load("after");
	uint32_t size = rows[row].block;
	FILE *cmd = fopen("cmd", "w"), *blocks = fopen("blocks", "w");
	uint64_t first = 0;
	unsigned n = 0;

	CHECK(cmd && blocks);
	fprintf(cmd, "%s\n", rows[row].open);
	/* Older transactions: a block that comes again, and one revoked. */
	/* debugfs does not take the superblock. */
	for (uint64_t i = 1 + (size == 1024); i < SIZE / size; i++) {
		const uint8_t *p = after + i * size;

		if (!memcmp(before + i * size, p, size))
			continue;
		if (!first) {
			first = i;
			fprintf(cmd, "jw -b %llu,%u junk\njw -r %u\njw -b ",
				(unsigned long long)i, SIZE / size - 5,
				SIZE / size - 5);
		}
		fprintf(cmd, "%s%llu", n++ ? "," : "", (unsigned long long)i);
		CHECK(fwrite(p, size, 1, blocks) == 1);
	}
	CHECK(n > 3);
	/* One that was not committed. */
	fprintf(cmd, " blocks\njw -c -b %llu junk\njc\n",
		(unsigned long long)first);
	CHECK(!fclose(cmd) && !fclose(blocks));
	memset(before, 'j', 4 * size);
	write_file("junk", before, 4 * size);
	free(before);
	free(after);
	CHECK(fstree_run("cp before dirty && debugfs -w -f cmd dirty"));
	CHECK(!system("! grep -Ev '^(debugfs[: ]|Setting)' log"));
}

/* Our view, the reverse of mke2fs -d. */
static void check_view(const char *name, bool dirty)
{
	struct img *img;
	struct fs *fs = fstree_open(name, &img);
	struct fs_extent ext;
	struct stat st;

	CHECK(fs_identity(fs)->has_files && fs_identity(fs)->has_map);
	CHECK_EQ(fs_identity(fs)->dirty, dirty);
	CHECK(!stat("src/new", &st));
	CHECK_EQ(fstree_compare(fs, "src", FSTREE_CONTENT), 7);
	CHECK_OK(fs_map(fs, 0, &ext, &e));
	CHECK(ext.used);
	fstree_close(fs, img);
}

static void same_map(const char *a, const char *b)
{
	struct img *img[2];
	struct fs *fs[2] = { fstree_open(a, &img[0]), fstree_open(b, &img[1]) };
	struct fs_extent ext[2];

	for (uint64_t at = 0; at < SIZE; at += ext[0].len)
		for (unsigned i = 0; i < 2; i++) {
			CHECK_OK(fs_map(fs[i], at, &ext[i], &e));
			CHECK(ext[i].used == ext[0].used &&
			      ext[i].len == ext[0].len);
		}
	for (unsigned i = 0; i < 2; i++)
		fstree_close(fs[i], img[i]);
}

/* All but the journal and the superblocks. */
static void same_blocks(const char *a, const char *b)
{
	uint8_t *x = load(a), *y = load(b);
	unsigned differ = 0;

	for (unsigned at = 0; at < SIZE; at += 1024)
		if (memcmp(x + at, y + at, 1024)) {
			/* Superblocks, in the log's one too. */
			if (get_be32(x + at) == 0xc03b3998 ||
			    get_le16(x + at + 0x38) == 0xef53)
				continue;
			fprintf(stderr, "%s and %s differ at %u\n", a, b, at);
			differ++;
		}
	CHECK(!differ);
	free(x);
	free(y);
}

static void check_replay(void)
{
	struct img *img;

	CHECK(fstree_run("cp dirty ours"));
	CHECK_OK(img_file_open("ours", IMG_WRITE, &img, &e));
	CHECK_OK(ext4_replay(img, &e));
	CHECK_OK(img_close(img, &e));
	check_view("ours", false);
	/* Only counts in the superblock are left to mend. */
	CHECK(fstree_run("cp ours mended; e2fsck -fp mended; [ $? -le 1 ]"));
	CHECK(fstree_run("cp dirty theirs; e2fsck -p -E journal_only theirs"));
	same_blocks("ours", "theirs");
	/* Again, when there is nothing to do. */
	CHECK(fstree_run("cp ours twice"));
	CHECK_OK(img_file_open("twice", IMG_WRITE, &img, &e));
	CHECK_OK(ext4_replay(img, &e));
	CHECK_OK(img_close(img, &e));
	CHECK(fstree_run("cmp ours twice"));
}

int main(void)
{
	scratch_enter();
	if (!fstree_has("debugfs") || !fstree_has("e2fsck")) {
		puts("SKIP: e2fsprogs is not installed");
		return 77;
	}
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		printf("%s\n", rows[i].mke2fs);
		fflush(stdout);
		make_before(rows[i].mke2fs);
		make_after();
		write_journal(i);
		check_view("dirty", true);
		same_map("dirty", "after");
		check_replay();
	}
	return 0;
}
