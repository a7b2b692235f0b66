/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmu_walk.c - walk the guest's page tables: 32-bit, PAE and 4-level paging.
 * Intel SDM volume 3, 4.3 to 4.8.
 */
#include "block.h"
#include "flags.h"
#include "mmu.h"


#define ADDR_MASK	0x000ffffffffff000ull

/* How a table of one level looks. */
struct level {
	unsigned shift;		/* of the linear address: which entry */
	unsigned bits;		/* how many of them say so */
};

static const struct level levels64[] = { { 12, 9 }, { 21, 9 }, { 30, 9 },
					 { 39, 9 } };
static const struct level levels32[] = { { 12, 10 }, { 22, 10 } };

/* Where an entry is in host memory; NULL: not in RAM. */
static uint8_t *entry_host(struct cpu *cpu, uint64_t gpa, enum access how)
{
	uint64_t offset;

	return mem_ram(cpu, gpa, how, &offset) ? cpu->soft->ram + offset : NULL;
}

/* Entries are read at once; outside RAM nobody answers. */
static uint64_t entry_read(struct cpu *cpu, uint64_t gpa, unsigned size)
{
	uint8_t *p = entry_host(cpu, gpa, ACCESS_READ);

	if (!p)
		return size == 8 ? UINT64_MAX : UINT32_MAX;
	return size == 8 ? __atomic_load_n((uint64_t *)p, __ATOMIC_RELAXED) :
			   __atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED);
}

/* Set bits in an entry that still has its old value.  False: it has not. */
static bool entry_set(struct cpu *cpu, uint64_t gpa, unsigned size,
		      uint64_t old, uint64_t bits)
{
	uint8_t *p = entry_host(cpu, gpa, ACCESS_WRITE);
	uint32_t old32 = (uint32_t)old;
	bool done;

	if (!p)
		return true;		/* ROM keeps what it has */
	if (size == 8)
		done = __atomic_compare_exchange_n((uint64_t *)p, &old,
						   old | bits, false,
						   __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	else
		done = __atomic_compare_exchange_n((uint32_t *)p, &old32,
						   old32 | (uint32_t)bits,
						   false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	if (done && blocks_in_page(cpu->soft, (uint64_t)(p - cpu->soft->ram)))
		blocks_wrote(cpu->soft, (uint64_t)(p - cpu->soft->ram), size);
	return done;
}

/* Bits which must be 0 in any entry of 8 bytes. */
static uint64_t reserved64(const struct cpu *cpu)
{
	bool lma = cpu->efer & CPU_EFER_LMA;
	uint64_t mask = (1ull << 52) - (1ull << cpu->phys_bits);

	if (!lma)
		mask |= 0x7ffull << 52;
	if (!(cpu->efer & CPU_EFER_NX))
		mask |= PTE_NX;
	return mask;
}

/* A large page's bits which must be 0, below its address. */
static uint64_t reserved_large(const struct cpu *cpu, unsigned size,
			       unsigned shift)
{
	if (size == 8)
		return ((1ull << shift) - 1) & ~0x1fffull;
	/* PSE-36: bits 13 to 20 are bits 32 to 39 of the address. */
	if (cpu->phys_bits >= 40)
		return 1u << 21;
	return ((1ull << 22) - 1) & ~((1ull << (cpu->phys_bits - 19)) - 1);
}

static bool is_large(const struct cpu *cpu, uint64_t entry, unsigned size,
		     unsigned level)
{
	if (!(entry & PTE_PS) || level == 0)
		return false;
	if (size == 4)
		return cpu->cr4 & CR4_PSE;
	return level == 1 || (level == 2 && cpu->has_gb_pages);
}

static bool is_reserved(const struct cpu *cpu, uint64_t entry, unsigned size,
			unsigned level, unsigned shift)
{
	if (size == 8 && entry & reserved64(cpu))
		return true;
	if (is_large(cpu, entry, size, level))
		return entry & reserved_large(cpu, size, shift);
	/* PS where there is no such page. */
	return size == 8 && level >= 2 && entry & PTE_PS;
}

static uint64_t large_base(uint64_t entry, unsigned size, unsigned shift)
{
	uint64_t base = entry & ADDR_MASK & ~((1ull << shift) - 1);

	return size == 4 ? base | (entry >> 13 & 0xff) << 32 : base;
}

bool walk_allows(const struct cpu *cpu, const struct walk *w,
		 enum flavor flavor, enum access kind)
{
	if (kind == ACCESS_EXEC) {
		if (w->nx)
			return false;
		return flavor == FLAVOR_USER ? w->user :
			!w->user || !(cpu->cr4 & CR4_SMEP);
	}
	if (flavor == FLAVOR_USER)
		return w->user && (kind == ACCESS_READ || w->write);
	if (flavor == FLAVOR_SUPER_ONLY && w->user)
		return false;
	return kind == ACCESS_READ || w->write || !(cpu->cr0 & CPU_CR0_WP);
}

/* The entries on the way, for their accessed bits. */
struct trail {
	uint64_t gpa[4], entry[4];
	unsigned n;
};

/* Set A in all of them and D in the last.  False: one changed meanwhile. */
static bool set_used(struct cpu *cpu, struct trail *t, unsigned size,
		     bool write)
{
	for (unsigned i = 0; i < t->n; i++) {
		uint64_t want = PTE_A;

		if (write && i + 1 == t->n)
			want |= PTE_D;
		if ((t->entry[i] & want) != want &&
		    !entry_set(cpu, t->gpa[i], size, t->entry[i], want))
			return false;
	}
	return true;
}

/* Down the levels; 0, PF_P | PF_RSVD, or WALK_FAULT alone for an absent one. */
static unsigned descend(struct cpu *cpu, uint64_t lin, struct walk *w,
			struct trail *t)
{
	unsigned size = cpu->cr4 & CR4_PAE ? 8 : 4;
	const struct level *l = size == 8 ? levels64 : levels32;
	unsigned level = size == 4 ? 2 : cpu->efer & CPU_EFER_LMA ? 4 : 2;
	uint64_t table = size == 4 ? cpu->cr3 & 0xfffff000u :
				     cpu->cr3 & ADDR_MASK, entry;

	*w = (struct walk){ .user = true, .write = true };
	t->n = 0;
	if (mmu_is_pae(cpu)) {
		entry = cpu->mmu->pdpte[lin >> 30 & 3];
		if (!(entry & PTE_P))
			return WALK_FAULT;
		table = entry & ADDR_MASK;
	}
	for (;;) {
		uint64_t i, gpa;

		level--;
		i = lin >> l[level].shift & ((1u << l[level].bits) - 1);
		gpa = table + i * size;
		entry = entry_read(cpu, gpa, size);
		if (!(entry & PTE_P))
			return WALK_FAULT;
		if (is_reserved(cpu, entry, size, level, l[level].shift))
			return WALK_FAULT | PF_P | PF_RSVD;
		t->gpa[t->n] = gpa;
		t->entry[t->n++] = entry;
		w->user = w->user && entry & PTE_U;
		w->write = w->write && entry & PTE_W;
		w->nx = w->nx || (size == 8 && entry & PTE_NX);
		w->large = is_large(cpu, entry, size, level);
		if (!level || w->large)
			break;
		table = entry & ADDR_MASK;
	}
	w->dirty = entry & PTE_D;
	w->global = entry & PTE_G && cpu->cr4 & CR4_PGE;
	table = (1ull << l[level].shift) - 1;	/* bits within the page */
	w->gpa = (w->large ? large_base(entry, size, l[level].shift) :
			     entry & ADDR_MASK) | (lin & table);
	return 0;
}

unsigned mmu_walk(struct cpu *cpu, uint64_t lin, enum flavor flavor,
		  enum access kind, struct walk *w)
{
	unsigned size = cpu->cr4 & CR4_PAE ? 8 : 4;
	struct trail t;

	/* Another CPU or the guest's devices may change entries meanwhile;
	 * whoever does so for ever wins.
	 */
	for (unsigned tries = 0; tries < 64; tries++) {
		unsigned fault = descend(cpu, lin, w, &t);

		if (fault)
			return fault;
		if (!walk_allows(cpu, w, flavor, kind))
			return WALK_FAULT | PF_P;
		if (set_used(cpu, &t, size, kind == ACCESS_WRITE))
			break;
	}
	if (kind == ACCESS_WRITE)
		w->dirty = true;
	return 0;
}

bool mmu_load_pdptes(struct cpu *cpu, uint64_t cr3)
{
	uint64_t base = cr3 & 0xffffffe0u, pdpte[4];
	uint64_t reserved = 0x1e6u | PTE_NX | (0x7ffull << 52) |
		((1ull << 52) - (1ull << cpu->phys_bits));

	for (unsigned i = 0; i < 4; i++) {
		pdpte[i] = entry_read(cpu, base + i * 8, 8);
		if (pdpte[i] & PTE_P && pdpte[i] & reserved)
			return false;
	}
	memcpy(cpu->mmu->pdpte, pdpte, sizeof(pdpte));
	return true;
}
