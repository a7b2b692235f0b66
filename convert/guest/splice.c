/* SPDX-License-Identifier: GPL-2.0-or-later */
/* splice.c - find things in an initramfs, and make the archive that adds to it.
 *
 * Linux makes no missing folders, and a folder's entry replaces a link of its name
 * (init/initramfs.c, clean_path()): so links are followed here, and folders that
 * the initramfs has are not written again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/initramfs.h"
#include "imgfmt/base/buf.h"

#define MAX_LINKS 40

const struct initramfs_member *initramfs_find(const struct initramfs *fs,
					      const char *path)
{
	size_t lo = 0, hi = fs->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(path, fs->members[mid].name);

		if (!c)
			return &fs->members[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

char *module_name(const char *path, bool *is_module)
{
	const char *base = strrchr(path, '/');
	const char *end;
	char *name;

	base = base ? base + 1 : path;
	end = strstr(base, ".ko");
	*is_module = end && end > base &&
		(!end[3] || !strcmp(end, ".ko.xz") || !strcmp(end, ".ko.gz") ||
		 !strcmp(end, ".ko.zst"));
	if (!*is_module)
		return NULL;
	name = strndup(base, (size_t)(end - base));
	for (char *p = name; p && *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

/* Is it "lib/modules/VERSION/..." or the same below usr? */
static bool of_version(const char *path, const char *version)
{
	const char *p = strstr(path, "lib/modules/");
	size_t len = strlen(version);

	return p && !strncmp(p + 12, version, len) && p[12 + len] == '/';
}

const char *initramfs_module(const struct initramfs *fs, const char *version,
			     const char *name)
{
	size_t lo = 0, hi = fs->n_modules;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(fs->modules[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < fs->n_modules && !strcmp(fs->modules[lo].name, name); lo++)
		if (of_version(fs->modules[lo].path, version))
			return fs->modules[lo].path;
	return NULL;
}

/* Take "." and ".." and doubled slashes out of a path that has no links before
 * them.
 */
static void normalise(char *path)
{
	char *to = path;

	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && !memcmp(p, "..", 2)) {
			while (to > path && *--to != '/')
				;
		} else if (len && !(len == 1 && *p == '.')) {
			if (to > path)
				*to++ = '/';
			memmove(to, p, len);
			to += len;
		}
		p += len;
		p += strspn(p, "/");
	}
	*to = 0;
}

/* The first part of `path` that is a link: its target in its place. */
static int follow_one(const struct initramfs *fs, char path[CPIO_NAME_MAX],
		      bool *again)
{
	char done[CPIO_NAME_MAX], next[2 * CPIO_NAME_MAX];

	*again = false;
	for (size_t at = strcspn(path, "/");; at += 1 + strcspn(path + at + 1,
								"/")) {
		const struct initramfs_member *m;
		char *slash;

		memcpy(done, path, at);
		done[at] = 0;
		m = initramfs_find(fs, done);
		if (m && S_ISLNK(m->mode) && m->content && *m->content) {
			slash = strrchr(done, '/');
			*(slash ? slash : done) = 0;
			if (*m->content == '/')
				*done = 0;
			if ((size_t)snprintf(next, sizeof(next), "%s/%s%s", done,
					     m->content, path + at) >=
			    CPIO_NAME_MAX)
				return -ENAMETOOLONG;
			normalise(next);
			strcpy(path, next);
			*again = true;
			return 0;
		}
		if (!path[at])
			return 0;
	}
}

int initramfs_resolve(const struct initramfs *fs, const char *path,
		      char out[CPIO_NAME_MAX])
{
	bool again = true;
	int rc = 0;

	if (strlen(path) >= CPIO_NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(out, path);
	normalise(out);
	for (int i = 0; again && !rc; i++)
		rc = i < MAX_LINKS ? follow_one(fs, out, &again) : -ELOOP;
	return rc;
}

static bool makes_dir(const struct initramfs_splice *s, const char *dir)
{
	for (size_t i = 0; i < s->n_dirs; i++)
		if (!strcmp(s->dirs[i], dir))
			return true;
	return false;
}

/* The folders above `path`, which is resolved. */
static int add_dirs(struct initramfs_splice *s, char *path)
{
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		int rc = 0;

		*p = 0;
		if (!initramfs_find(s->fs, path) && !makes_dir(s, path)) {
			rc = array_grow(&s->dirs, &s->cap_dirs, s->n_dirs + 1,
					sizeof(*s->dirs));
			if (!rc && !(s->dirs[s->n_dirs] = strdup(path)))
				rc = -ENOMEM;
			if (!rc) {
				s->n_dirs++;
				rc = cpio_add(&s->w, path, S_IFDIR | 0755, "", 0);
			}
		}
		*p = '/';
		if (rc)
			return rc;
	}
	return 0;
}

int splice_add(struct initramfs_splice *s, const char *path, uint32_t mode,
	       const void *data, size_t len, struct err *e)
{
	char real[CPIO_NAME_MAX];
	int rc = initramfs_resolve(s->fs, path, real);

	if (!rc)
		rc = add_dirs(s, real);
	if (!rc)
		rc = cpio_add(&s->w, real, S_IFREG | mode, data, len);
	return rc ? fail_rc(e, rc, "cannot add %s to an initramfs", path) : 0;
}

int splice_end(struct initramfs_splice *s, uint8_t **data, size_t *len,
	       struct err *e)
{
	enum unpack_kind kind = s->fs->kind;
	/* Before 5.11 Linux took zeroes behind an LZ4 frame for damage. */
	size_t pad = kind == UNPACK_LZ4 ? 0 : (size_t)(-s->fs->len & 3);
	uint8_t *packed;
	int rc = cpio_end(&s->w);

	if (rc)
		return fail_rc(e, rc, "cannot end an archive");
	rc = pack(kind, s->w.data, s->w.len, &packed, len, e);
	if (rc)
		return rc;
	*data = calloc(1, *len + pad);
	if (*data) {
		memcpy(*data + pad, packed, *len);
		*len += pad;
	}
	free(packed);
	return *data ? 0 : fail(e, ENOMEM, "no memory for %zu bytes of an "
				"archive", *len);
}

void splice_fini(struct initramfs_splice *s)
{
	for (size_t i = 0; i < s->n_dirs; i++)
		free(s->dirs[i]);
	free(s->dirs);
	free(s->w.data);
	memset(s, 0, sizeof(*s));
}
