/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_drives.c - the drives of libvirt's domain XML. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "domain.h"

static const char *const scsi_models[][2] = {	/* theirs, ours */
	{ "buslogic", "buslogic" }, { "lsilogic", "lsilogic" },
	{ "lsisas1068", "lsisas1068" }, { "lsisas1078", "lsisas1078" },
	{ "vmpvscsi", "pvscsi" }, { "virtio-scsi", "virtio-scsi" },
	{ "virtio-transitional", "virtio-scsi" },
	{ "virtio-non-transitional", "virtio-scsi" },
	{ "ibmvscsi", "ibmvscsi" },
};

const char *domain_scsi_from(const char *model)
{
	for (size_t i = 0; i < sizeof(scsi_models) / sizeof(scsi_models[0]); i++)
		if (!strcmp(model, scsi_models[i][0]))
			return scsi_models[i][1];
	return NULL;
}

const char *domain_scsi_to(const char *controller)
{
	for (size_t i = 0; i < sizeof(scsi_models) / sizeof(scsi_models[0]); i++)
		if (!strcmp(controller, scsi_models[i][1]))
			return scsi_models[i][0];
	return NULL;
}

const char *domain_format_from(const char *type)
{
	return !strcmp(type, "vpc") ? "vhd" : type;
}

const char *domain_format_to(const char *format)
{
	return !strcmp(format, "vhd") ? "vpc" : format;
}

static const char *attr(struct domain *d, const xmlNode *node, const char *name)
{
	return xml_attr(&d->x, node, name) ?: "";
}

static unsigned number(struct domain *d, const xmlNode *node, const char *name)
{
	uint64_t n = 0;

	parse_number(attr(d, node, name), UINT16_MAX, &n);
	return (unsigned)n;
}

/* "sdc" is 2, "vdaa" 26. */
static unsigned letters(const char *dev)
{
	unsigned n = 0;

	if (!strncmp(dev, "xvd", 3))
		dev++;
	for (dev += strnlen(dev, 2); *dev >= 'a' && *dev <= 'z' && n < 10000;
	     dev++)
		n = n * 26 + (unsigned)(*dev - 'a') + 1;
	return n ? n - 1 : 0;
}

static enum machine_bus bus_of(const char *bus, const char *dev)
{
	static const struct {
		const char *word;
		enum machine_bus bus;
	} words[] = {
		{ "ide", BUS_IDE }, { "scsi", BUS_SCSI }, { "sata", BUS_SATA },
		{ "virtio", BUS_VIRTIO }, { "usb", BUS_USB },
		{ "fdc", BUS_FLOPPY }, { "nvme", BUS_NVME },
		/* Without a bus, the name says it. */
		{ "hd", BUS_IDE }, { "sd", BUS_SCSI }, { "vd", BUS_VIRTIO },
		{ "fd", BUS_FLOPPY },
	};
	const char *word = *bus ? bus : dev;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(word, words[i].word, strlen(words[i].word)))
			return words[i].bus;
	return BUS_NONE;
}

/* The model of the disk's controller. */
static const char *model_of(struct domain *d, const struct machine_disk *disk)
{
	const char *type = disk->bus == BUS_FLOPPY ? "fdc" :
		machine_bus_name(disk->bus);

	if (disk->bus == BUS_SATA)
		return "ahci";
	if (disk->bus == BUS_IDE)
		return "piix4";
	for (xmlNode *c = xml_child(d->devices, "controller"); c;
	     c = xml_next(c, "controller"))
		if (!strcmp(attr(d, c, "type"), type) &&
		    number(d, c, "index") == disk->controller_index)
			return domain_scsi_from(attr(d, c, "model"));
	return NULL;
}

static void set_place(struct domain *d, xmlNode *node,
		      struct machine_disk *disk)
{
	xmlNode *address = xml_child(node, "address");
	const char *dev = attr(d, xml_child(node, "target"), "dev");
	unsigned target, unit;

	disk->bus = bus_of(attr(d, xml_child(node, "target"), "bus"), dev);
	disk->unit = letters(dev);
	if (disk->bus == BUS_IDE) {
		disk->controller_index = disk->unit / 2;
		disk->unit %= 2;
	}
	if (strcmp(attr(d, address, "type"), "drive"))
		return;
	target = number(d, address, "target");
	unit = number(d, address, "unit");
	disk->controller_index = number(d, address, "controller");
	if (disk->bus == BUS_IDE)
		disk->controller_index = disk->controller_index * 2 +
			number(d, address, "bus");
	/* Controllers of old have one unit a target, virtio-scsi the reverse. */
	disk->unit = target && unit ? target * 256 + unit : target + unit;
}

static int note_attrs(struct domain *d, xmlNode *node)
{
	static const struct {
		const char *element, *code, *text;
	} notes[] = {
		{ "iotune", "disk-limits", "A disk's speed is limited." },
		{ "wwn", "disk-wwn", "A disk has a world-wide name." },
		{ "mirror", "disk-mirror", "A disk is being mirrored." },
		{ "geometry", "disk-geometry", "A disk has a set geometry." },
		{ "blockio", "disk-blocks",
		  "A disk has a block size of its own." },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]) && !rc; i++)
		if (xml_child(node, notes[i].element))
			rc = NOTE(d->r, notes[i].code, "%s", notes[i].text);
	return rc;
}

/* file=, dev=, or something that is in no file here. */
static int set_source(struct domain *d, xmlNode *node,
		      struct machine_disk *disk)
{
	xmlNode *source = xml_child(node, "source");
	const char *type = attr(d, node, "type"), *file = attr(d, source, "file");
	const char *format = attr(d, xml_child(node, "driver"), "type");
	int rc;

	if (!*file)
		file = attr(d, source, "dev");
	if (*file && !strcmp(type, "block"))
		disk->raw_device = true;
	if (!*file) {
		file = *attr(d, source, "name") ? attr(d, source, "name") :
			*attr(d, source, "volume") ?
			attr(d, source, "volume") : attr(d, source, "dir");
		if (!*file)
			return 0;
		rc = machine_set(&disk->file, file, d->r->e);
		return rc ? rc : NOTE(d->r, "disk-remote", "The disk \"%.200s\" "
				      "(%.20s) is in no file.", file, type);
	}
	rc = machine_set(&disk->file, file, d->r->e);
	if (!rc && !disk->raw_device)
		rc = set_path(d->r, disk);
	/* "raw" is what libvirt takes where nothing is said, for a guest must
	 * not choose.
	 */
	if (!rc)
		rc = machine_set(&disk->format, *format ?
				 domain_format_from(format) :
				 disk->medium == MEDIUM_DISK &&
				 format_by_name(file) ? format_by_name(file) :
				 "raw", d->r->e);
	return rc;
}

static int read_drive(struct domain *d, xmlNode *node)
{
	const char *device = attr(d, node, "device");
	struct machine_disk *disk;
	uint64_t order;
	int rc;

	rc = reader_add_disk(d->r, &disk);
	if (rc)
		return rc;
	disk->medium = !strcmp(device, "cdrom") ? MEDIUM_CDROM :
		!strcmp(device, "floppy") ? MEDIUM_FLOPPY : MEDIUM_DISK;
	set_place(d, node, disk);
	disk->raw_device = !strcmp(device, "lun");
	disk->readonly = disk->medium == MEDIUM_CDROM ||
		xml_child(node, "readonly");
	disk->shareable = xml_child(node, "shareable") != NULL;
	disk->nonpersistent = xml_child(node, "transient") != NULL;
	disk->encrypted = xml_child(node, "encryption") ||
		xml_child(xml_child(node, "source"), "encryption");
	disk->snapshot = xml_find(node, "backingStore/source") != NULL;
	if (parse_number(attr(d, xml_child(node, "boot"), "order"), 1000,
			 &order))
		disk->boot_order = (unsigned)order;
	rc = set_source(d, node, disk);
	if (!rc)
		rc = set_trimmed(d->r, &disk->serial,
				 xml_child_text(&d->x, node, "serial"));
	if (!rc)
		rc = machine_set(&disk->controller, model_of(d, disk), d->r->e);
	return rc ? rc : note_attrs(d, node);
}

/* <boot dev='hd'/> of the system: the first of its kind. */
static void read_order(struct domain *d)
{
	struct machine *m = d->r->m;
	unsigned rank = 0;

	for (size_t i = 0; i < m->n_disks; i++)
		if (m->disks[i].boot_order)
			return;
	for (xmlNode *b = xml_child(xml_child(d->root, "os"), "boot"); b;
	     b = xml_next(b, "boot")) {
		const char *dev = attr(d, b, "dev");
		enum machine_medium medium = !strcmp(dev, "cdrom") ?
			MEDIUM_CDROM : !strcmp(dev, "fd") ? MEDIUM_FLOPPY :
			MEDIUM_DISK;

		rank++;
		for (size_t i = 0; strcmp(dev, "network") && i < m->n_disks;
		     i++) {
			if (m->disks[i].medium != medium ||
			    m->disks[i].boot_order)
				continue;
			m->disks[i].boot_order = rank;
			break;
		}
	}
}

int domain_read_drives(struct domain *d)
{
	int rc = 0;

	for (xmlNode *n = xml_child(d->devices, "disk"); n && !rc;
	     n = xml_next(n, "disk"))
		rc = read_drive(d, n);
	read_order(d);
	return rc;
}
