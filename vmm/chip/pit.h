/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pit.h - the interval timer of a PC: an 8254 at ports 0x40 to 0x43 (channel 0
 * on ISA line 0, channel 2 behind port 0x61) and port 0x61 itself.
 */
#ifndef CHIP_PIT_H
#define CHIP_PIT_H

#include "vmm/device.h"

#define PIT_HZ 1193182u

int pit_new(struct vm *vm, struct err *e);

#endif
