/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstab.h - the lines of an fstab.  Internal to tree.h.  fstab(5). */
#ifndef CONVERT_GUEST_FSTAB_H
#define CONVERT_GUEST_FSTAB_H

#include "convert/guest/tree.h"

#define FSTAB_MAX_SIZE (1u << 20)	/* bytes */
#define FSTAB_MAX_LINES 4096u		/* that mount something; more is refused */

/* Spec, folder, type, options and number of each line that has a spec and an
 * absolute folder, or "none" for swap.  Other lines, and those with a NUL, are
 * left out, as mount does.  `len` bytes of text; *out is freed by fstab_free().
 */
int fstab_parse(const char *text, size_t len, struct tree_mount **out,
		size_t *n, struct err *e);
void fstab_free(struct tree_mount *mounts, size_t n);

/* tree_device(), before there is a tree. */
const struct volume *fstab_device(const struct volumes *v,
				  const struct volume *root, const char *spec,
				  bool *by_path);

#endif
