/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_write.c - the input is eight operations, then a qcow2 file on which they
 * are done.
 */
#include "tests/lib/fuzzdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img *img;

	if (len <= FUZZ_OPS_LEN)
		return 0;
	img = fuzz_open(data + FUZZ_OPS_LEN, len - FUZZ_OPS_LEN, "qcow2",
			IMG_WRITE);
	if (img)
		fuzz_change(img, data);
	img_close(img, NULL);
	return 0;
}
