/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_write.c - an OVF 1.0 descriptor as VMware and VirtualBox take it. */
#include "ovf_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put(struct writer *w, const char *before, const char *text,
		const char *after)
{
	text_add(&w->text, "%s", before);
	text_add_xml(&w->text, text ? text : "");
	text_add(&w->text, "%s", after);
}

static int put_refs(struct writer *w)
{
	const struct machine *m = w->m;
	struct text *t = &w->text;

	text_add(t, "  <References>\n");
	for (size_t i = 0; i < m->n_disks; i++) {
		const char *name = disk_name(&m->disks[i]);

		if (!name)
			continue;
		if (*name == '/')
			return fail(w->e, EINVAL, "The disk \"%.200s\" must lie "
				    "in the folder of the package", name);
		text_add(t, "    <File ovf:id=\"file%zu\"", i + 1);
		text_add(t, " ovf:href=\"");
		for (; *name; name++)
			if (*name == '%' || *name == ' ')
				text_add(t, "%%%02X", *name);
			else
				text_add_xml(t, (char[]){ *name, 0 });
		text_add(t, "\"/>\n");
	}
	text_add(t, "  </References>\n  <DiskSection>\n    <Info>Virtual "
		 "disks</Info>\n");
	for (size_t i = 0; i < m->n_disks; i++) {
		const struct machine_disk *d = &m->disks[i];

		if (d->medium != MEDIUM_DISK)
			continue;
		text_add(t, "    <Disk ovf:diskId=\"vmdisk%zu\"", i + 1);
		if (disk_name(d))
			text_add(t, " ovf:fileRef=\"file%zu\"", i + 1);
		text_add(t, " ovf:capacity=\"%llu\" ovf:format=\"http://www."
			 "vmware.com/interfaces/specifications/vmdk.html#"
			 "streamOptimized\"/>\n", (unsigned long long)d->size);
	}
	text_add(t, "  </DiskSection>\n");
	return 0;
}

static void put_networks(struct writer *w)
{
	const struct machine *m = w->m;

	text_add(&w->text, "  <NetworkSection>\n    <Info>Networks</Info>\n");
	for (size_t i = 0; i < m->n_nics; i++) {
		const char *name = ovf_network_of(&m->nics[i]);
		bool first = true;

		for (size_t k = 0; k < i; k++)
			if (!strcmp(name, ovf_network_of(&m->nics[k])))
				first = false;
		if (first)
			put(w, "    <Network ovf:name=\"", name, "\"/>\n");
	}
	text_add(&w->text, "  </NetworkSection>\n");
}

static void put_system(struct writer *w)
{
	const struct machine *m = w->m;
	bool wide = !m->arch || !strcmp(m->arch, "x86_64");

	put(w, "  <VirtualSystem ovf:id=\"", m->name, "\">\n    <Info>A "
	    "virtual machine</Info>\n");
	put(w, "    <Name>", m->name, "</Name>\n");
	/* CIM's numbers: 36 LINUX, 101 Linux 64-bit, 1 other, 102 its 64. */
	text_add(&w->text, "    <OperatingSystemSection ovf:id=\"%d\"",
		 m->os == OS_LINUX ? wide ? 101 : 36 : wide ? 102 : 1);
	if (m->os_hint)
		put(w, " vmw:osType=\"", m->os_hint, "\"");
	text_add(&w->text, ">\n      <Info>The guest's system</Info>\n"
		 "    </OperatingSystemSection>\n");
	if (m->description) {
		put(w, "    <AnnotationSection>\n      <Info>What it is</Info>"
		    "\n      <Annotation>", m->description,
		    "</Annotation>\n    </AnnotationSection>\n");
	}
	text_add(&w->text, "    <VirtualHardwareSection>\n      <Info>The "
		 "hardware</Info>\n      <System>\n        <vssd:ElementName>"
		 "Virtual Hardware Family</vssd:ElementName>\n        "
		 "<vssd:InstanceID>0</vssd:InstanceID>\n");
	put(w, "        <vssd:VirtualSystemIdentifier>", m->name,
	    "</vssd:VirtualSystemIdentifier>\n        <vssd:VirtualSystemType>"
	    "vmx-13</vssd:VirtualSystemType>\n      </System>\n");
}

static int put_losses(struct writer *w)
{
	const struct machine *m = w->m;
	int rc = 0;

	if (m->has_uuid || m->has_genid)
		rc = LOSS(w, "uuid", "OVF has no place for the machine's UUID.");
	if (!rc && m->n_serials)
		rc = LOSS(w, "serial", "Serial ports are left out.");
	if (!rc && (m->sound || m->usb))
		rc = LOSS(w, "comforts", "Sound and USB are left out.");
	if (!rc && m->tpm)
		rc = LOSS(w, "tpm", "The TPM is left out.");
	if (!rc && m->kernel)
		rc = LOSS(w, "kernel", "A kernel outside of the disk is not "
			  "carried over.");
	if (!rc && m->cpu_model)
		rc = LOSS(w, "cpu-model", "The CPU's model is left out.");
	if (!rc && m->chipset != CHIPSET_ANY)
		rc = LOSS(w, "chipset", "The chipset is left out.");
	if (!rc && (m->rng || m->balloon))
		rc = LOSS(w, "virtio", "Virtio's devices are left out.");
	for (size_t i = 0; i < m->n_disks && !rc; i++) {
		const struct machine_disk *d = &m->disks[i];

		if (d->serial || d->boot_order || d->shareable ||
		    d->independent || d->nonpersistent)
			rc = LOSS(w, "disk-properties", "Serial numbers, boot "
				  "order and modes of disks are left out.");
		if (!rc && d->medium == MEDIUM_DISK && !d->size)
			rc = fail(w->e, EINVAL, "The size of disk %zu is not "
				  "known, and OVF must say it", i + 1);
	}
	return rc ? rc : writer_losses(w);
}

int ovf_write(struct writer *w)
{
	const struct machine *m = w->m;
	struct ovf_out o = { .w = w, .next = 50 };
	int rc;

	text_add(&w->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\"\n"
		 "  xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\"\n"
		 "  xmlns:rasd=\"http://schemas.dmtf.org/wbem/wscim/1/"
		 "cim-schema/2/CIM_ResourceAllocationSettingData\"\n"
		 "  xmlns:vssd=\"http://schemas.dmtf.org/wbem/wscim/1/"
		 "cim-schema/2/CIM_VirtualSystemSettingData\"\n"
		 "  xmlns:vmw=\"http://www.vmware.com/schema/ovf\">\n");
	rc = put_refs(w);
	if (rc)
		return rc;
	put_networks(w);
	put_system(w);
	ovf_put_cpus(&o);
	rc = ovf_put_memory(&o);
	if (!rc)
		rc = ovf_put_controllers(&o);
	for (size_t i = 0; i < m->n_disks && !rc; i++)
		rc = ovf_put_drive(&o, &m->disks[i], i);
	for (size_t i = 0; i < m->n_nics && !rc; i++)
		rc = ovf_put_nic(&o, &m->nics[i], i);
	if (m->firmware == FIRMWARE_UEFI)
		text_add(&w->text, "      <vmw:Config ovf:required=\"false\" "
			 "vmw:key=\"firmware\" vmw:value=\"efi\"/>\n"
			 "      <vmw:Config ovf:required=\"false\" vmw:key="
			 "\"bootOptions.efiSecureBootEnabled\" "
			 "vmw:value=\"%s\"/>\n",
			 m->secure_boot ? "true" : "false");
	text_add(&w->text, "    </VirtualHardwareSection>\n"
		 "  </VirtualSystem>\n</Envelope>\n");
	if (!rc)
		rc = put_losses(w);
	return rc ? rc : writer_file(w, "ovf", false);
}
