/* SPDX-License-Identifier: GPL-2.0-or-later */
/* board.h - the small ports of a PC's board, each a device of its own. */
#ifndef CHIP_BOARD_H
#define CHIP_BOARD_H

#include "vmm/device.h"

/* System control port A, 0x92: fast reset and A20 (PIIX3 data sheet, 2.6). */
int port92_new(struct vm *vm, struct err *e);

/* 0x80, where firmware shows how far it came, and 0x402, where SeaBIOS and OVMF
 * write text, which goes to vm->config.debug_fd.
 */
int debugport_new(struct vm *vm, struct err *e);

/* Only with vm->config.test_devices: isa-debug-exit at port 0xf4, and the
 * devices by which kvm-unit-tests raises interrupts and checks accesses (QEMU's
 * isa-debug-exit and pc-testdev).
 */
int testdev_new(struct vm *vm, struct err *e);

#endif
