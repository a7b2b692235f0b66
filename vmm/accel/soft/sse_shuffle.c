/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_shuffle.c - parts of MMX and XMM registers that change places, as an
 * immediate byte or a mask says. Intel SDM volume 2.
 */
#include "sse.h"

static enum done op_pshufd(struct cpu *cpu, const struct uop *u)
{
	union vec buf, v;
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	for (unsigned i = 0; i < 4; i++)
		v.d[i] = src->d[u->imm >> 2 * i & 3];
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

/* PSHUFLW and PSHUFHW: four words from `first` on. */
static inline enum done pshuf_words(struct cpu *cpu, const struct uop *u,
				    unsigned first)
{
	union vec buf, v;
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	v = *src;
	for (unsigned i = 0; i < 4; i++)
		v.w[first + i] = src->w[first + (u->imm >> 2 * i & 3)];
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_pshuflw(struct cpu *cpu, const struct uop *u)
{
	return pshuf_words(cpu, u, 0);
}

static enum done op_pshufhw(struct cpu *cpu, const struct uop *u)
{
	return pshuf_words(cpu, u, 4);
}

static enum done op_pshufw(struct cpu *cpu, const struct uop *u)
{
	union vec buf, v;
	const union vec *src;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	src = mmx_source(cpu, u, &buf, 8);
	if (!src)
		return DONE_FAULT;
	for (unsigned i = 0; i < 4; i++)
		v.w[i] = src->w[u->imm >> 2 * i & 3];
	mmx_reg(cpu, u->dst)->q[0] = v.q[0];
	mmx_end_write(cpu, u->dst);
	return DONE;
}

static enum done op_shufps(struct cpu *cpu, const struct uop *u)
{
	union vec buf, v;
	const union vec *dst = xmm_reg(cpu, u->dst);
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	for (unsigned i = 0; i < 4; i++)
		v.d[i] = (i < 2 ? dst : src)->d[u->imm >> 2 * i & 3];
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_shufpd(struct cpu *cpu, const struct uop *u)
{
	union vec buf, v;
	const union vec *dst = xmm_reg(cpu, u->dst);
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	v.q[0] = dst->q[u->imm & 1];
	v.q[1] = src->q[u->imm >> 1 & 1];
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

/* Blends: parts of `bytes` whose bit in `mask` is set come from the source. */
static inline enum done blend(struct cpu *cpu, const struct uop *u,
			      unsigned bytes, unsigned mask)
{
	union vec buf, v;
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	v = *xmm_reg(cpu, u->dst);
	for (unsigned i = 0; i < 16; i++)
		if (mask >> i / bytes & 1)
			v.b[i] = src->b[i];
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static unsigned xmm0_signs(struct cpu *cpu, unsigned bytes)
{
	const union vec *v = xmm_reg(cpu, 0);
	unsigned mask = 0;

	for (unsigned i = 0; i < 16 / bytes; i++)
		mask |= (unsigned)v->b[i * bytes + bytes - 1] >> 7 << i;
	return mask;
}

static enum done op_blendps(struct cpu *cpu, const struct uop *u)
{
	return blend(cpu, u, 4, (unsigned)u->imm);
}

static enum done op_blendpd(struct cpu *cpu, const struct uop *u)
{
	return blend(cpu, u, 8, (unsigned)u->imm);
}

static enum done op_pblendw(struct cpu *cpu, const struct uop *u)
{
	return blend(cpu, u, 2, (unsigned)u->imm);
}

static enum done op_blendvps(struct cpu *cpu, const struct uop *u)
{
	return blend(cpu, u, 4, xmm0_signs(cpu, 4));
}

static enum done op_blendvpd(struct cpu *cpu, const struct uop *u)
{
	return blend(cpu, u, 8, xmm0_signs(cpu, 8));
}

static enum done op_pblendvb(struct cpu *cpu, const struct uop *u)
{
	return blend(cpu, u, 1, xmm0_signs(cpu, 1));
}

/* `len` bytes from the `shift`-th of `low` with `high` above it, and zeroes. */
static void align(uint8_t *out, const union vec *low, const union vec *high,
		  unsigned shift, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		unsigned at = i + shift;

		out[i] = at < len ? low->b[at] :
			 at < 2 * len ? high->b[at - len] : 0;
	}
}

static enum done op_x_palignr(struct cpu *cpu, const struct uop *u)
{
	union vec buf, v;
	const union vec *src = xmm_source(cpu, u, &buf, 16);

	if (!src)
		return DONE_FAULT;
	align(v.b, src, xmm_reg(cpu, u->dst), (uint8_t)u->imm, 16);
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_m_palignr(struct cpu *cpu, const struct uop *u)
{
	union vec buf, v;
	const union vec *src;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	src = mmx_source(cpu, u, &buf, 8);
	if (!src)
		return DONE_FAULT;
	align(v.b, src, mmx_reg(cpu, u->dst), (uint8_t)u->imm, 8);
	mmx_reg(cpu, u->dst)->q[0] = v.q[0];
	mmx_end_write(cpu, u->dst);
	return DONE;
}

static enum done op_psrldq(struct cpu *cpu, const struct uop *u)
{
	static const union vec zero;
	union vec v;

	align(v.b, xmm_reg(cpu, u->dst), &zero, (uint8_t)u->imm, 16);
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_pslldq(struct cpu *cpu, const struct uop *u)
{
	static const union vec zero;
	unsigned n = (uint8_t)u->imm;
	union vec v;

	align(v.b, &zero, xmm_reg(cpu, u->dst), n < 16 ? 16 - n : 32, 16);
	if (n == 0)
		return DONE;
	*xmm_reg(cpu, u->dst) = n < 16 ? v : zero;
	return DONE;
}

/* Extract and insert one part. */

static inline enum done extract(struct cpu *cpu, const struct uop *u,
				unsigned bytes)
{
	const union vec *src = xmm_reg(cpu, u->src);
	unsigned i = (unsigned)u->imm & (16 / bytes - 1);
	uint64_t v = 0;

	memcpy(&v, src->b + i * bytes, bytes);
	if (u->mem)
		return op_store(cpu, u, &v, bytes) ? DONE : DONE_FAULT;
	REG64(cpu, u->dst) = v;
	return DONE;
}

static inline enum done insert(struct cpu *cpu, const struct uop *u,
			       unsigned bytes)
{
	unsigned i = (unsigned)u->imm & (16 / bytes - 1);
	uint64_t v = 0;

	if (u->mem) {
		if (!op_load(cpu, u, &v, bytes))
			return DONE_FAULT;
	} else {
		v = REG64(cpu, u->src);
	}
	memcpy(xmm_reg(cpu, u->dst)->b + i * bytes, &v, bytes);
	return DONE;
}

#define EACH_SIZE(X) X(8, 1) X(16, 2) X(32, 4) X(64, 8)
#define X(bits, bytes)							\
static enum done op_extract##bits(struct cpu *cpu, const struct uop *u) \
{									\
	return extract(cpu, u, bytes);					\
}									\
static enum done op_insert##bits(struct cpu *cpu, const struct uop *u)	\
{									\
	return insert(cpu, u, bytes);					\
}
EACH_SIZE(X)
#undef X

static enum done op_m_pextrw(struct cpu *cpu, const struct uop *u)
{
	if (!mmx_begin(cpu))
		return DONE_FAULT;
	REG64(cpu, u->dst) = mmx_reg(cpu, u->src)->w[u->imm & 3];
	mmx_end(cpu);
	return DONE;
}

static enum done op_m_pinsrw(struct cpu *cpu, const struct uop *u)
{
	uint16_t v;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	if (!u->mem)
		v = REG16(cpu, u->src);
	else if (!op_load(cpu, u, &v, 2))
		return DONE_FAULT;
	mmx_reg(cpu, u->dst)->w[u->imm & 3] = v;
	mmx_end_write(cpu, u->dst);
	return DONE;
}

static enum done op_insertps(struct cpu *cpu, const struct uop *u)
{
	unsigned imm = (uint8_t)u->imm;
	union vec *dst = xmm_reg(cpu, u->dst);
	uint32_t v;

	if (!u->mem)
		v = xmm_reg(cpu, u->src)->d[imm >> 6];
	else if (!op_load(cpu, u, &v, 4))
		return DONE_FAULT;
	dst->d[imm >> 4 & 3] = v;
	for (unsigned i = 0; i < 4; i++)
		if (imm >> i & 1)
			dst->d[i] = 0;
	return DONE;
}

op_fn *sse_shuffle_pick(const struct insn *insn)
{
	bool mmx = insn_uses_mmx(insn);

	switch (insn->op) {
	case OP_PSHUFW: return op_pshufw;
	case OP_PSHUFD: return op_pshufd;
	case OP_PSHUFLW: return op_pshuflw;
	case OP_PSHUFHW: return op_pshufhw;
	case OP_SHUFPS: return op_shufps;
	case OP_SHUFPD: return op_shufpd;
	case OP_BLENDPS: return op_blendps;
	case OP_BLENDPD: return op_blendpd;
	case OP_PBLENDW: return op_pblendw;
	case OP_BLENDVPS: return op_blendvps;
	case OP_BLENDVPD: return op_blendvpd;
	case OP_PBLENDVB: return op_pblendvb;
	case OP_PALIGNR: return mmx ? op_m_palignr : op_x_palignr;
	case OP_PSRLDQ: return op_psrldq;
	case OP_PSLLDQ: return op_pslldq;
	case OP_PEXTRB: return op_extract8;
	case OP_PEXTRW: return mmx ? op_m_pextrw : op_extract16;
	case OP_PEXTRD:
		return insn_opnd_bytes(insn, 0) == 8 ? op_extract64 :
						       op_extract32;
	case OP_EXTRACTPS: return op_extract32;
	case OP_PINSRB: return op_insert8;
	case OP_PINSRW: return mmx ? op_m_pinsrw : op_insert16;
	case OP_PINSRD:
		return insn_opnd_bytes(insn, 1) == 8 ? op_insert64 :
						       op_insert32;
	case OP_INSERTPS: return op_insertps;
	default: return NULL;
	}
}
