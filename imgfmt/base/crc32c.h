/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crc32c.h - CRC-32C (Castagnoli, reflected), as ext4, JBD2, Btrfs and VHDX use it.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Nothing is inverted here, at the start or at the end: a format that wants it
 * begins with ~0 and inverts the result.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t len);

#endif
