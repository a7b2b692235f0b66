/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_elf.c - ELF, PVH and multiboot kernels that lie: whatever the file says,
 * loading ends, and stays inside the guest's RAM.
 */
#include "tests/lib/bootfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F' };

	bootfuzz(data, len, 0, magic, sizeof(magic));
	return 0;
}
