/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib_pci.c - PCI configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2.3). */
#include "virtio.h"

uint32_t pci_read(uint32_t fn, uint32_t reg)
{
	outl(0xcf8, 1u << 31 | fn | reg);
	return inl(0xcfc);
}

void pci_write(uint32_t fn, uint32_t reg, uint32_t value)
{
	outl(0xcf8, 1u << 31 | fn | reg);
	outl(0xcfc, value);
}

uint32_t pci_capability(uint32_t fn, uint32_t at, uint8_t id)
{
	if (!(pci_read(fn, 4) >> 16 & 0x10))
		return 0;
	at = at ? pci_read(fn, at) >> 8 & 0xfc : pci_read(fn, 0x34) & 0xfc;
	while (at && (pci_read(fn, at) & 0xff) != id)
		at = pci_read(fn, at) >> 8 & 0xfc;
	return at;
}

uint32_t pci_bar(uint32_t fn, uint32_t bar)
{
	return pci_read(fn, 0x10 + 4 * bar) & ~15u;
}
