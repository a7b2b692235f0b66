/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_dsdt.c - the DSDT: what is on the board, in byte code (ACPI 6.4, 5.2.11.1
 * and chapters 5 to 9; PCI Firmware 3.0, 4).
 *
 * Each function writes what the ASL in the comment at its head means.
 */
#include <stdio.h>

#include "vmm/chip/acpi.h"
#include "vmm/chip/acpi_tables.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

#define N_SLOTS		32u
#define STA_OFF		0x09u	/* present, not enabled, works */
#define STA_ON		0x0bu
#define DWORD_PREFIX	0x0cu

static void hid(struct aml *a, const char *id)
{
	aml_name(a, "_HID");
	aml_eisa_id(a, id);
}

/* Name (_CRS, ResourceTemplate () { ... */
static void crs(struct aml *a)
{
	aml_name(a, "_CRS");
	aml_resources(a);
}

/* Device (name) { Name (_HID, id) Name (_CRS, ...) }: ports and an ISA
 * interrupt, each if there is one.
 */
struct isa_device {
	const char *name, *id;
	unsigned irq;
	struct { uint16_t port, len; } io[5];
};

#define NO_IRQ 16u

static void isa_device(struct aml *a, const struct isa_device *d, unsigned uid)
{
	aml_hid_device(a, d->name, d->id, uid);
	crs(a);
	for (unsigned i = 0; i < 5 && d->io[i].len; i++)
		aml_res_io(a, d->io[i].port, d->io[i].len);
	if (d->irq != NO_IRQ)
		aml_res_irq(a, d->irq);
	aml_close(a);
	aml_close(a);
}

static void isa_devices(const struct vm *vm, struct aml *a)
{
	static const struct isa_device serials[] = {
		{ "COM1", "PNP0501", 4, { { 0x3f8, 8 } } },
		{ "COM2", "PNP0501", 3, { { 0x2f8, 8 } } },
		{ "COM3", "PNP0501", 4, { { 0x3e8, 8 } } },
		{ "COM4", "PNP0501", 3, { { 0x2e8, 8 } } },
	};
	static const struct isa_device fixed[] = {
		{ "PIC", "PNP0000", 2, { { 0x20, 2 }, { 0xa0, 2 },
					 { 0x4d0, 2 } } },
		{ "PIT", "PNP0100", 0, { { 0x40, 4 } } },
		{ "SPKR", "PNP0800", NO_IRQ, { { 0x61, 1 } } },
		{ "RTC", "PNP0B00", 8, { { 0x70, 2 } } },
		{ "KBD", "PNP0303", 1, { { 0x60, 1 }, { 0x64, 1 } } },
		{ "PMIO", "PNP0C02", NO_IRQ, { { PC_PM_BASE, ACPI_PM_LEN },
			{ PC_SMB_BASE, 16 }, { 0x80, 1 }, { 0x92, 1 } } },
	};

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		isa_device(a, &fixed[i], 0);
	for (unsigned i = 0; i < vm->n_serials && i < 4; i++)
		isa_device(a, &serials[i], i + 1);
}

/* Device (LNKn): the PIIX3's register of PIRQn says which line it is.
 *	Method (_STA) { If (And (PRQn, 0x80)) { Return (9) } Return (0x0b) }
 *	Method (_DIS) { Or (PRQn, 0x80, PRQn) }
 *	Method (_CRS) {
 *		Store (ResourceTemplate () { Interrupt (...) { 0 } }, Local0)
 *		CreateDWordField (Local0, 5, IRQ)
 *		And (PRQn, 0x8f, IRQ) If (And (IRQ, 0x80)) { Store (Zero, IRQ) }
 *		Return (Local0) }
 *	Method (_SRS, 1) { CreateDWordField (Arg0, 5, IRQ) Store (IRQ, PRQn) }
 */
static void link_device(struct aml *a, unsigned n)
{
	static const uint32_t choices[] = { 5, PC_PIRQ_A, PC_PIRQ_B }, none = 0;
	char name[5] = "LNKA", reg[16] = "PRQA";

	name[3] = (char)('A' + n);
	reg[3] = name[3];
	aml_hid_device(a, name, "PNP0C0F", n + 1);
	aml_name(a, "_PRS");
	aml_resources(a);
	aml_res_interrupts(a, true, choices, 3);
	aml_close(a);

	aml_method(a, "_STA", 0);
	aml_if(a);
	aml_byte(a, AML_AND);
	aml_path(a, reg);
	aml_int(a, PIIX3_PIRQ_OFF);
	aml_byte(a, AML_NO_TARGET);
	aml_byte(a, AML_RETURN);
	aml_int(a, STA_OFF);
	aml_close(a);
	aml_byte(a, AML_RETURN);
	aml_int(a, STA_ON);
	aml_close(a);

	aml_method(a, "_DIS", 0);
	aml_byte(a, AML_OR);
	aml_path(a, reg);
	aml_int(a, PIIX3_PIRQ_OFF);
	aml_path(a, reg);
	aml_close(a);

	aml_method(a, "_CRS", 0);
	aml_byte(a, AML_STORE);
	aml_resources(a);
	aml_res_interrupts(a, true, &none, 1);
	aml_close(a);
	aml_byte(a, AML_LOCAL0);
	aml_byte(a, AML_DWORD_FIELD);
	aml_byte(a, AML_LOCAL0);
	aml_int(a, 5);
	aml_path(a, "IRQ");
	aml_byte(a, AML_AND);
	aml_path(a, reg);
	aml_int(a, PIIX3_PIRQ_OFF | 0x0f);
	aml_path(a, "IRQ");
	aml_if(a);
	aml_byte(a, AML_AND);
	aml_path(a, "IRQ");
	aml_int(a, PIIX3_PIRQ_OFF);
	aml_byte(a, AML_NO_TARGET);
	aml_byte(a, AML_STORE);
	aml_int(a, 0);
	aml_path(a, "IRQ");
	aml_close(a);
	aml_byte(a, AML_RETURN);
	aml_byte(a, AML_LOCAL0);
	aml_close(a);

	aml_method(a, "_SRS", 1);
	aml_byte(a, AML_DWORD_FIELD);
	aml_byte(a, AML_ARG0);
	aml_int(a, 5);
	aml_path(a, "IRQ");
	aml_byte(a, AML_STORE);
	aml_path(a, "IRQ");
	aml_path(a, reg);
	aml_close(a);

	aml_close(a);
}

/* Device (ISA) { Name (_ADR, 0x00010000)
 *	OperationRegion (PRQ, PCI_Config, 0x60, 4) Field (PRQ) { PRQA, 8, ... }
 */
static void isa_bridge(const struct vm *vm, struct aml *a)
{
	char reg[5] = "PRQA";

	aml_device(a, "ISA");
	aml_name_int(a, "_ADR", PIIX3_DEVFN >> 3 << 16 | (PIIX3_DEVFN & 7));
	aml_region(a, "PRQ", AML_PCI_CONFIG, PIIX3_PIRQ_ROUTE, PCI_N_PIRQS);
	aml_field(a, "PRQ");
	for (unsigned i = 0; i < PCI_N_PIRQS; i++, reg[3]++)
		aml_field_unit(a, reg, 8);
	aml_close(a);
	for (unsigned i = 0; i < PCI_N_PIRQS; i++)
		link_device(a, i);
	isa_devices(vm, a);
	aml_close(a);
}

/* Name (_PRT, Package () { Package () { slot << 16 | 0xffff, pin, LNKn, 0 } */
static void interrupt_routing(struct aml *a)
{
	char link[16] = "ISA.LNKA";

	aml_name(a, "_PRT");
	aml_package(a, N_SLOTS * 4);
	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		for (unsigned pin = 1; pin <= 4; pin++) {
			link[7] = (char)('A' + pci_pirq(PCI_DEVFN(slot, 0),
							pin));
			aml_package(a, 4);
			aml_int(a, slot << 16 | 0xffff);
			aml_int(a, pin - 1);
			aml_path(a, link);
			aml_int(a, 0);
			aml_close(a);
		}
	}
	aml_close(a);
}

/* Firmware of PCs with an i440FX puts memory BARs from here. */
static uint32_t pci_memory_start(const struct vm *vm)
{
	if (vm->mem.low <= 0x80000000)
		return 0x80000000;
	return vm->mem.low <= 0xb0000000 ? 0xb0000000 : PC_PCI_MEM;
}

static void pci_root(const struct vm *vm, struct aml *a)
{
	uint64_t high = pc_pci_mem64(vm);

	aml_device(a, "PCI0");
	hid(a, "PNP0A03");
	aml_name_int(a, "_UID", 0);
	crs(a);
	aml_res_window(a, 2, AML_BUS, 0, 0xff);
	aml_res_io(a, 0xcf8, 8);
	aml_res_window(a, 2, AML_IO, 0, 0xcf7);
	aml_res_window(a, 2, AML_IO, 0xd00, 0xffff);
	aml_res_window(a, 4, AML_MEMORY, 0xa0000, 0xbffff);
	aml_res_window(a, 4, AML_MEMORY, pci_memory_start(vm),
		       PC_PCI_MEM_END - 1);
	aml_res_window(a, 8, AML_MEMORY, high, high + PC_PCI_MEM64_LEN - 1);
	aml_close(a);
	isa_bridge(vm, a);
	interrupt_routing(a);
	aml_close(a);
}

/* Device (Cnnn) { Name (_HID, "ACPI0007") Name (_UID, n) } */
static void processors(const struct vm *vm, struct aml *a)
{
	char name[16];

	for (unsigned i = 0; i < vm->config.topology.cpus; i++) {
		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		aml_hid_device(a, name, "ACPI0007", i);
		aml_close(a);
	}
}

static void virtio_mmio(const struct vm *vm, struct aml *a)
{
	char name[16];

	for (unsigned i = 0; i < vm->n_mmio && i < PC_MMIO_MAX; i++) {
		uint32_t gsi = PC_MMIO_GSI + i;

		snprintf(name, sizeof(name), "VR%02X", i);
		aml_hid_device(a, name, "LNRO0005", i);
		aml_name_int(a, "_CCA", 1);
		crs(a);
		aml_res_memory(a, PC_MMIO_BASE + i * PC_MMIO_LEN, PC_MMIO_LEN);
		aml_res_interrupts(a, false, &gsi, 1);
		aml_close(a);
		aml_close(a);
	}
}

/* Name (VGIA, address), below 4 GiB: the loader adds where the page is.  Nothing
 * may be open around it, whose length would move it.
 */
static void generation_address(struct acpi_set *s)
{
	struct aml *a = &s->files[ACPI_TABLES];
	static const uint8_t at[4] = { ACPI_VMGENID_AT };

	aml_name(a, "\\VGIA");
	aml_byte(a, DWORD_PREFIX);
	acpi_point(s, ACPI_TABLES, a->len, sizeof(at), ACPI_VMGENID);
	aml_bytes(a, at, sizeof(at));
}

/* Device (VGEN):
 *	Method (ADDR) { Store (Package () { 0, 0 }, Local0)
 *		Store (VGIA, Index (Local0, 0)) Return (Local0) }
 */
static void generation_id(struct aml *a)
{
	aml_hid_device(a, "VGEN", "QEMUVGID", 0);
	aml_name(a, "_CID");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "_DDN");
	aml_string(a, "VM_Gen_Counter");
	aml_method(a, "ADDR", 0);
	aml_byte(a, AML_STORE);
	aml_package(a, 2);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_close(a);
	aml_byte(a, AML_LOCAL0);
	aml_byte(a, AML_STORE);
	aml_path(a, "\\VGIA");
	aml_byte(a, AML_INDEX);
	aml_byte(a, AML_LOCAL0);
	aml_int(a, 0);
	aml_byte(a, AML_NO_TARGET);
	aml_byte(a, AML_RETURN);
	aml_byte(a, AML_LOCAL0);
	aml_close(a);
	aml_close(a);
}

/* Controllers which are nobody's children, and fw_cfg. */
static void system_devices(struct aml *a)
{
	aml_hid_device(a, "APIC", "PNP0003", 0);
	crs(a);
	aml_res_memory(a, IOAPIC_BASE, 0x1000);
	aml_close(a);
	aml_close(a);
	aml_hid_device(a, "FWCF", "QEMU0002", 0);
	aml_name_int(a, "_STA", STA_ON);
	crs(a);
	aml_res_io(a, 0x510, 12);
	aml_close(a);
	aml_close(a);
}

/* Name (_S5, Package () { type, type, 0, 0 }) */
static void sleep_states(struct aml *a)
{
	aml_name(a, "\\_S5");
	aml_package(a, 4);
	aml_int(a, ACPI_S5_TYPE);
	aml_int(a, ACPI_S5_TYPE);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_close(a);
}

void acpi_dsdt(const struct vm *vm, struct acpi_set *s)
{
	struct aml *a = &s->files[ACPI_TABLES];
	size_t start = acpi_table_begin(s, "DSDT", 2);

	generation_address(s);
	sleep_states(a);
	aml_scope(a, "\\_SB");
	pci_root(vm, a);
	system_devices(a);
	generation_id(a);
	virtio_mmio(vm, a);
	processors(vm, a);
	aml_close(a);
	acpi_table_end(s, start);
}
