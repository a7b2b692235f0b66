/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_gzip.c - the input is a gzip file: read it in order and at random, which
 * must give the same.
 */
#include <stdlib.h>
#include <string.h>

#include "imgfmt/ova/gzip.h"
#include "tests/lib/fuzzdisk.h"

#define MAX_LEN (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t all[MAX_LEN], some[4096];
	struct img *disk = fuzz_disk(data, len), *img;
	struct err e = { "" };
	size_t size;

	if (!disk)
		return 0;
	if (img_gzip(disk, &img, &e)) {
		if (!e.text[0])
			abort();
		img_close(disk, NULL);
		return 0;
	}
	size = (size_t)min_u64(img_size(img), MAX_LEN);
	if (img_read(img, all, size, 0))
		abort();
	for (size_t i = 16; size && i--; ) {
		size_t offset = size / 16 * i;
		size_t n = (size_t)min_u64(sizeof(some), size - offset);

		if (img_read(img, some, n, offset) ||
		    memcmp(some, all + offset, n))
			abort();
	}
	img_close(img, NULL);
	return 0;
}
