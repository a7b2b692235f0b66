/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzvm.h - for fuzz targets of devices: a machine whose memory has guard pages
 * around it, and the fuzzer's bytes as numbers.
 */
#ifndef TESTS_FUZZVM_H
#define TESTS_FUZZVM_H

#include "tests/lib/fakevm.h"

/* A bare machine with 1 CPU; an access that leaves its memory on the host's side
 * is a crash.
 */
struct vm *fuzzvm_new(uint64_t memory);
/* The same with memory for a screen. */
struct vm *fuzzvm_new_screen(uint64_t memory);
/* Instead of vm_free(): a process has not many mappings. */
void fuzzvm_free(struct vm *vm);

struct fuzz_in {
	const uint8_t *p;
	size_t left;
};

/* The next `n` bytes (at most 8) as a little-endian number; zeroes at the end. */
uint64_t fuzz_take(struct fuzz_in *in, unsigned n);

#endif
