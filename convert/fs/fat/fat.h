/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fat.h - the reader of FAT12, FAT16 and FAT32.  Internal to convert/fs/fat.
 *
 * Microsoft, "FAT: General Overview of On-Disk Format", 1.03.  A file's inode
 * number is the place of its directory entry, in units of 32 bytes from the
 * start of the volume; the root's is 1.
 */
#ifndef CONVERT_FS_FAT_H
#define CONVERT_FS_FAT_H

#include "convert/fs/driver.h"

#define FAT_ROOT	1u
#define FAT_ENTRY	32u		/* bytes of a directory entry */
#define FAT_WINDOW	65536u

struct fat {
	struct img *volume;
	unsigned bits;			/* 12, 16 or 32 */
	uint32_t cluster_size;		/* bytes */
	uint32_t n_clusters;		/* numbered from 2 */
	uint64_t table;			/* the table in use: bytes */
	uint64_t data;			/* of cluster 2, bytes */
	uint64_t root;			/* FAT12, FAT16: bytes */
	uint32_t root_len;		/* bytes; 0: in clusters */
	uint32_t root_cluster;
	uint8_t *window;		/* a part of the table */
	uint64_t window_at;		/* in it; UINT64_MAX: none */
	uint32_t window_len;
	/* Where the last read in a file came to. */
	uint32_t at_first, at_index, at_cluster;
};

/* A directory entry. */
struct fat_file {
	uint64_t ino;
	uint32_t first;			/* cluster, 0: none */
	uint32_t size;
	uint8_t attributes;
	uint16_t date, time;
};
#define FAT_READ_ONLY	0x01u
#define FAT_LABEL	0x08u
#define FAT_DIR		0x10u
#define FAT_LONG	0x0fu

/* fat.c: the table's entry of a cluster, as it is. */
int fat_next(struct fat *f, uint32_t cluster, uint32_t *next, struct err *e);
/* Is it one of the data's, and not an end, free or bad? */
bool fat_is_cluster(const struct fat *f, uint32_t cluster);
uint64_t fat_cluster_at(const struct fat *f, uint32_t cluster);	/* bytes */

/* dir.c */
int fat_file(struct fat *f, uint64_t ino, struct fat_file *out, struct err *e);
int fat_list(struct fat *f, uint64_t dir,
	     int (*entry)(void *arg, const char *name, uint64_t ino), void *arg,
	     struct err *e);

#endif
