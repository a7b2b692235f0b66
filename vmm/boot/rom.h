/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rom.h - firmware images, which are other projects' and packages of their own. */
#ifndef BOOT_ROM_H
#define BOOT_ROM_H

#include "imgfmt/base/base.h"

/* Of the package seabios. */
#define ROM_SEABIOS "bios-256k.bin"
#define ROM_VGABIOS "vgabios-stdvga.bin"

/* Where a distribution has put this file of SeaBIOS's: *path is the caller's to
 * free.  -ENOENT: nowhere, with a sentence that names the package.
 */
int rom_find(const char *name, char **path, struct err *e);

/* All of a regular file of at most `max` bytes; *data is the caller's to free. */
int rom_read(const char *path, size_t max, void **data, size_t *len,
	     struct err *e);

/* The same of a BIOS, which must have a size that it can be mapped with. */
int rom_read_bios(const char *path, void **data, size_t *len, struct err *e);

#endif
