/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h - a small Linux guest on two disks, of which only the files matter.
 *
 * Disk 1, MBR: partition 1 is /boot, ext4; 2 the root, ext4; 3 swap.  Disk 2:
 * one ext3 without a table, "srv data", which fstab mounts on "/srv/my data".
 */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include "convert/guest/tree.h"

#define GUEST_BOOT_OFFSET (1u << 20)		/* bytes */
#define GUEST_ROOT_OFFSET (9u << 20)
#define GUEST_DISK1_SIZE (32u << 20)
#define GUEST_DISK2_SIZE (4u << 20)

struct guest {
	struct img *disks[2];
	struct volumes volumes;
	struct tree *tree;
};

/* Make disk1 and disk2 in the working folder, with the lines of `fstab`, or the
 * usual ones for NULL; false: the programs for it are not there.
 */
bool guest_make(const char *fstab);
/* Open them; with IMG_WRITE overlays on them, which nobody sees. */
void guest_open(struct guest *g, unsigned flags);
/* Open volumes and tree once more, as they are now. */
void guest_reopen(struct guest *g);
void guest_close(struct guest *g);

#endif
