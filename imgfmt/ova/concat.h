/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* concat.h - read-only layers laid end to end. */
#ifndef OVA_CONCAT_H
#define OVA_CONCAT_H

#include "imgfmt/imgfmt.h"

/* `parts` (at least one, none of them empty) belong to the new layer on success; the array stays
 * the caller's.
 */
int img_concat(struct img *const *parts, size_t n, struct img **out,
	       struct err *e);

#endif
