/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_walk.h - paths through a tree, with planned edits in it.  Internal to
 * tree.h and edits.h.
 */
#ifndef CONVERT_GUEST_TREE_WALK_H
#define CONVERT_GUEST_TREE_WALK_H

#include "convert/guest/tree.h"

/* What a plan says of a path. */
enum tree_plan {
	TREE_AS_IS,		/* nothing: ask the volume */
	TREE_GONE,		/* removed */
	TREE_FILE, TREE_DIR, TREE_LINK,		/* made, or made anew */
};

struct tree_plans {
	/* `path` is absolute, without links; *target is for TREE_LINK. */
	enum tree_plan (*look)(void *arg, const char *path,
			       const char **target);
	void *arg;
};

#define TREE_MISSING 2u		/* the path may end in names that do not exist */

struct tree_spot {
	char *path;		/* absolute, without links; owned */
	unsigned missing;	/* so many of its last names do not exist */
	enum tree_plan plan;	/* of the last one that exists */
	struct tree_node node;	/* of it, with TREE_AS_IS; else volume alone, */
				/* where the nearest folder that exists is */
};

/* `flags`: TREE_*.  `plans` may be NULL.  On success *out is freed with
 * tree_spot_fini().
 */
int tree_walk(struct tree *t, const char *path, unsigned flags,
	      const struct tree_plans *plans, struct tree_spot *out,
	      struct err *e);
void tree_spot_fini(struct tree_spot *s);

/* A regular file's bytes and a NUL, of at most `max`. */
int tree_read_node(const struct tree_node *node, const char *path, size_t max,
		   char **data, size_t *len, struct err *e);

/* What the walk asks of a tree. */
int tree_root_node(const struct tree *t, struct tree_node *out, struct err *e);
/* The root of what is mounted on an absolute path without links, or NULL. */
const struct volume *tree_mounted_on(const struct tree *t, const char *path);
/* Is something mounted on this absolute path without links, or below it? */
bool tree_holds_mounts(const struct tree *t, const char *path);
/* Where the volume's root is in the tree, of the mount that `path` is below:
 * *rest points behind it, into `path`.
 */
const struct volume *tree_volume_of(const struct tree *t, const char *path,
				    const char **rest);

#endif
