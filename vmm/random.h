/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random.h - random bytes for the guest: the host's, or with a virtual clock a
 * fixed sequence, so that runs repeat.
 */
#ifndef VMM_RANDOM_H
#define VMM_RANDOM_H

#include <stdatomic.h>

#include "imgfmt/base/base.h"

struct vm;

struct vm_random {
	_Atomic uint64_t state;		/* virtual clock only */
};

/* Any thread.  The sequence starts anew when the machine is made. */
void vm_random(struct vm *vm, void *buf, size_t len);

#endif
