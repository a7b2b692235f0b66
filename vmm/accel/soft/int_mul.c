/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int_mul.c - MUL, IMUL, DIV, IDIV, and the decimal adjustments.  Intel SDM
 * volume 2.
 */
#include "int.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

/* CF and OF say that the upper half counts; the rest is undefined, and follows
 * the lower half here.
 */
static void set_mul_flags(struct cpu *cpu, uint64_t low, unsigned bits,
			  bool overflow)
{
	cpu->flag_res = SIGN_EXTEND(low, bits);
	cpu->flag_aux = aux_with_co(0, overflow, overflow);
}

/* A product or dividend in rDX:rAX, or AX. */
static void pair_set(struct cpu *cpu, const struct uop *u, uint64_t high,
		     uint64_t low)
{
	if (u->osize == 0) {
		REG16(cpu, REG_OFF(CPU_RAX)) =
			(uint16_t)(high << 8 | (uint8_t)low);
		return;
	}
	reg_set(cpu, REG_OFF(CPU_RAX), u->osize, low);
	reg_set(cpu, REG_OFF(CPU_RDX), u->osize, high);
}

static u128 pair_get(struct cpu *cpu, const struct uop *u)
{
	if (u->osize == 0)
		return REG16(cpu, REG_OFF(CPU_RAX));
	return (u128)reg_get(cpu, REG_OFF(CPU_RDX), u->osize) << op_bits(u) |
	       reg_get(cpu, REG_OFF(CPU_RAX), u->osize);
}

static enum done op_mul(struct cpu *cpu, const struct uop *u)
{
	unsigned bits = op_bits(u);
	uint64_t v, high;
	u128 p;

	if (!dst_get(cpu, u, &v))
		return DONE_FAULT;
	p = (u128)v * reg_get(cpu, REG_OFF(CPU_RAX), u->osize);
	high = cut((uint64_t)(p >> bits), bits);
	pair_set(cpu, u, high, (uint64_t)p);
	set_mul_flags(cpu, (uint64_t)p, bits, high);
	return DONE;
}

static i128 product(uint64_t a, uint64_t b, unsigned bits)
{
	return (i128)(int64_t)SIGN_EXTEND(a, bits) *
	       (int64_t)SIGN_EXTEND(b, bits);
}

static bool fits(i128 p, unsigned bits)
{
	return (i128)(int64_t)SIGN_EXTEND((uint64_t)p, bits) == p;
}

static enum done op_imul1(struct cpu *cpu, const struct uop *u)
{
	unsigned bits = op_bits(u);
	uint64_t v;
	i128 p;

	if (!dst_get(cpu, u, &v))
		return DONE_FAULT;
	p = product(v, cpu->gpr[CPU_RAX], bits);
	pair_set(cpu, u, (uint64_t)(p >> bits), (uint64_t)p);
	set_mul_flags(cpu, (uint64_t)p, bits, !fits(p, bits));
	return DONE;
}

static enum done imul(struct cpu *cpu, const struct uop *u, uint64_t a,
		      uint64_t b)
{
	unsigned bits = op_bits(u);
	i128 p = product(a, b, bits);

	reg_set(cpu, u->dst, u->osize, (uint64_t)p);
	set_mul_flags(cpu, (uint64_t)p, bits, !fits(p, bits));
	return DONE;
}

static enum done op_imul2(struct cpu *cpu, const struct uop *u)
{
	uint64_t v;

	if (!src_get(cpu, u, &v))
		return DONE_FAULT;
	return imul(cpu, u, reg_get(cpu, u->dst, u->osize), v);
}

static enum done op_imul3(struct cpu *cpu, const struct uop *u)
{
	uint64_t v;

	if (!src_get(cpu, u, &v))
		return DONE_FAULT;
	return imul(cpu, u, v, (uint64_t)(int64_t)u->imm);
}

static enum done op_div(struct cpu *cpu, const struct uop *u)
{
	u128 n = pair_get(cpu, u), q;
	uint64_t v;

	if (!dst_get(cpu, u, &v))
		return DONE_FAULT;
	if (!v || (n >> op_bits(u)) >= v)
		return cpu_raise(cpu, EXC_DE);
	q = n / v;
	pair_set(cpu, u, (uint64_t)(n % v), (uint64_t)q);
	return DONE;
}

static enum done op_idiv(struct cpu *cpu, const struct uop *u)
{
	unsigned bits = op_bits(u), unused = 128 - 2 * bits;
	i128 n = (i128)(pair_get(cpu, u) << unused) >> unused, q;
	uint64_t raw;
	int64_t v;

	if (!dst_get(cpu, u, &raw))
		return DONE_FAULT;
	v = (int64_t)SIGN_EXTEND(raw, bits);
	/* The most negative dividend by -1 does not fit the host's division. */
	if (!v || (v == -1 && n == (i128)((u128)1 << 127)))
		return cpu_raise(cpu, EXC_DE);
	q = n / v;
	if (!fits(q, bits))
		return cpu_raise(cpu, EXC_DE);
	pair_set(cpu, u, (uint64_t)(n % v), (uint64_t)q);
	return DONE;
}

/* Decimal. */

#define AL REG8(cpu, REG_OFF(CPU_RAX))
#define AH REG8(cpu, REG_OFF(16))
#define AX REG16(cpu, REG_OFF(CPU_RAX))

/* SF, ZF, PF from AL; OF is undefined. */
static void set_bcd_flags(struct cpu *cpu, bool c, bool a)
{
	cpu->flag_res = SIGN_EXTEND(AL, 8);
	cpu->flag_aux = aux_with_co(0, c, false) | (a ? AUX_AF : 0);
}

static void das_daa(struct cpu *cpu, bool add)
{
	uint8_t old = AL;
	bool a = (old & 15) > 9 || flag_a(cpu), c = flag_c(cpu);
	bool high = old > 0x99 || c, low_carry = false;

	if (a) {
		low_carry = add ? old > 0xff - 6 : old < 6;
		AL = (uint8_t)(add ? old + 6 : old - 6);
	}
	if (high)
		AL = (uint8_t)(add ? AL + 0x60 : AL - 0x60);
	set_bcd_flags(cpu, high || (!add && a && (c || low_carry)), a);
}

static enum done op_daa(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	das_daa(cpu, true);
	return DONE;
}

static enum done op_das(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	das_daa(cpu, false);
	return DONE;
}

static enum done op_aaa(struct cpu *cpu, const struct uop *u)
{
	bool a = (AL & 15) > 9 || flag_a(cpu);

	(void)u;
	if (a)
		AX = (uint16_t)(AX + 0x106);
	AL &= 15;
	set_bcd_flags(cpu, a, a);
	return DONE;
}

static enum done op_aas(struct cpu *cpu, const struct uop *u)
{
	bool a = (AL & 15) > 9 || flag_a(cpu);

	(void)u;
	if (a)
		AX = (uint16_t)(AX - 0x106);
	AL &= 15;
	set_bcd_flags(cpu, a, a);
	return DONE;
}

static enum done op_aam(struct cpu *cpu, const struct uop *u)
{
	uint8_t base = (uint8_t)u->imm;

	if (!base)
		return cpu_raise(cpu, EXC_DE);
	AX = (uint16_t)(AL / base << 8 | AL % base);
	set_bcd_flags(cpu, false, false);
	return DONE;
}

static enum done op_aad(struct cpu *cpu, const struct uop *u)
{
	AX = (uint8_t)(AL + AH * (uint8_t)u->imm);
	set_bcd_flags(cpu, false, false);
	return DONE;
}

static enum done op_salc(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	AL = flag_c(cpu) ? 0xff : 0;
	return DONE;
}

op_fn *mul_pick(const struct insn *in)
{
	switch (in->op) {
	case OP_MUL: return op_mul;
	case OP_IMUL1: return op_imul1;
	case OP_IMUL:
		return OPND_KIND(in->row->opnd[2]) ? op_imul3 : op_imul2;
	case OP_DIV: return op_div;
	case OP_IDIV: return op_idiv;
	case OP_DAA: return op_daa;
	case OP_DAS: return op_das;
	case OP_AAA: return op_aaa;
	case OP_AAS: return op_aas;
	case OP_AAM: return op_aam;
	case OP_AAD: return op_aad;
	case OP_SALC: return op_salc;
	default: return NULL;
	}
}
