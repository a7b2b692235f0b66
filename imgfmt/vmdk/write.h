/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* write.h - changing images in place; what write.c, allocate.c and flush.c offer
 * each other and the driver.
 */
#ifndef VMDK_WRITE_H
#define VMDK_WRITE_H

#include "state.h"

/* Tables may wait for a flush up to so many bytes. */
#define VMDK_MAX_DIRTY (2u << 20)

/* driver.c calls these: can this be written, and what is left to do. */
int vmdk_write_begin(struct vmdk *s, struct err *e);
int vmdk_write_end(struct vmdk *s);

/* write.c */
int vmdk_write(struct img *img, const void *buf, size_t len, uint64_t offset);
int vmdk_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags);
/* Bytes are on their way to the file of `x`. */
void vmdk_touch(struct vmdk_extent *x);

/* allocate.c: the entries of grains `first` up to `first + n`, which lie in one
 * table.
 */
struct vmdk_slot {
	struct vmdk_extent *x;
	uint64_t table, second;		/* host offsets; second 0: none */
	uint32_t first, n;
};
/* Make the table that counts for `rel`, if there is none.  -EUCLEAN: the
 * directories do not agree.
 */
int vmdk_slot_find(struct vmdk *s, struct vmdk_extent *x, uint64_t rel,
		   struct vmdk_slot *slot);		/* locked */
/* Entry i becomes `sector` + i * `step`. */
int vmdk_slot_set(struct vmdk *s, const struct vmdk_slot *slot, uint32_t sector,
		  uint32_t step);			/* locked */
/* Table `i` of the directory at `gd` lies at `table`; 0: there is none. */
int vmdk_gde_set(struct vmdk *s, struct vmdk_extent *x, uint64_t gd, uint64_t i,
		 uint64_t table);			/* locked */
/* `n` grains in a row at the end of the file; -EFBIG, -ENOSPC. */
int vmdk_grains_take(struct vmdk_extent *x, uint64_t len,
		     uint64_t *host);			/* locked */
/* They are not used after all. */
void vmdk_grains_give_back(struct vmdk_extent *x, uint64_t host,
			   uint64_t len);		/* locked */

/* flush.c */
int vmdk_flush(struct img *img);
int vmdk_flush_all(struct vmdk *s);
/* Flush if many tables wait for it. */
int vmdk_flush_some(struct vmdk *s);
/* Once before the first change: a new content ID; and of the extent: it is not
 * shut down cleanly.
 */
int vmdk_start_changing(struct vmdk *s, struct vmdk_extent *x);	/* locked */
void vmdk_unit_dirty(struct vmdk *s, struct vmdk_unit *u, uint64_t second);
int vmdk_put_unclean(struct vmdk_extent *x, bool unclean);

/* For tests: break an invariant of flush.c from now on. */
void vmdk_test_break(struct img *img, unsigned invariant);
bool vmdk_keeps(const struct vmdk *s, unsigned invariant);

/* cid.c */
int vmdk_renew_cid(struct vmdk *s);

#endif
