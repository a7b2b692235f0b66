/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ova.h - an open package: its members, its disks, the one that is shown.
 * Internal to the drivers ova and ovf.
 *
 * A package (DSP0243, 5.3) is a tar archive of a descriptor (.ovf), perhaps a
 * manifest (.mf) with digests and a certificate (.cert), and disks; or these are
 * files in a folder, of which the descriptor names those that belong to it.  Of
 * an archive the descriptor's XML is not looked at.
 */
#ifndef OVA_OVA_H
#define OVA_OVA_H

#include <stdatomic.h>

#include "imgfmt/driver.h"
#include "manifest.h"
#include "tar.h"

#define OVF_MAX_LEN (4u << 20)		/* of a descriptor, bytes */

struct ova_disk {
	char *name;			/* of the whole */
	const struct tar_member **pieces;	/* usually one */
	size_t n;
};

struct ova {
	struct img *img;
	struct tar tar;			/* or what is in the folder */
	struct img **files;		/* of a folder, each member's, NULL for
					 * the descriptor; else NULL */
	size_t files_cap;
	char *missing;			/* what is not in the folder, or NULL */
	const struct tar_member *ovf, *mf, *cert;	/* or NULL */
	bool has_manifest;
	struct manifest manifest;
	struct ova_disk *disks;
	size_t n_disks, cap;
	const struct ova_disk *chosen;	/* or NULL, when no data is wanted */
	struct ova_disk single;		/* a member that looks like no disk */
	struct img *disk;		/* its stack, or NULL */
	bool gzip;			/* it is compressed */
	struct err why;			/* there is no disk */
	atomic_bool damaged;		/* a digest does not fit */
};

/* Does the name end with ".ext", in whatever case? */
bool ova_has_ext(const char *name, const char *ext);

/* Is this the name of a package's format? */
bool ova_is_format(const char *format);

/* folder.c: the descriptor below s->img, and the files that it names. */
int ova_read_folder(struct ova *s, const struct img_open_args *args,
		    struct err *e);
void ova_free_folder(struct ova *s);
/* What holds a member's bytes, at m->offset. */
struct img *ova_file(const struct ova *s, const struct tar_member *m);

/* disks.c: what the archive's members are. */
int ova_find_disks(struct ova *s, struct err *e);
void ova_free_disks(struct ova *s);
int ova_choose(struct ova *s, const char *member, struct err *e);
/* Open s->chosen as s->disk. */
int ova_open_disk(struct ova *s, unsigned flags, struct err *e);

/* verify.c */
int ova_read_manifest(struct ova *s, struct err *e);
/* What the manifest says of a member, or NULL. */
const struct manifest_line *ova_line(const struct ova *s,
				     const struct tar_member *m);
int ova_verify(struct img *img, struct img_verify *verify, struct err *e);
int ova_check(struct img *img, struct img_check *check, struct err *e);

/* info.c */
int ova_info(struct img *img, struct img_info *info, struct err *e);

#endif
