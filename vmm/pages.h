/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages.h - the contents of pages of the guest's memory at one time, so that one can
 * tell later whether a page was there then, wherever it was.
 */
#ifndef VMM_PAGES_H
#define VMM_PAGES_H

#include "vmm/mem.h"

struct pages {
	uint64_t *hashes;	/* a table with free places (0); NULL: empty */
	uint64_t mask;		/* its length less 1 */
};

/* Note all pages of the RAM that are in use.  -ENOMEM; -EIO: the host does not say
 * which are.  Takes 16 to 32 bytes for a page.
 */
int pages_note(struct pages *p, const struct mem *mem);
void pages_forget(struct pages *p);

/* Was there one like this, MEM_PAGE bytes? */
bool pages_have(const struct pages *p, const void *page);

#endif
