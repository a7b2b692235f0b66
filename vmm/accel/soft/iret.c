/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iret.c - IRET in all modes: Intel SDM volume 2, IRET. */
#include "sys.h"

#define FLAGS_USER	0x4dd5u	/* CF PF AF ZF SF TF DF OF NT */

/* What was popped. */
struct frame {
	uint64_t rip, cs, eflags;
	struct stack st;	/* behind these three */
};

static bool frame_pop(struct cpu *cpu, const struct uop *u, struct frame *f)
{
	stack_now(cpu, &f->st, cpu_code(cpu) == CODE_64);
	return stack_pop(&f->st, u->osize, &f->rip) &&
	       stack_pop(&f->st, u->osize, &f->cs) &&
	       stack_pop(&f->st, u->osize, &f->eflags);
}

/* RF matters only where instruction breakpoints are; without them it would stay
 * longer than one instruction.
 */
static uint64_t rf_mask(const struct cpu *cpu)
{
	return cpu->dr[7] & DR7_ENABLED ? EFL_RF : 0;
}

/* Bits of EFLAGS that an IRET in protected mode may change at the privilege which
 * it leaves.
 */
static uint64_t flags_mask(const struct cpu *cpu, unsigned osize)
{
	unsigned cpl = cpu_cpl(cpu);
	uint64_t mask = FLAGS_USER;

	if (osize > 1)
		mask |= EFL_AC | EFL_ID | rf_mask(cpu);
	if (cpl <= iopl(cpu))
		mask |= EFL_IF;
	if (!cpl) {
		mask |= EFL_IOPL;
		if (osize > 1)
			mask |= EFL_VIF | EFL_VIP;
	}
	return mask;
}

/* An NMI may have come meanwhile. */
static void unblock_nmi(struct cpu *cpu)
{
	if (cpu->block_nmi)
		cpu_kick(cpu, EVENT_NMI);
	cpu->block_nmi = false;
}

static enum done finish(struct cpu *cpu)
{
	unblock_nmi(cpu);
	cpu_mode_changed(cpu);
	return DONE_JUMP;
}

static enum done iret_old(struct cpu *cpu, const struct uop *u, uint64_t mask)
{
	struct frame f;

	if (!frame_pop(cpu, u, &f))
		return DONE_FAULT;
	if (f.rip > cpu->seg[CPU_CS].limit)
		return raise_gp(cpu, 0);
	stack_set_sp(cpu, &f.st);
	seg_load_old(cpu, CPU_CS, (uint16_t)f.cs);
	cpu->rip = f.rip;
	if (u->osize > 1)
		mask |= EFL_AC | EFL_ID | rf_mask(cpu);
	eflags_replace(cpu, f.eflags, mask);
	return finish(cpu);
}

/* IOPL below 3: only with VME, and only 16 bits. */
static enum done iret_vm86(struct cpu *cpu, const struct uop *u)
{
	struct frame f;

	if (iopl(cpu) == 3)
		return iret_old(cpu, u, FLAGS_USER | EFL_IF);
	if (!(cpu->cr4 & CR4_VME) || u->osize != 1)
		return raise_gp(cpu, 0);
	if (!frame_pop(cpu, u, &f))
		return DONE_FAULT;
	if (f.eflags & EFL_TF ||
	    (f.eflags & EFL_IF && cpu->eflags & EFL_VIP) ||
	    f.rip > cpu->seg[CPU_CS].limit)
		return raise_gp(cpu, 0);
	stack_set_sp(cpu, &f.st);
	seg_load_old(cpu, CPU_CS, (uint16_t)f.cs);
	cpu->rip = f.rip;
	f.eflags |= f.eflags & EFL_IF ? EFL_VIF : 0u;
	eflags_replace(cpu, f.eflags, FLAGS_USER | EFL_VIF);
	return finish(cpu);
}

/* Back to the task that the running one is nested in. */
static enum done iret_task(struct cpu *cpu, const struct uop *u)
{
	uint64_t lin = (uint32_t)cpu->tr.base;
	uint16_t selector;
	struct desc d;

	if (is_long(cpu))
		return raise_gp(cpu, 0);
	if (!mem_load(cpu, lin, &selector, 2, ACCESS_READ | ACCESS_SYSTEM))
		return DONE_FAULT;
	if (selector & SEL_TI)
		return raise_sel(cpu, EXC_TS, selector), DONE_FAULT;
	if (!desc_read(cpu, selector, EXC_TS, false, &d))
		return DONE_FAULT;
	if (desc_type(&d) != SYS_TSS16_BUSY && desc_type(&d) != SYS_TSS32_BUSY)
		return raise_sel(cpu, EXC_TS, selector), DONE_FAULT;
	if (!(d.attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, selector), DONE_FAULT;
	if (!task_switch(cpu, &d, TASK_IRET, rip_next(cpu, u)))
		return DONE_FAULT;
	unblock_nmi(cpu);
	return DONE_JUMP;
}

static enum done to_vm86(struct cpu *cpu, struct frame *f)
{
	static const uint8_t order[] = { CPU_SS, CPU_ES, CPU_DS, CPU_FS,
					 CPU_GS };
	uint64_t sp, sel[5];

	if (!stack_pop(&f->st, 2, &sp))
		return DONE_FAULT;
	for (unsigned i = 0; i < 5; i++)
		if (!stack_pop(&f->st, 2, &sel[i]))
			return DONE_FAULT;
	if (f->rip > 0xffff)
		return raise_gp(cpu, 0);
	eflags_replace(cpu, f->eflags, FLAGS_USER | EFL_IF | EFL_IOPL |
		       EFL_AC | EFL_ID | EFL_VIF | EFL_VIP | EFL_VM |
		       rf_mask(cpu));
	cpu->mode |= MODE_VM86;
	for (unsigned i = 0; i < 5; i++)
		seg_load_old(cpu, order[i], (uint16_t)sel[i]);
	seg_load_old(cpu, CPU_CS, (uint16_t)f->cs);
	SET_REG32(cpu, REG_OFF(CPU_RSP), sp);
	cpu->rip = f->rip;
	return finish(cpu);
}

static enum done iret_protected(struct cpu *cpu, const struct uop *u)
{
	bool from64 = cpu_code(cpu) == CODE_64, outer;
	struct cpu_segment cs, ss = cpu->seg[CPU_SS];
	uint64_t mask = flags_mask(cpu, u->osize), sp = 0, ss_sel;
	struct stack new;
	struct frame f;
	struct desc d;
	unsigned rpl;

	if (!frame_pop(cpu, u, &f))
		return DONE_FAULT;
	if (f.eflags & EFL_VM && u->osize == 2 && !cpu_cpl(cpu) &&
	    !is_long(cpu))
		return to_vm86(cpu, &f);
	if (!ret_check_code(cpu, (uint16_t)f.cs, &d))
		return DONE_FAULT;
	rpl = SEL_RPL((unsigned)f.cs);
	outer = rpl > cpu_cpl(cpu);
	if ((outer || from64) &&
	    (!stack_pop(&f.st, u->osize, &sp) ||
	     !stack_pop(&f.st, u->osize, &ss_sel) ||
	     !ret_stack(cpu, (uint16_t)ss_sel, &d, rpl, &ss)))
		return DONE_FAULT;
	desc_segment(&d, &cs);
	if (!code_check_target(cpu, &cs, f.rip) || !desc_mark_accessed(cpu, &d))
		return DONE_FAULT;
	if (outer || from64) {
		cpu->seg[CPU_SS] = ss;
		stack_other(cpu, &new, &ss, sp,
			    is_long(cpu) && d.attr & ATTR_L, rpl);
		stack_set_sp(cpu, &new);
	} else {
		stack_set_sp(cpu, &f.st);
	}
	code_set(cpu, &d, rpl, f.rip);
	eflags_replace(cpu, f.eflags, mask);
	cpu_mode_changed(cpu);
	if (outer) {
		seg_drop_inner(cpu);
		cpu_mode_changed(cpu);
	}
	unblock_nmi(cpu);
	return DONE_JUMP;
}

enum done op_iret(struct cpu *cpu, const struct uop *u)
{
	if (cpu->mode & MODE_REAL)
		return iret_old(cpu, u, FLAGS_USER | EFL_IF | EFL_IOPL);
	if (cpu->mode & MODE_VM86)
		return iret_vm86(cpu, u);
	if (cpu->eflags & EFL_NT)
		return iret_task(cpu, u);
	return iret_protected(cpu, u);
}
