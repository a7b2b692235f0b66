/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h - a kernel's or initrd's file, on disk or in memory.
 *
 * A regular file is read piece by piece when it is needed; what comes out of a
 * pipe, and a compressed kernel, is kept in memory, up to BOOT_MEMORY_MAX bytes.
 */
#ifndef BOOT_FILE_H
#define BOOT_FILE_H

#include "imgfmt/base/base.h"

struct vm;

#define BOOT_MEMORY_MAX (512ull << 20)

struct boot_file {
	const char *name;	/* the caller's */
	int fd;			/* or -1: in memory */
	uint8_t *data;		/* owned, NULL with fd */
	uint64_t len;		/* bytes, when it was opened */
};

/* `unpack`: a gzip file is replaced with its content. */
int boot_file_open(struct boot_file *f, const char *name, bool unpack,
		   struct err *e);
void boot_file_close(struct boot_file *f);

/* `what` is for the error: "ELF header".  All or nothing. */
int boot_file_read(const struct boot_file *f, uint64_t offset, void *buf,
		   size_t len, const char *what, struct err *e);

/* Bytes [offset, offset + len) of the file to guest memory at `gpa`. */
int boot_file_load(const struct boot_file *f, uint64_t offset, uint64_t len,
		   struct vm *vm, uint64_t gpa, struct err *e);

#endif
