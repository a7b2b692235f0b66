/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.h - the files of a guest that does not run, as the guest would see them.
 *
 * The root is a volume; others are mounted as its /etc/fstab says.  Paths are
 * the guest's, absolute.  Symbolic links are followed inside the guest only: an
 * absolute target counts from the guest's root, ".." stops there, and 40 links
 * are the limit (-ELOOP), as in Linux.
 *
 * Nothing is written: see edits.h.  One thread at a time.
 */
#ifndef CONVERT_GUEST_TREE_H
#define CONVERT_GUEST_TREE_H

#include "convert/fs/volumes.h"

struct tree;

/* A file's place: which volume, which inode. */
struct tree_node {
	const struct volume *volume;
	struct fs_stat stat;
};

/* `root` is one of v->list and has files; both are borrowed.  A line of fstab
 * that names what is not there is no failure: see tree_mounts().
 */
int tree_open(const struct volumes *v, const struct volume *root,
	      struct tree **out, struct err *e);
void tree_close(struct tree *t);

/* /etc/fstab, line by line, and what each device is.  A line is mounted where
 * its volume has files and its folder exists, also one that says noauto: /boot
 * may. Of several on one folder the last counts.
 */
struct tree_mount {
	char *spec, *dir, *type, *options;	/* decoded (\040); owned */
	unsigned line;				/* in /etc/fstab, from 1 */
	const struct volume *volume;		/* NULL: none of the disks' */
	bool mounted;		/* its files are part of the tree */
	/* The device is named by its path, which another controller changes. */
	bool by_path;
};
const struct tree_mount *tree_mounts(const struct tree *t, size_t *n);

/* What a device's name means, as in fstab or root= of a kernel's command line:
 * UUID=, LABEL=, PARTUUID=, PARTLABEL=, /dev/disk/by-*, /dev/root, and
 * /dev/sda1, hda1, vda1, xvda1, nvme0n1p1, mmcblk0p1, whose letters and numbers
 * count the disks in their order.  NULL: none of the disks'.
 */
const struct volume *tree_device(const struct tree *t, const char *spec,
				 bool *by_path);

/* The path of a node; TREE_NOFOLLOW: of a symbolic link itself. */
#define TREE_NOFOLLOW 1u
int tree_find(struct tree *t, const char *path, unsigned flags,
	      struct tree_node *out, struct err *e);
/* The path without links, which the caller frees. */
int tree_resolve(struct tree *t, const char *path, char **out, struct err *e);
/* A whole regular file, a NUL behind it, which the caller frees.  -EFBIG: it
 * has more than `max` bytes.
 */
int tree_read(struct tree *t, const char *path, size_t max, char **data,
	      size_t *len, struct err *e);
int tree_readlink(struct tree *t, const char *path, char **target,
		  struct err *e);
/* As fs_list(); what is mounted on a name shows the mounted root. */
int tree_list(struct tree *t, const char *path,
	      int (*entry)(void *arg, const char *name,
			   const struct tree_node *node), void *arg,
	      struct err *e);
bool tree_exists(struct tree *t, const char *path);

#endif
