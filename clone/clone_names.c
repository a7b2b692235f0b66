/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_names.c - who the clones are: names, MACs, UUIDs, descriptions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clone/clone_state.h"
#include "clone/reset_parts.h"
#include "clone/template.h"
#include "imgfmt/base/buf.h"

#define FIRST_VMID 100u		/* Proxmox VE's own first one */

static int no_memory(struct err *e)
{
	return fail(e, ENOMEM, "out of memory");
}

/* The source's name without what files' names must not have. */
static char *default_template(const struct run *run)
{
	const char *name = run->source->machine.name;
	char *stem = strndup(name && *name ? name : "machine", 150), *out;

	for (char *p = stem; p && *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f ||
		    strchr("/\\:*?\"'<>|,;$&()`!%", *p))
			*p = '_';
	if (stem && (*stem == '.' || *stem == '-'))
		*stem = '_';
	out = stem ? str_printf("%s%s", stem, run->args->n > 1 ? "-%d"
				: "-clone") : NULL;
	free(stem);
	return out;
}

static int name_one(const struct run *run, const char *template, size_t i,
		    struct clone_one *one, struct err *e)
{
	const struct clone_args *a = run->args;
	unsigned number = a->first + (unsigned)i;
	int rc;

	one->name = template_expand(template, number);
	if (!one->name)
		return no_memory(e);
	rc = template_file_name("--name", one->name, e);
	if (rc)
		return rc;
	one->hostname = a->hostname ? template_expand(a->hostname, number)
			: template_make_host_name(one->name);
	if (!one->hostname)
		return no_memory(e);
	return template_host_name("--hostname", one->hostname, e);
}

static bool has_mac(const struct machine *m, const uint8_t mac[6])
{
	for (size_t i = 0; i < m->n_nics; i++)
		if (!memcmp(m->nics[i].mac, mac, 6))
			return true;
	return false;
}

/* An address of the range that KVM's tools use, which nobody else has: neither the
 * source nor another card of clone `i` and those before it.
 */
static int new_mac(const struct run *run, size_t i, uint8_t out[6],
		   struct err *e)
{
	uint8_t mac[6] = { 0x52, 0x54, 0x00 };
	bool taken;
	int rc;

	do {
		rc = reset_random(mac + 3, 3, e);
		taken = has_mac(&run->source->machine, mac);
		for (size_t k = 0; k <= i; k++)
			taken |= has_mac(&run->result->clones[k].machine, mac);
	} while (taken && !rc);
	memcpy(out, mac, 6);
	return rc;
}

static int map_mac(struct clone_one *one, const char *from, const uint8_t to[6],
		   struct err *e)
{
	size_t cap = one->n_macs;

	if (array_grow(&one->macs, &cap, one->n_macs + 1, sizeof(*one->macs)))
		return no_memory(e);
	strncpy(one->macs[one->n_macs].from, from, 17);
	one->macs[one->n_macs].from[17] = 0;
	machine_mac_text(to, one->macs[one->n_macs++].to);
	return 0;
}

/* The next MAC that the guest's configuration names, and that is neither one of the
 * source's cards nor mapped yet; *at begins with 0.  NULL: no more.
 */
static const char *next_pinned(const struct run *run,
			       const struct clone_one *one, size_t *at)
{
	const struct machine *m = &run->source->machine;
	const struct linux_guest *g = run->source->guest;

	while (*at < g->n_ifaces) {
		const char *mac = g->ifaces[(*at)++].mac;
		char text[MACHINE_MAC_LEN];
		bool known = !*mac;

		for (size_t i = 0; i < one->n_macs; i++)
			known |= !strcasecmp(one->macs[i].from, mac);
		for (size_t i = 0; i < m->n_nics; i++)
			known |= m->nics[i].has_mac &&
				 !strcasecmp(machine_mac_text(m->nics[i].mac,
							      text), mac);
		if (!known)
			return mac;
	}
	return NULL;
}

/* Another MAC for a card, whose old one (NULL: none) is in the guest's files. */
static int change_nic(struct run *run, size_t i, struct clone_one *one,
		      size_t card, const char *old, struct err *e)
{
	uint8_t mac[6];
	int rc = new_mac(run, i, mac, e);

	memcpy(one->machine.nics[card].mac, mac, 6);
	one->machine.nics[card].has_mac = true;
	return rc || !old ? rc : map_mac(one, old, mac, e);
}

/* A card whose MAC the description does not say takes one that the guest's
 * configuration names; and a machine that was made up has a card for each of those.
 */
static int new_macs(struct run *run, size_t i, struct clone_one *one,
		    struct err *e)
{
	struct machine *m = &one->machine;
	size_t at = 0, said = m->n_nics;
	const char *old;
	int rc = 0;

	for (size_t k = 0; k < said && !rc; k++) {
		char text[MACHINE_MAC_LEN];

		old = m->nics[k].has_mac ? machine_mac_text(m->nics[k].mac, text)
		      : next_pinned(run, one, &at);
		rc = change_nic(run, i, one, k, old, e);
	}
	while (!rc && run->source->made_up &&
	       (old = next_pinned(run, one, &at))) {
		struct machine_nic *nic = machine_add_nic(m);

		if (!nic)
			return no_memory(e);
		if (said) {
			nic->kind = m->nics[0].kind;
			rc = machine_set(&nic->network, m->nics[0].network, e);
		}
		if (!rc)
			rc = change_nic(run, i, one, m->n_nics - 1, old, e);
	}
	return rc;
}

static bool op_is_on(const struct run *run, enum reset_op op)
{
	return run->args->wishes->ops >> op & 1;
}

static bool has_virtio(const struct linux_guest *g)
{
	for (size_t i = 0; i < g->n_kernels; i++)
		if (g->kernels[i].is_default)
			return g->kernels[i].drivers[DRV_VIRTIO_BLK] >=
			       DRIVER_INITRAMFS;
	return false;
}

static int new_uuids(struct machine *m, struct err *e)
{
	int rc = reset_random(m->uuid, sizeof(m->uuid), e);

	m->uuid[6] = (uint8_t)((m->uuid[6] & 0x0f) | 0x40);
	m->uuid[8] = (uint8_t)((m->uuid[8] & 0x3f) | 0x80);
	m->has_uuid = true;
	if (!rc && m->has_genid)
		rc = reset_random(m->genid, sizeof(m->genid), e);
	return rc;
}

/* What belongs to the source's place on its host. */
static int unplace(const struct source *s, struct machine *m, struct err *e)
{
	const char *from = s->machine.source_path, *slash;
	int rc = machine_set(&m->nvram, NULL, e);

	if (!rc)
		rc = machine_set(&m->source_format, NULL, e);
	if (!rc)
		rc = machine_set(&m->source_path, NULL, e);
	slash = from ? strrchr(from, '/') : NULL;
	for (size_t i = 0; i < m->n_disks && !rc; i++) {
		struct machine_disk *d = &m->disks[i];
		char *path, *real;

		if (d->medium == MEDIUM_DISK || !d->path || *d->path == '/')
			continue;
		path = slash ? str_printf("%.*s/%s", (int)(slash - from), from,
					  d->path) : strdup(d->path);
		real = path ? realpath(path, NULL) : NULL;
		if (real)
			rc = machine_set(&d->path, real, e);
		free(path);
		free(real);
	}
	for (size_t i = 0; i < m->n_serials && !rc; i++) {
		rc = machine_set(&m->serials[i].kind, "pty", e);
		if (!rc)
			rc = machine_set(&m->serials[i].target, NULL, e);
	}
	return rc;
}

static int name_disks(const struct run *run, struct clone_one *one,
		      struct err *e)
{
	const char *format = run->args->linked ? "qcow2" : run->args->format;
	const struct source *s = run->source;
	int rc = 0;

	for (size_t i = 0; i < s->n_disks && !rc; i++) {
		struct machine_disk *d = &one->machine.disks[s->disks[i].index];
		char *name = str_printf("%s-disk%zu.%s", one->name, i + 1,
					format);

		rc = name ? machine_set(&d->file, name, e) : no_memory(e);
		if (!rc)
			rc = machine_set(&d->path, name, e);
		if (!rc)
			rc = machine_set(&d->member, NULL, e);
		if (!rc)
			rc = machine_set(&d->format, format, e);
		d->size = img_size(s->imgs[i]);
		d->snapshot = d->compressed = d->independent = false;
		free(name);
	}
	return rc;
}

static int make_machine(struct run *run, size_t i, struct clone_one *one,
			struct err *e)
{
	const struct source *s = run->source;
	struct machine_notes losses = { 0 };
	int rc = machine_copy(&s->machine, &one->machine, e);

	if (!rc)
		rc = machine_set(&one->machine.name, one->name, e);
	if (!rc && op_is_on(run, RESET_NIC_MACS))
		rc = new_macs(run, i, one, e);
	if (!rc && op_is_on(run, RESET_MACHINE_UUID))
		rc = new_uuids(&one->machine, e);
	if (!rc)
		rc = unplace(s, &one->machine, e);
	if (!rc && s->made_up && has_virtio(s->guest))
		rc = machine_make_virtio(&one->machine, &losses, e);
	machine_notes_free(&losses);
	return rc ? rc : name_disks(run, one, e);
}

int clone_name_all(struct run *run, struct err *e)
{
	const struct clone_args *a = run->args;
	char *template = a->name ? strdup(a->name) : default_template(run);
	int rc = template ? template_check("--name", template, a->n, e)
		 : no_memory(e);

	if (!rc && a->hostname)
		rc = template_check("--hostname", a->hostname, a->n, e);
	for (size_t i = 0; i < a->n && !rc; i++) {
		struct clone_one *one = &run->result->clones[i];

		rc = name_one(run, template, i, one, e);
		if (!rc)
			rc = make_machine(run, i, one, e);
		run->result->n = i + 1;
	}
	free(template);
	return rc;
}

/* What the target cannot be told is the same for all clones. */
int clone_describe_all(struct run *run, struct err *e)
{
	struct machine_write_args target = run->args->target;
	struct clone_result *result = run->result;
	char *folder = realpath(run->args->dir, NULL);
	int rc = folder ? 0 : fail_rc(e, -errno, "'%s'", run->args->dir);

	target.folder = folder;
	if (!target.vmid)
		target.vmid = FIRST_VMID;
	for (size_t i = 0; i < result->n && !rc; i++) {
		struct clone_one *one = &result->clones[i];

		rc = machine_write(run->args->to, &one->machine, &target,
				   &one->output, e);
		if (!rc && !i) {
			result->losses = one->output.losses;
			memset(&one->output.losses, 0,
			       sizeof(one->output.losses));
		}
		target.vmid++;
	}
	free(folder);
	return rc;
}
