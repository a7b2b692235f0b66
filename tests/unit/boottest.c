/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boottest.c - boot tests as a machine would tell them: for each way to boot or
 * not the verdict that it must get, and for each decoy that it gets no pass.
 */
#include <errno.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/imgfmt.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/boottest/boottest.h"

static struct err e;

#define V4(last) { [10] = 0xff, [11] = 0xff, 192, 0, 2, last }
static const struct vm_net nets[2] = {
	{ .n_asks = 1, .asks = { V4(10) } }, { .n_asks = 1, .asks = { V4(20) } },
};

#define MS	1000000ull
#define MANY	(40u << 20)	/* bytes: what only a root is read for */
#define FEW	(200u << 10)	/* what a search for file systems reads */

/* What happens, one after the other. */
struct step {
	enum { END, FIRMWARE, SERIAL, READ, WRITE, MODE, DRIVER, RESET, PASS,
	       GROUP, CARD, ARP, ECHO } what;
	const char *text;	/* FIRMWARE, SERIAL */
	uint64_t n;		/* bytes, WATCH_*, ms, card */
	const struct step *group;
};

static const struct step boots_sector[] = {
	{ .what = FIRMWARE, .text = "SeaBIOS (version 1)\n" },
	{ .what = READ, .n = 512 },
	{ .what = FIRMWARE, .text = "Booting from 0000:7c00\n" },
	{ .what = END },
};
static const struct step loads[] = {
	{ .what = GROUP, .group = boots_sector },
	{ .what = READ, .n = 1 << 20 },
	{ .what = SERIAL, .text = "GRUB loading.\r\nWelcome to GRUB!\r\n" },
	{ .what = END },
};
static const struct step kernel[] = {
	{ .what = GROUP, .group = loads },
	{ .what = MODE, .n = WATCH_PROTECTED | WATCH_PAGING | WATCH_LONG },
	{ .what = SERIAL, .text = "[    0.000000] Linux version 6.1\n" },
	{ .what = END },
};
static const struct step initramfs[] = {
	{ .what = GROUP, .group = kernel },
	{ .what = MODE, .n = WATCH_USER },
	{ .what = DRIVER },
	{ .what = READ, .n = 40 << 10 },
	{ .what = END },
};
static const struct step initramfs_without_disk[] = {
	{ .what = GROUP, .group = kernel },
	{ .what = MODE, .n = WATCH_USER },
	{ .what = END },
};
static const struct step root[] = {
	{ .what = GROUP, .group = initramfs },
	{ .what = SERIAL, .text = "[    1.2] EXT4-fs (vda1): mounted filesystem with\n" },
	{ .what = READ, .n = FEW },
	{ .what = MODE, .n = WATCH_NEW_PROGRAM },
	{ .what = END },
};
/* All that a root is read for, and by the initramfs. */
static const struct step much[] = {
	{ .what = GROUP, .group = initramfs },
	{ .what = SERIAL, .text = "[    1.2] EXT4-fs (vda1): mounted filesystem with\n" },
	{ .what = READ, .n = MANY },
	{ .what = END },
};
static const struct step init[] = {
	{ .what = GROUP, .group = root },
	{ .what = SERIAL, .text = "Welcome to Debian GNU/Linux 12 (bookworm)!\r\n" },
	{ .what = END },
};

static void feed(const struct vm_watch *w, enum watch_port port,
		 const char *text)
{
	for (; *text; text++)
		w->text(w->arg, port, (uint8_t)*text);
}

/* The i-th card's address answers. */
static void answer(const struct vm_watch *w, unsigned i, bool echo)
{
	struct vm_net_host host = { .asked = true, .answered = true,
				    .echoed = echo, .by = { 2, 0, 0, 0, 0, 7 } };

	memcpy(host.addr, nets[i].asks[0], sizeof(host.addr));
	w->network(w->arg, i, &host);
}

/* The first read is the firmware's, of the boot sector. */
static void play(struct vm *vm, const struct vm_watch *w,
		 const struct step *step, uint64_t *sector)
{
	for (; step->what != END; step++) {
		switch (step->what) {
		case END:
			break;
		case FIRMWARE:
			feed(w, WATCH_DEBUG, step->text);
			break;
		case SERIAL:
			feed(w, WATCH_SERIAL1, step->text);
			break;
		case READ:
		case WRITE:
			w->disk(w->arg, 0, step->what == WRITE, *sector,
				step->n / 512);
			*sector += step->n / 512;
			break;
		case MODE:
			w->mode(w->arg, (unsigned)step->n);
			break;
		case DRIVER:
			w->driver(w->arg, "virtio-blk", 0x30000000);
			break;
		case RESET:
			w->reset(w->arg);
			*sector = 0;
			break;
		case PASS:
			fakevm_pass(vm, step->n * MS);
			break;
		case CARD:
			w->network(w->arg, (unsigned)step->n, NULL);
			break;
		case ARP:
		case ECHO:
			answer(w, (unsigned)step->n, step->what == ECHO);
			break;
		case GROUP:
			play(vm, w, step->group, sector);
			break;
		}
	}
}

struct expect {
	const char *name;
	const struct step *steps;
	enum vm_end end;	/* VM_STOPPED: after a minute */
	enum boot_stage until;
	const char *text;
	bool passed;
	enum boot_stage stage;
	enum boot_cause cause;
	const char *says;	/* in the verdict's text or evidence */
	bool off;		/* the guest powers off; else: after a minute */
	unsigned cards;		/* which ask */
};

static struct img *disk(const uint8_t mbr[512])
{
	struct img *img;

	CHECK_OK(img_memory(4 << 20, &img, &e));
	if (mbr)
		CHECK_OK(img_write(img, mbr, 512, 0));
	return img;
}

static const uint8_t *bootable(void)
{
	static uint8_t mbr[512];

	memset(mbr, 0x90, 440);
	put_le16(mbr + 510, 0xaa55);
	return mbr;
}

static bool says(const struct boot_verdict *v, const char *text)
{
	for (unsigned i = 0; i < v->n_evidence; i++)
		if (strstr(v->evidence[i].text, text))
			return true;
	return strstr(v->text, text);
}

static void judge(struct img *img, const struct expect *x,
		  struct boot_verdict *v)
{
	struct boot_test_config config = {
		.until = x->until ? x->until : BOOT_LOGIN, .text = x->text,
		.nets = nets, .n_nets = x->cards,
	};
	struct vm_result result = { .end = x->end };
	struct vm_disk_stats stats = { 0 };
	struct vm *vm = fakevm_bare(1 << 20, 1);
	struct boot_test *bt;
	uint64_t sector = 0;

	CHECK_OK(boot_test_new(&config, img, &bt, &e));
	boot_test_begin(bt, vm);
	boot_test_watch(bt)->reset(boot_test_watch(bt)->arg);
	play(vm, boot_test_watch(bt), x->steps, &sector);
	if (x->end == VM_STOPPED)
		fakevm_pass(vm, 60000 * MS);
	result.run_ns = vm_now(vm);
	boot_test_judge(bt, &result, 0, NULL, &stats, v);
	vm_free(vm);
	boot_test_free(bt);
}

static void check_one(struct img *img, const struct expect *x)
{
	struct boot_verdict v;
	bool right;

	judge(img, x, &v);
	right = v.passed == x->passed && v.stage == x->stage &&
		v.cause == x->cause && (!x->says || says(&v, x->says));
	if (!right)
		fprintf(stderr, "%s: %s at %s, %s: %s\n", x->name,
			v.passed ? "passed" : "failed",
			boot_stage_name(v.stage), boot_cause_name(v.cause),
			v.text);
	CHECK(right);
}

#define STEPS(...) (const struct step[]){ __VA_ARGS__, { .what = END } }
#define AFTER(group_, ...) STEPS({ .what = GROUP, .group = group_ }, __VA_ARGS__)
#define SAY(text_) { .what = SERIAL, .text = text_ }
#define WAIT(ms) { .what = PASS, .n = ms }

static void test_passes(void)
{
	const struct expect list[] = {
		{ "a slow device", AFTER(init, SAY("[ ***] Job dev-sdb1.device/start "
		  "running (14min 59s / no limit)\r"), WAIT(20000),
		  SAY("\ndebian login: ")), .passed = true, .stage = BOOT_LOGIN },
		{ "getty and the kernel, one behind the other", AFTER(init,
		  SAY("\r\ndebian login: [   40.045860] vmxnet3: up\r\n")),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "getty", AFTER(init, SAY("\r\ndebian login: ")),
		  .passed = true, .stage = BOOT_LOGIN, .says = "debian login" },
		{ "target", AFTER(init, SAY("[\33[0;32m  OK  \33[0m] Reached "
		  "target \33[0;1;39mmulti-user.target\33[0m - Multi-User "
		  "System.\r\n")), .passed = true, .stage = BOOT_LOGIN },
		{ "a silent root", AFTER(initramfs, { .what = READ, .n = MANY },
		  { .what = MODE, .n = WATCH_NEW_PROGRAM },
		  SAY("debian login: ")), .passed = true, .stage = BOOT_LOGIN },
		{ "a program of the disk's", AFTER(initramfs,
		  { .what = MODE, .n = WATCH_DISK_PROGRAM },
		  SAY("debian login: "), WAIT(2500),
		  SAY("\nKernel panic - not syncing: too late\n")),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "a program of the disk's, later", AFTER(initramfs,
		  { .what = READ, .n = MANY },
		  { .what = MODE, .n = WATCH_NEW_PROGRAM },
		  SAY("debian login: "), WAIT(100),
		  { .what = MODE, .n = WATCH_DISK_PROGRAM }, WAIT(2500),
		  SAY("\nKernel panic - not syncing: too late\n")),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "nobody's program", AFTER(init, SAY("debian login: ")),
		  .passed = true, .stage = BOOT_LOGIN,
		  .says = "no program was seen to be the disk's" },
		{ "a reboot on the way", AFTER(init, { .what = RESET },
		  { .what = GROUP, .group = init }, SAY("debian login: ")),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "loader", loads, .until = BOOT_LOADER, .passed = true,
		  .stage = BOOT_LOADER },
		{ "kernel", kernel, .until = BOOT_KERNEL, .passed = true,
		  .stage = BOOT_KERNEL },
		{ "root", root, .until = BOOT_ROOT, .passed = true,
		  .stage = BOOT_ROOT },
		{ "poweroff", init, .off = true, .until = BOOT_POWEROFF,
		  .passed = true, .stage = BOOT_POWEROFF },
		{ "silent init", AFTER(initramfs, { .what = WRITE, .n = 512 },
		  { .what = MODE, .n = WATCH_NEW_PROGRAM },
		  { .what = READ, .n = MANY }, { .what = READ, .n = MANY }),
		  .until = BOOT_INIT,
		  .passed = true, .stage = BOOT_INIT },
		{ "an initramfs that is the system", much, .off = true,
		  .until = BOOT_POWEROFF, .passed = true,
		  .stage = BOOT_POWEROFF },
		{ "text", AFTER(loads, SAY("Memtest86+ v6\n")),
		  .text = "Memtest86.*v[0-9]", .passed = true,
		  .stage = BOOT_LOADER, .says = "Memtest86+ v6" },
	};
	struct img *img = disk(bootable());

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct expect x = list[i];

		x.end = x.off ? VM_POWERED_OFF : VM_STOPPED;
		check_one(img, &x);
	}
	img_close(img, NULL);
}

/* Words at the wrong time. */
static void test_decoys(void)
{
	const struct expect list[] = {
		{ "a boot sector", AFTER(boots_sector, SAY("debian login: ")),
		  .stage = BOOT_FIRMWARE, .cause = CAUSE_STOPPED },
		{ "a menu", AFTER(loads, SAY("debian login: \n")),
		  .stage = BOOT_LOADER, .cause = CAUSE_STOPPED },
		{ "a command line", AFTER(kernel, SAY("[    0.0] Command line: "
		  "root=x debian login: \ndebian login: ")),
		  .stage = BOOT_KERNEL, .cause = CAUSE_STOPPED,
		  .says = "not believed" },
		{ "an initramfs", AFTER(initramfs, { .what = READ, .n = FEW },
		  SAY("debian login: \r\n"), WAIT(100),
		  SAY("[    2.0] Kernel panic - not syncing: Attempted\n")),
		  .stage = BOOT_KERNEL, .cause = CAUSE_KERNEL_PANIC,
		  .says = "not believed" },
		{ "an initramfs that reads", AFTER(initramfs,
		  { .what = READ, .n = MANY },
		  { .what = MODE, .n = WATCH_NEW_PROGRAM },
		  SAY("debian login: "), WAIT(20000),
		  SAY("\n[    2.0] Kernel panic - not syncing: Attempted\n")),
		  .stage = BOOT_LOGIN, .cause = CAUSE_KERNEL_PANIC },
		{ "an initramfs that reads, and is quiet", AFTER(much,
		  SAY("Welcome to Debian GNU/Linux 12!\r\ndebian login: "),
		  WAIT(200000)), .stage = BOOT_ROOT, .cause = CAUSE_NO_LOGIN,
		  .says = "no program of the root's had run" },
		{ "an initramfs that reads and writes", AFTER(much,
		  { .what = WRITE, .n = 512 }, { .what = READ, .n = MANY }),
		  .until = BOOT_INIT, .stage = BOOT_ROOT,
		  .cause = CAUSE_STOPPED },
		{ "an initramfs that repairs", AFTER(initramfs,
		  { .what = READ, .n = FEW }, { .what = WRITE, .n = FEW },
		  SAY("debian login: \r\n")),
		  .stage = BOOT_KERNEL, .cause = CAUSE_STOPPED,
		  .says = "not believed" },
		{ "a panic on the command line", AFTER(init,
		  SAY("[    0.0] Kernel command line: root=x Kernel panic - "
		      "not syncing: decoy\n[    0.0] Unknown kernel command line "
		      "parameters \"decoy=Kernel panic - not syncing: decoy\", "
		      "will be passed to user space.\n"),
		  SAY("debian login: "), WAIT(3000)),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "a login, and an emergency", AFTER(init,
		  SAY("debian login: "), WAIT(500),
		  SAY("\nYou are in emergency mode. After logging in\n")),
		  .stage = BOOT_LOGIN, .cause = CAUSE_EMERGENCY },
		{ "an emergency in /etc/issue", AFTER(init,
		  SAY("You are in emergency mode\n\n"), WAIT(500),
		  SAY("debian login: "), WAIT(35000)),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "a target, an emergency in /etc/issue, and its prompt",
		  AFTER(init,
		  SAY("[  OK  ] Reached target multi-user.target\n"), WAIT(100),
		  SAY("You are in emergency mode\n\ndebian login: "),
		  WAIT(35000)),
		  .passed = true, .stage = BOOT_LOGIN },
		{ "an emergency, a panic, and a login", AFTER(init,
		  SAY("You are in emergency mode\nKernel panic - not syncing: x\n"),
		  SAY("debian login: "), WAIT(35000)),
		  .stage = BOOT_LOGIN, .cause = CAUSE_KERNEL_PANIC },
		{ "a message of the kernel's", AFTER(init,
		  SAY("[   12.0] audit: debian login: \n")),
		  .stage = BOOT_INIT, .cause = CAUSE_STOPPED },
		{ "power off by a loader", loads, .off = true,
		  .until = BOOT_POWEROFF, .stage = BOOT_LOADER,
		  .cause = CAUSE_POWERED_OFF },
		{ "power off before a login", init, .off = true,
		  .stage = BOOT_POWEROFF, .cause = CAUSE_POWERED_OFF },
		{ "power off by an initramfs", AFTER(initramfs,
		  SAY("EXT4-fs (vda1): mounted filesystem\n")),
		  .off = true, .until = BOOT_POWEROFF,
		  .stage = BOOT_KERNEL, .cause = CAUSE_POWERED_OFF },
		{ "text of the firmware's", AFTER(boots_sector,
		  { .what = FIRMWARE, .text = "Memtest86+ v6\n" }),
		  .text = "Memtest86", .stage = BOOT_FIRMWARE,
		  .cause = CAUSE_STOPPED },
	};
	struct img *img = disk(bootable());

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct expect x = list[i];

		x.end = x.off ? VM_POWERED_OFF : VM_STOPPED;
		check_one(img, &x);
	}
	img_close(img, NULL);
}

static void test_causes(void)
{
#define ROW(group, text_, stage_, cause_) \
	{ text_, AFTER(group, SAY(text_)), VM_STOPPED, \
	  .stage = BOOT_##stage_, .cause = CAUSE_##cause_, .says = NULL }
	const struct expect list[] = {
		ROW(boots_sector, "Missing operating system\r\n", FIRMWARE,
		    NO_SYSTEM),
		ROW(loads, "error: file `/boot/vmlinuz-6.1' not found.\n"
		    "error: you need to load the kernel first.\n", LOADER,
		    KERNEL_MISSING),
		ROW(loads, "error: ../../grub-core/fs/fshelp.c:257:file "
		    "`/boot/initrd.img-6.12' not found.\n", LOADER,
		    KERNEL_MISSING),
		ROW(loads, "error: invalid magic number.\nLoading initial "
		    "ramdisk ...\nerror: you need to load the kernel first.\n",
		    LOADER, KERNEL_DAMAGED),
		ROW(loads, "error: no such device: 0f-1a.\r\n"
		    "Entering rescue mode...\r\ngrub rescue> ", LOADER,
		    LOADER_FILES),
		ROW(loads, "GNU GRUB  version 2.06\r\n\ngrub> ", LOADER,
		    LOADER_PROMPT),
		ROW(loads, "\n\nFailed to load ldlinux.c32\n", LOADER,
		    LOADER_FILES),
		ROW(kernel, "XZ-compressed data is corrupt\n -- System halted",
		    KERNEL, KERNEL_DAMAGED),
		ROW(initramfs_without_disk, "ALERT!  UUID=1a-2b does not exist."
		    "  Dropping to a shell!\n(initramfs) ", KERNEL,
		    NO_DISK_DRIVER),
		ROW(initramfs_without_disk, "Entering emergency mode. Exit the "
		    "shell to continue.\n", KERNEL, NO_DISK_DRIVER),
		ROW(initramfs_without_disk, "[ ***] (2 of 2) Job dev-sda2.device"
		    "/start running (15min 1s / no limit)\r", KERNEL,
		    NO_DISK_DRIVER),
		ROW(initramfs, "[*** ] A start job is running for /dev/disk/by-"
		    "uuid/1\342\200\246 (1h 2min 3s / no limit)\r", KERNEL,
		    ROOT_NOT_FOUND),
		ROW(init, "[***  ] Job dev-sdb1.device/start running (20min / no "
		    "limit)\r", INIT, FSTAB_DEVICE),
		ROW(initramfs, "Entering emergency mode. Exit the shell to "
		    "continue.\n", KERNEL, EMERGENCY),
		ROW(initramfs, "ALERT!  UUID=1a-2b does not exist.  Dropping to"
		    " a shell!\n(initramfs) ", KERNEL, ROOT_NOT_FOUND),
		ROW(initramfs, "VFS: Unable to mount root fs on unknown\n",
		    KERNEL, ROOT_NOT_FOUND),
		ROW(initramfs, "mount: mounting /dev/vda1 on /root failed: "
		    "Invalid argument\nFailed to mount /dev/vda1 as root file "
		    "system.\n(initramfs) ", KERNEL, ROOT_MOUNT),
		ROW(initramfs, "/dev/vda1: UNEXPECTED INCONSISTENCY; RUN fsck "
		    "MANUALLY.\nThe root filesystem on /dev/vda1 requires a "
		    "manual fsck\n(initramfs) ", KERNEL, FSCK_FAILED),
		ROW(root, "Target filesystem doesn't have requested "
		    "/sbin/init.\nNo init found. Try passing init= bootarg.\n"
		    "(initramfs) ", ROOT, INIT_MISSING),
		ROW(root, "run-init: /sbin/init: No such file or directory\n"
		    "[ 2.0] Kernel panic - not syncing: Attempted to kill "
		    "init!\n", ROOT, INIT_MISSING),
		ROW(init, "[ TIME ] Timed out waiting for device /dev/disk/"
		    "by-uuid/12.\nYou are in emergency mode.\n", INIT,
		    FSTAB_DEVICE),
		ROW(init, "Give root password for maintenance\n", INIT,
		    EMERGENCY),
		ROW(initramfs, "BusyBox v1.35 built-in shell (ash)\n"
		    "(initramfs) ", KERNEL, INITRAMFS_SHELL),
		ROW(init, "[ 9.0] Kernel panic - not syncing: sysrq\n", INIT,
		    KERNEL_PANIC),
		ROW(init, "debian login: [    9.000000] Kernel panic - not "
		    "syncing: sysrq\n", LOGIN, KERNEL_PANIC),
	};
	struct img *img = disk(bootable());

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		check_one(img, &list[i]);
	img_close(img, NULL);
#undef ROW
}

/* How machines end, and guests that do not. */
static void test_ends(void)
{
	const struct step *none = STEPS({ .what = GROUP, .group = boots_sector });
	const struct expect list[] = {
		{ "a loop of resets", AFTER(kernel, { .what = RESET }, { .what = RESET },
		  { .what = RESET }, { .what = RESET }, { .what = RESET }), VM_STOPPED,
		  .stage = BOOT_NOTHING, .cause = CAUSE_REBOOT_LOOP },
		{ "a panic that reboots", AFTER(initramfs,
		  SAY("Kernel panic - not syncing: x\n"), { .what = RESET }),
		  VM_STOPPED, .stage = BOOT_KERNEL,
		  .cause = CAUSE_KERNEL_PANIC },
		{ "silence", AFTER(init, WAIT(200000)), VM_STOPPED,
		  .stage = BOOT_INIT, .cause = CAUSE_NO_LOGIN },
		{ "a silent loader", AFTER(loads, WAIT(200000)), VM_STOPPED,
		  .stage = BOOT_LOADER, .cause = CAUSE_LOADER_STUCK },
		{ "a silent search", AFTER(initramfs_without_disk, WAIT(200000)),
		  VM_STOPPED, .stage = BOOT_KERNEL,
		  .cause = CAUSE_NO_DISK_DRIVER,
		  .says = "no driver of the kernel's has set the disk up" },
		{ "a silent initramfs", AFTER(initramfs, WAIT(200000)),
		  VM_STOPPED, .stage = BOOT_KERNEL, .cause = CAUSE_STUCK },
		{ "a silent kernel", AFTER(kernel, WAIT(200000)), VM_STOPPED,
		  .stage = BOOT_KERNEL, .cause = CAUSE_STUCK },
		{ "a silent sector", AFTER(boots_sector, WAIT(200000)),
		  VM_STOPPED, .stage = BOOT_FIRMWARE,
		  .cause = CAUSE_DEAD_BOOT_SECTOR },
		{ "time is up", AFTER(kernel, WAIT(100), SAY("x\n")),
		  VM_TIMED_OUT, .stage = BOOT_KERNEL, .cause = CAUSE_TIMEOUT },
		{ "time is up for a sector", AFTER(boots_sector, WAIT(100)),
		  VM_TIMED_OUT, .stage = BOOT_FIRMWARE,
		  .cause = CAUSE_DEAD_BOOT_SECTOR },
		{ "no firmware", STEPS({ .what = END }), VM_HALTED,
		  .stage = BOOT_NOTHING, .cause = CAUSE_FIRMWARE },
		{ "halted", kernel, VM_HALTED, .stage = BOOT_KERNEL,
		  .cause = CAUSE_HALTED },
		{ "a sector halts", none, VM_HALTED, .stage = BOOT_FIRMWARE,
		  .cause = CAUSE_DEAD_BOOT_SECTOR },
	};
	struct img *img = disk(bootable());

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		check_one(img, &list[i]);
	img_close(img, NULL);
}

/* Addresses that have to answer. */
static void test_network(void)
{
	const struct step *login = AFTER(init, SAY("\r\ndebian login: "));
	const struct expect list[] = {
		{ "silence", AFTER(login, WAIT(70000)), .cards = 1,
		  .stage = BOOT_LOGIN, .cause = CAUSE_NETWORK_SILENT,
		  .says = "192.0.2.10 at the card 00:00:00:00:00:00, which no "
			  "driver" },
		{ "a driver and a name", AFTER(init, { .what = CARD },
		  SAY("[ 1.0] virtio_net virtio0 enp0s4: renamed from eth0\n"),
		  { .what = GROUP, .group = login }, WAIT(70000)), .cards = 1,
		  .stage = BOOT_LOGIN, .cause = CAUSE_NETWORK_SILENT,
		  .says = "00, which the guest calls enp0s4" },
		{ "an echo before", AFTER(init, { .what = ECHO },
		  { .what = GROUP, .group = login }), .cards = 1,
		  .passed = true, .stage = BOOT_LOGIN },
		{ "an echo late", AFTER(login, WAIT(50000), { .what = ECHO }),
		  .cards = 1, .passed = true, .stage = BOOT_LOGIN },
		{ "ARP alone", AFTER(login, WAIT(50000), { .what = ARP }),
		  .cards = 1, .passed = true, .stage = BOOT_LOGIN },
		{ "the initramfs's", AFTER(initramfs, { .what = ECHO },
		  { .what = GROUP, .group = login }, WAIT(70000)), .cards = 1,
		  .stage = BOOT_LOGIN, .cause = CAUSE_NETWORK_SILENT },
		{ "of the boot before", AFTER(init, { .what = ECHO },
		  { .what = RESET }, { .what = GROUP, .group = login },
		  WAIT(70000)), .cards = 1, .stage = BOOT_LOGIN,
		  .cause = CAUSE_NETWORK_SILENT },
		{ "one of two", AFTER(login, { .what = ECHO }, WAIT(70000)),
		  .cards = 2, .stage = BOOT_LOGIN,
		  .cause = CAUSE_NETWORK_SILENT, .says = "192.0.2.20" },
		{ "ARP at one of two", AFTER(login, { .what = ARP },
		  { .what = ECHO, .n = 1 }, WAIT(70000)), .cards = 2,
		  .stage = BOOT_LOGIN, .cause = CAUSE_NETWORK_SILENT,
		  .says = "192.0.2.10" },
		{ "both", AFTER(login, { .what = ECHO },
		  { .what = ECHO, .n = 1 }), .cards = 2, .passed = true,
		  .stage = BOOT_LOGIN },
		{ "a panic meanwhile", AFTER(login, WAIT(9000),
		  SAY("\n[ 9.0] Kernel panic - not syncing: x\n")), .cards = 1,
		  .stage = BOOT_LOGIN, .cause = CAUSE_KERNEL_PANIC },
		{ "text", AFTER(loads, SAY("Memtest86+ v6\n"), WAIT(70000)),
		  .text = "Memtest86", .cards = 1, .stage = BOOT_LOADER,
		  .cause = CAUSE_NETWORK_SILENT },
		{ "text and an answer", AFTER(loads, SAY("Memtest86+ v6\n"),
		  WAIT(5000), { .what = ECHO }), .text = "Memtest86",
		  .cards = 1, .passed = true, .stage = BOOT_LOADER },
		{ "power off", init, .off = true, .until = BOOT_POWEROFF,
		  .cards = 1, .stage = BOOT_POWEROFF,
		  .cause = CAUSE_NETWORK_SILENT },
		{ "power off with an answer", AFTER(init, { .what = ARP }),
		  .off = true, .until = BOOT_POWEROFF, .cards = 1,
		  .passed = true, .stage = BOOT_POWEROFF },
		{ "power off after login", AFTER(login, WAIT(9000)),
		  .off = true, .cards = 1, .stage = BOOT_POWEROFF,
		  .cause = CAUSE_NETWORK_SILENT },
		{ "no login", init, .cards = 1, .stage = BOOT_INIT,
		  .cause = CAUSE_STOPPED },
	};
	struct img *img = disk(bootable());

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct expect x = list[i];

		x.end = x.off ? VM_POWERED_OFF : VM_STOPPED;
		check_one(img, &x);
	}
	img_close(img, NULL);
}

/* Disks that no BIOS boots. */
static void test_disks(void)
{
	static const uint8_t esp[16] = {
		0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
		0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
	};
	struct expect x = {
		.name = "disk", .end = VM_STOPPED, .stage = BOOT_FIRMWARE,
		.steps = STEPS({ .what = FIRMWARE, .text = "SeaBIOS\n" },
			       { .what = READ, .n = 512 }, { .what = FIRMWARE, .text =
			       "No bootable device.  Retrying\n" }),
	};
	uint8_t sector[512] = { 0 };
	struct img *img = disk(NULL);

	x.cause = CAUSE_EMPTY_DISK;
	check_one(img, &x);
	memset(sector, 'x', sizeof(sector));
	CHECK_OK(img_write(img, sector, 512, 900 << 10));
	x.cause = CAUSE_NO_BOOT_CODE;
	check_one(img, &x);

	/* GPT with an ESP alone, then with GRUB's code for BIOS. */
	memset(sector, 0, sizeof(sector));
	sector[446 + 4] = 0xee;
	put_le16(sector + 510, 0xaa55);
	CHECK_OK(img_write(img, sector, 512, 0));
	memset(sector, 0, sizeof(sector));
	memcpy(sector, "EFI PART", 8);
	put_le64(sector + 72, 2);
	put_le32(sector + 80, 128);
	put_le32(sector + 84, 128);
	CHECK_OK(img_write(img, sector, 512, 512));
	memset(sector, 0, sizeof(sector));
	memcpy(sector + 128, esp, 16);
	CHECK_OK(img_write(img, sector, 512, 1024));
	x.cause = CAUSE_UEFI_ONLY;
	check_one(img, &x);

	CHECK_OK(img_write(img, bootable(), 512, 0));
	memset(sector, 0, sizeof(sector));
	memcpy(sector, "Hah!IdontNeedEFI", 16);
	CHECK_OK(img_write(img, sector, 512, 1024));
	x.cause = CAUSE_NOT_BOOTABLE;
	check_one(img, &x);
	img_close(img, NULL);

	img = disk(NULL);
	memset(sector, 0, sizeof(sector));
	memcpy(sector, "\1CD001\1", 7);
	CHECK_OK(img_write(img, sector, 512, 16 * 2048));
	memcpy(sector, "\0CD001\1EL TORITO SPECIFICATION", 30);
	CHECK_OK(img_write(img, sector, 512, 17 * 2048));
	x.cause = CAUSE_CD_IMAGE;
	check_one(img, &x);
	img_close(img, NULL);
}

static void test_config(void)
{
	struct boot_test_config config = { .text = "(" };
	struct img *img = disk(NULL);
	struct boot_test *bt;

	CHECK_EQ(boot_test_new(&config, img, &bt, &e), -EINVAL);
	CHECK(strstr(e.text, "'(' is no extended regular expression"));
	img_close(img, NULL);
}

int main(void)
{
	test_passes();
	test_decoys();
	test_causes();
	test_ends();
	test_network();
	test_disks();
	test_config();
	return 0;
}
