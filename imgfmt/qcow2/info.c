/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.c - what the header says, in qemu's words. */
#include <errno.h>
#include <jansson.h>

#include "bitmaps.h"
#include "luks.h"

static void add_bitmap(void *arg, const struct qcow2_bitmap *b)
{
	json_t *flags = json_array();

	if (b->flags & QCOW2_BITMAP_IN_USE)
		json_array_append_new(flags, json_string("in-use"));
	if (b->flags & QCOW2_BITMAP_AUTO)
		json_array_append_new(flags, json_string("auto"));
	json_array_append_new(arg, json_pack("{s:o, s:s%, s:I}", "flags", flags,
			"name", b->name, (size_t)b->name_len, "granularity",
			(json_int_t)1 << b->granularity_bits));
}

static json_t *bitmaps(const struct qcow2 *s)
{
	json_t *list = json_array();

	/* What can be read of a broken directory. */
	qcow2_bitmaps_each(s, add_bitmap, list);
	return list;
}

static json_t *encryption(const struct qcow2 *s)
{
	bool luks = s->h.crypt_method == 2;
	json_t *o = json_object();

	if (luks)
		qcow2_luks_info(s, o);
	if (!json_object_get(o, "format"))
		json_object_set_new(o, "format",
				    json_string(luks ? "luks" : "aes"));
	return o;
}

static json_t *specific(const struct qcow2 *s)
{
	const struct qcow2_header *h = &s->h;
	json_t *o = json_object();

	json_object_set_new(o, "compat",
			    json_string(h->version == 2 ? "0.10" : "1.1"));
	json_object_set_new(o, "compression-type",
			    json_string(h->compression ? "zstd" : "zlib"));
	if (h->version >= 3)
		json_object_set_new(o, "lazy-refcounts", json_boolean(
			h->compat & QCOW2_COMPAT_LAZY_REFCOUNTS));
	if (h->n_bitmaps)
		json_object_set_new(o, "bitmaps", bitmaps(s));
	json_object_set_new(o, "refcount-bits",
			    json_integer((json_int_t)1 << h->refcount_order));
	if (h->crypt_method)
		json_object_set_new(o, "encrypt", encryption(s));
	if (h->data_file)
		json_object_set_new(o, "data-file", json_string(h->data_file));
	if (h->external_data)
		json_object_set_new(o, "data-file-raw",
				    json_boolean(h->raw_external));
	if (h->version >= 3)
		json_object_set_new(o, "corrupt", json_boolean(
			h->incompat & QCOW2_INCOMPAT_CORRUPT));
	if (h->version >= 3)
		json_object_set_new(o, "extended-l2", json_boolean(h->extl2));
	return o;
}

static json_t *snapshot(const struct qcow2_snapshot *sn)
{
	json_t *o = json_object();
	const uint64_t second = 1000000000;

	if (sn->icount != UINT64_MAX)
		json_object_set_new(o, "icount",
				    json_integer((json_int_t)sn->icount));
	json_object_set_new(o, "vm-clock-nsec", json_integer(
			(json_int_t)(sn->vm_clock_nsec % second)));
	json_object_set_new(o, "name", json_string(sn->name));
	json_object_set_new(o, "date-sec", json_integer(sn->date_sec));
	json_object_set_new(o, "date-nsec", json_integer(sn->date_nsec));
	json_object_set_new(o, "vm-clock-sec", json_integer(
			(json_int_t)(sn->vm_clock_nsec / second)));
	json_object_set_new(o, "id", json_string(sn->id));
	json_object_set_new(o, "vm-state-size", json_integer(
			(json_int_t)sn->vm_state_size));
	return o;
}

int qcow2_info(struct img *img, struct img_info *info, struct err *e)
{
	struct qcow2 *s = img->state;

	info->cluster_size = s->h.cluster_size;
	info->data_file = s->h.data_file;
	info->encrypted = s->h.crypt_method != 0;
	info->dirty = s->h.incompat & QCOW2_INCOMPAT_DIRTY;
	info->corrupt = s->h.incompat & QCOW2_INCOMPAT_CORRUPT;
	info->specific = specific(s);
	if (s->snapshots)
		info->snapshots = json_array();
	for (uint32_t i = 0; s->snapshots && i < s->h.n_snapshots; i++)
		json_array_append_new(info->snapshots,
				      snapshot(&s->snapshots[i]));
	return info->specific ? 0 : fail(e, ENOMEM, "out of memory");
}
