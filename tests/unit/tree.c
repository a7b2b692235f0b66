/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - a guest's files as the guest would see them: mounts by fstab, links
 * inside the guest only, names of devices, fstabs that nobody would write.
 */
#include <errno.h>
#include <sys/stat.h>

#include "convert/guest/fstab.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/guest.h"
#include "tests/lib/scratch.h"

static struct guest g;
static bool no_memory;		/* allocations are made to fail */

static void reads(const char *path, const char *want)
{
	struct err e = { "" };
	char *data;
	size_t len;

	CHECK_OK(tree_read(g.tree, path, 100, &data, &len, &e));
	CHECK_EQ(len, strlen(want));
	CHECK_STR(data, want);
	free(data);
}

static void resolves(const char *path, const char *want)
{
	struct err e = { "" };
	char *out;

	CHECK_OK(tree_resolve(g.tree, path, &out, &e));
	CHECK_STR(out, want);
	free(out);
}

static void fails(const char *path, int want, const char *words)
{
	struct tree_node node;
	struct err e = { "" };

	CHECK_EQ(tree_find(g.tree, path, 0, &node, &e), want);
	if (!strstr(e.text, words)) {
		fprintf(stderr, "said \"%s\", not \"%s\"\n", e.text, words);
		exit(1);
	}
}

static void test_paths(void)
{
	struct tree_node node;
	struct err e = { "" };
	char *text;
	size_t len;

	reads("/etc/hostname", "guest\n");
	reads("//etc/./../etc//hostname", "guest\n");
	reads("/../../etc/hostname", "guest\n");
	reads("/etc/name", "guest\n");
	reads("/etc/out", "guest\n");
	reads("/boot/vmlinuz", "kernel\n");
	reads("/boot/kernel", "kernel\n");
	reads("/boot/../etc/hostname", "guest\n");
	reads("/boot/grub/../../etc/hostname", "guest\n");
	reads("/srv/my data/www/index", "page\n");
	resolves("/boot/numbers", "/etc/numbers");
	resolves("/var/run/../run/.", "/run");
	resolves("/", "/");
	resolves("/etc/..", "/");
	fails("/boot/hidden", -ENOENT, "'/boot/hidden' does not exist");
	fails("/etc/no/more", -ENOENT, "'/etc/no' does not exist");
	fails("/etc/loop1", -ELOOP, "more than 40");
	fails("/etc/dangling", -ENOENT, "'/nothing' does not exist");
	fails("/etc/hostname/x", -ENOTDIR, "'/etc/hostname' is not a folder");
	fails("/etc/hostname/..", -ENOTDIR, "not a folder");
	fails("etc", -EINVAL, "absolute");
	CHECK_OK(tree_find(g.tree, "/etc/name", TREE_NOFOLLOW, &node, &e));
	CHECK(S_ISLNK(node.stat.mode));
	CHECK_OK(tree_find(g.tree, "/boot", 0, &node, &e));
	CHECK(node.volume == &g.volumes.list[0]);
	CHECK_OK(tree_readlink(g.tree, "/etc/name", &text, &e));
	CHECK_STR(text, "/etc/hostname");
	free(text);
	CHECK_EQ(tree_readlink(g.tree, "/etc", &text, &e), -EINVAL);
	CHECK_EQ(tree_read(g.tree, "/etc", 100, &text, &len, &e), -EISDIR);
	CHECK_EQ(tree_read(g.tree, "/boot/initrd", 199999, &text, &len, &e),
		 -EFBIG);
	CHECK(tree_exists(g.tree, "/etc/out"));
	CHECK(!tree_exists(g.tree, "/etc/dangling"));
}

static int note(void *arg, const char *name, const struct tree_node *node)
{
	char *seen = arg;

	if (strcmp(name, "lost+found"))
		sprintf(seen + strlen(seen), "%s%s%s ", name,
			S_ISDIR(node->stat.mode) ? "/" :
			S_ISLNK(node->stat.mode) ? "@" : "",
			node->volume == &g.volumes.list[0] ? "+" : "");
	/* It may ask while it is told. */
	CHECK(tree_exists(g.tree, "/etc/hostname") || no_memory);
	return !strcmp(name, "stop") ? 7 : 0;
}

static void test_list(void)
{
	char seen[1000] = " ";
	struct err e = { "" };

	CHECK_OK(tree_list(g.tree, "/", note, seen, &e));
	CHECK(strstr(seen, " boot/+ ") && strstr(seen, " etc/ ") &&
	      strstr(seen, " srv/ "));
	strcpy(seen, " ");
	CHECK_OK(tree_list(g.tree, "/boot/grub/..", note, seen, &e));
	CHECK(strstr(seen, " kernel@+ ") && !strstr(seen, "hidden"));
	CHECK_EQ(tree_list(g.tree, "/etc/hostname", note, seen, &e), -ENOTDIR);
	CHECK_EQ(tree_list(g.tree, "/none", note, seen, &e), -ENOENT);
}

static void test_mounts(void)
{
	const struct volume *v = g.volumes.list;
	const struct tree_mount *m;
	size_t n;

	m = tree_mounts(g.tree, &n);
	CHECK_EQ(n, 6);
	CHECK(m[0].volume == &v[1] && m[0].mounted && !m[0].by_path);
	CHECK(m[1].volume == &v[0] && m[1].mounted && m[1].by_path);
	CHECK_STR(m[1].spec, "/dev/sda1");
	CHECK_STR(m[1].options, "defaults");
	CHECK_EQ(m[1].line, 3);
	CHECK_STR(m[2].spec, "LABEL=srv data");
	CHECK_STR(m[2].dir, "/srv/my data");
	CHECK(m[2].volume == &v[3] && m[2].mounted);
	CHECK(m[3].volume == &v[2] && !m[3].mounted && !m[3].by_path);
	CHECK(!m[4].volume && m[4].by_path && !m[4].mounted);
	CHECK_STR(m[4].options, "defaults");
	CHECK(!m[5].volume && !m[5].by_path);
}

static void test_devices(void)
{
	static const struct {
		const char *spec;
		int volume;		/* -1: none */
		bool by_path;
	} rows[] = {
		{ "/dev/sda2", 1, true }, { "/dev/hda2", 1, true },
		{ "/dev/vda1", 0, true }, { "/dev/xvda3", 2, true },
		{ "/dev/sdb", 3, true }, { "/dev/nvme0n1p2", 1, true },
		{ "/dev/nvme1n1", 3, true }, { "/dev/nvme0n2", 3, true },
		{ "/dev/mmcblk0p1", 0, true }, { "/dev/sda", -1, true },
		{ "/dev/sdaa1", -1, true }, { "/dev/sda4", -1, true },
		{ "/dev/sda99999999999", -1, false },
		{ "/dev/sdzzzzzzzzzz1", -1, false },
		{ "/dev/root", 1, false }, { "/dev/sd", -1, false },
		{ "/dev/sda1x", -1, false }, { "/dev/nvme0p1", -1, false },
		{ "/dev/mapper/vg-root", -1, false }, { "tmpfs", -1, false },
		{ "UUID=11111111-2222-4333-8444-555555555555", 1, false },
		{ "UUID=\"11111111-2222-4333-8444-555555555555\"", 1, false },
		{ "UUID=", -1, false }, { "LABEL=boot", 0, false },
		{ "LABEL=BOOT", -1, false }, { "LABEL='srv data'", 3, false },
		{ "PARTUUID=12345678-02", 1, false },
		{ "PARTLABEL=x", -1, false },
		{ "/dev/disk/by-label/srv\\x20data", 3, false },
		{ "/dev/disk/by-uuid/11111111-2222-4333-8444-555555555555", 1,
		  false },
		{ "/dev/disk/by-id/ata-x-part1", -1, true },
		{ "/dev/disk/by-path/pci-0-part2", -1, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool by_path = !rows[i].by_path;
		const struct volume *v = tree_device(g.tree, rows[i].spec,
						     &by_path);
		int at = v ? (int)(v - g.volumes.list) : -1;

		if (at != rows[i].volume || by_path != rows[i].by_path) {
			fprintf(stderr, "%s: volume %d, by path %d\n",
				rows[i].spec, at, by_path);
			exit(1);
		}
	}
}

/* Of two on one folder the last counts; a deeper one may stand first. */
static void test_order(void)
{
	struct err e = { "" };
	const struct tree_mount *m;
	size_t n;

	CHECK(guest_make("LABEL=srv\\040data /boot/grub ext3\n"
			 "/dev/sdb /etc/conf.d ext3\n"
			 "/dev/sda1 /boot ext4\n"
			 "/dev/sdb /boot ext3\n"
			 "/dev/sda1 /boot ext4\n"
			 "/dev/sda1 /etc/hostname ext4\n"
			 "/dev/sda1 /var/run ext4\n"
			 "/dev/sda1 /etc/loop1 ext4"));
	guest_open(&g, 0);
	m = tree_mounts(g.tree, &n);
	CHECK_EQ(n, 8);
	CHECK(m[0].mounted && m[1].mounted && !m[2].mounted && !m[3].mounted &&
	      m[4].mounted && !m[5].mounted && m[6].mounted && !m[7].mounted);
	reads("/boot/grub/www/index", "page\n");
	reads("/boot/grub/../vmlinuz", "kernel\n");
	reads("/run/vmlinuz", "kernel\n");
	CHECK_EQ(tree_open(&g.volumes, &g.volumes.list[2], &(struct tree *){ 0 },
			   &e), -ENOTSUP);
	guest_close(&g);
}

static void parse(const char *text, size_t len, int want, size_t lines)
{
	struct tree_mount *m;
	struct err e = { "" };
	size_t n;

	CHECK_EQ(fstab_parse(text, len, &m, &n, &e), want);
	CHECK_EQ(n, lines);
	CHECK(!want || e.text[0]);
	fstab_free(m, n);
}

static void test_parse(void)
{
	size_t len = 30u << 20, at = 0;
	char *text = malloc(len);
	struct tree_mount *m;
	size_t n;

	CHECK(text);
	CHECK_EQ(fstab_parse("a\\040\\011\\134\\9\\04 /b\\057\\", 26, &m, &n,
			     NULL), 0);
	CHECK_EQ(n, 1);
	CHECK_STR(m[0].spec, "a \t\\\\9\\04");
	CHECK_STR(m[0].dir, "/b/\\");
	fstab_free(m, n);
	parse("", 0, 0, 0);
	parse("\0 /x", 4, 0, 0);
	parse("a b c\n#a /b c\nnone swap\n\n \t\n", 27, 0, 0);
	parse("a none swap\na swap swap\nb none ext4", 35, 0, 2);
	/* A million lines. */
	for (unsigned i = 0; i < 1000000; i++)
		at += (size_t)sprintf(text + at, "/dev/sda%u /m%u\n", i, i);
	parse(text, at, -ENOTSUP, 0);
	memset(text, '\n', len);
	parse(text, len, 0, 0);
	memset(text, 'x', len);
	memcpy(text, "/dev/sda1 /", 11);
	parse(text, len, 0, 1);
	free(text);
}

/* Mounts on mounts on mounts, as many as are read. */
static void test_many(void)
{
	char *text = malloc(1u << 20);
	size_t at = 0, n;

	CHECK(text);
	for (unsigned i = 0; i < 4096; i++)
		at += (size_t)sprintf(text + at, "/dev/sda1 %s\n",
				      i % 2 ? "/etc/loop1" : "/etc/conf.d/../.."
				      "/boot");
	CHECK(guest_make(text));
	guest_open(&g, 0);
	tree_mounts(g.tree, &n);
	CHECK_EQ(n, 4096);
	reads("/boot/vmlinuz", "kernel\n");
	guest_close(&g);
	free(text);
}

static int use(struct volumes *v, struct err *e)
{
	char seen[1000] = " ", *data;
	struct tree *t;
	size_t len;
	int rc = tree_open(v, &v->list[1], &t, e);

	if (rc)
		return rc;
	rc = tree_read(t, "/etc/out", 100, &data, &len, e);
	if (!rc) {
		free(data);
		rc = tree_resolve(t, "/boot/numbers", &data, e);
	}
	if (!rc) {
		free(data);
		rc = tree_readlink(t, "/boot/numbers", &data, e);
	}
	if (!rc) {
		free(data);
		rc = tree_list(t, "/boot", note, seen, e);
	}
	tree_close(t);
	return rc;
}

static void test_no_memory(void)
{
	uint64_t nth = 0, total;

	guest_open(&g, 0);
	no_memory = true;
	do {
		struct err e = { "" };
		int rc;

		alloc_fail(++nth);
		rc = use(&g.volumes, &e);
		total = alloc_fail(0);
		/* note() asks in passing, and is told no. */
		CHECK(rc == 0 || rc == -ENOMEM);
		CHECK(!rc || e.text[0]);
	} while (nth <= total);
	no_memory = false;
	CHECK(total > 30);
	guest_close(&g);
}

int main(void)
{
	scratch_enter();
	test_parse();
	if (!guest_make(NULL)) {
		puts("SKIP: mke2fs, sfdisk or mkswap is not installed");
		return 77;
	}
	guest_open(&g, 0);
	test_paths();
	test_list();
	test_mounts();
	test_devices();
	guest_close(&g);
	test_no_memory();
	test_order();
	test_many();
	return 0;
}
