/* SPDX-License-Identifier: GPL-2.0-or-later */
/* optable.h - the columns of the opcode table (optable.c): Intel SDM volume 2,
 * appendix A, whose names for operands and maps are used here.
 */
#ifndef SOFT_OPTABLE_H
#define SOFT_OPTABLE_H

#include "ops.h"

#include "imgfmt/base/base.h"

/* An operand: how it is addressed (the capital letter) and its size. */
enum opnd_kind {
	K_NONE,
	K_E,		/* ModRM.rm: general register or memory */
	K_G,		/* ModRM.reg: general register */
	K_M,		/* ModRM.rm: memory only */
	K_R,		/* ModRM.rm: general register only */
	K_Z,		/* opcode bits 0-2: general register */
	K_S,		/* ModRM.reg: segment register */
	K_C,		/* ModRM.reg: control register */
	K_D,		/* ModRM.reg: debug register */
	K_I,		/* immediate */
	K_J,		/* relative branch target */
	K_A,		/* far pointer in the instruction */
	K_O,		/* memory at an offset in the instruction */
	K_X,		/* memory at seg:rSI */
	K_Y,		/* memory at ES:rDI */
	K_V,		/* ModRM.reg: XMM */
	K_W,		/* ModRM.rm: XMM or memory */
	K_U,		/* ModRM.rm: XMM only */
	K_P,		/* ModRM.reg: MMX */
	K_Q,		/* ModRM.rm: MMX or memory */
	K_N,		/* ModRM.rm: MMX only */
	K_T,		/* ModRM.rm: ST(i) */
	K_FIX,		/* always the same general register: the size's low bits */
	K_SEG,		/* always the same segment register */
	K_ONE,		/* the number 1 */
	K_ST0,		/* ST(0) */
	K_XMM0,		/* XMM0 */
};

/* Sizes. */
enum opnd_size {
	S_NONE,
	S_B, S_W, S_D, S_Q, S_X,	/* 1, 2, 4, 8, 16 bytes */
	S_U,		/* 16 bytes that may be unaligned in memory */
	S_T,		/* 10 bytes */
	S_V,		/* 2, 4 or 8: the operand size */
	S_Z,		/* 2 or 4: 4 where the operand size is 8 */
	S_Y,		/* 4 or 8: 8 where the operand size is 8 */
	S_BS,		/* immediate byte, sign-extended to the operand size */
	S_P,		/* far pointer: selector and offset of the operand size */
	S_A,		/* BOUND's pair of operand size */
	S_S,		/* table register: limit and base */
	S_BLOB,		/* FNSAVE, FXSAVE and their like */
};

#define OPND(kind, size)	((uint16_t)((kind) << 8 | (size)))
#define OPND_KIND(o)		((enum opnd_kind)((o) >> 8))
#define OPND_SIZE(o)		((enum opnd_size)((o) & 0xf))
#define OPND_FIX(o)		((unsigned)((o) >> 4 & 0xf))
#define FIX(reg, size)		((uint16_t)(K_FIX << 8 | (reg) << 4 | (size)))

/* Which prefixes belong to the opcode. */
enum op_prefix {
	PX_ANY,		/* none does: 66 is operand size, F2 and F3 repeat */
	PX_NF,		/* not F2, F3; 66 is operand size */
	PX_NP,		/* not 66, F2, F3 */
	PX_66,		/* 66, not F2, F3 */
	PX_F3,		/* F3; 66 is operand size */
	PX_F2,		/* F2; 66 is operand size */
};

/* The column /r: 0 to 7 is ModRM.reg, 0xc0 and above the whole ModRM byte. */
#define EXT_NONE	8

/* Attributes. */
#define A_I64	0x0001	/* invalid in 64-bit mode */
#define A_O64	0x0002	/* valid in 64-bit mode only */
#define A_D64	0x0004	/* the operand size is 64 by default in 64-bit mode */
#define A_F64	0x0008	/* it is always 64 there */
#define A_LOCK	0x0010	/* takes LOCK with a destination in memory */
#define A_REG8	0x0020	/* the row is for 8 opcodes: bits 0-2 name a register */
#define A_CC	0x0040	/* the row is for 16 opcodes: bits 0-3 are a condition */
#define A_REP	0x0080	/* F3 (and F2) repeat it */
#define A_PM	0x0100	/* invalid in real and virtual-8086 mode */
#define A_MODRM	0x0200	/* has a ModRM byte that no operand shows */
#define A_REGONLY 0x0400 /* ModRM.mod must be 3 */
#define A_ANYMOD 0x0800	/* ModRM.mod is ignored: always a register (CR, DR) */

/* Status flags, as they lie in EFLAGS but one byte: OF at bit 3. */
#define F_C	0x01
#define F_P	0x04
#define F_O	0x08
#define F_A	0x10
#define F_Z	0x40
#define F_S	0x80
#define F_ALL	(F_C | F_P | F_O | F_A | F_Z | F_S)

struct op_row {
	uint16_t opcode;	/* map << 8 | byte */
	uint8_t prefix;		/* enum op_prefix */
	uint8_t ext;		/* EXT_NONE, /0 to /7, or ModRM */
	uint16_t op;		/* enum op */
	uint16_t opnd[3];
	uint16_t attr;
	uint16_t flags;		/* F_*: those that it sets or leaves undefined << 8 |
				 * those that it looks at (A_CC: insn_reads())
				 */
};

/* Maps: one byte; 0F; 0F 38; 0F 3A. */
#define MAP_0F		0x100
#define MAP_0F38	0x200
#define MAP_0F3A	0x300
#define N_OPCODES	0x400

extern const struct op_row op_rows[];
extern const unsigned n_op_rows;
extern const char *const op_names[OP_N];

#endif
