/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_drives.c - disks and drives among the hardware items of an OVF descriptor,
 * and where they are plugged in.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ovf.h"

static const struct ovf_item *find_item(const struct ovf *o, const char *id)
{
	for (size_t i = 0; *id && i < o->n_items; i++)
		if (!strcmp(o->items[i].id, id))
			return &o->items[i];
	return NULL;
}

static enum machine_bus bus_of(const struct ovf_item *c)
{
	switch (c->type) {
	case OVF_IDE:
		return BUS_IDE;
	case OVF_SCSI:
		return BUS_SCSI;
	case OVF_USB:
		return BUS_USB;
	case OVF_STORAGE:
		return strcasestr(c->subtype, "nvme") ? BUS_NVME :
			strcasestr(c->subtype, "virtio") ? BUS_SCSI : BUS_SATA;
	default:
		return BUS_NONE;
	}
}

/* The first of the models that a list such as "buslogic, lsilogic" allows that is
 * known; NULL: none.
 */
static const char *scsi_model(const char *subtype)
{
	static const char *const models[][2] = {
		{ "lsilogicsas", "lsisas1068" }, { "lsilogic", "lsilogic" },
		{ "virtualscsi", "pvscsi" }, { "pvscsi", "pvscsi" },
		{ "buslogic", "buslogic" }, { "virtio", "virtio-scsi" },
	};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (strcasestr(subtype, models[i][0]))
			return models[i][1];
	return NULL;
}

/* Which of its bus is it: by its address, or else by its place in the list. */
static unsigned index_of(const struct ovf *o, const struct ovf_item *c)
{
	uint64_t n = 0;

	if (parse_number(c->address, UINT16_MAX, &n))
		return (unsigned)n;
	for (const struct ovf_item *i = o->items; i != c; i++)
		n += bus_of(i) == bus_of(c);
	return (unsigned)n;
}

static const char *model_of(const struct ovf_item *c)
{
	switch (bus_of(c)) {
	case BUS_SCSI:
		return scsi_model(c->subtype);
	case BUS_SATA:
		return "ahci";
	case BUS_IDE:
		return "piix4";
	case BUS_NVME:
		return "nvme";
	default:
		return NULL;
	}
}

static int plug(struct ovf *o, const struct ovf_item *i,
		struct machine_disk *d)
{
	const struct ovf_item *c = find_item(o, i->parent);
	uint64_t unit = 0;
	int rc;

	parse_number(i->on_parent, UINT16_MAX, &unit);
	d->unit = (unsigned)unit;
	if (i->type == OVF_FLOPPY) {
		d->bus = BUS_FLOPPY;
		return 0;
	}
	if (!c)
		return NOTE(o->r, "ovf-no-controller", "The drive \"%.60s\" is "
			    "at no controller.", i->name);
	d->bus = bus_of(c);
	d->controller_index = index_of(o, c);
	rc = machine_set(&d->controller, model_of(c), o->r->e);
	if (!rc && d->bus == BUS_SCSI && *c->subtype && !d->controller)
		rc = NOTE(o->r, "ovf-controller", "The SCSI controller "
			  "\"%.60s\" is of the kind \"%.60s\", which is not "
			  "known.", c->name, c->subtype);
	return rc;
}

/* Drives of the host, which somebody has plugged in there. */
static bool is_host_drive(const struct ovf_item *i)
{
	return strcasestr(i->subtype, "remote") ||
		strcasestr(i->subtype, "passthrough") ||
		strcasestr(i->subtype, "atapi");
}

int ovf_use_drive(struct ovf *o, const struct ovf_item *i)
{
	struct machine_disk *d;
	bool is = true;
	int rc;

	rc = reader_add_disk(o->r, &d);
	if (rc)
		return rc;
	d->medium = i->type == OVF_DISK ? MEDIUM_DISK : i->type == OVF_FLOPPY ?
		MEDIUM_FLOPPY : MEDIUM_CDROM;
	d->readonly = d->medium == MEDIUM_CDROM;
	rc = plug(o, i, d);
	if (rc)
		return rc;
	if (d->medium != MEDIUM_DISK)
		d->disconnected = parse_bool(i->automatic, &is) && !is;
	if (*i->resource && !(d->medium != MEDIUM_DISK && is_host_drive(i)))
		return ovf_resolve(o, i->resource, d);
	if (d->medium == MEDIUM_DISK)
		return NOTE(o->r, "disk-no-file", "The disk \"%.60s\" has no "
			    "file: it is empty.", i->name);
	return 0;
}
