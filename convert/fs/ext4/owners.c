/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owners.c - whose are these bytes? */
#include <errno.h>
#include "convert/fs/ext4/reader.h"
int ext4_owners(struct ext4 *x, uint64_t offset, uint64_t len,
		int (*file)(void *arg, const char *path), void *arg,
		struct err *e)
{
	(void)x;
	(void)offset;
	(void)len;
	(void)file;
	(void)arg;
	return fail(e, ENOTSUP, "not yet");
}
