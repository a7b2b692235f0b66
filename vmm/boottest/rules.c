/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.c - the words by which firmware, loaders, kernels, initramfs and init say
 * what is wrong, as one table.  Of several causes the one that stands first in
 * enum boot_cause counts.
 */
#include "vmm/boottest/rules.h"

#include <errno.h>

#define FW	BOOT_FIRMWARE
#define LD	BOOT_LOADER
#define KN	BOOT_KERNEL
#define RT	BOOT_ROOT
#define END	BOOT_LOGIN

#define FATAL(cause, first, last, pattern) \
	{ pattern, RULE_FATAL, CAUSE_##cause, first, last }
#define HINT(cause, first, last, pattern) \
	{ pattern, RULE_HINT, CAUSE_##cause, first, last }
#define SAYS(kind, first, pattern) \
	{ pattern, RULE_##kind, CAUSE_NONE, first, END }

/* systemd has waited for a device for a quarter of an hour, and would for ever. */
#define WAITS_FOR_DEVICE \
	"[Jj]ob (dev-|is running for /dev/).*" \
	"\\((1[5-9]min|[2-5][0-9]min|[0-9]+h|[0-9]+d).* / no limit\\)"

const struct rule boot_rules[] = {
	/* SeaBIOS. */
	FATAL(NOT_BOOTABLE, FW, LD, "^No bootable device\\."),
	HINT(NOT_BOOTABLE, FW, FW, "^Boot failed: "),

	/* Boot sectors of DOS, Windows, Debian's mbr and syslinux. */
	FATAL(NO_SYSTEM, FW, LD, "(Missing|Error loading) operating system"),
	FATAL(NO_SYSTEM, FW, LD, "Operating system not found"),
	FATAL(NO_SYSTEM, FW, LD, "^No active partition"),
	FATAL(NO_SYSTEM, FW, LD, "Invalid partition table"),
	FATAL(NO_SYSTEM, FW, LD, "not a bootable disk.* press any key"),
	FATAL(NO_SYSTEM, FW, LD, "(BOOTMGR|NTLDR) is missing"),

	/* iPXE, before it goes back to the firmware. */
	HINT(NO_NETWORK, LD, LD, "^No more network devices"),

	/* GRUB: its boot sector, its core, its shell. */
	FATAL(LOADER_FILES, FW, LD, "(Geom|Read|Hard Disk|Floppy) Error"),
	FATAL(KERNEL_MISSING, LD, LD,
	      "error: (.*:)?file `[^']*(linu|kernel|initr|boot/xen)[^']*' not found"),
	FATAL(KERNEL_MISSING, LD, LD,
	      "error: .*you need to load the kernel first"),
	FATAL(KERNEL_DAMAGED, LD, LD, "error: .*invalid magic number"),
	FATAL(KERNEL_DAMAGED, LD, LD, "error: .*premature end of file"),
	HINT(LOADER_FILES, LD, LD, "error: (.*:)?(file|disk|symbol) .* not "
	     "found"),
	HINT(LOADER_FILES, LD, LD, "error: (.*:)?no such (device|partition)"),
	HINT(LOADER_FILES, LD, LD, "error: unknown filesystem"),
	HINT(LOADER_FILES, LD, LD, "error: "),
	FATAL(LOADER_FILES, LD, LD, "^grub rescue>"),
	FATAL(LOADER_PROMPT, LD, LD, "^grub>"),

	/* syslinux and its kin. */
	FATAL(LOADER_FILES, FW, LD, "Failed to load (ldlinux|COM32 file)"),
	FATAL(LOADER_FILES, FW, LD, "isolinux.bin (missing|corrupt)"),
	FATAL(KERNEL_MISSING, LD, LD, "Could not find (kernel|ramdisk) image"),
	FATAL(KERNEL_MISSING, LD, LD, "Loading .* failed: No such file"),
	FATAL(LOADER_FILES, LD, LD, "No DEFAULT or UI configuration"),
	FATAL(LOADER_PROMPT, LD, LD, "^boot: ?$"),
	HINT(LOADER_FILES, FW, LD, "^Boot error"),

	/* The kernel unpacks itself. */
	FATAL(KERNEL_DAMAGED, LD, KN, "-- System halted"),
	HINT(KERNEL_DAMAGED, LD, KN, "(compressed data is corrupt|crc error|"
	     "Decoding failed|ran out of input data)"),
	HINT(ROOT_MOUNT, KN, KN, "Initramfs unpacking failed"),

	/* Linux and its initramfs look for the root: initramfs-tools, dracut. */
	HINT(ROOT_NOT_FOUND, KN, END, "ALERT! +.* does not exist"),
	HINT(ROOT_NOT_FOUND, KN, END, "Gave up waiting for root"),
	HINT(ROOT_NOT_FOUND, KN, END, "dracut.*: /dev/.* does not exist"),
	HINT(ROOT_NOT_FOUND, KN, END, "VFS: Cannot open root device"),
	FATAL(ROOT_NOT_FOUND, KN, END, "VFS: Unable to mount root fs"),
	HINT(ROOT_NOT_FOUND, KN, RT, "(Volume group|VG) .* not found"),
	FATAL(ROOT_NOT_FOUND, KN, KN, WAITS_FOR_DEVICE),
	HINT(ROOT_MOUNT, KN, END, "mount: ?(mounting )?.* on /(root|sysroot).* "
	     "failed"),
	HINT(ROOT_MOUNT, KN, END, "Failed to mount .* as root file system"),
	HINT(ROOT_MOUNT, KN, END, "Failed to mount /sysroot"),

	/* File-system checks. */
	FATAL(FSCK_FAILED, KN, END, "requires a manual fsck"),
	HINT(FSCK_FAILED, KN, END, "UNEXPECTED INCONSISTENCY"),
	HINT(FSCK_FAILED, KN, END, "RUN fsck MANUALLY"),
	HINT(FSCK_FAILED, KN, END, "fsck (failed|exited) with .*(status|code)"),
	HINT(FSCK_FAILED, KN, END, "Failed to start .*[Ff]ile [Ss]ystem "
	     "[Cc]heck"),

	/* The root has no init. */
	HINT(INIT_MISSING, KN, END, "run-init: .*: (No such file|not found)"),
	HINT(INIT_MISSING, KN, END, "run-init: can't execute"),
	HINT(INIT_MISSING, KN, END, "doesn't have requested"),
	FATAL(INIT_MISSING, KN, END, "No init found"),
	HINT(INIT_MISSING, KN, END, "switch_root: (failed|can't) .*exec"),
	FATAL(INIT_MISSING, KN, END, "panic.*No working init found"),
	FATAL(INIT_MISSING, KN, END, "panic.*Requested init .* failed"),

	/* What fstab wants and is not there. */
	HINT(FSTAB_DEVICE, RT, END, "Timed out waiting for device"),
	HINT(FSTAB_DEVICE, RT, END, "Job .*\\.device/start timed out"),
	FATAL(FSTAB_DEVICE, RT, END, WAITS_FOR_DEVICE),

	/* The kernel itself. */
	FATAL(KERNEL_PANIC, KN, END, "Kernel panic - not syncing"),
	HINT(KERNEL_PANIC, KN, END, "BUG: unable to handle"),
	HINT(KERNEL_PANIC, KN, END, "Oops: [0-9a-f]+ \\[#"),

	/* Shells that wait for somebody. */
	FATAL(EMERGENCY, KN, END, "You are in (emergency|rescue) mode"),
	FATAL(EMERGENCY, KN, END, "^Give root password for maintenance"),
	FATAL(EMERGENCY, KN, END, "^Press Enter (for maintenance|to continue)"),
	FATAL(EMERGENCY, KN, END, "^Entering (emergency|rescue) (mode|shell)"),
	FATAL(EMERGENCY, KN, END, "root account is locked"),
	FATAL(EMERGENCY, KN, END, "^dracut:/#"),
	FATAL(INITRAMFS_SHELL, KN, END, "^\\(initramfs\\)"),
	HINT(INITRAMFS_SHELL, KN, END, "Dropping to a shell"),
	HINT(INITRAMFS_SHELL, KN, END, "BusyBox .* built-in shell"),

	/* What goes well. */
	SAYS(MOUNTED, KN, "EXT[234]-fs \\([^)]*\\): mounted filesystem"),
	SAYS(MOUNTED, KN, "XFS \\([^)]*\\): Ending (clean mount|recovery)"),
	SAYS(MOUNTED, KN, "BTRFS info \\(device [^)]*\\): "),
	SAYS(MOUNTED, KN, "VFS: Mounted root"),
	SAYS(INIT, RT, "systemd\\[1\\]: "),
	SAYS(INIT, RT, "^Welcome to .*!$"),
	SAYS(INIT, RT, "^INIT: "),
	SAYS(INIT, RT, "^\\[  OK  \\] "),
	SAYS(INIT, RT, "^OpenRC "),
	/* The kernel may speak behind it, in the same line. */
	SAYS(LOGIN, RT, "^[^ :]+ login: ?(\\[ *[0-9]+\\.[0-9]{6}\\] .*)?$"),
	SAYS(LOGIN, RT, "Reached target .*(multi-user|graphical)\\.target"),
	SAYS(LOGIN, RT, "Reached target .*(Multi-User System|Graphical Int)"),
};

const unsigned boot_n_rules = sizeof(boot_rules) / sizeof(boot_rules[0]);
_Static_assert(sizeof(boot_rules) / sizeof(boot_rules[0]) <= RULE_MAX,
	       "too many rules");

int rules_init(struct rules *r, struct err *e)
{
	for (r->n = 0; r->n < boot_n_rules; r->n++) {
		const char *pattern = boot_rules[r->n].pattern;

		if (regcomp(&r->compiled[r->n], pattern,
			    REG_EXTENDED | REG_NOSUB)) {
			rules_fini(r);
			return fail(e, EINVAL, "cannot compile '%s'", pattern);
		}
	}
	return 0;
}

void rules_fini(struct rules *r)
{
	while (r->n)
		regfree(&r->compiled[--r->n]);
}

unsigned rules_match(const struct rules *r, unsigned i, enum boot_stage stage,
		     const char *text)
{
	for (; i < r->n; i++) {
		const struct rule *rule = &boot_rules[i];

		if (stage >= rule->first && stage <= rule->last &&
		    !regexec(&r->compiled[i], text, 0, NULL, 0))
			break;
	}
	return i;
}
