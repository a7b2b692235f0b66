/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf.h - an OVF descriptor that is being read: the files and disks it lists, and
 * the hardware items of the one machine that was chosen.  Internal to
 * convert/machine.
 *
 * DSP0243 1.0 to 2.0, and VMware's 0.9, where each section is called Section and
 * says by xsi:type which it is.
 */
#ifndef CONVERT_MACHINE_OVF_H
#define CONVERT_MACHINE_OVF_H

#include "build.h"
#include "xml.h"

/* CIM_ResourceAllocationSettingData.ResourceType */
enum ovf_type {
	OVF_OTHER = 1, OVF_CPU = 3, OVF_MEMORY = 4, OVF_IDE = 5, OVF_SCSI = 6,
	OVF_NIC = 10, OVF_FLOPPY = 14, OVF_CD = 15, OVF_DVD = 16, OVF_DISK = 17,
	OVF_STORAGE = 20, OVF_SERIAL = 21, OVF_PARALLEL = 22, OVF_USB = 23,
	OVF_VIDEO = 24, OVF_SOUND = 35,
};

/* Texts are the struct xml's; "" where nothing is said. */
struct ovf_file {
	const char *id, *href;
	bool gzip;
};

struct ovf_disk {
	const char *id, *file, *format, *parent;
	uint64_t size;		/* bytes; 0: not said */
	bool shareable, encrypted;
};

struct ovf_item {
	const char *id, *parent, *subtype, *address, *on_parent, *resource,
		*connection, *name, *automatic;
	unsigned type;		/* 0: none of a number */
	uint64_t quantity;
	const char *units;
	bool has_quantity, optional;
	size_t disk, nic;	/* 1 + its place in the machine; 0: it is none */
	xmlNode *node;
};

struct ovf {
	struct reader *r;
	struct xml x;
	struct ovf_file *files;
	struct ovf_disk *disks;
	struct ovf_item *items;
	size_t n_files, n_disks, n_items, files_cap, disks_cap, items_cap;
	xmlNode *system, *hardware;
};

/* A section by its name, among the children of `node`; and the next such. */
xmlNode *ovf_section(struct ovf *o, xmlNode *node, const char *name);
xmlNode *ovf_next_section(struct ovf *o, xmlNode *node, const char *name);

/* "byte * 2^20", "MegaBytes"...: what a quantity is multiplied with. */
bool ovf_units(const char *text, uint64_t *factor);

/* ovf_files.c: References, DiskSection. */
int ovf_read_refs(struct ovf *o);
/* What a HostResource ("ovf:/disk/x") means, into `d`. */
int ovf_resolve(struct ovf *o, const char *resource, struct machine_disk *d);
/* ovf_items.c: the hardware, as listed in o->items. */
int ovf_read_items(struct ovf *o);
int ovf_use_items(struct ovf *o);
/* ovf_drives.c: an item that is a disk or drive. */
int ovf_use_drive(struct ovf *o, const struct ovf_item *item);
/* ovf_boot.c: the order of boot devices. */
int ovf_read_boot(struct ovf *o);
/* ovf_vbox.c: what VirtualBox says besides. */
int ovf_read_vbox(struct ovf *o);

#endif
