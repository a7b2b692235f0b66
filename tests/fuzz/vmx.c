/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmx.c - the input is a VMX file. */
#include "tests/lib/fuzzmachine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_machine(data, len, "vmx");
	return 0;
}
