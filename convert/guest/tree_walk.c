/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_walk.c - one path through a tree.
 *
 * The folders down to where the walk is are kept, so that ".." is what it is in
 * Linux: out of a mounted root to where that is mounted.  What is still to be
 * walked is a string; a link puts its target in front of it.
 */
#include "convert/guest/tree_walk.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "imgfmt/base/buf.h"

#define MAX_LINKS 40u

struct place {
	struct tree_node node;
	enum tree_plan plan;
	size_t path_len;	/* of the path to it; 0: the root */
};

struct walk {
	struct tree *t;
	const struct tree_plans *plans;
	unsigned flags;
	struct err *e;
	struct place *places;
	size_t n, cap;		/* n - 1 is where the walk is */
	char path[PATH_MAX];
	size_t path_len;
	char *rest;		/* owned */
	const char *at;		/* in rest */
	unsigned links, missing;
};

static struct place *here(struct walk *w)
{
	return &w->places[w->n - 1];
}

static bool is_dir(const struct place *p)
{
	return p->plan == TREE_DIR ||
		(p->plan == TREE_AS_IS && S_ISDIR(p->node.stat.mode));
}

static int push(struct walk *w, const struct place *p)
{
	if (array_grow(&w->places, &w->cap, w->n + 1, sizeof(*p)))
		return fail(w->e, ENOMEM, "out of memory");
	w->places[w->n] = *p;
	w->places[w->n++].path_len = w->path_len;
	return 0;
}

static void cut_path(struct walk *w, size_t len)
{
	w->path_len = len;
	w->path[len] = 0;
}

static int append_name(struct walk *w, const char *name, size_t len)
{
	if (w->path_len + 1 + len >= sizeof(w->path))
		return fail(w->e, ENAMETOOLONG, "'%.60s...' has more than %d "
			    "bytes", w->path, PATH_MAX - 1);
	w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, len);
	cut_path(w, w->path_len + len);
	return 0;
}

/* What a name in the folder `dir` is on its volume. */
static int look_up(struct walk *w, const struct place *dir, const char *name,
		   size_t len, struct place *out)
{
	const struct volume *mounted = tree_mounted_on(w->t, w->path);
	struct fs *fs;
	uint64_t ino;
	int rc;

	out->plan = TREE_AS_IS;
	if (!mounted && dir->plan != TREE_AS_IS)
		return -ENOENT;
	out->node.volume = mounted ? mounted : dir->node.volume;
	fs = out->node.volume->fs;
	rc = mounted ? 0 : fs_lookup(fs, dir->node.stat.ino, name, len, &ino,
				     w->e);
	if (!rc)
		rc = fs_stat(fs, mounted ? fs_root(fs) : ino, &out->node.stat,
			     w->e);
	return rc && rc != -ENOENT ? fail_prefix(w->e, rc, "'%s'", w->path) :
		rc;
}

/* Go on at a link's target instead of the link. */
static int follow(struct walk *w, const char *target, size_t len)
{
	size_t left = strlen(w->at);
	char *rest;

	if (++w->links > MAX_LINKS)
		return fail(w->e, ELOOP, "'%s': more than %u symbolic links on "
			    "the way", w->path, MAX_LINKS);
	if (!len)
		return fail(w->e, ENOENT, "'%s' is a link to nothing", w->path);
	rest = malloc(len + 1 + left + 1);
	if (!rest)
		return fail(w->e, ENOMEM, "out of memory");
	memcpy(rest, target, len);
	rest[len] = '/';
	memcpy(rest + len + 1, w->at, left + 1);
	if (*target == '/')
		w->n = 1;
	cut_path(w, here(w)->path_len);
	free(w->rest);
	w->at = w->rest = rest;
	return 0;
}

static int follow_node(struct walk *w, const struct tree_node *node)
{
	char target[PATH_MAX];
	int rc = fs_readlink(node->volume->fs, node->stat.ino, target,
			     sizeof(target), w->e);

	return rc ? fail_prefix(w->e, rc, "'%s'", w->path) :
		follow(w, target, strlen(target));
}

static bool is_last(const struct walk *w)
{
	return w->at[strspn(w->at, "/")] == 0;
}

static int enter_missing(struct walk *w)
{
	if (!(w->flags & TREE_MISSING))
		return fail(w->e, ENOENT, "'%s' does not exist", w->path);
	w->missing++;
	return 0;
}

/* One name down. */
static int enter(struct walk *w, const char *name, size_t len)
{
	struct place dir = *here(w), p = { .node.volume = dir.node.volume };
	const char *target;
	int rc;

	if (!is_dir(&dir))
		return fail(w->e, ENOTDIR, "'%s' is not a folder", w->path);
	rc = append_name(w, name, len);
	if (rc)
		return rc;
	if (len > NAME_MAX)
		return fail(w->e, ENAMETOOLONG, "'%.60s...': a name has at "
			    "most %d bytes", name, NAME_MAX);
	if (w->plans)
		p.plan = w->plans->look(w->plans->arg, w->path, &target);
	if (p.plan == TREE_GONE)
		return enter_missing(w);
	if (p.plan == TREE_LINK &&
	    !(w->flags & TREE_NOFOLLOW && is_last(w)))
		return follow(w, target, strlen(target));
	if (p.plan != TREE_AS_IS)
		return push(w, &p);
	rc = look_up(w, &dir, name, len, &p);
	if (rc)
		return rc == -ENOENT ? enter_missing(w) : rc;
	if (S_ISLNK(p.node.stat.mode) &&
	    !(w->flags & TREE_NOFOLLOW && is_last(w)))
		return follow_node(w, &p.node);
	return push(w, &p);
}

static int step(struct walk *w)
{
	const char *name = w->at + strspn(w->at, "/");
	size_t len = strcspn(name, "/");

	w->at = name + len;
	if (!len || (len == 1 && *name == '.'))
		return 0;
	if (len == 2 && !memcmp(name, "..", 2)) {
		if (w->missing)
			return fail(w->e, ENOENT, "'%s' does not exist",
				    w->path);
		if (!is_dir(here(w)))
			return fail(w->e, ENOTDIR, "'%s' is not a folder",
				    w->path);
		if (w->n > 1)
			w->n--;
		cut_path(w, here(w)->path_len);
		return 0;
	}
	if (!w->missing)
		return enter(w, name, len);
	w->missing++;
	return append_name(w, name, len);
}

static int run(struct walk *w, const char *path)
{
	struct place root = { .plan = TREE_AS_IS };
	int rc;

	if (*path != '/')
		return fail(w->e, EINVAL, "'%s' is not an absolute path", path);
	w->at = w->rest = strdup(path);
	if (!w->rest)
		return fail(w->e, ENOMEM, "out of memory");
	rc = tree_root_node(w->t, &root.node, w->e);
	if (!rc)
		rc = push(w, &root);
	while (!rc && *w->at)
		rc = step(w);
	return rc;
}

int tree_walk(struct tree *t, const char *path, unsigned flags,
	      const struct tree_plans *plans, struct tree_spot *out,
	      struct err *e)
{
	struct walk *w = array_alloc(1, sizeof(*w));
	int rc;

	if (!w)
		return fail(e, ENOMEM, "out of memory");
	w->t = t;
	w->plans = plans;
	w->flags = flags;
	w->e = e;
	rc = run(w, path);
	if (!rc) {
		out->path = strdup(w->path_len ? w->path : "/");
		out->missing = w->missing;
		out->plan = here(w)->plan;
		out->node = here(w)->node;
		if (!out->path)
			rc = fail(e, ENOMEM, "out of memory");
	}
	free(w->places);
	free(w->rest);
	free(w);
	return rc;
}

void tree_spot_fini(struct tree_spot *s)
{
	free(s->path);
	s->path = NULL;
}
