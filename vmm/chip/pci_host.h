/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci_host.h - the chipset's own PCI functions: the i440FX at slot 0 and the
 * PIIX3 at slot 1, which pci_bus_new() makes, and the PIIX4's power management
 * (acpi.h).
 */
#ifndef CHIP_PCI_HOST_H
#define CHIP_PCI_HOST_H

#include "vmm/chip/pci.h"

#define I440FX_DEVFN	PCI_DEVFN(0u, 0u)
#define PIIX3_DEVFN	PCI_DEVFN(1u, 0u)

#define PIIX3_PIRQ_ROUTE 0x60u	/* four bytes: ISA line, or PIIX3_PIRQ_OFF */
#define PIIX3_PIRQ_OFF	0x80u

#define PIIX4_PM_DEVFN	PCI_DEVFN(1u, 3u)

#define PIIX4_PMBA	0x40u	/* base of the power management's 64 ports */
#define PIIX4_DEVACTB	0x58u
#define PIIX4_PMREGMISC	0x80u	/* bit 0: they answer */
#define PIIX4_SMBHSTBASE 0x90u
#define PIIX4_SMBHSTCFG	0xd2u

int i440fx_new(struct vm *vm, struct err *e);
int piix3_new(struct vm *vm, struct err *e);

/* A level-triggered driver of ISA line `n`, which the line's PIRQs may share. */
struct irq_line piix3_irq(struct vm *vm, unsigned n);

#endif
