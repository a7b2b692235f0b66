/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci_assign.c - PCI set up as firmware leaves it (PCI Local Bus 3.0, 6.2.5.1;
 * PCI Firmware 3.0), for kernels that are started without firmware.
 */
#include "imgfmt/base/bytes.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

/* Where the next BAR of each space goes. */
struct cursor {
	uint64_t port, mem, mem64, mem64_end;
};

/* Memory BARs of 32 bits, and small ones of 64, go below 4 GiB, where any
 * kernel reaches them; what does not fit there stays unassigned or goes above.
 */
#define BIG_BAR		(256u << 20)

static bool take(uint64_t *next, uint64_t len, uint64_t end, uint64_t *base)
{
	uint64_t at, after;

	if (!round_up_ok(*next, len, &at) || !add_ok(at, len, &after) ||
	    after > end)
		return false;
	*base = at;
	*next = after;
	return true;
}

static bool place(struct cursor *c, const struct pci_bar *bar, uint64_t *base)
{
	uint64_t len = bar->region.len;

	if (bar->region.space == BUS_PIO)
		return take(&c->port, len, 0x10000, base);
	if (len < BIG_BAR && take(&c->mem, len, PC_PCI_MEM_END, base))
		return true;
	if (bar->is_64)
		return take(&c->mem64, len, c->mem64_end, base);
	return take(&c->mem, len, PC_PCI_MEM_END, base);
}

static void assign_bars(struct cursor *c, struct pci_function *fn)
{
	uint32_t command = PCI_COMMAND_MASTER;

	for (unsigned i = 0; i < PCI_N_BARS; i++) {
		const struct pci_bar *bar = &fn->bars[i];
		unsigned reg = PCI_BAR0 + 4 * i;
		uint64_t base;

		if (!bar->region.ops || !place(c, bar, &base))
			continue;
		pci_config_write(fn, reg, 4, (uint32_t)base);
		if (bar->is_64)
			pci_config_write(fn, reg + 4, 4,
					 (uint32_t)(base >> 32));
		command |= bar->region.space == BUS_PIO ? PCI_COMMAND_IO :
			   PCI_COMMAND_MEMORY;
	}
	pci_config_write(fn, PCI_COMMAND, 2, command);
}

static void assign_line(struct pci_function *fn)
{
	static const uint8_t lines[PCI_N_PIRQS] = {
		PC_PIRQ_A, PC_PIRQ_B, PC_PIRQ_B, PC_PIRQ_A
	};
	unsigned pin = fn->config[PCI_INTERRUPT_PIN];

	if (fn->devfn == PIIX3_DEVFN)
		for (unsigned i = 0; i < PCI_N_PIRQS; i++)
			pci_config_write(fn, PIIX3_PIRQ_ROUTE + i, 1, lines[i]);
	if (pin)
		pci_config_write(fn, PCI_INTERRUPT_LINE, 1,
				 lines[pci_pirq(fn->devfn, pin)]);
}

static void assign_power_management(struct pci_function *fn)
{
	pci_config_write(fn, PCI_INTERRUPT_LINE, 1, PC_SCI);
	pci_config_write(fn, PIIX4_PMBA, 4, PC_PM_BASE);
	pci_config_write(fn, PIIX4_PMREGMISC, 1, 1);
	pci_config_write(fn, PIIX4_SMBHSTBASE, 4, PC_SMB_BASE);
}

void pci_assign_resources(struct vm *vm)
{
	struct cursor c = {
		.port = PC_PCI_IO,
		.mem = PC_PCI_MEM,
		.mem64 = pc_pci_mem64(vm),
		.mem64_end = pc_pci_mem64(vm) + PC_PCI_MEM64_LEN,
	};

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		struct pci_function *fn = pci_find(vm->pci, devfn);

		if (!fn)
			continue;
		assign_line(fn);
		if (devfn >= PCI_DEVFN(2, 0))
			assign_bars(&c, fn);
		if (devfn == PIIX4_PM_DEVFN)
			assign_power_management(fn);
	}
}
