/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_refs.c - the input is an OVF descriptor, of which the references are
 * found; and a package in a folder whose files cannot be opened.
 */
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/ovf_refs.h"
#include "tests/lib/fuzzdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct err e = { "" };
	struct ova_refs refs;
	struct img *img;

	if (!text)
		return 0;
	memcpy(text, data, len);
	text[len] = 0;
	if (ova_refs_parse(text, len, "x.ovf", &refs, &e)) {
		if (!e.text[0])
			__builtin_abort();
	} else {
		for (size_t i = 0; i < refs.n; i++)
			if (strlen(refs.refs[i].href) > len)
				__builtin_abort();
		ova_refs_free(&refs);
	}
	free(text);
	img = fuzz_open(data, len, "ovf", IMG_NO_DATA);
	if (img)
		fuzz_look(img);
	img_close(img, NULL);
	return 0;
}
