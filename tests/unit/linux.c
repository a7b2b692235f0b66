/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.c - inspect and plan small guests: what is seen, what is edited and what is
 * refused; a planned guest needs no further plan.
 *
 * linux inspect IMAGE...: a real one, as JSON.  linux plan IMAGE...: the edits, for
 * people.  linux apply IMAGE...: make them; the images are changed.  MAC in the
 * environment is the card's.  It is long because most of it is tables: the files of
 * each kind of guest, and what must be seen and planned of them.
 * time limit: 300 s
 */
#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/guest/initramfs.h"
#include "convert/guest/linux.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

#define UUID "11111111-2222-4333-8444-555555555555"
#define MAC "00:50:56:aa:bb:cc"

static struct err e;

/* A file of a guest; text NULL: none. */
struct file {
	const char *path, *text;
};

static const struct file usual[] = {
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

static void put(const char *path, const void *data, size_t len)
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

static void put_files(const struct file *f)
{
	for (; f && f->path; f++) {
		char path[256];

		snprintf(path, sizeof(path), "root/%s", f->path);
		make_way(path);
		if (f->text)
			put(path, f->text, strlen(f->text));
	}
}

/* What a VMware guest's has. */
static void put_initramfs(const char *kind)
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
	put("root/boot/initrd.img-6.1.0", packed, len);
	free(packed);
	free(w.data);
}

/* disk: a boot sector with "GRUB", and ext4 as /dev/sda1. */
static void make_disk(void)
{
	CHECK(fstree_run("rm -f disk && truncate -s 16M disk && printf '%%s\\n' "
			 "'label: dos' 'label-id: 0x12345678' 'start=2048' | "
			 "sfdisk -q disk && printf 'GRUB' | dd of=disk bs=1 "
			 "seek=300 conv=notrunc status=none && printf '\\1' | dd "
			 "of=disk bs=1 seek=92 conv=notrunc status=none && "
			 "mke2fs -q -F -t ext4 -d root -U " UUID
			 " -E offset=1048576 disk 15M"));
}

static void make_guest(const struct file *more)
{
	CHECK(fstree_run("rm -rf root && mkdir root"));
	put_files(usual);
	CHECK(fstree_run("printf '\\76\\0' >>root/bin/sh"));
	put_initramfs("zstd");
	put_files(more);
	make_disk();
}

struct guest {
	struct img *disk;
	struct volumes v;
	struct linux_guest *g;
};

static void open_guest(struct guest *g)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };

	CHECK_OK(img_open("disk", &args, &g->disk, &e));
	CHECK_OK(volumes_open(&g->disk, 1, &g->v, &e));
	CHECK_OK(linux_inspect(&g->disk, &g->v, &g->g, &e));
}

static void close_guest(struct guest *g)
{
	linux_free(g->g);
	volumes_close(&g->v);
	CHECK_OK(img_close(g->disk, &e));
}

static void test_inspect(void)
{
	struct guest guest;
	const struct linux_guest *g;
	json_t *j;

	make_guest(NULL);
	open_guest(&guest);
	g = guest.g;
	CHECK_STR(g->id, "debian");
	CHECK_STR(g->version_id, "12");
	CHECK_STR(g->pretty_name, "Debian GNU/Linux 12");
	CHECK_STR(g->arch, "x86_64");
	CHECK_STR(g->hostname, "old");
	CHECK_STR(g->machine_id, "0123456789abcdef0123456789abcdef");
	CHECK_EQ(g->boot.loader, LOADER_GRUB2);
	CHECK(g->boot.has_core && g->boot.core_lba == 1);
	CHECK_STR(g->boot.cmdline, "root=/dev/sda1 ro xroot=/dev/sda1");
	CHECK_EQ(g->n_kernels, 1);
	CHECK(g->kernels[0].is_default && g->kernels[0].needs_splice);
	CHECK_STR(g->kernels[0].generator, "initramfs-tools");
	CHECK_STR(g->kernels[0].compression, "zstd");
	CHECK_EQ(g->kernels[0].drivers[DRV_VMW_PVSCSI], DRIVER_INITRAMFS);
	CHECK_EQ(g->kernels[0].drivers[DRV_VIRTIO_BLK], DRIVER_MODULE);
	CHECK_EQ(g->kernels[0].drivers[DRV_VIRTIO_NET], DRIVER_NONE);
	CHECK_EQ(g->n_ifaces, 1);
	CHECK_STR(g->ifaces[0].addresses[0], "192.0.2.10/24");
	CHECK_STR(g->ifaces[0].gateway, "192.0.2.1");
	CHECK_EQ(g->n_tools, 1);
	CHECK_EQ(g->n_refusals, 0);
	j = linux_json(g);
	CHECK_STR(json_string_value(json_object_get(j, "hostname")), "old");
	json_decref(j);
	close_guest(&guest);
}

/* The code of each edit, in order and once. */
static void check_codes(struct edits *ed, const char *want)
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
static void check_file(struct edits *ed, const char *path, const char *want)
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

static void plan(struct guest *g, struct linux_nic *nics, size_t n,
		 bool console, struct edits **ed)
{
	struct linux_plan_args args = { nics, n, console, false };

	CHECK_OK(edits_new(g->g->tree, ed, &e));
	CHECK_OK(linux_plan(g->g, &args, *ed, &e));
}

static void check_initramfs(struct edits *ed, const char *path)
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

static void test_plan(void)
{
	struct linux_nic nic = { .old_mac = "00:50:56:AA:BB:CC" };
	struct edits *ed;
	struct guest g;

	make_guest(NULL);
	open_guest(&g);
	plan(&g, &nic, 1, true, &ed);
	CHECK_STR(nic.name, "ens192");
	check_codes(ed, "fstab-uuid grub-uuid grub-device-map serial-console "
		    "interface-name initramfs-splice initramfs-modules "
		    "tools-masked");
	check_file(ed, "/etc/fstab", "# root\nUUID=" UUID "\t/ ext4 defaults 0 1\n"
		   "/dev/sdz9 /none");
	check_file(ed, "/boot/grub/grub.cfg", "root=UUID=" UUID
		   " ro xroot=/dev/sda1 console=tty0 console=ttyS0,115200\n");
	check_file(ed, "/boot/grub/grub.cfg", "linux16 /boot/memtest\n");
	check_file(ed, "/etc/default/grub", "\"resume=UUID=" UUID
		   " console=tty0 console=ttyS0,115200\"\n");
	check_file(ed, "/etc/systemd/network/10-ens192.link", "MACAddress=" MAC
		   "\nType=ether\n\n[Link]\nName=ens192\n");
	check_initramfs(ed, "/boot/initrd.img-6.1.0");
	CHECK_OK(edits_apply(ed, &e));
	edits_free(ed);
	close_guest(&g);

	/* What was converted is as it has to be. */
	open_guest(&g);
	CHECK(!g.g->kernels[0].needs_splice);
	CHECK_EQ(g.g->kernels[0].drivers[DRV_VIRTIO_BLK], DRIVER_INITRAMFS);
	CHECK(g.g->boot.serial);
	plan(&g, &nic, 1, true, &ed);
	check_codes(ed, "");
	edits_free(ed);
	close_guest(&g);
	CHECK(fstree_run("truncate -s 15M part && dd if=disk of=part bs=1M skip=1 "
			 "conv=notrunc status=none && e2fsck -fn part"));
}

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
		struct file files[] = { { "boot/grub/grub.cfg", text },
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
	static const struct file files[] = {
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
	plan(&g, NULL, 0, false, &ed);
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
	const struct file files[] = {
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
	plan(&g, NULL, 0, true, &ed);
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

/* An initramfs that renames cards, before systemd did that twice. */
static void test_old_names(void)
{
	static const struct file old[] = {
		{ "lib/systemd/libsystemd-shared-252.so", NULL },
		{ "lib/systemd/libsystemd-shared-237.so", "x" }, { NULL, NULL } };
	struct linux_nic nic = { .old_mac = MAC };
	struct initramfs fs;
	struct edits *ed;
	struct guest g;
	char *data;
	size_t len;

	make_guest(old);
	put_initramfs("virtio");
	make_disk();
	open_guest(&g);
	CHECK(!g.g->kernels[0].needs_splice);
	plan(&g, &nic, 1, false, &ed);
	check_file(ed, "/etc/systemd/network/10-ens192.link",
		   "Driver=virtio_net");
	CHECK_OK(edits_read(ed, "/boot/initrd.img-6.1.0", 1 << 20, &data, &len,
			    &e));
	CHECK_OK(initramfs_read(data, len, &fs, &e));
	CHECK(initramfs_find(&fs, "etc/systemd/network/10-ens192.link"));
	initramfs_fini(&fs);
	free(data);
	edits_free(ed);
	close_guest(&g);
}

struct net_case {
	struct file files[3];
	struct linux_nic nics[2];
	bool old;			/* before systemd */
	const char *names[2];
	const char *codes;		/* of edits of interfaces */
	const char *path, *want;	/* in a file, after the plan */
	const char *address;		/* that is seen first; NULL: none */
	const char *gateway;		/* the same */
};

static const struct net_case net_cases[] = {
	{ .files = { { "etc/systemd/network/a.network", "[Match]\nName=ens33\n"
		       "[Network]\nAddress=192.0.2.7/24\nGateway=192.0.2.1\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "ens33" },
	  .codes = "interface-name", .path = "/etc/systemd/network/10-ens33.link",
	  .want = "Name=ens33", .address = "192.0.2.7/24" },
	/* A pattern takes any name. */
	{ .files = { { "etc/systemd/network/a.network", "[Match]\nName=en*\n"
		       "[Network]\nDHCP=yes\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "" }, .codes = "" },
	{ .files = { { "etc/NetworkManager/system-connections/a.nmconnection",
		       "[connection]\ntype=ethernet\ninterface-name=ens224\n"
		       "[ipv4]\nmethod=manual\n"
		       "address1=192.0.2.8/24,192.0.2.1\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "ens224" },
	  .codes = "interface-name",
	  .path = "/etc/systemd/network/10-ens224.link", .want = "Name=ens224",
	  .address = "192.0.2.8/24" },
	/* By VMware's slots, against the order of the names. */
	{ .files = { { "etc/netplan/1.yaml", "network:\n  version: 2\n"
		       "  ethernets:\n    ens160:\n      addresses: "
		       "[192.0.2.9/24, \"2001:db8::1/64\"]\n    ens192:\n"
		       "      dhcp4: true\n" } },
	  .nics = { { .old_mac = MAC, .pci_slot = 192 },
		    { .old_mac = "00:50:56:aa:bb:dd", .pci_slot = 160 } },
	  .names = { "ens192", "ens160" }, .codes = "interface-name",
	  .path = "/etc/systemd/network/10-ens160.link",
	  .want = "MACAddress=00:50:56:aa:bb:dd", .address = "192.0.2.9/24" },
	/* By the MAC in the configuration, which is a new one. */
	{ .files = { { "etc/netplan/1.yaml", "network:\n  ethernets:\n"
		       "    one:\n      match:\n        macaddress: "
		       "'00:50:56:AA:BB:CC'\n      set-name: lan0\n"
		       "      addresses:\n        - 192.0.2.9/24\n" } },
	  .nics = { { .old_mac = MAC, .new_mac = "52:54:00:00:00:01" } },
	  .names = { "lan0" }, .codes = "interface-mac interface-name",
	  .path = "/etc/netplan/1.yaml", .want = "'52:54:00:00:00:01'",
	  .address = "192.0.2.9/24" },
	/* The same in brackets, of which some go over lines. */
	{ .files = { { "etc/netplan/1.yaml", "network: {version: 2, ethernets: "
		       "{ens7: {addresses: [192.0.2.5/24, \"2001:db8::1/64\"], "
		       "nameservers: {addresses: [192.0.2.99]},\n # [ {\n"
		       "routes: [{to: 198.51.100.0/24, via: 192.0.2.98},\n"
		       "{via: 192.0.2.1, to: default}]}}}\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "ens7" },
	  .codes = "interface-name", .path = "/etc/systemd/network/10-ens7.link",
	  .want = "Name=ens7", .address = "192.0.2.5/24",
	  .gateway = "192.0.2.1" },
	{ .files = { { "etc/netplan/1.yaml", "network:\n  ethernets:\n    ens8:\n"
		       "      routes: [{to: default, via: 192.0.2.1}] # x\n"
		       "      match: {macaddress: " MAC ", name: x}\n"
		       "      set-name: ens8\n      addresses:\n"
		       "      - 192.0.2.6/24: {label: \"a:b\"}\n"
		       "      - 192.0.2.7/24\n" } },
	  .nics = { { .old_mac = MAC, .new_mac = "52:54:00:00:00:01" } },
	  .names = { "ens8" }, .codes = "interface-mac interface-name",
	  .path = "/etc/netplan/1.yaml",
	  .want = "{macaddress: 52:54:00:00:00:01, name: x}",
	  .address = "192.0.2.6/24", .gateway = "192.0.2.1" },
	/* The key is no name, and the card may have any. */
	{ .files = { { "etc/netplan/1.yaml", "network:\n  ethernets:\n    one:\n"
		       "      match: {}\n      match:\n        macaddress: " MAC "\n"
		       "      dhcp4: yes\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "" }, .codes = "" },
	/* A rule for a card that is gone. */
	{ .files = { { "etc/udev/rules.d/70-persistent-net.rules",
		       "SUBSYSTEM==\"net\", ATTR{address}==\"00:50:56:00:00:01\", "
		       "NAME=\"eth0\"\n" } },
	  .nics = { { .old_mac = MAC } }, .names = { "" }, .codes = "" },
	{ .files = { { "etc/sysconfig/network-scripts/ifcfg-eth0",
		       "DEVICE=eth0\nHWADDR=00:50:56:AA:BB:CC\nIPADDR=192.0.2.3\n"
		       "PREFIX=25\n" } }, .old = true,
	  .nics = { { .old_mac = MAC } }, .names = { "eth0" },
	  .codes = "interface-name",
	  .path = "/etc/udev/rules.d/70-persistent-net.rules",
	  .want = "ATTR{address}==\"" MAC "\"", .address = "192.0.2.3/25" },
	/* A rule that has the name already. */
	{ .files = { { "etc/udev/rules.d/70-persistent-net.rules",
		       "SUBSYSTEM==\"net\", ATTR{address}==\"" MAC "\", "
		       "NAME=\"eth5\"\n" } }, .old = true,
	  .nics = { { .old_mac = MAC } }, .names = { "eth5" }, .codes = "" },
};

/* A second disk with one partition, and what fstab and root= call the first one's.
 * What lasts stays, of the rest the root is known by what lies on it.
 */
static void open_two(struct guest *g, struct img *disks[2], const char *fstab)
{
	const struct file files[] = {
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
	plan(&g, NULL, 0, false, &ed);
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
	make_guest((const struct file[]){ { "etc/fstab", "/dev/disk/by-id/x-part1 "
					    "/data ext4 ro 0 0\n" },
					  { NULL, NULL } });
	open_guest(&g);
	CHECK_EQ(g.g->n_refusals, 0);
	plan(&g, NULL, 0, false, &ed);
	check_file(ed, "/etc/fstab", "UUID=" UUID " /data ext4 ro 0 0\n");
	edits_free(ed);
	close_guest(&g);
}

static void test_network(void)
{
	static const struct file none[] = {
		{ "etc/network/interfaces", NULL }, { NULL, NULL } };
	static const struct file old[] = { { "lib/systemd", NULL },
		{ "sbin/udevd", "x" }, { NULL, NULL } };

	for (size_t i = 0; i < sizeof(net_cases) / sizeof(*net_cases); i++) {
		struct net_case c = net_cases[i];
		size_t n = *c.nics[1].old_mac ? 2 : 1;
		struct edits *ed;
		struct guest g;
		char *text;

		make_guest(none);
		put_files(c.files);
		if (c.old)
			put_files(old);
		make_disk();
		open_guest(&g);
		if (c.address)
			CHECK_STR(g.g->ifaces[0].addresses[0], c.address);
		if (c.gateway)
			CHECK_STR(g.g->ifaces[0].gateway, c.gateway);
		plan(&g, c.nics, n, false, &ed);
		for (size_t k = 0; k < n; k++)
			CHECK_STR(c.nics[k].name, c.names[k]);
		text = edits_text(ed, &e);
		CHECK(!strstr(text, "interface-") == !*c.codes);
		free(text);
		if (c.path)
			check_file(ed, c.path, c.want);
		edits_free(ed);
		close_guest(&g);
	}
}

#define PUT_AT(offset, text) "printf '" text "' | dd of=disk bs=1 seek=" offset \
	" conv=notrunc status=none"

/* The page that begins with SWAPPAGE becomes a swap file's, of a guest that sleeps. */
#define ASLEEP_AT "at=$(grep -abo SWAPPAGE disk | head -1 | cut -d: -f1) && " \
	"printf S1SUSPEND | dd of=disk bs=1 conv=notrunc seek=$((at + 4086))"

static void test_refused(void)
{
	char swap[5001];
	const struct {
		struct file files[3];
		const char *code, *command;
	} cases[] = {
		/* A swap partition, and the mark of what hibernated into it. */
		{ { { NULL, NULL } }, "hibernated", "truncate -s 20M disk && echo "
		  "'start=32768,type=82' | sfdisk -q --append disk && truncate "
		  "-s 4M swap && mkswap swap && printf S1SUSPEND | dd of=swap "
		  "bs=1 seek=4086 conv=notrunc && dd if=swap of=disk bs=1M "
		  "seek=16 conv=notrunc" },
		/* In a swap file, by fstab and by the command line. */
		{ { { "swap", swap }, { "etc/fstab", "/swap none swap sw 0 0\n" } },
		  "hibernated", ASLEEP_AT },
		{ { { "boot/grub/grub.cfg", "menuentry x {\n"
		    "linux /boot/vmlinuz-6.1.0 root=/dev/sda1 resume=UUID=" UUID
		    " resume_offset=2000\n}\n" } }, "hibernated",
		  "printf S1SUSPEND | dd of=disk bs=1 conv=notrunc seek=$((1048576 + "
		  "2000 * 4096 + 4086))" },
		{ { { NULL, NULL } }, "uefi-only", "sfdisk --delete disk 1 && "
		  "dd if=/dev/zero of=disk bs=440 count=1 conv=notrunc && "
		  "truncate -s 20M disk && printf '%s\\n' 'label: gpt' "
		  "'start=2048,size=30720' 'start=34816,size=2000,"
		  "type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B' | sfdisk -q disk" },
		{ { { "etc", NULL } }, "root-luks", "dd if=/dev/zero of=disk bs=1M "
		  "seek=1 count=1 conv=notrunc && "
		  PUT_AT("1048576", "LUKS\\272\\276\\0\\1") },
		{ { { "boot/grub/grub.cfg", NULL },
		    { "boot/grub/menu.lst", "default 0\n" } }, "boot-loader", "" },
		{ { { "boot/grub/grub.cfg", NULL } }, "no-boot-loader", "" },
		{ { { "boot/vmlinuz-6.1.0", NULL } }, "no-kernel", "" },
		{ { { "lib/modules/6.1.0", NULL } }, "no-virtio-driver", "" },
		{ { { "boot/initrd.img-6.1.0", "none" } },
		  "initramfs-unreadable", "" },
		{ { { "etc", NULL } }, "no-linux", "" },
		{ { { NULL, NULL } }, "no-boot-sector",
		  "dd if=/dev/zero of=disk bs=440 count=1 conv=notrunc" },
	};

	snprintf(swap, sizeof(swap), "SWAPPAGE%04990d", 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct linux_plan_args args = { 0 };
		struct edits *ed;
		struct guest g;

		make_guest(cases[i].files);
		if (*cases[i].command)
			CHECK(fstree_run("%s", cases[i].command));
		open_guest(&g);
		CHECK_EQ(g.g->n_refusals, 1);
		CHECK_STR(g.g->refusals[0].code, cases[i].code);
		if (g.g->tree) {
			CHECK_OK(edits_new(g.g->tree, &ed, &e));
			CHECK_EQ(linux_plan(g.g, &args, ed, &e), -EPERM);
			CHECK(strstr(e.text, g.g->refusals[0].fix));
			CHECK_EQ(edits_count(ed), 0);
			edits_free(ed);
		}
		close_guest(&g);
	}
}

/* A root without room says how much is missing. */
static void test_full(void)
{
	struct linux_plan_args args = { 0 };
	struct edits *ed;
	struct guest g;
	char *noise = malloc(1 << 20);
	unsigned seed = 7;

	for (size_t i = 0; i < 1 << 20; i++) {
		seed = seed * 1103515245 + 12345;
		noise[i] = (char)(seed >> 16);
	}
	memcpy(noise, "\177ELF", 4);
	make_guest(NULL);
	put("root/lib/modules/6.1.0/kernel/virtio_blk.ko", noise, 1 << 20);
	/* What mke2fs leaves of 15 MiB, with the journal, less half a MiB. */
	CHECK(fstree_run("head -c 11800000 /dev/zero | tr '\\0' x >root/filler"));
	make_disk();
	open_guest(&g);
	CHECK_OK(edits_new(g.g->tree, &ed, &e));
	CHECK_EQ(linux_plan(g.g, &args, ed, &e), -ENOSPC);
	CHECK(strstr(e.text, "disk 1 partition 1"));
	edits_free(ed);
	close_guest(&g);
	free(noise);
}

static void test_extlinux(void)
{
	static const struct file files[] = {
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
	plan(&g, NULL, 0, true, &ed);
	check_codes(ed, "fstab-uuid extlinux-uuid grub-device-map "
		    "serial-console tools-masked");
	check_file(ed, "/boot/extlinux/extlinux.conf", " APPEND root=UUID=" UUID
		   " ro console=tty0 console=ttyS0,115200\n");
	check_file(ed, "/boot/extlinux/extlinux.conf",
		   " LINUX /boot/vmlinuz-6.1.0\n");
	edits_free(ed);
	close_guest(&g);
}

/* Any bytes in the files that are read: never more than a wrong understanding. */
static void test_noise(void)
{
	static const char *const files[] = { "etc/os-release", "etc/hostname",
		"etc/fstab", "etc/network/interfaces", "etc/default/grub",
		"boot/grub/grub.cfg", "etc/systemd/network/a.network",
		"etc/netplan/a.yaml", "etc/sysconfig/network-scripts/ifcfg-x",
		"etc/NetworkManager/system-connections/a",
		"etc/udev/rules.d/70-persistent-net.rules", "etc/crypttab",
		"lib/modules/6.1.0/modules.dep", "lib/modules/6.1.0/modules.alias",
	};
	static const char words[][20] = { "menuentry ", "submenu ", "'", "\"", "{",
		"}\n", "\nlinux ", "root=", "/dev/sda1", " ", "\n", "\n", ":", "- ",
		"[Match]\n", "Name=", "address ", "iface ", "network:\n", "[",
		" ethernets:\n", "=", "source /etc/*", ",", "\t", "\377", "\1",
		"macaddress: ", ".ko", "alias ", "NAME=\"", "\nsource-directory .",
		"{", "]", ": [", "}" };
	unsigned seed = 1;

	for (int round = 0; round < 6; round++) {
		struct linux_nic nic = { .old_mac = MAC };
		struct linux_plan_args args = { &nic, 1, true, false };
		struct edits *ed;
		struct guest g;

		make_guest(NULL);
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			char text[2048] = "";
			struct file f[2] = { { files[i], text } };

			for (int n = 0; n < 120; n++) {
				seed = seed * 1103515245 + 12345;
				strcat(text, words[(seed >> 16) %
					     (sizeof(words) / sizeof(*words))]);
			}
			put_files(f);
		}
		make_disk();
		open_guest(&g);
		if (g.g->tree) {
			CHECK_OK(edits_new(g.g->tree, &ed, &e));
			linux_plan(g.g, &args, ed, &e);
			free(edits_text(ed, &e));
			edits_free(ed);
		}
		json_decref(linux_json(g.g));
		close_guest(&g);
	}
}

static int tool(int argc, char **argv)
{
	struct linux_nic nic = { .old_mac = MAC };
	struct linux_plan_args args = { &nic, 1, .serial_console = true };
	struct img_open_args open = { .flags = *argv[1] == 'a' ? IMG_WRITE : 0 };
	struct img *disks[8];
	struct linux_guest *g;
	struct volumes v;
	struct edits *ed;
	size_t n = (size_t)argc - 2;

	if (getenv("MAC"))
		snprintf(nic.old_mac, sizeof(nic.old_mac), "%s", getenv("MAC"));
	CHECK(n <= 8);
	for (size_t i = 0; i < n; i++)
		CHECK_OK(img_open(argv[2 + i], &open, &disks[i], &e));
	CHECK_OK(volumes_open(disks, n, &v, &e));
	CHECK_OK(linux_inspect(disks, &v, &g, &e));
	if (*argv[1] == 'i') {
		json_t *j = linux_json(g);

		CHECK(!json_dumpf(j, stdout, JSON_INDENT(1)));
		json_decref(j);
	} else {
		char *text;

		CHECK_OK(edits_new(g->tree, &ed, &e));
		CHECK_OK(linux_plan(g, &args, ed, &e));
		text = edits_text(ed, &e);
		CHECK(text && puts(text) >= 0);
		free(text);
		if (*argv[1] == 'a')
			CHECK_OK(edits_apply(ed, &e));
		edits_free(ed);
	}
	linux_free(g);
	volumes_close(&v);
	for (size_t i = 0; i < n; i++)
		CHECK_OK(img_close(disks[i], &e));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return tool(argc, argv);
	/* mke2fs and sfdisk wait for the disk, which others keep busy. */
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	scratch_enter();
	if (!fstree_has("mke2fs") || !fstree_has("sfdisk") ||
	    !fstree_has("e2fsck")) {
		puts("SKIP: e2fsprogs or fdisk is not installed");
		return 77;
	}
	test_inspect();
	test_plan();
	test_extlinux();
	test_grub();
	test_network();
	test_names();
	test_old_names();
	test_dracut();
	test_kernelopts();
	test_refused();
	test_full();
	test_noise();
	return 0;
}
