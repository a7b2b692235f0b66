/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - a file that gets its name when it is complete. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include "imgfmt/base/base.h"

struct output {
	const char *path;	/* the caller's; NULL: not open */
	char *partial;		/* its name until then; NULL: PATH itself */
	int fd;
};

/* Writes go to PATH.partial; or to PATH itself if that is there and no regular file:
 * a device, or a pipe that somebody reads.  The sentence names the path.
 */
int output_open(struct output *o, const char *path, struct err *e);
int output_write(struct output *o, const void *data, size_t len, struct err *e);

/* Give it its name, or leave nothing if that fails or it is not complete.  It is not
 * open afterwards either way; if it is not before, nothing happens.
 */
int output_close(struct output *o, bool complete, struct err *e);

#endif
