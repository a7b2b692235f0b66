/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes.h - all volumes of a machine's disks: partitions, and disks without a
 * table, each with what is on it.
 */
#ifndef CONVERT_FS_VOLUMES_H
#define CONVERT_FS_VOLUMES_H

#include "convert/fs/fs.h"
#include "convert/fs/ptable.h"

struct volume {
	unsigned disk;			/* index into the disks, from 0 */
	const struct partition *part;	/* NULL: the whole disk */
	uint64_t offset, len;		/* on the disk, bytes */
	struct img *img;		/* a window on the disk, writable if that
					 * is; owned here */
	struct fs *fs;			/* owned here */
	const struct fs_identity *id;	/* of fs */
};

struct volumes {
	struct ptable *tables;		/* one a disk */
	size_t n_disks;
	struct volume *list;		/* in the order of disks and partitions */
	size_t n;
};

/* `disks` are borrowed until volumes_close(). Extended partitions are no volumes.
 * A partition that cannot be read at all fails; a file system that is corrupt has
 * the type that it seems to be, no files, and a sentence in id->note.
 */
int volumes_open(struct img *const *disks, size_t n_disks, struct volumes *out,
		 struct err *e);
void volumes_close(struct volumes *v);

/* "disk 1 partition 2", for messages. */
#define VOLUME_NAME_LEN 48u
const char *volume_name(const struct volume *v, char out[VOLUME_NAME_LEN]);

#endif
