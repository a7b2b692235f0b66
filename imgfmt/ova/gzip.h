/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip.h - a read-only layer that shows what a gzip file holds, at any offset.
 *
 * Opening reads the whole file once: that finds its length, checks its sums
 * and notes points where inflating can start again.  Points come further apart
 * the larger the file is, so that memory is bounded: GZIP_MAX_POINTS windows of
 * 32 KiB, GZIP_CACHE_BLOCKS blocks of GZIP_BLOCK and GZIP_STREAMS streams,
 * together below 24 MiB.  Reading in order, from several places at once, costs
 * no more than inflating; a jump costs half the distance of two points.
 */
#ifndef OVA_GZIP_H
#define OVA_GZIP_H

#include "imgfmt/imgfmt.h"

#define GZIP_MAX_POINTS 512u
#define GZIP_BLOCK (256u << 10)		/* inflated at once, bytes */
#define GZIP_CACHE_BLOCKS 16u
#define GZIP_STREAMS 8u
#define GZIP_MAX_SIZE (UINT64_C(1) << 47)	/* of what is in it, bytes: no
						 * disk of a package is larger */

bool gzip_probe(const uint8_t *head, size_t len);

/* Ownership as img_stack().  -EUCLEAN: broken or cut short. */
int img_gzip(struct img *below, struct img **out, struct err *e);

#endif
