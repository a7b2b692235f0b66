/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmu.c - linear to physical addresses, and the software TLBs that remember them.
 * Intel SDM volume 3, 4.7 (faults) and 4.10 (caching).  See mmu.h.
 */
#include "mmu.h"

#include <errno.h>
#include <stdlib.h>

#include "access.h"
#include "flags.h"
#include "soft_map.h"

/* What a TLB remembers beside its slots: the page's physical address, with flags
 * in its low bits.
 */
#define SIDE_USED	1u	/* its index is in the list */
#define SIDE_GLOBAL	2u
#define SIDE_LARGE	4u

struct tlb_set {
	struct tlb tlb;			/* first: what cpu->tlb points to */
	uint64_t side[TLB_SLOTS];
	uint16_t used[TLB_SLOTS];	/* slots that hold something */
	unsigned n_used;
	uint64_t large_gb;		/* large pages in these GiB, modulo 64 */
};

/* An address space's. */
struct tlb_space {
	unsigned pcid;
	uint64_t last;			/* mmu->tick when it was chosen */
	struct tlb_set set[N_FLAVORS];
};

static const struct tlb_slot no_slot = { TLB_NONE, TLB_NONE, TLB_NONE, 0 };

static struct tlb_space *space_new(void)
{
	struct tlb_space *space = calloc(1, sizeof(*space));

	for (unsigned f = 0; space && f < N_FLAVORS; f++)
		for (unsigned i = 0; i < TLB_SLOTS; i++)
			space->set[f].tlb.slot[i] = no_slot;
	return space;
}

int mmu_init(struct cpu *cpu)
{
	struct tlb_space *space = space_new();

	cpu->mmu = calloc(1, sizeof(*cpu->mmu));
	if (!cpu->mmu || !space) {
		free(space);
		mmu_fini(cpu);
		return -ENOMEM;
	}
	cpu->mmu->spaces[0] = cpu->mmu->space = space;
	cpu->mmu->n_spaces = 1;
	mmu_select(cpu);
	return 0;
}

void mmu_fini(struct cpu *cpu)
{
	if (!cpu->mmu)
		return;
	for (unsigned i = 0; i < cpu->mmu->n_spaces; i++)
		free(cpu->mmu->spaces[i]);
	free(cpu->mmu);
	cpu->mmu = NULL;
}

/* Forgetting. */

static void set_flush(struct tlb_set *set, bool globals)
{
	unsigned kept = 0;

	for (unsigned n = 0; n < set->n_used; n++) {
		unsigned i = set->used[n];

		if (!globals && set->side[i] & SIDE_GLOBAL) {
			set->used[kept++] = (uint16_t)i;
			continue;
		}
		set->tlb.slot[i] = no_slot;
		set->side[i] = 0;
	}
	set->n_used = kept;
	if (!kept)
		set->large_gb = 0;
}

static void space_flush(struct tlb_space *space, bool globals)
{
	for (unsigned f = 0; f < N_FLAVORS; f++)
		set_flush(&space->set[f], globals);
}

static uint64_t gb_bit(uint64_t lin)
{
	return 1ull << (lin >> 30 & 63);
}

/* Which page does a slot hold? */
static uint64_t slot_page(const struct tlb_slot *s)
{
	return s->read != TLB_NONE ? s->read :
	       s->write != TLB_NONE ? s->write : s->exec;
}

/* Of a large page only pieces are there, and any of them may be. */
static void set_flush_large(struct tlb_set *set, uint64_t lin)
{
	for (unsigned n = 0; n < set->n_used; n++) {
		unsigned i = set->used[n];
		struct tlb_slot *s = &set->tlb.slot[i];

		if (set->side[i] & SIDE_LARGE &&
		    slot_page(s) >> 30 == lin >> 30)
			*s = no_slot;
	}
}

static void set_flush_page(struct tlb_set *set, uint64_t lin)
{
	struct tlb_slot *s = &set->tlb.slot[lin >> 12 & (TLB_SLOTS - 1)];

	if (slot_page(s) == (lin & ~PAGE_MASK))
		*s = no_slot;
	if (set->large_gb & gb_bit(lin))
		set_flush_large(set, lin);
}

void mmu_flush_all(struct cpu *cpu)
{
	for (unsigned i = 0; i < cpu->mmu->n_spaces; i++)
		space_flush(cpu->mmu->spaces[i], true);
}

void mmu_flush_not_global(struct cpu *cpu)
{
	for (unsigned i = 0; i < cpu->mmu->n_spaces; i++)
		space_flush(cpu->mmu->spaces[i], false);
}

void mmu_flush_pcid(struct cpu *cpu, unsigned pcid)
{
	for (unsigned i = 0; i < cpu->mmu->n_spaces; i++)
		if (cpu->mmu->spaces[i]->pcid == pcid)
			space_flush(cpu->mmu->spaces[i], false);
}

/* In all address spaces, for it may be global. */
void mmu_flush_page(struct cpu *cpu, uint64_t lin)
{
	for (unsigned i = 0; i < cpu->mmu->n_spaces; i++)
		for (unsigned f = 0; f < N_FLAVORS; f++)
			set_flush_page(&cpu->mmu->spaces[i]->set[f], lin);
}

/* The page at `host` is not to be written without asking. */
static void set_protect(struct tlb_set *set, uintptr_t host)
{
	for (unsigned n = 0; n < set->n_used; n++) {
		struct tlb_slot *s = &set->tlb.slot[set->used[n]];

		if (s->write != TLB_NONE && s->write + s->addend == host)
			s->write = TLB_NONE;
	}
}

void mmu_protect(struct soft *soft, uint64_t ram_page)
{
	uintptr_t host = (uintptr_t)soft->ram + ram_page;

	for (unsigned c = 0; c < soft->n_cpus; c++) {
		struct mmu *mmu = soft->cpus[c]->mmu;

		for (unsigned i = 0; i < mmu->n_spaces; i++)
			for (unsigned f = 0; f < N_FLAVORS; f++)
				set_protect(&mmu->spaces[i]->set[f], host);
	}
}

/* Choosing. */

static unsigned pcid_of(const struct cpu *cpu)
{
	return cpu->cr4 & CR4_PCIDE ? (unsigned)(cpu->cr3 & CR3_PCID) : 0;
}

/* The address space's TLBs; if there is no room, the least recently used ones
 * give way.
 */
static struct tlb_space *find_space(struct mmu *mmu, unsigned pcid)
{
	struct tlb_space *space = mmu->spaces[0];

	for (unsigned i = 0; i < mmu->n_spaces; i++) {
		if (mmu->spaces[i]->pcid == pcid)
			return mmu->spaces[i];
		if (mmu->spaces[i]->last < space->last)
			space = mmu->spaces[i];
	}
	if (mmu->n_spaces < MMU_SPACES) {
		struct tlb_space *more = space_new();

		if (more)
			mmu->spaces[mmu->n_spaces++] = space = more;
	}
	space_flush(space, true);
	space->pcid = pcid;
	return space;
}

static enum flavor flavor_of(const struct cpu *cpu)
{
	if (cpu_cpl(cpu) == 3)
		return FLAVOR_USER;
	return cpu->cr4 & CR4_SMAP && !(cpu->eflags & EFL_AC) ?
		FLAVOR_SUPER_ONLY : FLAVOR_SUPER;
}

void mmu_select(struct cpu *cpu)
{
	struct mmu *mmu = cpu->mmu;
	unsigned pcid = pcid_of(cpu);

	if (mmu->space->pcid != pcid) {
		mmu->space = find_space(mmu, pcid);
		mmu->space->last = ++mmu->tick;
	}
	cpu->tlb = &mmu->space->set[flavor_of(cpu)].tlb;
}

void mmu_load_cr3(struct cpu *cpu, uint64_t cr3)
{
	bool keep = cpu->cr4 & CR4_PCIDE && cr3 & CR3_NO_FLUSH;

	cpu->cr3 = cr3 & ~CR3_NO_FLUSH;
	if (mmu_is_pae(cpu) && !cpu->soft->test)
		mmu_load_pdptes(cpu, cr3);
	if (!keep)
		mmu_flush_pcid(cpu, pcid_of(cpu));
	mmu_select(cpu);
}

/* Translating. */

static bool page_fault(struct cpu *cpu, uint64_t lin, unsigned error,
		       enum flavor flavor, enum access kind)
{
	error &= ~WALK_FAULT;
	if (kind == ACCESS_WRITE)
		error |= PF_W;
	if (flavor == FLAVOR_USER)
		error |= PF_U;
	if (kind == ACCESS_EXEC &&
	    ((cpu->cr4 & CR4_PAE && cpu->efer & CPU_EFER_NX) ||
	     cpu->cr4 & CR4_SMEP))
		error |= PF_I;
	raise_error(cpu, EXC_PF, error);
	cpu->fault.cr2 = lin;
	return false;
}

/* A slot was filled for `lin`: whose page it is, and that it must be emptied. */
static void note_side(struct tlb_set *set, uint64_t lin, uint64_t side)
{
	unsigned i = lin >> 12 & (TLB_SLOTS - 1);

	if (slot_page(&set->tlb.slot[i]) != (lin & ~PAGE_MASK))
		return;
	if (!(set->side[i] & SIDE_USED))
		set->used[set->n_used++] = (uint16_t)i;
	set->side[i] = side | SIDE_USED;
	if (side & SIDE_LARGE)
		set->large_gb |= gb_bit(lin);
}

/* Put it into a TLB, with all that the page allows. */
static void remember(struct cpu *cpu, struct tlb_set *set, uint64_t lin,
		     const struct walk *w, unsigned kinds)
{
	struct tlb *now = cpu->tlb;
	unsigned i = lin >> 12 & (TLB_SLOTS - 1);
	uint64_t side = (w->gpa & ~PAGE_MASK) | SIDE_USED |
		(w->global ? SIDE_GLOBAL : 0u) | (w->large ? SIDE_LARGE : 0u);

	/* Else old rights would live on under the new page's flags. */
	if (set->side[i] != side)
		set->tlb.slot[i] = no_slot;
	if (cpu->watch && debug_watches_page(cpu, lin))
		kinds &= TLB_X;
	cpu->tlb = &set->tlb;
	tlb_fill(cpu, lin, w->gpa, kinds);
	cpu->tlb = now;
	note_side(set, lin, side);
}

/* The tests' map in place of page tables. */
static bool translate_test(struct cpu *cpu, uint64_t lin, enum access how,
			   uint64_t *gpa)
{
	if (!soft_map_translate(cpu, lin, how, gpa))
		return false;
	note_side((struct tlb_set *)cpu->tlb, lin, *gpa & ~PAGE_MASK);
	return true;
}

static unsigned all_kinds(const struct cpu *cpu, const struct walk *w,
			  enum flavor flavor)
{
	return (walk_allows(cpu, w, flavor, ACCESS_READ) ? TLB_R : 0) |
	       (w->dirty && walk_allows(cpu, w, flavor, ACCESS_WRITE) ?
		TLB_W : 0) |
	       (walk_allows(cpu, w, flavor, ACCESS_EXEC) ? TLB_X : 0);
}

/* Does the TLB have it? */
static bool remembered(const struct tlb_set *set, uint64_t lin,
		       enum access kind, uint64_t *gpa)
{
	unsigned i = lin >> 12 & (TLB_SLOTS - 1);
	const struct tlb_slot *s = &set->tlb.slot[i];
	uint64_t tag = kind == ACCESS_READ ? s->read :
		       kind == ACCESS_WRITE ? s->write : s->exec;

	*gpa = (set->side[i] & ~PAGE_MASK) | (lin & PAGE_MASK);
	return tag == (lin & ~PAGE_MASK);
}

bool mmu_translate(struct cpu *cpu, uint64_t lin, enum access how,
		   uint64_t *gpa)
{
	enum access kind = how & ACCESS_KIND;
	enum flavor flavor = flavor_of(cpu);
	struct tlb_set *set;
	struct walk w;
	unsigned fault;

	if (cpu->soft->test)
		return translate_test(cpu, lin, how, gpa);
	if (how & ACCESS_SYSTEM)
		flavor = cpu->cr4 & CR4_SMAP ? FLAVOR_SUPER_ONLY : FLAVOR_SUPER;
	set = &cpu->mmu->space->set[flavor];
	if (remembered(set, lin, kind, gpa))
		return true;
	if (!(cpu->cr0 & CPU_CR0_PG)) {
		w = (struct walk){ .gpa = lin & 0xffffffff };
		remember(cpu, set, lin, &w, TLB_R | TLB_W | TLB_X);
		*gpa = w.gpa;
		return true;
	}
	fault = mmu_walk(cpu, lin, flavor, kind, &w);
	if (fault)
		return page_fault(cpu, lin, fault, flavor, kind);
	remember(cpu, set, lin, &w, all_kinds(cpu, &w, flavor));
	*gpa = w.gpa;
	return true;
}
