/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ova.h - an open package: its members, its disks, the one that is shown.
 * Internal to the ova driver.
 *
 * A package (DSP0243, 5.3) is a tar archive of a descriptor (.ovf), perhaps a
 * manifest (.mf) with digests and a certificate (.cert), and disks.  Here it is
 * a container: the descriptor's XML is not looked at.
 */
#ifndef OVA_OVA_H
#define OVA_OVA_H

#include <stdatomic.h>

#include "imgfmt/driver.h"
#include "manifest.h"
#include "tar.h"

struct ova_disk {
	char *name;			/* of the whole */
	const struct tar_member **pieces;	/* usually one */
	size_t n;
};

struct ova {
	struct img *img;
	struct tar tar;
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
