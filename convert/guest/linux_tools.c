/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_tools.c - other hypervisors' services. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/linux_state.h"

/* Those that have no business, or do harm, on another hypervisor. */
static const struct {
	const char *name, *unit;
} units[] = {
	{ "open-vm-tools", "open-vm-tools.service" },
	{ "open-vm-tools", "vmtoolsd.service" },
	{ "open-vm-tools", "vgauth.service" },
	{ "open-vm-tools", "vgauthd.service" },
	{ "vmware-tools", "vmware-tools.service" },
	{ "vmware-tools", "vmware-tools-thinprint.service" },
	{ "virtualbox-guest", "virtualbox-guest-utils.service" },
	{ "virtualbox-guest", "vboxservice.service" },
	{ "virtualbox-guest", "vboxadd.service" },
	{ "virtualbox-guest", "vboxadd-service.service" },
};

static void find_units(struct linux_guest *g)
{
	static const char *const dirs[] = { "/lib/systemd/system",
		"/usr/lib/systemd/system", "/etc/systemd/system",
		"/run/systemd/generator.late" };

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		char *mask = linux_printf(g, "/etc/systemd/system/%s",
					  units[i].unit), *target;
		struct linux_tool *t;
		bool there = false, masked = false, alias = false;

		for (size_t d = 0; d < sizeof(dirs) / sizeof(*dirs); d++)
			there |= linux_has(g, linux_printf(g, "%s/%s", dirs[d],
							   units[i].unit));
		if (!there)
			continue;
		if (!tree_readlink(g->tree, mask, &target, NULL)) {
			masked = !strcmp(target, "/dev/null");
			/* Another unit's second name goes with that unit. */
			alias = !masked && !text_ends(target, units[i].unit);
			free(target);
		}
		if (alias)
			continue;
		t = linux_more(g, &g->tools, &g->n_tools, sizeof(*t));
		if (!t)
			return;
		t->name = units[i].name;
		t->unit = linux_keep(g, units[i].unit);
		t->enabled = !masked;
	}
}

/* Scripts of SysV init, which nothing masks. */
static void find_scripts(struct linux_guest *g)
{
	static const char *const scripts[] = { "open-vm-tools", "vmware-tools",
		"vboxadd", "vboxadd-service", "virtualbox-guest-utils" };

	if (g->has_systemd)
		return;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		if (linux_has(g, linux_printf(g, "/etc/init.d/%s", scripts[i])))
			linux_note(g, "the init script %s of another hypervisor "
				   "stays on", scripts[i]);
}

int linux_tools(struct linux_guest *g, struct err *e)
{
	(void)e;
	find_units(g);
	find_scripts(g);
	return 0;
}
