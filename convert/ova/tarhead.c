/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tarhead.c - the header of a regular file in a tar archive (POSIX.1-2017 pax,
 * "ustar Interchange Format").
 *
 * A size that does not fit in 11 octal digits is base-256, as GNU tar has it:
 * importers of packages know that, and many do not know PAX headers.
 */
#include "convert/ova/tarhead.h"

#include <stdio.h>
#include <string.h>

#include "imgfmt/base/bytes.h"

#define OCTAL_MAX ((UINT64_C(1) << 33) - 1)	/* 11 digits */

enum {
	H_NAME = 0, H_MODE = 100, H_UID = 108, H_GID = 116, H_SIZE = 124,
	H_MTIME = 136, H_SUM = 148, H_TYPE = 156, H_MAGIC = 257,
	H_DEVMAJOR = 329, H_DEVMINOR = 337,
};

/* `len` - 1 digits and a NUL. */
static void put_octal(uint8_t *p, size_t len, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)len - 1,
		 (unsigned long long)n);
	memcpy(p, text, len);
}

void tarhead_make(uint8_t head[TARHEAD_LEN], const char *name, uint64_t len,
		  int64_t mtime)
{
	unsigned sum = 0;

	memset(head, 0, TARHEAD_LEN);
	memcpy(head + H_NAME, name, strnlen(name, TARHEAD_MAX_NAME));
	put_octal(head + H_MODE, 8, 0644);
	put_octal(head + H_UID, 8, 0);
	put_octal(head + H_GID, 8, 0);
	if (len <= OCTAL_MAX) {
		put_octal(head + H_SIZE, 12, len);
	} else {
		head[H_SIZE] = 0x80;
		put_be64(head + H_SIZE + 4, len);
	}
	put_octal(head + H_MTIME, 12, mtime < 0 ? 0 :
		  min_u64((uint64_t)mtime, OCTAL_MAX));
	head[H_TYPE] = '0';
	memcpy(head + H_MAGIC, "ustar\00000", 8);
	put_octal(head + H_DEVMAJOR, 8, 0);
	put_octal(head + H_DEVMINOR, 8, 0);
	memset(head + H_SUM, ' ', 8);
	for (size_t i = 0; i < TARHEAD_LEN; i++)
		sum += head[i];
	put_octal(head + H_SUM, 7, sum);
}
