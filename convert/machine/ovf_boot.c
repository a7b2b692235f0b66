/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_boot.c - which drives and network cards a machine boots from, as VMware has it:
 *
 *	<vmw:BootOrderSection vmw:instanceId="8 7" vmw:type="disk net">
 *
 * with the InstanceIDs of hardware items, the first first.
 */
#include <string.h>

#include "ovf.h"

static const struct ovf_item *find(const struct ovf *o, const char *id,
				   size_t len)
{
	for (size_t i = 0; i < o->n_items; i++)
		if (strlen(o->items[i].id) == len &&
		    !strncmp(o->items[i].id, id, len))
			return &o->items[i];
	return NULL;
}

/* A device that is named twice keeps its first place. */
static bool set_rank(struct machine *m, const struct ovf_item *i, unsigned *rank)
{
	unsigned *order = i && i->disk ? &m->disks[i->disk - 1].boot_order :
		i && i->nic ? &m->nics[i->nic - 1].boot_order : NULL;

	if (order && !*order)
		*order = ++*rank;
	return order != NULL;
}

int ovf_read_boot(struct ovf *o)
{
	xmlNode *section = ovf_section(o, o->system, "BootOrderSection");
	const char *ids = section ? xml_attr(&o->x, section, "instanceId") : NULL;
	bool all = ids && *ids;
	unsigned rank = 0;

	if (!section)
		section = ovf_section(o, o->x.root, "BootOrderSection");
	if (!section)
		return 0;
	for (const char *p = ids; p && *p;) {
		size_t len = strcspn(p, " \t\r\n,");

		if (len)
			all &= set_rank(o->r->m, find(o, p, len), &rank);
		p += len;
		p += strspn(p, " \t\r\n,");
	}
	return all ? 0 : NOTE(o->r, "ovf-boot-order", "The order of boot devices "
			      "is set, and not all of them are known.");
}
