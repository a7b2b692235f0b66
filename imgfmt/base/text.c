/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - text that grows. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

void text_put(struct text *t, const char *data, size_t len)
{
	if (t->failed || array_grow(&t->p, &t->cap, t->len + len + 1, 1)) {
		t->failed = true;
		return;
	}
	memcpy(t->p + t->len, data, len);
	t->len += len;
	t->p[t->len] = 0;
}

void text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

void text_add(struct text *t, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		t->failed = true;
		return;
	}
	text_put(t, s, (size_t)n);
	free(s);
}
