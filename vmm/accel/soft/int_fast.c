/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int_fast.c - the fast forms of frequent integer instructions, where offsets are
 * linear addresses (is_flat()) and alignment is not checked.
 *
 * Each does what the general form in u->call does, for one size and one kind of
 * operands; on whatever is not a TLB hit it runs that one instead.  Names say
 * operation, operands (r register, i immediate, m memory; destination first),
 * bits, and for arithmetic whether the flags are set (f) or dead (n).  Long
 * because it is a table of hot loops.
 */
#include "exec.h"
#include "lower.h"

/* A number in guest memory. */
#define DEFINE_ANY(bits) \
	struct any##bits { uint##bits##_t v; } \
		__attribute__((packed, may_alias))
DEFINE_ANY(8);
DEFINE_ANY(16);
DEFINE_ANY(32);
DEFINE_ANY(64);

#define FAST(name) \
	static const struct uop *name(struct cpu *cpu, const struct uop *u)

#define DEFINE_SET(bits, wide)						\
static inline void set_##bits(struct cpu *cpu, unsigned off,		\
			      uint##bits##_t v)				\
{									\
	REG##wide(cpu, off) = v;					\
}
DEFINE_SET(8, 8)
DEFINE_SET(16, 16)
DEFINE_SET(32, 64)
DEFINE_SET(64, 64)

#define REG(bits, off) REG##bits(cpu, off)
#define SET(bits, off, v) set_##bits(cpu, off, v)
#define IMM(bits) ((uint##bits##_t)(int64_t)u->imm)

/* The memory operand as `struct any##bits *p`; or hand over. */
#define POINT(p, bits, kind) POINT_AT(p, bits, kind, flat_lin(cpu, u))
#define POINT_AT(p, bits, kind, at)					\
	uint64_t lin_ = at;						\
	const struct tlb_slot *slot_ = tlb_slot(cpu, lin_);		\
	struct any##bits *p = (void *)(lin_ + slot_->addend);		\
									\
	if (unlikely(!tlb_hit(slot_->kind, lin_, bits / 8)))		\
		HAND_OVER(uop_call, cpu, u)

/* Moves. */

/* MOV r64, imm64: has no general form, since the number takes its place. */
FAST(mov_ri_64)
{
	REG64(cpu, u->dst) = u->imm64;
	NEXT(cpu, u);
}

#define DEFINE_MOV(bits)						\
FAST(mov_rr_##bits)							\
{									\
	SET(bits, u->dst, REG(bits, u->src));				\
	NEXT(cpu, u);							\
}									\
FAST(mov_rm_##bits)							\
{									\
	POINT(p, bits, read);						\
	SET(bits, u->dst, p->v);						\
	NEXT(cpu, u);							\
}									\
FAST(mov_mr_##bits)							\
{									\
	POINT(p, bits, write);						\
	p->v = REG(bits, u->src);				\
	NEXT(cpu, u);							\
}									\
FAST(mov_mi_##bits)							\
{									\
	POINT(p, bits, write);						\
	p->v = IMM(bits);							\
	NEXT(cpu, u);							\
}
DEFINE_MOV(8)
DEFINE_MOV(16)
DEFINE_MOV(32)
DEFINE_MOV(64)

FAST(mov_ri_8)
{
	REG8(cpu, u->dst) = (uint8_t)u->imm;
	NEXT(cpu, u);
}

FAST(mov_ri_32)
{
	REG64(cpu, u->dst) = (uint32_t)u->imm;
	NEXT(cpu, u);
}

#define DEFINE_EXTEND(name, from, type, to)				\
FAST(name##_rr_##from##_##to)						\
{									\
	SET(to, u->dst, (uint##to##_t)(type)REG(from, u->src));		\
	NEXT(cpu, u);							\
}									\
FAST(name##_rm_##from##_##to)						\
{									\
	POINT(p, from, read);						\
	SET(to, u->dst, (uint##to##_t)(type)p->v);			\
	NEXT(cpu, u);							\
}
DEFINE_EXTEND(movzx, 8, uint8_t, 32)
DEFINE_EXTEND(movzx, 16, uint16_t, 32)
DEFINE_EXTEND(movsx, 8, int8_t, 32)
DEFINE_EXTEND(movsx, 16, int16_t, 32)
DEFINE_EXTEND(movsx, 8, int8_t, 64)
DEFINE_EXTEND(movsx, 16, int16_t, 64)
DEFINE_EXTEND(movsx, 32, int32_t, 64)

static inline uint64_t op_sum(const struct cpu *cpu, const struct uop *u)
{
	return SLOT(cpu, u->base) + (SLOT(cpu, u->index) << u->scale) +
	       (uint64_t)(int64_t)u->disp;
}

FAST(lea_32)
{
	REG64(cpu, u->dst) = (uint32_t)op_sum(cpu, u);
	NEXT(cpu, u);
}

FAST(lea_64)
{
	REG64(cpu, u->dst) = op_sum(cpu, u);
	NEXT(cpu, u);
}

FAST(nop)
{
	NEXT(cpu, u);
}

/* Arithmetic. */

#define DO_ADD(a, b) ((a) + (b))
#define DO_SUB(a, b) ((a) - (b))
#define DO_AND(a, b) ((a) & (b))
#define DO_OR(a, b) ((a) | (b))
#define DO_XOR(a, b) ((a) ^ (b))
#define DO_ADC(a, b) ((a) + (b) + flag_c(cpu))
#define DO_SBB(a, b) ((a) - (b) - flag_c(cpu))

#define FLAGS_ADD(a, b, r, bits) flags_add(cpu, a, b, r, bits)
#define FLAGS_SUB(a, b, r, bits) flags_sub(cpu, a, b, r, bits)
#define FLAGS_ADC FLAGS_ADD
#define FLAGS_SBB FLAGS_SUB
#define FLAGS_AND(a, b, r, bits) flags_logic(cpu, r, bits)
#define FLAGS_OR FLAGS_AND
#define FLAGS_XOR FLAGS_AND

#define RESULT(OP, bits, a, b)						\
	uint##bits##_t a_ = (a), b_ = (b);				\
	uint##bits##_t r = (uint##bits##_t)DO_##OP(a_, b_)

#define DEFINE_ALU_FORMS(OP, bits, x, SETF)				\
FAST(OP##_rr_##bits##_##x)						\
{									\
	RESULT(OP, bits, REG(bits, u->dst), REG(bits, u->src));		\
	SET(bits, u->dst, r);						\
	SETF;								\
	NEXT(cpu, u);							\
}									\
FAST(OP##_ri_##bits##_##x)						\
{									\
	RESULT(OP, bits, REG(bits, u->dst), IMM(bits));			\
	SET(bits, u->dst, r);						\
	SETF;								\
	NEXT(cpu, u);							\
}									\
FAST(OP##_rm_##bits##_##x)						\
{									\
	POINT(p, bits, read);						\
	RESULT(OP, bits, REG(bits, u->dst), p->v);			\
	SET(bits, u->dst, r);						\
	SETF;								\
	NEXT(cpu, u);							\
}									\
FAST(OP##_mr_##bits##_##x)						\
{									\
	POINT(p, bits, write);						\
	RESULT(OP, bits, p->v, REG(bits, u->src));			\
	p->v = r;								\
	SETF;								\
	NEXT(cpu, u);							\
}									\
FAST(OP##_mi_##bits##_##x)						\
{									\
	POINT(p, bits, write);						\
	RESULT(OP, bits, p->v, IMM(bits));				\
	p->v = r;								\
	SETF;								\
	NEXT(cpu, u);							\
}
#define DEFINE_ALU(OP)							\
	DEFINE_ALU_FORMS(OP, 8, f, FLAGS_##OP(a_, b_, r, 8))		\
	DEFINE_ALU_FORMS(OP, 8, n, (void)0)				\
	DEFINE_ALU_FORMS(OP, 32, f, FLAGS_##OP(a_, b_, r, 32))		\
	DEFINE_ALU_FORMS(OP, 32, n, (void)0)				\
	DEFINE_ALU_FORMS(OP, 64, f, FLAGS_##OP(a_, b_, r, 64))		\
	DEFINE_ALU_FORMS(OP, 64, n, (void)0)
DEFINE_ALU(ADD)
DEFINE_ALU(SUB)
DEFINE_ALU(AND)
DEFINE_ALU(OR)
DEFINE_ALU(XOR)
DEFINE_ALU(ADC)
DEFINE_ALU(SBB)

/* XOR of a register with itself. */
FAST(clear_f)
{
	REG64(cpu, u->dst) = 0;
	cpu->flag_res = cpu->flag_aux = 0;
	NEXT(cpu, u);
}

FAST(clear_n)
{
	REG64(cpu, u->dst) = 0;
	NEXT(cpu, u);
}

#define DEFINE_INC(name, OP, bits)					\
FAST(name##_r_##bits)							\
{									\
	bool c = flag_c(cpu);						\
	RESULT(OP, bits, REG(bits, u->dst), 1);				\
	SET(bits, u->dst, r);						\
	FLAGS_##OP(a_, b_, r, bits);					\
	cpu->flag_aux = aux_with_c(cpu->flag_aux, c);			\
	NEXT(cpu, u);							\
}
DEFINE_INC(inc, ADD, 32)
DEFINE_INC(inc, ADD, 64)
DEFINE_INC(dec, SUB, 32)
DEFINE_INC(dec, SUB, 64)

#define DEFINE_SHIFT(name, bits, x, expr, c, o)				\
FAST(name##_ri_##bits##_##x)						\
{									\
	uint##bits##_t a = REG(bits, u->dst);				\
	unsigned n = (unsigned)u->imm & (bits - 1);			\
	uint##bits##_t r = (uint##bits##_t)(expr);			\
									\
	SET(bits, u->dst, r);						\
	if (#x[0] == 'f') {						\
		cpu->flag_res = SIGN_EXTEND(r, bits);			\
		cpu->flag_aux = aux_with_co(0, c, o);			\
	}								\
	NEXT(cpu, u);							\
}
#define DEFINE_SHIFTS(bits, x)						\
	DEFINE_SHIFT(shl, bits, x, a << n, a >> (bits - n) & 1,		\
		     (r >> (bits - 1)) != (a >> (bits - n) & 1))	\
	DEFINE_SHIFT(shr, bits, x, a >> n, a >> (n - 1) & 1,		\
		     a >> (bits - 1))					\
	DEFINE_SHIFT(sar, bits, x, (int##bits##_t)a >> n,		\
		     (int##bits##_t)a >> (n - 1) & 1, false)
DEFINE_SHIFTS(32, f)
DEFINE_SHIFTS(32, n)
DEFINE_SHIFTS(64, f)
DEFINE_SHIFTS(64, n)

#define DEFINE_IMUL(bits, type)						\
static inline void imul_flags_##bits(struct cpu *cpu, type a, type b,	\
				     type r, bool live)			\
{									\
	type dummy;							\
	bool over = __builtin_mul_overflow(a, b, &dummy);		\
									\
	if (live) {							\
		cpu->flag_res = (uint64_t)(int64_t)r;			\
		cpu->flag_aux = aux_with_co(0, over, over);		\
	}								\
}									\
FAST(imul_rr_##bits)							\
{									\
	type a = (type)REG(bits, u->dst), b = (type)REG(bits, u->src);	\
	type r = (type)((uint##bits##_t)a * (uint##bits##_t)b);		\
									\
	SET(bits, u->dst, (uint##bits##_t)r);				\
	imul_flags_##bits(cpu, a, b, r, true);				\
	NEXT(cpu, u);							\
}									\
FAST(imul_rri_##bits)							\
{									\
	type a = (type)REG(bits, u->src), b = (type)u->imm;		\
	type r = (type)((uint##bits##_t)a * (uint##bits##_t)b);		\
									\
	SET(bits, u->dst, (uint##bits##_t)r);				\
	imul_flags_##bits(cpu, a, b, r, true);				\
	NEXT(cpu, u);							\
}									\
FAST(imul_rm_##bits)							\
{									\
	POINT(p, bits, read);						\
	type a = (type)REG(bits, u->dst), b = (type)p->v;			\
	type r = (type)((uint##bits##_t)a * (uint##bits##_t)b);		\
									\
	SET(bits, u->dst, (uint##bits##_t)r);				\
	imul_flags_##bits(cpu, a, b, r, true);				\
	NEXT(cpu, u);							\
}
DEFINE_IMUL(32, int32_t)
DEFINE_IMUL(64, int64_t)

/* Comparisons, alone and together with the conditional jump behind them: then the
 * next uop is that jump, and the one after it the way on.
 */

#define COND_B(a, b, s) ((a) < (b))
#define COND_AE(a, b, s) ((a) >= (b))
#define COND_Z(a, b, s) ((a) == (b))
#define COND_NZ(a, b, s) ((a) != (b))
#define COND_BE(a, b, s) ((a) <= (b))
#define COND_A(a, b, s) ((a) > (b))
#define COND_L(a, b, s) ((s)(a) < (s)(b))
#define COND_GE(a, b, s) ((s)(a) >= (s)(b))
#define COND_LE(a, b, s) ((s)(a) <= (s)(b))
#define COND_G(a, b, s) ((s)(a) > (s)(b))
/* Of a & b. */
#define TEST_Z(a, b, s) (!((a) & (b)))
#define TEST_NZ(a, b, s) ((a) & (b))
#define TEST_S(a, b, s) ((s)((a) & (b)) < 0)
#define TEST_NS(a, b, s) ((s)((a) & (b)) >= 0)

#define THEN_NEXT(...) NEXT(cpu, u)
#define THEN_JUMP(cond)							\
	if (cond)							\
		return edge_take(cpu, u + 1);				\
	return edge_take(cpu, u + 2)

#define CMP_FLAGS(a, b, bits)						\
	flags_sub(cpu, a, b, (uint##bits##_t)((a) - (b)), bits)
#define TEST_FLAGS(a, b, bits)						\
	flags_logic(cpu, (uint##bits##_t)((a) & (b)), bits)

#define DEFINE_CMP_FORM(KIND, name, form, bits, POINTER, a, b, then)	\
FAST(KIND##_##form##_##bits##_##name)					\
{									\
	POINTER								\
	uint##bits##_t a_ = a, b_ = b;					\
									\
	KIND##_FLAGS(a_, b_, bits);					\
	then;								\
}
#define NO_POINT
#define READ_POINT(bits) POINT(p, bits, read);
#define DEFINE_CMP_FORMS(KIND, name, bits, then)			\
	DEFINE_CMP_FORM(KIND, name, rr, bits, NO_POINT,			\
			REG(bits, u->dst), REG(bits, u->src), then)	\
	DEFINE_CMP_FORM(KIND, name, ri, bits, NO_POINT,			\
			REG(bits, u->dst), IMM(bits), then)		\
	DEFINE_CMP_FORM(KIND, name, mr, bits, READ_POINT(bits),		\
			p->v, REG(bits, u->src), then)			\
	DEFINE_CMP_FORM(KIND, name, mi, bits, READ_POINT(bits),		\
			p->v, IMM(bits), then)
#define DEFINE_CMP_RM(name, bits, then)					\
	DEFINE_CMP_FORM(CMP, name, rm, bits, READ_POINT(bits),		\
			REG(bits, u->dst), p->v, then)

#define DEFINE_CMP(bits)						\
	DEFINE_CMP_FORMS(CMP, alone, bits, THEN_NEXT())			\
	DEFINE_CMP_RM(alone, bits, THEN_NEXT())				\
	DEFINE_CMP_FORMS(TEST, alone, bits, THEN_NEXT())
#define DEFINE_CMP_JCC(bits, cc)					\
	DEFINE_CMP_FORMS(CMP, cc, bits,					\
			 THEN_JUMP(COND_##cc(a_, b_, int##bits##_t)))	\
	DEFINE_CMP_RM(cc, bits,						\
		      THEN_JUMP(COND_##cc(a_, b_, int##bits##_t)))
#define DEFINE_TEST_JCC(bits, cc)					\
	DEFINE_CMP_FORMS(TEST, cc, bits,				\
			 THEN_JUMP(TEST_##cc(a_, b_, int##bits##_t)))
#define DEFINE_FUSED(bits)						\
	DEFINE_CMP(bits)						\
	DEFINE_CMP_JCC(bits, B)						\
	DEFINE_CMP_JCC(bits, AE)					\
	DEFINE_CMP_JCC(bits, Z)						\
	DEFINE_CMP_JCC(bits, NZ)					\
	DEFINE_CMP_JCC(bits, BE)					\
	DEFINE_CMP_JCC(bits, A)						\
	DEFINE_CMP_JCC(bits, L)						\
	DEFINE_CMP_JCC(bits, GE)					\
	DEFINE_CMP_JCC(bits, LE)					\
	DEFINE_CMP_JCC(bits, G)						\
	DEFINE_TEST_JCC(bits, Z)					\
	DEFINE_TEST_JCC(bits, NZ)					\
	DEFINE_TEST_JCC(bits, S)					\
	DEFINE_TEST_JCC(bits, NS)
DEFINE_FUSED(8)
DEFINE_FUSED(32)
DEFINE_FUSED(64)

/* Conditions. */

#define FOR_EACH_CC(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) \
	X(11) X(12) X(13) X(14) X(15)
#define DEFINE_CC(cc)							\
FAST(jcc_##cc)								\
{									\
	if (flag_cond(cpu, cc))						\
		return edge_take(cpu, u);				\
	return edge_take(cpu, u + 1);					\
}									\
FAST(setcc_##cc)							\
{									\
	REG8(cpu, u->dst) = flag_cond(cpu, cc);				\
	NEXT(cpu, u);							\
}									\
FAST(cmov_32_##cc)							\
{									\
	uint32_t v = REG32(cpu, flag_cond(cpu, cc) ? u->src : u->dst);	\
									\
	SET(32, u->dst, v);						\
	NEXT(cpu, u);							\
}									\
FAST(cmov_64_##cc)							\
{									\
	if (flag_cond(cpu, cc))						\
		REG64(cpu, u->dst) = REG64(cpu, u->src);		\
	NEXT(cpu, u);							\
}
FOR_EACH_CC(DEFINE_CC)

/* Jumps, calls, the stack.  The uop behind a call is the jump to its target. */

static inline bool is_canonical(uint64_t lin)
{
	return (lin + (1ull << 47)) >> 48 == 0;
}

#define SP (cpu->gpr[CPU_RSP])
#define OK_32(target) true
#define OK_64(target) is_canonical(target)

#define DEFINE_STACK(bits)						\
FAST(push_r_##bits)							\
{									\
	uint64_t sp = (SP - bits / 8) & cpu->ea_mask;			\
	POINT_AT(p, bits, write, sp);					\
									\
	p->v = REG(bits, u->dst);				\
	SP = sp;							\
	NEXT(cpu, u);							\
}									\
FAST(pop_r_##bits)							\
{									\
	uint64_t sp = SP & cpu->ea_mask;				\
	POINT_AT(p, bits, read, sp);					\
									\
	SP = (sp + bits / 8) & cpu->ea_mask;				\
	SET(bits, u->dst, p->v);						\
	NEXT(cpu, u);							\
}									\
FAST(call_##bits)							\
{									\
	uint64_t sp = (SP - bits / 8) & cpu->ea_mask;			\
	POINT_AT(p, bits, write, sp);					\
									\
	p->v = (uint##bits##_t)(cpu->block_rip + u->next);		\
	SP = sp;							\
	return edge_take(cpu, u + 1);					\
}									\
FAST(call_r_##bits)							\
{									\
	uint64_t sp = (SP - bits / 8) & cpu->ea_mask;			\
	POINT_AT(p, bits, write, sp);					\
	uint##bits##_t target = REG(bits, u->dst);			\
									\
	if (unlikely(!OK_##bits(target)))				\
		HAND_OVER(uop_call, cpu, u);				\
	p->v = (uint##bits##_t)(cpu->block_rip + u->next);		\
	SP = sp;							\
	cpu->block_rip = target;					\
	HAND_OVER(edge_indirect, cpu, u);				\
}									\
FAST(ret_##bits)							\
{									\
	uint64_t sp = SP & cpu->ea_mask;				\
	POINT_AT(p, bits, read, sp);					\
									\
	if (unlikely(!OK_##bits(p->v)))				\
		HAND_OVER(uop_call, cpu, u);				\
	SP = (sp + bits / 8) & cpu->ea_mask;				\
	cpu->block_rip = p->v;						\
	HAND_OVER(edge_indirect, cpu, u);				\
}									\
FAST(jmp_r_##bits)							\
{									\
	uint##bits##_t target = REG(bits, u->dst);			\
									\
	if (unlikely(!OK_##bits(target)))				\
		HAND_OVER(uop_call, cpu, u);				\
	cpu->block_rip = target;					\
	HAND_OVER(edge_indirect, cpu, u);				\
}									\
FAST(jmp_m_##bits)							\
{									\
	POINT(p, bits, read);						\
	if (unlikely(!OK_##bits(p->v)))					\
		HAND_OVER(uop_call, cpu, u);				\
	cpu->block_rip = p->v;						\
	HAND_OVER(edge_indirect, cpu, u);				\
}
DEFINE_STACK(32)
DEFINE_STACK(64)

/* Choosing. */

enum form { RR, RI, RM, MR, MI, N_FORMS };

static enum form form_of(const struct uop *u)
{
	if (u->src == SRC_IMM)
		return u->mem ? MI : RI;
	return u->mem == MEM_SRC ? RM : u->mem ? MR : RR;
}

/* 0: 8 bits, 1: 32, 2: 64; negative: there are no forms for 16. */
static int size_index(const struct uop *u)
{
	return u->osize == 1 ? -1 : u->osize ? u->osize - 1 : 0;
}

#define ALU_ROW(OP, bits, x) { OP##_rr_##bits##_##x, OP##_ri_##bits##_##x, \
	OP##_rm_##bits##_##x, OP##_mr_##bits##_##x, OP##_mi_##bits##_##x }
#define ALU_TABLE(OP) { \
	{ ALU_ROW(OP, 8, n), ALU_ROW(OP, 8, f) }, \
	{ ALU_ROW(OP, 32, n), ALU_ROW(OP, 32, f) }, \
	{ ALU_ROW(OP, 64, n), ALU_ROW(OP, 64, f) } }

static uop_fn *alu_fast(enum op op, const struct uop *u, bool live)
{
	static uop_fn *const table[][3][2][N_FORMS] = {
		ALU_TABLE(ADD), ALU_TABLE(SUB), ALU_TABLE(AND), ALU_TABLE(OR),
		ALU_TABLE(XOR), ALU_TABLE(ADC), ALU_TABLE(SBB),
	};
	static const uint16_t ops[] = { OP_ADD, OP_SUB, OP_AND, OP_OR, OP_XOR,
					OP_ADC, OP_SBB };
	int size = size_index(u);

	if (u->lock || size < 0)
		return NULL;
	if (op == OP_XOR && size && form_of(u) == RR && u->dst == u->src)
		return live ? clear_f : clear_n;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (ops[i] == op)
			return table[i][size][live][form_of(u)];
	return NULL;
}

#define CMP_ROW(cc, bits) { CMP_rr_##bits##_##cc, CMP_ri_##bits##_##cc, \
	CMP_rm_##bits##_##cc, CMP_mr_##bits##_##cc, CMP_mi_##bits##_##cc }
#define CMP_TABLE(cc) { CMP_ROW(cc, 8), CMP_ROW(cc, 32), CMP_ROW(cc, 64) }
#define TEST_ROW(cc, bits) { TEST_rr_##bits##_##cc, TEST_ri_##bits##_##cc, \
	NULL, TEST_mr_##bits##_##cc, TEST_mi_##bits##_##cc }
#define TEST_TABLE(cc) { TEST_ROW(cc, 8), TEST_ROW(cc, 32), TEST_ROW(cc, 64) }

static uop_fn *cmp_fast(enum op op, const struct uop *u)
{
	static uop_fn *const cmp[3][N_FORMS] = CMP_TABLE(alone);
	static uop_fn *const test[3][N_FORMS] = TEST_TABLE(alone);
	int size = size_index(u);

	if (size < 0)
		return NULL;
	return op == OP_CMP ? cmp[size][form_of(u)] : test[size][form_of(u)];
}

uop_fn *fast_fuse(const struct insn *in, const struct uop *u, unsigned cc)
{
	static uop_fn *const cmp[16][3][N_FORMS] = {
		[2] = CMP_TABLE(B), [3] = CMP_TABLE(AE), [4] = CMP_TABLE(Z),
		[5] = CMP_TABLE(NZ), [6] = CMP_TABLE(BE), [7] = CMP_TABLE(A),
		[12] = CMP_TABLE(L), [13] = CMP_TABLE(GE),
		[14] = CMP_TABLE(LE), [15] = CMP_TABLE(G),
	};
	static uop_fn *const test[16][3][N_FORMS] = {
		[4] = TEST_TABLE(Z), [5] = TEST_TABLE(NZ),
		[8] = TEST_TABLE(S), [9] = TEST_TABLE(NS),
		[12] = TEST_TABLE(S), [13] = TEST_TABLE(NS),
	};
	int size = size_index(u);

	if (size < 0 || (in->op != OP_CMP && in->op != OP_TEST))
		return NULL;
	return in->op == OP_CMP ? cmp[cc][size][form_of(u)] :
				  test[cc][size][form_of(u)];
}

static uop_fn *mov_fast(const struct uop *u)
{
	static uop_fn *const table[4][N_FORMS] = {
		{ mov_rr_8, mov_ri_8, mov_rm_8, mov_mr_8, mov_mi_8 },
		{ mov_rr_16, NULL, mov_rm_16, mov_mr_16, mov_mi_16 },
		{ mov_rr_32, mov_ri_32, mov_rm_32, mov_mr_32, mov_mi_32 },
		{ mov_rr_64, NULL, mov_rm_64, mov_mr_64, mov_mi_64 },
	};

	return table[u->osize][form_of(u)];
}

static uop_fn *extend_fast(const struct insn *in, const struct uop *u)
{
	unsigned from = insn_opnd_bytes(in, 1);
	bool m = u->mem;

	/* Zeroes reach up to bit 63 in either case. */
	if (in->op == OP_MOVZX && u->osize >= 2)
		return from == 1 ? (m ? movzx_rm_8_32 : movzx_rr_8_32) :
				   (m ? movzx_rm_16_32 : movzx_rr_16_32);
	if (in->op == OP_MOVZX)
		return NULL;
	if (u->osize == 2)
		return from == 1 ? (m ? movsx_rm_8_32 : movsx_rr_8_32) :
		       from == 2 ? (m ? movsx_rm_16_32 : movsx_rr_16_32) :
				   (m ? mov_rm_32 : mov_rr_32);
	if (u->osize == 3)
		return from == 1 ? (m ? movsx_rm_8_64 : movsx_rr_8_64) :
		       from == 2 ? (m ? movsx_rm_16_64 : movsx_rr_16_64) :
				   (m ? movsx_rm_32_64 : movsx_rr_32_64);
	return NULL;
}

static uop_fn *shift_fast(enum op op, const struct uop *u, bool live)
{
	static uop_fn *const table[3][2][2] = {
		{ { shl_ri_32_n, shl_ri_32_f }, { shl_ri_64_n, shl_ri_64_f } },
		{ { shr_ri_32_n, shr_ri_32_f }, { shr_ri_64_n, shr_ri_64_f } },
		{ { sar_ri_32_n, sar_ri_32_f }, { sar_ri_64_n, sar_ri_64_f } },
	};
	unsigned bits = 8u << u->osize;

	if (u->osize < 2 || u->mem || u->src != SRC_IMM ||
	    !((unsigned)u->imm & (bits - 1)))
		return NULL;
	return table[op == OP_SHL ? 0 : op == OP_SHR ? 1 : 2][u->osize - 2]
		    [live];
}

static uop_fn *imul_fast(const struct insn *in, const struct uop *u)
{
	bool wide = u->osize == 3;

	if (u->osize < 2)
		return NULL;
	if (OPND_KIND(in->row->opnd[2]))
		return u->mem ? NULL : wide ? imul_rri_64 : imul_rri_32;
	return u->mem ? (wide ? imul_rm_64 : imul_rm_32) :
			(wide ? imul_rr_64 : imul_rr_32);
}

static uop_fn *cc_fast(const struct insn *in, const struct uop *u)
{
#define JCC(cc) jcc_##cc,
#define SETCC(cc) setcc_##cc,
#define CMOV32(cc) cmov_32_##cc,
#define CMOV64(cc) cmov_64_##cc,
	static uop_fn *const jcc[] = { FOR_EACH_CC(JCC) };
	static uop_fn *const setcc[] = { FOR_EACH_CC(SETCC) };
	static uop_fn *const cmov[2][16] = { { FOR_EACH_CC(CMOV32) },
					     { FOR_EACH_CC(CMOV64) } };
	unsigned cc = in->opcode & 15;

	if (in->op == OP_JCC)
		return jcc[cc];
	if (u->mem)
		return NULL;
	if (in->op == OP_SETCC)
		return setcc[cc];
	return u->osize < 2 ? NULL : cmov[u->osize - 2][cc];
}

/* Near branches and the stack, of the mode's own size. */
static uop_fn *stack_fast(const struct insn *in, const struct uop *u)
{
	bool wide = u->osize == 3;

	switch (in->op) {
	case OP_PUSH:
		return u->mem || u->dst == SRC_IMM ? NULL :
		       wide ? push_r_64 : push_r_32;
	case OP_POP:
		return u->mem ? NULL : wide ? pop_r_64 : pop_r_32;
	case OP_RET:
		return u->imm ? NULL : wide ? ret_64 : ret_32;
	case OP_CALL: return wide ? call_64 : call_32;
	case OP_CALL_IND:
		return u->mem ? NULL : wide ? call_r_64 : call_r_32;
	case OP_JMP_IND:
		return u->mem ? (wide ? jmp_m_64 : jmp_m_32) :
				(wide ? jmp_r_64 : jmp_r_32);
	case OP_JMP: return uop_edge;
	default: return NULL;
	}
}

static uop_fn *choose(const struct insn *in, const struct uop *u, bool live)
{
	switch (in->op) {
	case OP_ADD: case OP_SUB: case OP_AND: case OP_OR: case OP_XOR:
	case OP_ADC: case OP_SBB:
		return alu_fast(in->op, u, live);
	case OP_CMP: case OP_TEST: return cmp_fast(in->op, u);
	case OP_MOV:
		return OPND_KIND(in->row->opnd[0]) == K_O ||
		       OPND_KIND(in->row->opnd[1]) == K_O ? NULL : mov_fast(u);
	case OP_MOVZX: case OP_MOVSX: case OP_MOVSXD:
		return extend_fast(in, u);
	case OP_LEA:
		return u->osize == 3 ? lea_64 : u->osize == 2 ? lea_32 : NULL;
	case OP_SHL: case OP_SHR: case OP_SAR:
		return shift_fast(in->op, u, live);
	case OP_IMUL: return imul_fast(in, u);
	case OP_INC: case OP_DEC:
		if (u->mem || u->osize < 2)
			return NULL;
		if (in->op == OP_INC)
			return u->osize == 3 ? inc_r_64 : inc_r_32;
		return u->osize == 3 ? dec_r_64 : dec_r_32;
	case OP_JCC: case OP_SETCC: case OP_CMOVCC: return cc_fast(in, u);
	case OP_NOP: return nop;
	default: return stack_fast(in, u);
	}
}

bool fast_mov_imm64(const struct insn *in, struct uop *u)
{
	if (in->op != OP_MOV || form_of(u) != RI || u->osize != 3)
		return false;
	u->imm64 = OPND_KIND(in->row->opnd[0]) == K_Z ? in->imm :
		   (uint64_t)(int64_t)u->imm;
	u->fn = mov_ri_64;
	return true;
}

uop_fn *fast_pick(const struct insn *in, const struct uop *u, bool live)
{
	return choose(in, u, live);
}
