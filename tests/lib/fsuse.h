/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsuse.h - a look at all that a file system shows, which may be hostile. */
#ifndef TESTS_FSUSE_H
#define TESTS_FSUSE_H

#include "convert/fs/driver.h"

/* Open it with this reader, list, read, map, and ask for owners; some of each.
 * Errors are fine, but there must be a sentence.  True: it could be opened.
 */
bool fs_use(struct img *volume, const struct fs_driver *drv);

#endif
