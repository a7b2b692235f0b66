/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bootfuzz.h - load bytes as a kernel into a machine with a fake accelerator. */
#ifndef TESTS_BOOTFUZZ_H
#define TESTS_BOOTFUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Load `data` as it is, and with `magic` at `offset`, with an initrd: it fails
 * with a sentence, or vCPU 0 starts in RAM and all around RAM is untouched.
 */
void bootfuzz(const uint8_t *data, size_t len, size_t offset,
	      const uint8_t *magic, size_t magic_len);

#endif
