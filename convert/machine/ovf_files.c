/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_files.c - the files and disks that an OVF descriptor lists (DSP0243, 7.1 and
 * 9.1).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/ovf_refs.h"
#include "ovf.h"

#define MAX_REFS 65536u

/* A file of the package lies in its folder. */
static int check_href(struct ovf *o, const char *href)
{
	const char *p = href;

	if (*href == '/' || *href == '\\')
		return fail(o->r->e, EPERM, "%s refers to the file \"%.200s\", "
			    "must be one in its folder", o->r->path, href);
	while (*p) {
		size_t len = strcspn(p, "/\\");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return fail(o->r->e, EPERM, "%s refers to the file "
				    "\"%.200s\", which leads out of its folder",
				    o->r->path, href);
		p += len;
		p += strspn(p, "/\\");
	}
	return 0;
}

static bool is_url(const char *href)
{
	return strstr(href, "://") != NULL;
}

static int add_file(struct ovf *o, xmlNode *node)
{
	const char *href = xml_attr(&o->x, node, "href");
	const char *packed = xml_attr(&o->x, node, "compression");
	struct ovf_file *f;

	if (!href || !*href)
		return fail(o->r->e, EUCLEAN, "%s: a File has no href",
			    o->r->path);
	if (!is_url(href)) {
		int rc;

		/* The text is ours. */
		ova_href_decode((char *)(uintptr_t)href);
		rc = check_href(o, href);
		if (rc)
			return rc;
	}
	if (o->n_files == MAX_REFS)
		return fail(o->r->e, EFBIG, "%s refers to more than %u files",
			    o->r->path, MAX_REFS);
	if (array_grow(&o->files, &o->files_cap, o->n_files + 1, sizeof(*f)))
		return fail(o->r->e, ENOMEM, "out of memory");
	o->files[o->n_files++] = (struct ovf_file){
		.id = xml_attr(&o->x, node, "id") ?: "", .href = href,
		.gzip = packed && !strcasecmp(packed, "gzip"),
	};
	return 0;
}

/* A property of the product may stand for a number. */
static const char *substitute(struct ovf *o, const char *text)
{
	size_t len = strlen(text);

	if (len < 4 || strncmp(text, "${", 2) || text[len - 1] != '}')
		return text;
	for (xmlNode *s = ovf_section(o, o->system, "ProductSection"); s;
	     s = ovf_next_section(o, s, "ProductSection"))
		for (xmlNode *p = xml_child(s, "Property"); p;
		     p = xml_next(p, "Property")) {
			const char *key = xml_attr(&o->x, p, "key") ?: "";

			if (strlen(key) == len - 3 &&
			    !strncmp(key, text + 2, len - 3))
				return xml_attr(&o->x, p, "value") ?: text;
		}
	return text;
}

static int read_capacity(struct ovf *o, xmlNode *node, struct ovf_disk *d)
{
	const char *capacity = xml_attr(&o->x, node, "capacity");
	const char *units = xml_attr(&o->x, node, "capacityAllocationUnits");
	uint64_t factor = 1, n;

	if (!capacity)
		return 0;
	if (units && *units && !ovf_units(units, &factor))
		return fail(o->r->e, EUCLEAN, "%s: the capacity of the disk "
			    "\"%.60s\" is in \"%.60s\", must be in bytes times "
			    "a power of 2", o->r->path, d->id, units);
	capacity = substitute(o, capacity);
	if (capacity[0] == '$')
		return NOTE(o->r, "ovf-capacity", "The capacity of the disk "
			    "\"%.60s\" is set at its deployment.", d->id);
	if (!parse_number(capacity, UINT64_MAX, &n) ||
	    !mul_ok(n, factor, &d->size) || d->size > INT64_MAX)
		return fail(o->r->e, EUCLEAN, "%s: the capacity of the disk "
			    "\"%.60s\" is \"%.60s\", must be a number of at "
			    "most 2^63 bytes", o->r->path, d->id, capacity);
	return 0;
}

static int add_disk(struct ovf *o, xmlNode *node, bool shareable)
{
	struct ovf_disk d = {
		.id = xml_attr(&o->x, node, "diskId") ?: "",
		.file = xml_attr(&o->x, node, "fileRef") ?: "",
		.format = xml_attr(&o->x, node, "format") ?: "",
		.parent = xml_attr(&o->x, node, "parentRef") ?: "",
		.shareable = shareable,
		.encrypted = xml_attr(&o->x, node, "keyId") != NULL,
	};
	int rc = read_capacity(o, node, &d);

	if (rc)
		return rc;
	if (o->n_disks == MAX_REFS)
		return fail(o->r->e, EFBIG, "%s lists more than %u disks",
			    o->r->path, MAX_REFS);
	if (array_grow(&o->disks, &o->disks_cap, o->n_disks + 1, sizeof(d)))
		return fail(o->r->e, ENOMEM, "out of memory");
	o->disks[o->n_disks++] = d;
	return 0;
}

static int read_disks(struct ovf *o, const char *section, const char *element,
		      bool shareable)
{
	xmlNode *s = ovf_section(o, o->x.root, section);
	int rc = 0;

	for (xmlNode *n = xml_child(s, element); n && !rc;
	     n = xml_next(n, element))
		rc = add_disk(o, n, shareable);
	return rc;
}

int ovf_read_refs(struct ovf *o)
{
	xmlNode *refs = xml_child(o->x.root, "References");
	int rc = 0;

	for (xmlNode *n = xml_child(refs, "File"); n && !rc;
	     n = xml_next(n, "File"))
		rc = add_file(o, n);
	if (!rc)
		rc = read_disks(o, "DiskSection", "Disk", false);
	return rc ? rc : read_disks(o, "SharedDiskSection", "SharedDisk", true);
}

static int use_file(struct ovf *o, const char *id, struct machine_disk *d)
{
	const struct ovf_file *f = NULL;
	int rc;

	for (size_t i = 0; i < o->n_files && !f; i++)
		if (!strcmp(id, o->files[i].id))
			f = &o->files[i];
	if (!f)
		return fail(o->r->e, EUCLEAN, "%s refers to the file with the "
			    "id \"%.60s\", and there is none", o->r->path, id);
	rc = machine_set(&d->file, f->href, o->r->e);
	if (rc)
		return rc;
	d->compressed = f->gzip;
	if (is_url(f->href))
		return NOTE(o->r, "disk-remote", "The file \"%.200s\" is to be "
			    "fetched from elsewhere, which is not done.",
			    f->href);
	return machine_set(&d->member, f->href, o->r->e);
}

static const char *format_of(const struct ovf_disk *d)
{
	static const char *const words[][2] = {
		{ "vmdk", "vmdk" }, { "vhdx", "vhdx" }, { "vhd", "vhd" },
		{ "qcow", "qcow2" }, { "raw", "raw" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(d->format, words[i][0]))
			return words[i][1];
	return NULL;
}

static int use_disk(struct ovf *o, const char *id, struct machine_disk *d)
{
	const struct ovf_disk *from = NULL;
	int rc;

	for (size_t i = 0; i < o->n_disks && !from; i++)
		if (!strcmp(id, o->disks[i].id))
			from = &o->disks[i];
	if (!from)
		return fail(o->r->e, EUCLEAN, "%s refers to the disk with the "
			    "id \"%.60s\", and there is none", o->r->path, id);
	d->size = from->size;
	d->shareable = from->shareable;
	d->encrypted = from->encrypted;
	d->snapshot = *from->parent != 0;
	rc = machine_set(&d->format, format_of(from), o->r->e);
	if (!rc && *from->parent)
		rc = NOTE(o->r, "ovf-parent", "The disk \"%.60s\" holds only "
			  "what differs from the disk \"%.60s\".", from->id,
			  from->parent);
	if (rc || *from->file)
		return rc ? rc : use_file(o, from->file, d);
	return NOTE(o->r, "disk-no-file", "The disk \"%.60s\" has no file: it "
		    "is empty.", from->id);
}

int ovf_resolve(struct ovf *o, const char *resource, struct machine_disk *d)
{
	const char *p = resource;

	if (!strncmp(p, "ovf:", 4))
		p += 4;
	p += strspn(p, "/");
	if (!strncmp(p, "disk/", 5))
		return use_disk(o, p + 5, d);
	if (!strncmp(p, "file/", 5))
		return use_file(o, p + 5, d);
	return fail(o->r->e, EUCLEAN, "%s: the HostResource of a drive is "
		    "\"%.100s\", must be ovf:/disk/ID or ovf:/file/ID",
		    o->r->path, resource);
}
