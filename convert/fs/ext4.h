/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext4.h - what is particular to ext2, ext3 and ext4: their journal.
 *
 * Linux kernel, Documentation/filesystems/ext4/journal.rst and fs/jbd2/recovery.c.
 */
#ifndef CONVERT_FS_EXT4_H
#define CONVERT_FS_EXT4_H

#include "imgfmt/imgfmt.h"

/* Replay the journal onto `volume`, which is open for writing, as the kernel would
 * at the next mount, and mark the journal and the superblock clean.  A clean file
 * system, or one without a journal, is left as it is.
 *
 * -EUCLEAN: the journal is corrupt; -ENOTSUP: it is on another device or holds
 * fast commits; nothing was written then.  After any other failure the journal is
 * still there and can be replayed again.
 */
int ext4_replay(struct img *volume, struct err *e);

#endif
