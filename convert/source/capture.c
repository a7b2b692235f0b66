/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.c - a folder that p2v has captured into, as a machine: the disks of its
 * manifest, and the hardware of its inventory where that was taken.
 */
#include "convert/source/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/capture/manifest.h"
#include "convert/source/source.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/json.h"

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static int load(FILE *f, const char *path, json_t **out, struct err *e)
{
	json_error_t why;
	json_t *o;

	o = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
	if (!o)
		return fail(e, EUCLEAN, "'%s', line %d: %s", path, why.line,
			    why.text);
	if (strcmp(text_of(o, "kind"), "p2v-capture") ||
	    json_integer_value(json_object_get(o, "version")) != 1) {
		json_decref(o);
		return fail(e, ENOTSUP, "'%s' is no manifest of p2v that this "
			    "version knows: kind must be p2v-capture, and "
			    "version 1", path);
	}
	*out = o;
	return 0;
}

/* The hardware, without its disks, which are called otherwise here. */
static int take_hardware(const json_t *manifest, const char *path,
			 struct machine *m, struct err *e)
{
	const struct machine_read_args json = { .format = "json" };
	const json_t *inventory = json_object_get(manifest, "machine");
	json_t *hardware = json_deep_copy(json_object_get(inventory,
							  "machine"));
	char *text;
	int rc;

	if (!hardware) {
		m->n_cpus = 1;
		m->memory = SOURCE_DEFAULT_MEMORY;
		rc = source_add_nic(m, e);
		if (!rc)
			rc = machine_set(&m->source_format, "json", e);
		return rc ? rc : machine_set(&m->source_path, path, e);
	}
	json_object_del(hardware, "disks");
	text = json_dumps(hardware, 0);
	json_decref(hardware);
	rc = text ? machine_parse(text, strlen(text), path, &json, m, e)
	     : fail(e, ENOMEM, "out of memory");
	free(text);
	return rc;
}

static int add_disk(const json_t *disk, const char *path, struct machine *m,
		    struct err *e)
{
	const char *file = text_of(disk, "file");
	struct machine_disk *d;
	int rc;

	if (!*file || strchr(file, '/') || !strcmp(file, ".") ||
	    !strcmp(file, ".."))
		return fail(e, EPERM, "'%s' names the disk '%s', which must be "
			    "a file of its own folder", path, file);
	d = machine_add_disk(m);
	if (!d)
		return fail(e, ENOMEM, "out of memory");
	d->unit = (unsigned)(m->n_disks - 1);
	rc = machine_set(&d->file, file, e);
	if (!rc)
		rc = machine_set(&d->path, file, e);
	return rc ? rc : machine_set(&d->format, text_of(disk, "format"), e);
}

/* After the first disk, where the inventory has no name. */
static int take_name(struct machine *m, struct err *e)
{
	char *stem, *dot;
	int rc;

	if ((m->name && *m->name) || !m->n_disks)
		return 0;
	stem = strdup(m->disks[0].file);
	if (!stem)
		return fail(e, ENOMEM, "out of memory");
	dot = strrchr(stem, '.');
	if (dot && dot != stem)
		*dot = 0;
	rc = machine_set(&m->name, stem, e);
	free(stem);
	return rc;
}

int capture_load(FILE *f, const char *path, struct machine *out, struct err *e)
{
	json_t *manifest = NULL, *disk;
	size_t i;
	int rc = load(f, path, &manifest, e);

	memset(out, 0, sizeof(*out));
	if (!rc && json_array_size(json_object_get(manifest, "disks")) >
	    MANIFEST_DISKS)
		rc = fail(e, EUCLEAN, "'%s' has %zu disks, must be at most %u",
			  path, json_array_size(json_object_get(manifest,
								"disks")),
			  MANIFEST_DISKS);
	if (!rc)
		rc = take_hardware(manifest, path, out, e);
	if (!rc)
		json_array_foreach(json_object_get(manifest, "disks"), i, disk)
			if ((rc = add_disk(disk, path, out, e)))
				break;
	if (!rc)
		rc = take_name(out, e);
	if (rc)
		machine_free(out);
	json_decref(manifest);
	return rc;
}

int capture_describe(const char *folder, struct machine *out, struct err *e)
{
	char *path = str_printf("%s/" MANIFEST_NAME, folder);
	FILE *f = NULL;
	int rc = path ? manifest_open(path, &f, e)
		 : fail(e, ENOMEM, "out of memory");

	if (!rc) {
		rc = capture_load(f, path, out, e);
		fclose(f);
	}
	free(path);
	return rc;
}
