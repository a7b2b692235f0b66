/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pc.h - where things lie in our PC, in one place: the chips, the ACPI tables,
 * the loaders and the tests agree here.  Guest memory's own layout is mem.h.
 */
#ifndef VMM_PC_H
#define VMM_PC_H

#include "imgfmt/base/base.h"

struct vm;

/* Ports. */
#define PC_PM_BASE	0x0600u		/* ACPI power management, 64 ports */
#define PC_SMB_BASE	0x0700u		/* SMBus, which nobody answers */
#define PC_PCI_IO	0xc000u		/* where I/O BARs are put at first */

/* ISA interrupts. */
#define PC_SCI		9u		/* ACPI, level, active high */
#define PC_PIRQ_A	10u		/* PIRQA and PIRQB; C and D use B's */
#define PC_PIRQ_B	11u

/* Device memory: PCI has [PC_PCI_MEM, PC_PCI_MEM_END); behind it are the
 * IOAPIC (0xfec00000), virtio-mmio and the LAPICs (0xfee00000).
 */
#define PC_PCI_MEM	0xc0000000u
#define PC_PCI_MEM_END	0xfec00000u
#define PC_MMIO_BASE	0xfed20000u	/* virtio-mmio: device n at + n * LEN */
#define PC_MMIO_LEN	0x200u
#define PC_MMIO_GSI	16u		/* device n at the IOAPIC's pin 16 + n */
#define PC_MMIO_MAX	8u

/* What a loader without firmware leaves to the guest, in RAM that is reserved. */
#define PC_ACPI_AREA	0xe0000u	/* RSDP first, tables */
#define PC_ACPI_LEN	0x10000u
#define PC_SMBIOS_AREA	0xf0000u	/* anchor first, tables */
#define PC_SMBIOS_LEN	0x10000u

/* The 64-bit PCI window starts above all RAM. */
#define PC_PCI_MEM64_LEN (64ull << 30)
uint64_t pc_pci_mem64(const struct vm *vm);

#define E820_RAM	1u
#define E820_RESERVED	2u

/* As in etc/e820 and in Linux's boot parameters, little endian, packed there to
 * 20 bytes.
 */
struct e820_entry {
	uint64_t addr, len;
	uint32_t type;
};
#define E820_ENTRY_SIZE 20u
#define PC_E820_MAX 8u

/* The memory map for kernels and for firmware, sorted; the number of entries. */
unsigned pc_e820(const struct vm *vm, struct e820_entry entries[PC_E820_MAX]);

#endif
