/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_tables.c - the input is a qcow2 file: read what its tables say, check
 * them, repair them, and check again.
 */
#include <stdlib.h>

#include "tests/lib/fuzzdisk.h"

static int check(struct img *img, bool repair, struct img_check *out)
{
	*out = (struct img_check){
		.fix_leaks = repair, .fix_errors = repair,
	};
	return img_check(img, out, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img *img = fuzz_open(data, len, "qcow2", 0);
	struct img_check k, again;

	if (img) {
		fuzz_look(img);
		check(img, false, &k);
		img_close(img, NULL);
	}
	img = fuzz_open(data, len, "qcow2", IMG_REPAIR | IMG_WRITE);
	if (!img)
		return 0;
	if (!check(img, true, &k)) {
		/* What is left is what the next check finds. */
		if (check(img, false, &again) ||
		    k.corruptions != again.corruptions ||
		    k.leaks != again.leaks)
			abort();
		fuzz_look(img);
	}
	img_close(img, NULL);
	return 0;
}
