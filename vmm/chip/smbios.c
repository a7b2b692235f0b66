/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smbios.c - what the machine says of itself: the SMBIOS tables (DMTF DSP0134
 * 2.8).  Types 0, 1, 3, 4, 16, 17, 19, 32 and 127.
 *
 * A structure: 0 type, 1 length, 2 handle, then its fields, then its strings,
 * which fields name by number from 1, each with a 0, and another 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/chip/smbios.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

#define MAKER		"vmm"
#define PRODUCT		"PC (i440FX + PIIX)"

/* Handles: a type's first, and the next. */
#define HANDLE(type, n)	(((unsigned)(type) << 8) + (n))

/* Memory is shown as modules of at most this. */
#define DIMM_MAX	(16ull << 30)
#define MAX_DIMMS	64u

#define UNKNOWN		2u	/* for most of the enumerations */

struct tables {
	uint8_t *data;
	size_t len, cap;
	unsigned n, largest;
	bool failed;
};

/* Append a structure of `len` bytes, its head filled in, and its strings, up to
 * NULL.
 */
static void add(struct tables *t, uint8_t *s, unsigned type, unsigned handle,
		unsigned len, const char *const *strings)
{
	size_t total = len + 2;
	uint8_t *p;

	for (unsigned i = 0; strings && strings[i]; i++)
		total += strlen(strings[i]) + 1;
	if (t->failed || array_grow((void *)&t->data, &t->cap, t->len + total,
				    1)) {
		t->failed = true;
		return;
	}
	s[0] = (uint8_t)type;
	s[1] = (uint8_t)len;
	put_le16(s + 2, (uint16_t)handle);
	p = t->data + t->len;
	memset(p, 0, total);
	memcpy(p, s, len);
	p += len;
	for (unsigned i = 0; strings && strings[i]; i++)
		p = (uint8_t *)stpcpy((char *)p, strings[i]) + 1;
	/* Without strings there are two zeroes, with some only one more. */
	if (strings && strings[0])
		total--;
	t->len += total;
	t->n++;
	if (total > t->largest)
		t->largest = (unsigned)total;
}

static void bios(struct tables *t)
{
	static const char *const strings[] = {
		MAKER, VERSION, "01/01/2024", NULL
	};
	uint8_t s[24] = { 0 };

	s[4] = 1;			/* vendor */
	s[5] = 2;			/* version */
	put_le16(s + 6, 0xe800);	/* segment */
	s[8] = 3;			/* date */
	put_le64(s + 10, 1u << 3);	/* no characteristics that are known */
	s[19] = 0x14;			/* content as expected, a virtual machine */
	s[22] = s[23] = 0xff;		/* no embedded controller */
	add(t, s, 0, HANDLE(0, 0), sizeof(s), strings);
}

static void system_info(struct tables *t)
{
	static const char *const strings[] = { MAKER, PRODUCT, VERSION, NULL };
	uint8_t s[27] = { 0 };

	s[4] = 1;
	s[5] = 2;
	s[6] = 3;
	/* UUID, at 8: all zeroes, there is none. */
	s[24] = 6;			/* woken by the power switch */
	add(t, s, 1, HANDLE(1, 0), sizeof(s), strings);
}

static void chassis(struct tables *t)
{
	static const char *const strings[] = { MAKER, NULL };
	uint8_t s[22] = { 0 };

	s[4] = 1;
	s[5] = 1;			/* other */
	s[9] = s[10] = s[11] = 3;	/* started, power, heat: safe */
	s[12] = UNKNOWN;
	add(t, s, 3, HANDLE(3, 0), sizeof(s), strings);
}

static void processor(struct tables *t, const struct cpu_topology *topology,
		      unsigned socket)
{
	static const char *const strings[] = { "CPU", MAKER, NULL };
	unsigned threads = topology->cores * topology->threads;
	uint8_t s[42] = { 0 };

	s[4] = 1;			/* socket's name */
	s[5] = 3;			/* a central processor */
	s[6] = 1;			/* family: other */
	s[7] = 2;
	s[24] = 0x41;			/* there, and on */
	s[25] = 1;			/* upgrade: other */
	put_le16(s + 26, 0xffff);	/* no cache structures */
	put_le16(s + 28, 0xffff);
	put_le16(s + 30, 0xffff);
	s[35] = s[36] = (uint8_t)min_u64(topology->cores, 255);
	s[37] = (uint8_t)min_u64(threads, 255);
	put_le16(s + 38, 1u << 2);	/* 64 bits */
	put_le16(s + 40, 1);		/* family again: other */
	add(t, s, 4, HANDLE(4, socket), sizeof(s), strings);
}

/* Type 16, the array of modules */
static void memory_array(struct tables *t, uint64_t ram, unsigned dimms)
{
	uint8_t s[23] = { 0 };

	s[4] = 1;			/* where: other */
	s[5] = 3;			/* use: system memory */
	s[6] = 3;			/* no error correction */
	put_le32(s + 7, 0x80000000);	/* KiB: see the field of 64 bits */
	put_le16(s + 11, 0xfffe);
	put_le16(s + 13, (uint16_t)dimms);
	put_le64(s + 15, ram);
	add(t, s, 16, HANDLE(16, 0), sizeof(s), NULL);
}

/* Type 17, a module of `len` bytes */
static void memory_device(struct tables *t, unsigned n, uint64_t len)
{
	static const char *const strings[] = { "DIMM", MAKER, NULL };
	uint64_t mib = len >> 20;
	uint8_t s[40] = { 0 };

	put_le16(s + 4, HANDLE(16, 0));
	put_le16(s + 6, 0xfffe);
	put_le16(s + 8, 0xffff);	/* widths: unknown */
	put_le16(s + 10, 0xffff);
	if (mib < 0x7fff) {
		put_le16(s + 12, (uint16_t)mib);
	} else {
		put_le16(s + 12, 0x7fff);
		put_le32(s + 28, (uint32_t)mib);
	}
	s[14] = 9;			/* DIMM */
	s[16] = 1;
	s[18] = 7;			/* RAM */
	put_le16(s + 19, 1u << 1);	/* other */
	s[23] = 2;
	add(t, s, 17, HANDLE(17, n), sizeof(s), strings);
}

/* Type 19: addresses in KiB, or in bytes where those are too large */
static void memory_mapped(struct tables *t, unsigned n, uint64_t gpa,
			  uint64_t len)
{
	uint64_t last = gpa + len - 1;
	uint8_t s[31] = { 0 };

	if (last >> 10 < UINT32_MAX) {
		put_le32(s + 4, (uint32_t)(gpa >> 10));
		put_le32(s + 8, (uint32_t)(last >> 10));
	} else {
		put_le32(s + 4, UINT32_MAX);
		put_le32(s + 8, UINT32_MAX);
		put_le64(s + 15, gpa);
		put_le64(s + 23, last);
	}
	put_le16(s + 12, HANDLE(16, 0));
	s[14] = 1;
	add(t, s, 19, HANDLE(19, n), sizeof(s), NULL);
}

static void memory(const struct vm *vm, struct tables *t)
{
	uint64_t ram = vm->mem.ram, dimm = DIMM_MAX, low = vm->mem.low;
	unsigned dimms;

	while (div_round_up(ram, dimm) > MAX_DIMMS)
		dimm *= 2;
	dimms = (unsigned)div_round_up(ram, dimm);
	memory_array(t, ram, dimms);
	for (unsigned i = 0; i < dimms; i++)
		memory_device(t, i, min_u64(dimm, ram - i * dimm));
	memory_mapped(t, 0, 0, low);
	if (ram > low)
		memory_mapped(t, 1, 1ull << 32, ram - low);
}

/* Types 32, how it was booted (without errors), and 127, the end */
static void last(struct tables *t)
{
	uint8_t s[11] = { 0 };

	add(t, s, 32, HANDLE(32, 0), sizeof(s), NULL);
	add(t, s, 127, HANDLE(127, 0), 4, NULL);
}

static int build(const struct vm *vm, struct tables *t, struct err *e)
{
	const struct cpu_topology *topology = &vm->config.topology;

	bios(t);
	system_info(t);
	chassis(t);
	for (unsigned i = 0; i < topology->sockets; i++)
		processor(t, topology, i);
	memory(vm, t);
	last(t);
	return t->failed ? fail_rc(e, -ENOMEM, "SMBIOS tables") : 0;
}

static uint8_t sum(const uint8_t *p, unsigned len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* 5.2.1: 0 "_SM_", 4 checksum, 5 length, 6 version, 8 largest structure, 16 the
 * older anchor "_DMI_": 21 its checksum, 22 length of the tables, 24 their
 * address, 28 how many there are, 30 version
 */
static void make_anchor(const struct tables *t, uint32_t gpa,
			uint8_t a[SMBIOS_ANCHOR_LEN])
{
	memset(a, 0, SMBIOS_ANCHOR_LEN);
	memcpy(a, "_SM_", 4);
	a[5] = SMBIOS_ANCHOR_LEN;
	a[6] = 2;
	a[7] = 8;
	put_le16(a + 8, (uint16_t)t->largest);
	memcpy(a + 16, "_DMI_", 5);
	put_le16(a + 22, (uint16_t)t->len);
	put_le32(a + 24, gpa);
	put_le16(a + 28, (uint16_t)t->n);
	a[30] = 0x28;
	a[21] = (uint8_t)-sum(a + 16, 15);
	a[4] = (uint8_t)-sum(a, SMBIOS_ANCHOR_LEN);
}

int smbios_add_files(struct vm *vm, struct err *e)
{
	struct tables t = { .data = NULL };
	uint8_t anchor[SMBIOS_ANCHOR_LEN];
	int rc = build(vm, &t, e);

	if (rc)
		goto out;
	make_anchor(&t, 0, anchor);
	rc = fwcfg_add_file(vm->fwcfg, "etc/smbios/smbios-tables", t.data,
			    t.len, false);
	if (!rc)
		rc = fwcfg_add_file(vm->fwcfg, "etc/smbios/smbios-anchor",
				    anchor, sizeof(anchor), false);
	if (rc)
		fail_rc(e, rc, "SMBIOS tables for firmware");
out:
	free(t.data);
	return rc;
}

int smbios_load_direct(struct vm *vm, struct err *e)
{
	const uint32_t at = PC_SMBIOS_AREA + 32;
	struct tables t = { .data = NULL };
	uint8_t anchor[SMBIOS_ANCHOR_LEN];
	int rc = build(vm, &t, e);

	if (rc)
		goto out;
	if (t.len > PC_SMBIOS_LEN - 32) {
		rc = fail(e, E2BIG, "SMBIOS tables: %zu bytes, there is room "
			  "for %u", t.len, PC_SMBIOS_LEN - 32);
		goto out;
	}
	make_anchor(&t, at, anchor);
	rc = mem_write(vm, PC_SMBIOS_AREA, anchor, sizeof(anchor));
	if (!rc)
		rc = mem_write(vm, at, t.data, t.len);
	if (rc)
		fail_rc(e, rc, "SMBIOS tables: no memory at 0x%x",
			PC_SMBIOS_AREA);
out:
	free(t.data);
	return rc;
}
