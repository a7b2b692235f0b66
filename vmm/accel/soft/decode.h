/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode.h - bytes to `struct insn`: one x86 instruction with everything that
 * its bytes say.  Intel SDM volume 2, chapter 2.  Pure functions.
 */
#ifndef SOFT_DECODE_H
#define SOFT_DECODE_H

#include "optable.h"

#define INSN_MAX	15u	/* bytes */

/* What the decoder must know of the CPU. */
enum code_size { CODE_16, CODE_32, CODE_64 };

/* Where an insn's base, index or register is no general register. */
#define REG_NONE	0xffu
#define REG_RIP		0xfeu	/* base: the address of the next instruction */

struct insn {
	const struct op_row *row;
	enum op op;
	uint8_t len;		/* bytes */
	uint8_t opcode;		/* the last opcode byte */
	enum code_size code;
	uint8_t osize, asize;	/* bytes: 2, 4 or 8 */
	uint8_t rex;		/* 0: none */
	bool lock;
	uint8_t rep;		/* 0, 0xf2 or 0xf3: the last one */
	bool prefix66;

	/* ModRM; `reg` and `rm` with their REX bits. */
	bool has_modrm;
	uint8_t modrm, reg, rm;

	/* The memory operand, by ModRM or by K_O (then disp alone). */
	bool mem;
	uint8_t seg;		/* CPU_ES to CPU_GS; of string sources too */
	bool seg_override;	/* by a prefix */
	uint8_t base, index;	/* general registers, REG_NONE, REG_RIP */
	uint8_t scale;		/* the index times 1 << scale */
	int64_t disp;

	/* Immediates, sign-extended if the row says so; far pointer: offset and
	 * selector; relative target: the displacement.
	 */
	uint64_t imm, imm2;
};

enum decode {
	DECODE_OK,
	DECODE_UD,	/* #UD */
	DECODE_GP,	/* #GP(0): longer than 15 bytes */
	DECODE_MORE,	/* the instruction goes on behind `avail` */
};

/* Rows by opcode. */
struct op_index {
	uint16_t first[N_OPCODES];
	uint8_t n[N_OPCODES];
};

void op_index_init(struct op_index *index);

/* `vm86_or_real`: some instructions are undefined there. */
enum decode insn_decode(const struct op_index *index, const uint8_t *bytes,
			unsigned avail, enum code_size code, bool vm86_or_real,
			struct insn *insn);

/* Bytes of operand `i` as the instruction uses it; 0 where it has none, or only
 * the operation knows (FXSAVE, LGDT).
 */
unsigned insn_opnd_bytes(const struct insn *insn, unsigned i);

/* The number of a general register operand (K_G, K_E in its register form, K_R,
 * K_Z, K_FIX), or of an XMM, MMX, x87, segment, control or debug register; an
 * 8-bit AH, CH, DH, BH is 16 to 19.
 */
unsigned insn_opnd_reg(const struct insn *insn, unsigned i);

/* Is operand `i` the memory operand? */
bool insn_opnd_mem(const struct insn *insn, unsigned i);

/* Status flags (F_*) that the instruction may look at, may change, and
 * certainly sets whatever they were.
 */
unsigned insn_reads(const struct insn *insn);
unsigned insn_writes(const struct insn *insn);
unsigned insn_kills(const struct insn *insn);

#endif
