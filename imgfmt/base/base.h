/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base.h - the few things every module needs: errors, checked arithmetic,
 * sizes for people.  Depends on libc only.
 *
 * All of it may be called from any thread.
 */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Errors.
 *
 * A function that can fail returns 0 or a negative errno value.  Functions that
 * open, create or check things also take a `struct err *`, which may be NULL,
 * and leave one sentence there for the user.  Libraries never print.  Names in it
 * may come from a hostile image: control characters but newlines become '?'.
 */
struct err {
	char text[1024];
};

/* Say why, and return -errnum: `return fail(e, EINVAL, "...", ...)`. */
int fail(struct err *e, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "fmt: " in front of the sentence already there, and return `rc`. */
int fail_prefix(struct err *e, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Say "fmt: strerror(-rc)", and return `rc`. */
int fail_rc(struct err *e, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Arithmetic on numbers that came from a file or a guest. */
static inline bool add_ok(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

static inline bool mul_ok(uint64_t a, uint64_t b, uint64_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

/* Is [offset, offset + len) inside [0, size)? */
static inline bool in_range(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool is_pow2(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* `unit` is a power of two. */
static inline uint64_t round_down(uint64_t n, uint64_t unit)
{
	return n & ~(unit - 1);
}

/* `unit` is a power of two; the caller knows that the sum does not wrap. */
static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

/* round_up() for numbers from outside: false when the sum wraps. */
static inline bool round_up_ok(uint64_t n, uint64_t unit, uint64_t *out)
{
	if (!add_ok(n, unit - 1, out))
		return false;
	*out = round_down(*out, unit);
	return true;
}

/* How many whole `unit`s hold `n`?  Never wraps; `unit` > 0. */
static inline uint64_t div_round_up(uint64_t n, uint64_t unit)
{
	return n / unit + (n % unit != 0);
}

/* Sizes as people write them: a decimal number, perhaps with a fraction, and
 * one of b k K M G T P E (powers of 1024).  -EINVAL if it is not one, -ERANGE
 * if it does not fit in 63 bits.
 */
int size_parse(const char *text, uint64_t *bytes);

/* "1.5 GiB", as qemu-img writes sizes: three significant digits. */
#define SIZE_TEXT_LEN 32
const char *size_text(uint64_t bytes, char out[SIZE_TEXT_LEN]);

#endif
