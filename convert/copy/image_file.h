/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_file.h - a new image file, and an image copied into one.
 *
 * For files that nobody looks at before they are complete: those of a staging
 * folder.  A failure removes them.
 */
#ifndef CONVERT_IMAGE_FILE_H
#define CONVERT_IMAGE_FILE_H

#include "convert/copy/copy.h"

struct image_file_args {
	struct img_create_args create;	/* size 0: that of the image copied */
	const struct img_resolver *resolver;	/* opens create.backing */
	unsigned flags;			/* IMG_* for writing it, besides
					 * IMG_WRITE */
};

/* The file must not exist (-EEXIST).  *out is open for writing. */
int image_file_create(const char *path, const struct image_file_args *args,
		      struct img **out, struct err *e);

/* Copy `src` into a new file, and flush it.  `how` gives all that copy_run() takes
 * but sources and target (compression is implied where the format stores nothing
 * else); copy_result_fini(result) in any case.
 */
int image_file_copy(struct img *src, const char *path,
		    const struct image_file_args *args,
		    const struct copy_args *how, struct copy_result *result,
		    struct err *e);

#endif
