/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxmox_drives.c - the drives of a machine for Proxmox VE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proxmox.h"

/* Where Proxmox has places, and how many. */
static const struct {
	const char *name;
	unsigned places;
} buses[] = {
	[BUS_NONE] = { "scsi", 31 }, [BUS_IDE] = { "ide", 4 },
	[BUS_SCSI] = { "scsi", 31 }, [BUS_SATA] = { "sata", 6 },
	[BUS_NVME] = { "scsi", 31 }, [BUS_VIRTIO] = { "virtio", 16 },
	[BUS_USB] = { "scsi", 31 }, [BUS_FLOPPY] = { NULL, 0 },
};

static int next_place(struct proxmox *p, const struct machine_disk *d,
		      char out[16])
{
	enum machine_bus bus = d->bus;

	if (bus == BUS_NONE || bus == BUS_NVME || bus == BUS_USB)
		bus = BUS_SCSI;
	if (bus != BUS_SCSI && p->next[bus] >= buses[bus].places)
		bus = BUS_SCSI;
	if (p->next[bus] >= buses[bus].places)
		return fail(p->w->e, ENOTSUP, "The machine has more drives "
			    "than the %u that Proxmox has places for",
			    buses[BUS_SCSI].places);
	snprintf(out, 16, "%s%u", buses[bus].name, p->next[bus]++);
	if (bus != d->bus)
		return LOSS(p->w, "disk-bus", "A drive on \"%s\" is put on "
			    "\"%s\".", machine_bus_name(d->bus),
			    buses[bus].name);
	return 0;
}

static int put_image(struct proxmox *p, const struct machine_disk *d,
		     const char *place, const char *more)
{
	const char *name = disk_name(d);
	int rc = proxmox_check(p, "file", name);

	if (rc)
		return rc;
	text_add(&p->w->text, "%s: %s:vm-%u-disk-%u%s\n", place, p->storage,
		 p->vmid, p->n_volumes++, more);
	text_add(&p->script, " \\\n\t--%s ", place);
	text_add_shell(&p->script, p->storage);
	text_add(&p->script, ":0,import-from=");
	if (*name != '/')
		text_add(&p->script, "\"$here\"/");
	text_add_shell(&p->script, name);
	text_add(&p->script, "%s", more);
	return 0;
}

static void boot_from(struct proxmox *p, const char *place)
{
	size_t len = strlen(p->order);

	snprintf(p->order + len, sizeof(p->order) - len, "%s%s",
		 len ? ";" : "", place);
}

int proxmox_disk(struct proxmox *p, const struct machine_disk *d)
{
	char place[16], more[160] = "";
	int rc;

	if (d->bus == BUS_FLOPPY)
		return LOSS(p->w, "floppy", "There are no floppy drives.");
	rc = next_place(p, d, place);
	if (!rc)
		rc = proxmox_check(p, "serial number", d->serial);
	if (rc)
		return rc;
	if (d->medium == MEDIUM_CDROM) {
		proxmox_setting(p, place, "none,media=cdrom");
		if (disk_name(d))
			rc = LOSS(p->w, "cdrom", "The image \"%s\" is not put "
				  "into the drive: it would have to be in a "
				  "storage.", disk_name(d));
	} else if (!disk_name(d)) {
		if (!d->raw_device && d->size) {
			proxmox_volume(p, place, div_round_up(d->size, 1u << 30), "");
		} else {
			rc = LOSS(p->w, "disk-file", "The disk %s is in no "
				  "file.", place);
		}
	} else {
		snprintf(more, sizeof(more), "%s%.20s%s",
			 d->serial ? ",serial=" : "",
			 d->serial ? d->serial : "",
			 d->readonly ? ",ro=1" : "");
		rc = put_image(p, d, place, more);
	}
	if (d->boot_order == 1 || (d->medium == MEDIUM_DISK && !*p->order))
		boot_from(p, place);
	return rc;
}

int proxmox_scsi(struct proxmox *p)
{
	static const char *const models[][2] = {
		{ "virtio-scsi", "virtio-scsi-single" }, { "pvscsi", "pvscsi" },
		{ "lsilogic", "lsi" }, { "lsisas1078", "megasas" },
	};
	const struct machine *m = p->w->m;
	const char *own = NULL, *theirs = "virtio-scsi-single";
	bool found = false;

	for (size_t i = 0; i < m->n_disks && !own; i++)
		if (m->disks[i].bus == BUS_SCSI)
			own = m->disks[i].controller;
	for (size_t i = 0; own && i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(own, models[i][0])) {
			theirs = models[i][1];
			found = true;
		}
	proxmox_setting(p, "scsihw", own && !found ? "lsi" : theirs);
	if (own && !found)
		return LOSS(p->w, "disk-controller", "The SCSI controller "
			    "\"%s\" becomes \"lsi\".", own);
	return 0;
}
