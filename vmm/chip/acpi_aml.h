/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_aml.h - write ACPI's byte code (ACPI 6.4, chapter 20) and resource
 * descriptors (6.4).
 *
 * Terms are appended one after the other, in the order of the grammar; those
 * with a length are opened and closed.  Out of memory is remembered: see
 * `failed` at the end.  No threads.
 */
#ifndef CHIP_ACPI_AML_H
#define CHIP_ACPI_AML_H

#include "imgfmt/base/base.h"

#define AML_MAX_DEPTH 16u

/* Zero it first; free(data) afterwards. */
struct aml {
	uint8_t *data;
	size_t len, cap;
	bool failed;
	unsigned depth;
	struct {
		size_t at;		/* where the length goes */
		bool is_buffer;		/* resources: a buffer's size too */
	} open[AML_MAX_DEPTH];
};

void aml_bytes(struct aml *a, const void *bytes, size_t len);
void aml_byte(struct aml *a, unsigned byte);

/* Data objects.  Names are "\\_SB", "_HID", "^PRQ0", "ISA.PRQ0". */
void aml_path(struct aml *a, const char *name);
void aml_int(struct aml *a, uint64_t value);
void aml_string(struct aml *a, const char *text);
void aml_eisa_id(struct aml *a, const char *id);	/* "PNP0A03" */

/* Name (name, ...): the object follows. */
void aml_name(struct aml *a, const char *name);
void aml_name_int(struct aml *a, const char *name, uint64_t value);

/* Each of these is closed with aml_close(). */
void aml_scope(struct aml *a, const char *name);
void aml_device(struct aml *a, const char *name);
void aml_method(struct aml *a, const char *name, unsigned args);
void aml_package(struct aml *a, unsigned elements);
void aml_if(struct aml *a);			/* the predicate follows */
void aml_field(struct aml *a, const char *region);	/* bytes */
void aml_resources(struct aml *a);		/* a ResourceTemplate() */
void aml_close(struct aml *a);

/* Device (name) with _HID (an EISA id, or a string) and _UID; closed by
 * aml_close().
 */
void aml_hid_device(struct aml *a, const char *name, const char *hid,
		    unsigned uid);

/* Terms with operands. */
#define AML_ARG0	0x68u
#define AML_LOCAL0	0x60u
#define AML_STORE	0x70u	/* source, target */
#define AML_AND		0x7bu	/* two operands, target */
#define AML_OR		0x7du
#define AML_INDEX	0x88u	/* package, index, target */
#define AML_DWORD_FIELD	0x8au	/* CreateDWordField: buffer, byte, name */
#define AML_RETURN	0xa4u
#define AML_NO_TARGET	0x00u
void aml_region(struct aml *a, const char *name, unsigned space,
		unsigned offset, unsigned len);	/* OperationRegion */
void aml_field_unit(struct aml *a, const char *name, unsigned bits);

#define AML_PCI_CONFIG 2u

/* Resource descriptors, inside aml_resources(). */
enum aml_space { AML_MEMORY, AML_IO, AML_BUS };

void aml_res_irq(struct aml *a, unsigned irq);	/* ISA: edge, high */
void aml_res_io(struct aml *a, unsigned port, unsigned len);
void aml_res_memory(struct aml *a, uint32_t base, uint32_t len);
/* Level, active high; `shared` or exclusive. */
void aml_res_interrupts(struct aml *a, bool shared, const uint32_t *gsis,
			unsigned n);
/* A window that a bridge passes on; `width` in bytes: 2, 4 or 8. */
void aml_res_window(struct aml *a, unsigned width, enum aml_space space,
		    uint64_t first, uint64_t last);

#endif
