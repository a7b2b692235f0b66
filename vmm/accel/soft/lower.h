/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower.h - who makes uops of which instruction. */
#ifndef SOFT_LOWER_H
#define SOFT_LOWER_H

#include "soft.h"

op_fn *int_pick(const struct insn *insn);	/* int_*.c, branch.c */
op_fn *alu_pick(const struct insn *insn);
op_fn *shift_pick(const struct insn *insn);
op_fn *mul_pick(const struct insn *insn);
op_fn *bit_pick(const struct insn *insn);
op_fn *bcd_pick(const struct insn *insn);
op_fn *atomic_pick(const struct insn *insn);
op_fn *branch_pick(const struct insn *insn);
op_fn *string_pick(const struct insn *insn);	/* string.c */

/* Fast forms (int_fast.c): of one instruction whose flags are live or dead; of a
 * CMP or TEST together with the Jcc behind it; NULL: there is none.
 */
uop_fn *fast_pick(const struct insn *insn, const struct uop *u, bool live);
uop_fn *fast_fuse(const struct insn *insn, const struct uop *u, unsigned cc);
/* MOV r64, imm has only this one: sets u->fn, in every mode. */
bool fast_mov_imm64(const struct insn *insn, struct uop *u);

/* MMX registers and no XMM ones. */
bool insn_is_mmx(const struct insn *insn);

/* Offsets are linear addresses, but for the bases of FS and GS. */
static inline bool is_flat(const struct cpu *cpu)
{
	return cpu_code(cpu) == CODE_64 || cpu->mode & MODE_FLAT;
}

#endif
