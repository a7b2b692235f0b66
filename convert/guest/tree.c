/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - the files of a guest that does not run. */
#include "convert/guest/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/fstab.h"
#include "convert/guest/tree_walk.h"
#include "imgfmt/base/buf.h"

struct tree {
	const struct volumes *volumes;
	const struct volume *root;
	struct tree_mount *mounts;
	size_t n_mounts;
	/* Where each is, without links; NULL: not mounted, or the root. */
	char **places;
};

int tree_root_node(const struct tree *t, struct tree_node *out, struct err *e)
{
	out->volume = t->root;
	return fs_stat(t->root->fs, fs_root(t->root->fs), &out->stat, e);
}

const struct volume *tree_mounted_on(const struct tree *t, const char *path)
{
	for (size_t i = 0; i < t->n_mounts; i++)
		if (t->places[i] && !strcmp(t->places[i], path))
			return t->mounts[i].volume;
	return NULL;
}

bool tree_holds_mounts(const struct tree *t, const char *path)
{
	size_t len = strlen(path);

	if (!strcmp(path, "/"))
		return true;
	for (size_t i = 0; i < t->n_mounts; i++) {
		const char *place = t->places[i];

		if (place && !strncmp(place, path, len) &&
		    (!place[len] || place[len] == '/'))
			return true;
	}
	return false;
}

const struct volume *tree_volume_of(const struct tree *t, const char *path,
				    const char **rest)
{
	const struct volume *found = t->root;
	size_t longest = 0;

	*rest = path;
	for (size_t i = 0; i < t->n_mounts; i++) {
		size_t len = t->places[i] ? strlen(t->places[i]) : 0;

		if (len <= longest || strncmp(path, t->places[i], len) ||
		    (path[len] && path[len] != '/'))
			continue;
		longest = len;
		found = t->mounts[i].volume;
		*rest = path + len;
	}
	return found;
}

/* Of what is mounted on one folder the last is seen. */
static void hide(struct tree *t, const char *place)
{
	for (size_t i = 0; i < t->n_mounts; i++) {
		if (!t->places[i] || strcmp(t->places[i], place))
			continue;
		free(t->places[i]);
		t->places[i] = NULL;
		t->mounts[i].mounted = false;
	}
}

/* What does not exist, or is no folder, is not mounted on. */
static int mount_one(struct tree *t, size_t i, struct err *e)
{
	struct tree_mount *m = &t->mounts[i];
	struct tree_spot spot;
	struct err ignored;
	int rc = tree_walk(t, m->dir, 0, NULL, &spot, &ignored);

	if (rc == -ENOMEM || rc == -EIO)
		return fail_rc(e, rc, "'%s'", m->dir);
	if (rc)
		return 0;
	if (!strcmp(spot.path, "/")) {
		m->mounted = m->volume == t->root;
	} else if (S_ISDIR(spot.node.stat.mode)) {
		hide(t, spot.path);
		t->places[i] = spot.path;
		spot.path = NULL;
		m->mounted = true;
	}
	tree_spot_fini(&spot);
	return 0;
}

static unsigned depth_of(const char *path)
{
	unsigned depth = 0;

	for (; *path; path++)
		depth += *path == '/' && path[1] && path[1] != '/';
	return depth;
}

/* /boot before /boot/efi, whatever their order. */
static int mount_all(struct tree *t, struct err *e)
{
	unsigned deepest = 0;
	int rc = 0;

	for (size_t i = 0; i < t->n_mounts; i++) {
		struct tree_mount *m = &t->mounts[i];
		unsigned depth = depth_of(m->dir);

		m->volume = fstab_device(t->volumes, t->root, m->spec,
					 &m->by_path);
		if (m->volume && m->volume->id->has_files && depth > deepest)
			deepest = depth;
	}
	for (unsigned depth = 0; depth <= deepest; depth++) {
		for (size_t i = 0; i < t->n_mounts && !rc; i++) {
			struct tree_mount *m = &t->mounts[i];

			if (m->volume && m->volume->id->has_files &&
			    *m->dir == '/' && depth_of(m->dir) == depth)
				rc = mount_one(t, i, e);
		}
	}
	return rc;
}

static int read_fstab(struct tree *t, struct err *e)
{
	size_t len;
	char *text;
	int rc = tree_read(t, "/etc/fstab", FSTAB_MAX_SIZE, &text, &len, e);

	if (rc)
		return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
	rc = fstab_parse(text, len, &t->mounts, &t->n_mounts, e);
	free(text);
	if (!rc && t->n_mounts) {
		t->places = array_alloc(t->n_mounts, sizeof(*t->places));
		if (!t->places)
			rc = fail(e, ENOMEM, "out of memory");
	}
	return rc ? fail_prefix(e, rc, "/etc/fstab") : 0;
}

int tree_open(const struct volumes *v, const struct volume *root,
	      struct tree **out, struct err *e)
{
	struct tree *t;
	int rc;

	if (!root->id->has_files)
		return fail(e, ENOTSUP, "files of a file system of type '%s' "
			    "cannot be read", root->id->type);
	t = array_alloc(1, sizeof(*t));
	if (!t)
		return fail(e, ENOMEM, "out of memory");
	t->volumes = v;
	t->root = root;
	rc = read_fstab(t, e);
	if (!rc)
		rc = mount_all(t, e);
	if (rc) {
		tree_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

void tree_close(struct tree *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->places && i < t->n_mounts; i++)
		free(t->places[i]);
	free(t->places);
	fstab_free(t->mounts, t->n_mounts);
	free(t);
}

const struct tree_mount *tree_mounts(const struct tree *t, size_t *n)
{
	*n = t->n_mounts;
	return t->mounts;
}

const struct volume *tree_device(const struct tree *t, const char *spec,
				 bool *by_path)
{
	return fstab_device(t->volumes, t->root, spec, by_path);
}

int tree_find(struct tree *t, const char *path, unsigned flags,
	      struct tree_node *out, struct err *e)
{
	struct tree_spot spot;
	int rc = tree_walk(t, path, flags & TREE_NOFOLLOW, NULL, &spot, e);

	if (rc)
		return rc;
	*out = spot.node;
	tree_spot_fini(&spot);
	return 0;
}

int tree_resolve(struct tree *t, const char *path, char **out, struct err *e)
{
	struct tree_spot spot;
	int rc = tree_walk(t, path, 0, NULL, &spot, e);

	if (!rc)
		*out = spot.path;
	return rc;
}

int tree_read_node(const struct tree_node *node, const char *path, size_t max,
		   char **data, size_t *len, struct err *e)
{
	uint64_t size = node->stat.size;
	char *buf;
	int rc;

	if (!S_ISREG(node->stat.mode))
		return fail(e, S_ISDIR(node->stat.mode) ? EISDIR : EINVAL,
			    "'%s' is not a regular file", path);
	if (size > max)
		return fail(e, EFBIG, "'%s' has %" PRIu64 " bytes, at most %zu "
			    "are expected", path, size, max);
	buf = malloc((size_t)size + 1);
	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	rc = size ? fs_read(node->volume->fs, node->stat.ino, buf,
			    (size_t)size, 0, e) : 0;
	if (rc) {
		free(buf);
		return fail_prefix(e, rc, "'%s'", path);
	}
	buf[size] = 0;
	*data = buf;
	*len = (size_t)size;
	return 0;
}

int tree_read(struct tree *t, const char *path, size_t max, char **data,
	      size_t *len, struct err *e)
{
	struct tree_node node;
	int rc = tree_find(t, path, 0, &node, e);

	return rc ? rc : tree_read_node(&node, path, max, data, len, e);
}

int tree_readlink(struct tree *t, const char *path, char **target,
		  struct err *e)
{
	char buf[PATH_MAX];
	struct tree_node node;
	int rc = tree_find(t, path, TREE_NOFOLLOW, &node, e);

	if (rc)
		return rc;
	if (!S_ISLNK(node.stat.mode))
		return fail(e, EINVAL, "'%s' is not a symbolic link", path);
	rc = fs_readlink(node.volume->fs, node.stat.ino, buf, sizeof(buf), e);
	if (rc)
		return fail_prefix(e, rc, "'%s'", path);
	*target = strdup(buf);
	return *target ? 0 : fail(e, ENOMEM, "out of memory");
}

bool tree_exists(struct tree *t, const char *path)
{
	struct tree_node node;

	return !tree_find(t, path, 0, &node, NULL);
}
