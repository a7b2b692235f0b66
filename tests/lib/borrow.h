/* SPDX-License-Identifier: GPL-2.0-or-later */
/* borrow.h - a layer that passes all calls to another one without owning it, so
 * that what lies below a format can be looked at after the format was closed.
 */
#ifndef TESTS_BORROW_H
#define TESTS_BORROW_H

#include "imgfmt/imgfmt.h"

/* `to` must outlive it.  With IMG_WRITE as `to` was opened.  -ENOMEM is the only
 * error.
 */
int borrow(struct img *to, const char *name, struct img **out, struct err *e);

#endif
