/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_write.c - libvirt's domain XML for KVM: all but the devices. */
#include <errno.h>
#include <string.h>

#include "domain_write.h"

void domain_element(struct text *t, const char *indent, const char *name,
		    const char *text)
{
	if (!text)
		return;
	text_add(t, "%s<%s>", indent, name);
	text_add_xml(t, text);
	text_add(t, "</%s>\n", name);
}

void domain_attribute(struct text *t, const char *name, const char *text)
{
	text_add(t, " %s='", name);
	text_add_xml(t, text);
	text_add(t, "'");
}

bool domain_is_q35(const struct machine *m)
{
	return m->chipset == CHIPSET_Q35 ||
		(m->chipset == CHIPSET_ANY && m->firmware == FIRMWARE_UEFI);
}

static int write_identity(struct writer *w)
{
	const struct machine *m = w->m;
	char uuid[MACHINE_UUID_LEN];
	struct text *t = &w->text;

	text_add(t, "<domain type='kvm'>\n");
	domain_element(t, "  ", "name", m->name);
	if (m->has_uuid)
		domain_element(t, "  ", "uuid", machine_uuid_text(m->uuid, uuid));
	if (m->has_genid)
		domain_element(t, "  ", "genid", machine_uuid_text(m->genid, uuid));
	domain_element(t, "  ", "description", m->description);
	if (m->os_hint && !strncmp(m->os_hint, "http", 4)) {
		text_add(t, "  <metadata>\n    <libosinfo:libosinfo "
			 "xmlns:libosinfo=\"http://libosinfo.org/xmlns/"
			 "libvirt/domain/1.0\">\n      <libosinfo:os");
		domain_attribute(t, "id", m->os_hint);
		text_add(t, "/>\n    </libosinfo:libosinfo>\n"
			 "  </metadata>\n");
	} else if (m->os_hint) {
		return LOSS(w, "os-hint", "That the guest is \"%s\" has no "
			    "place.", m->os_hint);
	}
	return 0;
}

static int write_cpus(struct writer *w)
{
	const struct machine *m = w->m;
	const char *model = m->cpu_model;
	struct text *t = &w->text;
	uint64_t memory;
	bool mode = model && (!strcmp(model, "host-passthrough") ||
			      !strcmp(model, "host-model") ||
			      !strcmp(model, "maximum"));

	if (writer_memory(w, &memory))
		return -ENOMEM;
	text_add(t, "  <memory unit='KiB'>%llu</memory>\n",
		 (unsigned long long)div_round_up(memory, 1024));
	text_add(t, "  <vcpu>%u</vcpu>\n", m->n_cpus);
	if (!model && !m->cores)
		return 0;
	text_add(t, "  <cpu");
	if (model)
		domain_attribute(t, "mode", mode ? model : "custom");
	text_add(t, ">\n");
	if (model && !mode)
		domain_element(t, "    ", "model", model);
	if (m->cores)
		text_add(t, "    <topology sockets='%u' cores='%u' "
			 "threads='%u'/>\n", m->sockets, m->cores, m->threads);
	text_add(t, "  </cpu>\n");
	return 0;
}

static int write_os(struct writer *w)
{
	const struct machine *m = w->m;
	struct text *t = &w->text;
	bool uefi = m->firmware == FIRMWARE_UEFI;

	text_add(t, "  <os%s>\n    <type", uefi ? " firmware='efi'" : "");
	domain_attribute(t, "arch", m->arch ? m->arch : "x86_64");
	text_add(t, " machine='%s'>hvm</type>\n", domain_is_q35(m) ? "q35" : "pc");
	if (uefi)
		text_add(t, "    <firmware>\n      <feature enabled='%s' "
			 "name='secure-boot'/>\n    </firmware>\n",
			 m->secure_boot ? "yes" : "no");
	domain_element(t, "    ", "kernel", m->kernel);
	domain_element(t, "    ", "initrd", m->initrd);
	domain_element(t, "    ", "cmdline", m->cmdline);
	text_add(t, "  </os>\n  <features>\n    <acpi/>\n    <apic/>\n%s"
		 "  </features>\n", m->secure_boot ?
		 "    <smm state='on'/>\n" : "");
	text_add(t, "  <clock offset='%s'/>\n", m->localtime ? "localtime" :
		 "utc");
	text_add(t, "  <on_poweroff>destroy</on_poweroff>\n"
		 "  <on_reboot>restart</on_reboot>\n"
		 "  <on_crash>destroy</on_crash>\n");
	if (uefi && m->nvram)
		return LOSS(w, "uefi-variables", "The firmware's variables in "
			    "\"%s\" are not carried over; the guest must boot "
			    "from \\EFI\\BOOT.", m->nvram);
	return 0;
}

int domain_write(struct writer *w)
{
	const struct machine *m = w->m;
	int rc;

	rc = write_identity(w);
	if (!rc)
		rc = write_cpus(w);
	if (!rc)
		rc = write_os(w);
	text_add(&w->text, "  <devices>\n");
	for (size_t i = 0; i < m->n_disks && !rc; i++)
		rc = domain_write_disk(w, &m->disks[i], (unsigned)i);
	if (!rc)
		rc = domain_write_controllers(w);
	for (size_t i = 0; i < m->n_nics && !rc; i++)
		rc = domain_write_nic(w, &m->nics[i]);
	for (size_t i = 0; i < m->n_serials && !rc; i++)
		rc = domain_write_port(w, &m->serials[i], i);
	if (!rc)
		rc = domain_write_screen(w);
	if (!rc)
		rc = domain_write_comforts(w);
	text_add(&w->text, "  </devices>\n</domain>\n");
	if (!rc)
		rc = writer_losses(w);
	return rc ? rc : writer_file(w, "xml", false);
}
