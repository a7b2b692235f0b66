/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable_parts.h - what the readers of MBR and GPT share; see ptable.h. */
#ifndef CONVERT_FS_PTABLE_PARTS_H
#define CONVERT_FS_PTABLE_PARTS_H

#include "convert/fs/ptable.h"

/* Append; `what` names it in messages.  Checks that it lies on the disk. */
int ptable_add(struct ptable *t, uint64_t disk_size, const struct partition *p,
	       struct err *e);

/* Add a sentence to the note. */
void ptable_note(struct ptable *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The 512 bytes of sector 0 with their signature.  What is no table leaves
 * t->kind at PTABLE_NONE.
 */
int ptable_read_mbr(struct img *disk, const uint8_t *mbr, struct ptable *t,
		    struct err *e);
/* Sector 0 says that there is a GPT. */
int ptable_read_gpt(struct img *disk, struct ptable *t, struct err *e);
/* Is there a GPT's signature in sector 1, whatever its checksum? */
bool ptable_has_gpt(struct img *disk);

#endif
