/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits.c - a list of changes to a guest's files, and reading as if they were
 * made.
 */
#include "convert/guest/edits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/edits_state.h"
#include "imgfmt/base/buf.h"

void edit_fini(struct edit *d)
{
	free(d->path);
	free(d->code);
	free(d->why);
	free(d->data);
	free(d->diff);
}

int edits_new(struct tree *t, struct edits **out, struct err *e)
{
	*out = array_alloc(1, sizeof(**out));
	if (!*out)
		return fail(e, ENOMEM, "out of memory");
	(*out)->tree = t;
	return 0;
}

void edits_free(struct edits *ed)
{
	if (!ed)
		return;
	for (size_t i = 0; i < ed->n; i++)
		edit_fini(&ed->list[i]);
	free(ed->list);
	free(ed);
}

struct tree *edits_tree(struct edits *ed)
{
	return ed->tree;
}

size_t edits_count(const struct edits *ed)
{
	return ed->n;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && path[len] == '/';
}

static enum tree_plan look(void *arg, const char *path, const char **target)
{
	const struct edits *ed = arg;

	for (size_t i = ed->n; i-- > 0;) {
		const struct edit *d = &ed->list[i];
		bool same = !strcmp(d->path, path);

		switch (d->action) {
		case EDIT_CREATE:
		case EDIT_WRITE:
			if (same)
				return TREE_FILE;
			break;
		case EDIT_LINK:
			*target = (const char *)d->data;
			if (same)
				return TREE_LINK;
			break;
		case EDIT_MKDIR:
			if (same)
				return TREE_DIR;
			break;
		case EDIT_REMOVE:
			if (same || is_below(path, d->path))
				return TREE_GONE;
			break;
		case EDIT_APPEND:
			break;
		}
	}
	return TREE_AS_IS;
}

int edits_walk(struct edits *ed, const char *path, unsigned flags,
	       struct tree_spot *out, struct err *e)
{
	struct tree_plans plans = { look, ed };

	return tree_walk(ed->tree, path, flags, &plans, out, e);
}

/* The last time that all of a file was written, or -1. */
static size_t last_write(const struct edits *ed, const char *path)
{
	size_t i = ed->n;

	while (i-- > 0) {
		const struct edit *d = &ed->list[i];

		if ((d->action == EDIT_WRITE || d->action == EDIT_CREATE) &&
		    !strcmp(d->path, path))
			break;
	}
	return i;
}

static bool is_append(const struct edit *d, const char *path)
{
	return d->action == EDIT_APPEND && !strcmp(d->path, path);
}

/* What is appended after edit `from`, behind the *len bytes there are. */
static int add_appended(const struct edits *ed, size_t from, const char *path,
			size_t max, char **data, size_t *len, struct err *e)
{
	size_t total = *len;
	char *grown;

	for (size_t i = from; i < ed->n; i++)
		if (is_append(&ed->list[i], path))
			total += ed->list[i].len;
	if (total == *len)
		return 0;
	if (total > max)
		return fail(e, EFBIG, "'%s' has %zu bytes, at most %zu are "
			    "expected", path, total, max);
	grown = realloc(*data, total + 1);
	if (!grown)
		return fail(e, ENOMEM, "out of memory");
	for (size_t i = from; i < ed->n; i++) {
		const struct edit *d = &ed->list[i];

		if (!is_append(d, path))
			continue;
		memcpy(grown + *len, d->data, d->len);
		*len += d->len;
	}
	grown[total] = 0;
	*data = grown;
	return 0;
}

/* The bytes of a file that was planned anew. */
static int read_planned(const struct edit *d, size_t max, char **data,
			size_t *len, struct err *e)
{
	if (d->len > max)
		return fail(e, EFBIG, "'%s' has %zu bytes, at most %zu are "
			    "expected", d->path, d->len, max);
	*data = malloc(d->len + 1);
	if (!*data)
		return fail(e, ENOMEM, "out of memory");
	memcpy(*data, d->data, d->len + 1);
	*len = d->len;
	return 0;
}

int edits_read_spot(struct edits *ed, const struct tree_spot *s, size_t max,
		    char **data, size_t *len, struct err *e)
{
	size_t from = 0;
	char *buf;
	int rc;

	if (s->plan == TREE_FILE) {
		from = last_write(ed, s->path);
		rc = read_planned(&ed->list[from], max, &buf, len, e);
	} else if (s->plan == TREE_AS_IS) {
		rc = tree_read_node(&s->node, s->path, max, &buf, len, e);
	} else {
		rc = fail(e, s->plan == TREE_DIR ? EISDIR : EINVAL,
			  "'%s' is not a regular file", s->path);
	}
	if (rc)
		return rc;
	rc = add_appended(ed, from, s->path, max, &buf, len, e);
	if (rc)
		free(buf);
	else
		*data = buf;
	return rc;
}

int edits_read(struct edits *ed, const char *path, size_t max, char **data,
	       size_t *len, struct err *e)
{
	struct tree_spot spot;
	int rc = edits_walk(ed, path, 0, &spot, e);

	if (rc)
		return rc;
	rc = edits_read_spot(ed, &spot, max, data, len, e);
	tree_spot_fini(&spot);
	return rc;
}

bool edits_exists(struct edits *ed, const char *path)
{
	struct tree_spot spot;

	if (edits_walk(ed, path, 0, &spot, NULL))
		return false;
	tree_spot_fini(&spot);
	return true;
}
