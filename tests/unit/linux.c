/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.c - inspect and plan small guests: what is seen, what is edited and what is
 * refused; a planned guest needs no further plan.
 *
 * linux inspect IMAGE...: a real one, as JSON.  linux plan IMAGE...: the edits, for
 * people.  linux apply IMAGE...: make them; the images are changed.  MAC in the
 * environment is the card's.
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
#include "tests/lib/linuxguest.h"

#define UUID GUEST_UUID
#define MAC GUEST_MAC

static struct err e;

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

static void test_plan(void)
{
	struct linux_nic nic = { .old_mac = "00:50:56:AA:BB:CC" };
	struct edits *ed;
	struct guest g;

	make_guest(NULL);
	open_guest(&g);
	plan_guest(&g, &nic, 1, true, &ed);
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
	plan_guest(&g, &nic, 1, true, &ed);
	check_codes(ed, "");
	edits_free(ed);
	close_guest(&g);
	CHECK(fstree_run("truncate -s 15M part && dd if=disk of=part bs=1M skip=1 "
			 "conv=notrunc status=none && e2fsck -fn part"));
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
		struct guest_file files[3];
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
	put_bytes("root/lib/modules/6.1.0/kernel/virtio_blk.ko", noise, 1 << 20);
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
			char text[120 * sizeof(words[0])] = "";
			struct guest_file f[2] = { { files[i], text } };

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
	if (!guest_tools()) {
		puts("SKIP: e2fsprogs or fdisk is not installed");
		return 77;
	}
	test_inspect();
	test_plan();
	test_refused();
	test_full();
	test_noise();
	return 0;
}
