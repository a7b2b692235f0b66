/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain.c - the machine that libvirt's domain XML describes; its drives are
 * domain_drives.c's.
 */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *attr(struct domain *d, const xmlNode *node, const char *name)
{
	return xml_attr(&d->x, node, name) ?: "";
}

/* virScaleInteger(): KiB where nothing is said. */
static bool unit_of(const char *unit, uint64_t *factor)
{
	static const char letters[] = "kmgtpe";
	const char *at;
	unsigned power;

	*factor = 1;
	if (!strcasecmp(unit, "b") || !strcasecmp(unit, "bytes"))
		return true;
	at = *unit ? strchr(letters, *unit | 0x20) : letters;
	if (!at || !*at)
		return false;
	power = (unsigned)(at - letters) + 1;
	if (!*unit || !unit[1] || !strcasecmp(unit + 1, "ib"))
		*factor = UINT64_C(1) << (10 * power);
	else if (!strcasecmp(unit + 1, "b"))
		while (power--)
			*factor *= 1000;
	else
		return false;
	return true;
}

static int read_memory(struct domain *d)
{
	xmlNode *node = xml_child(d->root, "memory");
	const char *unit = attr(d, node, "unit");
	struct machine *m = d->r->m;
	uint64_t n, factor;
	int rc;

	if (!node)
		return 0;
	rc = read_number(d->r, "memory", xml_text(&d->x, node), 0, UINT64_MAX,
			 &n);
	if (rc)
		return rc;
	if (!unit_of(unit, &factor) || !mul_ok(n, factor, &m->memory))
		return fail(d->r->e, EUCLEAN, "%s: the memory is %llu \"%.20s\", "
			    "must be bytes, KiB, MiB... and below 2^47 bytes",
			    d->r->path, (unsigned long long)n, unit);
	return 0;
}

static int number_of(struct domain *d, const xmlNode *node, const char *name,
		     unsigned *out)
{
	const char *text = xml_attr(&d->x, node, name);
	uint64_t n = 0;
	int rc = text ? read_number(d->r, name, text, 0, MAX_CPUS, &n) : 0;

	*out = (unsigned)n;
	return rc;
}

static int read_cpus(struct domain *d)
{
	xmlNode *vcpu = xml_child(d->root, "vcpu");
	xmlNode *cpu = xml_child(d->root, "cpu");
	xmlNode *topology = xml_child(cpu, "topology");
	const char *mode = attr(d, cpu, "mode");
	struct machine *m = d->r->m;
	uint64_t n = 1;
	unsigned dies;
	int rc = 0;

	if (vcpu)
		rc = read_number(d->r, "vcpu", xml_text(&d->x, vcpu), 1,
				 MAX_CPUS, &n);
	m->n_cpus = (unsigned)n;
	if (!rc)
		rc = number_of(d, topology, "sockets", &m->sockets);
	if (!rc)
		rc = number_of(d, topology, "cores", &m->cores);
	if (!rc)
		rc = number_of(d, topology, "threads", &m->threads);
	if (!rc)
		rc = number_of(d, topology, "dies", &dies);
	/* A die is a socket to whoever does not know it. */
	if (!rc && dies > 1)
		m->sockets = m->sockets <= MAX_CPUS / dies ? m->sockets * dies :
			0;
	if (!rc && *attr(d, vcpu, "current"))
		rc = NOTE(d->r, "cpu-hotplug", "Fewer CPUs than there may be "
			  "are plugged in at start.");
	if (rc)
		return rc;
	if (!strcmp(mode, "host-passthrough") || !strcmp(mode, "host-model") ||
	    !strcmp(mode, "maximum"))
		return machine_set(&m->cpu_model, mode, d->r->e);
	return set_trimmed(d->r, &m->cpu_model,
			   xml_child_text(&d->x, cpu, "model"));
}

static int read_firmware(struct domain *d, xmlNode *os)
{
	xmlNode *loader = xml_child(os, "loader");
	xmlNode *f = xml_child(xml_child(os, "firmware"), "feature");
	struct machine *m = d->r->m;
	bool is;

	if (!strcmp(attr(d, os, "firmware"), "efi") ||
	    !strcmp(attr(d, loader, "type"), "pflash") ||
	    strcasestr(xml_text(&d->x, loader) ?: "", "ovmf"))
		m->firmware = FIRMWARE_UEFI;
	if (parse_bool(attr(d, loader, "secure"), &is))
		m->secure_boot = is;
	for (; f; f = xml_next(f, "feature"))
		if (!strcmp(attr(d, f, "name"), "secure-boot") &&
		    parse_bool(attr(d, f, "enabled"), &is))
			m->secure_boot = is;
	m->secure_boot = m->secure_boot && m->firmware == FIRMWARE_UEFI;
	return set_trimmed(d->r, &m->nvram,
			   xml_child_text(&d->x, os, "nvram"));
}

static int read_os(struct domain *d)
{
	xmlNode *os = xml_child(d->root, "os");
	xmlNode *type = xml_child(os, "type");
	xmlNode *info = xml_find(d->root, "metadata/libosinfo/os");
	const char *pc = attr(d, type, "machine");
	struct machine *m = d->r->m;
	int rc;

	rc = set_trimmed(d->r, &m->arch, attr(d, type, "arch"));
	if (strstr(pc, "q35"))
		m->chipset = CHIPSET_Q35;
	else if (!strncmp(pc, "pc", 2))
		m->chipset = CHIPSET_I440FX;
	if (!rc)
		rc = set_trimmed(d->r, &m->os_hint, attr(d, info, "id"));
	if (!rc)
		rc = read_firmware(d, os);
	if (!rc)
		rc = set_trimmed(d->r, &m->kernel,
				 xml_child_text(&d->x, os, "kernel"));
	if (!rc)
		rc = set_trimmed(d->r, &m->initrd,
				 xml_child_text(&d->x, os, "initrd"));
	if (!rc)
		rc = set_trimmed(d->r, &m->cmdline,
				 xml_child_text(&d->x, os, "cmdline"));
	m->localtime = !strcmp(attr(d, xml_child(d->root, "clock"), "offset"),
			       "localtime");
	return rc;
}

static int read_identity(struct domain *d)
{
	const char *uuid = xml_child_text(&d->x, d->root, "uuid");
	const char *genid = xml_child_text(&d->x, d->root, "genid");
	const char *text = xml_child_text(&d->x, d->root, "description");
	struct machine *m = d->r->m;
	int rc;

	rc = set_trimmed(d->r, &m->name,
			 xml_child_text(&d->x, d->root, "name"));
	if (!rc)
		rc = set_trimmed(d->r, &m->description, text ?:
				 xml_child_text(&d->x, d->root, "title"));
	if (!rc)
		rc = set_trimmed(d->r, &m->hypervisor,
				 attr(d, d->root, "type"));
	m->has_uuid = uuid && parse_uuid(uuid, m->uuid);
	m->has_genid = genid && parse_uuid(genid, m->genid);
	if (!rc && uuid && *uuid && !m->has_uuid)
		rc = fail(d->r->e, EUCLEAN, "%s: the uuid is \"%.60s\", must be "
			  "16 bytes in hexadecimal", d->r->path, uuid);
	return rc;
}

static int read_nic(struct domain *d, xmlNode *node)
{
	static const struct {
		const char *type, *source;
		enum machine_nic_kind kind;
	} kinds[] = {
		{ "network", "network", NIC_NETWORK },
		{ "bridge", "bridge", NIC_BRIDGE },
		{ "direct", "dev", NIC_BRIDGE },
		{ "ethernet", "dev", NIC_BRIDGE },
		{ "user", "dev", NIC_NAT }, { "null", "dev", NIC_NONE },
		{ "internal", "name", NIC_HOST_ONLY },
	};
	const char *type = attr(d, node, "type");
	const char *mac = attr(d, xml_child(node, "mac"), "address");
	struct machine_nic *nic;
	const char *model;
	size_t i, n = sizeof(kinds) / sizeof(kinds[0]);
	uint64_t order = 0;
	int rc;

	rc = reader_add_nic(d->r, &nic);
	if (rc)
		return rc;
	for (i = 0; i < n && strcmp(type, kinds[i].type); i++)
		;
	if (i == n) {
		nic->kind = NIC_NONE;
		rc = NOTE(d->r, "nic-kind", "A network card is connected by "
			  "\"%.40s\", which is not carried over.", type);
	} else {
		nic->kind = kinds[i].kind;
		rc = set_trimmed(d->r, &nic->network,
				 attr(d, xml_child(node, "source"),
				      kinds[i].source));
	}
	nic->has_mac = *mac && parse_mac(mac, nic->mac);
	if (!rc && *mac && !nic->has_mac)
		rc = fail(d->r->e, EUCLEAN, "%s: a network card's address is "
			  "\"%.40s\", must be six bytes in hexadecimal",
			  d->r->path, mac);
	nic->disconnected = !strcmp(attr(d, xml_child(node, "link"), "state"),
				    "down");
	if (parse_number(attr(d, xml_child(node, "boot"), "order"), 1000,
			 &order))
		nic->boot_order = (unsigned)order;
	model = attr(d, xml_child(node, "model"), "type");
	/* VMware's word for it. */
	return rc ? rc : set_trimmed(d->r, &nic->model, strcmp(model, "vlance") ?
				     model : "pcnet");
}

static int read_port(struct domain *d, xmlNode *node)
{
	xmlNode *source = xml_child(node, "source");
	const char *type = attr(d, node, "type");
	struct machine_serial *port;
	int rc;

	rc = reader_add_serial(d->r, &port);
	if (!rc)
		rc = machine_set(&port->kind, !strcmp(type, "dev") ? "device" :
				 type, d->r->e);
	return rc ? rc : set_trimmed(d->r, &port->target, strcmp(type, "pty") ?
				     attr(d, source, *attr(d, source, "path") ?
					  "path" : "service") : NULL);
}

static int read_usb(struct domain *d, xmlNode *node)
{
	const char *model = attr(d, node, "model");
	struct machine *m = d->r->m;

	if (strcmp(attr(d, node, "type"), "usb") || !strcmp(model, "none") ||
	    *attr(d, xml_child(node, "master"), "startport"))
		return 0;
	return machine_set(&m->usb, strstr(model, "xhci") ? "xhci" :
			   strstr(model, "ehci") ? "ehci" : "uhci", d->r->e);
}

static int read_screen(struct domain *d, xmlNode *node)
{
	xmlNode *model = xml_child(node, "model");
	struct machine *m = d->r->m;
	uint64_t kib;

	if (m->video || !strcmp(attr(d, model, "type"), "none"))
		return 0;
	if (parse_number(attr(d, model, "vram"), UINT32_MAX, &kib))
		m->video_memory = kib << 10;
	return set_trimmed(d->r, &m->video, attr(d, model, "type"));
}

static int read_comfort(struct domain *d, xmlNode *node)
{
	static const struct {
		const char *element, *code, *text;
	} notes[] = {
		{ "filesystem", "shared-folder",
		  "Folders of the host are shared with the guest." },
		{ "hostdev", "host-device",
		  "A device of the host belongs to the guest." },
		{ "parallel", "parallel-port", "There is a parallel port." },
		{ "smartcard", "smartcard", "There is a smart card reader." },
		{ "watchdog", "watchdog", "There is a watchdog." },
		{ "iommu", "iommu", "There is an IOMMU." },
		{ "vsock", "vsock", "There is a socket to the host (vsock)." },
		{ "redirdev", "usb-redirection", "USB is redirected." },
		{ "shmem", "shared-memory", "Memory is shared with others." },
		{ "lease", "lease", "The machine holds a lock lease." },
	};
	const char *name = xml_name(node);
	struct machine *m = d->r->m;

	if (!strcmp(name, "sound"))
		return set_trimmed(d->r, &m->sound, attr(d, node, "model"));
	if (!strcmp(name, "graphics") && !m->graphics)
		return set_trimmed(d->r, &m->graphics, attr(d, node, "type"));
	if (!strcmp(name, "tpm"))
		return machine_set(&m->tpm, !strcmp(attr(d, xml_child(node,
			"backend"), "version"), "1.2") ? "1.2" : "2.0", d->r->e);
	if (!strcmp(name, "rng"))
		m->rng = true;
	if (!strcmp(name, "memballoon"))
		m->balloon = !strncmp(attr(d, node, "model"), "virtio", 6);
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (!strcmp(name, notes[i].element))
			return NOTE(d->r, notes[i].code, "%s", notes[i].text);
	return 0;
}

static int read_devices(struct domain *d)
{
	int rc = domain_read_drives(d);

	for (xmlNode *n = xml_child(d->devices, NULL); n && !rc;
	     n = xml_next(n, NULL)) {
		const char *name = xml_name(n);

		if (!strcmp(name, "interface"))
			rc = read_nic(d, n);
		else if (!strcmp(name, "serial"))
			rc = read_port(d, n);
		else if (!strcmp(name, "controller"))
			rc = read_usb(d, n);
		else if (!strcmp(name, "video"))
			rc = read_screen(d, n);
		else
			rc = read_comfort(d, n);
	}
	return rc;
}

/* The domain, also the only one, or the one of that name, in a file for libvirt's
 * test driver.
 */
static xmlNode *find_root(struct domain *d)
{
	const char *wanted = d->r->args->system;
	xmlNode *n;

	if (xml_is(d->x.root, "domain"))
		return d->x.root;
	if (!xml_is(d->x.root, "node"))
		return NULL;
	n = xml_child(d->x.root, "domain");
	while (n && wanted && strcmp(xml_child_text(&d->x, n, "name") ?: "",
				     wanted))
		n = xml_next(n, "domain");
	return n && !wanted && xml_next(n, "domain") ? NULL : n;
}

int domain_read(struct reader *r)
{
	static int (*const parts[])(struct domain *d) = {
		read_identity, read_memory, read_cpus, read_os, read_devices,
	};
	struct domain d = { .r = r };
	int rc;

	rc = xml_parse(r->text, r->len, r->path, &d.x, r->e);
	if (rc)
		return rc;
	d.root = find_root(&d);
	if (!d.root)
		rc = fail(r->e, ENOTSUP, "%s is not one domain of libvirt: its "
			  "root is %.60s, must be domain", r->path,
			  xml_name(d.x.root));
	d.devices = xml_child(d.root, "devices");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !rc; i++)
		rc = parts[i](&d);
	/* What was said without a text may be wrong. */
	if (d.x.failed)
		rc = xml_fail(&d.x, r->path, r->e);
	xml_free(&d.x);
	return rc;
}
