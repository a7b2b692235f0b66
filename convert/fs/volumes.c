/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes.c - a window for each partition, and a look at what is on it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/volumes.h"
#include "imgfmt/base/buf.h"

static int open_window(struct img *disk, struct volume *v, struct err *e)
{
	struct img *borrowed;
	int rc;

	rc = img_borrow(disk, img_flags(disk) & IMG_WRITE, &borrowed, e);
	if (rc)
		return rc;
	rc = img_window(borrowed, v->offset, v->len, &v->img, e);
	if (rc)
		img_close(borrowed, NULL);
	return rc;
}

static int add(struct volumes *vs, unsigned i, struct img *disk,
	       const struct partition *part, struct err *e)
{
	struct volume *v = &vs->list[vs->n++];
	char name[VOLUME_NAME_LEN];
	int rc;

	*v = (struct volume){ .disk = i, .part = part, .len = img_size(disk) };
	if (part) {
		v->offset = part->offset;
		v->len = part->len;
	}
	rc = open_window(disk, v, e);
	if (!rc)
		rc = fs_open(v->img, &v->fs, e);
	if (rc)
		return fail_prefix(e, rc, "%s", volume_name(v, name));
	v->id = fs_identity(v->fs);
	return 0;
}

static int open_disk(struct volumes *vs, unsigned i, struct img *disk,
		     struct err *e)
{
	const struct ptable *t = &vs->tables[i];
	size_t cap = vs->n;
	int rc;

	rc = ptable_read(disk, &vs->tables[i], e);
	if (rc)
		return fail_prefix(e, rc, "disk %u", i + 1);
	if (array_grow(&vs->list, &cap, vs->n + t->n + 1, sizeof(*vs->list)))
		return fail(e, ENOMEM, "out of memory");
	if (t->kind == PTABLE_NONE)
		return add(vs, i, disk, NULL, e);
	for (size_t k = 0; k < t->n && !rc; k++)
		if (!t->partitions[k].extended)
			rc = add(vs, i, disk, &t->partitions[k], e);
	return rc;
}

int volumes_open(struct img *const *disks, size_t n_disks, struct volumes *out,
		 struct err *e)
{
	int rc = 0;

	*out = (struct volumes){ .n_disks = n_disks };
	out->tables = array_alloc(n_disks + 1, sizeof(*out->tables));
	if (!out->tables)
		rc = fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n_disks && !rc; i++)
		rc = open_disk(out, (unsigned)i, disks[i], e);
	if (rc)
		volumes_close(out);
	return rc;
}

void volumes_close(struct volumes *v)
{
	for (size_t i = 0; i < v->n; i++) {
		fs_close(v->list[i].fs);
		img_close(v->list[i].img, NULL);
	}
	for (size_t i = 0; v->tables && i < v->n_disks; i++)
		ptable_fini(&v->tables[i]);
	free(v->list);
	free(v->tables);
	*v = (struct volumes){ 0 };
}

const char *volume_name(const struct volume *v, char out[VOLUME_NAME_LEN])
{
	if (v->part)
		snprintf(out, VOLUME_NAME_LEN, "disk %u partition %u",
			 v->disk + 1, v->part->number);
	else
		snprintf(out, VOLUME_NAME_LEN, "disk %u", v->disk + 1);
	return out;
}
