/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits_plan.c - plan changes to a guest's files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/diff.h"
#include "convert/guest/edits_state.h"
#include "imgfmt/base/buf.h"

/* Old content up to this is read for a diff. */
#define OLD_MAX ((size_t)DIFF_MAX)

static int check_volume(const char *path, const struct volume *v, struct err *e)
{
	char name[VOLUME_NAME_LEN];

	if (!strncmp(v->id->type, "ext", 3))
		return 0;
	return fail(e, ENOTSUP, "'%s' is on %s, a file system of type %s, "
		    "which cannot be changed", path, volume_name(v, name),
		    v->id->type);
}

static uint32_t default_mode(enum edit_action action)
{
	return action == EDIT_MKDIR ? 0755 : 0644;
}

/* Add an edit of `len` bytes, which are copied; *out may be changed still. */
static int add(struct edits *ed, enum edit_action action, const char *path,
	       const void *data, size_t len, const struct edit_new *n,
	       struct edit **out, struct err *e)
{
	const char *rest;
	struct edit d = {
		.action = action, .len = len,
		.mode = n->mode ? n->mode : default_mode(action),
		.uid = n->uid, .gid = n->gid,
		.volume = tree_volume_of(ed->tree, path, &rest),
	};
	int rc = check_volume(path, d.volume, e);

	if (rc)
		return rc;
	d.path = strdup(path);
	d.code = strdup(n->code);
	d.why = strdup(n->why);
	d.data = malloc(len + 1);
	if (!d.path || !d.code || !d.why || !d.data ||
	    array_grow(&ed->list, &ed->cap, ed->n + 1, sizeof(d))) {
		edit_fini(&d);
		return fail(e, ENOMEM, "out of memory");
	}
	if (len)
		memcpy(d.data, data, len);
	d.data[len] = 0;
	*out = &ed->list[ed->n];
	ed->list[ed->n++] = d;
	return 0;
}

/* Back to `n` edits. */
static void drop_to(struct edits *ed, size_t n)
{
	while (ed->n > n)
		edit_fini(&ed->list[--ed->n]);
}

/* The folders on the way to the last name of a path, of which `missing` names
 * do not exist.
 */
static int add_parents(struct edits *ed, const struct tree_spot *s,
		       const struct edit_new *n, struct err *e)
{
	struct edit_new folder = { .code = n->code, .why = n->why };
	char *p = s->path + strlen(s->path);
	struct edit *ignored;
	int rc = 0;

	for (unsigned i = 0; i < s->missing; i++)
		while (*--p != '/')
			;
	for (p++; *p && !rc; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		rc = add(ed, EDIT_MKDIR, s->path, NULL, 0, &folder, &ignored, e);
		*p = '/';
	}
	return rc;
}

/* A name that is not there, and the folders on the way to it. */
static int add_fresh(struct edits *ed, enum edit_action action,
		     const struct tree_spot *s, const void *data, size_t len,
		     const struct edit_new *n, struct err *e)
{
	size_t before = ed->n;
	struct edit *d;
	int rc = add_parents(ed, s, n, e);

	if (!rc)
		rc = add(ed, action, s->path, data, len, n, &d, e);
	if (!rc && action == EDIT_CREATE)
		rc = diff_unified(s->path, NULL, 0, data, len, &d->diff, e);
	if (rc)
		drop_to(ed, before);
	return rc;
}

static bool is_regular(const struct tree_spot *s)
{
	return s->plan == TREE_FILE ||
		(s->plan == TREE_AS_IS && S_ISREG(s->node.stat.mode));
}

static bool is_folder(const struct tree_spot *s)
{
	return s->plan == TREE_DIR ||
		(s->plan == TREE_AS_IS && S_ISDIR(s->node.stat.mode));
}

/* The bytes on the volume that are free when it goes. */
static uint64_t size_of(const struct tree_spot *s)
{
	return s->plan == TREE_AS_IS && S_ISREG(s->node.stat.mode) &&
		s->node.stat.nlink == 1 ? s->node.stat.size : 0;
}

static int rewrite(struct edits *ed, const struct tree_spot *s,
		   const void *data, size_t len, const struct edit_new *n,
		   struct err *e)
{
	size_t before = ed->n, old_len = 0;
	char *old = NULL;
	struct edit *d;
	int rc = edits_read_spot(ed, s, len > OLD_MAX ? len : OLD_MAX, &old,
				 &old_len, e);

	if (rc && rc != -EFBIG)
		return rc;
	if (!rc && old_len == len && !memcmp(old, data, len)) {
		free(old);
		return 0;
	}
	rc = add(ed, EDIT_WRITE, s->path, data, len, n, &d, e);
	if (!rc) {
		d->old_size = s->plan == TREE_AS_IS ? s->node.stat.size :
			old_len;
		if (old)
			rc = diff_unified(s->path, old, old_len, data, len,
					  &d->diff, e);
	}
	if (rc)
		drop_to(ed, before);
	free(old);
	return rc;
}

int edits_write(struct edits *ed, const char *path, const void *data, size_t len,
		const struct edit_new *n, struct err *e)
{
	struct tree_spot s;
	int rc = edits_walk(ed, path, TREE_MISSING, &s, e);

	if (rc)
		return rc;
	if (s.missing)
		rc = add_fresh(ed, EDIT_CREATE, &s, data, len, n, e);
	else if (is_regular(&s))
		rc = rewrite(ed, &s, data, len, n, e);
	else
		rc = fail(e, is_folder(&s) ? EISDIR : EINVAL,
			  "'%s' is not a regular file", s.path);
	tree_spot_fini(&s);
	return rc;
}

int edits_append(struct edits *ed, const char *path, const void *data,
		 size_t len, const struct edit_new *n, struct err *e)
{
	struct tree_spot s;
	struct edit *ignored;
	int rc = edits_walk(ed, path, 0, &s, e);

	if (rc)
		return rc;
	if (!is_regular(&s))
		rc = fail(e, is_folder(&s) ? EISDIR : EINVAL,
			  "'%s' is not a regular file", s.path);
	else if (len)
		rc = add(ed, EDIT_APPEND, s.path, data, len, n, &ignored, e);
	tree_spot_fini(&s);
	return rc;
}

/* 1: the link is there with this target. */
static int same_target(const struct edits *ed, const struct tree_spot *s,
		       const char *target, struct err *e)
{
	char old[4096];
	int rc;

	if (s->plan == TREE_LINK) {
		for (size_t i = ed->n; i-- > 0;)
			if (ed->list[i].action == EDIT_LINK &&
			    !strcmp(ed->list[i].path, s->path))
				return !strcmp((char *)ed->list[i].data,
					       target);
	}
	if (s->plan != TREE_AS_IS || !S_ISLNK(s->node.stat.mode))
		return 0;
	rc = fs_readlink(s->node.volume->fs, s->node.stat.ino, old, sizeof(old),
			 e);
	return rc ? rc : !strcmp(old, target);
}

static int relink(struct edits *ed, const struct tree_spot *s,
		  const char *target, const struct edit_new *n, struct err *e)
{
	struct edit *d;
	int rc;

	if (is_folder(s))
		return fail(e, EISDIR, "'%s' is a folder", s->path);
	rc = same_target(ed, s, target, e);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = add(ed, EDIT_LINK, s->path, target, strlen(target), n, &d, e);
	if (!rc) {
		d->replaces = true;
		d->old_size = size_of(s);
	}
	return rc;
}

int edits_symlink(struct edits *ed, const char *path, const char *target,
		  const struct edit_new *n, struct err *e)
{
	struct tree_spot s;
	int rc;

	if (!*target)
		return fail(e, EINVAL, "'%s': a link has a target", path);
	rc = edits_walk(ed, path, TREE_MISSING | TREE_NOFOLLOW, &s, e);
	if (rc)
		return rc;
	rc = s.missing ? add_fresh(ed, EDIT_LINK, &s, target, strlen(target),
				   n, e) : relink(ed, &s, target, n, e);
	tree_spot_fini(&s);
	return rc;
}

int edits_mkdir(struct edits *ed, const char *path, const struct edit_new *n,
		struct err *e)
{
	struct tree_spot s;
	int rc = edits_walk(ed, path, TREE_MISSING, &s, e);

	if (rc)
		return rc;
	if (s.missing)
		rc = add_fresh(ed, EDIT_MKDIR, &s, NULL, 0, n, e);
	else if (!is_folder(&s))
		rc = fail(e, EEXIST, "'%s' is there, and no folder", s.path);
	tree_spot_fini(&s);
	return rc;
}

int edits_remove(struct edits *ed, const char *path, const struct edit_new *n,
		 struct err *e)
{
	struct tree_spot s;
	struct edit *d;
	int rc = edits_walk(ed, path, TREE_MISSING | TREE_NOFOLLOW, &s, e);

	if (rc)
		return rc;
	if (s.missing)
		goto out;
	rc = tree_holds_mounts(ed->tree, s.path) ?
		fail(e, EBUSY, "'%s' cannot be removed: a volume is mounted "
		     "there", s.path) :
		add(ed, EDIT_REMOVE, s.path, NULL, 0, n, &d, e);
	if (!rc)
		d->old_size = size_of(&s);
out:
	tree_spot_fini(&s);
	return rc;
}
