/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsuse.c - a look at all that a file system shows. */
#include "tests/lib/fsuse.h"

#include <errno.h>

#include "tests/check.h"

struct look {
	struct fs *fs;
	unsigned left, depth;
};

/* A call that failed says why. */
static int said(int rc, struct err *e)
{
	CHECK(rc >= 0 || rc == -ENODATA || e->text[0]);
	e->text[0] = 0;
	return rc;
}

static void read_some(struct fs *fs, const struct fs_stat *st)
{
	static uint8_t buf[40000];
	struct err e = { "" };
	uint64_t at[] = { 0, st->size / 2, st->size - min_u64(st->size, 3000) };

	for (unsigned i = 0; i < 3; i++) {
		uint64_t n = min_u64(sizeof(buf), st->size - at[i]);

		said(fs_read(fs, st->ino, buf, (size_t)n, at[i], &e), &e);
	}
}

static void look_at(struct fs *fs, uint64_t ino, struct fs_stat *st)
{
	static const char *const names[] = {
		"user.a", "security.selinux", "system.posix_acl_access",
	};
	char target[5000];
	struct err e = { "" };
	void *value;
	size_t len;

	if (said(fs_stat(fs, ino, st, &e), &e)) {
		st->mode = 0;
		return;
	}
	if ((st->mode & 0170000) == 0100000)
		read_some(fs, st);
	if ((st->mode & 0170000) == 0120000 &&
	    !said(fs_readlink(fs, ino, target, sizeof(target), &e), &e))
		CHECK(strlen(target) > 0);
	for (unsigned i = 0; i < 3; i++)
		if (!said(fs_xattr(fs, ino, names[i], &value, &len, &e), &e))
			free(value);
}

static int see(void *arg, const char *name, uint64_t ino)
{
	struct look *l = arg;
	struct err e = { "" };
	struct fs_stat st;

	CHECK(name[0] && strlen(name) < 256 && !strchr(name, '/'));
	if (!l->left)
		return 1;
	l->left--;
	look_at(l->fs, ino, &st);
	if ((st.mode & 0170000) == 0040000 && l->depth < 5) {
		l->depth++;
		said(fs_list(l->fs, ino, see, l, &e), &e);
		l->depth--;
	}
	return 0;
}

static int stop(void *arg, const char *path)
{
	CHECK(path[0]);
	return ++*(unsigned *)arg > 20;
}

static void walk_map(struct fs *fs)
{
	struct fs_extent ext;
	struct err e = { "" };
	unsigned steps = 0;

	for (uint64_t at = 0; at < img_size(fs->volume) && steps < 500; steps++) {
		if (said(fs_map(fs, at, &ext, &e), &e))
			return;
		CHECK(ext.len && ext.offset == at);
		CHECK(in_range(at, ext.len, img_size(fs->volume)));
		at += ext.len;
	}
}

static void look_around(struct fs *fs)
{
	struct look l = { .fs = fs, .left = 100 };
	struct err e = { "" };
	unsigned n = 0;
	uint64_t ino;

	said(fs_list(fs, fs_root(fs), see, &l, &e), &e);
	said(fs_lookup(fs, fs_root(fs), "none", 4, &ino, &e), &e);
	walk_map(fs);
	said(fs_owners(fs, img_size(fs->volume) / 3,
		       img_size(fs->volume) / 3, stop, &n, &e), &e);
}

bool fs_use(struct img *volume, const struct fs_driver *drv)
{
	struct fs fs = { .volume = volume };
	struct err e = { "" };
	int rc = drv->open(&fs, &e);

	if (!rc) {
		fs.drv = drv;
		look_around(&fs);
	}
	CHECK(!rc || e.text[0] || !fs.id.type[0]);
	drv->close(&fs);
	return !rc;
}
