/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys_cr.c - what control registers take, and what follows.  See sys_cr.h. */
#include "sys_cr.h"

#include "sys.h"
#include "vmm/chip/lapic.h"

static bool refuse(struct cpu *cpu)
{
	raise_gp(cpu, 0);
	return false;
}

/* Into and out of long mode, with CR0.PG. */
static bool switch_paging(struct cpu *cpu, bool on, uint64_t *efer)
{
	bool cs64 = cpu->seg[CPU_CS].attr & ATTR_L;

	if (!on) {
		if (is_long(cpu) && (cs64 || cpu->cr4 & CR4_PCIDE))
			return false;
		*efer &= ~(uint64_t)CPU_EFER_LMA;
		return true;
	}
	if (!(cpu->efer & CPU_EFER_LME))
		return true;
	if (!(cpu->cr4 & CR4_PAE) || cs64 || !(cpu->tr.attr & 8))
		return false;
	*efer |= CPU_EFER_LMA;
	return true;
}

bool cr0_write(struct cpu *cpu, uint64_t v)
{
	uint64_t mask = CPU_CR0_PE | CPU_CR0_MP | CPU_CR0_EM | CPU_CR0_TS |
		CPU_CR0_NE | CPU_CR0_WP | CPU_CR0_AM | CPU_CR0_NW |
		CPU_CR0_CD | CPU_CR0_PG;
	uint64_t changed, efer = cpu->efer, old = cpu->cr0, old_efer = efer;

	if (v >> 32 || (v & CPU_CR0_PG && !(v & CPU_CR0_PE)) ||
	    (v & CPU_CR0_NW && !(v & CPU_CR0_CD)))
		return refuse(cpu);
	v = (v & mask) | CPU_CR0_ET;
	changed = v ^ cpu->cr0;
	if (changed & CPU_CR0_PG &&
	    !switch_paging(cpu, v & CPU_CR0_PG, &efer))
		return refuse(cpu);
	cpu->cr0 = v;
	cpu->efer = efer;
	if (changed & (CPU_CR0_PG | CPU_CR0_CD | CPU_CR0_NW) &&
	    mmu_is_pae(cpu) && !mmu_load_pdptes(cpu, cpu->cr3)) {
		cpu->cr0 = old;
		cpu->efer = old_efer;
		return refuse(cpu);
	}
	if (changed & (CPU_CR0_PG | CPU_CR0_PE | CPU_CR0_WP))
		mmu_flush_all(cpu);
	cpu_mode_changed(cpu);
	return true;
}

bool cr3_write(struct cpu *cpu, uint64_t v)
{
	uint64_t reserved = ~((1ull << cpu->phys_bits) - 1);

	if (cpu->cr4 & CR4_PCIDE)
		reserved &= ~CR3_NO_FLUSH;
	if ((is_long(cpu) && v & reserved) ||
	    (mmu_is_pae(cpu) && !mmu_load_pdptes(cpu, v)))
		return refuse(cpu);
	mmu_load_cr3(cpu, v);
	return true;
}

static uint64_t cr4_allowed(const struct cpu *cpu)
{
	uint64_t v = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE |
		CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_has(cpu, 7, CPUID_ECX, 2))
		v |= CR4_UMIP;
	if (cpu_has(cpu, 7, CPUID_EBX, 0))
		v |= CR4_FSGSBASE;
	if (cpu_has(cpu, 7, CPUID_EBX, 7))
		v |= CR4_SMEP;
	if (cpu_has(cpu, 7, CPUID_EBX, 20))
		v |= CR4_SMAP;
	if (cpu_has(cpu, 1, CPUID_ECX, 17))
		v |= CR4_PCIDE;
	return v;
}

bool cr4_write(struct cpu *cpu, uint64_t v)
{
	uint64_t old = cpu->cr4, changed = v ^ old;

	if (v & ~cr4_allowed(cpu) || (is_long(cpu) && !(v & CR4_PAE)) ||
	    (changed & v & CR4_PCIDE &&
	     (!is_long(cpu) || cpu->cr3 & CR3_PCID)))
		return refuse(cpu);
	cpu->cr4 = v;
	if (changed & (CR4_PGE | CR4_PAE | CR4_PSE | CR4_SMEP) &&
	    mmu_is_pae(cpu) && !mmu_load_pdptes(cpu, cpu->cr3)) {
		cpu->cr4 = old;
		return refuse(cpu);
	}
	if (changed & (CR4_PGE | CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP |
		       CR4_PCIDE))
		mmu_flush_all(cpu);
	cpu_mode_changed(cpu);
	return true;
}

uint64_t cr8_read(const struct cpu *cpu)
{
	return cpu->lapic ? lapic_tpr(cpu->lapic) >> 4 : cpu->cr8;
}

bool cr8_write(struct cpu *cpu, uint64_t v)
{
	if (v > 15)
		return refuse(cpu);
	cpu->cr8 = v;
	if (cpu->lapic)
		lapic_set_tpr(cpu->lapic, (uint8_t)(v << 4));
	return true;
}
