/* SPDX-License-Identifier: GPL-2.0-or-later */
/* p2v_checkpoint.c - the input is the checkpoint of a capture: what is read is sound,
 * and written it is the input, up to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "convert/capture/capture.h"
#include "tests/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_sound(const struct checkpoint *c)
{
	uint64_t behind = 0;

	CHECK(c->done <= c->size);
	CHECK(c->done % COPY_PART == 0 || c->done == c->size);
	for (size_t i = 0; i < c->n_lost; i++) {
		const struct copy_lost *l = &c->lost[i];

		CHECK(l->len && l->error < 0 && l->offset >= behind);
		CHECK(in_range(l->offset, l->len, c->size));
		behind = l->offset + l->len;
	}
}

static void check_same(const struct checkpoint *c, const uint8_t *data, size_t len)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	CHECK(f && !checkpoint_save(f, c) && !fclose(f));
	CHECK(n <= len + 1 && !memcmp(text, data, n - 1));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FILE *f = len ? fmemopen((void *)(uintptr_t)data, len, "r") : NULL;
	struct checkpoint c;

	if (!f)
		return 0;
	if (!checkpoint_load(f, &c)) {
		check_sound(&c);
		/* Text that a NUL ends, and capitals in the fingerprint, are read
		 * alike, and never written.
		 */
		for (size_t i = 0; i < len; i++)
			if (!data[i] || (data[i] >= 'A' && data[i] <= 'F'))
				len = 0;
		if (len)
			check_same(&c, data, len);
		checkpoint_fini(&c);
	}
	fclose(f);
	return 0;
}
