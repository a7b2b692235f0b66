/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.c - a machine from elsewhere becomes one as KVM does it best. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "build.h"

/* virtio-blk takes a PCI place each; a bus has 32, and others want some. */
#define MAX_VIRTIO_BLK 24u

struct change {
	struct machine *m;
	struct machine_notes *losses;
	struct err *e;
};

static bool is_hard_disk(const struct machine_disk *d)
{
	return d->medium == MEDIUM_DISK;
}

/* A drive without anything in it is of use only for CDs. */
static int drop_floppies(struct change *c)
{
	struct machine *m = c->m;
	size_t to = 0;
	int rc = 0;

	for (size_t i = 0; i < m->n_disks; i++) {
		struct machine_disk *d = &m->disks[i];

		if (d->medium != MEDIUM_FLOPPY || d->path || d->member) {
			m->disks[to++] = *d;
			continue;
		}
		machine_disk_fini(d);
		if (!rc)
			rc = machine_note(c->losses, c->e, "floppy", "An empty "
					  "floppy drive is left out.");
	}
	m->n_disks = to;
	return rc;
}

static int place(struct change *c, struct machine_disk *d, enum machine_bus bus,
		 unsigned controller, unsigned unit, const char *model)
{
	d->bus = bus;
	d->controller_index = controller;
	d->unit = unit;
	return machine_set(&d->controller, model, c->e);
}

static int change_disks(struct change *c)
{
	struct machine *m = c->m;
	unsigned n_hard = 0, n_cd = 0, n_floppy = 0;
	bool many, q35 = m->chipset == CHIPSET_Q35;
	int rc = 0;

	for (size_t i = 0; i < m->n_disks; i++)
		n_hard += is_hard_disk(&m->disks[i]);
	many = n_hard > MAX_VIRTIO_BLK;
	n_hard = 0;
	for (size_t i = 0; i < m->n_disks && !rc; i++) {
		struct machine_disk *d = &m->disks[i];

		if (d->medium == MEDIUM_FLOPPY)
			rc = place(c, d, BUS_FLOPPY, 0, n_floppy++, NULL);
		else if (d->medium == MEDIUM_CDROM && !q35 && n_cd < 4)
			rc = place(c, d, BUS_IDE, n_cd / 2, n_cd % 2, "piix4");
		else if (d->medium == MEDIUM_CDROM)
			rc = place(c, d, BUS_SATA, n_cd / 6, n_cd % 6, "ahci");
		else if (many)
			rc = place(c, d, BUS_SCSI, 0, n_hard, "virtio-scsi");
		else
			rc = place(c, d, BUS_VIRTIO, 0, n_hard, NULL);
		n_hard += is_hard_disk(d);
		n_cd += d->medium == MEDIUM_CDROM;
	}
	return rc;
}

/* A BIOS guest from elsewhere knows a PC with PIIX (VMware's 440BX, VirtualBox's
 * PIIX3): its IDE and its PCI without bridges are found again there.  UEFI's
 * variables under secure boot need q35's SMM, and its guests are young enough.
 */
static int change_chipset(struct change *c)
{
	struct machine *m = c->m;

	if (m->chipset != CHIPSET_ANY)
		return 0;
	m->chipset = m->firmware == FIRMWARE_UEFI ? CHIPSET_Q35 :
		CHIPSET_I440FX;
	return machine_note(c->losses, c->e, "chipset", "The chipset becomes "
			    "%s, as guests that boot by %s want it.",
			    m->chipset == CHIPSET_Q35 ? "q35" : "i440fx",
			    m->chipset == CHIPSET_Q35 ? "UEFI" : "BIOS");
}

static int change_ports(struct change *c)
{
	struct machine *m = c->m;
	struct machine_serial *s;
	int rc = 0;

	for (size_t i = 0; i < m->n_serials && !rc; i++) {
		s = &m->serials[i];
		if (!s->kind || !strcmp(s->kind, "pty"))
			continue;
		rc = machine_note(c->losses, c->e, "serial", "The serial port "
				  "to %s \"%s\" becomes a pseudoterminal.",
				  s->kind, s->target ? s->target : "");
		if (!rc)
			rc = machine_set(&s->kind, "pty", c->e);
		if (!rc)
			rc = machine_set(&s->target, NULL, c->e);
	}
	if (rc || m->n_serials)
		return rc;
	s = machine_add_serial(m);
	return s ? machine_set(&s->kind, "pty", c->e) :
		fail(c->e, ENOMEM, "out of memory");
}

static int change_comforts(struct change *c)
{
	struct machine *m = c->m;
	int rc = 0;

	if (m->sound)
		rc = machine_note(c->losses, c->e, "sound", "The sound card "
				  "\"%s\" is left out.", m->sound);
	if (!rc)
		rc = machine_set(&m->sound, NULL, c->e);
	if (!rc && !m->cpu_model)
		rc = machine_set(&m->cpu_model, "host-model", c->e);
	if (!rc)
		rc = machine_set(&m->video, "vga", c->e);
	m->video_memory = 0;
	if (!rc)
		rc = machine_set(&m->graphics, "vnc", c->e);
	/* For the pointer of the screen, which is where the hand is. */
	if (!rc)
		rc = machine_set(&m->usb, m->chipset == CHIPSET_Q35 ? "xhci" :
				 "uhci", c->e);
	m->rng = m->balloon = true;
	return rc ? rc : machine_set(&m->hypervisor, "kvm", c->e);
}

int machine_make_virtio(struct machine *m, struct machine_notes *losses,
			struct err *e)
{
	struct change c = { m, losses, e };
	int rc;

	rc = drop_floppies(&c);
	if (!rc)
		rc = change_chipset(&c);
	if (!rc)
		rc = change_disks(&c);
	for (size_t i = 0; i < m->n_nics && !rc; i++)
		rc = machine_set(&m->nics[i].model, "virtio", e);
	if (!rc)
		rc = change_ports(&c);
	return rc ? rc : change_comforts(&c);
}
