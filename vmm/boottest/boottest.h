/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boottest.h - watch a machine boot, and say how far it came and why not further.
 *
 *	boot_test_new() -> config.watch = boot_test_watch() -> vm_new() ->
 *	vm_add_disk() ... -> boot_test_begin() -> vm_run() ->
 *	boot_test_judge() -> vm_free() -> boot_test_free()
 *
 * What it takes for what:
 *
 *	firmware	said something at its debug port, or read a disk
 *	loader		something behind the disk's first sector was read
 *	kernel		paging was switched on
 *	root		a program of the disk's ran in ring 3, or some ran, and then
 *			the disk was read as only a mounted root is: see stages.c
 *	init		the root's init said so, or a good deal more was read and
 *			something written
 *	login		a login prompt, or a systemd target for many users, said so
 *	poweroff	the guest powered off
 *
 * An address is there when it has answered since the root was (where that comes
 * first), ICMP echo or else ARP; with several cards ARP alone does not count, as
 * Linux answers for the addresses of one at the others.  When everything else is
 * there, the test waits a minute of the guest's for those that lack.
 *
 * Words are proof of init and login only after the root, and when a program has run
 * that was nowhere in memory when the first one began (WATCH_NEW_PROGRAM): a boot
 * menu, a command line and an initramfs can say anything.  A login is believed
 * when nothing fatal follows for a while, which is longer as long as no program was
 * seen to be the disk's.
 *
 * One thread makes, judges and frees it; the machine's threads feed it.
 */
#ifndef BOOTTEST_H
#define BOOTTEST_H

#include "vmm/vmm.h"
#include "vmm/watch.h"

struct img;

enum boot_stage {
	BOOT_NOTHING, BOOT_FIRMWARE, BOOT_LOADER, BOOT_KERNEL, BOOT_ROOT,
	BOOT_INIT, BOOT_LOGIN, BOOT_POWEROFF, BOOT_N_STAGES,
};
const char *boot_stage_name(enum boot_stage stage);

/* Why it did not come as far as it should; the more is known of a cause, the further
 * up it stands, and the first of several counts.
 */
enum boot_cause {
	CAUSE_NONE,
	CAUSE_FIRMWARE, CAUSE_EMPTY_DISK, CAUSE_NO_BOOT_CODE, CAUSE_UEFI_ONLY, CAUSE_CD_IMAGE,
	CAUSE_NO_NETWORK, CAUSE_NOT_BOOTABLE, CAUSE_DEAD_BOOT_SECTOR, CAUSE_NO_SYSTEM,
	CAUSE_KERNEL_DAMAGED, CAUSE_KERNEL_MISSING, CAUSE_LOADER_FILES,
	CAUSE_LOADER_PROMPT, CAUSE_LOADER_STUCK, CAUSE_NO_DISK_DRIVER,
	CAUSE_ROOT_NOT_FOUND, CAUSE_FSCK_FAILED, CAUSE_ROOT_MOUNT,
	CAUSE_INIT_MISSING, CAUSE_FSTAB_DEVICE, CAUSE_KERNEL_PANIC,
	CAUSE_EMERGENCY, CAUSE_INITRAMFS_SHELL, CAUSE_NO_LOGIN,
	CAUSE_NETWORK_SILENT,
	CAUSE_REBOOT_LOOP, CAUSE_POWERED_OFF, CAUSE_HALTED,
	CAUSE_TRIPLE_FAULT, CAUSE_STUCK, CAUSE_TIMEOUT, CAUSE_STOPPED,
	CAUSE_DISK_ERROR, CAUSE_IMAGE_CHANGED, CAUSE_VMM,
	CAUSE_N,
};
/* "kernel-panic", for programs; what to do about it, NULL: no idea. */
const char *boot_cause_name(enum boot_cause cause);
const char *boot_cause_advice(enum boot_cause cause);

#define BOOT_LINE_MAX 256u	/* with its 0 */

/* Where words came from. */
enum boot_source {
	SOURCE_SERIAL,		/* any port */
	SOURCE_DEBUG,		/* the firmware's */
	SOURCE_SCREEN,
	SOURCE_MACHINE,		/* what was seen of CPU, disk, and the machine */
	SOURCE_N,
};
const char *boot_source_name(enum boot_source source);

struct boot_line {
	enum boot_source source;
	uint64_t ns;			/* the guest's time */
	char text[BOOT_LINE_MAX];
};

struct boot_moment {
	bool reached;
	uint64_t ns, instructions;	/* the guest's time; 0: nobody counts */
	char proof[BOOT_LINE_MAX];
};

/* A network card, and the addresses at it. */
#define BOOT_INTERFACE_MAX 16u
struct boot_card {
	uint8_t mac[6];
	bool driver;			/* the guest's has set it up */
	char interface[BOOT_INTERFACE_MAX];	/* what the kernel called it on a
					 * console; empty: it was not seen */
	unsigned n;
	struct vm_net_host hosts[VM_NET_HOSTS];
};

#define BOOT_EVIDENCE 8u

struct boot_verdict {
	bool passed;
	enum boot_stage stage;		/* the last one reached, in the last boot */
	struct boot_moment stages[BOOT_N_STAGES];
	enum boot_cause cause;		/* CAUSE_NONE: passed */
	char text[2 * BOOT_LINE_MAX];	/* in one sentence */
	unsigned n_evidence;
	struct boot_line evidence[BOOT_EVIDENCE];
	bool driver;			/* the kernel's driver took the disk */
	uint64_t features;		/* and this is what it accepted */
	uint64_t read_bytes[BOOT_N_STAGES];	/* in that stage */
	uint64_t written_bytes;
	unsigned n_cards;
	struct boot_card cards[VM_NET_MAX];
	unsigned resets;
	uint64_t ns, instructions;	/* all in all */
};

struct boot_test_config {
	enum boot_stage until;
	const char *text;	/* or when a line matches this extended regular
				 * expression, from the loader on; NULL: by stage */
	/* The network cards that the machine has: to pass, all that they ask for
	 * must have answered, too.  The caller's.
	 */
	const struct vm_net *nets;
	unsigned n_nets;
};

struct boot_test;

/* `img` is looked at for what kind of disk it is; not kept.  -EINVAL: the regular
 * expression is none.
 */
int boot_test_new(const struct boot_test_config *config, struct img *img,
		  struct boot_test **out, struct err *e);
void boot_test_free(struct boot_test *bt);
const struct vm_watch *boot_test_watch(struct boot_test *bt);

/* Before vm_run(), on a machine that has this watch. */
void boot_test_begin(struct boot_test *bt, struct vm *vm);

/* After vm_run(): `rc` and `e` are its, `disk` what became of the first disk. */
void boot_test_judge(struct boot_test *bt, const struct vm_result *result,
		     int rc, const struct err *e,
		     const struct vm_disk_stats *disk,
		     struct boot_verdict *verdict);

#endif
