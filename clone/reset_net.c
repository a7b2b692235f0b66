/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset_net.c - the network: old MACs in its configuration, a static address,
 * NetworkManager's UUIDs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clone/reset_parts.h"
#include "imgfmt/base/buf.h"

#define CONNECTIONS "/etc/NetworkManager/system-connections"

/* Where MACs stand. */
static const struct {
	const char *folder, *pattern;
} configs[] = {
	{ "/etc/udev/rules.d", "*.rules" },
	{ "/etc/systemd/network", "*.link" },
	{ "/etc/systemd/network", "*.network" },
	{ "/etc/systemd/network", "*.netdev" },
	{ "/etc/netplan", "*.yaml" },
	{ "/etc/netplan", "*.yml" },
	{ CONNECTIONS, "*" },
	{ "/etc/network", "interfaces" },
	{ "/etc/network/interfaces.d", "*" },
	{ "/etc/sysconfig/network-scripts", "ifcfg-*" },
	{ "/etc/sysconfig/network", "ifcfg-*" },
	{ "/etc", "iftab" },
	{ "/etc", "mactab" },
	{ "/etc", "dhcpcd.conf" },
	{ "/etc/dhcp", "dhclient*.conf" },
	{ "/etc/cloud/cloud.cfg.d", "*.cfg" },
};

static int new_macs_in(struct reset *r, const char *path, struct err *e)
{
	char *text;
	size_t len;
	int rc = reset_text(r, path, &text, &len, e);

	if (!rc && text && netconf_set_macs(text, len, r->clone->macs,
					    r->clone->n_macs))
		rc = reset_write(r, RESET_NET_CONFIG_MACS, path, text, len,
				 "The new network card keeps the old one's "
				 "name and settings.", 0, e);
	free(text);
	return rc;
}

int reset_net_config_macs(struct reset *r, struct err *e)
{
	int rc = 0;

	if (!r->clone->n_macs)
		return 0;
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]) && !rc;
	     i++) {
		struct names names;

		rc = reset_list(r, configs[i].folder, configs[i].pattern,
				&names, e);
		for (size_t k = 0; k < names.n && !rc; k++) {
			char *path = str_printf("%s/%s", configs[i].folder,
						names.list[k]);

			rc = path ? new_macs_in(r, path, e)
			     : fail(e, ENOMEM, "out of memory");
			free(path);
		}
		reset_names_free(&names);
	}
	return rc;
}

/* Its first address of that kind. */
static bool static_address(const struct linux_iface *f, bool v6,
			   struct address *out)
{
	for (size_t i = 0; i < f->n_addresses; i++)
		if (!address_parse(f->addresses[i], strlen(f->addresses[i]),
				   out) && out->v6 == v6)
			return true;
	return false;
}

/* A gateway outside of the network cannot be reached. */
static int check_gateway(const struct linux_iface *f,
			 const struct address_wish *wish,
			 const struct address *old, struct err *e)
{
	unsigned len = wish->address.len == ADDRESS_NO_LEN ? old->len
		       : wish->address.len;
	struct address gateway;

	if (wish->has_gateway)
		return *f->gateway ? 0
		       : fail(e, ENOENT, "--static-ip: %s has no gateway in "
			      "'%s' that gw= could change", f->name, f->file);
	if (address_parse(f->gateway, strlen(f->gateway), &gateway) ||
	    gateway.v6 != wish->address.v6 || len == ADDRESS_NO_LEN ||
	    address_same_network(&gateway, &wish->address, len) ||
	    !address_same_network(&gateway, old, old->len))
		return 0;
	return fail(e, EINVAL, "--static-ip: the gateway %s of %s is not in the "
		    "new network; add ,gw=ADDRESS", f->gateway, f->name);
}

int reset_find_interface(const struct linux_guest *g,
			 const struct address_wish *wish,
			 const struct linux_iface **out, struct address *old,
			 struct err *e)
{
	const char *kind = wish->address.v6 ? "IPv6" : "IPv4";

	for (size_t i = 0; i < g->n_ifaces; i++) {
		const struct linux_iface *f = &g->ifaces[i];

		if (!strcmp(f->name, "lo") ||
		    (*wish->interface && strcmp(f->name, wish->interface)) ||
		    !static_address(f, wish->address.v6, old))
			continue;
		*out = f;
		return check_gateway(f, wish, old, e);
	}
	if (*wish->interface)
		return fail(e, ENOENT, "--static-ip: the guest has no static "
			    "%s address for an interface '%s' that could "
			    "change", kind, wish->interface);
	return fail(e, ENOENT, "--static-ip: no interface of the guest has a "
		    "static %s address that could change", kind);
}

/* What names the host by its address. */
static int change_hosts(struct reset *r, const struct address *old,
			const struct edit_new *n, struct err *e)
{
	char *text, *out = NULL;
	size_t len;
	int rc = reset_text(r, "/etc/hosts", &text, &len, e);

	if (!rc && text &&
	    netconf_replace_address(text, old, &r->clone->address, &out))
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc && out)
		rc = edits_write(r->edits, "/etc/hosts", out, strlen(out), n,
				 e);
	free(text);
	free(out);
	return rc;
}

int reset_static_ip(struct reset *r, struct err *e)
{
	static const struct edit_new n = {
		.code = "static-ip", .why = "The clone's own address.",
	};
	const struct address_wish *wish = &r->wishes->address;
	struct netconf_change c = { .to = r->clone->address };
	const struct linux_iface *f = NULL;
	char *text = NULL, *out = NULL;
	size_t len;
	int rc = reset_find_interface(r->guest, wish, &f, &c.from, e);

	if (rc)
		return rc;
	if (c.to.len == ADDRESS_NO_LEN)
		c.to.len = c.from.len;
	c.set_gateway = wish->has_gateway;
	c.gateway = wish->gateway;
	if (c.set_gateway &&
	    address_parse(f->gateway, strlen(f->gateway), &c.old_gateway))
		return fail(e, EINVAL, "the gateway '%s' of %s is no address",
			    f->gateway, f->name);
	rc = edits_read(r->edits, f->file, RESET_MAX_TEXT, &text, &len, e);
	if (!rc)
		rc = netconf_set_address(f->manager, text, &c, &out, e);
	if (rc)
		fail_prefix(e, rc, "static-ip: '%s'", f->file);
	if (!rc)
		rc = edits_write(r->edits, f->file, out, strlen(out), &n, e);
	if (!rc)
		rc = change_hosts(r, &c.from, &n, e);
	free(text);
	free(out);
	return rc;
}

/* NetworkManager's connections name each other by UUID (a bridge's ports), so that
 * all of them are replaced in all files.
 */
struct uuids {
	char (*old)[37], (*new)[37];
	size_t n;
};

static int find_uuid(struct reset *r, const char *path, struct uuids *u,
		     struct err *e)
{
	char *text, *line;
	size_t len;
	int rc = reset_text(r, path, &text, &len, e);

	line = text ? strstr(text, "\nuuid=") : NULL;
	if (line && strspn(line + 6, "0123456789abcdefABCDEF-") == 36) {
		memcpy(u->old[u->n], line + 6, 36);
		rc = reset_uuid(u->new[u->n++], e);
	}
	free(text);
	return rc;
}

static int replace_uuids(struct reset *r, const char *path,
			 const struct uuids *u, struct err *e)
{
	bool changed = false;
	char *text, *at;
	size_t len;
	int rc = reset_text(r, path, &text, &len, e);

	for (size_t i = 0; text && i < u->n; i++)
		for (at = text; (at = strstr(at, u->old[i])); at += 36) {
			memcpy(at, u->new[i], 36);
			changed = true;
		}
	if (changed)
		rc = reset_write(r, RESET_NM_UUIDS, path, text, len,
				 "The connection's new UUID.", 0, e);
	free(text);
	return rc;
}

int reset_nm_uuids(struct reset *r, struct err *e)
{
	struct names names;
	struct uuids u = { 0 };
	int rc = reset_list(r, CONNECTIONS, "*", &names, e);

	u.old = array_alloc(names.n + 1, sizeof(*u.old));
	u.new = array_alloc(names.n + 1, sizeof(*u.new));
	if (!rc && (!u.old || !u.new))
		rc = fail(e, ENOMEM, "out of memory");
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < names.n && !rc; i++) {
			char *path = str_printf(CONNECTIONS "/%s",
						names.list[i]);

			if (!path)
				rc = fail(e, ENOMEM, "out of memory");
			else if (!pass)
				rc = find_uuid(r, path, &u, e);
			else
				rc = replace_uuids(r, path, &u, e);
			free(path);
		}
	reset_names_free(&names);
	free(u.old);
	free(u.new);
	return rc;
}
