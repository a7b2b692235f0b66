/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs.c - which file system is on a volume, and what holds for all of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/driver.h"

void fs_uuid_text(const uint8_t *u, char out[64])
{
	char *p = out;

	for (unsigned i = 0; i < 16; i++)
		p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x"
								     : "%02x",
			     u[i]);
}

/* libblkid knows far more signatures than there are readers here, and which one
 * counts where there are several: half a mirror begins like the file system on
 * it.  What is too damaged for it may still be something for a reader.
 */
static const struct fs_driver *pick(const char *type, unsigned attempt)
{
	static const struct {
		const char *type;
		const struct fs_driver *drv;
	} readers[] = {
		{ "ext2", &fs_ext4_driver }, { "ext3", &fs_ext4_driver },
		{ "ext4", &fs_ext4_driver }, { "ext4dev", &fs_ext4_driver },
		{ "jbd", &fs_ext4_driver }, { "vfat", &fs_fat_driver },
		{ "swap", &fs_swap_driver }, { "swsuspend", &fs_swap_driver },
	};
	static const struct fs_driver *const unnamed[] = {
		&fs_ext4_driver, &fs_swap_driver, NULL,
	};

	if (!type[0])
		return attempt < 3 ? unnamed[attempt] : NULL;
	for (size_t i = 0; !attempt && i < sizeof(readers) / sizeof(*readers);
	     i++)
		if (!strcmp(type, readers[i].type))
			return readers[i].drv;
	return NULL;
}

/* 0 also for what the reader cannot use: then its sentence is in the note. */
static int try_driver(struct fs *fs, const struct fs_driver *drv,
		      struct err *e)
{
	struct fs_identity before = fs->id;
	struct err why = { "" };
	int rc;

	rc = drv->open(fs, &why);
	if (!rc) {
		fs->drv = drv;
		return 0;
	}
	drv->close(fs);
	fs->state = NULL;
	if (rc != -EUCLEAN && rc != -ENOTSUP) {
		if (e)
			*e = why;
		return rc;
	}
	if (!fs->id.type[0])
		fs->id = before;
	else
		fs->id.note = why;
	fs->id.has_files = fs->id.has_map = false;
	return 0;
}

int fs_open(struct img *volume, struct fs **out, struct err *e)
{
	const struct fs_driver *drv;
	char type[sizeof((*out)->id.type)];
	struct fs *fs = calloc(1, sizeof(*fs));
	int rc;

	if (!fs)
		return fail(e, ENOMEM, "out of memory");
	fs->volume = volume;
	rc = fs_blkid(volume, &fs->id, e);
	strcpy(type, fs->id.type);
	for (unsigned i = 0; !rc && (drv = pick(type, i)); i++) {
		rc = try_driver(fs, drv, e);
		if (fs->drv || fs->id.type[0])
			break;
	}
	if (rc) {
		free(fs);
		return rc;
	}
	*out = fs;
	return 0;
}

void fs_close(struct fs *fs)
{
	if (fs && fs->drv)
		fs->drv->close(fs);
	free(fs);
}

const struct fs_identity *fs_identity(const struct fs *fs)
{
	return &fs->id;
}

int fs_map(struct fs *fs, uint64_t offset, struct fs_extent *ext,
	   struct err *e)
{
	uint64_t left;
	int rc;

	if (offset >= img_size(fs->volume))
		return fail(e, ERANGE, "the volume has %llu bytes",
			    (unsigned long long)img_size(fs->volume));
	left = img_size(fs->volume) - offset;
	*ext = (struct fs_extent){ .offset = offset, .len = left, .used = true };
	if (!fs->id.has_map)
		return 0;
	rc = fs->drv->map(fs, offset, ext, e);
	ext->len = min_u64(ext->len, left);
	return rc;
}

static int no_files(const struct fs *fs, struct err *e)
{
	if (fs->id.note.text[0])
		return fail(e, ENOTSUP, "%s", fs->id.note.text);
	return fail(e, ENOTSUP, "files of type \"%s\" cannot be read",
		    fs->id.type);
}

uint64_t fs_root(const struct fs *fs)
{
	return fs->id.has_files ? fs->drv->root : 0;
}

int fs_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	if (!fs->id.has_files)
		return no_files(fs, e);
	return fs->drv->stat(fs, ino, out, e);
}

struct names {
	int (*entry)(void *arg, const char *name, uint64_t ino);
	void *arg;
	uint64_t dir;
	struct err *e;
};

static int check_name(void *arg, const char *name, uint64_t ino)
{
	const struct names *n = arg;

	if (strchr(name, '/') || !name[0] || strlen(name) > 255)
		return fail(n->e, EUCLEAN, "directory inode %llu: the name of "
			    "inode %llu is empty, has more than 255 bytes or "
			    "holds a slash", (unsigned long long)n->dir,
			    (unsigned long long)ino);
	return n->entry(n->arg, name, ino);
}

int fs_list(struct fs *fs, uint64_t dir,
	    int (*entry)(void *arg, const char *name, uint64_t ino), void *arg,
	    struct err *e)
{
	struct names n = { entry, arg, dir, e };

	if (!fs->id.has_files)
		return no_files(fs, e);
	return fs->drv->list(fs, dir, check_name, &n, e);
}

struct wanted {
	char name[256];
	bool (*same)(const char *a, const char *b);
	uint64_t ino;
};

static bool same_bytes(const char *a, const char *b)
{
	return !strcmp(a, b);
}

#define FOUND 1

static int compare(void *arg, const char *name, uint64_t ino)
{
	struct wanted *w = arg;

	if (!w->same(name, w->name))
		return 0;
	w->ino = ino;
	return FOUND;
}

int fs_lookup(struct fs *fs, uint64_t dir, const char *name, size_t name_len,
	      uint64_t *ino, struct err *e)
{
	struct wanted w = { .same = same_bytes };
	int rc;

	if (!fs->id.has_files)
		return no_files(fs, e);
	if (fs->drv->same_name)
		w.same = fs->drv->same_name;
	if (!name_len || name_len > 255 || memchr(name, 0, name_len))
		return fail(e, ENOENT, "a name of %zu bytes", name_len);
	memcpy(w.name, name, name_len);
	rc = fs->drv->list(fs, dir, compare, &w, e);
	if (rc == FOUND) {
		*ino = w.ino;
		return 0;
	}
	return rc ? rc : fail(e, ENOENT, "there is no \"%s\"", w.name);
}

int fs_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset,
	    struct err *e)
{
	struct fs_stat st;
	int rc;

	if (!fs->id.has_files)
		return no_files(fs, e);
	if (len)
		return fs->drv->read(fs, ino, buf, len, offset, e);
	rc = fs->drv->stat(fs, ino, &st, e);
	if (!rc && offset > st.size)
		return fail(e, ERANGE, "the file has %llu bytes",
			    (unsigned long long)st.size);
	return rc;
}

int fs_readlink(struct fs *fs, uint64_t ino, char *buf, size_t size,
		struct err *e)
{
	if (!fs->id.has_files)
		return no_files(fs, e);
	if (!fs->drv->readlink)
		return fail(e, EINVAL, "there are no symbolic links on \"%s\"",
			    fs->id.type);
	return fs->drv->readlink(fs, ino, buf, size, e);
}

int fs_xattr(struct fs *fs, uint64_t ino, const char *name, void **value,
	     size_t *len, struct err *e)
{
	int rc = -ENODATA;

	if (!fs->id.has_files)
		return no_files(fs, e);
	if (fs->drv->xattr)
		rc = fs->drv->xattr(fs, ino, name, value, len, e);
	return rc == -ENODATA ? fail(e, ENODATA, "there is no attribute %s", name)
			      : rc;
}

int fs_owners(struct fs *fs, uint64_t offset, uint64_t len,
	      int (*file)(void *arg, const char *path), void *arg,
	      struct err *e)
{
	if (!fs->id.has_files)
		return no_files(fs, e);
	if (!fs->drv->owners)
		return fail(e, ENOTSUP, "whose blocks they are is not known on "
			    "\"%s\"", fs->id.type);
	if (!in_range(offset, len, img_size(fs->volume)))
		return fail(e, ERANGE, "the volume has %llu bytes",
			    (unsigned long long)img_size(fs->volume));
	return len ? fs->drv->owners(fs, offset, len, file, arg, e) : 0;
}
