/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_parts.h - what a Linux guest consists of (see linux.h).
 *
 * Strings are owned by the guest, and never NULL where it is not said.
 */
#ifndef CONVERT_GUEST_LINUX_PARTS_H
#define CONVERT_GUEST_LINUX_PARTS_H

#include "convert/fs/volumes.h"

enum linux_selinux { SELINUX_NONE, SELINUX_DISABLED, SELINUX_PERMISSIVE,
		     SELINUX_ENFORCING };

enum linux_loader {
	LOADER_NONE,
	LOADER_GRUB2,
	LOADER_EXTLINUX,
	LOADER_GRUB1,		/* GRUB legacy: not edited */
	LOADER_LILO,		/* not edited */
	LOADER_SYSTEMD_BOOT,	/* not edited */
};

struct linux_boot {
	enum linux_loader loader;
	char *config;		/* its path, "" none */
	bool bios, uefi;	/* what firmware can boot it */
	/* The boot sector: of which disk, and what it loads (GRUB's core). */
	bool has_core;
	unsigned core_disk;	/* from 0 */
	uint64_t core_lba;	/* GRUB: where its core image begins, sectors */
	char *cmdline;		/* of the default entry, "" unknown */
	bool serial;		/* ... with a console on a serial port */
};

/* Where a kernel finds a driver, from worst to best. */
enum linux_driver {
	DRIVER_NONE,		/* nowhere */
	DRIVER_MODULE,		/* in /lib/modules only */
	DRIVER_INITRAMFS,	/* in the initramfs too */
	DRIVER_BUILTIN,		/* in the kernel itself */
};

/* The drivers that are looked for; linux_driver_name() says how they are called.
 * What a virtio disk needs comes first.
 */
enum {
	DRV_VIRTIO_PCI, DRV_VIRTIO_BLK, DRV_VIRTIO_SCSI, DRV_VIRTIO_NET,
	DRV_VMW_PVSCSI, DRV_MPTSPI, DRV_MPTSAS, DRV_VMXNET3,
	DRV_E1000, DRV_E1000E, DRV_AHCI, DRV_ATA_PIIX, DRV_NVME,
	DRV_HV_STORVSC, DRV_HV_NETVSC, DRV_XEN_BLKFRONT, DRV_XEN_NETFRONT,
	LINUX_N_DRIVERS
};
const char *linux_driver_name(unsigned driver);

struct linux_kernel {
	char *version;		/* "6.1.0-18-amd64", as its modules' folder */
	char *vmlinuz;		/* path */
	char *initrd;		/* path; NULL: it has none */
	char *modules;		/* path of its folder; NULL: not there */
	bool is_default;
	/* The initramfs. */
	const char *generator;	/* "initramfs-tools", "dracut", "mkinitcpio",
				 * "" unknown */
	const char *compression; /* "gzip", "xz"..., "none"; "" no initramfs */
	uint64_t initrd_size;	/* bytes */
	char *initrd_error;	/* why it cannot be read; NULL: it can */
	enum linux_driver drivers[LINUX_N_DRIVERS];
	bool needs_splice;	/* virtio's disk drivers are not in it, nor in the
				 * kernel, but could be */
};

struct linux_iface {
	char *name;		/* "ens192"; may be a pattern; "" not named */
	char mac[18];		/* that the configuration names; "" none */
	const char *manager;	/* "ifupdown", "networkd", "NetworkManager",
				 * "netplan", "ifcfg" */
	bool dhcp;
	char **addresses;	/* static: "192.0.2.10/24", "2001:db8::1/64" */
	size_t n_addresses;
	char *gateway;		/* the first; "" none */
	char *file;		/* where it is written */
};

struct linux_tool {
	const char *name;	/* "open-vm-tools", "virtualbox-guest"... */
	char *unit;		/* "open-vm-tools.service"; "" none: a package */
	bool enabled;		/* the unit is not masked yet */
};

struct linux_swap {
	char *spec;		/* as in fstab, "" not in fstab */
	const struct volume *volume;	/* NULL: not found */
	bool hibernated;
};

struct linux_refusal {
	const char *code;	/* "root-lvm" */
	char *why, *fix;	/* sentences */
};

#endif
