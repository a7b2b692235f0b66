/* SPDX-License-Identifier: GPL-2.0-or-later */
/* initramfs.h - what is in an initramfs, and what to append to add to it.
 *
 * An initramfs is any number of cpio archives, each plain or compressed, one
 * behind the other; a later file replaces an earlier one of its name.  So files
 * are added by appending an archive, and taken away again by cutting it off.
 *
 * Reading unpacks at most INITRAMFS_UNPACKED bytes and keeps the names, and the
 * content of a few small files, of at most INITRAMFS_MEMBERS members.
 */
#ifndef CONVERT_GUEST_INITRAMFS_H
#define CONVERT_GUEST_INITRAMFS_H

#include "convert/guest/cpio.h"
#include "convert/guest/unpack.h"

/* Ten times the largest that distributions make, with drivers of displays. */
#define INITRAMFS_MAX (512u << 20)		/* the file, bytes */
#define INITRAMFS_UNPACKED (2ull << 30)
#define INITRAMFS_MEMBERS (512u << 10)
#define INITRAMFS_PARTS 64u

struct initramfs_member {
	char *name;		/* without a slash in front */
	uint32_t mode, size;
	/* A link's target, or the content of modules.*, conf/ and the like, with a
	 * NUL behind it; else NULL.
	 */
	char *content;
};

struct initramfs_module {
	char *name;		/* as lsmod has it: "virtio_blk" */
	const char *path;	/* "usr/lib/modules/6.1.0/kernel/..." */
};

struct initramfs {
	struct initramfs_member *members;	/* by name, each once */
	size_t n;
	struct initramfs_module *modules;	/* by name; of all versions */
	size_t n_modules;
	enum unpack_kind kind;	/* of the last part that is compressed */
	unsigned n_parts;
	uint64_t len;		/* of the file */
	const char *generator;	/* "initramfs-tools", "dracut", "mkinitcpio", "" */
	bool has_udev;
	size_t cap, kept;
};

/* `data` is not needed any longer when this returns.  -EUCLEAN: it is none, or
 * damaged; -ENOTSUP: its compression is not read; -EFBIG: beyond the limits.
 * Free with initramfs_fini(), also after an error.
 */
int initramfs_read(const void *data, size_t len, struct initramfs *out,
		   struct err *e);
void initramfs_fini(struct initramfs *fs);

/* NULL: no such member.  `path` as in the archive; links are not followed. */
const struct initramfs_member *initramfs_find(const struct initramfs *fs,
					      const char *path);
/* The module for that kernel; NULL: it has none. */
const char *initramfs_module(const struct initramfs *fs, const char *version,
			     const char *name);
/* `path` with the initramfs' links followed, as far as it exists: what to call a
 * file that is added.  -ELOOP, -ENAMETOOLONG.
 */
int initramfs_resolve(const struct initramfs *fs, const char *path,
		      char out[CPIO_NAME_MAX]);

/* The name of a module by its file's, "/a/virtio-blk.ko.xz" to "virtio_blk", which
 * the caller frees; NULL with *is_module false if it is no module.
 */
char *module_name(const char *path, bool *is_module);

/* An archive to append. */
struct initramfs_splice {
	const struct initramfs *fs;
	struct cpio_writer w;
	char **dirs;		/* that it makes */
	size_t n_dirs, cap_dirs;
};

/* A file of `mode` at `path`, whose missing folders are made. */
int splice_add(struct initramfs_splice *s, const char *path, uint32_t mode,
	       const void *data, size_t len, struct err *e);
/* The bytes to append, padding first, which the caller frees. */
int splice_end(struct initramfs_splice *s, uint8_t **data, size_t *len,
	       struct err *e);
void splice_fini(struct initramfs_splice *s);

#endif
