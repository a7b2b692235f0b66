/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci.c - fuzz the PCI bus of a PC: port and memory accesses, a few bytes each,
 * from a guest which means no good.  Configuration space through 0xcf8, the reset
 * register, PAM, BARs that move, MSI-X tables, power management.
 */
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/pcitoy.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"

#define RAM (2u << 20)
#define MAX_OPS 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint64_t toy_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct pcitoy *toy = (struct pcitoy *)dev;

	/* No BAR answers outside itself. */
	CHECK(offset + size <= 1 << 16);
	return msix_read(&toy->msix, offset, size);
}

static void toy_write(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value)
{
	struct pcitoy *toy = (struct pcitoy *)dev;

	CHECK(offset + size <= 1 << 16);
	msix_write(&toy->msix, offset, size, value);
}

static const struct region_ops toy_bar = { toy_read, toy_write, 8, 0 };

/* What must hold whatever the guest wrote. */
static void check(struct vm *vm, struct pcitoy *toy)
{
	static const struct { unsigned devfn; uint32_t id; } fixed[] = {
		{ I440FX_DEVFN, 0x12378086 }, { PIIX3_DEVFN, 0x70008086 },
		{ PIIX4_PM_DEVFN, 0x71138086 },
	};

	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(get_le32(pci_find(vm->pci, fixed[i].devfn)->config),
			 fixed[i].id);
	for (unsigned i = 0; i < PCI_N_BARS; i++) {
		const struct region *r = &toy->fn.bars[i].region;

		if (!r->ops || !r->on)
			continue;
		CHECK_EQ(r->base % r->len, 0);
		CHECK(r->base && r->base + r->len > r->base);
		CHECK(r->space != BUS_PIO || r->base + r->len <= 0x10000);
	}
}

static const uint16_t ports[16] = {
	0xcf8, 0xcf8, 0xcf8, 0xcfc, 0xcfc, 0xcfd, 0xcfe, 0xcff,
	0xcf9, 0xcfa, 0x600, 0x602, 0x604, 0x608, 0x60c, 0xc000,
};

/* An operation: 0 what, 1 size and place, 2 to 9 value. */
static void operate(struct vm *vm, struct pcitoy *toy, const uint8_t *op)
{
	unsigned size = 1u << (op[1] & 3), port = ports[op[1] >> 4];
	uint64_t value = get_le64(op + 2);
	uint64_t mem = PC_PCI_MEM + (value & 0x1ffff);

	switch (op[0] & 15) {
	case 0: case 1: case 2:
		bus_write(vm, BUS_PIO, port, size, value);
		break;
	case 3:
		bus_read(vm, BUS_PIO, port, size);
		break;
	case 4: case 5: case 6:
		/* The bus's devices: otherwise few addresses would hit. */
		bus_write(vm, BUS_PIO, 0xcf8, 4, 0x80000000 |
			  (value >> 32 & 0x1ffc));
		bus_write(vm, BUS_PIO, 0xcfc + (op[1] >> 2 & 3), size, value);
		break;
	case 7:
		bus_write(vm, BUS_MMIO, mem, size, value >> 17);
		break;
	case 8:
		bus_read(vm, BUS_MMIO, mem, size);
		break;
	case 9:
		bus_write(vm, BUS_MMIO, 0xc0000 + (value & 0x3ffff), size,
			  value >> 18);
		break;
	case 10:
		msix_notify(&toy->msix, op[1]);
		break;
	case 11:
		pci_set_intx(&toy->fn, op[1] & 1);
		break;
	case 12:
		fakevm_pass(vm, value >> 20);
		break;
	case 13:
		vm_lock(vm);
		acpi_power_button(vm);
		vm_unlock(vm);
		break;
	case 14:
		vm_lock(vm);
		pci_assign_resources(vm);
		vm_unlock(vm);
		break;
	case 15:
		pcitoy_reset(&toy->dev);
		break;
	}
	vm->request = VM_REQ_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vm *vm = fakevm_bare(RAM, 1);
	struct err e = { "" };
	struct pcitoy *toy;

	CHECK_OK(pci_bus_new(vm, &vm->pci, &e));
	CHECK_OK(acpi_pm_new(vm, &vm->acpi, &e));
	toy = pcitoy_new(vm, 5, false, &toy_bar, &toy_bar);
	vm_lock(vm);
	pci_assign_resources(vm);
	vm_unlock(vm);
	for (unsigned i = 0; i < MAX_OPS && len >= 10; i++) {
		operate(vm, toy, data);
		check(vm, toy);
		data += 10;
		len -= 10;
	}
	vm_free(vm);
	return 0;
}
