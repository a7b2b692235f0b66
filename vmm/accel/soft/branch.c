/* SPDX-License-Identifier: GPL-2.0-or-later */
/* branch.c - near jumps, calls and returns, and the stack: their general forms.
 * Intel SDM volume 2.
 */
#include "int.h"

/* Go on at `target` in CS, if that may be. */
static bool target_ok(struct cpu *cpu, uint64_t target)
{
	bool ok = cpu_code(cpu) == CODE_64 ?
		(uint64_t)((int64_t)(target << 16) >> 16) == target :
		target <= cpu->seg[CPU_CS].limit;

	if (!ok)
		raise_gp(cpu, 0);
	return ok;
}

static uint64_t cut_target(const struct uop *u, uint64_t target)
{
	return u->osize == 3 ? target : u->osize == 2 ? (uint32_t)target :
							 (uint16_t)target;
}

static enum done jump(struct cpu *cpu, const struct uop *u, uint64_t target)
{
	target = cut_target(u, target);
	if (!target_ok(cpu, target))
		return DONE_FAULT;
	cpu->rip = target;
	return DONE_JUMP;
}

static uint64_t relative(const struct cpu *cpu, const struct uop *u)
{
	return rip_next(cpu, u) + (uint64_t)(int64_t)u->imm;
}

static enum done op_jmp(struct cpu *cpu, const struct uop *u)
{
	return jump(cpu, u, relative(cpu, u));
}

static enum done op_jcc(struct cpu *cpu, const struct uop *u)
{
	if (flag_cond(cpu, u->src))
		return jump(cpu, u, relative(cpu, u));
	cpu->rip = rip_next(cpu, u);
	return DONE_JUMP;
}

static enum done op_jmp_ind(struct cpu *cpu, const struct uop *u)
{
	uint64_t target;

	return dst_get(cpu, u, &target) ? jump(cpu, u, target) : DONE_FAULT;
}

static enum done call(struct cpu *cpu, const struct uop *u, uint64_t target)
{
	target = cut_target(u, target);
	if (!target_ok(cpu, target) || !push(cpu, u->osize, rip_next(cpu, u)))
		return DONE_FAULT;
	cpu->rip = target;
	return DONE_JUMP;
}

static enum done op_call(struct cpu *cpu, const struct uop *u)
{
	return call(cpu, u, relative(cpu, u));
}

static enum done op_call_ind(struct cpu *cpu, const struct uop *u)
{
	uint64_t target;

	return dst_get(cpu, u, &target) ? call(cpu, u, target) : DONE_FAULT;
}

/* Add to rSP as wide as the stack is. */
static void drop(struct cpu *cpu, uint64_t bytes)
{
	uint64_t sp = cpu->gpr[CPU_RSP] + bytes;

	if (cpu_code(cpu) == CODE_64)
		cpu->gpr[CPU_RSP] = sp;
	else if (cpu->mode & MODE_STACK32)
		cpu->gpr[CPU_RSP] = (uint32_t)sp;
	else
		REG16(cpu, REG_OFF(CPU_RSP)) = (uint16_t)sp;
}

static enum done op_ret(struct cpu *cpu, const struct uop *u)
{
	uint64_t sp = cpu->gpr[CPU_RSP], target;

	if (!pop(cpu, u->osize, &target))
		return DONE_FAULT;
	if (jump(cpu, u, target) == DONE_FAULT) {
		cpu->gpr[CPU_RSP] = sp;
		return DONE_FAULT;
	}
	drop(cpu, (uint16_t)u->imm);
	return DONE_JUMP;
}

/* LOOP and JCXZ count in CX, ECX or RCX, by the address size. */
static enum done loop(struct cpu *cpu, const struct uop *u, bool also)
{
	uint64_t count = reg_get(cpu, REG_OFF(CPU_RCX), u->asize) - 1;
	enum done done = DONE_JUMP;

	if (u->asize < 3)
		count = cut(count, 8u << u->asize);
	if (count && also)
		done = jump(cpu, u, relative(cpu, u));
	else
		cpu->rip = rip_next(cpu, u);
	if (done != DONE_FAULT)
		reg_set(cpu, REG_OFF(CPU_RCX), u->asize, count);
	return done;
}

static enum done op_loop(struct cpu *cpu, const struct uop *u)
{
	return loop(cpu, u, true);
}

static enum done op_loope(struct cpu *cpu, const struct uop *u)
{
	return loop(cpu, u, flag_z(cpu));
}

static enum done op_loopne(struct cpu *cpu, const struct uop *u)
{
	return loop(cpu, u, !flag_z(cpu));
}

static enum done op_jcxz(struct cpu *cpu, const struct uop *u)
{
	if (!reg_get(cpu, REG_OFF(CPU_RCX), u->asize))
		return jump(cpu, u, relative(cpu, u));
	cpu->rip = rip_next(cpu, u);
	return DONE_JUMP;
}

/* The stack. */

static enum done op_push(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = (uint64_t)(int64_t)u->imm;

	if (u->dst != SRC_IMM && !dst_get(cpu, u, &v))
		return DONE_FAULT;
	return push(cpu, u->osize, v) ? DONE : DONE_FAULT;
}

/* An address with rSP uses its new value; a popped rSP is not counted up. */
static enum done op_pop(struct cpu *cpu, const struct uop *u)
{
	uint64_t sp = cpu->gpr[CPU_RSP], v;

	if (!pop(cpu, u->osize, &v))
		return DONE_FAULT;
	if (!dst_put(cpu, u, v)) {
		cpu->gpr[CPU_RSP] = sp;
		return DONE_FAULT;
	}
	return DONE;
}

static enum done op_pusha(struct cpu *cpu, const struct uop *u)
{
	uint64_t sp = cpu->gpr[CPU_RSP];

	for (unsigned i = 0; i < 8; i++) {
		uint64_t v = i == CPU_RSP ? sp : cpu->gpr[i];

		if (!push(cpu, u->osize, v)) {
			cpu->gpr[CPU_RSP] = sp;
			return DONE_FAULT;
		}
	}
	return DONE;
}

static enum done op_popa(struct cpu *cpu, const struct uop *u)
{
	uint64_t sp = cpu->gpr[CPU_RSP], v[8];

	for (unsigned i = 8; i-- > 0;) {
		if (!pop(cpu, u->osize, &v[i])) {
			cpu->gpr[CPU_RSP] = sp;
			return DONE_FAULT;
		}
	}
	for (unsigned i = 0; i < 8; i++)
		if (i != CPU_RSP)
			reg_set(cpu, REG_OFF(i), u->osize, v[i]);
	return DONE;
}

static uint64_t stack_offset(const struct cpu *cpu, uint64_t v)
{
	return cpu_code(cpu) == CODE_64 ? v :
	       cpu->mode & MODE_STACK32 ? (uint32_t)v : (uint16_t)v;
}

/* Nested frames: SDM volume 2, ENTER.  The last write is checked, not done. */
static enum done op_enter(struct cpu *cpu, const struct uop *u)
{
	unsigned level = (unsigned)u->imm >> 16 & 31, size = op_bytes(u);
	uint64_t sp = cpu->gpr[CPU_RSP], bp = cpu->gpr[CPU_RBP], frame, v, lin;

	if (!push(cpu, u->osize, bp))
		return DONE_FAULT;
	frame = cpu->gpr[CPU_RSP];
	for (unsigned i = 1; i < level; i++) {
		v = 0;
		bp -= size;
		if (!seg_lin(cpu, CPU_SS, stack_offset(cpu, bp), size,
			     ACCESS_READ, &lin) ||
		    !mem_load(cpu, lin, &v, size, ACCESS_READ) ||
		    !push(cpu, u->osize, v))
			goto undo;
	}
	if (level && !push(cpu, u->osize, frame))
		goto undo;
	drop(cpu, -(uint64_t)(u->imm & 0xffff));
	if (!seg_lin(cpu, CPU_SS, stack_offset(cpu, cpu->gpr[CPU_RSP]), size,
		     ACCESS_WRITE, &lin) ||
	    !mem_check(cpu, lin, size, ACCESS_WRITE))
		goto undo;
	reg_set(cpu, REG_OFF(CPU_RBP), u->osize, frame);
	return DONE;
undo:
	cpu->gpr[CPU_RSP] = sp;
	return DONE_FAULT;
}

static enum done op_leave(struct cpu *cpu, const struct uop *u)
{
	uint64_t sp = cpu->gpr[CPU_RSP], v;

	drop(cpu, cpu->gpr[CPU_RBP] - sp);
	if (!pop(cpu, u->osize, &v)) {
		cpu->gpr[CPU_RSP] = sp;
		return DONE_FAULT;
	}
	reg_set(cpu, REG_OFF(CPU_RBP), u->osize, v);
	return DONE;
}

static enum done op_bound(struct cpu *cpu, const struct uop *u)
{
	unsigned bits = op_bits(u);
	int64_t i = (int64_t)SIGN_EXTEND(reg_get(cpu, u->dst, u->osize), bits);
	uint8_t pair[8];
	uint64_t low = 0, high = 0;

	if (!op_load_parts(cpu, u, pair, 2 * op_bytes(u), op_bytes(u)))
		return DONE_FAULT;
	memcpy(&low, pair, op_bytes(u));
	memcpy(&high, pair + op_bytes(u), op_bytes(u));
	if (i < (int64_t)SIGN_EXTEND(low, bits) ||
	    i > (int64_t)SIGN_EXTEND(high, bits))
		return cpu_raise(cpu, EXC_BR);
	return DONE;
}

static enum done op_ud2(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	return raise_ud(cpu);
}

op_fn *branch_pick(const struct insn *in)
{
	switch (in->op) {
	case OP_JMP: return op_jmp;
	case OP_JCC: return op_jcc;
	case OP_JMP_IND: return op_jmp_ind;
	case OP_CALL: return op_call;
	case OP_CALL_IND: return op_call_ind;
	case OP_RET: return op_ret;
	case OP_LOOP: return op_loop;
	case OP_LOOPE: return op_loope;
	case OP_LOOPNE: return op_loopne;
	case OP_JCXZ: return op_jcxz;
	case OP_PUSH: return op_push;
	case OP_POP: return op_pop;
	case OP_PUSHA: return op_pusha;
	case OP_POPA: return op_popa;
	case OP_ENTER: return op_enter;
	case OP_LEAVE: return op_leave;
	case OP_BOUND: return op_bound;
	case OP_UD2: return op_ud2;
	default: return NULL;
	}
}
