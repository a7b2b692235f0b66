/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vdisk.h - VMDKs for the tests that change them. */
#ifndef TESTS_VDISK_H
#define TESTS_VDISK_H

#include "imgfmt/imgfmt.h"

/* A resolver for files in the working folder, which can also make them. */
struct img_resolver vdisk_resolver(void);

/* Make `name`; `parent` is NULL or a VMDK in the same folder. */
int vdisk_create(const char *name, const char *subformat, bool zeroed_grain,
		 uint64_t size, const char *parent, struct err *e);
int vdisk_open(const char *name, unsigned flags, struct img **out,
	       struct err *e);
/* Check an open image: -EUCLEAN if something is wrong, or leaks where they are
 * not allowed.  With `fix` it is repaired, and it must have been possible.
 */
int vdisk_check(struct img *img, bool leaks_ok, bool fix, struct err *e);

#endif
