/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu.c - make a software CPU, set and read its state, and keep the mode that its
 * decoded code depends on.
 */
#include "soft.h"

#include <errno.h>
#include <stdlib.h>

#include "block.h"
#include "flags.h"
#include "vmm/vm.h"

#define CR4_OSFXSR	0x200u

/* A segment whose offsets are linear and that allows all it should. */
static bool is_flat_data(const struct cpu_segment *s)
{
	return !(s->attr & CPU_SEG_UNUSABLE) && !s->base &&
	       s->limit == UINT32_MAX && (s->attr & 0xe) == 2;
}

static bool is_flat_code(const struct cpu_segment *s)
{
	return !s->base && s->limit == UINT32_MAX && (s->attr & 0xa) == 0xa;
}

static uint32_t code_mode(const struct cpu *cpu)
{
	const struct cpu_segment *cs = &cpu->seg[CPU_CS];

	if (cpu->efer & CPU_EFER_LMA && cs->attr & 1u << 13)
		return CODE_64;
	return cs->attr & 1u << 14 ? CODE_32 : CODE_16;
}

static unsigned privilege(const struct cpu *cpu)
{
	if (!(cpu->cr0 & CPU_CR0_PE))
		return 0;
	if (cpu->eflags & EFL_VM)
		return 3;
	return cpu->seg[CPU_SS].attr >> 5 & 3;
}

static void tell_watch(struct cpu *cpu, uint32_t m, unsigned cpl)
{
	unsigned seen = 0;

	if (!(m & MODE_REAL))
		seen |= WATCH_PROTECTED;
	if (m & MODE_PAGING)
		seen |= WATCH_PAGING;
	if (m & MODE_LONG)
		seen |= WATCH_LONG;
	if (m & MODE_PAGING && cpl == 3 && !(m & MODE_VM86))
		seen |= WATCH_USER;
	if (seen & ~(unsigned)atomic_load_explicit(&cpu->vcpu->seen,
						   memory_order_relaxed))
		cpu_time(cpu);
	watch_mode(cpu->soft->vm, &cpu->vcpu->seen, seen);
}

void cpu_mode_changed(struct cpu *cpu)
{
	uint32_t m = code_mode(cpu);
	unsigned cpl = privilege(cpu);

	m |= cpl << MODE_CPL_SHIFT;
	if (cpu->seg[CPU_SS].attr & 1u << 14)
		m |= MODE_STACK32;
	if (!(cpu->cr0 & CPU_CR0_PE))
		m |= MODE_REAL;
	else if (cpu->eflags & EFL_VM)
		m |= MODE_VM86;
	if (cpu->efer & CPU_EFER_LMA)
		m |= MODE_LONG;
	if (cpu->cr0 & CPU_CR0_PG)
		m |= MODE_PAGING;
	if (is_flat_code(&cpu->seg[CPU_CS]) &&
	    is_flat_data(&cpu->seg[CPU_DS]) &&
	    is_flat_data(&cpu->seg[CPU_ES]) && is_flat_data(&cpu->seg[CPU_SS]))
		m |= MODE_FLAT;
	if (cpu->cr0 & CPU_CR0_EM)
		m |= MODE_EM;
	if (cpu->cr0 & CPU_CR0_TS)
		m |= MODE_TS;
	if (cpu->cr0 & CPU_CR0_MP)
		m |= MODE_MP;
	if (cpu->cr4 & CR4_OSFXSR)
		m |= MODE_OSFXSR;
	if (cpl == 3 && cpu->cr0 & CPU_CR0_AM && cpu->eflags & EFL_AC)
		m |= MODE_AC;
	if (debug_is_on(cpu))
		m |= MODE_STEP;
	cpu->mode = m;
	cpu->ea_mask = (m & MODE_CODE) == CODE_64 ? UINT64_MAX : UINT32_MAX;
	mmu_select(cpu);
	if (cpu->vcpu)
		tell_watch(cpu, m, cpl);
}

int cpu_init(struct cpu *cpu, struct soft *soft)
{
	int rc;

	memset(cpu, 0, sizeof(*cpu));
	cpu->soft = soft;
	cpu->phys_bits = 46;
	cpu->has_gb_pages = true;
	cpu->single = calloc(1, sizeof(struct block) +
				BLOCK_UOPS * sizeof(struct uop));
	if (!cpu->single)
		return -ENOMEM;
	rc = mmu_init(cpu);
	if (rc)
		free(cpu->single);
	return rc;
}

void cpu_fini(struct cpu *cpu)
{
	mmu_fini(cpu);
	free(cpu->single);
}

void cpu_set_state(struct cpu *cpu, const struct cpu_state *s)
{
	memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
	memcpy(cpu->seg, s->seg, sizeof(cpu->seg));
	memcpy(cpu->dr, s->dr, sizeof(cpu->dr));
	cpu->ldtr = s->ldtr;
	cpu->tr = s->tr;
	cpu->gdtr.base = s->gdtr.base;
	cpu->gdtr.limit = s->gdtr.limit;
	cpu->idtr.base = s->idtr.base;
	cpu->idtr.limit = s->idtr.limit;
	cpu->rip = s->rip;
	eflags_set(cpu, s->rflags);
	cpu->cr0 = s->cr0;
	cpu->cr2 = s->cr2;
	cpu->cr4 = s->cr4;
	cpu->cr8 = s->cr8;
	cpu->efer = s->efer;
	cpu->apic_base = s->apic_base;
	cpu->star = s->star;
	cpu->lstar = s->lstar;
	cpu->cstar = s->cstar;
	cpu->fmask = s->fmask;
	cpu->kernel_gs_base = s->kernel_gs_base;
	cpu->sysenter_cs = s->sysenter_cs;
	cpu->sysenter_esp = s->sysenter_esp;
	cpu->sysenter_eip = s->sysenter_eip;
	cpu->tsc_aux = s->tsc_aux;
	cpu->pat = s->pat;
	fpu_set(&cpu->fpu, s->fxsave);
	cpu->block_irq = cpu->block_db = cpu->halted = false;
	cpu->block_nmi = false;
	mmu_load_cr3(cpu, s->cr3);
	debug_changed(cpu);
}

void cpu_get_state(const struct cpu *cpu, struct cpu_state *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->gpr, cpu->gpr, sizeof(cpu->gpr));
	memcpy(s->seg, cpu->seg, sizeof(cpu->seg));
	memcpy(s->dr, cpu->dr, sizeof(cpu->dr));
	s->ldtr = cpu->ldtr;
	s->tr = cpu->tr;
	s->gdtr.base = cpu->gdtr.base;
	s->gdtr.limit = cpu->gdtr.limit;
	s->idtr.base = cpu->idtr.base;
	s->idtr.limit = cpu->idtr.limit;
	s->rip = cpu->rip;
	s->rflags = eflags_get(cpu);
	s->cr0 = cpu->cr0;
	s->cr2 = cpu->cr2;
	s->cr3 = cpu->cr3;
	s->cr4 = cpu->cr4;
	s->cr8 = cpu->cr8;
	s->efer = cpu->efer;
	s->apic_base = cpu->apic_base;
	s->star = cpu->star;
	s->lstar = cpu->lstar;
	s->cstar = cpu->cstar;
	s->fmask = cpu->fmask;
	s->kernel_gs_base = cpu->kernel_gs_base;
	s->sysenter_cs = cpu->sysenter_cs;
	s->sysenter_esp = cpu->sysenter_esp;
	s->sysenter_eip = cpu->sysenter_eip;
	s->tsc_aux = cpu->tsc_aux;
	s->pat = cpu->pat;
	fpu_get(&cpu->fpu, s->fxsave);
}
