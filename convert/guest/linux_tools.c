/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_tools.c - other hypervisors' services, swap, and where it would resume. */
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

static bool is_resumable(const struct linux_guest *g, const struct volume *v)
{
	for (size_t i = 0; i < g->n_swaps; i++)
		if (g->swaps[i].volume == v)
			return true;
	return false;
}

/* resume= of the command line, else what initramfs-tools was told. */
static int find_resume(struct linux_guest *g, struct err *e)
{
	const char *at = strstr(g->boot.cmdline, "resume=");
	char *text, *rest, *line, *value;
	int rc;

	if (at) {
		at += 7;
		g->resume = linux_printf(g, "%.*s", (int)strcspn(at, " \t"), at);
		return 0;
	}
	rc = linux_text(g, "/etc/initramfs-tools/conf.d/resume", &text, e);
	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest)))
		if ((value = text_value(line, "RESUME")))
			g->resume = linux_keep(g, value);
	free(text);
	return 0;
}

int linux_swap(struct linux_guest *g, const struct volumes *v, struct err *e)
{
	const struct tree_mount *m;
	struct linux_swap *s;
	char name[VOLUME_NAME_LEN];
	size_t n;

	m = tree_mounts(g->tree, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(m[i].type, "swap"))
			continue;
		s = linux_more(g, &g->swaps, &g->n_swaps, sizeof(*s));
		if (!s)
			break;
		s->spec = linux_keep(g, m[i].spec);
		s->volume = m[i].volume;
	}
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->list[i].id->type, "swap") &&
		    !v->list[i].id->hibernated)
			continue;
		if (is_resumable(g, &v->list[i]))
			continue;
		s = linux_more(g, &g->swaps, &g->n_swaps, sizeof(*s));
		if (!s)
			break;
		s->spec = g->pool->empty;
		s->volume = &v->list[i];
	}
	for (size_t i = 0; i < g->n_swaps; i++) {
		s = &g->swaps[i];
		s->hibernated = s->volume && s->volume->id->hibernated;
		if (s->hibernated)
			linux_refuse(g, "hibernated", "Boot it on its old host "
				     "once more and shut it down.", "The guest is "
				     "hibernated: %s holds its memory.",
				     volume_name(s->volume, name));
	}
	return find_resume(g, e);
}
