/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi.c - the ACPI tables with a fixed form (ACPI 6.4, 5.2): RSDP, RSDT, XSDT,
 * FADT (revision 3), FACS and MADT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/acpi_tables.h"
#include "vmm/chip/ioapic.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

#define HEADER_LEN	36u
#define LAPIC_BASE	0xfee00000u

/* Head: 0 signature, 4 length, 8 revision, 9 checksum, 10 OEM, 16 OEM's table,
 * 24 OEM's revision, 28 creator, 32 creator's revision
 */
size_t acpi_table_begin(struct acpi_set *s, const char *signature,
			unsigned revision)
{
	struct aml *a = &s->files[ACPI_TABLES];
	size_t start = a->len;
	uint8_t head[HEADER_LEN] = { 0 };

	memcpy(head, signature, 4);
	head[8] = (uint8_t)revision;
	memcpy(head + 10, "VMM   PC      ", 14);
	put_le32(head + 24, 1);
	memcpy(head + 28, "VMM ", 4);
	put_le32(head + 32, 1);
	aml_bytes(a, head, sizeof(head));
	return start;
}

static void add_checksum(struct acpi_set *s, enum acpi_file file, size_t at,
			 size_t start, size_t len)
{
	struct acpi_checksum *c = &s->checksums[s->n_checksums];

	if (s->n_checksums == ACPI_MAX_FIXUPS) {
		s->files[file].failed = true;
		return;
	}
	*c = (struct acpi_checksum){ file, (uint32_t)at, (uint32_t)start,
				     (uint32_t)len };
	s->n_checksums++;
}

void acpi_table_end(struct acpi_set *s, size_t start)
{
	struct aml *a = &s->files[ACPI_TABLES];

	if (a->failed)
		return;
	put_le32(a->data + start + 4, (uint32_t)(a->len - start));
	add_checksum(s, ACPI_TABLES, start + 9, start, a->len - start);
}

void acpi_point(struct acpi_set *s, enum acpi_file file, size_t at,
		unsigned size, enum acpi_file target)
{
	struct acpi_pointer *p = &s->pointers[s->n_pointers];

	if (s->n_pointers == ACPI_MAX_FIXUPS) {
		s->files[file].failed = true;
		return;
	}
	*p = (struct acpi_pointer){ file, target, (uint32_t)at, (uint8_t)size };
	s->n_pointers++;
}

/* A pointer to a table: its offset until it is loaded. */
static void put_pointer(struct acpi_set *s, uint8_t *field, enum acpi_file file,
			size_t at, unsigned size, size_t offset)
{
	if (size == 8)
		put_le64(field, offset);
	else
		put_le32(field, (uint32_t)offset);
	acpi_point(s, file, at, size, ACPI_TABLES);
}

/* Firmware's control structure: 0 "FACS", 4 length, 32 version */
static size_t facs(struct acpi_set *s)
{
	struct aml *a = &s->files[ACPI_TABLES];
	uint8_t t[64] = "FACS";
	size_t start = a->len;

	put_le32(t + 4, sizeof(t));
	t[32] = 1;
	aml_bytes(a, t, sizeof(t));
	return start;
}

/* Generic address of a port: 0 space (1: I/O), 1 bits, 3 access, 4 address */
static void put_port(uint8_t *gas, unsigned bits, unsigned port)
{
	gas[0] = 1;
	gas[1] = (uint8_t)bits;
	gas[3] = bits == 8 ? 1 : bits == 16 ? 2 : 3;
	put_le64(gas + 4, port);
}

/* FADT flags: WBINVD, C1 works, no sleep button, the RTC's wake is not in PM1,
 * TMR_VAL_EXT, RESET_REG_SUP.
 */
#define FADT_FLAGS	(1u << 0 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 8 | \
			 1u << 10)
/* There are devices on ISA, an i8042, and no VGA. */
#define BOOT_ARCH	(1u << 0 | 1u << 1 | 1u << 2)

/* 5.2.9; SMI_CMD 0: ACPI is always on. */
static size_t fadt(struct acpi_set *s, size_t facs_at, size_t dsdt_at)
{
	struct aml *a = &s->files[ACPI_TABLES];
	size_t start = acpi_table_begin(s, "FACP", 3);
	uint8_t all[244] = { 0 }, *t = all;

	put_pointer(s, t + 36, ACPI_TABLES, start + 36, 4, facs_at);
	put_pointer(s, t + 40, ACPI_TABLES, start + 40, 4, dsdt_at);
	put_le16(t + 46, PC_SCI);
	put_le32(t + 56, PC_PM_BASE + ACPI_PM1_STS);
	put_le32(t + 64, PC_PM_BASE + ACPI_PM1_CNT);
	put_le32(t + 76, PC_PM_BASE + ACPI_PM_TMR);
	put_le32(t + 80, PC_PM_BASE + ACPI_GPE0);
	t[88] = 4;
	t[89] = 2;
	t[91] = 4;
	t[92] = 4;
	put_le16(t + 96, 0xfff);	/* no C2, no C3 */
	put_le16(t + 98, 0xfff);
	t[108] = 0x32;			/* century, in CMOS */
	put_le16(t + 109, BOOT_ARCH);
	put_le32(t + 112, FADT_FLAGS);
	put_port(t + 116, 8, 0xcf9);
	t[128] = 0x06;			/* what resets there */
	put_pointer(s, t + 140, ACPI_TABLES, start + 140, 8, dsdt_at);
	put_port(t + 148, 32, PC_PM_BASE + ACPI_PM1_STS);
	put_port(t + 172, 16, PC_PM_BASE + ACPI_PM1_CNT);
	put_port(t + 208, 32, PC_PM_BASE + ACPI_PM_TMR);
	put_port(t + 220, 32, PC_PM_BASE + ACPI_GPE0);
	aml_bytes(a, t + HEADER_LEN, sizeof(all) - HEADER_LEN);
	acpi_table_end(s, start);
	return start;
}

/* MADT entries (5.2.12): 0 type, 1 length. */

#define MAX_XAPIC_ID	254u

static void madt_cpu(struct aml *a, unsigned uid, uint32_t apic_id)
{
	uint8_t lapic[8] = { 0, 8, (uint8_t)uid, (uint8_t)apic_id };
	uint8_t x2apic[16] = { 9, 16 };

	if (apic_id <= MAX_XAPIC_ID && uid <= MAX_XAPIC_ID) {
		put_le32(lapic + 4, 1);
		aml_bytes(a, lapic, sizeof(lapic));
	} else {
		put_le32(x2apic + 4, apic_id);
		put_le32(x2apic + 8, 1);
		put_le32(x2apic + 12, uid);
		aml_bytes(a, x2apic, sizeof(x2apic));
	}
}

/* Flags: polarity 1 (high), trigger 1 (edge) or 3 (level), 0 as the bus. */
#define AS_BUS		0x0u
#define LEVEL_HIGH	0xdu

static void madt_override(struct aml *a, unsigned irq, unsigned gsi,
			  unsigned flags)
{
	uint8_t t[10] = { 2, 10, 0, (uint8_t)irq };

	put_le32(t + 4, gsi);
	put_le16(t + 8, (uint16_t)flags);
	aml_bytes(a, t, sizeof(t));
}

/* ISA's interrupts but the timer's are where they are; those that PCI's links
 * or ACPI may have are level-triggered.
 */
static void madt_overrides(struct aml *a)
{
	static const uint8_t levels[] = { 5, PC_SCI, PC_PIRQ_A, PC_PIRQ_B };

	madt_override(a, 0, 2, AS_BUS);
	for (unsigned i = 0; i < sizeof(levels); i++)
		madt_override(a, levels[i], levels[i], LEVEL_HIGH);
}

static size_t madt(const struct vm *vm, struct acpi_set *s)
{
	const struct cpu_topology *topology = &vm->config.topology;
	struct aml *a = &s->files[ACPI_TABLES];
	size_t start = acpi_table_begin(s, "APIC", 3);
	uint8_t head[8] = { 0 }, ioapic[12] = { 1, 12 };
	/* All CPUs' LINT1 is NMI. */
	static const uint8_t nmi[6] = { 4, 6, 0xff, 0, 0, 1 };
	static const uint8_t x2nmi[12] = { 10, 12, 0, 0, 0xff, 0xff, 0xff, 0xff,
					   1 };
	uint32_t top = 0;

	put_le32(head, LAPIC_BASE);
	put_le32(head + 4, 1);		/* an 8259 pair, too */
	aml_bytes(a, head, sizeof(head));
	for (unsigned i = 0; i < topology->cpus; i++) {
		uint32_t id = cpu_apic_id(topology, i);

		madt_cpu(a, i, id);
		top = id > top ? id : top;
	}
	/* An id of its own, where 8 bits have one left. */
	ioapic[2] = top < MAX_XAPIC_ID ? (uint8_t)(top + 1) : 0;
	put_le32(ioapic + 4, IOAPIC_BASE);
	aml_bytes(a, ioapic, sizeof(ioapic));
	madt_overrides(a);
	aml_bytes(a, nmi, sizeof(nmi));
	if (top > MAX_XAPIC_ID)
		aml_bytes(a, x2nmi, sizeof(x2nmi));
	acpi_table_end(s, start);
	return start;
}

/* RSDT and XSDT: addresses of tables, 4 or 8 bytes each */
static size_t root_table(struct acpi_set *s, const char *signature,
			 unsigned size, const size_t *tables, unsigned n)
{
	struct aml *a = &s->files[ACPI_TABLES];
	size_t start = acpi_table_begin(s, signature, 1);

	for (unsigned i = 0; i < n; i++) {
		uint8_t field[8];

		put_pointer(s, field, ACPI_TABLES, a->len, size, tables[i]);
		aml_bytes(a, field, size);
	}
	acpi_table_end(s, start);
	return start;
}

/* 0 "RSD PTR ", 8 checksum of 20 bytes, 9 OEM, 15 revision, 16 RSDT, 20 length,
 * 24 XSDT, 32 checksum of all
 */
static void rsdp(struct acpi_set *s, size_t rsdt, size_t xsdt)
{
	uint8_t t[36] = "RSD PTR ";

	memcpy(t + 9, "VMM   ", 6);
	t[15] = 2;
	put_pointer(s, t + 16, ACPI_RSDP, 16, 4, rsdt);
	put_le32(t + 20, sizeof(t));
	put_pointer(s, t + 24, ACPI_RSDP, 24, 8, xsdt);
	aml_bytes(&s->files[ACPI_RSDP], t, sizeof(t));
	add_checksum(s, ACPI_RSDP, 8, 0, 20);
	add_checksum(s, ACPI_RSDP, 32, 0, sizeof(t));
}

static void generation_page(const struct vm *vm, struct acpi_set *s)
{
	uint8_t page[ACPI_VMGENID_LEN] = { 0 };

	memcpy(page + ACPI_VMGENID_AT, acpi_generation(vm),
	       ACPI_GENERATION_LEN);
	aml_bytes(&s->files[ACPI_VMGENID], page, sizeof(page));
}

int acpi_set_build(const struct vm *vm, struct acpi_set *s)
{
	size_t facs_at, dsdt_at, tables[2], rsdt, xsdt;
	bool failed = false;

	memset(s, 0, sizeof(*s));
	facs_at = facs(s);
	dsdt_at = s->files[ACPI_TABLES].len;
	acpi_dsdt(vm, s);
	tables[0] = fadt(s, facs_at, dsdt_at);
	tables[1] = madt(vm, s);
	rsdt = root_table(s, "RSDT", 4, tables, 2);
	xsdt = root_table(s, "XSDT", 8, tables, 2);
	rsdp(s, rsdt, xsdt);
	generation_page(vm, s);
	for (unsigned i = 0; i < ACPI_N_FILES; i++)
		failed = failed || s->files[i].failed;
	if (!failed)
		return 0;
	acpi_set_free(s);
	return -ENOMEM;
}

void acpi_set_free(struct acpi_set *s)
{
	for (unsigned i = 0; i < ACPI_N_FILES; i++)
		free(s->files[i].data);
	memset(s, 0, sizeof(*s));
}
