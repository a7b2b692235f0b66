/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flagops.c - PUSHF, POPF, CLI, STI, HLT and interrupts by instruction: Intel SDM
 * volume 2 (tables of CLI, STI, POPF), volume 3, 20.3 (virtual-8086 mode) and
 * 20.4 (protected-mode virtual interrupts).
 */
#include "sys.h"

#include "vmm/vm.h"

#define FLAGS_USER	0x4dd5u	/* CF PF AF ZF SF TF DF OF NT */

void eflags_replace(struct cpu *cpu, uint64_t v, uint64_t mask)
{
	eflags_set(cpu, (eflags_get(cpu) & ~mask) | (v & mask));
}

/* IF, IOPL and their like are not the program's here. */
static bool is_vm86_limited(const struct cpu *cpu)
{
	return cpu->mode & MODE_VM86 && iopl(cpu) < 3;
}

static enum done op_pushf(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = eflags_get(cpu) & ~(uint64_t)(EFL_VM | EFL_RF);

	if (is_vm86_limited(cpu)) {
		if (!(cpu->cr4 & CR4_VME) || u->osize != 1)
			return raise_gp(cpu, 0);
		v &= ~(uint64_t)EFL_IF;
		v |= EFL_IOPL | (v & EFL_VIF ? EFL_IF : 0u);
	}
	return push(cpu, u->osize, v) ? DONE : DONE_FAULT;
}

static uint64_t popf_mask(const struct cpu *cpu, unsigned osize)
{
	unsigned cpl = cpu_cpl(cpu);
	uint64_t mask = FLAGS_USER;

	if (osize > 1)
		mask |= EFL_AC | EFL_ID | EFL_RF;
	if (cpl <= iopl(cpu))
		mask |= EFL_IF;
	if (!cpl)
		mask |= EFL_IOPL;
	return mask;
}

/* After a change of EFLAGS: is there something that the block does not know? */
static enum done flags_changed(struct cpu *cpu, uint64_t before)
{
	uint64_t changed = before ^ cpu->eflags;

	if (changed & (EFL_TF | EFL_AC)) {
		cpu_mode_changed(cpu);
		return DONE_LEAVE;
	}
	return changed & cpu->eflags & EFL_IF ? DONE_LEAVE : DONE;
}

static enum done op_popf(struct cpu *cpu, const struct uop *u)
{
	uint64_t rsp = cpu->gpr[CPU_RSP], before = cpu->eflags, v;
	uint64_t mask = popf_mask(cpu, u->osize);
	bool limited = is_vm86_limited(cpu);

	if (limited && (!(cpu->cr4 & CR4_VME) || u->osize != 1))
		return raise_gp(cpu, 0);
	if (!pop(cpu, u->osize, &v))
		return DONE_FAULT;
	if (limited) {
		if (v & EFL_TF || (v & EFL_IF && cpu->eflags & EFL_VIP)) {
			cpu->gpr[CPU_RSP] = rsp;
			return raise_gp(cpu, 0);
		}
		v |= v & EFL_IF ? EFL_VIF : 0u;
		mask = FLAGS_USER | EFL_VIF;
	}
	/* RF is cleared. */
	eflags_replace(cpu, v & ~(uint64_t)EFL_RF, mask);
	return flags_changed(cpu, before);
}

/* Does CLI or STI work on VIF? */
static bool has_virtual_if(const struct cpu *cpu)
{
	if (cpu->mode & MODE_VM86)
		return cpu->cr4 & CR4_VME;
	return cpu->cr4 & CR4_PVI && cpu_cpl(cpu) == 3;
}

static enum done op_cli(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	if (cpu_cpl(cpu) <= iopl(cpu)) {
		cpu->eflags &= ~(uint64_t)EFL_IF;
		return DONE;
	}
	if (!has_virtual_if(cpu))
		return raise_gp(cpu, 0);
	cpu->eflags &= ~(uint64_t)EFL_VIF;
	return DONE;
}

/* Interrupts wait until the next instruction has ended. */
static enum done op_sti(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	if (cpu_cpl(cpu) <= iopl(cpu)) {
		if (cpu->eflags & EFL_IF)
			return DONE;
		cpu->eflags |= EFL_IF;
		cpu->block_irq = true;
		return DONE_LEAVE;
	}
	if (!has_virtual_if(cpu) || cpu->eflags & EFL_VIP)
		return raise_gp(cpu, 0);
	cpu->eflags |= EFL_VIF;
	return DONE;
}

static enum done op_hlt(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	if (!need_cpl0(cpu))
		return DONE_FAULT;
	cpu->halted = true;
	return DONE_LEAVE;
}

/* It waits for another CPU, whose turn it is then: two loops that take and give a
 * lock in step with the slices would have it forever.
 */
static enum done op_pause(struct cpu *cpu, const struct uop *u)
{
	const struct vm *vm = cpu->soft->vm;

	(void)u;
	if (!vm || vm->config.topology.cpus == 1)
		return DONE;
	cpu_kick(cpu, EVENT_YIELD);
	return DONE_LEAVE;
}

static enum done op_int3(struct cpu *cpu, const struct uop *u)
{
	if (debug_takes(cpu, EXC_BP))
		return cpu_raise(cpu, EXC_BP);
	return int_software(cpu, u, EXC_BP);
}

static enum done op_into(struct cpu *cpu, const struct uop *u)
{
	return flag_o(cpu) ? int_software(cpu, u, EXC_OF) : DONE;
}

static enum done op_int(struct cpu *cpu, const struct uop *u)
{
	return int_vm86(cpu, u, (uint8_t)u->imm);
}

/* SMAP's flag. */

static enum done set_ac(struct cpu *cpu, uint64_t ac)
{
	uint64_t before = cpu->eflags;

	if (cpu_cpl(cpu))
		return raise_ud(cpu);
	cpu->eflags = (cpu->eflags & ~(uint64_t)EFL_AC) | ac;
	return flags_changed(cpu, before);
}

static enum done op_clac(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	return set_ac(cpu, 0);
}

static enum done op_stac(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	return set_ac(cpu, EFL_AC);
}

op_fn *flagop_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_PUSHF: return op_pushf;
	case OP_POPF: return op_popf;
	case OP_CLI: return op_cli;
	case OP_STI: return op_sti;
	case OP_HLT: return op_hlt;
	case OP_PAUSE: return op_pause;
	case OP_INT3: return op_int3;
	case OP_INTO: return op_into;
	case OP_INT: return op_int;
	case OP_INT1: return int_icebp;
	case OP_CLAC: return op_clac;
	case OP_STAC: return op_stac;
	default: return NULL;
	}
}
