/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int_bit.c - bit tests and scans, POPCNT, CRC32, and the compare-and-exchange
 * family.  Intel SDM volume 2.
 */
#include "int.h"

/* BT and its kin: where a memory operand's bit lies if a register names it, which
 * reaches beyond the operand on both sides.
 */
static struct uop move_operand(struct cpu *cpu, const struct uop *u,
			       int64_t bit)
{
	struct uop moved = *u;

	/* The address is computed again from scratch alone. */
	cpu->scratch = op_offset(cpu, u) +
		       (uint64_t)((bit >> (3 + u->osize)) * (1 << u->osize));
	moved.base = SLOT_OF(scratch);
	moved.index = SLOT_ZERO;
	moved.disp = 0;
	return moved;
}

enum bit_action { BIT_TEST, BIT_SET, BIT_CLEAR, BIT_FLIP };

static enum done bit_op(struct cpu *cpu, const struct uop *u,
			enum bit_action action)
{
	unsigned bits = op_bits(u);
	struct uop moved;
	uint64_t r, mask;
	struct dst d;
	int64_t bit = u->imm;

	if (u->src != SRC_IMM) {
		bit = (int64_t)SIGN_EXTEND(reg_get(cpu, u->src, u->osize), bits);
		if (u->mem) {
			moved = move_operand(cpu, u, bit);
			u = &moved;
		}
	}
	mask = 1ull << (bit & (bits - 1));
	if (action == BIT_TEST ? !dst_get(cpu, u, &d.v) :
				 !dst_begin(cpu, u, &d))
		return DONE_FAULT;
	while (action != BIT_TEST) {
		r = action == BIT_SET ? d.v | mask :
		    action == BIT_CLEAR ? d.v & ~mask : d.v ^ mask;
		if (dst_end(cpu, u, &d, r))
			break;
	}
	cpu->flag_aux = aux_with_c(cpu->flag_aux, d.v & mask);
	return DONE;
}

static enum done op_bt(struct cpu *cpu, const struct uop *u)
{
	return bit_op(cpu, u, BIT_TEST);
}

static enum done op_bts(struct cpu *cpu, const struct uop *u)
{
	return bit_op(cpu, u, BIT_SET);
}

static enum done op_btr(struct cpu *cpu, const struct uop *u)
{
	return bit_op(cpu, u, BIT_CLEAR);
}

static enum done op_btc(struct cpu *cpu, const struct uop *u)
{
	return bit_op(cpu, u, BIT_FLIP);
}

/* Of 0 there is no bit: ZF, and the destination stays.  The other flags are
 * undefined.
 */
static enum done scan(struct cpu *cpu, const struct uop *u, bool reverse)
{
	uint64_t v;

	if (!src_get(cpu, u, &v))
		return DONE_FAULT;
	flags_logic(cpu, v, op_bits(u));
	if (v)
		reg_set(cpu, u->dst, u->osize,
			reverse ? 63u - (unsigned)__builtin_clzll(v) :
				  (unsigned)__builtin_ctzll(v));
	return DONE;
}

static enum done op_bsf(struct cpu *cpu, const struct uop *u)
{
	return scan(cpu, u, false);
}

static enum done op_bsr(struct cpu *cpu, const struct uop *u)
{
	return scan(cpu, u, true);
}

static enum done op_popcnt(struct cpu *cpu, const struct uop *u)
{
	uint64_t v;

	if (!src_get(cpu, u, &v))
		return DONE_FAULT;
	reg_set(cpu, u->dst, u->osize, (unsigned)__builtin_popcountll(v));
	flags_set(cpu, v ? 0 : EFL_ZF);
	return DONE;
}

/* CRC-32C (reflected polynomial), a byte after the other. */
static enum done crc32(struct cpu *cpu, const struct uop *u, unsigned len)
{
	uint32_t crc = REG32(cpu, u->dst);
	uint64_t v = 0;

	if (u->mem != MEM_SRC)
		v = reg_get(cpu, u->src, (unsigned)__builtin_ctz(len));
	else if (!op_load(cpu, u, &v, len))
		return DONE_FAULT;
	for (unsigned i = 0; i < len; i++) {
		crc ^= (uint8_t)(v >> 8 * i);
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	REG64(cpu, u->dst) = crc;
	return DONE;
}

#define DEFINE_CRC32(len)						\
static enum done op_crc32_##len(struct cpu *cpu, const struct uop *u)	\
{									\
	return crc32(cpu, u, len);					\
}
DEFINE_CRC32(1)
DEFINE_CRC32(2)
DEFINE_CRC32(4)
DEFINE_CRC32(8)

static op_fn *crc32_pick(const struct insn *in)
{
	switch (insn_opnd_bytes(in, 1)) {
	case 1: return op_crc32_1;
	case 2: return op_crc32_2;
	case 4: return op_crc32_4;
	default: return op_crc32_8;
	}
}

/* The destination is written in either case. */
static enum done op_cmpxchg(struct cpu *cpu, const struct uop *u)
{
	uint64_t acc = reg_get(cpu, REG_OFF(CPU_RAX), u->osize);
	uint64_t v = reg_get(cpu, u->src, u->osize);
	struct dst d;

	if (!dst_begin(cpu, u, &d))
		return DONE_FAULT;
	/* Memory is written back in any case, a register only if equal: of 32
	 * bits the upper half stays.
	 */
	if (u->mem || d.v == acc)
		while (!dst_end(cpu, u, &d, d.v == acc ? v : d.v))
			;
	flags_sub(cpu, acc, d.v, acc - d.v, op_bits(u));
	if (d.v != acc)
		reg_set(cpu, REG_OFF(CPU_RAX), u->osize, d.v);
	return DONE;
}

static enum done op_xadd(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = reg_get(cpu, u->src, u->osize);
	unsigned bits = op_bits(u);
	struct dst d;

	if (!dst_begin(cpu, u, &d))
		return DONE_FAULT;
	/* With twice the same register the sum is what stays. */
	if (!u->mem)
		reg_set(cpu, u->src, u->osize, d.v);
	while (!dst_end(cpu, u, &d, d.v + v))
		;
	if (u->mem)
		reg_set(cpu, u->src, u->osize, d.v);
	flags_add(cpu, d.v, v, d.v + v, bits);
	return DONE;
}

/* CMPXCHG8B and CMPXCHG16B: `half` bytes twice; ZF alone tells. */
static enum done cmpxchg_pair(struct cpu *cpu, const struct uop *u,
			      unsigned half)
{
	uint8_t want[16], old[16], new[16];
	uint64_t lin;

	memcpy(want, &cpu->gpr[CPU_RAX], half);
	memcpy(want + half, &cpu->gpr[CPU_RDX], half);
	memcpy(new, &cpu->gpr[CPU_RBX], half);
	memcpy(new + half, &cpu->gpr[CPU_RCX], half);
	if (half == 8 ? !op_lin_16(cpu, u, ACCESS_WRITE, &lin) :
			!op_lin(cpu, u, 8, ACCESS_WRITE, &lin))
		return DONE_FAULT;
	if (!mem_check(cpu, lin, 2 * half, ACCESS_WRITE))
		return DONE_FAULT;
	memcpy(old, want, sizeof(old));
	if (mem_exchange(cpu, lin, old, new, 2 * half)) {
		flags_set(cpu, flags_get(cpu) | EFL_ZF);
		return DONE;
	}
	flags_set(cpu, flags_get(cpu) & ~(uint64_t)EFL_ZF);
	cpu->gpr[CPU_RAX] = cpu->gpr[CPU_RDX] = 0;
	memcpy(&cpu->gpr[CPU_RAX], old, half);
	memcpy(&cpu->gpr[CPU_RDX], old + half, half);
	return DONE;
}

static enum done op_cmpxchg8b(struct cpu *cpu, const struct uop *u)
{
	return cmpxchg_pair(cpu, u, 4);
}

static enum done op_cmpxchg16b(struct cpu *cpu, const struct uop *u)
{
	return cmpxchg_pair(cpu, u, 8);
}

op_fn *bit_pick(const struct insn *in)
{
	switch (in->op) {
	case OP_BT: return op_bt;
	case OP_BTS: return op_bts;
	case OP_BTR: return op_btr;
	case OP_BTC: return op_btc;
	case OP_BSF: return op_bsf;
	case OP_BSR: return op_bsr;
	case OP_POPCNT: return op_popcnt;
	case OP_CRC32: return crc32_pick(in);
	case OP_CMPXCHG: return op_cmpxchg;
	case OP_XADD: return op_xadd;
	case OP_CMPXCHG8B:
		return in->osize == 8 ? op_cmpxchg16b : op_cmpxchg8b;
	default: return NULL;
	}
}
