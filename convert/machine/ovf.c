/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf.c - the machine that an OVF descriptor describes (DSP0243). */
#include "ovf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Systems in one package, collections in collections. */
#define MAX_SYSTEMS 1000u
#define MAX_NESTING 16u

/* Is the node this section, by its name or (0.9) by its xsi:type? */
static bool is_section(struct ovf *o, const xmlNode *node, const char *name)
{
	const char *type, *colon;
	size_t len = strlen(name);

	if (xml_is(node, name))
		return true;
	if (!xml_is(node, "Section") && !xml_is(node, "Content"))
		return false;
	type = xml_attr(&o->x, node, "type");
	colon = type ? strchr(type, ':') : NULL;
	type = colon ? colon + 1 : type;
	return type && !strncmp(type, name, len) && !strcmp(type + len,
							    "_Type");
}

xmlNode *ovf_next_section(struct ovf *o, xmlNode *node, const char *name)
{
	while ((node = xml_next(node, NULL)))
		if (is_section(o, node, name))
			return node;
	return NULL;
}

xmlNode *ovf_section(struct ovf *o, xmlNode *node, const char *name)
{
	node = xml_child(node, NULL);
	return !node || is_section(o, node, name) ? node :
		ovf_next_section(o, node, name);
}

bool ovf_units(const char *text, uint64_t *factor)
{
	static const struct {
		const char *word;
		unsigned shift;
	} words[] = {
		{ "kilobyte", 10 }, { "kb", 10 }, { "kib", 10 },
		{ "megabyte", 20 }, { "mb", 20 }, { "mib", 20 },
		{ "gigabyte", 30 }, { "gb", 30 }, { "gib", 30 },
		{ "terabyte", 40 }, { "tb", 40 }, { "tib", 40 },
	};
	unsigned base, power;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);

		if (strncasecmp(text, words[i].word, len) ||
		    text[len + (text[len] == 's' || text[len] == 'S')])
			continue;
		*factor = UINT64_C(1) << words[i].shift;
		return true;
	}
	if (strncasecmp(text, "byte", 4))
		return false;
	text += 4;
	text += *text == 's';
	*factor = 1;
	if (!text[strspn(text, " ")])
		return true;
	if (sscanf(text, " * %3u ^ %3u", &base, &power) != 2 ||
	    (base != 2 && base != 10))
		return false;
	for (; power; power--)
		if (!mul_ok(*factor, base, factor))
			return false;
	return true;
}

/* All systems below `node`, in the order of the text. */
static size_t collect(struct ovf *o, xmlNode *node, xmlNode **list, size_t n,
		      unsigned depth)
{
	for (node = xml_child(node, NULL); node && n < MAX_SYSTEMS;
	     node = xml_next(node, NULL)) {
		if (is_section(o, node, "VirtualSystem"))
			list[n++] = node;
		else if (depth < MAX_NESTING &&
			 is_section(o, node, "VirtualSystemCollection"))
			n = collect(o, node, list, n, depth + 1);
	}
	return n;
}

static const char *system_id(struct ovf *o, xmlNode *system)
{
	return xml_attr(&o->x, system, "id") ?: "";
}

static int refuse_many(struct ovf *o, xmlNode **list, size_t n)
{
	const char *wanted = o->r->args->system;
	char names[500] = "";
	size_t len = 0;

	for (size_t i = 0; i < n && len + 90 < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len,
					"%s%.70s (%zu)", i ? ", " : "",
					system_id(o, list[i]), i + 1);
	if (wanted)
		return fail(o->r->e, ENOENT, "%s describes no system \"%.60s\"; "
			    "there are: %s", o->r->path, wanted, names);
	return fail(o->r->e, EINVAL, "%s describes %zu systems: %s; choose one "
		    "by its name or number", o->r->path, n, names);
}

static int choose_system(struct ovf *o)
{
	xmlNode **list = calloc(MAX_SYSTEMS, sizeof(*list));
	const char *wanted = o->r->args->system;
	uint64_t number;
	int rc = 0;
	size_t n;

	if (!list)
		return fail(o->r->e, ENOMEM, "out of memory");
	n = collect(o, o->x.root, list, 0, 0);
	for (size_t i = 0; wanted && i < n && !o->system; i++) {
		const char *name = xml_child_text(&o->x, list[i], "Name");

		if (!strcmp(wanted, system_id(o, list[i])) ||
		    (name && !strcmp(wanted, name)))
			o->system = list[i];
	}
	if (wanted && !o->system && parse_number(wanted, n, &number) && number)
		o->system = list[number - 1];
	if (!wanted && n == 1)
		o->system = list[0];
	if (!n)
		rc = fail(o->r->e, ENOTSUP, "%s describes no virtual system",
			  o->r->path);
	else if (!o->system)
		rc = refuse_many(o, list, n);
	free(list);
	return rc;
}

/* CIM_OperatingSystem.OSType, of the systems that matter here. */
static enum machine_os os_by_number(uint64_t id)
{
	if (id == 36 || (id >= 79 && id <= 101 && id != 81) ||
	    (id >= 106 && id <= 109))
		return OS_LINUX;
	if ((id >= 15 && id <= 19) || id == 58 || id == 63 ||
	    (id >= 67 && id <= 77) || id == 103 || id == 105 ||
	    (id >= 111 && id <= 115))
		return OS_WINDOWS;
	return id > 1 && id != 102 ? OS_OTHER : OS_UNKNOWN;
}

static int read_os(struct ovf *o)
{
	xmlNode *s = ovf_section(o, o->system, "OperatingSystemSection");
	const char *id = xml_attr(&o->x, s, "id");
	const char *hint = xml_attr(&o->x, s, "osType");
	struct machine *m = o->r->m;
	uint64_t number;
	int rc;

	hint = hint ?: xml_child_text(&o->x, s, "OSType") ?:
		xml_child_text(&o->x, s, "Description");
	rc = set_trimmed(o->r, &m->os_hint, hint);
	m->os = guess_os(hint);
	if (m->os == OS_UNKNOWN && id && parse_number(id, UINT16_MAX, &number))
		m->os = os_by_number(number);
	if (!rc && hint && strstr(hint, "64"))
		rc = machine_set(&m->arch, "x86_64", o->r->e);
	return rc;
}

static int read_hypervisor(struct ovf *o)
{
	static const char *const types[][2] = {
		{ "vmx", "vmware" }, { "virtualbox", "virtualbox" },
		{ "qemu", "kvm" }, { "kvm", "kvm" }, { "xen", "xen" },
	};
	const char *type = xml_text(&o->x, xml_find(o->hardware,
					"System/VirtualSystemType"));

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strncasecmp(type, types[i][0], strlen(types[i][0])))
			return machine_set(&o->r->m->hypervisor, types[i][1],
					   o->r->e);
	return 0;
}

/* The hardware; of several the first one, as they are alternatives. */
static int find_hardware(struct ovf *o)
{
	o->hardware = ovf_section(o, o->system, "VirtualHardwareSection");
	if (!o->hardware)
		return fail(o->r->e, ENOTSUP, "%s: the system \"%.100s\" has no "
			    "VirtualHardwareSection", o->r->path,
			    system_id(o, o->system));
	if (ovf_next_section(o, o->hardware, "VirtualHardwareSection"))
		return NOTE(o->r, "ovf-hardware", "There are several hardware "
			    "sections; the first is read.");
	return 0;
}

static int read_identity(struct ovf *o)
{
	xmlNode *notes = ovf_section(o, o->system, "AnnotationSection");
	const char *name = xml_child_text(&o->x, o->system, "Name");
	struct machine *m = o->r->m;
	int rc;

	if (!name || !*name)
		name = xml_text(&o->x, xml_find(o->hardware,
					"System/VirtualSystemIdentifier"));
	if (!name || !*name)
		name = system_id(o, o->system);
	rc = set_trimmed(o->r, &m->name, name);
	return rc ? rc : set_trimmed(o->r, &m->description,
				     xml_child_text(&o->x, notes, "Annotation"));
}

/* VMware's own settings: <vmw:Config vmw:key="firmware" vmw:value="efi"/>. */
static int read_config(struct ovf *o)
{
	struct machine *m = o->r->m;
	int rc = 0;

	for (xmlNode *c = xml_child(o->hardware, NULL); c && !rc;
	     c = xml_next(c, NULL)) {
		const char *key = xml_attr(&o->x, c, "key");
		const char *value = xml_attr(&o->x, c, "value");
		bool is;

		if ((!xml_is(c, "Config") && !xml_is(c, "ExtraConfig")) ||
		    !key || !value)
			continue;
		if (!strcmp(key, "firmware") && !strcasecmp(value, "efi"))
			m->firmware = FIRMWARE_UEFI;
		else if (strcasestr(key, "secureboot") &&
			 parse_bool(value, &is))
			m->secure_boot = is;
		else if (xml_is(c, "ExtraConfig"))
			rc = NOTE(o->r, "ovf-extra-config", "There are "
				  "settings of VMware's own (ExtraConfig).");
	}
	m->secure_boot = m->secure_boot && m->firmware == FIRMWARE_UEFI;
	return rc;
}

/* Sections that are not carried over, but that somebody may need. */
static int read_rest(struct ovf *o)
{
	static const struct {
		const char *section, *code, *text;
	} notes[] = {
		{ "EulaSection", "ovf-eula",
		  "There is a licence that somebody had to agree to." },
		{ "ResourceAllocationSection", "ovf-limits",
		  "CPU and memory have reservations or limits." },
		{ "InstallSection", "ovf-install",
		  "The machine is to be booted once to be installed." },
	};
	xmlNode *product = ovf_section(o, o->system, "ProductSection");
	int rc = 0;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]) && !rc; i++)
		if (ovf_section(o, o->system, notes[i].section) ||
		    ovf_section(o, o->x.root, notes[i].section))
			rc = NOTE(o->r, notes[i].code, "%s", notes[i].text);
	if (!rc && xml_child(product, "Property"))
		rc = NOTE(o->r, "ovf-properties", "The guest may ask for "
			  "settings (properties of the product), which a target "
			  "does not give it.");
	return rc;
}

int ovf_read(struct reader *r)
{
	static int (*const parts[])(struct ovf *o) = {
		choose_system, find_hardware, read_hypervisor, read_identity,
		read_os, ovf_read_refs, ovf_read_items, ovf_use_items,
		read_config, ovf_read_vbox, ovf_read_boot, read_rest,
	};
	struct ovf o = { .r = r };
	int rc;

	rc = xml_parse(r->text, r->len, r->path, &o.x, r->e);
	if (rc)
		return rc;
	if (!xml_is(o.x.root, "Envelope"))
		rc = fail(r->e, ENOTSUP, "%s is no OVF descriptor: its root is "
			  "%.60s, must be Envelope", r->path,
			  xml_name(o.x.root));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !rc; i++)
		rc = parts[i](&o);
	/* What was said without a text may be wrong. */
	if (o.x.failed)
		rc = xml_fail(&o.x, r->path, r->e);
	free(o.files);
	free(o.disks);
	free(o.items);
	xml_free(&o.x);
	return rc;
}
