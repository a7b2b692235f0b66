/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - the -o options of new images. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "create.h"

const struct img_option vmdk_options[] = {
	{ "subformat", "str", "monolithicSparse (default), monolithicFlat, "
	  "twoGbMaxExtentSparse, twoGbMaxExtentFlat or streamOptimized" },
	{ "adapter_type", "str", "ide (default), buslogic, lsilogic or "
	  "legacyESX" },
	{ "hwversion", "str", "version of the virtual hardware (4)" },
	{ "toolsversion", "str", "version of the guest's VMware Tools" },
	{ "zeroed_grain", "bool (on/off)", "mark zeroes without storing them" },
	{ "compat6", "bool (on/off)", "for VMware Workstation 6" },
	{ "size", "size", "virtual size" },
	{ "backing_file", "str", "the parent" },
	{ "backing_fmt", "str", "the parent's format, must be vmdk" },
	{ 0 },
};

static const struct {
	const char *name;
	bool stream, flat, split;
} subformats[] = {
	{ "monolithicSparse", false, false, false },
	{ "monolithicFlat", false, true, false },
	{ "twoGbMaxExtentSparse", false, false, true },
	{ "twoGbMaxExtentFlat", false, true, true },
	{ "streamOptimized", true, false, false },
};

static int parse_subformat(const struct img_create_args *args,
			   struct vmdk_new *n, struct err *e)
{
	const char *text = opt_string(args, "subformat");

	for (size_t i = 0; i < sizeof(subformats) / sizeof(subformats[0]); i++)
		if (!text || !strcmp(text, subformats[i].name)) {
			n->create_type = subformats[i].name;
			n->stream = subformats[i].stream;
			n->flat = subformats[i].flat;
			n->split = subformats[i].split;
			return 0;
		}
	return fail(e, EINVAL, "subformat is '%s', must be monolithicSparse, "
		    "monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat "
		    "or streamOptimized", text);
}

static int parse_adapter(const struct img_create_args *args,
			 struct vmdk_new *n, struct err *e)
{
	static const char *const known[] = {
		"ide", "buslogic", "lsilogic", "legacyESX",
	};
	const char *text = opt_string(args, "adapter_type");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!text || !strcmp(text, known[i])) {
			n->adapter = known[i];
			return 0;
		}
	return fail(e, EINVAL, "Unknown adapter type: %s; must be ide, "
		    "buslogic, lsilogic or legacyESX", text);
}

static int parse_number(const struct img_create_args *args, const char *key,
			const char **value, struct err *e)
{
	const char *text = opt_string(args, key);

	if (!text || !strcmp(text, "undefined"))
		return 0;
	if (!*text || strlen(text) > 10 ||
	    text[strspn(text, "0123456789")])
		return fail(e, EINVAL, "%s is '%s', must be a number", key,
			    text);
	*value = text;
	return 0;
}

static int parse_versions(const struct img_create_args *args,
			  struct vmdk_new *n, struct err *e)
{
	bool compat6 = false;
	int rc;

	n->hwversion = NULL;
	n->toolsversion = "2147483647";
	rc = opt_bool(args, "compat6", &compat6, e);
	if (!rc)
		rc = parse_number(args, "hwversion", &n->hwversion, e);
	if (!rc)
		rc = parse_number(args, "toolsversion", &n->toolsversion, e);
	if (!rc && compat6 && n->hwversion)
		rc = fail(e, EINVAL, "compat6 cannot be enabled with hwversion "
			  "set");
	if (!n->hwversion)
		n->hwversion = compat6 ? "6" : "4";
	return rc;
}

static int parse_backing(const struct img_create_args *args,
			 struct vmdk_new *n, struct err *e)
{
	const char *name = args->backing ? args->backing
					 : opt_string(args, "backing_file");
	const char *format = args->backing_format ? args->backing_format
					: opt_string(args, "backing_fmt");

	if (!name || !*name)
		return 0;
	if (n->flat)
		return fail(e, ENOTSUP, "Flat image can't have backing file");
	if (n->stream)
		return fail(e, ENOTSUP, "a streamOptimized image cannot have a "
			    "backing file");
	if (format && strcmp(format, "vmdk"))
		return fail(e, EINVAL, "Invalid backing file format: %s. Must "
			    "be vmdk", format);
	if (strpbrk(name, "\"\r\n"))
		return fail(e, EINVAL, "the name of the backing file contains "
			    "a quotation mark or the end of a line, which the "
			    "descriptor cannot hold");
	n->backing = name;
	return 0;
}

int vmdk_new_parse(const struct img_create_args *args, struct vmdk_new *n,
		   struct err *e)
{
	uint64_t size = args->size;
	int rc;

	*n = (struct vmdk_new){ 0 };
	rc = parse_subformat(args, n, e);
	if (!rc)
		rc = parse_adapter(args, n, e);
	if (!rc)
		rc = parse_versions(args, n, e);
	if (!rc)
		rc = opt_bool(args, "zeroed_grain", &n->zeroed_grain, e);
	if (!rc)
		rc = parse_backing(args, n, e);
	if (!rc && !size)
		rc = opt_size(args, "size", &size, e);
	if (rc)
		return rc;
	if (n->flat && n->zeroed_grain)
		return fail(e, EINVAL, "Flat image can't enable zeroed grain");
	if (size > INT64_MAX - (VMDK_SECTOR - 1))
		return fail(e, EINVAL, "a size of %llu bytes is too large",
			    (unsigned long long)size);
	n->size = round_up(size, VMDK_SECTOR);
	if (!n->flat && n->size > VMDK_MAX_SPARSE)
		return fail(e, EFBIG, "a sparse disk has at most 64 TiB, %llu "
			    "bytes are too large",
			    (unsigned long long)n->size);
	if (n->split && n->size / VMDK_SECTOR / VMDK_SPLIT >= VMDK_MAX_EXTENTS)
		return fail(e, EFBIG, "%llu bytes need more than %u extents",
			    (unsigned long long)n->size, VMDK_MAX_EXTENTS);
	return 0;
}

/* IDE disks have what their BIOS can count; the geometry of SCSI disks grows
 * with their size, as BIOSes translate.
 */
void vmdk_geometry(const char *adapter, uint64_t sectors,
		   struct vmdk_geometry *g)
{
	const uint64_t gib = (1u << 30) / VMDK_SECTOR;

	if (!strcmp(adapter, "ide")) {
		g->heads = 16;
		g->sectors = 63;
	} else if (sectors >= 2 * gib) {
		g->heads = 255;
		g->sectors = 63;
	} else {
		g->heads = sectors >= gib ? 128 : 64;
		g->sectors = 32;
	}
	g->cylinders = sectors / (g->heads * g->sectors);
	if (!g->cylinders)
		g->cylinders = 1;
	if (g->heads == 16 && g->cylinders > 16383)
		g->cylinders = 16383;
}

int vmdk_set_geometry(struct vmdk_descriptor *d, const char *adapter,
		      uint64_t sectors)
{
	struct vmdk_geometry g;
	char text[24];
	int rc;

	vmdk_geometry(adapter, sectors, &g);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)g.cylinders);
	rc = vmdk_key_set(d, "ddb.geometry.cylinders", text);
	snprintf(text, sizeof(text), "%u", g.heads);
	if (!rc)
		rc = vmdk_key_set(d, "ddb.geometry.heads", text);
	snprintf(text, sizeof(text), "%u", g.sectors);
	return rc ? rc : vmdk_key_set(d, "ddb.geometry.sectors", text);
}
