/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.c - to come: replaying, the allocation map, owners of blocks. */
#include <errno.h>
#include "convert/fs/ext4/reader.h"
int ext4_journal_scan(struct ext4 *x, struct err *e)
{
	(void)x;
	return fail(e, ENOTSUP, "not yet replayed");
}
int ext4_map(struct ext4 *x, uint64_t offset, uint64_t *len, bool *used,
	     struct err *e)
{
	(void)x;
	(void)offset;
	(void)len;
	(void)used;
	return fail(e, ENOTSUP, "not yet");
}
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
