/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_list.c - what is in a folder of a tree.  The names are gathered first,
 * so that `entry` may ask for anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/tree_walk.h"
#include "imgfmt/base/buf.h"

/* A folder with more names is no guest's. */
#define MAX_NAMES (1u << 20)

struct names {
	struct name {
		char *name;
		uint64_t ino;
	} *list;
	size_t n, cap;
};

static int gather(void *arg, const char *name, uint64_t ino)
{
	struct names *all = arg;
	char *copy;

	if (all->n == MAX_NAMES)
		return -EFBIG;
	if (array_grow(&all->list, &all->cap, all->n + 1, sizeof(*all->list)))
		return -ENOMEM;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	all->list[all->n++] = (struct name){ copy, ino };
	return 0;
}

/* What is mounted there, or the entry's own inode. */
static int node_of(struct tree *t, const struct tree_spot *dir,
		   const struct name *name, struct tree_node *out,
		   struct err *e)
{
	const struct volume *mounted;
	struct fs *fs;
	char *path = str_printf("%s/%s", dir->path[1] ? dir->path : "",
				name->name);
	int rc;

	if (!path)
		return fail(e, ENOMEM, "out of memory");
	mounted = tree_mounted_on(t, path);
	out->volume = mounted ? mounted : dir->node.volume;
	fs = out->volume->fs;
	rc = fs_stat(fs, mounted ? fs_root(fs) : name->ino, &out->stat, e);
	if (rc)
		fail_prefix(e, rc, "'%s'", path);
	free(path);
	return rc;
}

int tree_list(struct tree *t, const char *path,
	      int (*entry)(void *arg, const char *name,
			   const struct tree_node *node), void *arg,
	      struct err *e)
{
	struct names all = { 0 };
	struct tree_spot dir;
	struct tree_node node;
	int rc = tree_walk(t, path, 0, NULL, &dir, e);

	if (rc)
		return rc;
	rc = !S_ISDIR(dir.node.stat.mode) ?
		fail(e, ENOTDIR, "'%s' is not a folder", path) :
		fs_list(dir.node.volume->fs, dir.node.stat.ino, gather, &all, e);
	if (rc == -ENOMEM)
		fail(e, ENOMEM, "out of memory");
	if (rc == -EFBIG)
		fail(e, EFBIG, "'%s' has more than %u names", path, MAX_NAMES);
	for (size_t i = 0; i < all.n && !rc; i++) {
		rc = node_of(t, &dir, &all.list[i], &node, e);
		if (!rc)
			rc = entry(arg, all.list[i].name, &node);
	}
	for (size_t i = 0; i < all.n; i++)
		free(all.list[i].name);
	free(all.list);
	tree_spot_fini(&dir);
	return rc;
}
