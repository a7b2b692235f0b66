/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_resource.c - resource descriptors in byte code (ACPI 6.4, 6.4). */
#include "imgfmt/base/bytes.h"
#include "vmm/chip/acpi_aml.h"

#define RES_IRQ		0x22u	/* two bytes follow: edge, high, exclusive */
#define RES_IO		0x47u
#define RES_MEMORY32	0x86u
#define RES_DWORD	0x87u
#define RES_WORD	0x88u
#define RES_INTERRUPT	0x89u
#define RES_QWORD	0x8au

#define IO_DECODE16	0x01u
#define INT_CONSUMER	0x01u	/* level and high are 0 */
#define INT_SHARED	0x08u
#define WINDOW_FIXED	0x0cu	/* minimum and maximum; positive decode, producer */
#define MEM_WRITABLE	0x01u
#define MEM_CACHEABLE	0x02u
#define IO_ENTIRE_RANGE	0x03u

void aml_res_irq(struct aml *a, unsigned irq)
{
	uint8_t d[3] = { RES_IRQ };

	put_le16(d + 1, (uint16_t)(1u << irq));
	aml_bytes(a, d, sizeof(d));
}

void aml_res_io(struct aml *a, unsigned port, unsigned len)
{
	uint8_t d[8] = { RES_IO, IO_DECODE16 };

	put_le16(d + 2, (uint16_t)port);
	put_le16(d + 4, (uint16_t)port);
	d[6] = 1;		/* alignment */
	d[7] = (uint8_t)len;
	aml_bytes(a, d, sizeof(d));
}

void aml_res_memory(struct aml *a, uint32_t base, uint32_t len)
{
	uint8_t d[12] = { RES_MEMORY32 };

	put_le16(d + 1, sizeof(d) - 3);
	d[3] = MEM_WRITABLE;
	put_le32(d + 4, base);
	put_le32(d + 8, len);
	aml_bytes(a, d, sizeof(d));
}

void aml_res_interrupts(struct aml *a, bool shared, const uint32_t *gsis,
			unsigned n)
{
	uint8_t d[5] = { RES_INTERRUPT }, gsi[4];

	put_le16(d + 1, (uint16_t)(2 + 4 * n));
	d[3] = INT_CONSUMER | (shared ? INT_SHARED : 0);
	d[4] = (uint8_t)n;
	aml_bytes(a, d, sizeof(d));
	for (unsigned i = 0; i < n; i++) {
		put_le32(gsi, gsis[i]);
		aml_bytes(a, gsi, sizeof(gsi));
	}
}

void aml_res_window(struct aml *a, unsigned width, enum aml_space space,
		    uint64_t first, uint64_t last)
{
	/* granularity, minimum, maximum, translation, length */
	uint64_t values[5] = { 0, first, last, 0, last - first + 1 };
	uint8_t head[6], value[8];

	head[0] = width == 2 ? RES_WORD : width == 4 ? RES_DWORD : RES_QWORD;
	put_le16(head + 1, (uint16_t)(3 + 5 * width));
	head[3] = (uint8_t)space;
	head[4] = WINDOW_FIXED;
	head[5] = space == AML_MEMORY ? MEM_WRITABLE :
		  space == AML_IO ? IO_ENTIRE_RANGE : 0;
	/* VGA's, and what prefetches, may be cached; the rest not. */
	if (space == AML_MEMORY && (first < 0x100000 || width == 8))
		head[5] |= MEM_CACHEABLE;
	aml_bytes(a, head, sizeof(head));
	for (unsigned i = 0; i < 5; i++) {
		put_le64(value, values[i]);
		aml_bytes(a, value, width);
	}
}
