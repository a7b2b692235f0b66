/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* err.c - one sentence for the user, in the caller's storage. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base.h"

/* A name must not be able to speak to the terminal. */
static void defuse(struct err *e)
{
	for (char *p = e->text; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
			*p = '?';
}

int fail(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
		defuse(e);
	}
	return -errnum;
}

int fail_prefix(struct err *e, int rc, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t len;
	va_list ap;
	int n;

	if (!e)
		return rc;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = n < 0 ? 0 : (size_t)min_u64((uint64_t)n, sizeof(e->text) - 1);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", old);
	defuse(e);
	return rc;
}

int fail_rc(struct err *e, int rc, const char *fmt, ...)
{
	char reason[128];
	size_t len;
	va_list ap;
	int n;

	if (!e)
		return rc;
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = n < 0 ? 0 : (size_t)min_u64((uint64_t)n, sizeof(e->text) - 1);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s",
		 strerror_r(-rc, reason, sizeof(reason)));
	defuse(e);
	return rc;
}
