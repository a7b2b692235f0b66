/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.h - the members of a struct machine as tables, so that freeing, copying
 * and JSON are loops.  Internal to convert/machine.
 */
#ifndef CONVERT_MACHINE_FIELDS_H
#define CONVERT_MACHINE_FIELDS_H

#include "convert/machine/machine.h"

enum field_kind {
	FIELD_TEXT,		/* char * */
	FIELD_NUMBER,		/* unsigned */
	FIELD_SIZE,		/* uint64_t */
	FIELD_BOOL,
	FIELD_NAME,		/* an enum, by names[] */
	FIELD_UUID,		/* uint8_t[16], there if *flag */
	FIELD_MAC,		/* uint8_t[6], the same */
};

struct field {
	const char *name;	/* the member in JSON; NULL ends a table */
	enum field_kind kind;
	size_t offset, flag;
	const char *const *names;	/* NULL-terminated */
};

/* An array of a struct machine. */
struct field_list {
	const char *name;
	size_t offset, n_offset, size;
	const struct field *fields;
};

#define FIELD_LISTS 3u
extern const struct field machine_fields[];
extern const struct field_list machine_lists[FIELD_LISTS];

static inline void *field_at(const void *object, size_t offset)
{
	return (char *)(uintptr_t)object + offset;
}

#endif
