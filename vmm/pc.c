/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pc.c - which chips a PC has and how they are wired (design.md, The machine;
 * facts/vmm.md 2), and what is in its memory when it starts.
 */
#include "vmm/boot/boot.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/board.h"
#include "vmm/chip/i8042.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci_host.h"
#include "vmm/chip/pic.h"
#include "vmm/chip/pit.h"
#include "vmm/chip/rtc.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

int pc_init(struct vm *vm, struct err *e)
{
	int rc = pic_new(vm, &vm->pic, e);

	if (!rc)
		rc = ioapic_new(vm, &vm->ioapic, e);
	if (!rc)
		rc = pit_new(vm, e);
	if (!rc)
		rc = rtc_new(vm, e);
	if (!rc)
		rc = i8042_new(vm, NULL, e);
	if (!rc)
		rc = port92_new(vm, e);
	if (!rc)
		rc = debugport_new(vm, e);
	if (!rc)
		rc = pci_bus_new(vm, &vm->pci, e);
	if (!rc)
		rc = acpi_pm_new(vm, &vm->acpi, e);
	if (!rc && vm->config.test_devices)
		rc = testdev_new(vm, e);
	if (!rc && vm->config.boot.kernel)
		rc = boot_open(&vm->config.boot, &vm->boot, e);
	return rc;
}

int pc_load(struct vm *vm, struct err *e)
{
	struct e820_entry map[PC_E820_MAX];
	struct boot_machine machine = {
		.map = map, .n_map = pc_e820(vm, map),
	};

	return vm->boot ? boot_load(vm->boot, vm, &machine, e) : 0;
}

void pc_fini(struct vm *vm)
{
	boot_close(vm->boot);
}
