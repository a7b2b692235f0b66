/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm.c - a machine as a command line of our own monitor: a script that runs it on
 * its disks (vmm(1)).
 */
#include <stdlib.h>
#include <string.h>

#include "write.h"

#define MAX_NICS 8u		/* vmm(1) */

/* In --disk a comma of a value is written twice. */
static void add_value(struct text *t, const char *before, const char *name)
{
	struct text word = { 0 };

	text_add(&word, "%s", before);
	for (; *name; name++)
		text_add(&word, *name == ',' ? ",," : "%c", *name);
	text_add_shell(t, word.failed || !word.p ? "" : word.p);
	t->failed = t->failed || word.failed;
	free(word.p);
}

static int put_disk(struct writer *w, const struct machine_disk *d)
{
	struct text *t = &w->text;
	const char *file;

	if (d->medium != MEDIUM_DISK)
		return LOSS(w, "removable", "There is no %s drive.",
			    machine_medium_name(d->medium));
	if (!d->path && !d->member)
		return LOSS(w, "disk-file", "A disk that is in no file is left "
			    "out.");
	text_add(t, " \\\n\t--disk ");
	/* A name may begin like an option, or have a protocol's colon. */
	file = d->path ? d->path : w->m->source_path ? w->m->source_path : "";
	add_value(t, *file == '/' ? "" : "./", file);
	if (d->member)
		add_value(t, ",member=", d->member);
	else if (d->format)
		add_value(t, ",format=", d->format);
	if (d->readonly)
		text_add(t, ",readonly");
	else if (d->nonpersistent)
		text_add(t, ",overlay");
	if (d->serial)
		add_value(t, ",serial=", d->serial);
	if (d->bus != BUS_VIRTIO)
		return LOSS(w, "disk-bus", "A disk on \"%s\" is put on "
			    "\"virtio\".", machine_bus_name(d->bus));
	return 0;
}

static int put_kernel(struct writer *w)
{
	const struct machine *m = w->m;
	struct text *t = &w->text;

	if (!m->kernel)
		return 0;
	text_add(t, " \\\n\t--kernel ");
	text_add_shell(t, m->kernel);
	if (m->initrd) {
		text_add(t, " --initrd ");
		text_add_shell(t, m->initrd);
	}
	if (m->cmdline) {
		text_add(t, " --append ");
		text_add_shell(t, m->cmdline);
	}
	return 0;
}

/* At the other end is vmm's own neighbour, which plays no network. */
static int put_nics(struct writer *w)
{
	const struct machine *m = w->m;
	char mac[MACHINE_MAC_LEN];

	for (size_t i = 0; i < m->n_nics && i < MAX_NICS; i++) {
		text_add(&w->text, " \\\n\t--net peer");
		if (m->nics[i].has_mac)
			text_add(&w->text, ",mac=%s",
				 machine_mac_text(m->nics[i].mac, mac));
	}
	if (m->n_nics > MAX_NICS)
		return LOSS(w, "nic", "There are at most %u network cards.",
			    MAX_NICS);
	return 0;
}

static int put_losses(struct writer *w)
{
	const struct machine *m = w->m;
	int rc = 0;

	if (m->firmware == FIRMWARE_UEFI)
		rc = LOSS(w, "uefi", "There is no UEFI firmware; the machine "
			  "boots by BIOS.");
	if (!rc && m->tpm)
		rc = LOSS(w, "tpm", "There is no TPM.");
	if (!rc && m->sound)
		rc = LOSS(w, "sound", "There is no sound card.");
	if (!rc && m->usb)
		rc = LOSS(w, "usb", "There is no USB.");
	if (!rc && m->n_nics)
		rc = LOSS(w, "nic-network", "There is no network behind the "
			  "network cards.");
	return rc ? rc : writer_losses(w);
}

int vmm_write(struct writer *w)
{
	const struct machine *m = w->m;
	struct text *t = &w->text;
	uint64_t memory;
	int rc;

	rc = writer_memory(w, &memory);
	if (rc)
		return rc;
	text_add(t, "#!/bin/sh\n# Runs the machine; more options may be "
		 "given.\ncd \"$(dirname \"$0\")\" &&\nexec vmm run");
	text_add(t, " \\\n\t--memory %lluM --cpus %u",
		 (unsigned long long)div_round_up(memory, 1u << 20),
		 m->n_cpus);
	if (m->cores)
		text_add(t, ",sockets=%u,cores=%u,threads=%u", m->sockets,
			 m->cores, m->threads);
	rc = put_kernel(w);
	for (size_t i = 0; i < m->n_disks && !rc; i++)
		rc = put_disk(w, &m->disks[i]);
	if (w->args->external)
		text_add(t, " \\\n\t--allow-external");
	if (!rc)
		rc = put_nics(w);
	if (m->rng)
		text_add(t, " \\\n\t--rng");
	if (m->balloon)
		text_add(t, " \\\n\t--balloon");
	text_add(t, " \"$@\"\n");
	if (!rc)
		rc = put_losses(w);
	return rc ? rc : writer_file(w, "-run.sh", true);
}
