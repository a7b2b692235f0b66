/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.h - give a converted disk back as it was before its edits, byte for
 * byte.
 *
 * Edits are made in an overlay on the source.  The undo file holds, of what the
 * overlay has changed, the source's bytes; it lies beside the standalone image
 * into which both are copied.  undo_file.c defines its format.
 *
 * An undo that was killed, or lost its power, is done again: each sector is
 * accepted as the conversion left it, and as it was before.  Anything else (the
 * machine has run since) is refused before a byte is written: in what the edits
 * have changed always, elsewhere where the file has the checksum of the whole disk.
 * One thread at a time.
 */
#ifndef CONVERT_GUEST_UNDO_H
#define CONVERT_GUEST_UNDO_H

#include "imgfmt/imgfmt.h"

#define UNDO_CHECKSUM_LEN 96u

struct undo_info {
	uint64_t size;			/* of the disk, bytes */
	uint64_t n_records;		/* pieces of it that were changed */
	uint64_t bytes;			/* that they hold */
	/* Of the unedited disk, "xxh3:..." (checksum.h); "" not known. */
	char checksum[UNDO_CHECKSUM_LEN];
};

/* `file` is an empty bottom layer that grows: img_file_fd(), output_layer().
 * It is flushed, and complete when this returns 0; open it anew to read it.
 * The overlay has the size of its backing file, but for qcow2's rounding to 512
 * bytes. `checksum` may be NULL; *out may be, too.
 */
int undo_write(struct img *overlay, struct img *file, const char *checksum,
	       struct undo_info *out, struct err *e);

/* What a file says of itself, after its header has been checked. */
int undo_read_info(struct img *file, struct undo_info *out, struct err *e);

/* Would undo_apply() give the disk its checksum back?  0 also where the file has no
 * checksum.  -EUCLEAN: it would not; else as undo_apply().
 */
int undo_try(struct img *file, struct img *disk, struct err *e);

/* Put the old bytes back into the disk, and flush it.  It may be up to 16 MiB
 * larger than it was, as some formats round.  All of `file` is checked first.
 * -EINVAL: the file is not this disk's, or the disk has been changed since.
 */
int undo_apply(struct img *file, struct img *disk, struct err *e);

/* Does the disk's content have the checksum that the file gives for it?
 * -EUCLEAN: it has not; -ENODATA: the file gives none.
 */
int undo_verify(struct img *file, struct img *disk, struct err *e);

#endif
