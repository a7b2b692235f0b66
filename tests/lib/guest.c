/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - a small Linux guest on two disks. */
#include "tests/lib/guest.h"

#include <unistd.h>

#include "convert/copy/overlay.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"

#define ROOT_UUID "11111111-2222-4333-8444-555555555555"

static const char usual[] =
	"# a comment\n"
	"UUID=" ROOT_UUID " / ext4 errors=remount-ro 0 1\n"
	"  /dev/sda1\t/boot\text4 defaults 0 2\r\n"
	"LABEL=srv\\040data /srv/my\\040data ext3 noauto 0 0\n"
	"/dev/disk/by-partuuid/12345678-03 none swap sw 0 0\n"
	"/dev/sdc7 /nowhere ext4\n"
	"proc\n"
	"tmpfs /tmp tmpfs\n";

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void make_root(const char *fstab)
{
	CHECK(fstree_run("rm -rf root boot srv && mkdir -p root/etc/conf.d "
			 "root/boot root/run root/tmp root/var 'root/srv/my data' "
			 "root/lib boot/grub srv/www && "
			 "echo guest >root/etc/hostname && "
			 "echo hidden >root/boot/hidden && "
			 "echo kernel >boot/vmlinuz && "
			 "head -c 200000 /dev/zero | tr '\\0' i >boot/initrd && "
			 "echo page >srv/www/index && "
			 "seq 40 >root/etc/numbers && "
			 "printf 'no line feed' >root/etc/short && "
			 "printf 'a\\0b' >root/etc/binary"));
	put("root/etc/fstab", fstab ? fstab : usual);
	CHECK(fstree_run("cd root && ln -s /etc/hostname etc/name && "
			 "ln -s ../../../../etc/hostname etc/out && "
			 "ln -s /run var/run && ln -s loop2 etc/loop1 && "
			 "ln -s loop1 etc/loop2 && ln -s vmlinuz ../boot/kernel "
			 "&& ln -s ../etc/numbers ../boot/numbers && "
			 "ln -s /nothing/here etc/dangling && "
			 "ln etc/short etc/conf.d/twin"));
}

bool guest_make(const char *fstab)
{
	if (!fstree_has("mke2fs") || !fstree_has("sfdisk") ||
	    !fstree_has("mkswap") || !fstree_has("e2fsck"))
		return false;
	make_root(fstab);
	CHECK(fstree_run("rm -f disk1 disk2 swap && truncate -s 32M disk1 && "
			 "truncate -s 4M disk2 && printf '%%s\\n' 'label: dos' "
			 "'label-id: 0x12345678' 'start=2048,size=16384' "
			 "'start=18432,size=40960' 'start=59392,type=82' | "
			 "sfdisk -q disk1"));
	CHECK(fstree_run("mke2fs -q -F -t ext4 -d boot -L boot "
			 "-E offset=%u disk1 8M && "
			 "mke2fs -q -F -t ext4 -d root -U " ROOT_UUID
			 " -E offset=%u disk1 20M && "
			 "mke2fs -q -F -t ext3 -O ^has_journal -d srv "
			 "-L 'srv data' disk2 4M && "
			 "truncate -s 1M swap && chmod 600 swap && mkswap swap && "
			 "dd if=swap of=disk1 bs=1M seek=29 conv=notrunc",
			 GUEST_BOOT_OFFSET, GUEST_ROOT_OFFSET));
	return true;
}

static struct img *open_disk(const char *path, unsigned flags)
{
	struct img_open_args args = { .format = "raw" };
	struct img *img;
	struct err e = { "" };

	CHECK_OK(img_open(path, &args, &img, &e));
	if (flags & IMG_WRITE)
		CHECK_OK(overlay_open(img, &img, &e));
	return img;
}

static void open_tree(struct guest *g)
{
	struct err e = { "" };

	CHECK_OK(volumes_open(g->disks, 2, &g->volumes, &e));
	CHECK_EQ(g->volumes.n, 4);
	CHECK_OK(tree_open(&g->volumes, &g->volumes.list[1], &g->tree, &e));
}

void guest_open(struct guest *g, unsigned flags)
{
	setenv("TMPDIR", ".", 1);
	g->disks[0] = open_disk("disk1", flags);
	g->disks[1] = open_disk("disk2", flags);
	open_tree(g);
}

void guest_reopen(struct guest *g)
{
	tree_close(g->tree);
	volumes_close(&g->volumes);
	open_tree(g);
}

void guest_close(struct guest *g)
{
	tree_close(g->tree);
	volumes_close(&g->volumes);
	img_close(g->disks[0], NULL);
	img_close(g->disks[1], NULL);
}
