/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info.h - how vimg info shows one image. */
#ifndef VIMG_INFO_H
#define VIMG_INFO_H

#include <jansson.h>

#include "imgfmt/imgfmt.h"

/* Everything is a copy: the image may be closed. */
struct info_image {
	char *name, *format;
	uint64_t size, usage;		/* bytes */
	bool has_usage;
	char *backing, *full_backing, *backing_format;	/* or NULL */
	struct img_info info;		/* its strings are not to be used */
};

void info_print(const struct info_image *i);
/* A new reference. */
json_t *info_json(const struct info_image *i);

#endif
