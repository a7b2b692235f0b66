/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.h - the cache of decoded code.
 *
 * A block is straight-line code of at most BLOCK_INSNS instructions, known by the
 * place of its first byte in the block of RAM and by the mode (MODE_*); it ends
 * behind a jump, or where it would leave its page.  One whose last instruction
 * goes on in the next page records that page, and checks at each entry that it
 * still follows.
 *
 * Any write to its bytes makes a block stale: each of its uops becomes uop_stale,
 * so that even the one that runs stops before its next instruction.  Stale blocks
 * stay where they are until the whole cache is dropped, which happens between
 * blocks when it is full.
 */
#ifndef SOFT_BLOCK_H
#define SOFT_BLOCK_H

#include "soft.h"

/* A jump that was linked to a block, to be undone. */
struct link {
	struct uop *from;
	struct link *next;
};

struct block {
	uint64_t key;		/* offset of the first byte in the block of RAM */
	uint32_t mode;
	uint16_t n_insns, n_uops;
	uint16_t len;		/* bytes */
	bool stale;
	bool kept;		/* in the cache; else runs once (device memory) */
	uint64_t page2;		/* the second page's offset, or NO_PAGE */
	struct block *hash_next;
	struct block *page_next[2];	/* of its first and its second page */
	struct link *incoming;
	struct uop uops[];
};

#define NO_PAGE UINT64_MAX
#define MODE_LIMIT_SHIFT 24	/* a block's mode has its limit there */
#define BLOCK_UOPS (2 * BLOCK_INSNS + 4)

#define BLOCK_HASH (1u << 16)

struct blocks {
	struct block *hash[BLOCK_HASH];
	struct block **pages;	/* by RAM page: the first block there, or NULL */
	/* By RAM page: may code be there?  For other threads: set before the
	 * bytes are read that are decoded, so that who writes first and asks then
	 * cannot miss it.
	 */
	_Atomic uint8_t *may_have_code;
	uint64_t n_pages;
	uint8_t *arena;
	size_t used;		/* bytes */
};

static inline unsigned block_hash(uint64_t key, uint32_t mode)
{
	return (unsigned)((key ^ key >> 14 ^ (uint64_t)mode << 5) &
			  (BLOCK_HASH - 1));
}

int blocks_init(struct soft *soft);
void blocks_fini(struct soft *soft);

/* The block at cpu->rip, decoded if need be, of at most `limit` instructions if
 * that is not 0.  NULL: a fault was raised: #PF, #GP.
 */
struct block *block_get(struct cpu *cpu, unsigned limit);

/* Let the jump `from` go to `b` directly, until that is stale.  Its block begins
 * in the same linear page and mode, and is not stale.
 */
void block_link(struct soft *soft, struct uop *from, struct block *b);

/* Bytes of RAM were written: what was decoded from there is stale. */
void blocks_wrote(struct soft *soft, uint64_t offset, uint64_t len);

/* Any thread, after it has written: must blocks_wrote() be told? */
static inline bool blocks_may_care(const struct soft *soft, uint64_t offset,
				   uint64_t len)
{
	uint64_t last = (offset + len - 1) >> 12;

	atomic_thread_fence(memory_order_seq_cst);
	for (uint64_t page = offset >> 12; page <= last; page++)
		if (atomic_load_explicit(&soft->blocks->may_have_code[page],
					 memory_order_relaxed))
			return true;
	return false;
}

/* Does a page of RAM hold code?  Writes to it must come to blocks_wrote(). */
static inline bool blocks_in_page(const struct soft *soft, uint64_t offset)
{
	return soft->blocks->pages[offset >> 12];
}

/* Instructions to uops (lower.c): fills b->uops, n_uops.  `bad` is what follows
 * the last one: DECODE_UD or DECODE_GP raise, else the block goes on behind it.
 */
void lower_block(struct cpu *cpu, struct block *b, const struct insn *insns,
		 unsigned n, enum decode bad);

/* Does control leave the straight line here? */
bool insn_ends_block(const struct insn *insn);

#endif
