/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h - a folder that p2v has captured into, as a machine.  Internal to source. */
#ifndef CONVERT_SOURCE_CAPTURE_H
#define CONVERT_SOURCE_CAPTURE_H

#include <stdio.h>

#include "convert/machine/formats.h"

/* -ENOENT: there is no manifest in the folder.  The disks are named as seen from
 * there.  *out is as machine_read() leaves it.
 */
int capture_describe(const char *folder, struct machine *out, struct err *e);
/* The same of a manifest that is read from a stream, and called `path`. */
int capture_load(FILE *f, const char *path, struct machine *out, struct err *e);

#endif
