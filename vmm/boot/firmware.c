/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firmware.c - the fw_cfg items that SeaBIOS and OVMF look for (SeaBIOS's
 * docs/Runtime_config.md, QEMU's docs/specs/fw_cfg.rst).
 */
#include <errno.h>
#include <stdio.h>

#include "imgfmt/base/bytes.h"
#include "vmm/boot/firmware.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/chip/smbios.h"
#include "vmm/pc.h"
#include "vmm/virtio/blk.h"
#include "vmm/vm.h"

/* How long firmware waits, in ms, before it tries again when nothing boots: a
 * test of a broken disk wants to see the end.
 */
#define BOOT_FAIL_WAIT	1000u
#define SERIAL_CONSOLE	0x3f8u
#define BOOT_ORDER_MAX	4096u

static int add_e820(struct vm *vm)
{
	struct e820_entry map[PC_E820_MAX];
	uint8_t bytes[PC_E820_MAX * E820_ENTRY_SIZE];
	unsigned n = pc_e820(vm, map);

	for (unsigned i = 0; i < n; i++) {
		put_le64(bytes + i * E820_ENTRY_SIZE, map[i].addr);
		put_le64(bytes + i * E820_ENTRY_SIZE + 8, map[i].len);
		put_le32(bytes + i * E820_ENTRY_SIZE + 16, map[i].type);
	}
	return fwcfg_add_file(vm->fwcfg, "etc/e820", bytes,
			      n * E820_ENTRY_SIZE, false);
}

static int add_number(struct vm *vm, const char *name, unsigned size,
		      uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	return fwcfg_add_file(vm->fwcfg, name, bytes, size, false);
}

/* The disks in their order, a path a line, and nothing else; the 0 behind the
 * last counts.
 */
static int add_boot_order(struct vm *vm)
{
	char list[BOOT_ORDER_MAX], path[64];
	size_t len = 0;

	for (unsigned i = 0; blk_boot_path(vm, i, path, sizeof(path)); i++) {
		if (len + strlen(path) + sizeof("\nHALT") > sizeof(list))
			return -ENOSPC;
		len += (size_t)sprintf(list + len, "%s\n", path);
	}
	strcpy(list + len, "HALT");
	return fwcfg_add_file(vm->fwcfg, "bootorder", list, strlen(list) + 1,
			      false);
}

static int add_keys(struct vm *vm)
{
	unsigned cpus = vm->config.topology.cpus;
	uint32_t ids = cpu_apic_id(&vm->config.topology, cpus - 1) + 1;
	int rc;

	rc = fwcfg_set_u64(vm->fwcfg, FWCFG_RAM_SIZE, vm->mem.ram);
	if (!rc)
		rc = fwcfg_set_u16(vm->fwcfg, FWCFG_NB_CPUS, (uint16_t)cpus);
	/* One more than the highest APIC id. */
	if (!rc)
		rc = fwcfg_set_u16(vm->fwcfg, FWCFG_MAX_CPUS, (uint16_t)ids);
	if (!rc)
		rc = fwcfg_set_u16(vm->fwcfg, FWCFG_BOOT_MENU, 0);
	/* The timer is at the IOAPIC's pin 2. */
	if (!rc)
		rc = fwcfg_set(vm->fwcfg, FWCFG_IRQ0_OVERRIDE, "\1", 1);
	return rc;
}

int firmware_tell(struct vm *vm, struct err *e)
{
	int rc = add_keys(vm);

	if (!rc)
		rc = add_e820(vm);
	if (!rc)
		rc = add_boot_order(vm);
	if (!rc)
		rc = add_number(vm, "etc/boot-fail-wait", 4, BOOT_FAIL_WAIT);
	if (!rc)
		rc = add_number(vm, "etc/show-boot-menu", 2, 0);
	if (!rc && vm->n_serials)
		rc = add_number(vm, "etc/sercon-port", 2, SERIAL_CONSOLE);
	if (rc)
		return fail_rc(e, rc, "telling firmware of the machine");
	rc = acpi_add_files(vm, e);
	return rc ? rc : smbios_add_files(vm, e);
}
