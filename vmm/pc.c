/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pc.c - which chips a PC has and how they are wired (design.md, The machine;
 * facts/vmm.md 2), and what is in its memory when it starts.
 */
#include <stdlib.h>

#include "vmm/boot/boot.h"
#include "vmm/boot/firmware.h"
#include "vmm/boot/rom.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/board.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/chip/i8042.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci_host.h"
#include "vmm/chip/pic.h"
#include "vmm/chip/pit.h"
#include "vmm/chip/rtc.h"
#include "vmm/chip/smbios.h"
#include "vmm/chip/vga.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

#define VGABIOS_MAX	0x10000u	/* bytes at 0xc0000 and following */
/* Under this name SeaBIOS takes it for the PCI function's expansion ROM. */
#define VGABIOS_FILE	"pci1234,1111.rom"

static int add_vgabios(struct vm *vm, struct err *e)
{
	const char *path = vm->config.vgabios;
	size_t len = 0;
	void *rom = NULL;
	int rc;

	if (!path)
		return 0;
	rc = rom_read(path, VGABIOS_MAX, &rom, &len, e);
	if (rc)
		return rc;
	vga_keep_font(vm->vga, rom, len);
	rc = fwcfg_add_file(vm->fwcfg, VGABIOS_FILE, rom, len, false);
	free(rom);
	return rc ? fail_rc(e, rc, "%s", path) : 0;
}

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
		rc = i8042_new(vm, &vm->kbd, e);
	if (!rc)
		rc = port92_new(vm, e);
	if (!rc)
		rc = debugport_new(vm, e);
	if (!rc)
		rc = pci_bus_new(vm, &vm->pci, e);
	if (!rc)
		rc = acpi_pm_new(vm, &vm->acpi, e);
	if (!rc)
		rc = fwcfg_new(vm, &vm->fwcfg, e);
	if (!rc && vm->config.screen)
		rc = vga_new(vm, &vm->vga, e);
	if (!rc && vm->config.screen)
		rc = add_vgabios(vm, e);
	if (!rc && vm->config.test_devices)
		rc = testdev_new(vm, e);
	if (!rc && vm->config.boot.kernel)
		rc = boot_open(&vm->config.boot, &vm->boot, e);
	return rc;
}

/* What firmware does before a kernel runs, and the kernel. */
static int load_kernel(struct vm *vm, struct err *e)
{
	struct e820_entry map[PC_E820_MAX];
	struct boot_machine machine = {
		.map = map, .n_map = pc_e820(vm, map),
		.text_mode = vm->vga,
	};
	int rc;

	vm_lock(vm);
	pci_assign_resources(vm);
	if (vm->vga)
		vga_set_text_mode(vm->vga);
	vm_unlock(vm);
	rc = acpi_load_direct(vm, &machine.rsdp, e);
	if (!rc)
		rc = smbios_load_direct(vm, e);
	return rc ? rc : boot_load(vm->boot, vm, &machine, e);
}

int pc_load(struct vm *vm, struct err *e)
{
	int rc;

	if (!vm->fwcfg)
		return 0;	/* a machine without chips */
	rc = firmware_tell(vm, e);
	return rc || !vm->boot ? rc : load_kernel(vm, e);
}

void pc_fini(struct vm *vm)
{
	boot_close(vm->boot);
}
