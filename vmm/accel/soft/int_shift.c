/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int_shift.c - shifts and rotations.  Intel SDM volume 2, RCL/RCR/ROL/ROR,
 * SAL/SAR/SHL/SHR, SHLD, SHRD.
 *
 * What the manual leaves undefined (OF for counts above 1, AF) is set by the
 * formula for a count of 1, AF to 0.
 */
#include "int.h"

/* The count, before it is cut to the operand. */
static unsigned count_of(struct cpu *cpu, const struct uop *u)
{
	unsigned n = u->src == SRC_IMM ? (unsigned)u->imm :
					  REG8(cpu, REG_OFF(CPU_RCX));

	return n & (u->osize == 3 ? 63 : 31);
}

static bool bit(uint64_t v, unsigned n)
{
	return n < 64 && v >> n & 1;
}

/* Flags of shifts: the result's, and CF and OF. */
static void set_shift_flags(struct cpu *cpu, uint64_t r, unsigned bits, bool c,
			    bool o)
{
	cpu->flag_res = SIGN_EXTEND(r, bits);
	cpu->flag_aux = aux_with_co(0, c, o);
}

/* Each computes the result, CF and OF from value, count (not 0) and width. */
struct shifted {
	uint64_t r;
	bool c, o;
};

static struct shifted do_shl(uint64_t v, unsigned n, unsigned bits)
{
	uint64_t r = cut(v << n, bits);
	bool c = n <= bits && bit(v, bits - n);

	return (struct shifted){ r, c, bit(r, bits - 1) != c };
}

static struct shifted do_shr(uint64_t v, unsigned n, unsigned bits)
{
	return (struct shifted){ v >> n, bit(v, n - 1), bit(v, bits - 1) };
}

static struct shifted do_sar(uint64_t v, unsigned n, unsigned bits)
{
	int64_t s = (int64_t)SIGN_EXTEND(v, bits);

	return (struct shifted){ cut((uint64_t)(s >> n), bits),
				 s >> (n - 1) & 1, false };
}

static struct shifted do_rol(uint64_t v, unsigned n, unsigned bits)
{
	uint64_t r = v;

	n %= bits;
	if (n)
		r = cut(v << n | v >> (bits - n), bits);
	return (struct shifted){ r, r & 1, bit(r, bits - 1) != (r & 1) };
}

static struct shifted do_ror(uint64_t v, unsigned n, unsigned bits)
{
	uint64_t r = v;

	n %= bits;
	if (n)
		r = cut(v >> n | v << (bits - n), bits);
	return (struct shifted){ r, bit(r, bits - 1),
				 bit(r, bits - 1) != bit(r, bits - 2) };
}

/* Through carry: a rotation of bits + 1 bits. */
static struct shifted do_rcl(uint64_t v, unsigned n, unsigned bits, bool c)
{
	unsigned __int128 w = (unsigned __int128)c << bits | v;

	n %= bits + 1;
	w = w << n | w >> (bits + 1 - n);
	c = w >> bits & 1;
	v = cut((uint64_t)w, bits);
	return (struct shifted){ v, c, bit(v, bits - 1) != c };
}

static struct shifted do_rcr(uint64_t v, unsigned n, unsigned bits, bool c)
{
	unsigned __int128 w = (unsigned __int128)c << bits | v;
	uint64_t r;

	n %= bits + 1;
	w = w >> n | w << (bits + 1 - n);
	r = cut((uint64_t)w, bits);
	return (struct shifted){ r, w >> bits & 1,
				 bit(r, bits - 1) != bit(r, bits - 2) };
}

#define DEFINE_SHIFT(name)						\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	unsigned n = count_of(cpu, u), bits = op_bits(u);		\
	struct shifted s;						\
	struct dst d;							\
									\
	if (!dst_begin(cpu, u, &d))					\
		return DONE_FAULT;					\
	if (!n) {							\
		dst_end(cpu, u, &d, d.v);				\
		return DONE;						\
	}								\
	s = do_##name(d.v, n, bits);					\
	dst_end(cpu, u, &d, s.r);					\
	set_shift_flags(cpu, s.r, bits, s.c, s.o);			\
	return DONE;							\
}
DEFINE_SHIFT(shl)
DEFINE_SHIFT(shr)
DEFINE_SHIFT(sar)

/* Rotations change CF and OF alone. */
#define DEFINE_ROTATE(name, ...)					\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	unsigned n = count_of(cpu, u);					\
	struct shifted s;						\
	struct dst d;							\
									\
	if (!dst_begin(cpu, u, &d))					\
		return DONE_FAULT;					\
	if (!n) {							\
		dst_end(cpu, u, &d, d.v);				\
		return DONE;						\
	}								\
	s = do_##name(d.v, n, op_bits(u)__VA_ARGS__);			\
	dst_end(cpu, u, &d, s.r);					\
	cpu->flag_aux = aux_with_co(cpu->flag_aux, s.c, s.o);		\
	return DONE;							\
}
#define WITH_CARRY , flag_c(cpu)
DEFINE_ROTATE(rol)
DEFINE_ROTATE(ror)
DEFINE_ROTATE(rcl, WITH_CARRY)
DEFINE_ROTATE(rcr, WITH_CARRY)

/* The count is CL, or the immediate (then imm is not 0 or CL is not asked). */
static unsigned double_count(struct cpu *cpu, const struct uop *u, bool by_cl)
{
	unsigned n = by_cl ? REG8(cpu, REG_OFF(CPU_RCX)) : (unsigned)u->imm;

	return n & (u->osize == 3 ? 63 : 31);
}

/* 16 bits by more than 16 are undefined; like Intel's, ours shift dst:src:dst. */
static struct shifted do_shld(uint64_t v, uint64_t in, unsigned n,
			      unsigned bits)
{
	unsigned __int128 w = (unsigned __int128)v << bits | in;
	uint64_t r;
	bool c;

	if (n > bits) {
		w = w << bits | v;
		r = cut((uint64_t)(w >> (2 * bits - n)), bits);
		c = w >> (3 * bits - n) & 1;
	} else {
		r = cut((uint64_t)(w >> (bits - n)), bits);
		c = v >> (bits - n) & 1;
	}
	return (struct shifted){ r, c, bit(r ^ v, bits - 1) };
}

static struct shifted do_shrd(uint64_t v, uint64_t in, unsigned n,
			      unsigned bits)
{
	unsigned __int128 w = (unsigned __int128)in << bits | v;
	uint64_t r;

	if (n > bits)
		w |= (unsigned __int128)v << 2 * bits;
	r = cut((uint64_t)(w >> n), bits);
	return (struct shifted){ r, w >> (n - 1) & 1, bit(r ^ v, bits - 1) };
}

#define DEFINE_DOUBLE(fn, name, by_cl)					\
static enum done op_##fn(struct cpu *cpu, const struct uop *u)		\
{									\
	unsigned n = double_count(cpu, u, by_cl), bits = op_bits(u);	\
	uint64_t in = reg_get(cpu, u->src, u->osize);			\
	struct shifted s;						\
	struct dst d;							\
									\
	if (!dst_begin(cpu, u, &d))					\
		return DONE_FAULT;					\
	if (!n) {							\
		dst_end(cpu, u, &d, d.v);				\
		return DONE;						\
	}								\
	s = do_##name(d.v, in, n, bits);				\
	dst_end(cpu, u, &d, s.r);					\
	set_shift_flags(cpu, s.r, bits, s.c, s.o);			\
	return DONE;							\
}
DEFINE_DOUBLE(shld_imm, shld, false)
DEFINE_DOUBLE(shld_cl, shld, true)
DEFINE_DOUBLE(shrd_imm, shrd, false)
DEFINE_DOUBLE(shrd_cl, shrd, true)

op_fn *shift_pick(const struct insn *in)
{
	bool imm = OPND_KIND(in->row->opnd[2]) == K_I;

	switch (in->op) {
	case OP_SHL: return op_shl;
	case OP_SHR: return op_shr;
	case OP_SAR: return op_sar;
	case OP_ROL: return op_rol;
	case OP_ROR: return op_ror;
	case OP_RCL: return op_rcl;
	case OP_RCR: return op_rcr;
	case OP_SHLD: return imm ? op_shld_imm : op_shld_cl;
	case OP_SHRD: return imm ? op_shrd_imm : op_shrd_cl;
	default: return NULL;
	}
}
