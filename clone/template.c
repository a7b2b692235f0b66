/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.c - names that count. */
#include "clone/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"

#define MAX_NAME 180u		/* bytes; files' names put suffixes behind it */
#define MAX_HOST_NAME 64u	/* HOST_NAME_MAX of Linux */

/* How long is the "%0Nd" at `p`, and how wide is the number?  0: it is none. */
static size_t directive(const char *p, unsigned *width, bool *zeroes)
{
	const char *at = p + 1;

	*zeroes = *at == '0';
	if (*zeroes)
		at++;
	*width = *at >= '1' && *at <= '9' ? (unsigned)(*at++ - '0') : 0;
	return *at == 'd' && (*width || !*zeroes) ? (size_t)(at + 1 - p) : 0;
}

int template_check(const char *option, const char *text, unsigned n,
		   struct err *e)
{
	unsigned width, numbers = 0;
	bool zeroes;

	for (const char *p = text; (p = strchr(p, '%'));) {
		size_t len = p[1] == '%' ? 2 : directive(p, &width, &zeroes);

		if (!len)
			return fail(e, EINVAL, "%s is '%s', may have %%d, %%2d "
				    "or %%02d for the number and %%%% for a "
				    "percent sign, but not '%.4s'", option,
				    text, p);
		numbers += p[1] != '%';
		p += len;
	}
	if (numbers > 1)
		return fail(e, EINVAL, "%s is '%s', may have one number, not "
			    "%u", option, text, numbers);
	if (n > 1 && !numbers)
		return fail(e, EINVAL, "%s is '%s', the same for all %u "
			    "clones; put %%d or %%02d where the number belongs",
			    option, text, n);
	return 0;
}

char *template_expand(const char *text, unsigned number)
{
	/* The number has ten digits at most, as its widest directive has. */
	char *out = malloc(strlen(text) + 16), *to = out;
	unsigned width;
	bool zeroes;

	while (out && *text) {
		size_t len = *text != '%' || text[1] == '%' ? 0
			     : directive(text, &width, &zeroes);
		char digits[16];
		size_t n = sizeof(digits), have = 0;
		unsigned left = number;

		if (!len) {
			*to++ = *text;
			text += *text == '%' ? 2 : 1;
			continue;
		}
		do {
			digits[--n] = (char)('0' + left % 10);
			left /= 10;
			have++;
		} while (left);
		for (; have < width; have++)
			digits[--n] = zeroes ? '0' : ' ';
		memcpy(to, digits + n, have);
		to += have;
		text += len;
	}
	if (out)
		*to = 0;
	return out;
}

int template_file_name(const char *option, const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (!len || len > MAX_NAME)
		return fail(e, EINVAL, "%s is %zu bytes long, must be 1 to %u",
			    option, len, MAX_NAME);
	if (*name == '.' || *name == '-')
		return fail(e, EINVAL, "%s is '%s', must not begin with '%c'",
			    option, name, *name);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f ||
		    strchr("/\\:*?\"'<>|,;$&()`!", *p))
			return fail(e, EINVAL, "%s is '%s', which names files "
				    "and must be without '%c'", option, name,
				    *p);
	return 0;
}

int template_host_name(const char *option, const char *name, struct err *e)
{
	size_t label = 0;

	if (strlen(name) > MAX_HOST_NAME)
		return fail(e, EINVAL, "%s is %zu bytes long, must be 1 to %u",
			    option, strlen(name), MAX_HOST_NAME);
	for (const char *p = name;; p++) {
		bool ends = !*p || *p == '.';

		if (ends && (!label || label > 63 || p[-1] == '-'))
			break;
		if (!*p)
			return 0;
		if (!ends && !isalnum((unsigned char)*p) &&
		    (*p != '-' || !label))
			break;
		label = ends ? 0 : label + 1;
	}
	return fail(e, EINVAL, "%s is '%s', must be a host name: letters, digits "
		    "and hyphens, perhaps with dots between", option, name);
}

char *template_make_host_name(const char *name)
{
	char *out = malloc(64), *to = out;

	for (; out && *name && to < out + 63; name++)
		if (isalnum((unsigned char)*name))
			*to++ = (char)tolower((unsigned char)*name);
		else if (to > out && to[-1] != '-')
			*to++ = '-';
	if (!out)
		return NULL;
	while (to > out && to[-1] == '-')
		to--;
	*to = 0;
	if (to == out)
		strcpy(out, "clone");
	return out;
}
