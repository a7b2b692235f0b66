/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpio.h - "newc" archives, of which an initramfs consists.
 *
 * The reader is fed with bytes in pieces of any size, and calls back; it keeps no
 * more than one name.  Archives may follow each other, with zeroes between them,
 * as in Linux (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * Names come without "./" and leading slashes; a name with "..", a NUL inside or
 * more than 4095 bytes is -EUCLEAN, as is any field that is not hexadecimal.
 */
#ifndef CONVERT_GUEST_CPIO_H
#define CONVERT_GUEST_CPIO_H

#include "imgfmt/base/base.h"

#define CPIO_NAME_MAX 4096u	/* with its NUL, as the kernel's PATH_MAX */

struct cpio_member {
	const char *name;	/* "" is the root */
	uint32_t ino, mode, nlink;
	uint32_t dev_major, dev_minor;
	uint32_t size;		/* bytes; of a symbolic link its target's */
};

/* A value other than 0 ends the reading, and cpio_feed() returns it.  `data` comes
 * as often as needed for a member's content.
 */
struct cpio_sink {
	int (*member)(void *arg, const struct cpio_member *m);
	int (*data)(void *arg, const void *data, size_t len);
	void *arg;
};

enum cpio_state { CPIO_BETWEEN, CPIO_HEADER, CPIO_NAME, CPIO_DATA, CPIO_PAD };

struct cpio_reader {
	struct cpio_sink sink;
	enum cpio_state state, next;
	uint64_t offset;	/* in what was fed */
	uint32_t have, left;
	struct cpio_member at;
	char header[110];
	char name[CPIO_NAME_MAX];
	unsigned n_archives;	/* that ended with their trailer */
};

void cpio_reader_init(struct cpio_reader *r, const struct cpio_sink *sink);
/* *used < len and 0: between two archives stands what is none; it begins at
 * *used.
 */
int cpio_feed(struct cpio_reader *r, const void *data, size_t len, size_t *used,
	      struct err *e);
/* Is nothing begun?  Else -EUCLEAN: the archive ends too early. */
int cpio_reader_end(const struct cpio_reader *r, struct err *e);

/* An archive in memory, in the order of the calls; all of root, time 0. */
struct cpio_writer {
	uint8_t *data;		/* the caller frees it */
	size_t len, cap;
	uint32_t next_ino;
};

int cpio_add(struct cpio_writer *w, const char *name, uint32_t mode,
	     const void *data, size_t len);
int cpio_end(struct cpio_writer *w);

#endif
