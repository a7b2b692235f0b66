/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci_host.h - the chipset's own PCI functions, which pci_bus_new() makes: the
 * i440FX at slot 0, the PIIX3 at slot 1.
 */
#ifndef CHIP_PCI_HOST_H
#define CHIP_PCI_HOST_H

#include "vmm/chip/pci.h"

#define I440FX_DEVFN	PCI_DEVFN(0u, 0u)
#define PIIX3_DEVFN	PCI_DEVFN(1u, 0u)

#define PIIX3_PIRQ_ROUTE 0x60u	/* four bytes: ISA line, or PIIX3_PIRQ_OFF */
#define PIIX3_PIRQ_OFF	0x80u

int i440fx_new(struct vm *vm, struct err *e);
int piix3_new(struct vm *vm, struct err *e);

/* A level-triggered driver of ISA line `n`, which the line's PIRQs may share. */
struct irq_line piix3_irq(struct vm *vm, unsigned n);

#endif
