/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.c - what is in a package. */
#include <errno.h>
#include <jansson.h>

#include "ova.h"

/* Names are bytes; what is not UTF-8 has no place in JSON. */
static void put_name(json_t *o, const char *key, const char *name)
{
	json_t *text = json_string(name);

	json_object_set_new(o, key, text ? text : json_string("(not UTF-8)"));
}

static void put_number(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *members(const struct ova *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->tar.n; i++) {
		const struct tar_member *m = &s->tar.members[i];
		const struct manifest_line *l = ova_line(s, m);
		json_t *o = json_object();

		put_name(o, "name", m->name);
		if (!s->files)
			put_number(o, "offset", m->offset);
		put_number(o, "size", m->len);
		if (l)
			put_name(o, "digest", l->type->name);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *disks(const struct ova *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_disks; i++) {
		const struct ova_disk *d = &s->disks[i];
		json_t *o = json_object();
		uint64_t len = 0;

		for (size_t k = 0; k < d->n; k++)
			len += d->pieces[k]->len;
		put_name(o, "name", d->name);
		put_number(o, "size", len);
		if (d->n > 1)
			put_number(o, "pieces", d->n);
		json_array_append_new(list, o);
	}
	return list;
}

static void add_disk(struct ova *s, json_t *o, struct img_info *info)
{
	struct img_info inner;

	put_name(o, "disk", s->chosen->name);
	put_name(o, "disk-format", img_format(s->disk));
	json_object_set_new(o, "disk-gzip", json_boolean(s->gzip));
	if (img_info(s->disk, &inner, NULL))
		return;
	info->cluster_size = inner.cluster_size;
	info->compressed = inner.compressed || s->gzip;
	info->encrypted = inner.encrypted;
	info->dirty = inner.dirty;
	info->corrupt = inner.corrupt;
	if (inner.specific)
		json_object_set_new(o, "disk-specific", inner.specific);
	json_decref(inner.snapshots);
}

int ova_info(struct img *img, struct img_info *info, struct err *e)
{
	struct ova *s = img->state;
	json_t *o = json_object();

	if (s->disk)
		add_disk(s, o, info);
	else
		put_name(o, "no-disk", s->why.text);
	if (s->missing)
		put_name(o, "missing", s->missing);
	if (s->ovf)
		put_name(o, "descriptor", s->ovf->name);
	if (s->mf) {
		put_name(o, "manifest", s->mf->name);
		put_name(o, "manifest-digest", s->manifest.n ?
			 s->manifest.lines[0].type->name : "none");
	}
	if (s->cert)
		put_name(o, "certificate", s->cert->name);
	json_object_set_new(o, "disks", disks(s));
	json_object_set_new(o, "members", members(s));
	info->specific = o;
	return o ? 0 : fail(e, ENOMEM, "out of memory");
}
