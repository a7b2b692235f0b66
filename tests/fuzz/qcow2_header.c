/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_header.c - the input is a qcow2 file: open it in every way there is. */
#include "tests/lib/fuzzdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned ways[] = { 0, IMG_REPAIR, IMG_WRITE };

	for (unsigned i = 0; i < 3; i++) {
		struct img *img = fuzz_open(data, len, "qcow2", ways[i]);

		if (img && !ways[i])
			fuzz_look(img);
		img_close(img, NULL);
	}
	return 0;
}
