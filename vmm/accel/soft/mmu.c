/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmu.c - linear to physical addresses.  Intel SDM volume 3, chapter 4.
 *
 * Not there yet: page tables, address spaces that keep their TLBs.
 */
#include <stdlib.h>

#include "block.h"
#include "soft_map.h"

struct mmu {
	struct tlb tlb;
};

int mmu_init(struct cpu *cpu)
{
	cpu->mmu = calloc(1, sizeof(*cpu->mmu));
	if (!cpu->mmu)
		return -12;
	cpu->tlb = &cpu->mmu->tlb;
	mmu_flush_all(cpu);
	return 0;
}

void mmu_fini(struct cpu *cpu)
{
	free(cpu->mmu);
}

void mmu_flush_all(struct cpu *cpu)
{
	for (unsigned i = 0; i < TLB_SLOTS; i++)
		cpu->tlb->slot[i] = (struct tlb_slot){ TLB_NONE, TLB_NONE,
						       TLB_NONE, 0 };
}

void mmu_flush_page(struct cpu *cpu, uint64_t lin)
{
	cpu->tlb->slot[lin >> 12 & (TLB_SLOTS - 1)] =
		(struct tlb_slot){ TLB_NONE, TLB_NONE, TLB_NONE, 0 };
}

void mmu_load_cr3(struct cpu *cpu, uint64_t cr3)
{
	cpu->cr3 = cr3;
	mmu_flush_all(cpu);
}

void mmu_select(struct cpu *cpu)
{
	(void)cpu;
}

void mmu_protect(struct soft *soft, uint64_t ram_page)
{
	uintptr_t host = (uintptr_t)soft->ram + ram_page;

	for (unsigned c = 0; c < soft->n_cpus; c++)
		for (unsigned i = 0; i < TLB_SLOTS; i++) {
			struct tlb_slot *s = &soft->cpus[c]->mmu->tlb.slot[i];

			if (s->write != TLB_NONE &&
			    s->write + s->addend == host)
				s->write = TLB_NONE;
		}
}

bool mmu_translate(struct cpu *cpu, uint64_t lin, enum access how,
		   uint64_t *gpa)
{
	if (cpu->soft->test)
		return soft_map_translate(cpu, lin, how, gpa);
	*gpa = lin;
	tlb_fill(cpu, lin, lin, TLB_R | TLB_W | TLB_X);
	return true;
}
