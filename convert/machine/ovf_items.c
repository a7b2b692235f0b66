/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_items.c - the hardware items of an OVF descriptor (DSP0243, 8). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/buf.h"
#include "ovf.h"

#define MAX_ITEMS 8192u

/* The configuration that counts: the caller's, the default, or the first. */
static const char *configuration(struct ovf *o)
{
	xmlNode *s = ovf_section(o, o->x.root, "DeploymentOptionSection");
	xmlNode *first = xml_child(s, "Configuration");
	bool is;

	if (o->r->args->configuration)
		return o->r->args->configuration;
	for (xmlNode *c = first; c; c = xml_next(c, "Configuration"))
		if (parse_bool(xml_attr(&o->x, c, "default") ?: "", &is) && is)
			return xml_attr(&o->x, c, "id") ?: "";
	return xml_attr(&o->x, first, "id") ?: "";
}

/* Is `word` one of those in the list? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p; ) {
		size_t n;

		p += strspn(p, " \t\n");
		n = strcspn(p, " \t\n");
		if (n == len && n && !strncmp(p, word, n))
			return true;
		p += n;
	}
	return false;
}

static const char *child(struct ovf *o, xmlNode *node, const char *name)
{
	return xml_child_text(&o->x, node, name) ?: "";
}

static void decode(struct ovf *o, xmlNode *node, struct ovf_item *i)
{
	const char *required = xml_attr(&o->x, node, "required");
	uint64_t type = 0;
	bool is = true;

	*i = (struct ovf_item){
		.id = xml_child_text(&o->x, node, "InstanceID") ?:
			child(o, node, "InstanceId"),
		.parent = child(o, node, "Parent"),
		.subtype = child(o, node, "ResourceSubType"),
		.address = child(o, node, "Address"),
		.on_parent = child(o, node, "AddressOnParent"),
		.resource = child(o, node, "HostResource"),
		.connection = child(o, node, "Connection"),
		.name = xml_child_text(&o->x, node, "ElementName") ?:
			child(o, node, "Caption"),
		.automatic = child(o, node, "AutomaticAllocation"),
		.units = child(o, node, "AllocationUnits"),
		.node = node,
	};
	i->has_quantity = parse_number(child(o, node, "VirtualQuantity"),
				       UINT64_MAX, &i->quantity);
	parse_number(child(o, node, "ResourceType"), UINT16_MAX, &type);
	i->type = (unsigned)type;
	i->optional = required && parse_bool(required, &is) && !is;
}

/* An item of a configuration stands for the general one of the same id. */
static struct ovf_item *same_id(struct ovf *o, const char *id)
{
	for (size_t i = 0; i < o->n_items; i++)
		if (*id && !strcmp(o->items[i].id, id))
			return &o->items[i];
	return NULL;
}

static int add_item(struct ovf *o, xmlNode *node, bool special)
{
	struct ovf_item item, *old;

	decode(o, node, &item);
	old = special ? same_id(o, item.id) : NULL;
	if (old) {
		*old = item;
		return 0;
	}
	if (o->n_items == MAX_ITEMS)
		return fail(o->r->e, EFBIG, "%s has more than %u hardware "
			    "items", o->r->path, MAX_ITEMS);
	if (array_grow(&o->items, &o->items_cap, o->n_items + 1, sizeof(item)))
		return fail(o->r->e, ENOMEM, "out of memory");
	o->items[o->n_items++] = item;
	return 0;
}

int ovf_read_items(struct ovf *o)
{
	const char *chosen = configuration(o);
	int rc = 0;

	for (xmlNode *n = xml_child(o->hardware, NULL); n && !rc;
	     n = xml_next(n, NULL)) {
		const char *in, *bound;

		if (!xml_is(n, "Item") && !xml_is(n, "StorageItem") &&
		    !xml_is(n, "EthernetPortItem"))
			continue;
		in = xml_attr(&o->x, n, "configuration") ?: "";
		bound = xml_attr(&o->x, n, "bound") ?: "";
		/* Limits of a quantity are no hardware. */
		if ((*bound && strcmp(bound, "normal")) ||
		    (*in && !has_word(in, chosen)))
			continue;
		rc = add_item(o, n, *in != 0);
	}
	return rc;
}

static int use_cpu(struct ovf *o, const struct ovf_item *i)
{
	const char *cores = xml_child_text(&o->x, i->node, "CoresPerSocket");
	struct machine *m = o->r->m;
	uint64_t n = 0;

	if (!i->has_quantity || !i->quantity || i->quantity > MAX_CPUS)
		return fail(o->r->e, EUCLEAN, "%s: the number of CPUs (%s) is "
			    "\"%.40s\", must be 1 to %u", o->r->path, i->name,
			    child(o, i->node, "VirtualQuantity"), MAX_CPUS);
	m->n_cpus = (unsigned)i->quantity;
	if (cores && parse_number(cores, MAX_CPUS, &n))
		m->cores = (unsigned)n;
	return 0;
}

static int use_memory(struct ovf *o, const struct ovf_item *i)
{
	uint64_t factor = UINT64_C(1) << 20;
	struct machine *m = o->r->m;
	int rc = 0;

	if (!*i->units)
		rc = NOTE(o->r, "ovf-memory-units", "The memory has no units; "
			  "it is read as MiB.");
	else if (!ovf_units(i->units, &factor))
		rc = fail(o->r->e, EUCLEAN, "%s: the memory is in \"%.60s\", "
			  "must be in bytes times a power of 2", o->r->path,
			  i->units);
	if (rc)
		return rc;
	if (!i->has_quantity || !mul_ok(i->quantity, factor, &m->memory))
		return fail(o->r->e, EUCLEAN, "%s: the memory is \"%.40s\" "
			    "times %llu bytes, must be a number below 2^47 "
			    "bytes", o->r->path,
			    child(o, i->node, "VirtualQuantity"),
			    (unsigned long long)factor);
	return 0;
}

/* The first card of a list that is known. */
static const char *nic_model(const char *subtype)
{
	static const char *const models[][2] = {
		{ "vmxnet3", "vmxnet3" }, { "vmxnet2", "vmxnet2" },
		{ "vmxnet", "vmxnet" }, { "e1000e", "e1000e" },
		{ "e1000", "e1000" }, { "pcnet", "pcnet" },
		{ "virtio", "virtio" }, { "rtl8139", "rtl8139" },
	};
	const char *best = NULL, *found = NULL;

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		const char *at = strcasestr(subtype, models[i][0]);

		if (!at || (best && at >= best))
			continue;
		best = at;
		found = models[i][1];
	}
	return found;
}

static int use_nic(struct ovf *o, const struct ovf_item *i)
{
	static const struct {
		const char *word;
		enum machine_nic_kind kind;
	} kinds[] = {
		{ "bridged", NIC_BRIDGE }, { "nat", NIC_NAT },
		{ "hostonly", NIC_HOST_ONLY }, { "host-only", NIC_HOST_ONLY },
	};
	struct machine_nic *nic;
	bool is = true;
	int rc;

	rc = reader_add_nic(o->r, &nic);
	if (rc)
		return rc;
	nic->has_mac = parse_mac(i->address, nic->mac);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (!strcasecmp(i->connection, kinds[k].word))
			nic->kind = kinds[k].kind;
	nic->disconnected = parse_bool(i->automatic, &is) && !is;
	rc = set_trimmed(o->r, &nic->network, i->connection);
	if (!rc)
		rc = machine_set(&nic->model, nic_model(i->subtype), o->r->e);
	if (!rc && *i->subtype && !nic->model)
		rc = NOTE(o->r, "ovf-nic-model", "The network card \"%.40s\" "
			  "is of the kind \"%.40s\", which is not known.",
			  i->name, i->subtype);
	return rc;
}

static int use_video(struct ovf *o, const struct ovf_item *i)
{
	struct machine *m = o->r->m;
	bool vbox = m->hypervisor && !strcmp(m->hypervisor, "virtualbox");
	uint64_t kib;

	for (xmlNode *c = xml_child(i->node, "Config"); c;
	     c = xml_next(c, "Config"))
		if (!strcmp(xml_attr(&o->x, c, "key") ?: "",
			    "videoRamSizeInKB") &&
		    parse_number(xml_attr(&o->x, c, "value") ?: "", UINT32_MAX,
				 &kib))
			m->video_memory = kib << 10;
	return machine_set(&m->video, vbox ? "vboxvga" : "vmvga", o->r->e);
}

static int use_sound(struct ovf *o, const struct ovf_item *i)
{
	static const char *const models[][2] = {
		{ "1371", "es1371" }, { "ac97", "ac97" }, { "hda", "ich6" },
		{ "ich6", "ich6" }, { "sb16", "sb16" },
	};
	const char *model = "es1371";

	for (size_t k = 0; k < sizeof(models) / sizeof(models[0]); k++)
		if (strcasestr(i->subtype, models[k][0]))
			model = models[k][1];
	return machine_set(&o->r->m->sound, model, o->r->e);
}

static int use_usb(struct ovf *o, const struct ovf_item *i)
{
	struct machine *m = o->r->m;
	const char *kind = strcasestr(i->subtype, "xhci") ? "xhci" :
		strcasestr(i->subtype, "ehci") ? "ehci" : "uhci";

	/* The fastest of several. */
	if (m->usb && strcmp(m->usb, kind) > 0)
		return 0;
	return machine_set(&m->usb, kind, o->r->e);
}

static int use_serial(struct ovf *o, const struct ovf_item *i)
{
	struct machine_serial *port;
	int rc = reader_add_serial(o->r, &port);

	return rc ? rc : machine_set(&port->kind, strcasestr(i->subtype,
				     "device") ? "device" : "null", o->r->e);
}

/* VMware's devices without a type of their own. */
static int use_other(struct ovf *o, const struct ovf_item *i)
{
	static const char *const harmless[] = {
		"vmware.vmci", "vmware.pointing", "vmware.keyboard",
	};

	if (strcasestr(i->subtype, "soundcard"))
		return use_sound(o, i);
	if (strcasestr(i->subtype, "vtpm"))
		return machine_set(&o->r->m->tpm, "2.0", o->r->e);
	if (strcasestr(i->subtype, "passthrough"))
		return NOTE(o->r, "ovf-pci-passthrough", "The PCI device "
			    "\"%.60s\" of the host belongs to the guest.",
			    i->name);
	for (size_t k = 0; k < sizeof(harmless) / sizeof(harmless[0]); k++)
		if (!strcasecmp(i->subtype, harmless[k]))
			return 0;
	if (i->optional && !*i->subtype)
		return 0;
	return NOTE(o->r, "ovf-device", "The device \"%.60s\" (type %u "
		    "\"%.60s\") is left out.", i->name, i->type, i->subtype);
}

/* CPU or memory that is only reserved or limited. */
static bool is_limit(struct ovf *o, const struct ovf_item *i)
{
	return (i->type == OVF_CPU || i->type == OVF_MEMORY) &&
		!i->has_quantity && !*child(o, i->node, "VirtualQuantity");
}

static int use_item(struct ovf *o, const struct ovf_item *i)
{
	if (is_limit(o, i))
		return NOTE(o->r, "ovf-limits", "CPU and memory have "
			    "reservations or limits.");
	switch (i->type) {
	case OVF_CPU:
		return use_cpu(o, i);
	case OVF_MEMORY:
		return use_memory(o, i);
	case OVF_NIC:
		return use_nic(o, i);
	case OVF_DISK: case OVF_CD: case OVF_DVD: case OVF_FLOPPY:
		return ovf_use_drive(o, i);
	case OVF_IDE: case OVF_SCSI: case OVF_STORAGE:
		return 0;	/* its drives name it */
	case OVF_VIDEO:
		return use_video(o, i);
	case OVF_SOUND:
		return use_sound(o, i);
	case OVF_USB:
		return use_usb(o, i);
	case OVF_SERIAL:
		return use_serial(o, i);
	default:
		return use_other(o, i);
	}
}

int ovf_use_items(struct ovf *o)
{
	const struct machine *m = o->r->m;
	int rc = 0;

	for (size_t i = 0; i < o->n_items && !rc; i++) {
		struct ovf_item *item = &o->items[i];
		size_t n_disks = m->n_disks, n_nics = m->n_nics;

		rc = use_item(o, item);
		item->disk = m->n_disks > n_disks ? m->n_disks : 0;
		item->nic = m->n_nics > n_nics ? m->n_nics : 0;
	}
	return rc;
}
