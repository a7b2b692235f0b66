/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_aml.c - the byte code's encoding (ACPI 6.4, 20.2).  See acpi_aml.h. */
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/chip/acpi_aml.h"

#define OP_ZERO		0x00u
#define OP_ONE		0x01u
#define OP_NAME		0x08u
#define OP_BYTE		0x0au
#define OP_WORD		0x0bu
#define OP_DWORD	0x0cu
#define OP_STRING	0x0du
#define OP_QWORD	0x0eu
#define OP_SCOPE	0x10u
#define OP_BUFFER	0x11u
#define OP_PACKAGE	0x12u
#define OP_METHOD	0x14u
#define OP_DUAL_NAME	0x2eu
#define OP_MULTI_NAME	0x2fu
#define OP_EXT		0x5bu
#define EXT_REGION	0x80u
#define EXT_FIELD	0x81u
#define EXT_DEVICE	0x82u
#define OP_IF		0xa0u

#define FIELD_BYTE_ACC	0x01u
#define METHOD_SERIALIZED 0x08u
#define RES_END_TAG	0x79u

void aml_bytes(struct aml *a, const void *bytes, size_t len)
{
	if (a->failed || array_grow((void *)&a->data, &a->cap, a->len + len,
				    1)) {
		a->failed = true;
		return;
	}
	memcpy(a->data + a->len, bytes, len);
	a->len += len;
}

void aml_byte(struct aml *a, unsigned byte)
{
	uint8_t b = (uint8_t)byte;

	aml_bytes(a, &b, 1);
}

/* One segment, filled up with underscores; the end of it in `name`. */
static const char *name_segment(struct aml *a, const char *name)
{
	for (unsigned i = 0; i < 4; i++)
		aml_byte(a, *name && *name != '.' ? (uint8_t)*name++ : '_');
	return name;
}

void aml_path(struct aml *a, const char *name)
{
	unsigned segments = 1;

	while (*name == '\\' || *name == '^')
		aml_byte(a, (uint8_t)*name++);
	if (!*name) {
		aml_byte(a, 0);
		return;
	}
	for (const char *p = name; *p; p++)
		segments += *p == '.';
	if (segments == 2) {
		aml_byte(a, OP_DUAL_NAME);
	} else if (segments > 2) {
		aml_byte(a, OP_MULTI_NAME);
		aml_byte(a, segments);
	}
	for (; segments; segments--) {
		name = name_segment(a, name);
		name += *name == '.';
	}
}

void aml_int(struct aml *a, uint64_t value)
{
	uint8_t bytes[9];
	size_t len = 8;

	put_le64(bytes + 1, value);
	if (value <= 1) {
		aml_byte(a, value ? OP_ONE : OP_ZERO);
		return;
	}
	if (value <= UINT8_MAX) {
		bytes[0] = OP_BYTE;
		len = 1;
	} else if (value <= UINT16_MAX) {
		bytes[0] = OP_WORD;
		len = 2;
	} else if (value <= UINT32_MAX) {
		bytes[0] = OP_DWORD;
		len = 4;
	} else {
		bytes[0] = OP_QWORD;
	}
	aml_bytes(a, bytes, 1 + len);
}

void aml_string(struct aml *a, const char *text)
{
	aml_byte(a, OP_STRING);
	aml_bytes(a, text, strlen(text) + 1);
}

/* Three letters of 5 bits, four hexadecimal digits; big endian (6.1.5). */
void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | ((unsigned)id[i] - 0x40);
	value = value << 16 | (uint32_t)strtoul(id + 3, NULL, 16);
	aml_int(a, __builtin_bswap32(value));
}

void aml_name(struct aml *a, const char *name)
{
	aml_byte(a, OP_NAME);
	aml_path(a, name);
}

void aml_name_int(struct aml *a, const char *name, uint64_t value)
{
	aml_name(a, name);
	aml_int(a, value);
}

/* Terms with a length. */

static void open_term(struct aml *a, bool is_buffer)
{
	if (a->depth == AML_MAX_DEPTH) {
		a->failed = true;
		return;
	}
	a->open[a->depth].at = a->len;
	a->open[a->depth].is_buffer = is_buffer;
	a->depth++;
}

/* Insert bytes at `at`. */
static void insert(struct aml *a, size_t at, const void *bytes, size_t len)
{
	size_t old = a->len;

	aml_bytes(a, bytes, len);
	if (a->failed)
		return;
	memmove(a->data + at + len, a->data + at, old - at);
	memcpy(a->data + at, bytes, len);
}

/* PkgLength (20.2.4), which counts itself, in as few bytes as do. */
static void insert_length(struct aml *a, size_t at)
{
	size_t body = a->len - at, n = 1;
	uint8_t bytes[4];

	while (n < 4 && body + n >= (size_t)1 << (n == 1 ? 6 : 8 * n - 4))
		n++;
	body += n;
	if (n == 1) {
		bytes[0] = (uint8_t)body;
	} else {
		bytes[0] = (uint8_t)((n - 1) << 6 | (body & 15));
		for (size_t i = 1; i < n; i++)
			bytes[i] = (uint8_t)(body >> (8 * i - 4));
	}
	insert(a, at, bytes, n);
}

void aml_close(struct aml *a)
{
	struct aml size = { .data = NULL };
	size_t at;

	if (a->failed || !a->depth) {
		a->failed = true;
		return;
	}
	at = a->open[--a->depth].at;
	if (a->open[a->depth].is_buffer) {
		/* No checksum: 0 says so. */
		aml_byte(a, RES_END_TAG);
		aml_byte(a, 0);
		aml_int(&size, a->len - at);
		a->failed = a->failed || size.failed;
		if (!a->failed)
			insert(a, at, size.data, size.len);
		free(size.data);
	}
	insert_length(a, at);
}

void aml_scope(struct aml *a, const char *name)
{
	aml_byte(a, OP_SCOPE);
	open_term(a, false);
	aml_path(a, name);
}

void aml_device(struct aml *a, const char *name)
{
	aml_byte(a, OP_EXT);
	aml_byte(a, EXT_DEVICE);
	open_term(a, false);
	aml_path(a, name);
}

void aml_hid_device(struct aml *a, const char *name, const char *hid,
		    unsigned uid)
{
	aml_device(a, name);
	aml_name(a, "_HID");
	if (!strncmp(hid, "PNP", 3))
		aml_eisa_id(a, hid);
	else
		aml_string(a, hid);
	aml_name_int(a, "_UID", uid);
}

/* Those that create names may not run twice at a time. */
void aml_method(struct aml *a, const char *name, unsigned args)
{
	aml_byte(a, OP_METHOD);
	open_term(a, false);
	aml_path(a, name);
	aml_byte(a, args | METHOD_SERIALIZED);
}

void aml_package(struct aml *a, unsigned elements)
{
	aml_byte(a, OP_PACKAGE);
	open_term(a, false);
	aml_byte(a, elements);
}

void aml_if(struct aml *a)
{
	aml_byte(a, OP_IF);
	open_term(a, false);
}

void aml_region(struct aml *a, const char *name, unsigned space,
		unsigned offset, unsigned len)
{
	aml_byte(a, OP_EXT);
	aml_byte(a, EXT_REGION);
	aml_path(a, name);
	aml_byte(a, space);
	aml_int(a, offset);
	aml_int(a, len);
}

void aml_field(struct aml *a, const char *region)
{
	aml_byte(a, OP_EXT);
	aml_byte(a, EXT_FIELD);
	open_term(a, false);
	aml_path(a, region);
	aml_byte(a, FIELD_BYTE_ACC);
}

void aml_field_unit(struct aml *a, const char *name, unsigned bits)
{
	name_segment(a, name);
	aml_byte(a, bits);	/* below 64: a length of one byte */
}

void aml_resources(struct aml *a)
{
	aml_byte(a, OP_BUFFER);
	open_term(a, true);
}
