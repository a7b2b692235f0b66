/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgafuzz.h - fuzz a screen: accesses to it, and looks at it in between. */
#ifndef TESTS_VGAFUZZ_H
#define TESTS_VGAFUZZ_H

#include "tests/lib/fuzzvm.h"

/* A bare machine of 2 MiB with a PCI bus and a VGA, whose memory has guard pages
 * around it; fuzzvm_free() it.
 */
struct vm *vgafuzz_new(void);

/* Take the screen as text and as a picture, and check what the header promises. */
void vgafuzz_look(struct vm *vm);

/* Any access of any size to `space` at `at`; the value is the fuzzer's. */
void vgafuzz_touch(struct vm *vm, enum bus_space space, uint64_t at,
		   struct fuzz_in *in);

#endif
