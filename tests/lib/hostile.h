/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostile.h - damaged qcow2 images. */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "imgfmt/imgfmt.h"

#define HOSTILE_SIZE (256u << 10)	/* of the disk, bytes */
#define HOSTILE_KINDS 5u

/* A sound image of HOSTILE_SIZE bytes in memory, with data, compressed clusters
 * and zeroes; `kind` below HOSTILE_KINDS says of which geometry.
 */
struct img *hostile_make(unsigned kind);

/* Open a copy of what `mem` holds, read, map and describe it; with IMG_WRITE
 * write and resize it, with IMG_REPAIR check and repair it.  Errors are fine,
 * but for one of opening there must be a sentence.
 */
void hostile_use(struct img *mem, unsigned flags, uint64_t *random);

#endif
