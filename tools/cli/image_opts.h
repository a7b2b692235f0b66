/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_opts.h - option strings that describe a stack of layers (--image-opts).
 *
 * "driver=raw,file.driver=qcow2,file.file.filename=x": each "file." is one
 * layer further down.  Understood at each layer: driver, filename (of a file),
 * offset and size (of raw), member (of ova), cache.direct, cache.no-flush,
 * force-share, locking, read-only; at the top also backing.driver and backing.file.filename.
 */
#ifndef TOOLS_IMAGE_OPTS_H
#define TOOLS_IMAGE_OPTS_H

#include "imgfmt/imgfmt.h"

/* args->format is ignored; the rest is for the top layer. */
int image_opts_open(const char *text, const struct img_open_args *args,
		    struct img **out, struct err *e);

/* The name of the file, when the string says no more than its format; else
 * "json:{...}".  To be freed; NULL when out of memory.
 */
char *image_opts_name(const char *text);

#endif
