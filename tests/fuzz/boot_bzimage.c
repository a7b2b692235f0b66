/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_bzimage.c - Linux kernels whose set-up header lies: whatever it says,
 * loading ends, and stays inside the guest's RAM.
 */
#include "tests/lib/bootfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t magic[] = { 0x55, 0xaa, 0xeb, 0x66, 'H', 'd', 'r',
					 'S' };

	bootfuzz(data, len, 0x1fe, magic, sizeof(magic));
	return 0;
}
