/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_json.c - what is known of a Linux guest, for programs. */
#include <string.h>

#include "convert/guest/linux.h"
#include "imgfmt/base/json.h"

static json_t *kernel_json(const struct linux_kernel *k)
{
	static const char *const where[] = { "none", "module", "initramfs",
					     "builtin" };
	json_t *j = json_object(), *drivers = json_object();

	json_put_string(j, "version", k->version);
	json_put_string(j, "vmlinuz", k->vmlinuz);
	if (k->initrd)
		json_put_string(j, "initrd", k->initrd);
	if (k->modules)
		json_put_string(j, "modules", k->modules);
	json_put_bool(j, "default", k->is_default);
	json_put_string(j, "generator", k->generator);
	json_put_string(j, "compression", k->compression);
	json_put_size(j, "initrd-size", k->initrd_size);
	if (k->initrd_error)
		json_put_string(j, "initrd-error", k->initrd_error);
	for (unsigned i = 0; i < LINUX_N_DRIVERS; i++)
		json_put_string(drivers, linux_driver_name(i),
				where[k->drivers[i]]);
	json_object_set_new(j, "drivers", drivers);
	json_put_bool(j, "needs-splice", k->needs_splice);
	return j;
}

static json_t *iface_json(const struct linux_iface *i)
{
	json_t *j = json_object(), *addresses = json_array();

	json_put_string(j, "name", i->name);
	json_put_string(j, "mac", i->mac);
	json_put_string(j, "manager", i->manager);
	json_put_bool(j, "dhcp", i->dhcp);
	for (size_t n = 0; n < i->n_addresses; n++)
		json_array_append_new(addresses, json_text(i->addresses[n]));
	json_object_set_new(j, "addresses", addresses);
	json_put_string(j, "gateway", i->gateway);
	json_put_string(j, "file", i->file);
	return j;
}

static json_t *boot_json(const struct linux_boot *b)
{
	static const char *const loaders[] = { "none", "grub2", "extlinux",
		"grub1", "lilo", "systemd-boot" };
	json_t *j = json_object();

	json_put_string(j, "loader", loaders[b->loader]);
	json_put_string(j, "config", b->config);
	json_put_bool(j, "bios", b->bios);
	json_put_bool(j, "uefi", b->uefi);
	if (b->has_core) {
		json_put_size(j, "core-disk", b->core_disk);
		json_put_size(j, "core-sector", b->core_lba);
	}
	json_put_string(j, "command-line", b->cmdline);
	json_put_bool(j, "serial-console", b->serial);
	return j;
}

static json_t *swap_json(const struct linux_swap *s)
{
	char name[VOLUME_NAME_LEN];
	json_t *j = json_object();

	json_put_string(j, "spec", s->spec);
	if (s->volume)
		json_put_string(j, "volume", volume_name(s->volume, name));
	json_put_bool(j, "hibernated", s->hibernated);
	return j;
}

static json_t *refusal_json(const struct linux_refusal *r)
{
	json_t *j = json_object();

	json_put_string(j, "code", r->code);
	json_put_string(j, "why", r->why);
	json_put_string(j, "fix", r->fix);
	return j;
}

static json_t *tool_json(const struct linux_tool *t)
{
	json_t *j = json_object();

	json_put_string(j, "name", t->name);
	json_put_string(j, "unit", t->unit);
	json_put_bool(j, "enabled", t->enabled);
	return j;
}

#define LIST_JSON(j, key, list, n, each)				\
	do {								\
		json_t *array_ = json_array();				\
		for (size_t i_ = 0; i_ < (n); i_++)			\
			json_array_append_new(array_, each(&(list)[i_])); \
		json_object_set_new(j, key, array_);			\
	} while (0)

static json_t *note_json(char *const *note)
{
	return json_text(*note);
}

struct json_t *linux_json(const struct linux_guest *g)
{
	static const char *const selinux[] = { "none", "disabled", "permissive",
					       "enforcing" };
	char name[VOLUME_NAME_LEN];
	json_t *j = json_object();

	if (!j)
		return NULL;
	if (g->root)
		json_put_string(j, "root", volume_name(g->root, name));
	json_put_string(j, "id", g->id);
	json_put_string(j, "id-like", g->id_like);
	json_put_string(j, "version-id", g->version_id);
	json_put_string(j, "pretty-name", g->pretty_name);
	json_put_string(j, "arch", g->arch);
	json_put_string(j, "hostname", g->hostname);
	json_put_string(j, "machine-id", g->machine_id);
	json_put_bool(j, "systemd", g->has_systemd);
	json_put_bool(j, "udev", g->has_udev);
	json_put_string(j, "selinux", selinux[g->selinux]);
	json_object_set_new(j, "boot", boot_json(&g->boot));
	LIST_JSON(j, "kernels", g->kernels, g->n_kernels, kernel_json);
	LIST_JSON(j, "interfaces", g->ifaces, g->n_ifaces, iface_json);
	json_put_bool(j, "kernel-interface-names", g->ifnames_off);
	LIST_JSON(j, "tools", g->tools, g->n_tools, tool_json);
	LIST_JSON(j, "swap", g->swaps, g->n_swaps, swap_json);
	json_put_string(j, "resume", g->resume);
	LIST_JSON(j, "refusals", g->refusals, g->n_refusals, refusal_json);
	LIST_JSON(j, "notes", g->notes, g->n_notes, note_json);
	return j;
}
