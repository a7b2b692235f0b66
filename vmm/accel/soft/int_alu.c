/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int_alu.c - arithmetic and logic of two operands, INC, DEC, NEG, NOT, and what
 * moves data.  Intel SDM volume 2.
 */
#include "int.h"

/* Arithmetic.  Each takes the old value and the source, and sets the flags. */

static uint64_t do_add(struct cpu *cpu, uint64_t a, uint64_t b, unsigned bits)
{
	flags_add(cpu, a, b, a + b, bits);
	return a + b;
}

static uint64_t do_sub(struct cpu *cpu, uint64_t a, uint64_t b, unsigned bits)
{
	flags_sub(cpu, a, b, a - b, bits);
	return a - b;
}

static uint64_t do_logic(struct cpu *cpu, uint64_t r, unsigned bits)
{
	flags_logic(cpu, r, bits);
	return r;
}

/* The carry comes from the flags as they were, also if LOCK has to try again. */
#define DEFINE_ALU(name, carry, expr)					\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	uint64_t b, r, c = carry;					\
	unsigned bits = op_bits(u);					\
	struct dst d;							\
									\
	if (!src_get(cpu, u, &b) || !dst_begin(cpu, u, &d))		\
		return DONE_FAULT;					\
	do {								\
		uint64_t a = d.v;					\
									\
		r = expr;						\
	} while (!dst_end(cpu, u, &d, r));				\
	(void)c;							\
	set_##name(cpu, d.v, b, r, bits);				\
	return DONE;							\
}

#define set_add flags_add
#define set_adc flags_add
#define set_sub flags_sub
#define set_sbb flags_sub
#define set_and(cpu, a, b, r, bits) flags_logic(cpu, r, bits)
#define set_or set_and
#define set_xor set_and

DEFINE_ALU(add, 0, a + b)
DEFINE_ALU(adc, flag_c(cpu), a + b + c)
DEFINE_ALU(sub, 0, a - b)
DEFINE_ALU(sbb, flag_c(cpu), a - b - c)
DEFINE_ALU(and, 0, a & b)
DEFINE_ALU(or, 0, a | b)
DEFINE_ALU(xor, 0, a ^ b)

static enum done op_cmp(struct cpu *cpu, const struct uop *u)
{
	uint64_t a, b;

	if (!src_get(cpu, u, &b) || !dst_get(cpu, u, &a))
		return DONE_FAULT;
	do_sub(cpu, a, b, op_bits(u));
	return DONE;
}

static enum done op_test(struct cpu *cpu, const struct uop *u)
{
	uint64_t a, b;

	if (!src_get(cpu, u, &b) || !dst_get(cpu, u, &a))
		return DONE_FAULT;
	do_logic(cpu, a & b, op_bits(u));
	return DONE;
}

/* INC and DEC leave CF alone. */
static enum done op_inc(struct cpu *cpu, const struct uop *u)
{
	bool c = flag_c(cpu);
	struct dst d;

	if (!dst_begin(cpu, u, &d))
		return DONE_FAULT;
	while (!dst_end(cpu, u, &d, d.v + 1))
		;
	do_add(cpu, d.v, 1, op_bits(u));
	cpu->flag_aux = aux_with_c(cpu->flag_aux, c);
	return DONE;
}

static enum done op_dec(struct cpu *cpu, const struct uop *u)
{
	bool c = flag_c(cpu);
	struct dst d;

	if (!dst_begin(cpu, u, &d))
		return DONE_FAULT;
	while (!dst_end(cpu, u, &d, d.v - 1))
		;
	do_sub(cpu, d.v, 1, op_bits(u));
	cpu->flag_aux = aux_with_c(cpu->flag_aux, c);
	return DONE;
}

static enum done op_neg(struct cpu *cpu, const struct uop *u)
{
	struct dst d;

	if (!dst_begin(cpu, u, &d))
		return DONE_FAULT;
	while (!dst_end(cpu, u, &d, -d.v))
		;
	do_sub(cpu, 0, d.v, op_bits(u));
	return DONE;
}

static enum done op_not(struct cpu *cpu, const struct uop *u)
{
	struct dst d;

	if (!dst_begin(cpu, u, &d))
		return DONE_FAULT;
	while (!dst_end(cpu, u, &d, ~d.v))
		;
	return DONE;
}

/* Moves. */

static enum done op_mov(struct cpu *cpu, const struct uop *u)
{
	uint64_t v;

	return src_get(cpu, u, &v) && dst_put(cpu, u, v) ? DONE : DONE_FAULT;
}

/* A0 to A3: the offset has 64 bits, the upper half of it is in imm. */
static enum done op_mov_offset(struct cpu *cpu, const struct uop *u)
{
	uint64_t offset = (uint32_t)u->disp | (uint64_t)(uint32_t)u->imm << 32;
	bool load = u->mem == MEM_SRC;
	uint64_t lin, v = cpu->gpr[CPU_RAX];

	if (!seg_lin(cpu, u->seg, offset, op_bytes(u),
		     load ? ACCESS_READ : ACCESS_WRITE, &lin))
		return DONE_FAULT;
	if (!load)
		return mem_store(cpu, lin, &v, op_bytes(u), ACCESS_WRITE) ?
			DONE : DONE_FAULT;
	v = 0;
	if (!mem_load(cpu, lin, &v, op_bytes(u), ACCESS_READ))
		return DONE_FAULT;
	reg_set(cpu, u->dst, u->osize, v);
	return DONE;
}

/* A source that is narrower than the destination. */
#define DEFINE_EXTEND(name, type, cast)					\
static enum done op_##name(struct cpu *cpu, const struct uop *u)	\
{									\
	type v = 0;							\
									\
	if (u->mem != MEM_SRC)						\
		v = (type)reg_get(cpu, u->src, 3);			\
	else if (!op_load(cpu, u, &v, sizeof(v)))			\
		return DONE_FAULT;					\
	reg_set(cpu, u->dst, u->osize, (uint64_t)(cast)v);		\
	return DONE;							\
}
DEFINE_EXTEND(movzx8, uint8_t, uint64_t)
DEFINE_EXTEND(movzx16, uint16_t, uint64_t)
DEFINE_EXTEND(movsx8, int8_t, int64_t)
DEFINE_EXTEND(movsx16, int16_t, int64_t)
DEFINE_EXTEND(movsx32, int32_t, int64_t)

static enum done op_lea(struct cpu *cpu, const struct uop *u)
{
	reg_set(cpu, u->dst, u->osize, op_offset(cpu, u));
	return DONE;
}

/* With memory it is locked without asking. */
static enum done op_xchg(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = reg_get(cpu, u->src, u->osize);
	struct uop locked = *u;
	struct dst d;

	if (u->mem == MEM_DST)
		locked.lock = 1;
	if (!dst_begin(cpu, &locked, &d))
		return DONE_FAULT;
	while (!dst_end(cpu, &locked, &d, v))
		;
	reg_set(cpu, u->src, u->osize, d.v);
	return DONE;
}

/* What is waited for, another CPU has to do. */
static enum done op_pause(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	if (cpu->soft->n_cpus < 2)
		return DONE;
	cpu->yields = true;
	cpu_kick(cpu, EVENT_CLOCK);
	return DONE_LEAVE;
}

static enum done op_nop(struct cpu *cpu, const struct uop *u)
{
	(void)cpu;
	(void)u;
	return DONE;
}

static enum done op_cmov(struct cpu *cpu, const struct uop *u)
{
	uint64_t v;

	if (!src_get(cpu, u, &v))
		return DONE_FAULT;
	if (!flag_cond(cpu, (unsigned)u->imm))
		v = reg_get(cpu, u->dst, u->osize);
	reg_set(cpu, u->dst, u->osize, v);
	return DONE;
}

static enum done op_setcc(struct cpu *cpu, const struct uop *u)
{
	return dst_put(cpu, u, flag_cond(cpu, (unsigned)u->imm)) ? DONE :
								    DONE_FAULT;
}

/* CBW, CWDE, CDQE: the lower half of rAX to all of it. */
static enum done op_cbw(struct cpu *cpu, const struct uop *u)
{
	unsigned half = op_bits(u) / 2;

	reg_set(cpu, REG_OFF(CPU_RAX), u->osize,
		SIGN_EXTEND(cpu->gpr[CPU_RAX], half));
	return DONE;
}

/* CWD, CDQ, CQO: the sign of rAX to rDX. */
static enum done op_cwd(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = SIGN_EXTEND(cpu->gpr[CPU_RAX], op_bits(u));

	reg_set(cpu, REG_OFF(CPU_RDX), u->osize, (uint64_t)((int64_t)v >> 63));
	return DONE;
}

static enum done op_bswap(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = reg_get(cpu, u->dst, u->osize);

	/* Of 16 bits it is undefined; processors give 0. */
	v = u->osize == 3 ? __builtin_bswap64(v) :
	    u->osize == 2 ? __builtin_bswap32((uint32_t)v) : 0;
	reg_set(cpu, u->dst, u->osize, v);
	return DONE;
}

static enum done op_xlat(struct cpu *cpu, const struct uop *u)
{
	uint64_t offset = cpu->gpr[CPU_RBX] + REG8(cpu, REG_OFF(CPU_RAX)), lin;
	uint8_t v;

	offset = u->asize == 3 ? offset : u->asize == 2 ? (uint32_t)offset :
							   (uint16_t)offset;
	if (!seg_lin(cpu, u->seg, offset, 1, ACCESS_READ, &lin) ||
	    !mem_load(cpu, lin, &v, 1, ACCESS_READ))
		return DONE_FAULT;
	REG8(cpu, REG_OFF(CPU_RAX)) = v;
	return DONE;
}

/* The flags. */

static enum done op_lahf(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	REG8(cpu, REG_OFF(16)) = (uint8_t)(flags_get(cpu) | EFL_ONE);
	return DONE;
}

static enum done op_sahf(struct cpu *cpu, const struct uop *u)
{
	uint64_t ah = REG8(cpu, REG_OFF(16)) & (EFL_STATUS & 0xff);

	(void)u;
	flags_set(cpu, ah | (flag_o(cpu) ? EFL_OF : 0));
	return DONE;
}

static enum done op_clc(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->flag_aux = aux_with_c(cpu->flag_aux, false);
	return DONE;
}

static enum done op_stc(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->flag_aux = aux_with_c(cpu->flag_aux, true);
	return DONE;
}

static enum done op_cmc(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->flag_aux = aux_with_c(cpu->flag_aux, !flag_c(cpu));
	return DONE;
}

static enum done op_cld(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->eflags &= ~(uint64_t)EFL_DF;
	return DONE;
}

static enum done op_std(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->eflags |= EFL_DF;
	return DONE;
}

static op_fn *extend_pick(const struct insn *in)
{
	bool byte = insn_opnd_bytes(in, 1) == 1;

	if (in->op == OP_MOVZX)
		return byte ? op_movzx8 : op_movzx16;
	if (in->op == OP_MOVSX)
		return byte ? op_movsx8 : op_movsx16;
	return in->osize == 2 ? op_mov : op_movsx32;
}

op_fn *alu_pick(const struct insn *in)
{
	switch (in->op) {
	case OP_ADD: return op_add;
	case OP_ADC: return op_adc;
	case OP_SUB: return op_sub;
	case OP_SBB: return op_sbb;
	case OP_AND: return op_and;
	case OP_OR: return op_or;
	case OP_XOR: return op_xor;
	case OP_CMP: return op_cmp;
	case OP_TEST: return op_test;
	case OP_INC: return op_inc;
	case OP_DEC: return op_dec;
	case OP_NEG: return op_neg;
	case OP_NOT: return op_not;
	case OP_MOV:
		return OPND_KIND(in->row->opnd[0]) == K_O ||
		       OPND_KIND(in->row->opnd[1]) == K_O ? op_mov_offset :
							    op_mov;
	case OP_MOVNTI: return op_mov;
	case OP_MOVZX: case OP_MOVSX: case OP_MOVSXD: return extend_pick(in);
	case OP_LEA: return op_lea;
	case OP_XCHG:
		/* 90 is no exchange: EAX keeps its upper half. */
		return in->opcode == 0x90 && !(in->rex & 1) ? op_nop : op_xchg;
	case OP_NOP: case OP_LFENCE: case OP_MFENCE: case OP_SFENCE:
		return op_nop;
	case OP_PAUSE: return op_pause;
	case OP_CMOVCC: return op_cmov;
	case OP_SETCC: return op_setcc;
	case OP_CBW: return op_cbw;
	case OP_CWD: return op_cwd;
	case OP_BSWAP: return op_bswap;
	case OP_XLAT: return op_xlat;
	case OP_LAHF: return op_lahf;
	case OP_SAHF: return op_sahf;
	case OP_CLC: return op_clc;
	case OP_STC: return op_stc;
	case OP_CMC: return op_cmc;
	case OP_CLD: return op_cld;
	case OP_STD: return op_std;
	default: return NULL;
	}
}
