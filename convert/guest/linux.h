/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.h - know a Linux guest from its disks, and plan its conversion to virtio.
 *
 * Nothing of the guest is run, and nothing is written: linux_inspect() reads,
 * linux_plan() adds to `struct edits` what has to change.  All that the guest's
 * files say is hostile: bounded, and shown as text only.
 *
 * A guest that cannot be converted (its root is on LVM, it is hibernated, it is
 * Windows) is no error: it has refusals, each with a stable code and what to do.
 * Errors are -errno with a sentence: I/O, memory, corrupt volumes.  One thread.
 */
#ifndef CONVERT_GUEST_LINUX_H
#define CONVERT_GUEST_LINUX_H

#include "convert/guest/edits.h"
#include "convert/guest/linux_parts.h"

struct linux_guest {
	struct tree *tree;		/* owned; NULL: no root was found */
	const struct volume *root;	/* NULL: none */

	/* /etc/os-release, or what stands in its place; "" unknown. */
	char *id, *id_like, *version_id, *pretty_name;
	char *arch;			/* as uname -m: "x86_64" */
	char *hostname;
	char *machine_id;		/* "" none */
	bool has_systemd, has_udev, usr_merged;
	enum linux_selinux selinux;

	struct linux_boot boot;
	struct linux_kernel *kernels;	/* newest first */
	size_t n_kernels;
	struct linux_iface *ifaces;	/* in the order of files and lines */
	size_t n_ifaces;
	bool ifnames_off;		/* net.ifnames=0: names are eth0, eth1... */
	struct linux_tool *tools;	/* of hypervisors */
	size_t n_tools;
	struct linux_swap *swaps;
	size_t n_swaps;
	char *resume;			/* resume= or initramfs' RESUME; "" none */

	struct linux_refusal *refusals;	/* none: it can be planned */
	size_t n_refusals;
	char **notes;			/* sentences: odd, but no hindrance */
	size_t n_notes;

	struct linux_pool *pool;	/* internal: owns the strings */
};

/* `disks` are those of `v`; both are borrowed until linux_free(), which also
 * closes the tree: edits on it come to an end before.
 */
int linux_inspect(struct img *const *disks, const struct volumes *v,
		  struct linux_guest **out, struct err *e);
void linux_free(struct linux_guest *g);		/* NULL is allowed */

/* For programs, a new reference (NULL: out of memory); keys are stable. */
struct json_t *linux_json(const struct linux_guest *g);
/* The refusals as sentences, one a line, for people; NULL: out of memory, the
 * caller frees it.  "" if there are none.
 */
char *linux_refusals_text(const struct linux_guest *g);

/* What is to be.  Network cards come in the order of the machine's description. */
struct linux_nic {
	char old_mac[18];	/* "00:50:56:aa:bb:cc", any case; "" unknown */
	char new_mac[18];	/* "" as the old one */
	unsigned pci_slot;	/* VMX's ethernetN.pciSlotNumber; 0 unknown */
	/* Out: the name that it will have in the guest, "" if nothing pins one. */
	char name[16];
};

struct linux_plan_args {
	struct linux_nic *nics;
	size_t n_nics;
	bool serial_console;	/* add one where there is none */
	bool keep_tools;	/* leave other hypervisors' services on */
};

/* Add the edits.  -EPERM if the guest has refusals (their sentences are the
 * error's); -ENOSPC: which volume lacks how many bytes.  Codes of edits:
 *
 *   initramfs-splice    the virtio modules, behind the end of an initramfs
 *   initramfs-modules   a drop-in, so that the next initramfs has them too
 *   fstab-uuid          fstab: a device's path becomes a UUID
 *   crypttab-uuid       the same in crypttab
 *   grub-uuid           root= and resume= of grub.cfg and /etc/default/grub
 *   extlinux-uuid       the same of extlinux.conf
 *   resume-uuid         the same of initramfs-tools' conf.d/resume
 *   grub-device-map     device.map goes
 *   serial-console      console=ttyS0 in the boot loader's configuration
 *   interface-name      a .link file or udev rule: the name stays at the MAC
 *   interface-mac       the new MAC where a configuration has the old one
 *   tools-masked        a service of another hypervisor is masked
 *   selinux-relabel     /.autorelabel
 *   lvm-devices         /etc/lvm/devices/system.devices goes
 */
int linux_plan(const struct linux_guest *g, const struct linux_plan_args *args,
	       struct edits *ed, struct err *e);

#endif
