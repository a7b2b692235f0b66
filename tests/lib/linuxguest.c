/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linuxguest.c - a small guest as a disk; see linuxguest.h. */
#include "tests/lib/linuxguest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/guest/cpio.h"
#include "convert/guest/initramfs.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

#define UUID GUEST_UUID

static struct err e;

static const struct guest_file usual[] = {
	{ "etc/os-release", "NAME=x\nID=debian\nVERSION_ID=\"12\"\n"
	  "PRETTY_NAME='Debian GNU/Linux 12'\n" },
	{ "etc/hostname", "old\n" },
	{ "etc/machine-id", "0123456789abcdef0123456789abcdef\n" },
	{ "etc/fstab", "# root\n/dev/sda1\t/ ext4 defaults 0 1\n"
	  "/dev/sdz9 /none ext4 noauto 0 0\n" },
	{ "etc/network/interfaces", "auto lo\niface lo inet loopback\n"
	  "iface ens192 inet static\n address 192.0.2.10\n netmask "
	  "255.255.255.0\n gateway 192.0.2.1\n" },
	{ "etc/default/grub", "GRUB_CMDLINE_LINUX=\"resume=/dev/sda1\"\n" },
	{ "boot/grub/grub.cfg", "set default=\"0\"\nmenuentry 'Debian' --class x "
	  "$menuentry_id_option 'a' {\n\tlinux /boot/vmlinuz-6.1.0 "
	  "root=/dev/sda1 ro xroot=/dev/sda1\n\tinitrd /x\n}\nmenuentry 'm' {\n"
	  "linux16 /boot/memtest\n}\n" },
	{ "boot/grub/device.map", "(hd0) /dev/sda\n" },
	{ "boot/vmlinuz-6.1.0", "kernel" },
	{ "lib/systemd/systemd-udevd", "x" },
	{ "lib/systemd/systemd", "x" },
	{ "lib/systemd/libsystemd-shared-252.so", "x" },
	{ "lib/systemd/system/open-vm-tools.service", "[Unit]\n" },
	{ "lib/modules/6.1.0/modules.dep",
	  "kernel/virtio.ko:\nkernel/virtio_ring.ko: kernel/virtio.ko\n"
	  "kernel/virtio_pci.ko: kernel/virtio_ring.ko kernel/virtio.ko\n"
	  "kernel/virtio_blk.ko: kernel/virtio_ring.ko kernel/virtio.ko\n"
	  "kernel/vmw_pvscsi.ko:\n" },
	{ "lib/modules/6.1.0/modules.alias",
	  "alias pci:v00001AF4d* virtio_pci\nalias virtio:d00000002v* "
	  "virtio_blk\nalias pci:v000015AD* vmw_pvscsi\n" },
	{ "lib/modules/6.1.0/kernel/virtio.ko", "\177ELF virtio" },
	{ "lib/modules/6.1.0/kernel/virtio_ring.ko", "\177ELF ring" },
	{ "lib/modules/6.1.0/kernel/virtio_pci.ko", "\177ELF pci" },
	{ "lib/modules/6.1.0/kernel/virtio_blk.ko", "\177ELF blk" },
	{ "bin/sh", "\177ELF\1\1\1xxxxxxxxxxx" },
	{ NULL, NULL },
};

void put_bytes(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fwrite(data, 1, len, f) == len && !fclose(f));
}

/* The folders above, and nothing of that name. */
static void make_way(char *path)
{
	struct stat st;

	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		CHECK(!mkdir(path, 0755) || errno == EEXIST);
		*p = '/';
	}
	if (!lstat(path, &st) && S_ISDIR(st.st_mode))
		CHECK(fstree_run("rm -rf '%s'", path));
	else
		unlink(path);
}

void put_files(const struct guest_file *f)
{
	for (; f && f->path; f++) {
		char path[256];

		snprintf(path, sizeof(path), "root/%s", f->path);
		make_way(path);
		if (f->text)
			put_bytes(path, f->text, strlen(f->text));
	}
}

/* What a VMware guest's has. */
void put_initramfs(const char *kind)
{
	struct cpio_writer w = { 0 };
	uint8_t *packed;
	size_t len;

	if (strcmp(kind, "dracut")) {
		cpio_add(&w, "conf", S_IFDIR | 0755, "", 0);
		cpio_add(&w, "conf/initramfs.conf", S_IFREG | 0644, "", 0);
	}
	cpio_add(&w, "lib", S_IFLNK | 0777, "usr/lib", 7);
	for (const char *dir = "usr/lib/modules/6.1.0/kernel/", *p = dir;
	     (p = strchr(p + 1, '/'));) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(p - dir), dir);
		cpio_add(&w, name, S_IFDIR | 0755, "", 0);
	}
	cpio_add(&w, "usr/lib/modules/6.1.0/kernel/vmw_pvscsi.ko",
		 S_IFREG | 0644, "elf", 3);
	cpio_add(&w, "usr/lib/modules/6.1.0/modules.dep", S_IFREG | 0644,
		 "kernel/vmw_pvscsi.ko:\n", 22);
	if (!strcmp(kind, "dracut"))
		cpio_add(&w, "usr/lib/dracut", S_IFDIR | 0755, "", 0);
	for (size_t i = 0; !strcmp(kind, "virtio") && i < 4; i++) {
		static const char *const more[] = { "virtio_pci.ko",
			"virtio_blk.ko", "virtio_net.ko", "udevadm" };
		char name[96];

		snprintf(name, sizeof(name), "%s%s", i < 3 ?
			 "usr/lib/modules/6.1.0/kernel/" : "usr/bin/", more[i]);
		cpio_add(&w, name, S_IFREG | 0644, "elf", 3);
	}
	CHECK_EQ(cpio_end(&w), 0);
	CHECK_OK(pack(*kind ? UNPACK_ZSTD : UNPACK_NONE, w.data, w.len, &packed,
		      &len, &e));
	put_bytes("root/boot/initrd.img-6.1.0", packed, len);
	free(packed);
	free(w.data);
}

/* disk: a boot sector with "GRUB", and ext4 as /dev/sda1. */
void make_disk(void)
{
	CHECK(fstree_run("rm -f disk && truncate -s 16M disk && printf '%%s\\n' "
			 "'label: dos' 'label-id: 0x12345678' 'start=2048' | "
			 "sfdisk -q disk && printf 'GRUB' | dd of=disk bs=1 "
			 "seek=300 conv=notrunc status=none && printf '\\1' | dd "
			 "of=disk bs=1 seek=92 conv=notrunc status=none && "
			 "mke2fs -q -F -t ext4 -d root -U " UUID
			 " -E offset=1048576 disk 15M"));
}

void make_guest(const struct guest_file *more)
{
	CHECK(fstree_run("rm -rf root && mkdir root"));
	put_files(usual);
	CHECK(fstree_run("printf '\\76\\0' >>root/bin/sh"));
	put_initramfs("zstd");
	put_files(more);
	make_disk();
}

void open_guest(struct guest *g)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };

	CHECK_OK(img_open("disk", &args, &g->disk, &e));
	CHECK_OK(volumes_open(&g->disk, 1, &g->v, &e));
	CHECK_OK(linux_inspect(&g->disk, &g->v, &g->g, &e));
}

void close_guest(struct guest *g)
{
	linux_free(g->g);
	volumes_close(&g->v);
	CHECK_OK(img_close(g->disk, &e));
}

/* The code of each edit, in order and once. */
void check_codes(struct edits *ed, const char *want)
{
	json_t *list = edits_json(ed), *edit;
	char got[512] = "";
	size_t i;

	json_array_foreach(list, i, edit) {
		const char *code = json_string_value(json_object_get(edit,
								     "code"));
		size_t len = strlen(got);

		if (!strstr(got, code))
			snprintf(got + len, sizeof(got) - len, "%s%s",
				 len ? " " : "", code);
	}
	json_decref(list);
	CHECK_STR(got, want);
}

/* What the file will be. */
void check_file(struct edits *ed, const char *path, const char *want)
{
	char *text;
	size_t len;

	CHECK_OK(edits_read(ed, path, 1 << 20, &text, &len, &e));
	if (!strstr(text, want)) {
		fprintf(stderr, "%s is\n%s\nwithout \"%s\"\n", path, text, want);
		exit(1);
	}
	free(text);
}

void plan_guest(struct guest *g, struct linux_nic *nics, size_t n, bool console,
		struct edits **ed)
{
	struct linux_plan_args args = { nics, n, console, false };

	CHECK_OK(edits_new(g->g->tree, ed, &e));
	CHECK_OK(linux_plan(g->g, &args, *ed, &e));
}

void check_initramfs(struct edits *ed, const char *path)
{
	struct initramfs fs;
	char *data;
	size_t len;

	CHECK_OK(edits_read(ed, path, 1 << 20, &data, &len, &e));
	CHECK_OK(initramfs_read(data, len, &fs, &e));
	CHECK_STR(initramfs_module(&fs, "6.1.0", "virtio_blk"),
		  "usr/lib/modules/6.1.0/kernel/virtio_blk.ko");
	CHECK(initramfs_module(&fs, "6.1.0", "virtio_ring"));
	CHECK_STR(initramfs_find(&fs, "usr/lib/modules/6.1.0/modules.dep")->content,
		  "kernel/vmw_pvscsi.ko:\nkernel/virtio.ko:\n"
		  "kernel/virtio_ring.ko: kernel/virtio.ko\n"
		  "kernel/virtio_pci.ko: kernel/virtio_ring.ko kernel/virtio.ko\n"
		  "kernel/virtio_blk.ko: kernel/virtio_ring.ko "
		  "kernel/virtio.ko\n");
	CHECK(strstr(initramfs_find(&fs, "usr/lib/modules/6.1.0/modules.alias")
		     ->content, "alias virtio:d00000002v* virtio_blk\n"));
	initramfs_fini(&fs);
	free(data);
}

bool guest_tools(void)
{
	/* mke2fs and sfdisk wait for the disk, which others keep busy. */
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	scratch_enter();
	return fstree_has("mke2fs") && fstree_has("sfdisk") &&
		fstree_has("e2fsck");
}
