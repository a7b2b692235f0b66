/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - what of vmm control is not in control.c. */
#ifndef TOOLS_VMM_CONTROL_H
#define TOOLS_VMM_CONTROL_H

#include "imgfmt/base/json.h"

/* The answer to screendump: a PNG into the file `path`, or text into it or, if it
 * is NULL, to standard output.
 */
int control_put_screen(const json_t *result, const char *path, struct err *e);

#endif
