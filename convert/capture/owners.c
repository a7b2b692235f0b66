/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owners.c - whose were the bytes that cannot be read? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/capture/capture.h"
#include "imgfmt/base/buf.h"

struct naming {
	struct capture_lost *lost;
	size_t cap;
	const char *volume;
	int rc;
};

static int add(struct naming *n, const char *path)
{
	struct capture_lost *lost = n->lost;
	char *text;

	if (lost->n_files == CAPTURE_MAX_FILES) {
		lost->more_files = true;
		return 1;
	}
	text = str_printf("%s: %s", n->volume, path);
	n->rc = text ? array_grow(&lost->files, &n->cap, lost->n_files + 1,
				  sizeof(*lost->files)) : -ENOMEM;
	if (n->rc) {
		free(text);
		return 1;
	}
	lost->files[lost->n_files++] = text;
	return 0;
}

static int add_file(void *arg, const char *path)
{
	return add(arg, path);
}

static int in_volume(struct naming *n, const struct volume *v)
{
	uint64_t from = max_u64(n->lost->offset, v->offset);
	uint64_t to = min_u64(n->lost->offset + n->lost->len,
			      v->offset + v->len);
	char name[VOLUME_NAME_LEN];
	struct err why = { "" };
	int rc = 0;

	if (from >= to)
		return 0;
	n->volume = volume_name(v, name);
	if (v->id->has_files)
		rc = fs_owners(v->fs, from - v->offset, to - from, add_file, n,
			       &why);
	if (!v->id->has_files || rc < 0)
		add(n, "(it is not known which file)");
	return n->rc;
}

int capture_owners(const struct capture_plan *plan, struct capture_lost *lost,
		   struct err *e)
{
	struct naming n = { .lost = lost };
	int rc = 0;

	for (size_t i = 0; i < plan->volumes.n && !rc; i++)
		rc = in_volume(&n, &plan->volumes.list[i]);
	return rc ? fail_rc(e, rc, "listing damaged files") : 0;
}
