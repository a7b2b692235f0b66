/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machinegen.h - random machines, with names that need quoting. */
#ifndef TESTS_MACHINEGEN_H
#define TESTS_MACHINEGEN_H

#include "convert/machine/machine.h"

/* The same seed, the same machine.  `for_kvm`: only what QEMU has, so that
 * libvirt's XML can say all of it.
 */
void machine_random(uint64_t seed, bool for_kvm, struct machine *out);

#endif
