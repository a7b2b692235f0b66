/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable.h - partition tables: MBR with logical partitions, and GPT.
 *
 * Read from any image or device through the block layer.  A table is taken as
 * hostile: what overlaps, loops or lies beyond the disk is -EUCLEAN with a
 * sentence.  Of a GPT the primary copy counts; where its checksum is wrong, the
 * backup (and `note` says so).  UEFI specification 2.10, section 5.
 *
 * One thread at a time.
 */
#ifndef CONVERT_FS_PTABLE_H
#define CONVERT_FS_PTABLE_H

#include "imgfmt/imgfmt.h"

enum ptable_kind { PTABLE_NONE, PTABLE_MBR, PTABLE_GPT };

#define PTABLE_MAX_PARTITIONS 1024u	/* more is -ENOTSUP */

struct partition {
	unsigned number;	/* as Linux counts: logical ones from 5 */
	uint64_t offset, len;	/* on the disk, bytes */
	uint8_t mbr_type;	/* MBR: the type byte; GPT: 0 */
	bool active;		/* MBR: the boot flag; GPT: legacy BIOS bootable */
	bool extended;		/* MBR: holds the logical ones, and is no volume */
	char type_guid[37];	/* GPT: lower case; MBR: "" */
	char partuuid[37];	/* as /dev/disk/by-partuuid has it; "" if none */
	char name[109];		/* GPT: UTF-8; MBR: "" */
};

struct ptable {
	enum ptable_kind kind;
	char uuid[37];		/* GPT: disk GUID; MBR: 8 hex digits; "" if none */
	uint32_t sector_size;	/* bytes: 512 or 4096; as its GPT is laid out */
	struct partition *partitions;	/* in the table's order */
	size_t n;
	struct err note;	/* "" or what was odd, but could be read */
};

/* `disk` is borrowed.  A disk without a table is PTABLE_NONE, and no error: it
 * may be one file system.  Free with ptable_fini(), also after an error.
 */
int ptable_read(struct img *disk, struct ptable *out, struct err *e);
void ptable_fini(struct ptable *t);

#endif
