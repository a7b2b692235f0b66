/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxmox.h - what the parts of the writer for Proxmox VE share.  Internal to
 * convert/machine.
 */
#ifndef CONVERT_MACHINE_PROXMOX_H
#define CONVERT_MACHINE_PROXMOX_H

#include "write.h"

struct proxmox {
	struct writer *w;
	const char *storage, *bridge;
	unsigned vmid, n_volumes;
	struct text script;
	unsigned next[8];	/* the next free place of each bus */
	char order[256];	/* "scsi0;net0" */
};

/* One setting: a line of the file, and an option of qm create. */
void proxmox_setting(struct proxmox *p, const char *key, const char *value);
/* A volume: qm makes it ("STORAGE:GIB"), the file names what is there then. */
void proxmox_volume(struct proxmox *p, const char *key, unsigned long long gib,
		    const char *more);
/* In an option, a comma ends a value: -ENOTSUP. */
int proxmox_check(struct proxmox *p, const char *what, const char *value);

/* proxmox_drives.c */
int proxmox_disk(struct proxmox *p, const struct machine_disk *d);
/* The one model of all SCSI disks' controllers. */
int proxmox_scsi(struct proxmox *p);

#endif
