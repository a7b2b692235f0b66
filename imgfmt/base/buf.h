/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buf.h - memory: aligned buffers, growable arrays, strings.
 *
 * Sizes here may come from outside: everything is checked for overflow and
 * returns NULL or -ENOMEM instead of too small a block.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base.h"

/* `len` bytes aligned for O_DIRECT; free with free().  Not zeroed. */
#define BUF_ALIGN 4096u
void *buf_alloc(size_t len);

/* `n` objects of `size` bytes, zeroed; free with free(). */
void *array_alloc(uint64_t n, size_t size);

/* Make room for at least `need` elements of `size` bytes in *array, which has
 * *cap of them.  Grows by half, so that appending is linear.  0 or -ENOMEM;
 * on failure *array is as it was.
 */
int array_grow(void *array, size_t *cap, size_t need, size_t size);

/* printf into a string that the caller frees; NULL when out of memory. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
