/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.h - what a virtual machine is made of, whoever describes it.
 *
 * formats.h reads and writes descriptions of it.  All strings belong to the machine
 * and are freed by machine_free(); NULL: not said.  Whoever changes one uses
 * machine_set().  One thread at a time uses a struct machine.
 */
#ifndef CONVERT_MACHINE_MACHINE_H
#define CONVERT_MACHINE_MACHINE_H

#include "imgfmt/imgfmt.h"

/* A sentence for people under a word for programs ("vmx-shared-folder"), which
 * stays the same in later versions.
 */
struct machine_note {
	char *code, *text;
};

struct machine_notes {
	struct machine_note *list;
	size_t n, cap;
};

enum machine_bus {
	BUS_NONE,		/* not said */
	BUS_IDE, BUS_SCSI, BUS_SATA, BUS_NVME,
	BUS_VIRTIO,		/* virtio-blk; virtio-scsi is BUS_SCSI */
	BUS_USB, BUS_FLOPPY,
};

enum machine_medium {
	MEDIUM_DISK, MEDIUM_CDROM, MEDIUM_FLOPPY,
};

struct machine_disk {
	enum machine_medium medium;
	enum machine_bus bus;
	char *controller;	/* its model: "buslogic", "lsilogic", "lsisas1068",
				 * "pvscsi", "virtio-scsi", "piix4", "ahci"... */
	unsigned controller_index, unit;	/* which one, and where on it */
	/* Where its content is: all NULL for an empty drive. */
	char *file;		/* as the description writes it */
	char *path;		/* as seen from the description's folder, or
				 * absolute; NULL: not in a file */
	char *member;		/* the name inside the package; path is NULL */
	char *format;		/* imgfmt's name; NULL: to be probed */
	uint64_t size;		/* bytes as stated, 0: not stated; virtual */
	bool readonly, shareable;
	bool independent;	/* snapshots leave it out (VMware) */
	bool nonpersistent;	/* what the guest writes is thrown away */
	bool raw_device;	/* a host's or a LUN's, not a file (RDM) */
	bool snapshot;		/* the top of a chain of snapshots */
	bool encrypted;
	bool compressed;	/* gzip around it (OVF) */
	bool disconnected;	/* at start (removable media) */
	char *serial;
	unsigned boot_order;	/* from 1; 0: not booted from */
};

enum machine_nic_kind {
	NIC_NETWORK,		/* a named virtual network, or port group */
	NIC_BRIDGE, NIC_NAT, NIC_HOST_ONLY,
	NIC_NONE,		/* plugged in nowhere */
};

struct machine_nic {
	char *model;		/* "e1000", "e1000e", "vmxnet3", "pcnet", "rtl8139",
				 * "virtio"...; NULL: the hypervisor's choice */
	uint8_t mac[6];
	bool has_mac;		/* else the target makes one */
	enum machine_nic_kind kind;
	char *network;		/* name of the network, bridge or port group */
	bool disconnected;	/* at start */
	unsigned boot_order;
};

struct machine_serial {
	char *kind;		/* "pty", "file", "pipe", "unix", "tcp", "device",
				 * "null" */
	char *target;		/* the file, socket or address */
};

enum machine_firmware {
	FIRMWARE_BIOS, FIRMWARE_UEFI,
};

enum machine_chipset {
	CHIPSET_ANY,		/* not said */
	CHIPSET_I440FX, CHIPSET_Q35,
};

enum machine_os {
	OS_UNKNOWN, OS_LINUX, OS_WINDOWS, OS_OTHER,
};

struct machine {
	char *name, *description;
	uint8_t uuid[16], genid[16];
	bool has_uuid, has_genid;

	char *arch;		/* "x86_64", "i686"... */
	unsigned n_cpus;	/* at least 1 */
	unsigned sockets, cores, threads;	/* product n_cpus; 0: not said */
	char *cpu_model;	/* "host-passthrough", "Haswell"... */
	uint64_t memory;	/* bytes; 0: not said (OVF may) */

	enum machine_firmware firmware;
	bool secure_boot;
	char *nvram;		/* the file of UEFI's variables, as written */
	char *tpm;		/* "1.2", "2.0" */
	enum machine_chipset chipset;
	bool localtime;		/* the clock shows local time, else UTC */
	char *os_hint;		/* as written: "debian11-64", "rhel6_64Guest" */
	enum machine_os os;	/* what that says */
	char *kernel, *initrd, *cmdline;	/* booted without a loader */

	struct machine_disk *disks;	/* in the order of the description */
	size_t n_disks;
	struct machine_nic *nics;
	size_t n_nics;
	struct machine_serial *serials;
	size_t n_serials;

	char *video;		/* "vga", "vmvga", "qxl", "virtio", "cirrus"... */
	uint64_t video_memory;	/* bytes */
	char *graphics;		/* "vnc", "spice", "rdp" */
	char *sound;		/* "ac97", "es1371", "ich6"... */
	char *usb;		/* the controller: "uhci", "ehci", "xhci" */
	bool rng, balloon;	/* virtio's */

	bool suspended;		/* its memory was saved: it is not off */
	char *suspend_file;
	bool encrypted;		/* the description or the whole machine */
	unsigned n_snapshots;

	char *source_format;	/* "vmx", "ovf", "ova", "libvirt", "json" */
	char *source_path;	/* as given to machine_read() */
	char *hypervisor;	/* where it ran: "vmware", "virtualbox", "kvm",
				 * "xen"... */
	struct machine_notes notes;	/* what it says beyond this */
};

void machine_free(struct machine *m);	/* empty again */
int machine_copy(const struct machine *m, struct machine *out, struct err *e);
void machine_notes_free(struct machine_notes *notes);

/* Changing.  A new text (copied, may be NULL) for a string of a machine. */
int machine_set(char **field, const char *text, struct err *e);
/* One more, zeroed, at the end; NULL: out of memory. */
struct machine_disk *machine_add_disk(struct machine *m);
struct machine_nic *machine_add_nic(struct machine *m);
struct machine_serial *machine_add_serial(struct machine *m);

/* For people. */
#define MACHINE_UUID_LEN 37u	/* with the NUL */
#define MACHINE_MAC_LEN 18u
const char *machine_uuid_text(const uint8_t uuid[16],
			      char out[MACHINE_UUID_LEN]);
const char *machine_mac_text(const uint8_t mac[6], char out[MACHINE_MAC_LEN]);
const char *machine_bus_name(enum machine_bus bus);	/* "scsi" */
const char *machine_medium_name(enum machine_medium medium);	/* "cdrom" */
const char *machine_nic_kind_name(enum machine_nic_kind kind);
const char *machine_os_name(enum machine_os os);

#endif
