/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.h - the fast way to guest memory: a software TLB's hit. */
#ifndef SOFT_ACCESS_H
#define SOFT_ACCESS_H

#include "soft.h"

static inline struct tlb_slot *tlb_slot(const struct cpu *cpu, uint64_t lin)
{
	return &cpu->tlb->slot[lin >> 12 & (TLB_SLOTS - 1)];
}

/* Does a tag allow all of [lin, lin + len)?  Then its last byte is in the page. */
static inline bool tlb_hit(uint64_t tag, uint64_t lin, unsigned len)
{
	return __builtin_expect(tag == ((lin + len - 1) & ~PAGE_MASK), 1);
}

/* Host memory behind [lin, lin + len), or NULL if the TLB cannot say. */
static inline void *tlb_read(const struct cpu *cpu, uint64_t lin, unsigned len)
{
	const struct tlb_slot *s = tlb_slot(cpu, lin);

	return tlb_hit(s->read, lin, len) ? (void *)(lin + s->addend) : NULL;
}

static inline void *tlb_write(const struct cpu *cpu, uint64_t lin, unsigned len)
{
	const struct tlb_slot *s = tlb_slot(cpu, lin);

	return tlb_hit(s->write, lin, len) ? (void *)(lin + s->addend) : NULL;
}

/* The memory operand's linear address where MODE_FLAT or 64-bit mode makes it so
 * simple; lower.c puts the base of FS or GS into the index if that is free.
 */
static inline uint64_t flat_lin(const struct cpu *cpu, const struct uop *u)
{
	return (SLOT(cpu, u->base) + (SLOT(cpu, u->index) << u->scale) +
		(uint64_t)(int64_t)u->disp) & cpu->ea_mask;
}

/* Sized loads and stores of the memory operand, for op_fn. */
#define DEFINE_OP_ACCESS(bits)						\
static inline bool op_load##bits(struct cpu *cpu, const struct uop *u,	\
				 uint##bits##_t *v)			\
{									\
	return op_load(cpu, u, v, bits / 8);				\
}									\
static inline bool op_store##bits(struct cpu *cpu, const struct uop *u, \
				  uint##bits##_t v)			\
{									\
	return op_store(cpu, u, &v, bits / 8);				\
}
DEFINE_OP_ACCESS(8)
DEFINE_OP_ACCESS(16)
DEFINE_OP_ACCESS(32)
DEFINE_OP_ACCESS(64)

/* If [lin, lin + len) holds `*old`, put `*new` there, at once if it is RAM in
 * one page and 1, 2, 4, 8 or aligned 16 bytes.  mem_check() came before.
 * False: it held something else, which is now in *old.
 */
bool mem_exchange(struct cpu *cpu, uint64_t lin, void *old, const void *new,
		  unsigned len);

#endif
