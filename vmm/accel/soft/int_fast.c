/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int_fast.c - the fast forms of frequent integer instructions, where offsets are
 * linear addresses (is_flat()) and alignment is not checked.
 */
#include "exec.h"
#include "lower.h"

/* MOV r64, imm64: has no general form, since the number takes its place. */
static const struct uop *mov_imm64(struct cpu *cpu, const struct uop *u)
{
	REG64(cpu, u->dst) = u->imm64;
	NEXT(cpu, u);
}

bool fast_pick(const struct insn *in, struct uop *u)
{
	if (in->op == OP_MOV && OPND_KIND(in->row->opnd[1]) == K_I &&
	    u->osize == 3 && !u->mem) {
		u->imm64 = in->row->opnd[0] == OPND(K_Z, S_V) ? in->imm :
			   (uint64_t)(int64_t)u->imm;
		u->fn = mov_imm64;
		return true;
	}
	return false;
}
