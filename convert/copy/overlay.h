/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overlay.h - a throw-away qcow2 on top of an open image, which is thus never
 * written.
 *
 * It lies in a file without a name in $TMPDIR (/var/tmp where that is not set),
 * and is gone when it is closed.  Any thread, each with images of its own.
 */
#ifndef CONVERT_OVERLAY_H
#define CONVERT_OVERLAY_H

#include "imgfmt/imgfmt.h"

/* The overlay owns `source` from now on, also on failure. */
int overlay_open(struct img *source, struct img **out, struct err *e);

#endif
