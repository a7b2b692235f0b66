/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.h - the locks by which QEMU's programs and ours keep out of each other's
 * images.  Internal to the file layer.
 */
#ifndef IMGFMT_LOCK_H
#define IMGFMT_LOCK_H

#include "imgfmt.h"

/* Lock the file behind `fd` as IMG_WRITE, IMG_SHARE and IMG_NO_LOCK in `flags`
 * ask.  The locks belong to the open file and end when it is closed.  -EAGAIN
 * when another program is in the way; the sentence says which one, if that can
 * be seen.  Where the file system knows no such locks: 0.
 */
int lock_file(int fd, const char *name, unsigned flags, struct err *e);

/* Give them up. */
void lock_drop(int fd);

#endif
