/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int.h - operands of integer instructions in their general form: any size,
 * register, memory or immediate.
 */
#ifndef SOFT_INT_H
#define SOFT_INT_H

#include "access.h"
#include "flags.h"
#include "lower.h"

static inline unsigned op_bytes(const struct uop *u)
{
	return 1u << u->osize;
}

static inline unsigned op_bits(const struct uop *u)
{
	return 8u << u->osize;
}

static inline uint64_t cut(uint64_t v, unsigned bits)
{
	return bits == 64 ? v : v & ((1ull << bits) - 1);
}

/* Operand 1. */
static inline bool src_get(struct cpu *cpu, const struct uop *u, uint64_t *v)
{
	*v = 0;
	if (u->mem == MEM_SRC)
		return op_load(cpu, u, v, op_bytes(u));
	*v = u->src == SRC_IMM ? cut((uint64_t)(int64_t)u->imm, op_bits(u)) :
				 reg_get(cpu, u->src, u->osize);
	return true;
}

/* Operand 0, to be read, changed and written: between dst_begin() and dst_end()
 * nothing may change; nothing fails after dst_begin().
 *
 *	if (!dst_begin(cpu, u, &d))
 *		return DONE_FAULT;
 *	do
 *		r = f(d.v);
 *	while (!dst_end(cpu, u, &d, r));
 */
struct dst {
	uint64_t v;
	uint64_t lin;
};

static inline bool dst_begin(struct cpu *cpu, const struct uop *u,
			     struct dst *d)
{
	d->v = 0;
	if (u->mem != MEM_DST) {
		d->v = reg_get(cpu, u->dst, u->osize);
		return true;
	}
	return op_lin(cpu, u, op_bytes(u), ACCESS_WRITE, &d->lin) &&
	       mem_check(cpu, d->lin, op_bytes(u), ACCESS_WRITE) &&
	       mem_load(cpu, d->lin, &d->v, op_bytes(u), ACCESS_READ);
}

/* False: with LOCK, another one was faster; d->v is what it wrote. */
static inline bool dst_end(struct cpu *cpu, const struct uop *u, struct dst *d,
			   uint64_t v)
{
	if (u->mem != MEM_DST) {
		reg_set(cpu, u->dst, u->osize, v);
		return true;
	}
	if (u->lock)
		return mem_exchange(cpu, d->lin, &d->v, &v, op_bytes(u));
	mem_store(cpu, d->lin, &v, op_bytes(u), ACCESS_WRITE);
	return true;
}

/* Operand 0, to be read, or to be written. */
static inline bool dst_get(struct cpu *cpu, const struct uop *u, uint64_t *v)
{
	*v = 0;
	if (u->mem == MEM_DST)
		return op_load(cpu, u, v, op_bytes(u));
	*v = reg_get(cpu, u->dst, u->osize);
	return true;
}

static inline bool dst_put(struct cpu *cpu, const struct uop *u, uint64_t v)
{
	if (u->mem == MEM_DST)
		return op_store(cpu, u, &v, op_bytes(u));
	reg_set(cpu, u->dst, u->osize, v);
	return true;
}

#endif
