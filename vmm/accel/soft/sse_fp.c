/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_fp.c - floating point in XMM registers, and its exceptions. Intel SDM volume
 * 1, sections 10.2.3, 11.5 and E.4; volume 2.
 *
 * The host runs the instruction with all exceptions masked; the flags that this
 * raises tell whether the guest, with its masks, would have got #XM, in which case
 * nothing but the flags changes.
 */
#include "sse.h"

#include "flags.h"

#define PRECOMPUTATION	(MXCSR_I | MXCSR_D | MXCSR_Z)

static bool is_tiny_single(uint32_t v)
{
	return !(v & 0x7f800000) && v & 0x7fffff;
}

static bool is_tiny_double(uint64_t v)
{
	return !(v & 0x7ff0000000000000) && v & 0xfffffffffffff;
}

bool sse_is_tiny(const union vec *v, enum tiny tiny)
{
	switch (tiny) {
	case TINY_PS:
		return is_tiny_single(v->d[0]) || is_tiny_single(v->d[1]) ||
		       is_tiny_single(v->d[2]) || is_tiny_single(v->d[3]);
	case TINY_PD:
		return is_tiny_double(v->q[0]) || is_tiny_double(v->q[1]);
	case TINY_SS:
		return is_tiny_single(v->d[0]);
	case TINY_SD:
		return is_tiny_double(v->q[0]);
	default:
		return false;
	}
}

static bool unmasked(const struct cpu *cpu, uint32_t flags)
{
	return flags & ~(cpu->fpu.mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS;
}

/* The flags of a computation with this result. */
static uint32_t tiny_flags(const struct cpu *cpu, uint32_t flags,
			   const union vec *v, enum tiny tiny)
{
	return unmasked(cpu, MXCSR_U) && sse_is_tiny(v, tiny) ?
	       flags | MXCSR_U : flags;
}

/* What the host runs with.  Flushing tiny results to zero is for the masked
 * underflow only.
 */
static uint32_t run_mxcsr(const struct cpu *cpu)
{
	uint32_t m = (cpu->fpu.mxcsr | MXCSR_MASKS) & ~MXCSR_FLAGS;

	return unmasked(cpu, MXCSR_U) ? m & ~MXCSR_FTZ : m;
}

/* Record the flags of an instruction.  False: #XM (or #UD) was raised.  What is
 * known before computing comes first: then nothing was computed.
 */
static bool fp_flags(struct cpu *cpu, uint32_t flags)
{
	bool fault = unmasked(cpu, flags);

	if (fault && unmasked(cpu, flags & PRECOMPUTATION))
		flags &= PRECOMPUTATION;
	cpu->fpu.mxcsr |= flags;
	if (fault)
		cpu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
	return !fault;
}

/* *v becomes the result of a computation with *src.  False: as fp_flags(). */
static inline bool compute(struct cpu *cpu, enum op op, host_fp_fn *fn,
			   enum tiny tiny, union vec *v, const union vec *src)
{
	uint32_t run = run_mxcsr(cpu), flags;
	const union vec a = *v;

	flags = fn(v, src, run);
	if (tiny == TINY_NO)
		return fp_flags(cpu, flags);
	flags = tiny_flags(cpu, flags, v, tiny);
	if (unmasked(cpu, flags & (MXCSR_O | MXCSR_U)) &&
	    !sse_is_inexact(op, tiny, &a, src, cpu->fpu.mxcsr, run))
		flags &= ~MXCSR_P;
	return fp_flags(cpu, flags);
}

static inline enum done fp_op(struct cpu *cpu, const struct uop *u,
			      host_fp_fn *fn, unsigned bytes, enum tiny tiny,
			      enum op op)
{
	union vec buf, v;
	const union vec *src = xmm_source(cpu, u, &buf, bytes);

	if (!src)
		return DONE_FAULT;
	v = *xmm_reg(cpu, u->dst);
	if (!compute(cpu, op, fn, tiny, &v, src))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

#define X(name, insn, bytes, tiny)					\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_op(cpu, u, host_##name, bytes, tiny, OP_##name);	\
}
HOST_FP(X)
#undef X

static inline enum done fp_imm(struct cpu *cpu, const struct uop *u,
			       host_fp_imm_fn *fn, unsigned bytes)
{
	union vec buf, v;
	const union vec *src = xmm_source(cpu, u, &buf, bytes);

	if (!src)
		return DONE_FAULT;
	v = *xmm_reg(cpu, u->dst);
	if (!fp_flags(cpu, fn(&v, src, (uint8_t)u->imm, run_mxcsr(cpu))))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

#define X(name, insn, bytes)						\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_imm(cpu, u, host_##name, bytes);			\
}
HOST_FP_IMM(X)
#undef X

/* Products, their sums, and of four the sum of sums: each step has exceptions of
 * its own, and the first that is not masked ends it.
 */
static bool dot_product(struct cpu *cpu, bool is_double, union vec *v,
			const union vec *src)
{
	union vec products;

	if (is_double) {
		if (!compute(cpu, OP_MULPD, host_MULPD, TINY_PD, v, src))
			return false;
		products = *v;
		return compute(cpu, OP_HADDPD, host_HADDPD, TINY_PD, v,
			       &products);
	}
	if (!compute(cpu, OP_MULPS, host_MULPS, TINY_PS, v, src))
		return false;
	products = *v;
	if (!compute(cpu, OP_HADDPS, host_HADDPS, TINY_PS, v, &products))
		return false;
	products = *v;
	return compute(cpu, OP_HADDPS, host_HADDPS, TINY_PS, v, &products);
}

/* The parts that bits `mask` do not name become 0. */
static void keep_parts(union vec *v, bool is_double, unsigned mask)
{
	for (unsigned i = 0; is_double && i < 2; i++)
		if (!(mask >> i & 1))
			v->q[i] = 0;
	for (unsigned i = 0; !is_double && i < 4; i++)
		if (!(mask >> i & 1))
			v->d[i] = 0;
}

static inline enum done dpp(struct cpu *cpu, const struct uop *u,
			    bool is_double)
{
	const union vec *src;
	union vec buf, v;

	src = xmm_source(cpu, u, &buf, 16);
	if (!src)
		return DONE_FAULT;
	buf = *src;
	v = *xmm_reg(cpu, u->dst);
	keep_parts(&v, is_double, (unsigned)u->imm >> 4);
	keep_parts(&buf, is_double, (unsigned)u->imm >> 4);
	if (!dot_product(cpu, is_double, &v, &buf))
		return DONE_FAULT;
	keep_parts(&v, is_double, (unsigned)u->imm);
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

static enum done op_dpps(struct cpu *cpu, const struct uop *u)
{
	return dpp(cpu, u, false);
}

static enum done op_dppd(struct cpu *cpu, const struct uop *u)
{
	return dpp(cpu, u, true);
}

/* To and from MMX registers, which leaves x87 mode even if #XM follows. */

static inline enum done fp_to_mmx(struct cpu *cpu, const struct uop *u,
				  host_fp_fn *fn, unsigned bytes)
{
	const union vec *src;
	union vec buf, v;

	if (!mmx_begin(cpu))
		return DONE_FAULT;
	src = xmm_source(cpu, u, &buf, bytes);
	if (!src)
		return DONE_FAULT;
	mmx_end(cpu);
	if (!fp_flags(cpu, fn(&v, src, run_mxcsr(cpu))))
		return DONE_FAULT;
	mmx_reg(cpu, u->dst)->q[0] = v.q[0];
	mmx_end_write(cpu, u->dst);
	return DONE;
}

#define X(name, insn, bytes)						\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_to_mmx(cpu, u, host_##name, bytes);			\
}
HOST_FP_TO_MMX(X)
#undef X

/* From memory it has nothing to do with MMX.  (For CVTPI2PS Intel's manual says that
 * it has; AMD's CPUs and this one do not care.)
 */
static inline enum done fp_from_mmx(struct cpu *cpu, const struct uop *u,
				    host_fp_fn *fn)
{
	bool mmx = !u->mem;
	const union vec *src;
	union vec buf, v;

	if (mmx && !mmx_begin(cpu))
		return DONE_FAULT;
	src = mmx_source(cpu, u, &buf, 8);
	if (!src)
		return DONE_FAULT;
	if (mmx)
		mmx_end(cpu);
	v = *xmm_reg(cpu, u->dst);
	if (!fp_flags(cpu, fn(&v, src, run_mxcsr(cpu))))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

#define X(name, insn)							\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_from_mmx(cpu, u, host_##name);			\
}
HOST_FP_FROM_MMX(X)
#undef X

/* To and from general registers. */

static inline enum done fp_from_int(struct cpu *cpu, const struct uop *u,
				    host_fp_fn *fn, unsigned bytes)
{
	union vec v;
	uint64_t src = 0;

	if (u->mem) {
		if (!op_load(cpu, u, &src, bytes))
			return DONE_FAULT;
	} else {
		src = REG64(cpu, u->src);
	}
	v = *xmm_reg(cpu, u->dst);
	if (!fp_flags(cpu, fn(&v, &src, run_mxcsr(cpu))))
		return DONE_FAULT;
	*xmm_reg(cpu, u->dst) = v;
	return DONE;
}

#define X(name, insn)							\
static enum done op_##name##_32(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_from_int(cpu, u, host_##name##_32, 4);		\
}									\
static enum done op_##name##_64(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_from_int(cpu, u, host_##name##_64, 8);		\
}
HOST_FP_FROM_INT(X)
#undef X

static inline enum done fp_to_int(struct cpu *cpu, const struct uop *u,
				  host_fp_fn *fn, unsigned bytes)
{
	union vec buf;
	const union vec *src = xmm_source(cpu, u, &buf, bytes);
	uint64_t v;

	if (!src || !fp_flags(cpu, fn(&v, src, run_mxcsr(cpu))))
		return DONE_FAULT;
	REG64(cpu, u->dst) = v;
	return DONE;
}

#define X(name, insn, bytes)						\
static enum done op_##name##_32(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_to_int(cpu, u, host_##name##_32, bytes);		\
}									\
static enum done op_##name##_64(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_to_int(cpu, u, host_##name##_64, bytes);		\
}
HOST_FP_TO_INT(X)
#undef X

static inline enum done fp_compare(struct cpu *cpu, const struct uop *u,
				   host_fp_fn *fn, unsigned bytes)
{
	union vec buf;
	const union vec *src = xmm_source(cpu, u, &buf, bytes);
	uint32_t r;

	if (!src)
		return DONE_FAULT;
	r = fn(xmm_reg(cpu, u->dst), src, run_mxcsr(cpu));
	if (!fp_flags(cpu, r & MXCSR_FLAGS))
		return DONE_FAULT;
	flags_set(cpu, r >> HOST_COMPARE_SHIFT);
	return DONE;
}

#define X(name, insn, bytes)						\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	return fp_compare(cpu, u, host_##name, bytes);			\
}
HOST_FP_COMPARE(X)
#undef X

/* The integer's size is that of operand `i`. */
static bool is_wide(const struct insn *insn, unsigned i)
{
	return insn_opnd_bytes(insn, i) == 8;
}

op_fn *sse_fp_pick(const struct insn *insn)
{
	switch (insn->op) {
#define X(name, mnemonic, bytes, tiny) case OP_##name: return op_##name;
	HOST_FP(X)
#undef X
#define X(name, mnemonic, bytes) case OP_##name: return op_##name;
	HOST_FP_IMM(X)
	HOST_FP_TO_MMX(X)
	HOST_FP_COMPARE(X)
#undef X
#define X(name, mnemonic) case OP_##name: return op_##name;
	HOST_FP_FROM_MMX(X)
#undef X
#define X(name, mnemonic) case OP_##name: \
	return is_wide(insn, 1) ? op_##name##_64 : op_##name##_32;
	HOST_FP_FROM_INT(X)
#undef X
#define X(name, mnemonic, bytes) case OP_##name: \
	return is_wide(insn, 0) ? op_##name##_64 : op_##name##_32;
	HOST_FP_TO_INT(X)
#undef X
	case OP_DPPS: return op_dpps;
	case OP_DPPD: return op_dppd;
	default: return NULL;
	}
}
