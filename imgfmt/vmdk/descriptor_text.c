/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptor_text.c - writing descriptors.  Specification: "The Descriptor
 * File".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk.h"

static const char *const access_names[] = {
	[VMDK_RW] = "RW", [VMDK_RDONLY] = "RDONLY",
	[VMDK_NOACCESS] = "NOACCESS",
};

static bool is_ddb(const char *key)
{
	return !strncasecmp(key, "ddb.", 4);
}

static void put_keys(FILE *f, const struct vmdk_descriptor *d, bool ddb)
{
	for (size_t i = 0; i < d->n_keys; i++)
		if (is_ddb(d->keys[i].key) == ddb)
			fprintf(f, ddb ? "%s = \"%s\"\n" : "%s=\"%s\"\n",
				d->keys[i].key, d->keys[i].value);
}

static void put_extent(FILE *f, const struct vmdk_extent_line *x)
{
	fprintf(f, "%s %" PRIu64 " %s", access_names[x->access], x->sectors,
		vmdk_extent_type_name(x->type));
	if (x->name)
		fprintf(f, " \"%s\"", x->name);
	if (x->has_offset)
		fprintf(f, " %" PRIu64, x->offset_sectors);
	fputc('\n', f);
}

static void put_header(FILE *f, const struct vmdk_descriptor *d)
{
	fprintf(f, "# Disk DescriptorFile\nversion=%" PRIu32 "\n", d->version);
	if (d->encoding)
		fprintf(f, "encoding=\"%s\"\n", d->encoding);
	fprintf(f, "CID=%08" PRIx32 "\nparentCID=%08" PRIx32 "\n", d->cid,
		d->parent_cid);
	put_keys(f, d, false);
	if (d->create_type)
		fprintf(f, "createType=\"%s\"\n", d->create_type);
	if (d->parent_hint)
		fprintf(f, "parentFileNameHint=\"%s\"\n", d->parent_hint);
}

char *vmdk_descriptor_text(const struct vmdk_descriptor *d)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool bad;

	if (!f)
		return NULL;
	put_header(f, d);
	fputs("\n# Extent description\n", f);
	for (size_t i = 0; i < d->n_extents; i++)
		put_extent(f, &d->extents[i]);
	fputs("\n# The Disk Data Base \n#DDB\n\n", f);
	put_keys(f, d, true);
	bad = ferror(f);
	if (fclose(f) || bad) {
		free(text);
		return NULL;
	}
	return text;
}

/* Old products and the technote spell "2GbMaxExtent" what newer ones call
 * "twoGbMaxExtent".
 */
bool vmdk_create_type_is(const struct vmdk_descriptor *d, const char *type)
{
	const char *have = d->create_type;

	if (!have)
		return false;
	if (!strncasecmp(have, "2Gb", 3) && !strncasecmp(type, "twoGb", 5))
		return !strcasecmp(have + 3, type + 5);
	return !strcasecmp(have, type);
}
