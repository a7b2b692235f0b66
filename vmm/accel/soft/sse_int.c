/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_int.c - integers and bits in MMX and XMM registers: an operation on two
 * whole operands, by the host's instruction. Intel SDM volume 2.
 */
#include "sse.h"

#include "flags.h"

static inline enum done xmm_op(struct cpu *cpu, const struct uop *u,
			       host_fn *fn, unsigned bytes)
{
	union vec buf;
	const union vec *src = xmm_source(cpu, u, &buf, bytes);

	if (!src)
		return DONE_FAULT;
	fn(xmm_reg(cpu, u->dst), src);
	return DONE;
}

static inline enum done mmx_op(struct cpu *cpu, const struct uop *u,
			       host_fn *fn, unsigned bytes)
{
	union vec buf;
	const union vec *src;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	src = mmx_source(cpu, u, &buf, bytes);
	if (!src)
		return DONE_FAULT;
	fn(mmx_reg(cpu, u->dst), src);
	mmx_end_write(cpu, u->dst);
	return DONE;
}

#define XMM_OP(name, bytes)						\
static enum done op_x_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return xmm_op(cpu, u, host_x_##name, bytes);			\
}
#define MMX_OP(name, bytes)						\
static enum done op_m_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return mmx_op(cpu, u, host_m_##name, bytes);			\
}
#define X(name, insn) XMM_OP(name, 16) MMX_OP(name, 8)
HOST_MMX_XMM(X)
#undef X
#define X(name, insn) XMM_OP(name, 16) MMX_OP(name, 4)
HOST_MMX_XMM_LOW(X)
#undef X
#define X(name, insn) XMM_OP(name, 16)
HOST_XMM(X)
#undef X
#define X(name, insn, bytes) XMM_OP(name, bytes)
HOST_XMM_EXTEND(X)
#undef X

/* Shifts by an immediate are shifts by a register with that number. */
static inline enum done xmm_shift(struct cpu *cpu, const struct uop *u,
				  host_fn *fn)
{
	union vec count = { .q = { (uint8_t)u->imm, 0 } };

	fn(xmm_reg(cpu, u->dst), &count);
	return DONE;
}

static inline enum done mmx_shift(struct cpu *cpu, const struct uop *u,
				  host_fn *fn)
{
	union vec count = { .q = { (uint8_t)u->imm, 0 } };

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	fn(mmx_reg(cpu, u->dst), &count);
	mmx_end_write(cpu, u->dst);
	return DONE;
}

#define SHIFTS(X) X(PSRLW) X(PSRLD) X(PSRLQ) X(PSRAW) X(PSRAD) X(PSLLW) \
	X(PSLLD) X(PSLLQ)
#define X(name)								\
static enum done op_xi_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return xmm_shift(cpu, u, host_x_##name);			\
}									\
static enum done op_mi_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return mmx_shift(cpu, u, host_m_##name);			\
}
SHIFTS(X)
#undef X

static enum done op_mpsadbw(struct cpu *cpu, const struct uop *u)
{
	union vec buf;
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	host_x_MPSADBW(xmm_reg(cpu, u->dst), src, (uint8_t)u->imm);
	return DONE;
}

static enum done op_ptest(struct cpu *cpu, const struct uop *u)
{
	const union vec *dst = xmm_reg(cpu, u->dst), *src;
	uint64_t z, c;
	union vec buf;

	src = xmm_source(cpu, u, &buf, 16);
	if (!src)
		return DONE_FAULT;
	z = (dst->q[0] & src->q[0]) | (dst->q[1] & src->q[1]);
	c = (~dst->q[0] & src->q[0]) | (~dst->q[1] & src->q[1]);
	flags_set(cpu, (z ? 0 : EFL_ZF) | (c ? 0 : EFL_CF));
	return DONE;
}

/* String comparisons.  Their memory operand may be anywhere. */

/* Only up to 16 they count, whatever their sign. */
static int32_t length(uint64_t reg, bool wide)
{
	int64_t v = wide ? (int64_t)reg : (int32_t)reg;

	return (int32_t)(v > 16 ? 16 : v < -16 ? -16 : v);
}

static inline enum done pcmpstr(struct cpu *cpu, const struct uop *u,
				host_pcmpstr_fn *fn, bool wide, bool mask)
{
	union vec buf;
	struct host_pcmpstr p = { .a = xmm_reg(cpu, u->dst),
				  .b = xmm_reg(cpu, u->src & 15) };

	if (u->mem) {
		if (!op_load(cpu, u, &buf, 16))
			return DONE_FAULT;
		p.b = &buf;
	}
	p.eax = length(cpu->gpr[CPU_RAX], wide);
	p.edx = length(cpu->gpr[CPU_RDX], wide);
	flags_set(cpu, fn(&p, (uint8_t)u->imm));
	if (mask)
		memcpy(xmm_reg(cpu, 0), p.mask, 16);
	else
		cpu->gpr[CPU_RCX] = p.index;
	return DONE;
}

#define PCMPSTR(name, host, wide, mask)					\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return pcmpstr(cpu, u, host, wide, mask);			\
}
PCMPSTR(pcmpestrm_32, host_PCMPESTRM, false, true)
PCMPSTR(pcmpestrm_64, host_PCMPESTRM, true, true)
PCMPSTR(pcmpestri_32, host_PCMPESTRI, false, false)
PCMPSTR(pcmpestri_64, host_PCMPESTRI, true, false)
PCMPSTR(pcmpistrm, host_PCMPISTRM, false, true)
PCMPSTR(pcmpistri, host_PCMPISTRI, false, false)

static op_fn *pick_string(const struct insn *insn)
{
	bool wide = insn->rex & 8;

	switch (insn->op) {
	case OP_PCMPESTRM: return wide ? op_pcmpestrm_64 : op_pcmpestrm_32;
	case OP_PCMPESTRI: return wide ? op_pcmpestri_64 : op_pcmpestri_32;
	case OP_PCMPISTRM: return op_pcmpistrm;
	case OP_PCMPISTRI: return op_pcmpistri;
	default: return NULL;
	}
}

static op_fn *pick_shift(const struct insn *insn, bool mmx)
{
	switch (insn->op) {
#define X(name) case OP_##name: return mmx ? op_mi_##name : op_xi_##name;
	SHIFTS(X)
#undef X
	default: return NULL;
	}
}

op_fn *sse_int_pick(const struct insn *insn)
{
	bool mmx = insn_uses_mmx(insn);

	if (OPND_KIND(insn->row->opnd[1]) == K_I)
		return pick_shift(insn, mmx);
	switch (insn->op) {
#define X(name, mnemonic) case OP_##name: \
		return mmx ? op_m_##name : op_x_##name;
	HOST_MMX_XMM(X)
	HOST_MMX_XMM_LOW(X)
#undef X
#define X(name, mnemonic) case OP_##name: return op_x_##name;
	HOST_XMM(X)
#undef X
#define X(name, mnemonic, bytes) case OP_##name: return op_x_##name;
	HOST_XMM_EXTEND(X)
#undef X
	case OP_PTEST: return op_ptest;
	case OP_MPSADBW: return op_mpsadbw;
	default: return pick_string(insn);
	}
}
