/* SPDX-License-Identifier: GPL-2.0-or-later */
/* causes.c - why a boot stops short: what each cause is called, and what to do. */
#include "vmm/boottest/verdict.h"

static const struct cause causes[] = {
	[CAUSE_NONE] = { "none", "", NULL },
	[CAUSE_FIRMWARE] = { "firmware",
		"the firmware said nothing, and did not come to read the disk",
		"give a BIOS image for PCs with --firmware, or none" },
	[CAUSE_EMPTY_DISK] = { "empty-disk",
		"the disk has nothing but zeroes where a boot sector and a "
		"partition table should be",
		"check that the right image was converted, and completely" },
	[CAUSE_NO_BOOT_CODE] = { "no-boot-code",
		"the disk has no boot code: it is a data disk, or its boot "
		"sector was lost",
		"install a boot loader on it (grub-install), or test the disk "
		"that the machine boots from" },
	[CAUSE_UEFI_ONLY] = { "uefi-only",
		"only UEFI can boot this disk: it has an EFI system partition "
		"and no BIOS boot code",
		"give the machine UEFI firmware, or install a boot loader for "
		"BIOS (grub-install --target=i386-pc)" },
	[CAUSE_CD_IMAGE] = { "cd-image",
		"this is a CD image (ISO 9660 with El Torito), and has no boot "
		"sector as a disk",
		"burn it or attach it as a CD; isohybrid makes it a disk" },
	[CAUSE_NO_NETWORK] = { "no-network",
		"the boot loader boots from a network, and there is none",
		"that it was started is all that can be tested here: --until "
		"loader" },
	[CAUSE_NOT_BOOTABLE] = { "not-bootable",
		"the firmware found nothing that it can boot",
		"install a boot loader on the disk" },
	[CAUSE_DEAD_BOOT_SECTOR] = { "dead-boot-sector",
		"the boot sector was started, and loaded nothing",
		"install the boot loader anew" },
	[CAUSE_NO_SYSTEM] = { "no-system",
		"the boot sector found no system to start",
		"mark the system's partition active, or install a boot loader" },
	[CAUSE_LOADER_FILES] = { "loader-files",
		"the boot loader cannot read its own files",
		"install the boot loader anew, with the file systems' new "
		"names" },
	[CAUSE_KERNEL_MISSING] = { "kernel-missing",
		"the boot loader finds no kernel or initramfs",
		"look whether /boot is complete, and update the loader's menu" },
	[CAUSE_LOADER_PROMPT] = { "loader-prompt",
		"the boot loader waits for commands: it has no menu",
		"make the loader's configuration anew (update-grub)" },
	[CAUSE_LOADER_STUCK] = { "loader-stuck",
		"the boot loader was started and did not start a kernel",
		"install the boot loader anew; look at its menu's timeout" },
	[CAUSE_KERNEL_DAMAGED] = { "kernel-damaged",
		"the kernel's file is damaged",
		"install the kernel's package again" },
	[CAUSE_NO_DISK_DRIVER] = { "no-disk-driver",
		"no driver took the disk: the initramfs lacks virtio_blk, or "
		"virtio_pci that it needs",
		"add both to the initramfs, and make it anew" },
	[CAUSE_ROOT_NOT_FOUND] = { "root-not-found",
		"the root device was not found",
		"correct root= in the loader's menu, and fstab" },
	[CAUSE_FSCK_FAILED] = { "fsck-failed",
		"the check of a file system failed",
		"check the source's file systems, and convert again" },
	[CAUSE_ROOT_MOUNT] = { "root-mount",
		"the root file system cannot be mounted",
		"check that file system; look whether its driver is in the "
		"initramfs" },
	[CAUSE_INIT_MISSING] = { "init-missing",
		"the root file system has no init that runs",
		"install the init system again; look at init= in the loader's "
		"menu" },
	[CAUSE_FSTAB_DEVICE] = { "fstab-device",
		"a device that fstab names is not there",
		"remove it from fstab, or add the option nofail" },
	[CAUSE_KERNEL_PANIC] = { "kernel-panic", "the kernel panicked", NULL },
	[CAUSE_EMERGENCY] = { "emergency-shell",
		"the system went to an emergency shell",
		"read the journal on the disk: something that must start did "
		"not" },
	[CAUSE_INITRAMFS_SHELL] = { "initramfs-shell",
		"the initramfs gave up, and waits at its shell", NULL },
	[CAUSE_NO_LOGIN] = { "no-login",
		"the root was read, but login was never reached",
		"look whether a console has a getty (systemctl enable "
		"serial-getty@ttyS0), and what the system waits for" },
	[CAUSE_NETWORK_SILENT] = { "network-silent",
		"the system is up, and an address that it should have does not "
		"answer",
		"look whether the network's configuration names this interface "
		"or its MAC, and whether the kernel has virtio_net" },
	[CAUSE_REBOOT_LOOP] = { "reboot-loop",
		"the guest asks for a reset again and again", NULL },
	[CAUSE_POWERED_OFF] = { "powered-off",
		"the guest powered off too early", NULL },
	[CAUSE_HALTED] = { "halted",
		"the guest halted for good, with interrupts off", NULL },
	[CAUSE_TRIPLE_FAULT] = { "triple-fault",
		"the guest made a triple fault", NULL },
	[CAUSE_STUCK] = { "stuck",
		"the guest made no progress any more", NULL },
	[CAUSE_TIMEOUT] = { "timeout",
		"the time was up while the guest still made progress",
		"allow more with --timeout" },
	[CAUSE_STOPPED] = { "stopped", "the test was stopped", NULL },
	[CAUSE_DISK_ERROR] = { "disk-error",
		"the image could not be read", "check the image" },
	[CAUSE_IMAGE_CHANGED] = { "image-changed",
		"the image changed while it was tested",
		"test it again when nobody writes to it" },
	[CAUSE_VMM] = { "vmm", "the virtual machine failed", NULL },
};
_Static_assert(sizeof(causes) / sizeof(causes[0]) == CAUSE_N, "a cause lacks");

const struct cause *cause_of(enum boot_cause cause)
{
	return &causes[cause < CAUSE_N ? cause : CAUSE_NONE];
}

const char *boot_cause_name(enum boot_cause cause)
{
	return cause_of(cause)->name;
}

const char *boot_cause_advice(enum boot_cause cause)
{
	return cause_of(cause)->advice;
}

const char *boot_stage_name(enum boot_stage stage)
{
	static const char *const names[] = {
		[BOOT_NOTHING] = "nothing", [BOOT_FIRMWARE] = "firmware",
		[BOOT_LOADER] = "loader", [BOOT_KERNEL] = "kernel",
		[BOOT_ROOT] = "root", [BOOT_INIT] = "init",
		[BOOT_LOGIN] = "login", [BOOT_POWEROFF] = "poweroff",
	};

	return stage < BOOT_N_STAGES ? names[stage] : "?";
}

const char *boot_source_name(enum boot_source source)
{
	static const char *const names[] = {
		[SOURCE_SERIAL] = "serial", [SOURCE_DEBUG] = "firmware",
		[SOURCE_SCREEN] = "screen", [SOURCE_MACHINE] = "machine",
	};

	return source < SOURCE_N ? names[source] : "?";
}
