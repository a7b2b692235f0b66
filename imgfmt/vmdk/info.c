/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.c - what headers and descriptor say, in qemu's words where it has
 * any.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "state.h"

static json_t *extent_info(const struct vmdk *s, const struct vmdk_extent *x)
{
	bool sparse = x->storage == VMDK_SPARSE;
	const char *name = x->owned ? x->owned->name : s->img->name;
	json_t *o = json_object();

	if (x->line && !x->file)
		name = x->line->name ? x->line->name : "";
	json_object_set_new(o, "virtual-size",
			    json_integer((json_int_t)x->len));
	json_object_set_new(o, "filename", json_string(name));
	if (sparse && x->file)
		json_object_set_new(o, "cluster-size",
				    json_integer(x->t.grain));
	/* qemu says nothing of the extent that the file itself is. */
	json_object_set_new(o, "format", json_string(
		!x->line || x->file == s->file ? "" :
		vmdk_extent_type_name(x->line->type)));
	if (sparse && x->t.compressed)
		json_object_set_new(o, "compressed", json_true());
	return o;
}

/* What qemu does not tell. */
static void add_header(const struct vmdk_extent *x, json_t *o)
{
	static const char *const kinds[] = {
		[VMDK_HOSTED] = "hosted", [VMDK_COWD] = "cowd",
		[VMDK_SESPARSE] = "sesparse",
	};
	const struct vmdk_tables *t = &x->t;

	if (x->storage != VMDK_SPARSE || !x->file)
		return;
	json_object_set_new(o, "sparse-kind", json_string(kinds[t->kind]));
	if (t->kind == VMDK_HOSTED) {
		json_object_set_new(o, "header-version",
				    json_integer(t->h.version));
		json_object_set_new(o, "zeroed-grains",
				    json_boolean(t->zero_gte));
		json_object_set_new(o, "footer", json_boolean(t->footer != 0));
	}
	json_object_set_new(o, "unclean-shutdown", json_boolean(t->h.unclean));
}

static json_t *keys(const struct vmdk_descriptor *d)
{
	json_t *o = json_object();

	for (size_t i = 0; i < d->n_keys; i++)
		json_object_set_new(o, d->keys[i].key,
				    json_string(d->keys[i].value));
	return o;
}

static void add_descriptor(const struct vmdk *s, json_t *o)
{
	const struct vmdk_descriptor *d = &s->d;

	json_object_set_new(o, "descriptor-version", json_integer(d->version));
	if (d->encoding)
		json_object_set_new(o, "encoding", json_string(d->encoding));
	if (d->parent_hint)
		json_object_set_new(o, "parent-hint",
				    json_string(d->parent_hint));
	json_object_set_new(o, "descriptor", keys(d));
}

int vmdk_info(struct img *img, struct img_info *info, struct err *e)
{
	struct vmdk *s = img->state;
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < s->n_extents; i++) {
		const struct vmdk_extent *x = &s->extents[i];
		json_t *one = extent_info(s, x);

		add_header(x, one);
		json_array_append_new(list, one);
		if (x->storage == VMDK_SPARSE && x->file) {
			if (!info->cluster_size)
				info->cluster_size = x->t.grain;
			info->compressed |= x->t.compressed;
			info->dirty |= x->t.h.unclean;
		}
	}
	json_object_set_new(o, "cid", json_integer(s->d.cid));
	json_object_set_new(o, "parent-cid", json_integer(s->d.parent_cid));
	json_object_set_new(o, "create-type", json_string(
			s->d.create_type ? s->d.create_type : ""));
	json_object_set_new(o, "extents", list);
	if (s->has_descriptor)
		add_descriptor(s, o);
	info->specific = o;
	return o ? 0 : fail(e, ENOMEM, "out of memory");
}
