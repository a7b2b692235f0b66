/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_write_drives.c - drives and their controllers in libvirt's domain XML. */
#include <string.h>

#include "domain.h"
#include "domain_write.h"

/* 0 is "a", 26 "aa". */
static void dev_letters(unsigned n, char out[8])
{
	char text[8];
	size_t at = sizeof(text);

	text[--at] = 0;
	for (n++; n && at; n = (n - 1) / 26)
		text[--at] = (char)('a' + (n - 1) % 26);
	memcpy(out, text + at, sizeof(text) - at);
}

/* The bus that QEMU has for it. */
static int choose_bus(struct writer *w, const struct machine_disk *d,
		      enum machine_bus *bus)
{
	*bus = d->bus;
	if (d->bus == BUS_IDE && domain_is_q35(w->m))
		*bus = BUS_SATA;
	if (d->bus == BUS_NVME || d->bus == BUS_NONE)
		*bus = d->medium == MEDIUM_DISK ? BUS_VIRTIO : BUS_SATA;
	if (*bus == d->bus)
		return 0;
	return LOSS(w, "disk-bus", "A drive on \"%s\" is put on \"%s\".",
		    machine_bus_name(d->bus), machine_bus_name(*bus));
}

static void write_place(struct writer *w, const struct machine_disk *d,
			enum machine_bus bus, unsigned index)
{
	static const char *const prefixes[] = {
		[BUS_NONE] = "sd", [BUS_IDE] = "hd", [BUS_SCSI] = "sd",
		[BUS_SATA] = "sd", [BUS_NVME] = "vd", [BUS_VIRTIO] = "vd",
		[BUS_USB] = "sd", [BUS_FLOPPY] = "fd",
	};
	bool flat = d->controller && !strcmp(d->controller, "virtio-scsi");
	struct text *t = &w->text;
	char dev[8];

	dev_letters(bus == BUS_IDE ? d->controller_index * 2 + d->unit :
		    bus == BUS_VIRTIO && d->bus == BUS_VIRTIO ? d->unit :
		    bus == BUS_FLOPPY ? d->unit : index, dev);
	text_add(t, "      <target dev='%s%s' bus='%s'/>\n", prefixes[bus], dev,
		 bus == BUS_FLOPPY ? "fdc" : machine_bus_name(bus));
	if (bus == BUS_SCSI)
		text_add(t, "      <address type='drive' controller='%u' "
			 "bus='0' target='%u' unit='%u'/>\n",
			 d->controller_index, flat ? 0 : d->unit,
			 flat ? d->unit : 0);
	else if (bus == BUS_SATA && d->bus == BUS_SATA)
		text_add(t, "      <address type='drive' controller='%u' "
			 "bus='0' target='0' unit='%u'/>\n",
			 d->controller_index, d->unit);
}

static void write_source(struct writer *w, const struct machine_disk *d)
{
	const char *name = d->raw_device ? d->file : disk_name(d);
	struct text *t = &w->text;
	bool in_folder = w->args->folder && name && *name != '/';

	if (!name)
		return;
	text_add(t, "      <source %s='", d->raw_device ? "dev" : "file");
	if (in_folder) {
		text_add_xml(t, w->args->folder);
		text_add(t, "/");
	}
	text_add_xml(t, name);
	text_add(t, "'/>\n");
}

int domain_write_disk(struct writer *w, const struct machine_disk *d,
		      unsigned index)
{
	const char *format = d->format ? d->format : "raw";
	struct text *t = &w->text;
	enum machine_bus bus;
	int rc;

	if (d->medium == MEDIUM_DISK && !d->raw_device && !disk_name(d))
		return LOSS(w, "disk-file", "Disk %u is in no file and left "
			    "out.", index + 1);
	rc = choose_bus(w, d, &bus);
	text_add(t, "    <disk type='%s' device='%s'>\n",
		 d->raw_device ? "block" : "file",
		 machine_medium_name(d->medium));
	text_add(t, "      <driver name='qemu'");
	domain_attribute(t, "type", domain_format_to(format));
	text_add(t, "/>\n");
	write_source(w, d);
	write_place(w, d, bus, index);
	if (d->readonly)
		text_add(t, "      <readonly/>\n");
	if (d->shareable)
		text_add(t, "      <shareable/>\n");
	if (d->nonpersistent)
		text_add(t, "      <transient/>\n");
	domain_element(t, "      ", "serial", d->serial);
	if (d->boot_order)
		text_add(t, "      <boot order='%u'/>\n", d->boot_order);
	text_add(t, "    </disk>\n");
	if (!rc && !d->format && disk_name(d))
		rc = LOSS(w, "disk-format", "The format of \"%s\" is not "
			  "known; raw is written.", disk_name(d));
	if (!rc && d->independent)
		rc = LOSS(w, "disk-independent", "That snapshots leave a disk "
			  "out cannot be said.");
	return rc;
}

/* One element for each controller that a disk is on. */
int domain_write_controllers(struct writer *w)
{
	const struct machine *m = w->m;
	int rc = 0;

	for (size_t i = 0; i < m->n_disks && !rc; i++) {
		const struct machine_disk *d = &m->disks[i];
		const char *model = d->controller ?
			domain_scsi_to(d->controller) : NULL;
		bool first = d->bus == BUS_SCSI;

		for (size_t k = 0; k < i; k++)
			if (m->disks[k].bus == BUS_SCSI && d->controller_index
			    == m->disks[k].controller_index)
				first = false;
		if (!first)
			continue;
		/* QEMU has none of BusLogic's. */
		if (d->controller && (!model || !strcmp(model, "buslogic"))) {
			rc = LOSS(w, "disk-controller", "The SCSI controller "
				  "\"%s\" becomes \"lsilogic\".",
				  d->controller);
			model = "lsilogic";
		}
		text_add(&w->text, "    <controller type='scsi' index='%u'",
			 d->controller_index);
		if (model)
			domain_attribute(&w->text, "model", model);
		text_add(&w->text, "/>\n");
	}
	return rc;
}
