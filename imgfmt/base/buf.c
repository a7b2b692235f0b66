/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buf.c - memory: aligned buffers, growable arrays, strings. */
#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *buf_alloc(size_t len)
{
	uint64_t rounded;
	void *p;

	if (!round_up_ok(len ? len : 1, BUF_ALIGN, &rounded))
		return NULL;
	if (posix_memalign(&p, BUF_ALIGN, (size_t)rounded))
		return NULL;
	return p;
}

void *array_alloc(uint64_t n, size_t size)
{
	if (n > SIZE_MAX)
		return NULL;
	return calloc(n ? (size_t)n : 1, size);
}

int array_grow(void *array, size_t *cap, size_t need, size_t size)
{
	size_t want = *cap + *cap / 2 + 8;
	void *old, *p;

	if (need <= *cap)
		return 0;
	if (want < need)
		want = need;
	memcpy(&old, array, sizeof(old));
	p = reallocarray(old, want, size);
	if (!p)
		return -ENOMEM;
	memcpy(array, &p, sizeof(p));
	*cap = want;
	return 0;
}

char *str_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}
