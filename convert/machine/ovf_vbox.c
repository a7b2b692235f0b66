/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_vbox.c - what VirtualBox says of a machine besides, in an element Machine
 * inside the VirtualSystem: its UUID, firmware and chipset, and the network cards'
 * addresses and connections, which OVF has no place for.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ovf.h"

static const char *attr(struct ovf *o, xmlNode *node, const char *name)
{
	return xml_attr(&o->x, node, name) ?: "";
}

static bool is_true(struct ovf *o, xmlNode *node, const char *name)
{
	bool is = false;

	return parse_bool(attr(o, node, name), &is) && is;
}

static int read_adapter(struct ovf *o, xmlNode *a, struct machine_nic *nic)
{
	static const struct {
		const char *element;
		enum machine_nic_kind kind;
	} kinds[] = {
		{ "NAT", NIC_NAT }, { "NATNetwork", NIC_NAT },
		{ "BridgedInterface", NIC_BRIDGE },
		{ "HostOnlyInterface", NIC_HOST_ONLY },
		{ "InternalNetwork", NIC_NETWORK },
	};
	bool is = true;
	int rc = 0;

	nic->has_mac = parse_mac(attr(o, a, "MACAddress"), nic->mac);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !rc; i++) {
		xmlNode *c = xml_child(a, kinds[i].element);

		if (!c)
			continue;
		nic->kind = kinds[i].kind;
		rc = set_trimmed(o->r, &nic->network, attr(o, c, "name"));
	}
	if (parse_bool(attr(o, a, "cable"), &is) && !is)
		nic->disconnected = true;
	return rc;
}

/* The n-th card that is there is the n-th item. */
static int read_network(struct ovf *o, xmlNode *hardware)
{
	xmlNode *network = xml_child(hardware, "Network");
	struct machine *m = o->r->m;
	size_t n = 0;
	int rc = 0;

	for (xmlNode *a = xml_child(network, "Adapter");
	     a && n < m->n_nics && !rc; a = xml_next(a, "Adapter"))
		if (is_true(o, a, "enabled"))
			rc = read_adapter(o, a, &m->nics[n++]);
	return rc;
}

static void read_chips(struct ovf *o, xmlNode *hardware)
{
	const char *chipset = attr(o, xml_child(hardware, "Chipset"), "type");
	const char *firmware = attr(o, xml_child(hardware, "Firmware"), "type");
	const char *clock = attr(o, xml_child(hardware, "RTC"), "localOrUTC");
	struct machine *m = o->r->m;

	if (!strcasecmp(chipset, "ICH9"))
		m->chipset = CHIPSET_Q35;
	else if (!strcasecmp(chipset, "PIIX3"))
		m->chipset = CHIPSET_I440FX;
	if (!strncasecmp(firmware, "EFI", 3))
		m->firmware = FIRMWARE_UEFI;
	m->localtime = !strcasecmp(clock, "local");
}

int ovf_read_vbox(struct ovf *o)
{
	xmlNode *machine = xml_child(o->system, "Machine");
	xmlNode *hardware = xml_child(machine, "Hardware");
	struct machine *m = o->r->m;
	int rc;

	if (!machine)
		return 0;
	m->has_uuid = parse_uuid(attr(o, machine, "uuid"), m->uuid);
	m->suspended = *attr(o, machine, "stateFile") != 0;
	rc = set_trimmed(o->r, &m->suspend_file, attr(o, machine, "stateFile"));
	if (!rc && *attr(o, machine, "currentSnapshot"))
		m->n_snapshots = 1;
	read_chips(o, hardware);
	if (!rc && !m->hypervisor)
		rc = machine_set(&m->hypervisor, "virtualbox", o->r->e);
	if (!rc && xml_child(xml_child(hardware, "SharedFolders"), NULL))
		rc = NOTE(o->r, "vbox-shared-folder", "Folders of the host are "
			  "shared with the guest.");
	return rc ? rc : read_network(o, hardware);
}
