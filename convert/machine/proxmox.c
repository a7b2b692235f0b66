/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxmox.c - a machine for Proxmox VE: a script that makes it with qm create, which
 * also imports the disks; and VMID.conf as /etc/pve/qemu-server has it afterwards,
 * with the volumes' names as storages on LVM, ZFS and RBD give them in this order.
 *
 * https://pve.proxmox.com/pve-docs/qm.conf.5.html
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxmox.h"

#define DEFAULT_VMID 100u

void proxmox_setting(struct proxmox *p, const char *key, const char *value)
{
	text_add(&p->w->text, "%s: %s\n", key, value);
	text_add(&p->script, " \\\n\t--%s ", key);
	text_add_shell(&p->script, value);
}

void proxmox_volume(struct proxmox *p, const char *key, unsigned long long gib,
		   const char *more)
{
	text_add(&p->w->text, "%s: %s:vm-%u-disk-%u%s\n", key, p->storage,
		 p->vmid, p->n_volumes++, more);
	text_add(&p->script, " \\\n\t--%s ", key);
	text_add_shell(&p->script, p->storage);
	text_add(&p->script, ":%llu%s", gib, more);
}

static void setting_number(struct proxmox *p, const char *key,
			   unsigned long long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", n);
	proxmox_setting(p, key, text);
}

int proxmox_check(struct proxmox *p, const char *what, const char *value)
{
	if (!value || !strpbrk(value, ",\n"))
		return 0;
	return fail(p->w->e, ENOTSUP, "The %s \"%.100s\" has a comma or line "
		    "break, which a configuration of Proxmox cannot have", what,
		    value);
}

/* The name of a machine there is one of DNS. */
static void dns_name(const struct machine *m, char out[64])
{
	const char *name = m->name ? m->name : "";
	size_t n = 0;

	for (; *name && n < 63; name++) {
		char c = *name;
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || (c == '-' && n);

		if (ok)
			out[n++] = c;
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = 0;
	if (!n)
		snprintf(out, 64, "vm");
}

/* Comments at the head of the file are the description, percent-encoded. */
static void description(struct proxmox *p)
{
	const char *s = p->w->m->description;

	if (!s)
		return;
	text_add(&p->w->text, "#");
	for (; *s; s++)
		if (*s == '\n')
			text_add(&p->w->text, "\n#");
		else if (*s == '%' || *s == ':' || (unsigned char)*s < 0x20)
			text_add(&p->w->text, "%%%02X", (unsigned char)*s);
		else
			text_add(&p->w->text, "%c", *s);
	text_add(&p->w->text, "\n");
	text_add(&p->script, " \\\n\t--description ");
	text_add_shell(&p->script, p->w->m->description);
}

static int put_cpus(struct proxmox *p)
{
	const struct machine *m = p->w->m;
	unsigned sockets = m->cores ? m->sockets : 1;
	uint64_t memory;

	if (writer_memory(p->w, &memory))
		return -ENOMEM;
	setting_number(p, "memory", div_round_up(memory, 1u << 20));
	setting_number(p, "cores", m->n_cpus / (sockets ? sockets : 1));
	setting_number(p, "sockets", sockets ? sockets : 1);
	proxmox_setting(p, "cpu", m->cpu_model && !strcmp(m->cpu_model,
		"host-passthrough") ? "host" : "x86-64-v2-AES");
	if (m->threads > 1)
		return LOSS(p->w, "cpu-threads", "Threads of a core count as "
			    "cores.");
	return 0;
}

static const char *os_type(const struct machine *m)
{
	const char *hint = m->os_hint ? m->os_hint : "";

	if (m->os == OS_LINUX)
		return "l26";
	if (m->os != OS_WINDOWS)
		return "other";
	if (strstr(hint, "11") || strstr(hint, "2022") || strstr(hint, "2025"))
		return "win11";
	return strstr(hint, "xp") || strstr(hint, "XP") ? "wxp" : "win10";
}

static int put_identity(struct proxmox *p)
{
	const struct machine *m = p->w->m;
	char name[64], uuid[MACHINE_UUID_LEN], text[64];
	int rc = 0;

	dns_name(m, name);
	description(p);
	proxmox_setting(p, "name", name);
	proxmox_setting(p, "ostype", os_type(m));
	if (m->has_uuid) {
		snprintf(text, sizeof(text), "uuid=%s",
			 machine_uuid_text(m->uuid, uuid));
		proxmox_setting(p, "smbios1", text);
	}
	if (m->has_genid)
		proxmox_setting(p, "vmgenid", machine_uuid_text(m->genid, uuid));
	if (m->name && strcmp(name, m->name))
		rc = LOSS(p->w, "name", "The name \"%s\" becomes \"%s\", for "
			  "it has to be one of DNS.", m->name, name);
	return rc;
}

static int put_firmware(struct proxmox *p)
{
	const struct machine *m = p->w->m;
	bool uefi = m->firmware == FIRMWARE_UEFI;
	char more[64];

	proxmox_setting(p, "bios", uefi ? "ovmf" : "seabios");
	if (m->chipset == CHIPSET_Q35 || (uefi && m->chipset == CHIPSET_ANY))
		proxmox_setting(p, "machine", "q35");
	if (m->localtime)
		proxmox_setting(p, "localtime", "1");
	snprintf(more, sizeof(more), ",efitype=4m,pre-enrolled-keys=%d",
		 m->secure_boot);
	if (uefi)
		proxmox_volume(p, "efidisk0", 1, more);
	if (m->tpm)
		proxmox_volume(p, "tpmstate0", 1, !strcmp(m->tpm, "1.2") ?
		       ",version=v1.2" : ",version=v2.0");
	if (m->kernel)
		return LOSS(p->w, "kernel", "A kernel outside of the disk is "
			    "not carried over.");
	return 0;
}

static int put_nic(struct proxmox *p, const struct machine_nic *n, size_t i)
{
	static const char *const models[] = {
		"e1000", "e1000e", "rtl8139", "virtio", "vmxnet3", "pcnet",
		"ne2k_pci", "i82551", "i82557b", "i82559er",
	};
	const char *model = "virtio";
	char key[32], text[200], mac[MACHINE_MAC_LEN] = "";
	bool found = !n->model;

	for (size_t k = 0; n->model && k < sizeof(models) / sizeof(models[0]);
	     k++)
		if (!strcmp(n->model, models[k])) {
			model = models[k];
			found = true;
		}
	if (n->has_mac)
		machine_mac_text(n->mac, mac);
	snprintf(key, sizeof(key), "net%zu", i);
	snprintf(text, sizeof(text), "%s%s%s,bridge=%.60s%s", model,
		 n->has_mac ? "=" : "", mac, p->bridge,
		 n->disconnected || n->kind == NIC_NONE ? ",link_down=1" : "");
	proxmox_setting(p, key, text);
	if (!found && LOSS(p->w, "nic-model", "The network card \"%s\" becomes "
			   "\"virtio\".", n->model))
		return -ENOMEM;
	if (n->network && strcmp(n->network, p->bridge))
		return LOSS(p->w, "nic-network", "The network card on \"%s\" is "
			    "put on the bridge %s.", n->network, p->bridge);
	return 0;
}

static int put_comforts(struct proxmox *p)
{
	static const char *const vgas[][2] = {
		{ "qxl", "qxl" }, { "vmvga", "vmware" }, { "virtio", "virtio" },
		{ "cirrus", "cirrus" },
	};
	const struct machine *m = p->w->m;
	const char *vga = "std";
	bool port = false;

	for (size_t i = 0; i < m->n_serials && i < 4; i++) {
		char key[16];

		snprintf(key, sizeof(key), "serial%zu", i);
		proxmox_setting(p, key, "socket");
		port = true;
	}
	if (m->rng)
		proxmox_setting(p, "rng0", "source=/dev/urandom");
	if (!m->balloon)
		proxmox_setting(p, "balloon", "0");
	for (size_t i = 0; m->video && i < sizeof(vgas) / sizeof(vgas[0]); i++)
		if (!strcmp(m->video, vgas[i][0]))
			vga = vgas[i][1];
	proxmox_setting(p, "vga", !m->video && port ? "serial0" : vga);
	proxmox_setting(p, "agent", "0");
	if (m->sound)
		return LOSS(p->w, "sound", "The sound card is left out.");
	return 0;
}

static int put_all(struct proxmox *p)
{
	const struct machine *m = p->w->m;
	char boot[280];
	int rc;

	rc = put_identity(p);
	if (!rc)
		rc = put_cpus(p);
	if (!rc)
		rc = put_firmware(p);
	if (!rc)
		rc = proxmox_scsi(p);
	for (size_t i = 0; i < m->n_disks && !rc; i++)
		rc = proxmox_disk(p, &m->disks[i]);
	for (size_t i = 0; i < m->n_nics && !rc; i++)
		rc = put_nic(p, &m->nics[i], i);
	if (!rc)
		rc = put_comforts(p);
	snprintf(boot, sizeof(boot), "order=%.250s", p->order);
	if (*p->order)
		proxmox_setting(p, "boot", boot);
	return rc ? rc : writer_losses(p->w);
}

int proxmox_write(struct writer *w)
{
	struct proxmox p = {
		.w = w, .vmid = w->args->vmid ? w->args->vmid : DEFAULT_VMID,
		.storage = w->args->storage ? w->args->storage : "local-lvm",
		.bridge = w->args->bridge ? w->args->bridge : "vmbr0",
	};
	char name[24];
	int rc;

	rc = proxmox_check(&p, "storage", p.storage);
	if (!rc)
		rc = proxmox_check(&p, "bridge", p.bridge);
	text_add(&p.script, "#!/bin/sh\n# Makes the machine on a Proxmox VE "
		 "host and imports its disks, which lie beside\n# this "
		 "script.  Another VMID may be given: sh IMPORT.sh 123\n"
		 "set -eu\nhere=$(cd \"$(dirname \"$0\")\" && pwd)\n"
		 "qm create \"${1:-%u}\"", p.vmid);
	if (!rc)
		rc = put_all(&p);
	text_add(&p.script, "\n");
	snprintf(name, sizeof(name), "%u.conf", p.vmid);
	if (!rc)
		rc = writer_named(w, name, false);
	if (!rc) {
		free(w->text.p);
		w->text = p.script;
		p.script = (struct text){ 0 };
		rc = writer_file(w, "-import.sh", true);
	}
	free(p.script.p);
	return rc;
}
