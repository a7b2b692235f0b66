/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset.c - which operations there are, and what they share. */
#include "clone/reset.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "clone/reset_parts.h"
#include "convert/machine/machine.h"
#include "imgfmt/base/buf.h"

#define MAX_NAMES 65536u	/* in one folder */

static const struct {
	struct reset_op_info info;
	int (*plan)(struct reset *r, struct err *e);	/* NULL: not in the guest */
} ops[RESET_N_OPS] = {
	[RESET_MACHINE_UUID] = { { "machine-uuid", "The description gets a new "
		"UUID and generation id.", true }, NULL },
	[RESET_NIC_MACS] = { { "nic-macs", "Network cards get new MACs "
		"(52:54:00:...).", true }, NULL },
	[RESET_MACHINE_ID] = { { "machine-id", "/etc/machine-id is emptied, and "
		"systemd makes a new one at boot; a guest without systemd gets "
		"one here.", true }, reset_machine_id },
	[RESET_SSH_HOSTKEYS] = { { "ssh-hostkeys", "SSH host keys are removed "
		"where the guest makes new ones at boot, else replaced by new "
		"ones.", true }, reset_ssh_hostkeys },
	[RESET_HOSTNAME] = { { "hostname", "/etc/hostname and what names the "
		"host beside it: hosts, mailname, postfix, exim4, "
		"sysconfig/network.", true }, reset_hostname },
	[RESET_DHCP] = { { "dhcp", "Leases and DUIDs of DHCP clients are "
		"removed: dhclient, NetworkManager, networkd, dhcpcd, wicked.",
		true }, reset_dhcp },
	[RESET_RANDOM_SEED] = { { "random-seed", "The seed of the random "
		"numbers is replaced by fresh random bytes.", true },
		reset_random_seed },
	[RESET_NET_CONFIG_MACS] = { { "net-config-macs", "Network "
		"configuration, udev rules and .link files that name an old "
		"MAC name the new one, so that interfaces keep their names.",
		true }, reset_net_config_macs },
	[RESET_CLOUD_INIT] = { { "cloud-init", "What cloud-init knows of the "
		"instance is removed (/var/lib/cloud but its seed); it takes "
		"the clone for a new one.", true }, reset_cloud_init },
	[RESET_STORAGE_IDS] = { { "storage-ids", "The names by which the host "
		"logs in at storage are new: iSCSI's initiator, NVMe's hostnqn "
		"and hostid.", true }, reset_storage_ids },
	[RESET_NM_UUIDS] = { { "nm-uuids", "NetworkManager's connections get "
		"new UUIDs.", false }, reset_nm_uuids },
	[RESET_CREDENTIAL_SECRET] = { { "credential-secret", "systemd's "
		"credential.secret is removed; what is encrypted with it "
		"cannot be read any more.", false }, reset_credential_secret },
	[RESET_LOGS] = { { "logs", "The journal in /var/log/journal is removed.",
		false }, reset_logs },
	[RESET_SHELL_HISTORY] = { { "shell-history", "The shells' histories of "
		"root and in /home are removed.", false },
		reset_shell_history },
};

const struct reset_op_info *reset_op_info(enum reset_op op)
{
	return &ops[op].info;
}

uint32_t reset_ops_default(void)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < RESET_N_OPS; i++)
		set |= (uint32_t)ops[i].info.on << i;
	return set;
}

int reset_ops_change(uint32_t *set, const char *names, bool enable,
		     struct err *e)
{
	for (const char *at = names;;) {
		size_t len = strcspn(at, ",");
		uint32_t bits = 0;

		for (unsigned i = 0; i < RESET_N_OPS; i++)
			if ((len == 3 && !memcmp(at, "all", 3)) ||
			    (strlen(ops[i].info.name) == len &&
			     !memcmp(at, ops[i].info.name, len)))
				bits |= UINT32_C(1) << i;
		if (!bits)
			return fail(e, EINVAL, "there is no operation '%.*s'; "
				    "--list-operations tells which there are",
				    (int)min_u64(len, 100), at);
		*set = enable ? *set | bits : *set & ~bits;
		if (!at[len])
			return 0;
		at += len + 1;
	}
}

/* What they share. */

struct listing {
	const char *pattern;
	struct names *names;
};

static int take_name(void *arg, const char *name, const struct tree_node *node)
{
	struct listing *l = arg;
	struct names *names = l->names;

	(void)node;
	if (fnmatch(l->pattern, name, FNM_PERIOD))
		return 0;
	if (names->n >= MAX_NAMES)
		return -E2BIG;
	if (array_grow(&names->list, &names->cap, names->n + 1,
		       sizeof(*names->list)))
		return -ENOMEM;
	names->list[names->n] = strdup(name);
	return names->list[names->n++] ? 0 : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int reset_list(struct reset *r, const char *folder, const char *pattern,
	       struct names *out, struct err *e)
{
	struct listing l = { pattern, out };
	struct err why = { "" };
	int rc;

	memset(out, 0, sizeof(*out));
	rc = tree_list(r->tree, folder, take_name, &l, &why);
	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP)
		return 0;
	if (rc) {
		reset_names_free(out);
		if (rc == -E2BIG || rc == -ENOMEM)
			return fail_rc(e, rc, "'%s' in the guest", folder);
		return fail(e, -rc, "%s", why.text);
	}
	if (out->n)
		qsort(out->list, out->n, sizeof(*out->list), by_name);
	return 0;
}

void reset_names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
	memset(names, 0, sizeof(*names));
}

int reset_text(struct reset *r, const char *path, char **text, size_t *len,
	       struct err *e)
{
	int rc = edits_read(r->edits, path, RESET_MAX_TEXT, text, len, e);

	if (rc == -ENOENT || rc == -ENOTDIR || rc == -EISDIR || rc == -ELOOP ||
	    rc == -EFBIG || rc == -EINVAL) {
		*text = NULL;
		*len = 0;
		return 0;
	}
	return rc;
}

int reset_write(struct reset *r, enum reset_op op, const char *path,
		const void *data, size_t len, const char *why, uint32_t mode,
		struct err *e)
{
	struct edit_new n = { ops[op].info.name, why, mode, 0, 0 };

	return edits_write(r->edits, path, data, len, &n, e);
}

int reset_remove(struct reset *r, enum reset_op op, const char *path,
		 const char *why, struct err *e)
{
	struct edit_new n = { .code = ops[op].info.name, .why = why };

	return edits_remove(r->edits, path, &n, e);
}

int reset_remove_all(struct reset *r, enum reset_op op, const char *folder,
		     const char *pattern, const char *why, struct err *e)
{
	struct names names;
	int rc = reset_list(r, folder, pattern, &names, e);

	for (size_t i = 0; i < names.n && !rc; i++) {
		char *path = str_printf("%s/%s", folder, names.list[i]);

		rc = path ? reset_remove(r, op, path, why, e)
		     : fail(e, ENOMEM, "out of memory");
		free(path);
	}
	reset_names_free(&names);
	return rc;
}

int reset_random(void *buf, size_t len, struct err *e)
{
	if (getrandom(buf, len, 0) == (ssize_t)len)
		return 0;
	return fail_rc(e, -EIO, "cannot get random bytes");
}

int reset_uuid(char out[37], struct err *e)
{
	uint8_t raw[16];
	int rc = reset_random(raw, sizeof(raw), e);

	raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);	/* RFC 4122: random */
	raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
	machine_uuid_text(raw, out);
	return rc;
}

int reset_check(const struct linux_guest *g, const struct reset_wishes *w,
		unsigned n_clones, struct err *e)
{
	const struct linux_iface *iface;
	struct address old, last, first = w->address.address;
	char text[ADDRESS_TEXT_LEN], from[ADDRESS_TEXT_LEN];
	int rc;

	if (!w->has_address)
		return 0;
	rc = reset_find_interface(g, &w->address, &iface, &old, e);
	if (rc)
		return rc;
	if (first.len == ADDRESS_NO_LEN)
		first.len = old.len;
	address_text(&first, from);
	for (unsigned i = 0; i < n_clones; i++) {
		if (address_add(&first, i, &last))
			return fail(e, ERANGE, "--static-ip: %s/%u is no place "
				    "to count %u addresses from: the network "
				    "has no %s one for a machine there", from,
				    first.len, n_clones, i ? "further" : "such");
		if (w->address.has_gateway &&
		    address_equal(&last, &w->address.gateway))
			return fail(e, EINVAL, "--static-ip: the gateway %s is "
				    "among the %u addresses from %s",
				    address_text(&last, text), n_clones, from);
	}
	return 0;
}

int reset_plan(const struct linux_guest *g, const struct reset_wishes *w,
	       struct reset_clone *c, struct edits *ed, struct err *e)
{
	struct reset r = {
		.guest = g, .wishes = w, .clone = c, .edits = ed,
		.tree = edits_tree(ed),
	};
	int rc = 0;

	for (unsigned i = 0; i < RESET_N_OPS && !rc; i++) {
		if (!ops[i].plan || !(w->ops >> i & 1))
			continue;
		rc = ops[i].plan(&r, e);
		if (rc)
			fail_prefix(e, rc, "%s", ops[i].info.name);
	}
	if (!rc && w->has_address)
		rc = reset_static_ip(&r, e);
	if (!rc && w->authorized_keys)
		rc = reset_authorized_keys(&r, e);
	return rc ? rc : reset_copy_in(&r, e);
}
