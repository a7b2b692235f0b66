/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstree.h - a folder with files of every kind, and its comparison with what a
 * reader of file systems shows of a copy.
 */
#ifndef TESTS_FSTREE_H
#define TESTS_FSTREE_H

#include "convert/fs/fs.h"

#define FSTREE_PLAIN	1u	/* folders and regular files only, as on FAT */
#define FSTREE_NO_XATTR	2u
#define FSTREE_CONTENT	4u	/* names and content only */

void fstree_make(const char *dir, unsigned flags);

/* Every name, content, link and, where flags do not say otherwise, mode, owner,
 * time and attribute.  "lost+found" may be there besides.  The number of files.
 */
unsigned fstree_compare(struct fs *fs, const char *dir, unsigned flags);

/* Run a command line; false: it failed.  Its output is thrown away. */
bool fstree_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool fstree_has(const char *program);

/* Open a raw image. */
struct fs *fstree_open(const char *path, struct img **img);
void fstree_close(struct fs *fs, struct img *img);

#endif
