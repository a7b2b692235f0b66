/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmu.h - paging, inside: what a walk of the page tables finds, and the TLBs that
 * keep it.
 *
 * A CPU keeps the translations of several address spaces, told apart by their
 * PCID, each with one TLB for user and two for supervisor accesses: with and
 * without access to user pages (SMAP).  Without PCIDs there is one address space:
 * its pages that are not global go at each write of CR3, for a guest relies on
 * that after it has changed page tables which were not in use.
 */
#ifndef SOFT_MMU_H
#define SOFT_MMU_H

#include "soft.h"

#define CR4_PSE		0x00000010u
#define CR4_PAE		0x00000020u
#define CR4_PGE		0x00000080u
#define CR4_PCIDE	0x00020000u
#define CR4_SMEP	0x00100000u
#define CR4_SMAP	0x00200000u

#define CR3_NO_FLUSH	(1ull << 63)
#define CR3_PCID	0xfffull

/* Bits of an entry. */
#define PTE_P		0x001u
#define PTE_W		0x002u
#define PTE_U		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_PS		0x080u
#define PTE_G		0x100u
#define PTE_NX		(1ull << 63)

/* Bits of a page fault's error code. */
#define PF_P		0x01u
#define PF_W		0x02u
#define PF_U		0x04u
#define PF_RSVD		0x08u
#define PF_I		0x10u

/* Who accesses: also the index of a TLB in its address space. */
enum flavor {
	FLAVOR_USER,
	FLAVOR_SUPER,		/* user pages too */
	FLAVOR_SUPER_ONLY,	/* SMAP: no data of user pages */
	N_FLAVORS
};

/* A translation. */
struct walk {
	uint64_t gpa;		/* of the byte */
	bool user, write, nx;	/* what all entries on the way allow */
	bool dirty, global;
	bool large;		/* of more than 4 KiB */
};

/* What a kind of access by `flavor` may do to the page. */
bool walk_allows(const struct cpu *cpu, const struct walk *w,
		 enum flavor flavor, enum access kind);

/* Walk the page tables for one access, and set accessed and dirty bits.  0, or
 * the bits P, RSVD and the others of the error code, with WALK_FAULT.
 */
#define WALK_FAULT	0x80000000u
unsigned mmu_walk(struct cpu *cpu, uint64_t lin, enum flavor flavor,
		  enum access kind, struct walk *w);

struct tlb_space;

#define MMU_SPACES	8u	/* at most; Linux uses six PCIDs */

struct mmu {
	uint64_t pdpte[4];	/* PAE: loaded with CR3 */
	struct tlb_space *spaces[MMU_SPACES];
	unsigned n_spaces;
	struct tlb_space *space;	/* of now */
	uint64_t tick;		/* for the least recently used */
};

/* The four entries that CR3 points to with PAE.  False: one of them has reserved
 * bits, and nothing changed.
 */
bool mmu_load_pdptes(struct cpu *cpu, uint64_t cr3);

/* Is PAE paging, without long mode, on? */
static inline bool mmu_is_pae(const struct cpu *cpu)
{
	return cpu->cr0 & CPU_CR0_PG && cpu->cr4 & CR4_PAE &&
	       !(cpu->efer & CPU_EFER_LMA);
}

/* INVPCID and writes of CR3 (SDM volume 3, 4.10.4). */
void mmu_flush_not_global(struct cpu *cpu);	/* of all address spaces */
void mmu_flush_pcid(struct cpu *cpu, unsigned pcid);	/* not global ones */

#endif
