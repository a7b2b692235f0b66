/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alloc.c - let the Nth allocation fail: targets of the linker's --wrap. */
#include "tests/lib/alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t n_calls, fail_at;

uint64_t alloc_fail(uint64_t nth)
{
	atomic_store(&fail_at, 0);
	uint64_t n = atomic_exchange(&n_calls, 0);

	atomic_store(&fail_at, nth);
	return n;
}

static bool fails(void)
{
	uint64_t n = atomic_fetch_add(&n_calls, 1) + 1;

	if (n != atomic_load(&fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

#define WRAP(type, name, params, args, failed)				\
	type __real_##name params;					\
	type __wrap_##name params;					\
	type __wrap_##name params					\
	{								\
		return fails() ? (failed) : __real_##name args;		\
	}

WRAP(void *, malloc, (size_t n), (n), NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *p, size_t n), (p, n), NULL)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size), NULL)
WRAP(int, posix_memalign, (void **p, size_t align, size_t n), (p, align, n),
     ENOMEM)
WRAP(char *, strdup, (const char *s), (s), NULL)
WRAP(char *, strndup, (const char *s, size_t n), (s, n), NULL)
WRAP(int, vasprintf, (char **out, const char *fmt, va_list ap),
     (out, fmt, ap), -1)
/* What -D_FORTIFY_SOURCE makes of it. */
WRAP(int, __vasprintf_chk, (char **out, int flag, const char *fmt, va_list ap),
     (out, flag, fmt, ap), -1)
