/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_load.c - hand the ACPI tables over: as fw_cfg files with orders for
 * firmware (the table-loader of QEMU's hw/acpi/bios-linker-loader.c), or laid
 * into guest memory.
 *
 * An order has 128 bytes, little endian: 0 command, then
 *	allocate: 4 file, 60 alignment, 64 zone
 *	add pointer: 4 file, 60 target file, 116 offset, 120 size
 *	add checksum: 4 file, 60 offset, 64 start, 68 length
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/acpi_tables.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

#define ORDER_LEN	128u
#define ALLOCATE	1u
#define ADD_POINTER	2u
#define ADD_CHECKSUM	3u
#define ZONE_HIGH	1u
#define ZONE_FSEG	2u	/* where the RSDP is looked for */
#define MAX_ORDERS	(ACPI_N_FILES + 2 * ACPI_MAX_FIXUPS)

static const struct {
	const char *name;
	uint32_t align;
	uint8_t zone;
} files[ACPI_N_FILES] = {
	[ACPI_TABLES] = { "etc/acpi/tables", ACPI_TABLES_ALIGN, ZONE_HIGH },
	[ACPI_RSDP] = { "etc/acpi/rsdp", ACPI_RSDP_ALIGN, ZONE_FSEG },
	[ACPI_VMGENID] = { "etc/vmgenid_guid", ACPI_VMGENID_LEN, ZONE_HIGH },
};

/* Append an order for `file`. */
static uint8_t *order(struct aml *a, uint32_t command, enum acpi_file file)
{
	uint8_t bytes[ORDER_LEN] = { 0 };

	put_le32(bytes, command);
	strcpy((char *)bytes + 4, files[file].name);
	aml_bytes(a, bytes, sizeof(bytes));
	return a->failed ? NULL : a->data + a->len - ORDER_LEN;
}

static void make_orders(const struct acpi_set *s, struct aml *a)
{
	uint8_t *o;

	for (unsigned i = 0; i < ACPI_N_FILES; i++) {
		o = order(a, ALLOCATE, (enum acpi_file)i);
		if (!o)
			return;
		put_le32(o + 60, files[i].align);
		o[64] = files[i].zone;
	}
	for (unsigned i = 0; i < s->n_pointers; i++) {
		const struct acpi_pointer *p = &s->pointers[i];

		o = order(a, ADD_POINTER, p->file);
		if (!o)
			return;
		strcpy((char *)o + 60, files[p->target].name);
		put_le32(o + 116, p->at);
		o[120] = p->size;
	}
	for (unsigned i = 0; i < s->n_checksums; i++) {
		const struct acpi_checksum *c = &s->checksums[i];

		o = order(a, ADD_CHECKSUM, c->file);
		if (!o)
			return;
		put_le32(o + 60, c->at);
		put_le32(o + 64, c->start);
		put_le32(o + 68, c->len);
	}
}

int acpi_add_files(struct vm *vm, struct err *e)
{
	struct aml orders = { .data = NULL };
	struct acpi_set s;
	int rc = acpi_set_build(vm, &s);

	if (rc)
		return fail_rc(e, rc, "ACPI tables");
	make_orders(&s, &orders);
	for (unsigned i = 0; i < ACPI_N_FILES && !rc; i++)
		rc = fwcfg_add_file(vm->fwcfg, files[i].name, s.files[i].data,
				    s.files[i].len, false);
	if (!rc)
		rc = orders.failed ? -ENOMEM :
		     fwcfg_add_file(vm->fwcfg, "etc/table-loader", orders.data,
				    orders.len, false);
	free(orders.data);
	acpi_set_free(&s);
	return rc ? fail_rc(e, rc, "ACPI tables for firmware") : 0;
}

/* What firmware would do with the orders, the files being at `at`. */
static void link_files(struct acpi_set *s, const uint64_t at[ACPI_N_FILES])
{
	for (unsigned i = 0; i < s->n_pointers; i++) {
		const struct acpi_pointer *p = &s->pointers[i];
		uint8_t *field = s->files[p->file].data + p->at;

		if (p->size == 8)
			put_le64(field, get_le64(field) + at[p->target]);
		else
			put_le32(field, get_le32(field) +
				 (uint32_t)at[p->target]);
	}
	for (unsigned i = 0; i < s->n_checksums; i++) {
		const struct acpi_checksum *c = &s->checksums[i];
		uint8_t *bytes = s->files[c->file].data, sum = 0;

		for (uint32_t j = 0; j < c->len; j++)
			sum = (uint8_t)(sum + bytes[c->start + j]);
		bytes[c->at] = (uint8_t)-sum;
	}
}

int acpi_load_direct(struct vm *vm, uint64_t *rsdp, struct err *e)
{
	/* The RSDP, tables up to the last page, and the page. */
	const uint64_t at[ACPI_N_FILES] = {
		[ACPI_RSDP] = PC_ACPI_AREA,
		[ACPI_TABLES] = PC_ACPI_AREA + ACPI_TABLES_ALIGN,
		[ACPI_VMGENID] = PC_ACPI_AREA + PC_ACPI_LEN - ACPI_VMGENID_LEN,
	};
	struct acpi_set s;
	int rc = acpi_set_build(vm, &s);

	if (rc)
		return fail_rc(e, rc, "ACPI tables");
	if (s.files[ACPI_TABLES].len > at[ACPI_VMGENID] - at[ACPI_TABLES]) {
		rc = fail(e, E2BIG, "ACPI tables: %zu bytes, there is room for "
			  "%u: too many CPUs", s.files[ACPI_TABLES].len,
			  (unsigned)(at[ACPI_VMGENID] - at[ACPI_TABLES]));
		goto out;
	}
	link_files(&s, at);
	for (unsigned i = 0; i < ACPI_N_FILES && !rc; i++)
		rc = mem_write(vm, at[i], s.files[i].data, s.files[i].len);
	if (rc)
		rc = fail_rc(e, rc, "ACPI tables: no memory at 0x%x",
			     PC_ACPI_AREA);
	*rsdp = at[ACPI_RSDP];
out:
	acpi_set_free(&s);
	return rc;
}
