/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bitmaps.h - the dirty bitmaps that an image names. */
#ifndef QCOW2_BITMAPS_H
#define QCOW2_BITMAPS_H

#include "state.h"

#define QCOW2_BITMAP_IN_USE	1u
#define QCOW2_BITMAP_AUTO	2u

struct qcow2_bitmap {
	const char *name;		/* name_len bytes, valid in fn only */
	uint16_t name_len;
	uint32_t flags;
	unsigned granularity_bits;	/* at most 31 */
};

/* Call fn for each entry up to the first that makes no sense. */
int qcow2_bitmaps_each(const struct qcow2 *s,
		       void (*fn)(void *arg, const struct qcow2_bitmap *b),
		       void *arg);

#endif
