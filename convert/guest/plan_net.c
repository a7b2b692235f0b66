/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_net.c - the old name of each interface stays at its MAC, so that what names
 * it (ifupdown, networkd, NetworkManager, netplan) goes on as it was.
 *
 * udev names a card by its place on the bus, which another machine changes.  A
 * .link file (systemd.link(5)) that matches the MAC says the name instead; before
 * systemd a rule of udev's.  Which card an old name belongs to is known from, in
 * this order: a MAC beside it in the configuration; VMware's slot number, which is
 * the number in "ens192"; the order of names and cards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"
#include "convert/guest/plan.h"
#include "imgfmt/base/buf.h"

#define NAME_MAX_LEN 16u	/* IFNAMSIZ */

/* The name of a card: of "ens192.100" the first part; "" for what is none. */
static void card_name(const struct linux_iface *i, char out[NAME_MAX_LEN])
{
	static const char *const prefixes[] = { "en", "eth", "em", "p1p", "p2p",
						"p3p", "p4p", "lan", "wan" };
	size_t len = strcspn(i->name, ".:");
	bool card = *i->mac;

	*out = 0;
	for (size_t j = 0; j < sizeof(prefixes) / sizeof(*prefixes); j++)
		card |= !strncmp(i->name, prefixes[j], strlen(prefixes[j]));
	if (!card || !len || len >= NAME_MAX_LEN ||
	    strcspn(i->name, "*?[! \t/%\"\\") < len)
		return;
	memcpy(out, i->name, len);
	out[len] = 0;
}

static bool is_taken(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->args->n_nics; i++)
		if (!strcmp(p->args->nics[i].name, name))
			return true;
	return false;
}

static void by_mac(struct plan *p)
{
	char name[NAME_MAX_LEN];

	for (size_t n = 0; n < p->args->n_nics; n++) {
		struct linux_nic *nic = &p->args->nics[n];
		char mac[18];

		linux_mac(mac, nic->old_mac);
		for (size_t i = 0; i < p->g->n_ifaces && !*nic->name; i++) {
			if (!*mac || strcmp(p->g->ifaces[i].mac, mac))
				continue;
			card_name(&p->g->ifaces[i], name);
			if (!is_taken(p, name))
				memcpy(nic->name, name, sizeof(name));
		}
	}
}

static void by_slot(struct plan *p)
{
	char name[NAME_MAX_LEN], want[NAME_MAX_LEN];

	for (size_t n = 0; n < p->args->n_nics; n++) {
		struct linux_nic *nic = &p->args->nics[n];

		snprintf(want, sizeof(want), "ens%u", nic->pci_slot);
		for (size_t i = 0; i < p->g->n_ifaces && nic->pci_slot &&
		     !*nic->name; i++) {
			card_name(&p->g->ifaces[i], name);
			if (!strcmp(name, want) && !is_taken(p, name))
				memcpy(nic->name, name, sizeof(name));
		}
	}
}

/* The names that are left, as people count: ens33 before ens160. */
static void by_order(struct plan *p)
{
	char name[NAME_MAX_LEN], best[NAME_MAX_LEN];

	for (size_t n = 0; n < p->args->n_nics; n++) {
		struct linux_nic *nic = &p->args->nics[n];

		if (*nic->name)
			continue;
		*best = 0;
		for (size_t i = 0; i < p->g->n_ifaces; i++) {
			card_name(&p->g->ifaces[i], name);
			/* What has a MAC is another card's, perhaps a past one. */
			if (*p->g->ifaces[i].mac && *nic->old_mac)
				continue;
			if (*name && !is_taken(p, name) &&
			    (!*best || strverscmp(name, best) < 0))
				memcpy(best, name, sizeof(name));
		}
		memcpy(nic->name, best, sizeof(best));
	}
}

/* Is the name given to this MAC already, by a file that stays? */
static bool is_given(const struct plan *p, const char *name, const char *mac)
{
	for (size_t i = 0; i < p->g->n_ifaces; i++) {
		const struct linux_iface *f = &p->g->ifaces[i];

		if ((!strcmp(f->manager, "link") || !strcmp(f->manager, "udev")) &&
		    !strcmp(f->name, name) && !strcmp(f->mac, mac))
			return true;
	}
	return false;
}

/* By the name of its library. */
static int version_entry(void *arg, const char *name,
			 const struct tree_node *node)
{
	unsigned version;

	(void)node;
	if (sscanf(name, "libsystemd-shared-%4u", &version) == 1)
		*(unsigned *)arg = version;
	return 0;
}

unsigned plan_systemd_version(const struct plan *p)
{
	static const char *const dirs[] = { "/lib/systemd", "/usr/lib/systemd",
		"/usr/lib/x86_64-linux-gnu/systemd" };
	unsigned version = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs) && !version; i++)
		tree_list(p->g->tree, dirs[i], version_entry, &version, NULL);
	return version;
}

static int write_link(struct plan *p, const char *name, const char *mac,
		      struct err *e)
{
	/* Bridges and VLANs have the MAC of their card.  Type= knows a card from
	 * them since 243; before that its driver does.
	 */
	const char *only = plan_systemd_version(p) >= 243 ? "Type=ether" :
		"Driver=virtio_net";
	char *path = str_printf("/etc/systemd/network/10-%s.link", name);
	char *text = str_printf("# The name that this interface had before its "
				"machine was converted.\n[Match]\nMACAddress=%s\n"
				"%s\n\n[Link]\nName=%s\n", mac, only, name);
	char *why = str_printf("The interface with the MAC %s keeps the name %s.",
			       mac, name);
	int rc = path && text && why ?
		plan_write(p, path, text, "interface-name", why, e) :
		fail(e, ENOMEM, "no memory for a plan");

	free(path);
	free(text);
	free(why);
	return rc;
}

static int write_rule(struct plan *p, const char *name, const char *mac,
		      struct err *e)
{
	static const char path[] = "/etc/udev/rules.d/70-persistent-net.rules";
	char *old, *text, *why;
	int rc = plan_text(p, path, &old, e);

	if (rc)
		return rc;
	text = str_printf("%sSUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\","
			  " ATTR{address}==\"%s\", ATTR{type}==\"1\", "
			  "NAME=\"%s\"\n", old ? old : "", mac, name);
	why = str_printf("The interface with the MAC %s keeps the name %s.", mac,
			 name);
	rc = text && why ? plan_write(p, path, text, "interface-name", why, e) :
		fail(e, ENOMEM, "no memory for a plan");
	free(old);
	free(text);
	free(why);
	return rc;
}

/* The old MAC, in any case, becomes the new one. */
static char *replace_mac(const char *text, const char *old, const char *new)
{
	struct text out = { 0 };
	bool any = false;

	while (*text) {
		if (strncasecmp(text, old, 17)) {
			text_put(&out, text++, 1);
			continue;
		}
		text_puts(&out, new);
		text += 17;
		any = true;
	}
	if (any && !out.failed)
		return out.p;
	free(out.p);
	return NULL;
}

static int move_mac(struct plan *p, const char *old, const char *new,
		    struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->g->n_ifaces && !rc; i++) {
		const struct linux_iface *f = &p->g->ifaces[i];
		char *text, *changed;

		if (strcmp(f->mac, old))
			continue;
		rc = plan_text(p, f->file, &text, e);
		changed = !rc && text ? replace_mac(text, old, new) : NULL;
		if (changed)
			rc = plan_write(p, f->file, changed, "interface-mac",
					"The interface is known there by its MAC, "
					"which is a new one.", e);
		free(changed);
		free(text);
	}
	return rc;
}

static int plan_nic(struct plan *p, struct linux_nic *nic, struct err *e)
{
	char old[18], mac[18];
	int rc = 0;

	linux_mac(old, nic->old_mac);
	linux_mac(mac, *nic->new_mac ? nic->new_mac : nic->old_mac);
	if (*old && strcmp(old, mac))
		rc = move_mac(p, old, mac, e);
	if (rc || !*nic->name || !*mac)
		return rc;
	/* With the move above a file that gives the name gives it to the new one. */
	if (is_given(p, nic->name, *old ? old : mac))
		return 0;
	/* The kernel's own names come in the order of the cards again. */
	if (p->g->ifnames_off && !strncmp(nic->name, "eth", 3))
		return 0;
	if (tree_exists(p->g->tree, "/lib/systemd/systemd-udevd") ||
	    tree_exists(p->g->tree, "/usr/lib/systemd/systemd-udevd"))
		return write_link(p, nic->name, mac, e);
	return p->g->has_udev ? write_rule(p, nic->name, mac, e) : 0;
}

int plan_network(struct plan *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->args->n_nics; i++)
		*p->args->nics[i].name = 0;
	by_mac(p);
	by_slot(p);
	by_order(p);
	for (size_t i = 0; i < p->args->n_nics && !rc; i++)
		rc = plan_nic(p, &p->args->nics[i], e);
	return rc;
}
