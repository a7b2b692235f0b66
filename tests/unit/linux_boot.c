/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_boot.c - boot loaders and names of devices in small guests: which entry and
 * which command line counts, and what is edited.
 * time limit: 300 s
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/initramfs.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/linuxguest.h"

#define UUID GUEST_UUID
#define MAC GUEST_MAC

static struct err e;

/* Which entry is the default one, by all that GRUB has names for. */
static void test_grub(void)
{
	static const char entries[] =
		"function x {\n true\n}\nif [ y ] ; then\n set default="
		"\"${next_entry}\"\nelse\n set default=\"%s\"\nfi\n"
		"menuentry 'First' --class a $menuentry_id_option 'top' {\n"
		"\tlinux\t/boot/vmlinuz-6.1.0 one=1\n}\n"
		"submenu \"More\" $menuentry_id_option 'sub' {\n"
		"\tmenuentry 'Second' --id in {\n\t\tlinux (hd0,1)/boot/vmlinuz-5 "
		"two=2\n\t}\n\tmenuentry 'Third' {\nlinux16 /boot/x three=3\n}\n}\n"
		"menuentry Last {\nlinuxefi /boot/y four=4\n}\n";
	static const struct { const char *want, *cmdline; } cases[] = {
		{ "0", "one=1" }, { "1>1", "three=3" }, { "2", "four=4" },
		{ "Second", "two=2" }, { "sub>in", "two=2" },
		{ "none", "one=1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[1024];
		struct guest_file files[] = { { "boot/grub/grub.cfg", text },
					{ NULL, NULL } };
		struct guest g;

		snprintf(text, sizeof(text), entries, cases[i].want);
		make_guest(files);
		open_guest(&g);
		CHECK_STR(g.g->boot.cmdline, cases[i].cmdline);
		close_guest(&g);
	}
}

/* As Red Hat's are: dracut, packed modules, loader entries, SELinux. */
static void test_dracut(void)
{
	static const struct guest_file files[] = {
		{ "etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n" },
		{ "boot/grub/grub.cfg", NULL }, { "boot/grub/device.map", NULL },
		{ "etc/default/grub", NULL },
		{ "lib/systemd/system/open-vm-tools.service", NULL },
		{ "boot/grub2/grub.cfg", "set default=\"${saved_entry}\"\nblscfg\n" },
		{ "boot/grub2/grubenv", "# GRUB\nsaved_entry=m-6.1.0\n##\n" },
		{ "boot/loader/entries/m-6.1.0.conf", "title Rocky\nlinux "
		  "/boot/vmlinuz-6.1.0\noptions root=/dev/sda1 ro $tuned\n" },
		{ "boot/loader/entries/m-9.9.9.conf", "title x\nlinux "
		  "/boot/vmlinuz-9.9.9\noptions root=LABEL=x\n" },
		{ "etc/selinux/config", "SELINUX=enforcing\n" },
		{ "usr/sbin/load_policy", "x" },
		{ "etc/lvm/devices/system.devices", "x" },
		{ NULL, NULL },
	};
	struct edits *ed;
	struct guest g;

	make_guest(files);
	put_initramfs("dracut");
	CHECK(fstree_run("cd root && mv boot/initrd.img-6.1.0 "
			 "boot/initramfs-6.1.0.img && cd lib/modules/6.1.0 && "
			 "xz kernel/*.ko && sed -i 's/[.]ko/.ko.xz/g' modules.dep"));
	make_disk();
	open_guest(&g);
	CHECK_STR(g.g->id_like, "rhel centos fedora");
	CHECK_EQ(g.g->selinux, SELINUX_ENFORCING);
	CHECK_STR(g.g->boot.cmdline, "root=/dev/sda1 ro $tuned");
	CHECK_STR(g.g->kernels[0].generator, "dracut");
	CHECK(g.g->kernels[0].needs_splice);
	plan_guest(&g, NULL, 0, false, &ed);
	check_codes(ed, "fstab-uuid grub-uuid initramfs-splice initramfs-modules "
		    "lvm-devices selinux-relabel");
	check_file(ed, "/boot/loader/entries/m-6.1.0.conf", "options root=UUID="
		   UUID " ro $tuned\n");
	check_file(ed, "/etc/dracut.conf.d/90-virtio.conf", " virtio_blk ");
	CHECK(!edits_exists(ed, "/etc/lvm/devices/system.devices"));
	CHECK(edits_exists(ed, "/.autorelabel"));
	check_initramfs(ed, "/boot/initramfs-6.1.0.img");
	edits_free(ed);
	close_guest(&g);
}

/* Red Hat 8's: loader entries have their options from GRUB's environment. */
static void check_kernelopts(const char *value, const char *codes,
			     const char *want)
{
	char block[1025], *text;
	const struct guest_file files[] = {
		{ "boot/grub/grub.cfg", NULL }, { "boot/grub/device.map", NULL },
		{ "etc/default/grub", NULL },
		{ "lib/systemd/system/open-vm-tools.service", NULL },
		{ "boot/grub2/grub.cfg", "set default=\"${saved_entry}\"\n"
		  "if [ -z x ]; then\n  set kernelopts=\"root=/dev/sda1 ro\"\nfi\n"
		  "blscfg\n" },
		{ "boot/grub2/grubenv", block },
		{ "boot/loader/entries/m-6.1.0.conf", "title Rocky\nlinux "
		  "/boot/vmlinuz-6.1.0\noptions $kernelopts $tuned\n" },
		{ NULL, NULL },
	};
	struct edits *ed;
	struct guest g;
	size_t len, n;

	n = (size_t)snprintf(block, sizeof(block), "# GRUB Environment Block\n"
			     "saved_entry=m-6.1.0\n%s%s%sboot_success=0\n",
			     *value ? "kernelopts=" : "", value,
			     *value ? "\n" : "");
	memset(block + n, '#', 1024 - n);
	block[1024] = 0;
	make_guest(files);
	open_guest(&g);
	CHECK(!strncmp(g.g->boot.cmdline, "root=/dev/sda1 ro", 17));
	CHECK(strstr(g.g->boot.cmdline, " $tuned"));
	plan_guest(&g, NULL, 0, true, &ed);
	check_codes(ed, codes);
	check_file(ed, "/boot/loader/entries/m-6.1.0.conf",
		   "options $kernelopts $tuned\n");
	check_file(ed, "/boot/grub2/grub.cfg", "\"root=UUID=" UUID " ro");
	CHECK_OK(edits_read(ed, "/boot/grub2/grubenv", 2000, &text, &len, &e));
	CHECK_EQ(len, 1024);
	CHECK(strstr(text, want) && strstr(text, "\nboot_success=0\n##"));
	CHECK_EQ(text[1023], '#');
	free(text);
	edits_free(ed);
	close_guest(&g);
}

static void test_kernelopts(void)
{
	static const char all[] = "fstab-uuid grub-uuid serial-console "
		"initramfs-splice initramfs-modules";

	check_kernelopts("root=/dev/sda1 ro x=\\\\y", all,
			 "\nkernelopts=root=UUID=" UUID " ro x=\\\\y console=tty0 "
			 "console=ttyS0,115200\n");
	check_kernelopts("root=/dev/sda1 ro console=ttyS1 quiet",
			 "fstab-uuid grub-uuid initramfs-splice initramfs-modules",
			 "\nkernelopts=root=UUID=" UUID " ro console=ttyS1 quiet\n");
	/* What grub.cfg says where the environment has nothing. */
	check_kernelopts("", all, "saved_entry=m-6.1.0\n");
}

/* A second disk with one partition, and what fstab and root= call the first one's.
 * What lasts stays, of the rest the root is known by what lies on it.
 */
static void open_two(struct guest *g, struct img *disks[2], const char *fstab)
{
	const struct guest_file files[] = {
		{ "etc/fstab", fstab }, { "data/x", "" },
		{ "boot/grub/grub.cfg", "menuentry x {\nlinux /boot/vmlinuz-6.1.0 "
		  "root=/dev/disk/by-id/scsi-36000c29-part1 ro\n}\n" },
		{ "etc/default/grub", NULL }, { NULL, NULL },
	};
	struct img_open_args args = { .format = "raw" };

	make_guest(files);
	CHECK(fstree_run("cp disk disk2 && truncate -s 6M disk2 && printf '%%s\n' "
			 "'label: dos' 'label-id: 0x87654321' 'start=2048' | "
			 "sfdisk -q disk2 && mke2fs -q -F -t ext4 -L 'my data' -U "
			 "22222222-2222-4333-8444-555555555555 -E offset=1048576 "
			 "disk2 5M"));
	CHECK_OK(img_open("disk", &args, &disks[0], &e));
	CHECK_OK(img_open("disk2", &args, &disks[1], &e));
	CHECK_OK(volumes_open(disks, 2, &g->v, &e));
	CHECK_OK(linux_inspect(disks, &g->v, &g->g, &e));
}

static void close_two(struct guest *g, struct img *disks[2])
{
	linux_free(g->g);
	volumes_close(&g->v);
	CHECK_OK(img_close(disks[0], &e));
	CHECK_OK(img_close(disks[1], &e));
}

static void test_names(void)
{
	static const char lasts[] = "LABEL=my\\040data /data ext4 defaults 0 0\n"
		"PARTUUID=87654321-01 /data2 ext4 defaults 0 0\n"
		"/dev/disk/by-label/my\\x20data /data3 ext4 noauto 0 0\n"
		"/dev/disk/by-id/x-part1 /data4 ext4 ro,nofail 0 0\n";
	static const char *const bad[] = {
		"/dev/disk/by-id/scsi-36000c29-part1 /data ext4 defaults 0 0\n",
		"/dev/disk/by-path/pci-0000:03:00.0-part1 /d ext4 xnoauto,ro 0 0\n",
		"/dev/disk/by-id/wwn-0x6000c29 none swap sw 0 0\n",
	};
	struct img *disks[2];
	struct edits *ed;
	struct guest g;
	char text[600];

	snprintf(text, sizeof(text), "/dev/disk/by-path/pci-0000:03:00.0-part1 / "
		 "ext4 defaults 0 1\n/dev/sdb1 /data5 ext4 defaults 0 0\n%s", lasts);
	open_two(&g, disks, text);
	CHECK_EQ(g.g->n_refusals, 0);
	CHECK_EQ(g.g->n_notes, 1);
	plan_guest(&g, NULL, 0, false, &ed);
	snprintf(text, sizeof(text), "UUID=" UUID " / ext4 defaults 0 1\n"
		 "UUID=22222222-2222-4333-8444-555555555555 /data5 ext4 defaults "
		 "0 0\n%s", lasts);
	check_file(ed, "/etc/fstab", text);
	check_file(ed, "/boot/grub/grub.cfg", "root=UUID=" UUID " ro\n");
	edits_free(ed);
	close_two(&g, disks);
	for (size_t i = 0; i < 3; i++) {
		open_two(&g, disks, bad[i]);
		CHECK_EQ(g.g->n_refusals, 1);
		CHECK_STR(g.g->refusals[0].code, "device-name");
		close_two(&g, disks);
	}
	/* With one disk it is clear. */
	make_guest((const struct guest_file[]){ { "etc/fstab", "/dev/disk/by-id/x-part1 "
					    "/data ext4 ro 0 0\n" },
					  { NULL, NULL } });
	open_guest(&g);
	CHECK_EQ(g.g->n_refusals, 0);
	plan_guest(&g, NULL, 0, false, &ed);
	check_file(ed, "/etc/fstab", "UUID=" UUID " /data ext4 ro 0 0\n");
	edits_free(ed);
	close_guest(&g);
}

static void test_extlinux(void)
{
	static const struct guest_file files[] = {
		{ "boot/grub/grub.cfg", NULL },
		{ "boot/extlinux/extlinux.conf", "DEFAULT l\nLABEL l\n LINUX "
		  "/boot/vmlinuz-6.1.0\n APPEND root=/dev/sda1 ro\n INITRD x\n" },
		{ "lib/modules/6.1.0/modules.builtin",
		  "kernel/virtio.ko\nkernel/virtio_pci.ko\nkernel/virtio_blk.ko\n" },
		{ NULL, NULL },
	};
	struct edits *ed;
	struct guest g;

	make_guest(files);
	open_guest(&g);
	CHECK_EQ(g.g->boot.loader, LOADER_EXTLINUX);
	CHECK_STR(g.g->boot.cmdline, "root=/dev/sda1 ro");
	CHECK_EQ(g.g->kernels[0].drivers[DRV_VIRTIO_BLK], DRIVER_BUILTIN);
	plan_guest(&g, NULL, 0, true, &ed);
	check_codes(ed, "fstab-uuid extlinux-uuid grub-device-map "
		    "serial-console tools-masked");
	check_file(ed, "/boot/extlinux/extlinux.conf", " APPEND root=UUID=" UUID
		   " ro console=tty0 console=ttyS0,115200\n");
	check_file(ed, "/boot/extlinux/extlinux.conf",
		   " LINUX /boot/vmlinuz-6.1.0\n");
	edits_free(ed);
	close_guest(&g);
}

int main(void)
{
	if (!guest_tools()) {
		puts("SKIP: e2fsprogs or fdisk is not installed");
		return 77;
	}
	test_grub();
	test_dracut();
	test_kernelopts();
	test_names();
	test_extlinux();
	return 0;
}
