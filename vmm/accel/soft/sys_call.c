/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys_call.c - SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS and the bases of FS and
 * GS: Intel SDM volume 2.
 */
#include "sys.h"
#include "sys_cr.h"

#define CODE64_0	0xa09bu
#define CODE32_0	0xc09bu
#define DATA_0		0xc093u
#define DPL_3		0x0060u

/* Flat CS and SS, whatever the descriptors say. */
static void set_flat(struct cpu *cpu, unsigned cs, uint32_t cs_attr,
		     unsigned ss, uint32_t ss_attr)
{
	cpu->seg[CPU_CS] = (struct cpu_segment){
		.limit = UINT32_MAX, .attr = cs_attr, .selector = (uint16_t)cs };
	cpu->seg[CPU_SS] = (struct cpu_segment){
		.limit = UINT32_MAX, .attr = ss_attr, .selector = (uint16_t)ss };
	cpu_mode_changed(cpu);
}

/* In compatibility mode SYSCALL is AMD's alone: who has set CSTAR wants it, and
 * nobody else is led to address 0.
 */
static bool has_syscall(const struct cpu *cpu)
{
	if (!(cpu->efer & CPU_EFER_SCE) || !is_long(cpu))
		return false;
	return cpu_code(cpu) == CODE_64 || cpu->cstar;
}

/* The step is that of the flags which it leaves, not of those it finds. */
static enum done op_syscall(struct cpu *cpu, const struct uop *u)
{
	unsigned cs = cpu->star >> 32 & 0xfffc;

	if (!has_syscall(cpu))
		return raise_ud(cpu);
	cpu->gpr[CPU_RCX] = rip_next(cpu, u);
	cpu->gpr[11] = eflags_get(cpu) & ~(uint64_t)EFL_RF;
	cpu->rip = cpu_code(cpu) == CODE_64 ? cpu->lstar : cpu->cstar;
	eflags_set(cpu, eflags_get(cpu) & ~(cpu->fmask | EFL_RF));
	cpu->no_step = !(cpu->eflags & EFL_TF);
	set_flat(cpu, cs, CODE64_0, cs + 8, DATA_0);
	return DONE_JUMP;
}

static enum done raise_step(struct cpu *cpu)
{
	cpu_raise(cpu, EXC_DB);
	cpu->fault.dr6 = DR6_BS;
	cpu->fault.in_place = true;
	return DONE_FAULT;
}

static enum done op_sysret(struct cpu *cpu, const struct uop *u)
{
	unsigned base = (unsigned)(cpu->star >> 48);
	uint64_t rip = cpu->gpr[CPU_RCX];
	bool wide = u->osize == 3;

	if (!(cpu->efer & CPU_EFER_SCE))
		return raise_ud(cpu);
	if (!need_cpl0(cpu))
		return DONE_FAULT;
	if (wide && !canonical(rip))
		return raise_gp(cpu, 0);
	cpu->rip = wide ? rip : (uint32_t)rip;
	eflags_set(cpu, cpu->gpr[11] & 0x3c7fd7);
	set_flat(cpu, (base + (wide ? 16 : 0)) | 3,
		 (wide ? CODE64_0 : CODE32_0) | DPL_3, (base + 8) | 3,
		 DATA_0 | DPL_3);
	return cpu->eflags & EFL_TF ? raise_step(cpu) : DONE_JUMP;
}

static enum done op_sysenter(struct cpu *cpu, const struct uop *u)
{
	unsigned cs = cpu->sysenter_cs & 0xfffc;

	(void)u;
	if (cpu->mode & MODE_REAL || !cs)
		return raise_gp(cpu, 0);
	cpu->eflags &= ~(uint64_t)(EFL_VM | EFL_IF | EFL_RF);
	cpu->rip = cpu->sysenter_eip;
	cpu->gpr[CPU_RSP] = cpu->sysenter_esp;
	if (!is_long(cpu)) {
		cpu->rip = (uint32_t)cpu->rip;
		cpu->gpr[CPU_RSP] = (uint32_t)cpu->gpr[CPU_RSP];
	}
	set_flat(cpu, cs, is_long(cpu) ? CODE64_0 : CODE32_0, cs + 8, DATA_0);
	return DONE_JUMP;
}

static enum done op_sysexit(struct cpu *cpu, const struct uop *u)
{
	unsigned cs = cpu->sysenter_cs & 0xfffc;
	uint64_t rip = cpu->gpr[CPU_RDX], rsp = cpu->gpr[CPU_RCX];
	bool wide = u->osize == 3;

	if (cpu->mode & MODE_REAL || !cs || cpu_cpl(cpu) ||
	    (wide && (!canonical(rip) || !canonical(rsp))))
		return raise_gp(cpu, 0);
	cpu->rip = wide ? rip : (uint32_t)rip;
	cpu->gpr[CPU_RSP] = wide ? rsp : (uint32_t)rsp;
	set_flat(cpu, (cs + (wide ? 32 : 16)) | 3,
		 (wide ? CODE64_0 : CODE32_0) | DPL_3,
		 (cs + (wide ? 40 : 24)) | 3, DATA_0 | DPL_3);
	return DONE_JUMP;
}

static enum done op_swapgs(struct cpu *cpu, const struct uop *u)
{
	uint64_t base = cpu->seg[CPU_GS].base;

	(void)u;
	if (!need_cpl0(cpu))
		return DONE_FAULT;
	cpu->seg[CPU_GS].base = cpu->kernel_gs_base;
	cpu->kernel_gs_base = base;
	return DONE;
}

static enum done read_base(struct cpu *cpu, const struct uop *u, unsigned seg)
{
	if (!(cpu->cr4 & CR4_FSGSBASE))
		return raise_ud(cpu);
	reg_set(cpu, u->dst, u->osize, cpu->seg[seg].base);
	return DONE;
}

static enum done write_base(struct cpu *cpu, const struct uop *u, unsigned seg)
{
	uint64_t v = reg_get(cpu, u->dst, u->osize);

	if (!(cpu->cr4 & CR4_FSGSBASE))
		return raise_ud(cpu);
	if (!canonical(v))
		return raise_gp(cpu, 0);
	cpu->seg[seg].base = v;
	return DONE;
}

static enum done op_rdfsbase(struct cpu *cpu, const struct uop *u)
{
	return read_base(cpu, u, CPU_FS);
}

static enum done op_rdgsbase(struct cpu *cpu, const struct uop *u)
{
	return read_base(cpu, u, CPU_GS);
}

static enum done op_wrfsbase(struct cpu *cpu, const struct uop *u)
{
	return write_base(cpu, u, CPU_FS);
}

static enum done op_wrgsbase(struct cpu *cpu, const struct uop *u)
{
	return write_base(cpu, u, CPU_GS);
}

op_fn *call_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_SYSCALL: return op_syscall;
	case OP_SYSRET: return op_sysret;
	case OP_SYSENTER: return op_sysenter;
	case OP_SYSEXIT: return op_sysexit;
	case OP_SWAPGS: return op_swapgs;
	case OP_RDFSBASE: return op_rdfsbase;
	case OP_RDGSBASE: return op_rdgsbase;
	case OP_WRFSBASE: return op_wrfsbase;
	case OP_WRGSBASE: return op_wrgsbase;
	default: return NULL;
	}
}
