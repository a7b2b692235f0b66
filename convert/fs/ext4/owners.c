/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owners.c - whose are these bytes?  All inodes are asked for their blocks; then
 * directories are read, from the root on, until those that have some are named.
 *
 * Bounded, whatever the volume says: an inode has its place in the tables, a
 * directory is read once, and blocks can be counted only as often as there are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/fs/ext4/reader.h"
#include "imgfmt/base/buf.h"

#define ROOT		2u
#define MAX_DIRS	(8u << 20)	/* 24 bytes each */
#define MAX_PATH	65536u
#define OWN		"(file system's own)"
#define NONE		UINT32_MAX

struct dir {
	uint32_t ino;
	uint32_t parent;	/* index of it; NONE: not found yet */
	char *name;
};

struct search {
	struct ext4 *x;
	uint64_t first, end;	/* blocks that are asked about */
	uint64_t budget;	/* of ranges still to be seen */
	uint64_t dir_blocks;	/* and of blocks of directories */
	bool spent;
	struct ext4_inode in;
	bool hit;
	uint32_t *hits;		/* inodes that have some, rising */
	bool *named;		/* those of them that were reported */
	size_t n_hits, hits_cap, left;
	struct dir *dirs;	/* rising */
	size_t n_dirs, dirs_cap;
	uint32_t *queue;	/* indices of directories */
	size_t n_queue;
	uint32_t now;		/* the one that is being read */
	char *path;
	int (*file)(void *arg, const char *path);
	void *arg;
	int stop;		/* what the caller's function returned */
	struct err *e;
};

static int see_range(void *arg, uint64_t block, uint64_t n)
{
	struct search *s = arg;

	if (!s->budget || (S_ISDIR(s->in.mode) && n > s->dir_blocks)) {
		s->spent = true;
		return -EUCLEAN;
	}
	s->budget--;
	if (S_ISDIR(s->in.mode))
		s->dir_blocks -= n;
	if (block < s->end && block + n > s->first)
		s->hit = true;
	return 0;
}

static int add_dir(struct search *s, uint32_t ino)
{
	if (s->n_dirs == MAX_DIRS)
		return fail(s->e, ENOTSUP, "there are more than %u directories",
			    MAX_DIRS);
	if (array_grow(&s->dirs, &s->dirs_cap, s->n_dirs + 1,
		       sizeof(*s->dirs)))
		return fail(s->e, ENOMEM, "out of memory");
	s->dirs[s->n_dirs++] = (struct dir){ .ino = ino, .parent = NONE };
	return 0;
}

static int add_hit(struct search *s, uint32_t ino)
{
	if (array_grow(&s->hits, &s->hits_cap, s->n_hits + 1,
		       sizeof(*s->hits)))
		return fail(s->e, ENOMEM, "out of memory");
	s->hits[s->n_hits++] = ino;
	return 0;
}

/* An inode that is damaged owns what was seen of it. */
static int see_inode(struct search *s, uint32_t ino)
{
	int rc = ext4_inode_any(s->x, ino, &s->in, NULL);

	if (rc == -ENOMEM)
		return fail(s->e, ENOMEM, "out of memory");
	if (rc || !s->in.mode || !s->in.links)
		return 0;
	s->hit = false;
	rc = ext4_blocks(s->x, &s->in, see_range, s, NULL);
	if (rc == -ENOMEM)
		return fail(s->e, ENOMEM, "out of memory");
	if (s->spent)
		return fail(s->e, EUCLEAN, "the inodes have more blocks than there "
			    "are");
	if (s->hit) {
		rc = add_hit(s, ino);
		if (rc)
			return rc;
	}
	return S_ISDIR(s->in.mode) ? add_dir(s, ino) : 0;
}

static int see_inodes(struct search *s)
{
	uint32_t per_group = s->x->s.inodes_per_group;
	struct ext4_group g;
	int rc = 0;

	for (uint32_t i = 0; i < s->x->s.n_groups && !rc; i++) {
		uint32_t n = per_group;

		rc = ext4_group(s->x, i, &g, NULL);
		if (rc == -ENOMEM)
			return fail(s->e, ENOMEM, "out of memory");
		if (rc || g.no_inodes) {
			rc = 0;
			continue;
		}
		n -= g.unused < n ? g.unused : n;
		for (uint32_t k = 1; k <= n && !rc; k++)
			rc = see_inode(s, i * per_group + k);
	}
	return rc;
}

static bool find_hit(const struct search *s, uint64_t ino, size_t *at)
{
	size_t low = 0, high = s->n_hits;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->hits[mid] < ino)
			low = mid + 1;
		else
			high = mid;
	}
	*at = low;
	return low < s->n_hits && s->hits[low] == ino;
}

static struct dir *find_dir(const struct search *s, uint64_t ino)
{
	size_t low = 0, high = s->n_dirs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->dirs[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n_dirs && s->dirs[low].ino == ino ? &s->dirs[low] : NULL;
}

/* "/a/b/name", from its end on; NULL: too long. */
static const char *path_of(struct search *s, const char *name)
{
	char *p = s->path + MAX_PATH;
	uint32_t dir = s->now;

	*--p = 0;
	while (name) {
		size_t n = strlen(name);

		if ((size_t)(p - s->path) < n + 1)
			return NULL;
		p -= n;
		memcpy(p, name, n);
		*--p = '/';
		name = s->dirs[dir].name;
		dir = s->dirs[dir].parent;
	}
	return p;
}

static int report(struct search *s, size_t hit, const char *path)
{
	char number[32];

	if (!path) {
		snprintf(number, sizeof(number), "inode %u", s->hits[hit]);
		path = number;
	}
	s->named[hit] = true;
	s->left--;
	s->stop = s->file(s->arg, path);
	return s->stop;
}

static int see_name(void *arg, const char *name, uint64_t ino)
{
	struct search *s = arg;
	struct dir *d = find_dir(s, ino);
	size_t hit;

	if (strchr(name, '/'))
		return 0;
	if (d && d->parent == NONE) {
		d->name = strdup(name);
		if (!d->name)
			return fail(s->e, ENOMEM, "out of memory");
		d->parent = s->now;
		s->queue[s->n_queue++] = (uint32_t)(d - s->dirs);
	}
	if (find_hit(s, ino, &hit) && !s->named[hit])
		return report(s, hit, path_of(s, name));
	return 0;
}

/* Breadth first; what cannot be read has no names. */
static int see_names(struct search *s)
{
	struct dir *root = find_dir(s, ROOT);
	struct ext4_inode in;
	size_t hit;
	int rc;

	if (!root)
		return 0;
	root->parent = (uint32_t)(root - s->dirs);
	s->queue[s->n_queue++] = root->parent;
	if (find_hit(s, ROOT, &hit) && (rc = report(s, hit, "/")))
		return rc;
	for (size_t i = 0; i < s->n_queue && s->left; i++) {
		s->now = s->queue[i];
		rc = ext4_inode(s->x, s->dirs[s->now].ino, &in, NULL);
		if (!rc)
			rc = ext4_dir_list(s->x, &in, see_name, s, NULL);
		if (s->stop)
			return s->stop;
		if (rc == -ENOMEM)
			return fail(s->e, ENOMEM, "out of memory");
	}
	return 0;
}

/* Inodes below the first free one (journal, quota...) have no names. */
static int report_rest(struct search *s, bool own)
{
	int rc = 0;

	for (size_t i = 0; i < s->n_hits && !rc; i++)
		if (s->hits[i] < s->x->s.first_ino && s->hits[i] != ROOT) {
			s->named[i] = true;
			s->left--;
			own = true;
		}
	if (own)
		rc = s->file(s->arg, OWN);
	return rc;
}

static int search(struct search *s, bool own)
{
	int rc = see_inodes(s);

	if (rc)
		return rc;
	s->left = s->n_hits;
	s->named = calloc(s->n_hits + 1, sizeof(*s->named));
	s->queue = calloc(s->n_dirs + 1, sizeof(*s->queue));
	s->path = malloc(MAX_PATH);
	if (!s->named || !s->queue || !s->path)
		return fail(s->e, ENOMEM, "out of memory");
	rc = report_rest(s, own);
	if (!rc)
		rc = see_names(s);
	for (size_t i = 0; i < s->n_hits && !rc; i++)
		if (!s->named[i])
			rc = report(s, i, NULL);
	return rc;
}

int ext4_owners(struct ext4 *x, uint64_t offset, uint64_t len,
		int (*file)(void *arg, const char *path), void *arg,
		struct err *e)
{
	struct search s = {
		.x = x, .file = file, .arg = arg, .e = e,
		.first = offset >> x->s.block_bits,
		.end = ((offset + len - 1) >> x->s.block_bits) + 1,
		.budget = x->s.n_blocks + 2ull * x->s.n_inodes,
		.dir_blocks = x->s.n_blocks,
	};
	bool own;
	int rc = ext4_is_meta(x, offset, len, &own, e);

	if (!rc)
		rc = search(&s, own);
	for (size_t i = 0; i < s.n_dirs; i++)
		free(s.dirs[i].name);
	free(s.dirs);
	free(s.hits);
	free(s.named);
	free(s.queue);
	free(s.path);
	return rc;
}
