/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linuxguest.h - a small Linux guest as a disk of 16 MiB, to be inspected and planned:
 * Debian's files as VMware has them, an ext4 as /dev/sda1, nothing that runs.
 *
 * All in the working folder: the files in "root", the disk as "disk".
 */
#ifndef TESTS_LINUXGUEST_H
#define TESTS_LINUXGUEST_H

#include "convert/guest/linux.h"

#define GUEST_UUID "11111111-2222-4333-8444-555555555555"	/* of the root */
#define GUEST_MAC "00:50:56:aa:bb:cc"

/* A file of a guest; text NULL: none.  A list ends with a path that is NULL. */
struct guest_file {
	const char *path, *text;
};

/* Go to an empty folder.  Is there all that makes disks? */
bool guest_tools(void);

/* The usual files, but for `more` (may be NULL), and the disk of them. */
void make_guest(const struct guest_file *more);
/* The same piece by piece: files and the initramfs ("zstd", "dracut", "virtio": with
 * virtio's modules; "": not packed) into "root", and that into the disk.
 */
void put_files(const struct guest_file *f);
void put_bytes(const char *path, const void *data, size_t len);
void put_initramfs(const char *kind);
void make_disk(void);

struct guest {
	struct img *disk;
	struct volumes v;
	struct linux_guest *g;
};
void open_guest(struct guest *g);
void close_guest(struct guest *g);
void plan_guest(struct guest *g, struct linux_nic *nics, size_t n, bool console,
		struct edits **ed);

/* The code of each edit, in order and once, is `want`. */
void check_codes(struct edits *ed, const char *want);
/* What the file will be has `want` in it. */
void check_file(struct edits *ed, const char *path, const char *want);
/* The initramfs will have virtio's modules. */
void check_initramfs(struct edits *ed, const char *path);

#endif
