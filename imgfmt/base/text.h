/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - text that grows; that there was no memory for all of it shows at the
 * end.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base.h"

/* Zeroed to begin with; the owner frees `p`. */
struct text {
	char *p;		/* NUL-terminated once something was put in it */
	size_t len, cap;	/* bytes */
	bool failed;		/* out of memory: what came since is missing */
};

void text_add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void text_put(struct text *t, const char *data, size_t len);
void text_puts(struct text *t, const char *s);

#endif
