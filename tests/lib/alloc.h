/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alloc.h - let the Nth allocation of our own code fail.
 *
 * The linker sends malloc, calloc, realloc, reallocarray, posix_memalign,
 * strdup, strndup and vasprintf of everything in a test program through here;
 * what shared libraries allocate for themselves is not touched.  Counts the
 * calls of all threads.
 */
#ifndef TESTS_ALLOC_H
#define TESTS_ALLOC_H

#include <stdint.h>

/* Count from now; the `nth` allocation (from 1) fails, and only that; 0: none.
 * Returns how many there were since the last call of this.
 */
uint64_t alloc_fail(uint64_t nth);

#endif
