/* SPDX-License-Identifier: GPL-2.0-or-later */
/* e820.c - the memory map that kernels and firmware are given (ACPI 6.4, 15.1).
 */
#include "vmm/pc.h"
#include "vmm/vm.h"

static unsigned add(struct e820_entry *entries, unsigned n, uint64_t addr,
		    uint64_t len, uint32_t type)
{
	if (n < PC_E820_MAX)
		entries[n++] = (struct e820_entry){ addr, len, type };
	return n;
}

unsigned pc_e820(const struct vm *vm, struct e820_entry entries[PC_E820_MAX])
{
	uint64_t addr, len;
	bool reserved = false;
	unsigned n = 0;

	for (unsigned i = 0; mem_ram_range(vm, i, &addr, &len); i++) {
		if (addr > PC_ACPI_AREA && !reserved) {
			n = add(entries, n, PC_ACPI_AREA, PC_ACPI_LEN +
				PC_SMBIOS_LEN, E820_RESERVED);
			reserved = true;
		}
		n = add(entries, n, addr, len, E820_RAM);
	}
	return n;
}

uint64_t pc_pci_mem64(const struct vm *vm)
{
	uint64_t addr, len, top = 1ull << 32;

	for (unsigned i = 0; mem_ram_range(vm, i, &addr, &len); i++)
		top = max_u64(top, addr + len);
	return round_up(top, 1ull << 30);
}
