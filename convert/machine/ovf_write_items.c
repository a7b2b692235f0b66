/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_write_items.c - hardware items of an OVF descriptor (DSP0243, 8). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ovf_write.h"

/* Instance ids: controllers', and behind them drives' and cards'. */
#define FIRST_CONTROLLER 10u

static void rasd(struct writer *w, const char *name, const char *text)
{
	text_add(&w->text, "        <rasd:%s>", name);
	text_add_xml(&w->text, text);
	text_add(&w->text, "</rasd:%s>\n", name);
}

static void rasd_number(struct writer *w, const char *name,
			unsigned long long n)
{
	text_add(&w->text, "        <rasd:%s>%llu</rasd:%s>\n", name, n, name);
}

static void begin(struct writer *w)
{
	text_add(&w->text, "      <Item>\n");
}

static void end(struct writer *w)
{
	text_add(&w->text, "      </Item>\n");
}

/* Elements of an item stand in the order of their names (DSP0243, 8.1). */
void ovf_put_cpus(struct ovf_out *o)
{
	const struct machine *m = o->w->m;
	char text[60];

	begin(o->w);
	rasd(o->w, "AllocationUnits", "hertz * 10^6");
	snprintf(text, sizeof(text), "%u virtual CPU(s)", m->n_cpus);
	rasd(o->w, "ElementName", text);
	rasd_number(o->w, "InstanceID", 1);
	rasd_number(o->w, "ResourceType", 3);
	rasd_number(o->w, "VirtualQuantity", m->n_cpus);
	if (m->cores)
		text_add(&o->w->text, "        <vmw:CoresPerSocket "
			 "ovf:required=\"false\">%u</vmw:CoresPerSocket>\n",
			 m->cores);
	end(o->w);
}

int ovf_put_memory(struct ovf_out *o)
{
	unsigned long long mib;
	uint64_t memory;
	char text[60];
	int rc;

	rc = writer_memory(o->w, &memory);
	if (rc)
		return rc;
	mib = div_round_up(memory, 1u << 20);
	begin(o->w);
	rasd(o->w, "AllocationUnits", "byte * 2^20");
	snprintf(text, sizeof(text), "%lluMB of memory", mib);
	rasd(o->w, "ElementName", text);
	rasd_number(o->w, "InstanceID", 2);
	rasd_number(o->w, "ResourceType", 4);
	rasd_number(o->w, "VirtualQuantity", mib);
	end(o->w);
	return 0;
}

/* What OVF's products have: virtio and USB disks become SCSI or SATA. */
static enum machine_bus bus_of(const struct machine_disk *d)
{
	switch (d->bus) {
	case BUS_IDE: case BUS_SATA: case BUS_NVME: case BUS_SCSI:
	case BUS_FLOPPY:
		return d->bus;
	default:
		return d->medium == MEDIUM_DISK ? BUS_SCSI : BUS_IDE;
	}
}

static const char *subtype_of(enum machine_bus bus, const char *model)
{
	static const char *const models[][2] = {
		{ "lsisas1068", "lsilogicsas" }, { "lsilogic", "lsilogic" },
		{ "pvscsi", "VirtualSCSI" }, { "buslogic", "buslogic" },
	};

	if (bus == BUS_SATA)
		return "vmware.sata.ahci";
	if (bus == BUS_NVME)
		return "vmware.nvme.controller";
	if (bus == BUS_IDE)
		return "PIIX4";
	for (size_t i = 0; model && i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(model, models[i][0]))
			return models[i][1];
	return "lsilogic";
}

/* The id of the controller, which is written when it is new. */
static int controller(struct ovf_out *o, const struct machine_disk *d,
		      unsigned *id)
{
	enum machine_bus bus = bus_of(d);
	unsigned index = bus == d->bus ? d->controller_index : 0;
	const char *model = bus == d->bus ? d->controller : NULL;
	size_t n = o->n_controllers;
	char name[60];

	for (size_t i = 0; i < n; i++)
		if (o->controllers[i].bus == bus &&
		    o->controllers[i].index == index) {
			*id = o->controllers[i].id;
			return 0;
		}
	if (n == sizeof(o->controllers) / sizeof(o->controllers[0]))
		return fail(o->w->e, ENOTSUP, "The machine has more than %zu "
			    "controllers for its drives", n);
	*id = FIRST_CONTROLLER + (unsigned)n;
	o->controllers[n].bus = bus;
	o->controllers[n].index = index;
	o->controllers[n].id = *id;
	o->n_controllers++;
	snprintf(name, sizeof(name), "%s controller %u", machine_bus_name(bus),
		 index);
	begin(o->w);
	rasd_number(o->w, "Address", index);
	rasd(o->w, "ElementName", name);
	rasd_number(o->w, "InstanceID", *id);
	rasd(o->w, "ResourceSubType", subtype_of(bus, model));
	rasd_number(o->w, "ResourceType", bus == BUS_IDE ? 5 : bus == BUS_SCSI ?
		    6 : 20);
	end(o->w);
	return 0;
}

int ovf_put_controllers(struct ovf_out *o)
{
	const struct machine *m = o->w->m;
	unsigned id;
	int rc = 0;

	for (size_t i = 0; i < m->n_disks && !rc; i++)
		if (bus_of(&m->disks[i]) != BUS_FLOPPY)
			rc = controller(o, &m->disks[i], &id);
	return rc;
}

/* SCSI keeps a place for the controller itself: disks moved to it go around. */
static unsigned unit_of(const struct machine *m, const struct machine_disk *d)
{
	unsigned unit = 0;

	if (bus_of(d) == d->bus)
		return d->unit;
	for (const struct machine_disk *o = m->disks; o != d; o++)
		unit += bus_of(o) == bus_of(d);
	return unit + (bus_of(d) == BUS_SCSI && unit >= 7);
}

int ovf_put_drive(struct ovf_out *o, const struct machine_disk *d, size_t i)
{
	bool floppy = d->medium == MEDIUM_FLOPPY;
	struct writer *w = o->w;
	unsigned parent = 0;
	char text[60];
	int rc = 0;

	if (bus_of(d) != BUS_FLOPPY)
		rc = controller(o, d, &parent);
	if (rc)
		return rc;
	begin(w);
	rasd_number(w, "AddressOnParent", unit_of(w->m, d));
	if (d->medium != MEDIUM_DISK)
		rasd(w, "AutomaticAllocation", d->disconnected ? "false" :
		     "true");
	snprintf(text, sizeof(text), "%s %zu", d->medium == MEDIUM_DISK ?
		 "Hard disk" : floppy ? "Floppy" : "CD-ROM", i + 1);
	rasd(w, "ElementName", text);
	snprintf(text, sizeof(text), "ovf:/disk/vmdisk%zu", i + 1);
	if (d->medium == MEDIUM_DISK)
		rasd(w, "HostResource", text);
	snprintf(text, sizeof(text), "ovf:/file/file%zu", i + 1);
	if (d->medium != MEDIUM_DISK && disk_name(d))
		rasd(w, "HostResource", text);
	rasd_number(w, "InstanceID", o->next++);
	if (parent)
		rasd_number(w, "Parent", parent);
	rasd_number(w, "ResourceType", floppy ? 14 : d->medium == MEDIUM_CDROM ?
		    15 : 17);
	end(w);
	if (bus_of(d) != d->bus)
		return LOSS(w, "disk-bus", "A drive on \"%s\" is put on "
			    "\"%s\".", machine_bus_name(d->bus),
			    machine_bus_name(bus_of(d)));
	return 0;
}

const char *ovf_network_of(const struct machine_nic *n)
{
	if (n->network)
		return n->network;
	return n->kind == NIC_NAT ? "nat" : n->kind == NIC_HOST_ONLY ?
		"hostonly" : n->kind == NIC_BRIDGE ? "bridged" : "VM Network";
}

int ovf_put_nic(struct ovf_out *o, const struct machine_nic *n, size_t i)
{
	static const char *const models[][2] = {
		{ "vmxnet3", "VmxNet3" }, { "e1000", "E1000" },
		{ "e1000e", "E1000e" }, { "pcnet", "PCNet32" },
		{ "vmxnet", "Vmxnet" }, { "vmxnet2", "Vmxnet2" },
	};
	const char *model = NULL;
	struct writer *w = o->w;
	char text[60];

	for (size_t k = 0; n->model && k < sizeof(models) / sizeof(models[0]);
	     k++)
		if (!strcmp(n->model, models[k][0]))
			model = models[k][1];
	begin(w);
	if (n->has_mac)
		rasd(w, "Address", machine_mac_text(n->mac, text));
	rasd_number(w, "AddressOnParent", 7 + i);
	rasd(w, "AutomaticAllocation", n->disconnected ? "false" : "true");
	rasd(w, "Connection", ovf_network_of(n));
	snprintf(text, sizeof(text), "Network adapter %zu", i + 1);
	rasd(w, "ElementName", text);
	rasd_number(w, "InstanceID", o->next++);
	rasd(w, "ResourceSubType", model ? model : "E1000");
	rasd_number(w, "ResourceType", 10);
	end(w);
	if (n->model && !model)
		return LOSS(w, "nic-model", "The network card \"%s\" becomes "
			    "\"e1000\".", n->model);
	return 0;
}
