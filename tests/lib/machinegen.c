/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machinegen.c - random machines. */
#include "machinegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

struct gen {
	uint64_t state;
	bool for_kvm;
	struct machine *m;
};

static unsigned pick(struct gen *g, unsigned n)
{
	g->state = g->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(g->state >> 33) % n;
}

static void set(char **field, const char *text)
{
	CHECK(!machine_set(field, text, NULL));
}

static void set_one_of(struct gen *g, char **field, const char *const *list)
{
	unsigned n = 0;

	while (list[n])
		n++;
	n = pick(g, n + 1);
	set(field, n ? list[n - 1] : NULL);
}

static void bytes(struct gen *g, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)pick(g, 256);
}

static void name(struct gen *g, char **field, const char *end)
{
	static const char *const parts[] = {
		"a", "web", "'", "\"", "<", "&amp;", " b", "\xc3\xa9", "$(x)",
		"%20", "`", "\\", ";", "*", "]]>", "0",
	};
	char text[200] = "n";

	for (unsigned i = pick(g, 5); i; i--)
		strcat(text, parts[pick(g, sizeof(parts) / sizeof(parts[0]))]);
	strcat(text, end);
	set(field, text);
}

static void disk(struct gen *g, unsigned i)
{
	static const char *const models[] = {
		"lsilogic", "pvscsi", "lsisas1068", "virtio-scsi",
	};
	static const enum machine_bus buses[] = {
		BUS_VIRTIO, BUS_SCSI, BUS_SATA, BUS_IDE, BUS_NVME,
	};
	struct machine_disk *d = machine_add_disk(g->m);

	CHECK(d);
	d->bus = buses[pick(g, g->for_kvm ? 3 : 5)];
	d->unit = i;
	if (d->bus == BUS_SCSI)
		d->controller_index = pick(g, 4);
	/* One model a controller. */
	set(&d->controller, d->bus == BUS_SCSI ? models[d->controller_index] :
	    d->bus == BUS_SATA ? "ahci" : d->bus == BUS_IDE ? "piix4" : NULL);
	if (d->bus == BUS_IDE) {
		d->controller_index = i / 2;
		d->unit = i % 2;
	}
	if (!pick(g, 6) && d->bus == BUS_SATA) {
		d->medium = MEDIUM_CDROM;
		d->readonly = true;
	}
	if (d->medium == MEDIUM_DISK || pick(g, 2)) {
		name(g, &d->path, d->medium == MEDIUM_DISK ? ".vmdk" : ".iso");
		set(&d->file, d->path);
	}
	set(&d->format, d->medium == MEDIUM_DISK ? "vmdk" : d->file ? "raw" :
	    NULL);
	d->size = (uint64_t)(pick(g, 1000) + 1) << 20;
	if (g->for_kvm)
		d->size = 0;
	d->shareable = !pick(g, 5);
	d->nonpersistent = !pick(g, 9);
	if (!pick(g, 3))
		set(&d->serial, "QM-1");
	d->boot_order = pick(g, 3) ? 0 : i + 1;
	d->independent = !g->for_kvm && !pick(g, 3);
}

static void nic(struct gen *g)
{
	static const char *const models[] = {
		"e1000", "vmxnet3", "virtio", "rtl8139", NULL,
	};
	struct machine_nic *n = machine_add_nic(g->m);

	CHECK(n);
	n->has_mac = pick(g, 4);
	if (n->has_mac)
		bytes(g, n->mac, 6);
	n->mac[0] &= 0xfe;
	n->kind = g->for_kvm ? pick(g, 2) : pick(g, 5);
	if (g->for_kvm || pick(g, 2))
		name(g, &n->network, "");
	if (g->for_kvm && n->kind == NIC_BRIDGE)
		set(&n->network, "br0");
	set_one_of(g, &n->model, models);
	n->disconnected = !pick(g, 4);
}

static void comforts(struct gen *g)
{
	static const char *const videos[] = { "vga", "qxl", "vmvga", NULL };
	static const char *const graphics[] = { "vnc", "spice", NULL };
	static const char *const sounds[] = { "ac97", "ich6", NULL };
	static const char *const usbs[] = { "uhci", "ehci", "xhci", NULL };
	static const char *const tpms[] = { "1.2", "2.0", NULL };
	struct machine *m = g->m;
	struct machine_serial *s;

	set_one_of(g, &m->video, videos);
	set_one_of(g, &m->graphics, graphics);
	set_one_of(g, &m->sound, sounds);
	set_one_of(g, &m->usb, usbs);
	set_one_of(g, &m->tpm, tpms);
	m->rng = pick(g, 2);
	m->balloon = pick(g, 2);
	for (unsigned i = pick(g, 3); i; i--) {
		s = machine_add_serial(m);
		CHECK(s);
		set(&s->kind, pick(g, 2) ? "pty" : "file");
		if (!strcmp(s->kind, "file"))
			name(g, &s->target, ".log");
	}
}

void machine_random(uint64_t seed, bool for_kvm, struct machine *out)
{
	static const char *const cpus[] = {
		"host-model", "host-passthrough", "Haswell", NULL,
	};
	struct gen g = { seed * 2654435761u + 1, for_kvm, out };
	struct machine *m = out;

	*m = (struct machine){ 0 };
	name(&g, &m->name, "");
	if (pick(&g, 2))
		name(&g, &m->description, "\nline\ttwo");
	m->has_uuid = pick(&g, 2);
	if (m->has_uuid)
		bytes(&g, m->uuid, 16);
	m->has_genid = pick(&g, 2);
	if (m->has_genid)
		bytes(&g, m->genid, 16);
	m->sockets = 1 + pick(&g, 3);
	m->cores = 1 + pick(&g, 4);
	m->threads = 1;
	m->n_cpus = m->sockets * m->cores;
	m->memory = (uint64_t)(pick(&g, 9999) + 1) << 20;
	set_one_of(&g, &m->cpu_model, cpus);
	m->firmware = pick(&g, 2);
	m->secure_boot = m->firmware == FIRMWARE_UEFI && pick(&g, 2);
	m->chipset = 1 + pick(&g, 2);
	m->localtime = pick(&g, 2);
	set(&m->arch, "x86_64");
	m->os = OS_UNKNOWN;
	for (unsigned i = 0, n = pick(&g, 5); i < n; i++)
		disk(&g, i);
	for (unsigned n = pick(&g, 4); n; n--)
		nic(&g);
	comforts(&g);
}
