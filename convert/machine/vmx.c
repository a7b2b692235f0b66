/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmx.c - the machine that a VMX file describes; its devices are vmx_devices.c's.
 *
 * What a setting's absence means is VMware's default: 32 MiB, one CPU, BIOS.
 */
#include "vmx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/bytes.h"

#define DEFAULT_MEMORY (UINT64_C(32) << 20)	/* bytes */

static int number(struct reader *r, const struct vmx *v, const char *key,
		  uint64_t min, uint64_t max, uint64_t *out)
{
	const char *text = vmx_get(v, "%s", key);

	return text && *text ? read_number(r, key, text, min, max, out) : 0;
}

static int read_size(struct reader *r, const struct vmx *v)
{
	uint64_t cpus = 1, cores = 0, mib = DEFAULT_MEMORY >> 20, video = 0;
	struct machine *m = r->m;
	int rc;

	rc = number(r, v, "memsize", 1, MAX_MEMORY >> 20, &mib);
	if (!rc)
		rc = number(r, v, "numvcpus", 1, MAX_CPUS, &cpus);
	if (!rc)
		rc = number(r, v, "cpuid.corespersocket", 1, MAX_CPUS, &cores);
	if (!rc)
		rc = number(r, v, "svga.vramsize", 0, UINT32_MAX, &video);
	m->memory = mib << 20;
	m->n_cpus = (unsigned)cpus;
	m->cores = (unsigned)cores;
	m->video_memory = video;
	return rc;
}

/* Two signed decimal numbers: what the guest finds in memory, low bytes first; a
 * UUID as text has its first three parts the other way round.
 */
static bool read_genid(const struct vmx *v, uint8_t genid[16])
{
	const char *texts[2] = { vmx_get(v, "vm.genid"),
				 vmx_get(v, "vm.genidx") };
	static const uint8_t order[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15,
	};
	uint8_t memory[16];

	for (unsigned i = 0; i < 2; i++) {
		bool minus = texts[i] && *texts[i] == '-';
		uint64_t n;

		if (!texts[i] || !parse_number(texts[i] + minus, UINT64_MAX,
					       &n))
			return false;
		put_le64(memory + 8 * i, minus ? 0 - n : n);
	}
	for (unsigned i = 0; i < 16; i++)
		genid[i] = memory[order[i]];
	return true;
}

static int read_identity(struct reader *r, const struct vmx *v)
{
	const char *os = vmx_get(v, "guestos"), *uuid = vmx_get(v, "uuid.bios");
	struct machine *m = r->m;
	size_t len = os ? strlen(os) : 0;
	int rc;

	rc = set_trimmed(r, &m->name, vmx_get(v, "displayname"));
	if (!rc)
		rc = set_trimmed(r, &m->description, vmx_get(v, "annotation"));
	if (!rc)
		rc = set_trimmed(r, &m->os_hint, os);
	if (!rc && len)
		rc = machine_set(&m->arch, !strncasecmp(os, "arm", 3) ?
				 "aarch64" : len > 3 && !strcasecmp(os + len -
				 3, "-64") ? "x86_64" : "i686", r->e);
	m->has_uuid = uuid && parse_uuid(uuid, m->uuid);
	m->has_genid = read_genid(v, m->genid);
	if (!rc && uuid && *uuid && !m->has_uuid)
		rc = NOTE(r, "vmx-uuid", "uuid.bios is \"%.60s\", which is "
			  "none; a new one is made.", uuid);
	/* The clock of VMware's PC follows the guest's system. */
	m->localtime = guess_os(os) == OS_WINDOWS;
	return rc;
}

static int read_firmware(struct reader *r, const struct vmx *v)
{
	const char *firmware = vmx_get(v, "firmware");
	struct machine *m = r->m;
	int rc;

	if (firmware && *firmware && strcasecmp(firmware, "bios") &&
	    strcasecmp(firmware, "efi"))
		return fail(r->e, ENOTSUP, "%s: firmware is \"%.40s\", must be "
			    "bios or efi", r->path, firmware);
	if (firmware && !strcasecmp(firmware, "efi"))
		m->firmware = FIRMWARE_UEFI;
	m->secure_boot = m->firmware == FIRMWARE_UEFI &&
		vmx_true(v, "uefi.secureboot.enabled");
	rc = set_trimmed(r, &m->nvram, vmx_get(v, "nvram"));
	if (!rc && vmx_true(v, "vtpm.present"))
		rc = machine_set(&m->tpm, "2.0", r->e);
	return rc;
}

static int read_state(struct reader *r, const struct vmx *v)
{
	struct machine *m = r->m;
	const char *state = vmx_get(v, "checkpoint.vmstate");

	m->suspended = state && *state;
	m->encrypted = vmx_with(v, "encryption.") || vmx_with(v, "encryptedvm.");
	for (size_t i = 0; i < m->n_disks; i++)
		m->n_snapshots += m->disks[i].snapshot && !m->n_snapshots;
	return set_trimmed(r, &m->suspend_file, state);
}

static int read_comforts(struct reader *r, const struct vmx *v)
{
	const char *sound = vmx_get(v, "sound.virtualdev");
	struct machine *m = r->m;
	const char *usb = vmx_true(v, "usb_xhci.present") ? "xhci" :
		vmx_true(v, "ehci.present") ? "ehci" :
		vmx_true(v, "usb.present") ? "uhci" : NULL;
	int rc;

	rc = machine_set(&m->usb, usb, r->e);
	if (!rc && vmx_true(v, "sound.present"))
		rc = set_trimmed(r, &m->sound, sound && *sound ? sound :
				 "es1371");
	if (!rc)
		rc = machine_set(&m->video, "vmvga", r->e);
	if (!rc && vmx_true(v, "remotedisplay.vnc.enabled"))
		rc = machine_set(&m->graphics, "vnc", r->e);
	return rc ? rc : machine_set(&m->hypervisor, "vmware", r->e);
}

/* Settings beyond a struct machine that matter to whoever moves it. */
static int read_rest(struct reader *r, const struct vmx *v)
{
	static const struct {
		const char *prefix, *code, *text;
	} notes[] = {
		{ "sharedfolder0.", "vmx-shared-folder",
		  "Folders of the host are shared with the guest." },
		{ "guestinfo.", "vmx-guestinfo",
		  "The guest is given settings (guestinfo), which it cannot "
		  "ask for elsewhere." },
		{ "pcipassthru0.", "vmx-pci-passthrough",
		  "A PCI device of the host belongs to the guest." },
		{ "parallel0.present", "vmx-parallel",
		  "There may be a parallel port." },
		{ "cpuid.0", "vmx-cpuid", "Features of the CPU are masked." },
		{ "cpuid.1", "vmx-cpuid", "Features of the CPU are masked." },
		{ "cpuid.8", "vmx-cpuid", "Features of the CPU are masked." },
		{ "sched.cpu.max", "vmx-limits",
		  "CPU, memory or disks have limits or shares." },
		{ "vhv.enable", "vmx-nested",
		  "The guest may run machines of its own." },
		{ "remotedisplay.vnc.password", "vmx-vnc-password",
		  "The screen has a password, which is not carried over." },
		{ "bios.bootorder", "vmx-boot-order",
		  "The order of boot devices is set in the firmware." },
		{ "smbios.reflecthost", "vmx-smbios",
		  "The guest sees the host's names in SMBIOS, to which licences "
		  "may be tied." },
		{ "usb.autoconnect.", "vmx-usb-device",
		  "USB devices of the host are connected." },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]) && !rc; i++) {
		const struct vmx_line *l = vmx_with(v, notes[i].prefix);
		bool is = true;

		if (l && (!parse_bool(l->value, &is) || is))
			rc = NOTE(r, notes[i].code, "%s", notes[i].text);
	}
	return rc;
}

int vmx_read(struct reader *r)
{
	static int (*const parts[])(struct reader *r, const struct vmx *v) = {
		read_identity, read_size, read_firmware, vmx_read_disks,
		vmx_read_nics, vmx_read_ports, read_state, read_comforts,
		read_rest,
	};
	struct vmx v;
	int rc;

	rc = vmx_parse(r, &v);
	if (rc)
		return rc;
	if (!v.n)
		rc = fail(r->e, EUCLEAN, "%s has no settings", r->path);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !rc; i++)
		rc = parts[i](r, &v);
	vmx_free(&v);
	return rc;
}
