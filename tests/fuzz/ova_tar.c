/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_tar.c - the input is a package: open it with and without its disk, look
 * at it, verify and check it.
 */
#include "tests/lib/fuzzdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img_verify verify = { 0 };
	struct img_check check = { 0 };
	struct img *img = fuzz_open(data, len, "ova", 0);

	if (img) {
		img_verify(img, &verify, NULL);
		img_check(img, &check, NULL);
		fuzz_look(img);
	}
	img_close(img, NULL);
	return 0;
}
