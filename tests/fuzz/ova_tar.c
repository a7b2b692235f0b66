/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_tar.c - the input is a package: open it with and without its disk, look
 * at it, verify and check it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fuzzdisk.h"

/* Make the checksum of what looks like a header right, so that a changed byte
 * gets further than to that.
 */
static void seal(uint8_t *data, size_t len)
{
	for (; len >= 512; data += 512, len -= 512) {
		unsigned sum = 0;

		if (memcmp(data + 257, "ustar", 5))
			continue;
		memset(data + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += data[i];
		snprintf((char *)data + 148, 8, "%06o", sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned ways[] = { 0, IMG_REPAIR };
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return 0;
	if (len)
		memcpy(copy, data, len);
	seal(copy, len);
	for (unsigned i = 0; i < 2; i++) {
		struct img_verify verify = { 0 };
		struct img_check check = { 0 };
		struct img *img = fuzz_open(copy, len, "ova", ways[i]);

		if (img) {
			img_verify(img, &verify, NULL);
			img_check(img, &check, NULL);
			fuzz_look(img);
		}
		img_close(img, NULL);
	}
	free(copy);
	return 0;
}
