/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_tables.h - the ACPI tables as files that are not yet at their addresses:
 * who loads them puts each file somewhere, adds addresses to pointers, and makes
 * the checksums.
 */
#ifndef CHIP_ACPI_TABLES_H
#define CHIP_ACPI_TABLES_H

#include "vmm/chip/acpi_aml.h"

struct vm;

enum acpi_file { ACPI_TABLES, ACPI_RSDP, ACPI_VMGENID, ACPI_N_FILES };

/* The little-endian number of `size` bytes at `at` in `file` is an offset into
 * `target`; add the address of that.
 */
struct acpi_pointer {
	enum acpi_file file, target;
	uint32_t at;
	uint8_t size;
};

/* The byte at `at` (0 now) makes the sum of [start, start + len) zero. */
struct acpi_checksum {
	enum acpi_file file;
	uint32_t at, start, len;
};

#define ACPI_MAX_FIXUPS 16u

/* How each file must lie. */
#define ACPI_TABLES_ALIGN	64u	/* the FACS, at its start */
#define ACPI_RSDP_ALIGN		16u
#define ACPI_VMGENID_LEN	4096u	/* a page of its own */

/* The identifier lies behind what a table's head would be, so that nobody
 * takes the page for a table.
 */
#define ACPI_VMGENID_AT		40u

struct acpi_set {
	struct aml files[ACPI_N_FILES];
	struct acpi_pointer pointers[ACPI_MAX_FIXUPS];
	struct acpi_checksum checksums[ACPI_MAX_FIXUPS];
	unsigned n_pointers, n_checksums;
};

/* Begin and end a table (ACPI 6.4, 5.2.6) in ACPI_TABLES. */
size_t acpi_table_begin(struct acpi_set *s, const char *signature,
			unsigned revision);
void acpi_table_end(struct acpi_set *s, size_t start);
void acpi_point(struct acpi_set *s, enum acpi_file file, size_t at,
		unsigned size, enum acpi_file target);

/* The tables of this machine: acpi_set_free() them.  -ENOMEM. */
int acpi_set_build(const struct vm *vm, struct acpi_set *s);
void acpi_set_free(struct acpi_set *s);

/* The DSDT alone, which acpi_set_build() calls. */
void acpi_dsdt(const struct vm *vm, struct acpi_set *s);

#endif
