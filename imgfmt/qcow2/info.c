/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.c - what the header says, in qemu's words. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

#define BITMAP_FIXED_LEN 24u		/* of a bitmap directory entry */
#define MAX_BITMAP_DIRECTORY (1u << 20)	/* bytes we read for info */

/* "Bitmap directory": table offset (8), table size (4), flags (4), type (1),
 * granularity bits (1), name length (2), extra data length (4), extra data,
 * name, padding to 8.
 */
static json_t *bitmap_entry(const uint8_t *p, uint64_t left, uint64_t *used)
{
	uint32_t flags = get_be32(p + 12), extra = get_be32(p + 20);
	uint16_t name_len = get_be16(p + 18);
	unsigned bits = p[17];
	uint64_t len = BITMAP_FIXED_LEN + (uint64_t)extra + name_len;
	json_t *list = json_array();

	*used = round_up(len, 8);
	if (len > left || bits > 31) {
		json_decref(list);
		return NULL;
	}
	if (flags & 1)
		json_array_append_new(list, json_string("in-use"));
	if (flags & 2)
		json_array_append_new(list, json_string("auto"));
	return json_pack("{s:o, s:s%, s:I}", "flags", list, "name",
			 (const char *)p + BITMAP_FIXED_LEN + extra,
			 (size_t)name_len, "granularity",
			 (json_int_t)1 << bits);
}

static json_t *bitmaps(const struct qcow2 *s)
{
	uint64_t len = s->h.bitmaps_len, pos = 0, used;
	json_t *list = json_array();
	uint8_t *dir;

	dir = len <= MAX_BITMAP_DIRECTORY ? buf_alloc((size_t)len) : NULL;
	if (!dir || !in_range(s->h.bitmaps_offset, len, img_length(s->file)) ||
	    img_read(s->file, dir, (size_t)len, s->h.bitmaps_offset))
		len = 0;
	for (uint32_t i = 0; i < s->h.n_bitmaps; i++) {
		json_t *one = len - pos >= BITMAP_FIXED_LEN ?
			      bitmap_entry(dir + pos, len - pos, &used) : NULL;

		if (!one)
			break;
		json_array_append_new(list, one);
		pos += min_u64(used, len - pos);
	}
	free(dir);
	return list;
}

static json_t *specific(const struct qcow2 *s)
{
	const struct qcow2_header *h = &s->h;
	json_t *o = json_object();

	json_object_set_new(o, "compat",
			    json_string(h->version == 2 ? "0.10" : "1.1"));
	if (h->data_file)
		json_object_set_new(o, "data-file", json_string(h->data_file));
	json_object_set_new(o, "compression-type",
			    json_string(h->compression ? "zstd" : "zlib"));
	if (h->version >= 3)
		json_object_set_new(o, "lazy-refcounts", json_boolean(
			h->compat & QCOW2_COMPAT_LAZY_REFCOUNTS));
	json_object_set_new(o, "refcount-bits",
			    json_integer((json_int_t)1 << h->refcount_order));
	if (h->version >= 3)
		json_object_set_new(o, "corrupt", json_boolean(
			h->incompat & QCOW2_INCOMPAT_CORRUPT));
	if (h->version >= 3)
		json_object_set_new(o, "extended-l2", json_boolean(h->extl2));
	if (h->external_data)
		json_object_set_new(o, "data-file-raw",
				    json_boolean(h->raw_external));
	if (h->n_bitmaps)
		json_object_set_new(o, "bitmaps", bitmaps(s));
	if (h->crypt_method)
		json_object_set_new(o, "encrypt", json_pack("{s:s}", "format",
			h->crypt_method == 2 ? "luks" : "aes"));
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
