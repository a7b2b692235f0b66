/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mounts.h - which mounted file systems lie on a block device.
 *
 * Linux: /proc/self/mountinfo, /proc/swaps, /sys/dev/block.  One thread at a time.
 */
#ifndef CONVERT_CAPTURE_MOUNTS_H
#define CONVERT_CAPTURE_MOUNTS_H

#include <sys/types.h>

#include "imgfmt/base/base.h"

struct mount {
	char *point;		/* "/home"; for swap: its device */
	dev_t dev;		/* the block device mounted */
	dev_t fs;		/* st_dev of the files in it */
	unsigned partition;	/* of the disk itself; 0: the disk, or something
				 * stacked on it (device mapper, RAID) */
	bool stacked;
	bool swap;
	bool readonly;
};

struct mounts {
	struct mount *list;
	size_t n, cap;
};

/* All that lie on `disk`; of a file system that is mounted several times each
 * place.  A regular file is looked for behind loop devices.  Free with
 * mounts_fini(), also after a failure.
 */
int mounts_find(const char *disk, struct mounts *out, struct err *e);
void mounts_fini(struct mounts *m);

#endif
