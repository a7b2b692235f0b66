/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.h - one check of an image; check.c finds, repair.c repairs. */
#ifndef VMDK_CHECK_H
#define VMDK_CHECK_H

#include "write.h"

struct vcheck {
	struct vmdk *s;
	struct img_check *out;
	struct vmdk_extent *x;		/* the one being looked at */
	uint64_t used_end;		/* host: behind the last thing used */
	uint64_t last;			/* host: of the grain before */
	uint64_t left;			/* corruptions that stay */
	/* Which sectors of [first, first + n) of the file are in use? */
	uint8_t *map;
	uint64_t first, n;
	uint64_t gap;			/* where unused sectors began, or 0 */
	uint64_t gaps;			/* grains in them that have room */
	bool punch;			/* give that back */
};

/* check_space.c, locked: what is used twice, and what is not used? */
void vcheck_overlaps(struct vcheck *c);		/* counts c->gaps, too */
void vcheck_punch_gaps(struct vcheck *c);

/* Count and report a finding; `fixed`: it has just been repaired. */
void vcheck_found(struct vcheck *c, bool fixed, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* repair.c; each true if it could. */
bool vcheck_drop_entry(struct vcheck *c, uint64_t rel);
bool vcheck_copy_grain(struct vcheck *c, uint64_t rel, uint64_t host);
bool vcheck_rewrite_second(struct vcheck *c, uint64_t rel);
/* The table that `to` (t.gd or t.rgd) has lost is made anew from `good`. */
bool vcheck_restore_table(struct vcheck *c, uint64_t to, uint64_t i,
			  uint64_t good);
/* Neither directory knows table `i` any more. */
bool vcheck_drop_table(struct vcheck *c, uint64_t i);
bool vcheck_only_one_directory(struct vcheck *c);
/* The header says what the descriptor does, or the other way round. */
bool vcheck_shorten(struct vcheck *c);
bool vcheck_rewrite_descriptor(struct vcheck *c);
bool vcheck_punch(struct vcheck *c, uint64_t host, uint64_t len);
bool vcheck_cut_tail(struct vcheck *c);

/* check.c */
int vmdk_check(struct img *img, struct img_check *check, struct err *e);

#endif
