/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk.c - a walk through page tables, for debuggers.  See walk.h. */
#include "vmm/walk.h"

#include "imgfmt/base/bytes.h"
#include "vmm/mem.h"

#define CR4_PSE		0x10u
#define CR4_PAE		0x20u
#define CR4_LA57	0x1000u
#define PRESENT		1u
#define LARGE		0x80u		/* PS */
#define ADDRESS		0x000ffffffffff000ull
#define PAGE_BITS	12u

static bool found(uint64_t base, uint64_t linear, unsigned bits, uint64_t *gpa,
		  uint64_t *left)
{
	uint64_t mask = (1ull << bits) - 1;

	*gpa = (base & ~mask) | (linear & mask);
	*left = mask + 1 - (linear & mask);
	return true;
}

/* 32-bit paging: 4.3. */
static bool walk_32(struct vm *vm, const struct cpu_state *s, uint64_t linear,
		    uint64_t *gpa, uint64_t *left)
{
	uint8_t bytes[4];
	uint32_t e;

	if (mem_read(vm, (s->cr3 & 0xfffff000) + (linear >> 22) * 4, bytes, 4))
		return false;
	e = get_le32(bytes);
	if (!(e & PRESENT))
		return false;
	/* PSE-36: bits 13 to 20 are the address's from 32 on. */
	if ((e & LARGE) && (s->cr4 & CR4_PSE))
		return found((e & 0xffc00000) |
			     (uint64_t)(e >> 13 & 0xff) << 32, linear, 22, gpa,
			     left);
	if (mem_read(vm, (e & 0xfffff000) + (linear >> 12 & 0x3ff) * 4, bytes,
		     4))
		return false;
	e = get_le32(bytes);
	return (e & PRESENT) && found(e, linear, PAGE_BITS, gpa, left);
}

/* Tables of 512 entries; at level 3 of PAE, of 4: 4.4 and 4.5. */
static bool walk_64(struct vm *vm, const struct cpu_state *s, unsigned level,
		    bool is_pae, uint64_t linear, uint64_t *gpa, uint64_t *left)
{
	uint64_t table = is_pae ? s->cr3 & 0xffffffe0 : s->cr3 & ADDRESS;
	uint8_t bytes[8];

	for (;; level--) {
		unsigned bits = PAGE_BITS + 9 * (level - 1);
		bool may_be_large = level == 2 || (level == 3 && !is_pae);
		uint64_t e;

		if (mem_read(vm, table + (linear >> bits & 511) * 8, bytes, 8))
			return false;
		e = get_le64(bytes);
		if (!(e & PRESENT))
			return false;
		if (level == 1 || (may_be_large && (e & LARGE)))
			return found(e & ADDRESS, linear, bits, gpa, left);
		table = e & ADDRESS;
	}
}

bool walk(struct vm *vm, const struct cpu_state *s, uint64_t linear,
	  uint64_t *gpa, uint64_t *left)
{
	unsigned levels = s->cr4 & CR4_LA57 ? 5 : 4;
	unsigned unused = 64 - (PAGE_BITS + 9 * levels);

	if (!(s->cr0 & CPU_CR0_PG))
		return found((uint32_t)linear, linear, PAGE_BITS, gpa, left);
	if (!(s->efer & CPU_EFER_LMA)) {
		linear = (uint32_t)linear;
		return s->cr4 & CR4_PAE ?
			walk_64(vm, s, 3, true, linear, gpa, left) :
			walk_32(vm, s, linear, gpa, left);
	}
	if ((uint64_t)((int64_t)(linear << unused) >> unused) != linear)
		return false;
	return walk_64(vm, s, levels, false, linear, gpa, left);
}
