/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod.c - indexes of modules: text and trie say the same, what a module needs
 * comes before it, and tries that loop or lie come to an end.
 *
 * kmod rewrite FILE OUT: a trie, read and written.  kmod dump FILE: its keys and
 * values.  kmod needs MODULES.DEP NAME: paths, what is needed first.
 */
#include <errno.h>

#include "convert/guest/kmod.h"
#include "imgfmt/base/bytes.h"
#include "tests/check.h"

static struct err e;

static const char dep[] =
	"kernel/drivers/virtio/virtio.ko:\n"
	"kernel/drivers/virtio/virtio_ring.ko.xz: kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio_pci.ko.zst: "
	"kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/net/net-failover.ko.gz: kernel/net/core/failover.ko\n"
	"kernel/net/core/failover.ko:\n"
	"\n# a comment: x\nnonsense\n";

static void test_needs(void)
{
	static const char *const names[] = { "virtio_pci", "net_failover", "none",
					     "virtio" };
	static const char *const want[] = { "virtio", "virtio_ring",
		"virtio_pci", "failover", "net_failover" };
	struct kmod_index index = { 0 };
	struct kmod_needs needs = { 0 };

	CHECK_OK(kmod_read_dep(dep, strlen(dep), &index, &e));
	CHECK_EQ(index.n, 5);
	kmod_sort(&index);
	CHECK(!kmod_find(&index, "none"));
	CHECK_OK(kmod_needs(&index, names, 4, &needs, &e));
	CHECK_EQ(needs.n, 5);
	for (size_t i = 0; i < 5; i++)
		CHECK_STR(needs.list[i].name, want[i]);
	CHECK_STR(needs.list[4].path, "kernel/drivers/net/net-failover.ko.gz");
	kmod_needs_fini(&needs);
	kmod_fini(&index);
}

static void same(const struct kmod_index *a, const struct kmod_index *b)
{
	CHECK_EQ(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		CHECK_STR(a->list[i].key, b->list[i].key);
		CHECK_STR(a->list[i].value, b->list[i].value);
		CHECK_EQ(a->list[i].priority, b->list[i].priority);
	}
}

static void test_trie(void)
{
	static const char alias[] = "# Aliases\n"
		"alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\n"
		"alias virtio:d00000002v* virtio_blk\n"
		"alias virtio:d00000002v* virtio-other\n"
		"alias fs-ext4 ext4\n"
		"alias fs-ext3 ext4\n"
		"alias of:N*[a-c]-x b\n"
		"alias fs x\n";
	struct kmod_index index = { 0 }, again = { 0 }, empty = { 0 };
	uint8_t *data;
	size_t len;

	CHECK_OK(kmod_read_alias(alias, strlen(alias), &index, &e));
	CHECK_EQ(index.n, 7);
	CHECK_OK(kmod_write_bin(&index, &data, &len, &e));
	CHECK_OK(kmod_read_bin(data, len, &again, &e));
	kmod_sort(&again);
	same(&index, &again);
	CHECK_STR(kmod_find(&again, "fs_ext4")->value, "ext4");
	CHECK(kmod_find(&again, "of:N*[a-c]_x"));
	kmod_fini(&again);
	/* Cut off anywhere, each byte changed: an end, and no other access. */
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, data, n);
		kmod_read_bin(cut, n, &again, &e);
		kmod_fini(&again);
		free(cut);
	}
	for (size_t n = 0; n < len; n++)
		for (int bit = 0; bit < 8; bit++) {
			data[n] ^= (uint8_t)(1 << bit);
			kmod_read_bin(data, len, &again, &e);
			kmod_fini(&again);
			data[n] ^= (uint8_t)(1 << bit);
		}
	free(data);
	kmod_fini(&index);
	CHECK_OK(kmod_write_bin(&empty, &data, &len, &e));
	CHECK_OK(kmod_read_bin(data, len, &empty, &e));
	CHECK_EQ(empty.n, 0);
	free(data);
}

/* A node that is its own child, in every character. */
static void test_loop(void)
{
	static uint8_t data[12 + 2 + 4 * 128];
	struct kmod_index index = { 0 };

	put_be32(data, 0xb007f457);
	put_be32(data + 4, 0x00020001);
	put_be32(data + 8, 0x2000000c);
	data[13] = 127;
	for (int i = 0; i < 128; i++)
		put_be32(data + 14 + 4 * i, 0x2000000c);
	CHECK_EQ(kmod_read_bin(data, sizeof(data), &index, &e), -EUCLEAN);
	CHECK(strstr(e.text, "more nodes than fit") ||
	      strstr(e.text, "too long a key"));
	put_be32(data + 4, 0x00030001);
	CHECK_EQ(kmod_read_bin(data, sizeof(data), &index, &e), -ENOTSUP);
	CHECK_EQ(kmod_read_bin("text", 4, &index, &e), -EUCLEAN);
	kmod_fini(&index);
}

static char *slurp(const char *path, size_t *len)
{
	char *data = calloc(1, KMOD_INDEX_MAX + 1);
	FILE *f = fopen(path, "rb");

	CHECK(data && f);
	*len = fread(data, 1, KMOD_INDEX_MAX, f);
	fclose(f);
	return data;
}

/* For tests that have other programs to compare with. */
static int tool(char **argv)
{
	struct kmod_index index = { 0 };
	struct kmod_needs needs = { 0 };
	size_t len;
	char *data = slurp(argv[1], &len);
	uint8_t *out;

	if (!strcmp(argv[0], "needs")) {
		CHECK_OK(kmod_read_dep(data, len, &index, &e));
		kmod_sort(&index);
		CHECK_OK(kmod_needs(&index, (const char **)&argv[2], 1, &needs,
				    &e));
		for (size_t i = 0; i < needs.n; i++)
			puts(needs.list[i].path);
	} else {
		CHECK_OK(kmod_read_bin(data, len, &index, &e));
	}
	if (!strcmp(argv[0], "dump")) {
		for (size_t i = 0; i < index.n; i++)
			printf("%s %s\n", index.list[i].key, index.list[i].value);
	} else if (!strcmp(argv[0], "rewrite")) {
		FILE *f = fopen(argv[2], "wb");

		CHECK_OK(kmod_write_bin(&index, &out, &len, &e));
		CHECK(f && fwrite(out, 1, len, f) == len && !fclose(f));
		free(out);
	}
	kmod_needs_fini(&needs);
	kmod_fini(&index);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return tool(argv + 1);
	test_needs();
	test_trie();
	test_loop();
	CHECK(kmod_builtin("kernel/a/virtio-ring.ko\nkernel/b.ko\n",
			   "virtio_ring"));
	CHECK(kmod_builtin("kernel/a/virtio.ko\nkernel/b.ko", "b"));
	CHECK(!kmod_builtin("kernel/a/virtio_ring.ko\n", "virtio"));
	return 0;
}
