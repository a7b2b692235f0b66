/* SPDX-License-Identifier: GPL-2.0-or-later */
/* new_files.h - the files that an image gets while it is changed in place: all
 * of them appear beside it, or none.
 */
#ifndef VIMG_NEW_FILES_H
#define VIMG_NEW_FILES_H

#include "imgfmt/imgfmt.h"

struct new_file;

struct new_files {
	struct img_resolver inner;	/* opens */
	struct new_file *first;
};

/* From now on `r` makes files, too; `f` has to outlive the images opened with
 * it.
 */
void new_files_init(struct new_files *f, struct img_resolver *r);

#endif
