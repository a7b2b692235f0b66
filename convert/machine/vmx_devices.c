/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmx_devices.c - drives, network cards and serial ports of a VMX file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmx.h"

/* What can be plugged in where (VMware's limits, of the newest hardware). */
static const struct {
	const char *name;
	enum machine_bus bus;
	unsigned controllers, units;
	const char *controller;		/* the model; NULL: virtualDev */
} buses[] = {
	{ "scsi", BUS_SCSI, 4, 65, NULL },
	{ "sata", BUS_SATA, 4, 30, "ahci" },
	{ "ide", BUS_IDE, 2, 2, "piix4" },
	{ "nvme", BUS_NVME, 4, 65, "nvme" },
};
#define MAX_FLOPPIES 2u
#define MAX_NICS 10u
#define MAX_PORTS 32u

/* Where a device's file may be nothing: VMware's words for an empty drive. */
static bool is_no_file(const char *file)
{
	static const char *const words[] = {
		"", "auto detect", "emptybackingstring",
		"vmware-null-remote-floppy", "unknown",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(file, words[i]))
			return true;
	return false;
}

static bool begins(const char *text, const char *with)
{
	return !strncasecmp(text, with, strlen(with));
}

/* What the device is, by its type, and by its file where it has none. */
static void set_medium(struct machine_disk *d, const char *type,
		       const char *file)
{
	size_t len = strlen(file);

	d->raw_device = strcasestr(type, "rdm") || !strcasecmp(type, "rawdisk") ||
		!strcasecmp(type, "plaindisk") ||
		begins(file, "/vmfs/devices/");
	if (strcasestr(type, "cdrom"))
		d->medium = MEDIUM_CDROM;
	else if (!*type && len > 4 && !strcasecmp(file + len - 4, ".iso"))
		d->medium = MEDIUM_CDROM;
	if (!strcasecmp(type, "scsi-passthru") || !strcasecmp(type, "cdrom-raw"))
		d->raw_device = true;
}

static int set_file(struct reader *r, struct machine_disk *d, const char *type,
		    const char *file)
{
	bool host_drive = strstr(type, "atapi-cdrom") || strstr(type, "remote");
	int rc;

	if (is_no_file(file) || (d->medium == MEDIUM_CDROM && host_drive &&
				 file[0] != '/')) {
		d->raw_device = false;
		return 0;
	}
	rc = machine_set(&d->file, file, r->e);
	if (begins(file, "/dev/"))
		d->raw_device = true;
	if (!rc && !d->raw_device && !host_drive)
		rc = set_path(r, d);
	if (!rc && d->path)
		rc = machine_set(&d->format, d->medium == MEDIUM_DISK ?
				 format_by_name(file) : "raw", r->e);
	return rc;
}

static void set_mode(struct machine_disk *d, const char *mode)
{
	d->independent = begins(mode, "independent");
	d->nonpersistent = strcasestr(mode, "nonpersistent") != NULL;
	d->readonly = d->medium != MEDIUM_DISK;
}

/* The bus and place of `d` as VMX keys have them: "scsi0:1". */
static int read_drive(struct reader *r, const struct vmx *v, const char *place,
		      struct machine_disk *d)
{
	const char *type = vmx_get(v, "%s.devicetype", place) ?: "";
	const char *file = vmx_get(v, "%s.filename", place) ?: "";
	const char *share = vmx_get(v, "%s.sharing", place) ?: "";
	const char *start = vmx_get(v, "%s.startconnected", place) ?: "";
	bool is = true;
	int rc;

	set_medium(d, type, file);
	rc = set_file(r, d, type, file);
	set_mode(d, vmx_get(v, "%s.mode", place) ?: "");
	d->disconnected = parse_bool(start, &is) && !is;
	d->shareable = d->shareable || !strcasecmp(share, "multi-writer");
	d->snapshot = d->medium == MEDIUM_DISK && d->path &&
		is_snapshot_name(d->path);
	if (!rc && d->medium == MEDIUM_DISK && !d->file)
		rc = NOTE(r, "disk-no-file", "The disk %s has no file.", place);
	return rc;
}

static int read_bus(struct reader *r, const struct vmx *v, size_t which,
		    unsigned index)
{
	const char *bus = buses[which].name;
	const char *model = buses[which].controller ? buses[which].controller :
		vmx_get(v, "%s%u.virtualdev", bus, index);
	const char *shared = vmx_get(v, "%s%u.sharedbus", bus, index) ?: "";
	struct machine_disk *d;
	char place[32];
	int rc = 0;

	/* VMware's default of old. */
	if (!model || !*model)
		model = "buslogic";
	for (unsigned unit = 0; unit < buses[which].units && !rc; unit++) {
		snprintf(place, sizeof(place), "%s%u:%u", bus, index, unit);
		if (!vmx_true(v, "%s.present", place))
			continue;
		rc = reader_add_disk(r, &d);
		if (rc)
			break;
		d->bus = buses[which].bus;
		d->controller_index = index;
		d->unit = unit;
		d->shareable = begins(shared, "virtual") ||
			begins(shared, "physical");
		rc = set_trimmed(r, &d->controller, model);
		if (!rc)
			rc = read_drive(r, v, place, d);
	}
	return rc;
}

static int read_floppy(struct reader *r, const struct vmx *v, unsigned unit)
{
	struct machine_disk *d;
	char place[32];
	int rc;

	snprintf(place, sizeof(place), "floppy%u", unit);
	if (!vmx_true(v, "%s.present", place))
		return 0;
	rc = reader_add_disk(r, &d);
	if (rc)
		return rc;
	d->bus = BUS_FLOPPY;
	d->medium = MEDIUM_FLOPPY;
	d->unit = unit;
	if (!strcasecmp(vmx_get(v, "%s.filetype", place) ?: "", "device"))
		d->raw_device = true;
	rc = vmx_true(v, "%s.clientdevice", place) ? 0 :
		set_file(r, d, "", vmx_get(v, "%s.filename", place) ?: "");
	set_mode(d, "");
	d->readonly = vmx_true(v, "%s.readonly", place);
	return rc;
}

/* bios.hddorder = "scsi0:1,scsi0:0": these are booted from in this order. */
static void read_order(struct machine *m, const char *order)
{
	unsigned rank = 0;

	for (const char *p = order; p && *p; p += strcspn(p, ","), p += !!*p) {
		for (size_t i = 0; i < m->n_disks; i++) {
			struct machine_disk *d = &m->disks[i];
			char place[32];

			snprintf(place, sizeof(place), "%s%u:%u",
				 machine_bus_name(d->bus), d->controller_index,
				 d->unit);
			if (begins(p, place) && strchr(",", p[strlen(place)]) &&
			    !d->boot_order)
				d->boot_order = ++rank;
		}
	}
}

int vmx_read_disks(struct reader *r, const struct vmx *v)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(buses) / sizeof(buses[0]); i++)
		for (unsigned n = 0; n < buses[i].controllers && !rc; n++)
			rc = read_bus(r, v, i, n);
	for (unsigned n = 0; n < MAX_FLOPPIES && !rc; n++)
		rc = read_floppy(r, v, n);
	read_order(r->m, vmx_get(v, "bios.hddorder"));
	return rc;
}

static int set_connection(struct reader *r, const struct vmx *v, unsigned i,
			  struct machine_nic *nic)
{
	static const struct {
		const char *word;
		enum machine_nic_kind kind;
	} kinds[] = {
		{ "bridged", NIC_BRIDGE }, { "nat", NIC_NAT },
		{ "hostonly", NIC_HOST_ONLY }, { "custom", NIC_NETWORK },
		{ "none", NIC_NONE },
	};
	const char *type = vmx_get(v, "ethernet%u.connectiontype", i);
	const char *network = vmx_get(v, "ethernet%u.networkname", i);
	const char *group = vmx_get(v, "ethernet%u.dvs.portgroupid", i);
	int rc = 0;

	/* ESXi says no type; Workstation's default is a bridge. */
	nic->kind = network || group ? NIC_NETWORK : NIC_BRIDGE;
	for (size_t k = 0; type && k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (!strcasecmp(type, kinds[k].word))
			nic->kind = kinds[k].kind;
	if (!network && nic->kind == NIC_NETWORK)
		network = vmx_get(v, "ethernet%u.vnet", i);
	if (!network && group) {
		rc = NOTE(r, "vmx-port-group", "Network card %u is on the "
			  "distributed port group %.60s, whose name is not in "
			  "the file.", i, group);
		network = group;
	}
	return rc ? rc : set_trimmed(r, &nic->network, network);
}

static int set_mac(struct reader *r, const struct vmx *v, unsigned i,
		   struct machine_nic *nic)
{
	const char *type = vmx_get(v, "ethernet%u.addresstype", i) ?: "";
	const char *own = vmx_get(v, "ethernet%u.address", i);
	const char *made = vmx_get(v, "ethernet%u.generatedaddress", i);
	const char *text = !strcasecmp(type, "static") ? own : made ? made : own;

	if (!text || !*text)
		return 0;
	nic->has_mac = parse_mac(text, nic->mac);
	return nic->has_mac ? 0 :
		fail(r->e, EUCLEAN, "%s: the address of ethernet%u is "
		     "\"%.40s\", must be six bytes in hexadecimal", r->path, i,
		     text);
}

static int set_model(struct reader *r, const struct vmx *v, unsigned i,
		     struct machine_nic *nic)
{
	const char *model = vmx_get(v, "ethernet%u.virtualdev", i) ?: "";
	const char *features = vmx_get(v, "ethernet%u.features", i) ?: "";

	if (!strcasecmp(model, "vlance"))
		model = "pcnet";
	else if (!strcasecmp(model, "vmxnet") && !strcmp(features, "15"))
		model = "vmxnet2";
	return set_trimmed(r, &nic->model, model);
}

int vmx_read_nics(struct reader *r, const struct vmx *v)
{
	int rc = 0;

	for (unsigned i = 0; i < MAX_NICS && !rc; i++) {
		struct machine_nic *nic;
		bool is = true;

		if (!vmx_true(v, "ethernet%u.present", i))
			continue;
		rc = reader_add_nic(r, &nic);
		if (!rc)
			rc = set_connection(r, v, i, nic);
		if (!rc)
			rc = set_mac(r, v, i, nic);
		if (!rc)
			rc = set_model(r, v, i, nic);
		if (rc)
			break;
		nic->disconnected = parse_bool(vmx_get(v,
			"ethernet%u.startconnected", i) ?: "", &is) && !is;
	}
	return rc;
}

int vmx_read_ports(struct reader *r, const struct vmx *v)
{
	static const char *const kinds[][2] = {
		{ "device", "device" }, { "file", "file" }, { "pipe", "pipe" },
		{ "network", "tcp" },
	};
	int rc = 0;

	for (unsigned i = 0; i < MAX_PORTS && !rc; i++) {
		const char *type = vmx_get(v, "serial%u.filetype", i) ?: "device";
		const char *file = vmx_get(v, "serial%u.filename", i);
		const char *kind = "null";
		struct machine_serial *port;

		if (!vmx_true(v, "serial%u.present", i))
			continue;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (!strcasecmp(type, kinds[k][0]))
				kind = kinds[k][1];
		rc = reader_add_serial(r, &port);
		if (!rc)
			rc = machine_set(&port->kind, kind, r->e);
		if (!rc)
			rc = set_trimmed(r, &port->target, file);
	}
	return rc;
}
