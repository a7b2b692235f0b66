/* SPDX-License-Identifier: GPL-2.0-or-later */
/* profile.c - what ESXi, Amazon's import and VMware Workstation take.
 *
 * ESXi (by an OVF package) and Amazon take nothing but streamOptimized disks,
 * of header version 2 or 3, which stand alone; streams without the markers at
 * the end are refused by strict readers.  Workstation opens any hosted kind.
 */
#include "tools/vimg/profile.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tools/cli/options.h"

struct profile {
	const char *name;
	const char *subformat, *adapter_type, *hwversion;
	bool stream;		/* only streams are taken */
};

static const struct profile profiles[] = {
	{ "aws", "streamOptimized", "lsilogic", "7", true },
	{ "esx", "streamOptimized", "lsilogic", "7", true },
	{ "workstation", "monolithicSparse", "lsilogic", "7", false },
};

#define N_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

const char profile_names[] = "aws, esx or workstation";

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < N_PROFILES; i++)
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}

static int set_default(struct new_image *n, const char *key, const char *value)
{
	return options_get(&n->typed, key) ? 0
					   : options_set(&n->typed, key, value);
}

int profile_apply(const struct profile *p, struct new_image *n, struct err *e)
{
	const char *subformat = options_get(&n->typed, "subformat");
	int rc;

	if (n->format && strcmp(n->format, "vmdk"))
		return fail(e, EINVAL, "the profile %s needs the format vmdk, "
			    "not %s: leave -O away", p->name, n->format);
	if (p->stream && subformat && strcmp(subformat, p->subformat))
		return fail(e, EINVAL, "the profile %s needs "
			    "subformat=streamOptimized, not %s", p->name,
			    subformat);
	if (p->stream && n->backing)
		return fail(e, EINVAL, "the profile %s needs a disk that stands "
			    "alone: leave -B away", p->name);
	n->format = "vmdk";
	rc = set_default(n, "subformat", p->subformat);
	if (!rc)
		rc = set_default(n, "adapter_type", p->adapter_type);
	if (!rc)
		rc = set_default(n, "hwversion", p->hwversion);
	return rc ? fail(e, ENOMEM, "out of memory") : 0;
}

/* One image being judged. */
struct verdict {
	const struct profile *p;
	const char *file;
	int violations;
};

static void violation(struct verdict *v, const char *what, const char *fix)
{
	fprintf(stderr, "%s: profile %s: %s; %s\n", v->file, v->p->name, what,
		fix);
	v->violations++;
}

static void convert_fix(const struct verdict *v, char *out, size_t len)
{
	snprintf(out, len, "make one that is with 'vimg convert --profile %s "
		 "%s OUTPUT.vmdk'", v->p->name, v->file);
}

static void check_extent(struct verdict *v, const json_t *x)
{
	json_int_t version = json_integer_value(json_object_get(x,
							"header-version"));
	char fix[512], what[128];

	convert_fix(v, fix, sizeof(fix));
	if (json_is_true(json_object_get(x, "unclean-shutdown")))
		violation(v, "it was not closed properly",
			  "repair it with 'vimg check -r all'");
	if (!v->p->stream)
		return;
	if (version < 2) {
		snprintf(what, sizeof(what), "its stream has header version %d, "
			 "2 or 3 is needed", (int)version);
		violation(v, what, fix);
	}
	if (!json_is_true(json_object_get(x, "footer")))
		violation(v, "its stream ends without a footer and an "
			  "end-of-stream marker", fix);
}

static void check_descriptor(struct verdict *v, const json_t *data)
{
	const json_t *keys = json_object_get(data, "descriptor"), *value;
	const char *key;
	char what[160];

	json_object_foreach((json_t *)(uintptr_t)keys, key, value) {
		if (strncmp(key, "ddb.uuid.", 9) || !v->p->stream)
			continue;
		snprintf(what, sizeof(what), "its descriptor has '%.60s', a key "
			 "of VirtualBox's own", key);
		violation(v, what, "VMware's tools ignore it as a rule; a new "
			  "conversion leaves it away");
		return;
	}
}

static void check_vmdk(struct verdict *v, const json_t *data)
{
	const char *type = json_string_value(json_object_get(data,
							     "create-type"));
	const json_t *extents = json_object_get(data, "extents"), *x;
	char fix[512], what[160];
	size_t i;

	convert_fix(v, fix, sizeof(fix));
	if (json_integer_value(json_object_get(data, "parent-cid")) !=
	    0xffffffff)
		violation(v, "it is a child that needs its parent", fix);
	if (v->p->stream && (!type || strcmp(type, "streamOptimized"))) {
		snprintf(what, sizeof(what), "it is of the kind %.60s, only "
			 "streamOptimized is taken", type ? type : "unknown");
		violation(v, what, fix);
		return;
	}
	if (type && !v->p->stream && !strncmp(type, "vmfs", 4)) {
		snprintf(what, sizeof(what), "it is of the kind %.60s, which "
			 "only ESXi opens", type);
		violation(v, what, fix);
	}
	json_array_foreach(extents, i, x)
		check_extent(v, x);
	check_descriptor(v, data);
}

int profile_check(const struct profile *p, struct img *img, const char *name,
		  struct err *e)
{
	struct verdict v = { .p = p, .file = name };
	char fix[512], what[128];
	struct img_info info;
	int rc;

	if (strcmp(img_format(img), "vmdk")) {
		convert_fix(&v, fix, sizeof(fix));
		snprintf(what, sizeof(what), "its format is %.30s, vmdk is "
			 "needed", img_format(img));
		violation(&v, what, fix);
		return v.violations;
	}
	rc = img_info(img, &info, e);
	if (rc)
		return rc;
	check_vmdk(&v, info.specific);
	json_decref(info.specific);
	json_decref(info.snapshots);
	return v.violations;
}
