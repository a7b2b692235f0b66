/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_write.c - the input is eight operations, then a sparse VMDK file on which
 * they are done; the first byte's bit 6 opens it for repair, and then it is
 * repaired before.
 */
#include "tests/lib/fuzzdisk.h"

#define REPAIR 0x40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img_check check = { .fix_errors = true, .fix_leaks = true };
	bool repair = len && data[0] & REPAIR;
	struct img *img;

	if (len <= FUZZ_OPS_LEN)
		return 0;
	img = fuzz_open(data + FUZZ_OPS_LEN, len - FUZZ_OPS_LEN, "vmdk",
			IMG_WRITE | (repair ? IMG_REPAIR : 0));
	if (img && repair)
		img_check(img, &check, NULL);
	else if (img)
		fuzz_change(img, data);
	img_close(img, NULL);
	return 0;
}
