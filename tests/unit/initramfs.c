/* SPDX-License-Identifier: GPL-2.0-or-later */
/* initramfs.c - an initramfs of every compression is listed, and what is spliced
 * into it is found again; what is none, or a bomb, is refused.
 *
 * initramfs list FILE: its members.  initramfs splice FILE PATH TEXT: append.
 */
#include <errno.h>
#include <sys/stat.h>

#include "convert/guest/initramfs.h"
#include "tests/check.h"

static struct err e;

static void add(struct cpio_writer *w, const char *name, uint32_t mode,
		const char *text)
{
	CHECK_EQ(cpio_add(w, name, mode, text, strlen(text)), 0);
}

#define MODULES "usr/lib/modules/6.1.0/"

/* Microcode in a plain archive, then the packed one. */
static uint8_t *make(enum unpack_kind kind, size_t *len)
{
	struct cpio_writer early = { 0 }, w = { 0 };
	uint8_t *packed, *data;
	size_t n;

	add(&early, "kernel/x86/microcode/GenuineIntel.bin", S_IFREG | 0644, "m");
	CHECK_EQ(cpio_end(&early), 0);
	add(&w, "conf", S_IFDIR | 0755, "");
	add(&w, "conf/initramfs.conf", S_IFREG | 0644, "MODULES=list\n");
	add(&w, "lib", S_IFLNK | 0777, "usr/lib");
	add(&w, "usr", S_IFDIR | 0755, "");
	add(&w, "usr/lib", S_IFDIR | 0755, "");
	add(&w, "usr/lib/modules", S_IFDIR | 0755, "");
	add(&w, "usr/lib/modules/6.1.0", S_IFDIR | 0755, "");
	add(&w, MODULES "kernel", S_IFDIR | 0755, "");
	add(&w, MODULES "kernel/vmw-pvscsi.ko.xz", S_IFREG | 0644, "elf");
	add(&w, MODULES "modules.dep", S_IFREG | 0644, "kernel/vmw-pvscsi.ko.xz:");
	CHECK_EQ(cpio_end(&w), 0);
	CHECK_OK(pack(kind, w.data, w.len, &packed, &n, &e));
	*len = early.len + 512 + n;
	data = calloc(1, *len);
	memcpy(data, early.data, early.len);
	memcpy(data + early.len + 512, packed, n);
	free(packed);
	free(early.data);
	free(w.data);
	return data;
}

/* `data` with what is to be appended. */
static uint8_t *spliced(const struct initramfs *fs, uint8_t *data, size_t *len)
{
	struct initramfs_splice s = { .fs = fs };
	uint8_t *more;
	size_t n;

	CHECK_OK(splice_add(&s, "lib/modules/6.1.0/kernel/drivers/virtio_blk.ko",
			    0644, "new", 3, &e));
	CHECK_OK(splice_add(&s, MODULES "modules.dep", 0644, "x", 1, &e));
	CHECK_OK(splice_end(&s, &more, &n, &e));
	data = realloc(data, *len + n);
	memcpy(data + *len, more, n);
	*len += n;
	free(more);
	splice_fini(&s);
	return data;
}

static void test_kind(enum unpack_kind kind)
{
	size_t len;
	uint8_t *data = make(kind, &len);
	struct initramfs fs;

	CHECK_OK(initramfs_read(data, len, &fs, &e));
	CHECK_EQ(fs.kind, kind);
	/* Archives that follow each other plain are one part. */
	CHECK_EQ(fs.n_parts, kind == UNPACK_NONE ? 1 : 2);
	CHECK_EQ(fs.n, 11);
	CHECK_STR(fs.generator, "initramfs-tools");
	CHECK_STR(initramfs_module(&fs, "6.1.0", "vmw_pvscsi"),
		  MODULES "kernel/vmw-pvscsi.ko.xz");
	CHECK(!initramfs_module(&fs, "6.1", "vmw_pvscsi"));
	CHECK(!initramfs_module(&fs, "6.1.0", "virtio_blk"));
	CHECK_STR(initramfs_find(&fs, MODULES "modules.dep")->content,
		  "kernel/vmw-pvscsi.ko.xz:");

	data = spliced(&fs, data, &len);
	initramfs_fini(&fs);
	CHECK_OK(initramfs_read(data, len, &fs, &e));
	/* A folder and a file more; nothing called lib/modules. */
	CHECK_EQ(fs.n, 13);
	CHECK(initramfs_find(&fs, MODULES "kernel/drivers"));
	CHECK_STR(initramfs_module(&fs, "6.1.0", "virtio_blk"),
		  MODULES "kernel/drivers/virtio_blk.ko");
	CHECK_STR(initramfs_find(&fs, MODULES "modules.dep")->content, "x");
	CHECK(S_ISLNK(initramfs_find(&fs, "lib")->mode));
	initramfs_fini(&fs);

	/* Cut off and damaged in any place: an error or not, but an end. */
	for (size_t n = 1; n < len; n += 1 + n / 16) {
		uint8_t *cut = malloc(n);

		memcpy(cut, data, n);
		initramfs_read(cut, n, &fs, &e);
		initramfs_fini(&fs);
		cut[n / 2] ^= 0x40;
		initramfs_read(cut, n, &fs, &e);
		initramfs_fini(&fs);
		free(cut);
	}
	free(data);
}

static void test_resolve(void)
{
	struct cpio_writer w = { 0 };
	struct initramfs fs;
	char out[CPIO_NAME_MAX];

	add(&w, "lib", S_IFLNK | 0777, "usr/lib");
	add(&w, "usr/lib/modules", S_IFLNK | 0777, "/var/../m/./odules//");
	add(&w, "up", S_IFLNK | 0777, "../../../etc");
	add(&w, "a", S_IFLNK | 0777, "b");
	add(&w, "b", S_IFLNK | 0777, "a/x");
	CHECK_EQ(cpio_end(&w), 0);
	CHECK_OK(initramfs_read(w.data, w.len, &fs, &e));
	CHECK_EQ(initramfs_resolve(&fs, "/lib/modules/6/x.ko", out), 0);
	CHECK_STR(out, "m/odules/6/x.ko");
	CHECK_EQ(initramfs_resolve(&fs, "up/passwd", out), 0);
	CHECK_STR(out, "etc/passwd");
	CHECK_EQ(initramfs_resolve(&fs, "libx/modules", out), 0);
	CHECK_STR(out, "libx/modules");
	CHECK_EQ(initramfs_resolve(&fs, "a/b", out), -ELOOP);
	initramfs_fini(&fs);
	free(w.data);
}

static void refused(const void *data, size_t len, int errnum, const char *says)
{
	struct initramfs fs;

	CHECK_EQ(initramfs_read(data, len, &fs, &e), -errnum);
	initramfs_fini(&fs);
	if (!strstr(e.text, says)) {
		fprintf(stderr, "\"%s\" does not say \"%s\"\n", e.text, says);
		exit(1);
	}
}

static void test_refused(void)
{
	struct cpio_writer w = { 0 };
	uint8_t *zeroes, *packed;
	size_t len = 300u << 20, n;

	refused("", 0, EUCLEAN, "empty");
	refused("\x7f""ELF", 4, EUCLEAN, "at byte 0: neither a cpio");
	refused("\0\0BZh91AY", 9, ENOTSUP, "bzip2");
	refused("\0\0\0\0\x89LZO\0\r\n\x1a\n", 13, ENOTSUP, "lzo");
	CHECK_EQ(cpio_end(&w), 0);
	w.data = realloc(w.data, w.len + 12);
	memcpy(w.data + w.len, "#BOOTCONFIG\n", 12);
	refused(w.data, w.len + 12, ENOTSUP, "boot configuration");
	memcpy(w.data + w.len, "junk", 4);
	refused(w.data, w.len + 4, EUCLEAN, "neither");
	free(w.data);
	/* Zeroes without end, a few KiB packed: 8 times 300 MiB. */
	zeroes = calloc(1, len);
	CHECK_OK(pack(UNPACK_ZSTD, zeroes, len, &packed, &n, &e));
	zeroes = realloc(zeroes, 8 * n);
	for (int i = 0; i < 8; i++)
		memcpy(zeroes + (size_t)i * n, packed, n);
	refused(zeroes, 8 * n, EFBIG, "more than is allowed");
	free(packed);
	free(zeroes);
}

static uint8_t *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(INITRAMFS_MAX);

	CHECK(f && data);
	*len = fread(data, 1, INITRAMFS_MAX, f);
	fclose(f);
	return data;
}

/* For tests that have other programs to compare with. */
static int tool(char **argv)
{
	struct initramfs_splice s = { 0 };
	struct initramfs fs;
	size_t len, n;
	uint8_t *data = slurp(argv[1], &len), *more;

	CHECK_OK(initramfs_read(data, len, &fs, &e));
	free(data);
	if (!strcmp(argv[0], "list")) {
		for (size_t i = 0; i < fs.n; i++)
			printf("%s %o\n", fs.members[i].name, fs.members[i].mode);
	} else {
		FILE *f = fopen(argv[1], "ab");

		s.fs = &fs;
		CHECK_OK(splice_add(&s, argv[2], 0644, argv[3], strlen(argv[3]),
				    &e));
		CHECK_OK(splice_end(&s, &more, &n, &e));
		CHECK(f && fwrite(more, 1, n, f) == n && !fclose(f));
		free(more);
	}
	splice_fini(&s);
	initramfs_fini(&fs);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return tool(argv + 1);
	for (enum unpack_kind kind = UNPACK_NONE; kind <= UNPACK_LZ4; kind++)
		test_kind(kind);
	test_resolve();
	test_refused();
	return 0;
}
