/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse.h - what the files of the MMX and SSE instructions share. */
#ifndef SOFT_SSE_H
#define SOFT_SSE_H

#include "sse_host.h"
#include "x87.h"

#define CR4_OSXMMEXCPT	0x400u

/* An XMM register's parts; of an MMX register the lower half. */
union vec {
	uint8_t b[16];
	uint16_t w[8];
	uint32_t d[4];
	uint64_t q[2];
} __attribute__((aligned(16), may_alias));

static inline union vec *xmm_reg(struct cpu *cpu, unsigned n)
{
	return (union vec *)cpu->fpu.xmm[n];
}

static inline union vec *mmx_reg(struct cpu *cpu, unsigned n)
{
	return (union vec *)cpu->fpu.st[n];
}

/* Before an MMX instruction does anything.  False: #MF was raised. */
static inline bool mmx_begin(struct cpu *cpu)
{
	return !x87_raises(cpu);
}

/* After one: the x87 stack is full, and begins at register 0. */
static inline void mmx_end(struct cpu *cpu)
{
	cpu->fpu.sw &= (uint16_t)~FSW_TOP;
	cpu->fpu.used = 0xff;
}

/* After one that wrote register `n`: it is a NaN or infinity to x87. */
static inline void mmx_end_write(struct cpu *cpu, unsigned n)
{
	memset(cpu->fpu.st[n] + 8, 0xff, 2);
	mmx_end(cpu);
}

/* 16 bytes of memory that must be aligned, else #GP(0).  False: a fault. */
bool sse_load(struct cpu *cpu, const struct uop *u, void *buf);
bool sse_store(struct cpu *cpu, const struct uop *u, const void *buf);

/* Operand 1: the register, or `bytes` of memory (16: aligned) in *buf.  NULL: a
 * fault.
 */
static inline const union vec *xmm_source(struct cpu *cpu, const struct uop *u,
					  union vec *buf, unsigned bytes)
{
	if (!u->mem)
		return xmm_reg(cpu, u->src);
	if (bytes == 16)
		return sse_load(cpu, u, buf) ? buf : NULL;
	return op_load(cpu, u, buf, bytes) ? buf : NULL;
}

static inline const union vec *mmx_source(struct cpu *cpu, const struct uop *u,
					  union vec *buf, unsigned bytes)
{
	if (!u->mem)
		return mmx_reg(cpu, u->src);
	return op_load(cpu, u, buf, bytes) ? buf : NULL;
}

/* An unmasked underflow is one of any tiny result, a masked one only of those that
 * are inexact too: which parts of a result to look at.
 */
enum tiny { TINY_NO, TINY_PS, TINY_PD, TINY_SS, TINY_SD };
bool sse_is_tiny(const union vec *v, enum tiny tiny);

/* sse_exact.c: MXCSR.PE of an addition, subtraction, multiplication, division or
 * conversion of `a` and `b`, some part of which overflows or is tiny and has that
 * exception not masked.  `run` is what the host runs with.
 */
bool sse_is_inexact(enum op op, enum tiny tiny, const union vec *a,
		    const union vec *b, uint32_t mxcsr, uint32_t run);

/* MMX registers among the operands, XMM ones? */
bool insn_uses_mmx(const struct insn *insn);
bool insn_uses_xmm(const struct insn *insn);

/* Each for its own operations; NULL for others. */
op_fn *sse_int_pick(const struct insn *insn);
op_fn *sse_shuffle_pick(const struct insn *insn);
op_fn *sse_move_pick(const struct insn *insn);
op_fn *sse_fp_pick(const struct insn *insn);
op_fn *sse_state_pick(const struct insn *insn);

#endif
