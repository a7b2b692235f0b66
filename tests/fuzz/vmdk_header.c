/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_header.c - the input is a VMDK file of any kind: open it and look at all
 * that it shows.
 */
#include "tests/lib/fuzzdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img *img = fuzz_open(data, len, "vmdk", 0);

	if (img)
		fuzz_look(img);
	img_close(img, NULL);
	return 0;
}
