/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.h - how a text differs from what it was, as `diff -u` says it. */
#ifndef CONVERT_GUEST_DIFF_H
#define CONVERT_GUEST_DIFF_H

#include "imgfmt/base/base.h"

#define DIFF_MAX (256u << 10)	/* bytes of either; more gives no diff */

/* *out is a string to be freed, or NULL: one of them is not text (UTF-8 without
 * control characters), or too large, or they are the same.  `old` NULL: there
 * was no such file.  Time and memory are bounded: where too many lines differ,
 * all of them are exchanged.
 */
int diff_unified(const char *path, const char *old, size_t old_len,
		 const char *text, size_t text_len, char **out, struct err *e);

#endif
