/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_write_devices.c - devices but for drives in libvirt's domain XML. */
#include <string.h>

#include "domain_write.h"

/* What a host's network device may be called (IFNAMSIZ). */
static bool is_device_name(const char *name)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:";

	return name && *name && strlen(name) < 16 && !name[strspn(name, ok)];
}

int domain_write_nic(struct writer *w, const struct machine_nic *n)
{
	bool bridge = n->kind == NIC_BRIDGE && is_device_name(n->network);
	const char *network = n->network;
	struct text *t = &w->text;
	char mac[MACHINE_MAC_LEN];
	int rc = 0;

	if ((n->kind != NIC_NETWORK && n->kind != NIC_NAT && !bridge) ||
	    (n->kind == NIC_NETWORK && !network)) {
		rc = LOSS(w, "nic-network", "A network card on %s \"%s\" is "
			  "put on the network \"default\".",
			  machine_nic_kind_name(n->kind), network ? network : "");
		network = "default";
	}
	if (n->kind == NIC_NAT && network)
		rc = LOSS(w, "nic-network", "A network card on NAT is put on "
			  "the user's network.");
	text_add(t, "    <interface type='%s'>\n", bridge ? "bridge" :
		 n->kind == NIC_NAT ? "user" : "network");
	if (n->has_mac)
		text_add(t, "      <mac address='%s'/>\n",
			 machine_mac_text(n->mac, mac));
	if (n->kind != NIC_NAT) {
		text_add(t, "      <source");
		domain_attribute(t, bridge ? "bridge" : "network", network);
		text_add(t, "/>\n");
	}
	if (n->model) {
		text_add(t, "      <model");
		domain_attribute(t, "type", n->model);
		text_add(t, "/>\n");
	}
	if (n->disconnected || n->kind == NIC_NONE)
		text_add(t, "      <link state='down'/>\n");
	if (n->boot_order)
		text_add(t, "      <boot order='%u'/>\n", n->boot_order);
	text_add(t, "    </interface>\n");
	return rc;
}

int domain_write_port(struct writer *w, const struct machine_serial *s,
		      size_t index)
{
	static const char *const kinds[][2] = {	/* ours, theirs */
		{ "pty", "pty" }, { "file", "file" }, { "pipe", "pipe" },
		{ "unix", "unix" }, { "device", "dev" }, { "null", "null" },
	};
	const char *kind = NULL;
	struct text *t = &w->text;
	int rc = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (s->kind && !strcmp(s->kind, kinds[i][0]))
			kind = kinds[i][1];
	if (!kind || (!s->target && strcmp(kind, "pty") && strcmp(kind, "null")))
		rc = LOSS(w, "serial", "The serial port to %s \"%s\" becomes a "
			  "pseudoterminal.", s->kind ? s->kind : "nothing",
			  s->target ? s->target : "");
	if (rc || !kind || (!s->target && strcmp(kind, "null")))
		kind = "pty";
	text_add(t, "    <serial type='%s'>\n", kind);
	if (strcmp(kind, "pty") && s->target) {
		text_add(t, "      <source%s", strcmp(kind, "unix") ? "" :
			 " mode='bind'");
		domain_attribute(t, "path", s->target);
		text_add(t, "/>\n");
	}
	text_add(t, "      <target port='%zu'/>\n    </serial>\n", index);
	if (!index)
		text_add(t, "    <console type='%s'>\n      <target "
			 "type='serial' port='0'/>\n    </console>\n", kind);
	return rc;
}

/* `name` if it is in the list, else `other`, with a loss. */
static int known(struct writer *w, const char *what, const char *name,
		 const char *const *list, const char *other, const char **out)
{
	*out = name;
	for (; name && *list; list++)
		if (!strcmp(name, *list))
			return 0;
	if (!name)
		return 0;
	*out = other;
	return LOSS(w, what, "\"%s\" is not known to QEMU and becomes \"%s\".",
		    name, other);
}

int domain_write_screen(struct writer *w)
{
	static const char *const videos[] = {
		"vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "ramfb",
		"none", NULL,
	};
	static const char *const graphics[] = { "vnc", "spice", NULL };
	const struct machine *m = w->m;
	struct text *t = &w->text;
	const char *name;
	int rc;

	rc = known(w, "graphics", m->graphics, graphics, "vnc", &name);
	if (!rc && name)
		text_add(t, "    <graphics type='%s' port='-1' "
			 "autoport='yes'/>\n", name);
	if (!rc)
		rc = known(w, "video", m->video, videos, "vga", &name);
	text_add(t, "    <video>\n      <model type='%s'",
		 name ? name : "none");
	if (name && m->video_memory)
		text_add(t, " vram='%llu'",
			 (unsigned long long)m->video_memory >> 10);
	text_add(t, "/>\n    </video>\n");
	if (m->usb && m->graphics)
		text_add(t, "    <input type='tablet' bus='usb'/>\n");
	return rc;
}

int domain_write_comforts(struct writer *w)
{
	static const char *const sounds[] = {
		"sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", NULL,
	};
	const struct machine *m = w->m;
	struct text *t = &w->text;
	const char *sound;
	int rc;

	rc = known(w, "sound", m->sound, sounds, "ich6", &sound);
	if (!rc && sound)
		text_add(t, "    <sound model='%s'/>\n", sound);
	text_add(t, "    <controller type='usb' index='0' model='%s'/>\n",
		 !m->usb ? "none" : !strcmp(m->usb, "xhci") ? "qemu-xhci" :
		 !strcmp(m->usb, "ehci") ? "ehci" : "piix3-uhci");
	if (m->tpm)
		text_add(t, "    <tpm model='%s'>\n      <backend "
			 "type='emulator' version='%s'/>\n    </tpm>\n",
			 !strcmp(m->tpm, "1.2") ? "tpm-tis" : "tpm-crb",
			 !strcmp(m->tpm, "1.2") ? "1.2" : "2.0");
	if (m->rng)
		text_add(t, "    <rng model='virtio'>\n      <backend "
			 "model='random'>/dev/urandom</backend>\n    </rng>\n");
	text_add(t, "    <memballoon model='%s'/>\n", m->balloon ? "virtio" :
		 "none");
	return rc;
}
