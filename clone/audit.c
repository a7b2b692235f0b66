/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.c - what identifies a machine. */
#include "clone/audit.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clone/reset_parts.h"
#include "imgfmt/base/buf.h"

#define MAX_FACTS 100000u

static const struct {
	const char *name, *harm;
} kinds[AUDIT_N_KINDS] = {
	[AUDIT_MACHINE_UUID] = { "machine-uuid",
		"the hypervisor refuses the second one" },
	[AUDIT_MAC] = { "mac", "on one network, neither can be reached reliably" },
	[AUDIT_MACHINE_ID] = { "machine-id", "systemd-networkd asks for the same "
		"DHCP address, and logs mix" },
	[AUDIT_SSH_HOST_KEY] = { "ssh-host-key",
		"either can pass for the other, or listen between" },
	[AUDIT_HOSTNAME] = { "hostname", "names and logs mix" },
	[AUDIT_CONFIG_MAC] = { "config-mac", "settings follow another machine's "
		"network card" },
	[AUDIT_STATIC_ADDRESS] = { "static-address",
		"on one network, neither can be reached reliably" },
	[AUDIT_DHCP] = { "dhcp", "a DHCP server takes them for one" },
	[AUDIT_RANDOM_SEED] = { "random-seed",
		"random numbers begin alike, keys made of them too" },
	[AUDIT_CLOUD_INSTANCE] = { "cloud-instance",
		"cloud-init does not set up the second one" },
	[AUDIT_STORAGE_ID] = { "storage-id",
		"storage servers take them for one and mix their sessions" },
	[AUDIT_DISK_ID] = { "disk-id", "one host must not see both disks" },
	[AUDIT_PARTITION_ID] = { "partition-id",
		"one host must not see both disks" },
	[AUDIT_FS_UUID] = { "fs-uuid", "one host must not mount both" },
	[AUDIT_NM_UUID] = { "nm-uuid", "tools that gather connections mix them" },
	[AUDIT_CREDENTIAL_SECRET] = { "credential-secret",
		"either can read the other's systemd credentials" },
};

const char *audit_kind_name(enum audit_kind kind)
{
	return kinds[kind].name;
}

const char *audit_kind_harm(enum audit_kind kind)
{
	return kinds[kind].harm;
}

static int add(struct audit_facts *f, enum audit_kind kind, const char *where,
	       const char *value, struct err *e)
{
	struct audit_fact *fact;

	if (!*value)
		return 0;
	if (f->n >= MAX_FACTS)
		return fail(e, E2BIG, "the machine has more than %u marks of its "
			    "identity", MAX_FACTS);
	if (array_grow(&f->list, &f->cap, f->n + 1, sizeof(*f->list)))
		return fail(e, ENOMEM, "out of memory");
	fact = &f->list[f->n++];
	fact->kind = kind;
	fact->where = strdup(where);
	fact->value = strdup(value);
	return fact->where && fact->value ? 0 : fail(e, ENOMEM, "out of memory");
}

/* What is secret or long. */
static int add_digest(struct audit_facts *f, enum audit_kind kind,
		      const char *where, const void *data, size_t len,
		      struct err *e)
{
	uint8_t digest[32];
	char text[7 + 2 * 16 + 1] = "sha256:";

	if (!EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL))
		return fail(e, EIO, "libcrypto cannot compute a digest");
	for (size_t i = 0; i < 16; i++) {
		text[7 + 2 * i] = "0123456789abcdef"[digest[i] >> 4];
		text[8 + 2 * i] = "0123456789abcdef"[digest[i] & 15];
	}
	text[7 + 2 * 16] = 0;
	return add(f, kind, where, text, e);
}

static int of_description(const struct machine *m, struct audit_facts *f,
			  struct err *e)
{
	char uuid[MACHINE_UUID_LEN], mac[MACHINE_MAC_LEN];
	int rc = m->has_uuid ? add(f, AUDIT_MACHINE_UUID, "description",
				   machine_uuid_text(m->uuid, uuid), e) : 0;

	for (size_t i = 0; i < m->n_nics && !rc; i++)
		if (m->nics[i].has_mac)
			rc = add(f, AUDIT_MAC, "description",
				 machine_mac_text(m->nics[i].mac, mac), e);
	return rc;
}

static int of_disks(const struct volumes *v, struct audit_facts *f,
		    struct err *e)
{
	char name[VOLUME_NAME_LEN];
	int rc = 0;

	for (size_t i = 0; i < v->n_disks && !rc; i++) {
		snprintf(name, sizeof(name), "disk %zu", i + 1);
		rc = add(f, AUDIT_DISK_ID, name, v->tables[i].uuid, e);
	}
	for (size_t i = 0; i < v->n && !rc; i++) {
		const struct volume *one = &v->list[i];

		volume_name(one, name);
		/* An MBR's are made of the disk's. */
		if (one->part && v->tables[one->disk].kind == PTABLE_GPT)
			rc = add(f, AUDIT_PARTITION_ID, name,
				 one->part->partuuid, e);
		if (!rc)
			rc = add(f, AUDIT_FS_UUID, name, one->id->uuid, e);
	}
	return rc;
}

struct look {
	enum audit_kind kind;
	const char *folder, *pattern;
	int (*take)(struct audit_facts *f, enum audit_kind kind,
		    const char *where, char *text, size_t len, struct err *e);
};

static int take_line(struct audit_facts *f, enum audit_kind kind,
		     const char *where, char *text, size_t len, struct err *e)
{
	(void)len;
	text[strcspn(text, "\r\n")] = 0;
	return strcmp(text, "uninitialized") ? add(f, kind, where, text, e) : 0;
}

static int take_digest(struct audit_facts *f, enum audit_kind kind,
		       const char *where, char *text, size_t len, struct err *e)
{
	return len ? add_digest(f, kind, where, text, len, e) : 0;
}

/* A key of either half; both have the same fingerprint. */
static int take_key(struct audit_facts *f, enum audit_kind kind,
		    const char *where, char *text, size_t len, struct err *e)
{
	char type[SSHKEY_WORD_LEN], print[SSHKEY_PRINT_LEN];

	(void)len;
	if (sshkey_fingerprint(text, type, print) &&
	    sshkey_private_fingerprint(text, type, print))
		return 0;
	return add(f, kind, where, print, e);
}

static int take_macs(struct audit_facts *f, enum audit_kind kind,
		     const char *where, char *text, size_t len, struct err *e)
{
	char mac[18];
	int rc = 0;

	for (size_t at = 0; at + 17 <= len && !rc; at++)
		if (netconf_is_mac(text + at, len - at, mac)) {
			/* All and nobody are no machine's. */
			if (strcmp(mac, "ff:ff:ff:ff:ff:ff") &&
			    strcmp(mac, "00:00:00:00:00:00"))
				rc = add(f, kind, where, mac, e);
			at += 16;
		}
	return rc;
}

/* Lines "InitiatorName=..." and "uuid=...". */
static int take_value(struct audit_facts *f, enum audit_kind kind,
		      const char *where, char *text, size_t len, struct err *e)
{
	static const char *const keys[] = { "InitiatorName=", "uuid=" };
	char *line;
	int rc = 0;

	(void)len;
	while (!rc && (line = strsep(&text, "\r\n")))
		for (size_t i = 0; i < 2 && !rc; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				rc = add(f, kind, where, line + strlen(keys[i]),
					 e);
	return rc;
}

static const struct look looks[] = {
	{ AUDIT_MACHINE_ID, "/etc", "machine-id", take_line },
	{ AUDIT_MACHINE_ID, "/var/lib/dbus", "machine-id", take_line },
	{ AUDIT_SSH_HOST_KEY, "/etc/ssh", "ssh_host_*", take_key },
	{ AUDIT_HOSTNAME, "/etc", "hostname", take_line },
	{ AUDIT_CONFIG_MAC, "/etc/udev/rules.d", "*.rules", take_macs },
	{ AUDIT_CONFIG_MAC, "/etc/systemd/network", "*", take_macs },
	{ AUDIT_CONFIG_MAC, "/etc/netplan", "*.yaml", take_macs },
	{ AUDIT_CONFIG_MAC, "/etc/NetworkManager/system-connections", "*",
	  take_macs },
	{ AUDIT_CONFIG_MAC, "/etc/network", "interfaces", take_macs },
	{ AUDIT_CONFIG_MAC, "/etc/network/interfaces.d", "*", take_macs },
	{ AUDIT_CONFIG_MAC, "/etc/sysconfig/network-scripts", "ifcfg-*",
	  take_macs },
	{ AUDIT_DHCP, "/var/lib/dhcp", "dhclient*", take_digest },
	{ AUDIT_DHCP, "/var/lib/dhclient", "dhclient*", take_digest },
	{ AUDIT_DHCP, "/var/lib/NetworkManager", "*.lease", take_digest },
	{ AUDIT_DHCP, "/var/lib/NetworkManager", "secret_key", take_digest },
	{ AUDIT_DHCP, "/var/lib/dhcpcd", "duid", take_line },
	{ AUDIT_DHCP, "/etc", "dhcpcd.duid", take_line },
	{ AUDIT_DHCP, "/var/lib/wicked", "duid.xml", take_digest },
	{ AUDIT_RANDOM_SEED, "/var/lib/systemd", "random-seed", take_digest },
	{ AUDIT_RANDOM_SEED, "/var/lib/urandom", "random-seed", take_digest },
	{ AUDIT_RANDOM_SEED, "/var/lib", "random-seed", take_digest },
	{ AUDIT_CLOUD_INSTANCE, "/var/lib/cloud/data", "instance-id",
	  take_line },
	{ AUDIT_STORAGE_ID, "/etc/iscsi", "initiatorname.iscsi", take_value },
	{ AUDIT_STORAGE_ID, "/etc/nvme", "hostnqn", take_line },
	{ AUDIT_STORAGE_ID, "/etc/nvme", "hostid", take_line },
	{ AUDIT_NM_UUID, "/etc/NetworkManager/system-connections", "*",
	  take_value },
	{ AUDIT_CREDENTIAL_SECRET, "/var/lib/systemd", "credential.secret",
	  take_digest },
};

static int look_at(struct reset *r, const struct look *l,
		   struct audit_facts *f, struct err *e)
{
	struct names names;
	int rc = reset_list(r, l->folder, l->pattern, &names, e);

	for (size_t i = 0; i < names.n && !rc; i++) {
		char *path = str_printf("%s/%s", l->folder, names.list[i]);
		char *text = NULL;
		size_t len;

		rc = path ? reset_text(r, path, &text, &len, e)
		     : fail(e, ENOMEM, "out of memory");
		if (!rc && text)
			rc = l->take(f, l->kind, path, text, len, e);
		free(path);
		free(text);
	}
	reset_names_free(&names);
	return rc;
}

static int of_guest(const struct linux_guest *g, struct audit_facts *f,
		    struct err *e)
{
	struct reset r = { .guest = g, .tree = g->tree };
	int rc = edits_new(g->tree, &r.edits, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]) && !rc; i++)
		rc = look_at(&r, &looks[i], f, e);
	for (size_t i = 0; i < g->n_ifaces && !rc; i++)
		for (size_t k = 0; k < g->ifaces[i].n_addresses && !rc; k++)
			if (strcmp(g->ifaces[i].name, "lo"))
				rc = add(f, AUDIT_STATIC_ADDRESS,
					 g->ifaces[i].file,
					 g->ifaces[i].addresses[k], e);
	edits_free(r.edits);
	return rc;
}

int audit_gather(struct source *s, struct audit_facts *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = of_description(&s->machine, out, e);
	if (!rc)
		rc = of_disks(&s->volumes, out, e);
	if (!rc && s->guest && s->guest->tree)
		rc = of_guest(s->guest, out, e);
	return rc;
}

void audit_facts_fini(struct audit_facts *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].where);
		free(f->list[i].value);
	}
	free(f->list);
	memset(f, 0, sizeof(*f));
}

static bool has(const struct audit_facts *f, size_t n,
		const struct audit_fact *fact)
{
	for (size_t i = 0; i < n; i++)
		if (f->list[i].kind == fact->kind &&
		    !strcmp(f->list[i].value, fact->value))
			return true;
	return false;
}

const struct audit_fact *audit_shared(const struct audit_facts *a,
				      const struct audit_facts *b, size_t *at)
{
	while (*at < a->n) {
		const struct audit_fact *fact = &a->list[(*at)++];

		/* Each value once, wherever else it stands. */
		if (has(b, b->n, fact) && !has(a, *at - 1, fact))
			return fact;
	}
	return NULL;
}
