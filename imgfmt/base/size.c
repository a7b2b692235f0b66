/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* size.c - sizes as people write and read them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

static int unit_shift(char c)
{
	switch (tolower((unsigned char)c)) {
	case 'b': return 0;
	case 'k': return 10;
	case 'm': return 20;
	case 'g': return 30;
	case 't': return 40;
	case 'p': return 50;
	case 'e': return 60;
	default:  return -1;
	}
}

/* The digits after the point: their value is *digits / *scale.  More than 18 make
 * no difference of a byte.
 */
static void parse_fraction(const char **p, uint64_t *digits, uint64_t *scale)
{
	*digits = 0;
	*scale = 1;
	for (; isdigit((unsigned char)**p); ++*p) {
		if (*scale == 1000000000000000000u)
			continue;
		*digits = *digits * 10 + (uint64_t)(**p - '0');
		*scale *= 10;
	}
}

int size_parse(const char *text, uint64_t *bytes)
{
	uint64_t whole, digits = 0, scale = 1, part;
	const char *p = text;
	char *end;
	bool hex = p[0] == '0' && (p[1] | 32) == 'x';
	int shift = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	errno = 0;
	whole = strtoull(p, &end, hex ? 16 : 10);
	if (errno)
		return -ERANGE;
	p = end;
	if (*p == '.' && !hex) {
		p++;
		parse_fraction(&p, &digits, &scale);
	}
	if (*p) {
		shift = unit_shift(*p++);
		if (shift < 0 || *p)
			return -EINVAL;
	}
	if (digits && !shift)
		return -EINVAL;		/* no half bytes */
	if (whole > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	part = (uint64_t)(((unsigned __int128)digits << shift) / scale);
	if (!add_ok(whole << shift, part, bytes) || *bytes > INT64_MAX)
		return -ERANGE;
	return 0;
}

const char *size_text(uint64_t bytes, char out[SIZE_TEXT_LEN])
{
	static const char *const unit[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
	};
	unsigned i = 0;
	double value = (double)bytes;

	/* 1000 would print as 1e+03 with three digits: take the next unit. */
	while (i + 1 < sizeof(unit) / sizeof(unit[0]) && value >= 1000) {
		value /= 1024;
		i++;
	}
	snprintf(out, SIZE_TEXT_LEN, "%0.3g %s", value, unit[i]);
	return out;
}
