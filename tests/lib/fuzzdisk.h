/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzdisk.h - what fuzz targets of image formats share: bytes of the fuzzer as
 * a disk, and a look at everything an image shows.
 */
#ifndef TESTS_FUZZDISK_H
#define TESTS_FUZZDISK_H

#include "imgfmt/imgfmt.h"

/* A memory layer that holds these bytes; NULL when out of memory. */
struct img *fuzz_disk(const uint8_t *data, size_t len);

/* Put `format` on top of the bytes.  NULL: it was refused. */
struct img *fuzz_open(const uint8_t *data, size_t len, const char *format,
		      unsigned flags);

/* Info, a walk over the map that ends after some steps, some reads. */
void fuzz_look(struct img *img);

/* Do eight operations of eight bytes each: writes, zeroes, resizes and others.
 */
#define FUZZ_OPS_LEN 64u
void fuzz_change(struct img *img, const uint8_t ops[FUZZ_OPS_LEN]);

#endif
