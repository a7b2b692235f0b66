/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf16.h - names in UTF-16LE, as GPT and FAT have them. */
#ifndef CONVERT_FS_UTF16_H
#define CONVERT_FS_UTF16_H

#include <stddef.h>
#include <stdint.h>

/* UTF-8 of up to `n` units, which end at a NUL; half a pair becomes U+FFFD.  `out`
 * has room for 3 * n + 1 bytes.  The length.
 */
size_t utf16_text(const uint8_t *p, size_t n, char *out);

#endif
