/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf.c - the input is a machine in XML, an OVF descriptor or a domain of
 * libvirt's, or in our JSON.
 */
#include "tests/lib/fuzzmachine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_machine(data, len, 0);
	return 0;
}
