/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_move.c - moves between XMM, MMX and general registers and memory. Intel SDM
 * volume 2; hints about caches (MOVNT) mean nothing here.
 */
#include "sse.h"

#include "access.h"

/* Whole XMM registers. */

static enum done op_mov_reg(struct cpu *cpu, const struct uop *u)
{
	*xmm_reg(cpu, u->dst) = *xmm_reg(cpu, u->src);
	return DONE;
}

static enum done op_load_aligned(struct cpu *cpu, const struct uop *u)
{
	union vec v;

	if (!sse_load(cpu, u, &v))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_load_any(struct cpu *cpu, const struct uop *u)
{
	union vec v;

	if (!op_load(cpu, u, &v, 16))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_store_aligned(struct cpu *cpu, const struct uop *u)
{
	return sse_store(cpu, u, xmm_reg(cpu, u->src)) ? DONE : DONE_FAULT;
}

static enum done op_store_any(struct cpu *cpu, const struct uop *u)
{
	return op_store(cpu, u, xmm_reg(cpu, u->src), 16) ? DONE : DONE_FAULT;
}

/* Parts of XMM registers: 4 bytes, the lower and the upper half. */

static enum done op_load_d(struct cpu *cpu, const struct uop *u)
{
	union vec v = { .q = { 0, 0 } };

	if (!op_load32(cpu, u, &v.d[0]))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_load_q(struct cpu *cpu, const struct uop *u)
{
	union vec v = { .q = { 0, 0 } };

	if (!op_load64(cpu, u, &v.q[0]))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_merge_d(struct cpu *cpu, const struct uop *u)
{
	xmm_reg(cpu, u->dst)->d[0] = xmm_reg(cpu, u->src)->d[0];
	return DONE;
}

static enum done op_merge_q(struct cpu *cpu, const struct uop *u)
{
	xmm_reg(cpu, u->dst)->q[0] = xmm_reg(cpu, u->src)->q[0];
	return DONE;
}

static enum done op_zero_q(struct cpu *cpu, const struct uop *u)
{
	uint64_t q = xmm_reg(cpu, u->src)->q[0];

	*xmm_reg(cpu, u->dst) = (union vec){ .q = { q, 0 } };
	return DONE;
}

static enum done op_store_d(struct cpu *cpu, const struct uop *u)
{
	return op_store(cpu, u, xmm_reg(cpu, u->src), 4) ? DONE : DONE_FAULT;
}

static enum done op_store_q(struct cpu *cpu, const struct uop *u)
{
	return op_store(cpu, u, xmm_reg(cpu, u->src), 8) ? DONE : DONE_FAULT;
}

static enum done op_store_high(struct cpu *cpu, const struct uop *u)
{
	return op_store64(cpu, u, xmm_reg(cpu, u->src)->q[1]) ? DONE :
								 DONE_FAULT;
}

static enum done op_load_low(struct cpu *cpu, const struct uop *u)
{
	uint64_t q;

	if (!op_load64(cpu, u, &q))
		return DONE_FAULT;
	xmm_reg(cpu, u->dst)->q[0] = q;
	return DONE;
}

static enum done op_load_high(struct cpu *cpu, const struct uop *u)
{
	uint64_t q;

	if (!op_load64(cpu, u, &q))
		return DONE_FAULT;
	xmm_reg(cpu, u->dst)->q[1] = q;
	return DONE;
}

static enum done op_movhlps(struct cpu *cpu, const struct uop *u)
{
	xmm_reg(cpu, u->dst)->q[0] = xmm_reg(cpu, u->src)->q[1];
	return DONE;
}

static enum done op_movlhps(struct cpu *cpu, const struct uop *u)
{
	xmm_reg(cpu, u->dst)->q[1] = xmm_reg(cpu, u->src)->q[0];
	return DONE;
}

static enum done op_movddup(struct cpu *cpu, const struct uop *u)
{
	union vec buf;
	const union vec *src = xmm_source(cpu, u, &buf, 8);
	uint64_t q;

	if (!src)
		return DONE_FAULT;
	q = src->q[0];
	*xmm_reg(cpu, u->dst) = (union vec){ .q = { q, q } };
	return DONE;
}

/* General registers. */

static inline enum done gpr_to_xmm(struct cpu *cpu, const struct uop *u,
				   unsigned bytes)
{
	union vec v = { .q = { 0, 0 } };

	if (u->mem) {
		if (!op_load(cpu, u, &v, bytes))
			return DONE_FAULT;
	} else {
		memcpy(&v, &REG64(cpu, u->src), bytes);
	}
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static inline enum done gpr_to_mmx(struct cpu *cpu, const struct uop *u,
				   unsigned bytes)
{
	uint64_t v = 0;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	if (u->mem) {
		if (!op_load(cpu, u, &v, bytes))
			return DONE_FAULT;
	} else {
		memcpy(&v, &REG64(cpu, u->src), bytes);
	}
	mmx_reg(cpu, u->dst)->q[0] = v;
	mmx_end_write(cpu, u->dst);
	return DONE;
}

/* A register or memory of 4 or 8 bytes gets `v`. */
static inline bool give(struct cpu *cpu, const struct uop *u, uint64_t v,
			unsigned bytes)
{
	if (u->mem)
		return op_store(cpu, u, &v, bytes);
	REG64(cpu, u->dst) = bytes == 8 ? v : (uint32_t)v;
	return true;
}

static inline enum done mmx_to_gpr(struct cpu *cpu, const struct uop *u,
				   unsigned bytes)
{
	if (!mmx_begin(cpu) ||
	    !give(cpu, u, mmx_reg(cpu, u->src)->q[0], bytes))
		return DONE_FAULT;
	mmx_end(cpu);
	return DONE;
}

#define SIZES(name)							\
static enum done op_##name##_32(struct cpu *cpu, const struct uop *u)	\
{									\
	return name(cpu, u, 4);						\
}									\
static enum done op_##name##_64(struct cpu *cpu, const struct uop *u)	\
{									\
	return name(cpu, u, 8);						\
}
static inline enum done xmm_to_gpr(struct cpu *cpu, const struct uop *u,
				   unsigned bytes)
{
	return give(cpu, u, xmm_reg(cpu, u->src)->q[0], bytes) ? DONE :
								  DONE_FAULT;
}
SIZES(gpr_to_xmm)
SIZES(gpr_to_mmx)
SIZES(xmm_to_gpr)
SIZES(mmx_to_gpr)

/* Signs of the parts. */

static inline unsigned signs(const union vec *v, unsigned bytes, unsigned len)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < len / bytes; i++)
		mask |= (unsigned)v->b[i * bytes + bytes - 1] >> 7 << i;
	return mask;
}

static enum done op_movmskps(struct cpu *cpu, const struct uop *u)
{
	SET_REG32(cpu, u->dst, signs(xmm_reg(cpu, u->src), 4, 16));
	return DONE;
}

static enum done op_movmskpd(struct cpu *cpu, const struct uop *u)
{
	SET_REG32(cpu, u->dst, signs(xmm_reg(cpu, u->src), 8, 16));
	return DONE;
}

static enum done op_x_pmovmskb(struct cpu *cpu, const struct uop *u)
{
	SET_REG32(cpu, u->dst, signs(xmm_reg(cpu, u->src), 1, 16));
	return DONE;
}

static enum done op_m_pmovmskb(struct cpu *cpu, const struct uop *u)
{
	if (!mmx_begin(cpu))
		return DONE_FAULT;
	SET_REG32(cpu, u->dst, signs(mmx_reg(cpu, u->src), 1, 8));
	mmx_end(cpu);
	return DONE;
}

/* MMX registers. */

static enum done op_mmx_load(struct cpu *cpu, const struct uop *u)
{
	union vec buf;
	const union vec *src;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	src = mmx_source(cpu, u, &buf, 8);
	if (!src)
		return DONE_FAULT;
	mmx_reg(cpu, u->dst)->q[0] = src->q[0];
	mmx_end_write(cpu, u->dst);
	return DONE;
}

static enum done op_mmx_store(struct cpu *cpu, const struct uop *u)
{
	if (!mmx_begin(cpu) || !op_store(cpu, u, mmx_reg(cpu, u->src), 8))
		return DONE_FAULT;
	mmx_end(cpu);
	return DONE;
}

static enum done op_movq2dq(struct cpu *cpu, const struct uop *u)
{
	if (!mmx_begin(cpu))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = (union vec){
		.q = { mmx_reg(cpu, u->src)->q[0], 0 } };
	mmx_end(cpu);
	return DONE;
}

static enum done op_movdq2q(struct cpu *cpu, const struct uop *u)
{
	if (!mmx_begin(cpu))
		return DONE_FAULT;
	mmx_reg(cpu, u->dst)->q[0] = xmm_reg(cpu, u->src)->q[0];
	mmx_end_write(cpu, u->dst);
	return DONE;
}

/* MASKMOVQ and MASKMOVDQU: the bytes of `data` whose byte in `mask` is negative go
 * to seg:rDI.  All of it must be writable.
 */
static bool store_masked(struct cpu *cpu, const struct uop *u,
			 const union vec *data, const union vec *mask,
			 unsigned len)
{
	uint64_t offset = reg_get(cpu, REG_OFF(CPU_RDI), u->asize), lin;
	unsigned bits = signs(mask, 1, len);

	if (!seg_lin(cpu, u->seg, offset, len, ACCESS_WRITE, &lin) ||
	    !mem_check(cpu, lin, len, ACCESS_WRITE))
		return false;
	while (bits) {
		unsigned at = (unsigned)__builtin_ctz(bits);
		unsigned n = (unsigned)__builtin_ctz(~(bits >> at));

		if (!mem_store(cpu, lin + at, data->b + at, n, ACCESS_WRITE))
			return false;
		bits &= ~(((1u << n) - 1) << at);
	}
	return true;
}

static enum done op_maskmovq(struct cpu *cpu, const struct uop *u)
{
	if (!mmx_begin(cpu) ||
	    !store_masked(cpu, u, mmx_reg(cpu, u->dst), mmx_reg(cpu, u->src), 8))
		return DONE_FAULT;
	mmx_end(cpu);
	return DONE;
}

static enum done op_maskmovdqu(struct cpu *cpu, const struct uop *u)
{
	return store_masked(cpu, u, xmm_reg(cpu, u->dst), xmm_reg(cpu, u->src),
			    16) ? DONE : DONE_FAULT;
}

/* Of three ways: between registers, from memory, to memory. */
static op_fn *way(const struct insn *insn, op_fn *reg, op_fn *load, op_fn *store)
{
	if (!insn->mem)
		return reg;
	return insn_opnd_mem(insn, 0) ? store : load;
}

static op_fn *pick_whole(const struct insn *insn)
{
	unsigned i = insn_opnd_mem(insn, 0) ? 0 : 1;

	if (OPND_SIZE(insn->row->opnd[i]) == S_U)
		return way(insn, op_mov_reg, op_load_any, op_store_any);
	return way(insn, op_mov_reg, op_load_aligned, op_store_aligned);
}

static op_fn *pick_movd(const struct insn *insn)
{
	bool to = OPND_KIND(insn->row->opnd[0]) == K_E;
	bool wide = insn_opnd_bytes(insn, to ? 0 : 1) == 8;

	if (insn_uses_mmx(insn)) {
		if (to)
			return wide ? op_mmx_to_gpr_64 : op_mmx_to_gpr_32;
		return wide ? op_gpr_to_mmx_64 : op_gpr_to_mmx_32;
	}
	if (to)
		return wide ? op_xmm_to_gpr_64 : op_xmm_to_gpr_32;
	return wide ? op_gpr_to_xmm_64 : op_gpr_to_xmm_32;
}

op_fn *sse_move_pick(const struct insn *insn)
{
	bool mmx = insn_uses_mmx(insn);

	switch (insn->op) {
	case OP_MOVUPS: case OP_MOVUPD: case OP_MOVAPS: case OP_MOVAPD:
	case OP_MOVDQA: case OP_MOVDQU: case OP_LDDQU: case OP_MOVNTDQA:
	case OP_MOVNTPS: case OP_MOVNTPD: case OP_MOVNTDQ:
		return pick_whole(insn);
	case OP_MOVSS: return way(insn, op_merge_d, op_load_d, op_store_d);
	case OP_MOVSD: return way(insn, op_merge_q, op_load_q, op_store_q);
	case OP_MOVLPS: case OP_MOVLPD:
		return way(insn, NULL, op_load_low, op_store_q);
	case OP_MOVHPS: case OP_MOVHPD:
		return way(insn, NULL, op_load_high, op_store_high);
	case OP_MOVHLPS: return op_movhlps;
	case OP_MOVLHPS: return op_movlhps;
	case OP_MOVDDUP: return op_movddup;
	case OP_MOVQ:
		return mmx ? way(insn, op_mmx_load, op_mmx_load, op_mmx_store) :
			     way(insn, op_zero_q, op_load_q, op_store_q);
	case OP_MOVNTQ: return op_mmx_store;
	case OP_MOVD: return pick_movd(insn);
	case OP_MOVQ2DQ: return op_movq2dq;
	case OP_MOVDQ2Q: return op_movdq2q;
	case OP_MOVMSKPS: return op_movmskps;
	case OP_MOVMSKPD: return op_movmskpd;
	case OP_PMOVMSKB: return mmx ? op_m_pmovmskb : op_x_pmovmskb;
	case OP_MASKMOVQ: return op_maskmovq;
	case OP_MASKMOVDQU: return op_maskmovdqu;
	default: return NULL;
	}
}
