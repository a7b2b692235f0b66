/* SPDX-License-Identifier: GPL-2.0-or-later */
/* png.c - a picture as a PNG file in memory, by libpng. */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/screen/screen.h"

int screen_png(const struct screen_image *image, void **png, size_t *len,
	       struct err *e)
{
	png_image p = {
		.version = PNG_IMAGE_VERSION, .width = image->width,
		.height = image->height, .format = PNG_FORMAT_RGB,
		.flags = PNG_IMAGE_FLAG_FAST,
	};
	png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(p);
	void *out = malloc(size), *less;

	if (!out)
		return fail(e, ENOMEM, "the screen's PNG");
	if (!png_image_write_to_memory(&p, out, &size, 0, image->rgb, 0,
				       NULL)) {
		free(out);
		return fail(e, EIO, "the screen's PNG: %s", p.message);
	}
	less = realloc(out, size);
	*png = less ? less : out;
	*len = size;
	return 0;
}
