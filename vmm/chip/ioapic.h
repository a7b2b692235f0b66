/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ioapic.h - the I/O APIC with 24 pins at 0xfec00000 (Intel 82093AA data
 * sheet; version 0x20, which adds the EOI register).
 *
 * All calls but ioapic_new() hold the interrupt lock.  An interrupt leaves as a
 * message, vm->accel->msi(); vm->accel->route() is told of changed entries.
 */
#ifndef CHIP_IOAPIC_H
#define CHIP_IOAPIC_H

#include "vmm/device.h"

#define IOAPIC_BASE	0xfec00000u
#define IOAPIC_PINS	24u

struct ioapic;

int ioapic_new(struct vm *vm, struct ioapic **out, struct err *e);
void ioapic_set(struct ioapic *ioapic, unsigned pin, bool level);
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

#endif
