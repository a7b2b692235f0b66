/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits_apply.c - make planned edits, if there is room for all of them.
 *
 * Each volume is opened when the first edit needs it, and flushed when all
 * edits of all volumes have been made.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "convert/fs/ext_write.h"
#include "convert/guest/edits_state.h"
#include "imgfmt/base/buf.h"

/* A volume that is changed. */
struct target {
	const struct volume *volume;
	char *place;			/* where it is mounted */
	struct ext_write *writer;
	struct ext_room room;
	uint64_t used, freed, missing, inodes;	/* by the edits so far */
};

struct targets {
	struct target *list;
	size_t n, cap;
};

static void targets_fini(struct targets *all)
{
	for (size_t i = 0; i < all->n; i++) {
		ext_write_close(all->list[i].writer);
		free(all->list[i].place);
	}
	free(all->list);
}

static int target_fail(const struct target *t, int rc, struct err *e)
{
	char name[VOLUME_NAME_LEN];

	return fail_prefix(e, rc, "%s on %s", t->place,
			   volume_name(t->volume, name));
}

/* The target of an edit; *path counts from its root. */
static int target_of(struct edits *ed, struct targets *all,
		     const struct edit *d, struct target **out,
		     const char **path, struct err *e)
{
	struct target t = { .volume = d->volume };
	size_t len;

	tree_volume_of(ed->tree, d->path, path);
	for (size_t i = 0; i < all->n; i++) {
		*out = &all->list[i];
		if ((*out)->volume == d->volume)
			return 0;
	}
	if (array_grow(&all->list, &all->cap, all->n + 1, sizeof(t)))
		return fail(e, ENOMEM, "out of memory");
	len = (size_t)(*path - d->path);
	t.place = len ? strndup(d->path, len) : strdup("/");
	if (!t.place)
		return fail(e, ENOMEM, "out of memory");
	all->list[all->n] = t;
	*out = &all->list[all->n++];
	return 0;
}

/* Room. */

static bool is_new(const struct edit *d)
{
	return d->action == EDIT_CREATE || d->action == EDIT_MKDIR ||
		(d->action == EDIT_LINK && !d->replaces);
}

static void count(struct target *t, const struct edit *d)
{
	uint64_t unit = t->room.unit, missing;
	bool fresh = is_new(d);

	t->freed += d->old_size / unit * unit;
	if (d->action != EDIT_REMOVE)
		t->used += ext_room_of_file(&t->room, d->len + fresh, fresh);
	t->inodes += fresh;
	missing = t->used > t->freed ? t->used - t->freed : 0;
	missing = missing > t->room.free_bytes ?
		missing - t->room.free_bytes : 0;
	t->missing = max_u64(t->missing, missing);
}

static int judge(const struct target *t, struct err *e)
{
	int rc = 0;

	if (t->missing)
		rc = fail(e, ENOSPC, "there is no room for the changes: %" PRIu64
			  " bytes are missing, %" PRIu64 " are free",
			  t->missing, t->room.free_bytes);
	else if (t->inodes > t->room.free_inodes)
		rc = fail(e, ENOSPC, "there is no room for %" PRIu64 " new "
			  "files, only %" PRIu64 " inodes are free", t->inodes,
			  t->room.free_inodes);
	return rc ? target_fail(t, rc, e) : 0;
}

int edits_check_room(struct edits *ed, struct err *e)
{
	struct targets all = { 0 };
	int rc = 0;

	for (size_t i = 0; i < ed->n && !rc; i++) {
		const struct edit *d = &ed->list[i];
		struct target *t;
		const char *path;

		rc = target_of(ed, &all, d, &t, &path, e);
		if (!rc && !t->room.unit) {
			rc = ext_room(t->volume->img, &t->room, e);
			if (rc)
				target_fail(t, rc, e);
		}
		if (!rc)
			count(t, d);
	}
	for (size_t i = 0; i < all.n && !rc; i++)
		rc = judge(&all.list[i], e);
	targets_fini(&all);
	return rc;
}

/* Making them. */

static int make_link(struct ext_write *w, const struct edit *d,
		     const char *path, const struct ext_new *n, struct err *e)
{
	int rc = d->replaces ? ext_write_remove(w, path, e) : 0;

	return rc ? rc : ext_write_symlink(w, path, (char *)d->data, n, e);
}

static int make(struct ext_write *w, const struct edit *d, const char *path,
		struct err *e)
{
	struct ext_new n = { d->mode & 07777, d->uid, d->gid };

	switch (d->action) {
	case EDIT_CREATE:
	case EDIT_WRITE:
		return ext_write_file(w, path, d->data, d->len, &n, e);
	case EDIT_APPEND:
		return ext_write_append(w, path, d->data, d->len, e);
	case EDIT_LINK:
		return make_link(w, d, path, &n, e);
	case EDIT_MKDIR:
		return ext_write_mkdir(w, path, &n, e);
	default:
		return ext_write_remove(w, path, e);
	}
}

static int make_one(struct edits *ed, struct targets *all,
		    const struct edit *d, int64_t now, struct err *e)
{
	const char *path;
	struct target *t;
	int rc = target_of(ed, all, d, &t, &path, e);

	if (rc)
		return rc;
	if (!t->writer)
		rc = ext_write_open(t->volume->img, now, &t->writer, e);
	if (!rc)
		rc = make(t->writer, d, path, e);
	return rc ? target_fail(t, rc, e) : 0;
}

int edits_apply(struct edits *ed, struct err *e)
{
	struct targets all = { 0 };
	int64_t now = time(NULL);
	int rc = edits_check_room(ed, e);

	for (size_t i = 0; i < ed->n && !rc; i++)
		rc = make_one(ed, &all, &ed->list[i], now, e);
	for (size_t i = 0; i < all.n && !rc; i++) {
		rc = ext_write_flush(all.list[i].writer, e);
		if (rc)
			target_fail(&all.list[i], rc, e);
	}
	targets_fini(&all);
	return rc;
}
