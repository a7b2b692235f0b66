/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tarhead.h - the header of a regular file in a tar archive (ustar). */
#ifndef CONVERT_OVA_TARHEAD_H
#define CONVERT_OVA_TARHEAD_H

#include "imgfmt/base/base.h"

#define TARHEAD_LEN 512u	/* bytes; content is padded to it as well */
#define TARHEAD_MAX_NAME 100u

/* `name` has TARHEAD_MAX_NAME bytes at most, `len` is below 2^63; `mtime` in
 * seconds since 1970.
 */
void tarhead_make(uint8_t head[TARHEAD_LEN], const char *name, uint64_t len,
		  int64_t mtime);

#endif
