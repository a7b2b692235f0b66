/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_pipe.h - images that come through a pipe. */
#ifndef TOOLS_IMAGE_PIPE_H
#define TOOLS_IMAGE_PIPE_H

#include "imgfmt/imgfmt.h"

/* Is this file name "-", standard input's, or that of a named pipe? */
bool image_is_pipe(const char *name);

/* Open it as img_open() does a file.  Standard input that is a file is read as
 * such.  Waiting for a writer ends with -ECANCELED on a signal.
 */
int image_open_pipe(const char *name, const struct img_open_args *args,
		    struct img **out, struct err *e);

#endif
