/* SPDX-License-Identifier: GPL-2.0-or-later */
/* string.c - MOVS, STOS, LODS, SCAS, CMPS, repeated or not.  Intel SDM volume 2,
 * REP.
 *
 * A repeated one does at most a page's worth and then lets interrupts in
 * (DONE_AGAIN), or one element if single steps or breakpoints are to be looked at;
 * after each element rSI, rDI and rCX are right, so that a fault finds them as the
 * manual wants.  MOVS and STOS take what lies in one page in one step where no check
 * depends on the element.
 *
 * It counts as one instruction, but a long one takes its time of the slice and of a
 * virtual clock: who copies for long must not stop the clock for all.
 */
#include "block.h"
#include "int.h"

#define AT_ONCE 4096u	/* bytes, or elements, until interrupts are let in */
#define TICK_BYTES 16u	/* that take as long as an instruction */

#define RCX REG_OFF(CPU_RCX)
#define RSI REG_OFF(CPU_RSI)
#define RDI REG_OFF(CPU_RDI)

static uint64_t asize_mask(const struct uop *u)
{
	return u->asize == 3 ? UINT64_MAX : (1ull << (8u << u->asize)) - 1;
}

static void advance(struct cpu *cpu, const struct uop *u, unsigned reg,
		    uint64_t bytes)
{
	uint64_t v = reg_get(cpu, reg, u->asize);

	v = cpu->eflags & EFL_DF ? v - bytes : v + bytes;
	reg_set(cpu, reg, u->asize, v & asize_mask(u));
}

/* Elements left; `done` of them are over. */
static uint64_t count_down(struct cpu *cpu, const struct uop *u, uint64_t done)
{
	uint64_t n;

	if (!u->rep)
		return 0;
	n = reg_get(cpu, RCX, u->asize) - done;
	reg_set(cpu, RCX, u->asize, n);
	return n;
}

/* The next element's place. */
static bool source(struct cpu *cpu, const struct uop *u, uint64_t *lin)
{
	return seg_lin(cpu, u->seg, reg_get(cpu, RSI, u->asize), op_bytes(u),
		       ACCESS_READ, lin);
}

static bool destination(struct cpu *cpu, const struct uop *u, enum access how,
			uint64_t *lin)
{
	return seg_lin(cpu, CPU_ES, reg_get(cpu, RDI, u->asize), op_bytes(u),
		       how, lin);
}

/* How many elements from here lie in the page of `lin`, upwards, and without the
 * offset in `reg` wrapping around.
 */
static uint64_t in_page(struct cpu *cpu, const struct uop *u, uint64_t lin,
			unsigned reg)
{
	uint64_t bytes = PAGE_MASK + 1 - (lin & PAGE_MASK);
	uint64_t left = asize_mask(u) - reg_get(cpu, reg, u->asize);

	return min_u64(bytes, left) >> u->osize;
}

/* Must the loop look before the next element? */
static bool stops(const struct cpu *cpu)
{
	return cpu->bus_used || cpu->mode & MODE_STEP;
}

/* Let interrupts in, after so many bytes. */
static enum done take_time(struct cpu *cpu, uint64_t bytes)
{
	uint64_t ticks = bytes / TICK_BYTES;

	cpu->budget -= (int64_t)ticks;
	cpu->rep_ticks += ticks;
	return DONE_AGAIN;
}

/* May several elements be done in one step? */
static bool in_bulk(const struct cpu *cpu, const struct uop *u)
{
	return u->rep && is_flat(cpu) && !(cpu->eflags & EFL_DF) &&
	       !(cpu->mode & (MODE_AC | MODE_STEP));
}

static void fill(uint8_t *to, uint64_t v, unsigned osize, uint64_t n)
{
	switch (osize) {
	case 0: memset(to, (int)(v & 0xff), n); break;
	case 1:
		for (uint64_t i = 0; i < n; i++)
			memcpy(to + 2 * i, &v, 2);
		break;
	case 2:
		for (uint64_t i = 0; i < n; i++)
			memcpy(to + 4 * i, &v, 4);
		break;
	default:
		for (uint64_t i = 0; i < n; i++)
			memcpy(to + 8 * i, &v, 8);
		break;
	}
}

/* As many elements as go in one step; 0: none, 1 is for the caller. */
static uint64_t stos_bulk(struct cpu *cpu, const struct uop *u, uint64_t lin)
{
	uint64_t n = min_u64(reg_get(cpu, RCX, u->asize),
			     in_page(cpu, u, lin, RDI));
	void *to;

	if (n < 2 || !in_bulk(cpu, u) || !(to = tlb_write(cpu, lin, 1)))
		return 0;
	fill(to, cpu->gpr[CPU_RAX], u->osize, n);
	return n;
}

/* Memory of the host at `lin`, up to the end of the page; NULL: not so. */
static uint8_t *page_at(struct cpu *cpu, uint64_t lin, enum access how)
{
	uint64_t gpa, offset;

	if (!mmu_translate(cpu, lin, how, &gpa) ||
	    !mem_ram(cpu, gpa, how, &offset) ||
	    (how == ACCESS_WRITE && blocks_in_page(cpu->soft, offset)))
		return NULL;
	return cpu->soft->ram + offset;
}

/* Both places.  Where they share a slot of the TLB, each element would drive out what
 * the other one needs.
 */
static bool both_pages(struct cpu *cpu, uint64_t from, uint64_t to,
		       uint8_t **src, uint8_t **dst)
{
	*src = tlb_read(cpu, from, 1);
	*dst = tlb_write(cpu, to, 1);
	if (tlb_slot(cpu, from) != tlb_slot(cpu, to) || cpu->watch)
		return *src && *dst;
	/* A fault is raised again when its element comes. */
	return (*src || (*src = page_at(cpu, from, ACCESS_READ))) &&
	       (*dst || (*dst = page_at(cpu, to, ACCESS_WRITE)));
}

static uint64_t movs_bulk(struct cpu *cpu, const struct uop *u, uint64_t from,
			  uint64_t to)
{
	uint64_t n = min_u64(reg_get(cpu, RCX, u->asize),
			     min_u64(in_page(cpu, u, from, RSI),
				     in_page(cpu, u, to, RDI)));
	uint64_t bytes = n << u->osize;
	uint8_t *src, *dst;

	if (n < 2 || !in_bulk(cpu, u) ||
	    !both_pages(cpu, from, to, &src, &dst))
		return 0;
	/* Behind its own source each element repeats an earlier one. */
	if (dst > src && dst < src + bytes)
		return 0;
	memmove(dst, src, bytes);
	return n;
}

static enum done op_movs(struct cpu *cpu, const struct uop *u)
{
	uint64_t done = 0, v = 0;

	if (u->rep && !reg_get(cpu, RCX, u->asize))
		return DONE;
	for (;;) {
		uint64_t from, to, n;

		if (!source(cpu, u, &from))
			return DONE_FAULT;
		if (!destination(cpu, u, ACCESS_WRITE, &to)) {
			struct fault later = cpu->fault;

			/* The source is read before. */
			if (mem_load(cpu, from, &v, op_bytes(u), ACCESS_READ))
				cpu->fault = later;
			return DONE_FAULT;
		}
		n = movs_bulk(cpu, u, from, to);
		if (!n) {
			if (!mem_load(cpu, from, &v, op_bytes(u),
				      ACCESS_READ) ||
			    !mem_store(cpu, to, &v, op_bytes(u), ACCESS_WRITE))
				return DONE_FAULT;
			n = 1;
		}
		advance(cpu, u, RSI, n << u->osize);
		advance(cpu, u, RDI, n << u->osize);
		if (!count_down(cpu, u, n))
			return DONE;
		done += n << u->osize;
		if (stops(cpu) || cpu->block->stale)
			return DONE_AGAIN;
		if (done >= AT_ONCE)
			return take_time(cpu, done);
	}
}

static enum done op_stos(struct cpu *cpu, const struct uop *u)
{
	uint64_t done = 0;

	if (u->rep && !reg_get(cpu, RCX, u->asize))
		return DONE;
	for (;;) {
		uint64_t to, n;

		if (!destination(cpu, u, ACCESS_WRITE, &to))
			return DONE_FAULT;
		n = stos_bulk(cpu, u, to);
		if (!n) {
			if (!mem_store(cpu, to, &cpu->gpr[CPU_RAX],
				       op_bytes(u), ACCESS_WRITE))
				return DONE_FAULT;
			n = 1;
		}
		advance(cpu, u, RDI, n << u->osize);
		if (!count_down(cpu, u, n))
			return DONE;
		done += n << u->osize;
		if (stops(cpu) || cpu->block->stale)
			return DONE_AGAIN;
		if (done >= AT_ONCE)
			return take_time(cpu, done);
	}
}

static enum done op_lods(struct cpu *cpu, const struct uop *u)
{
	if (u->rep && !reg_get(cpu, RCX, u->asize))
		return DONE;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		uint64_t from, v = 0;

		if (!source(cpu, u, &from) ||
		    !mem_load(cpu, from, &v, op_bytes(u), ACCESS_READ))
			return DONE_FAULT;
		reg_set(cpu, REG_OFF(CPU_RAX), u->osize, v);
		advance(cpu, u, RSI, op_bytes(u));
		if (!count_down(cpu, u, 1))
			return DONE;
		if (stops(cpu))
			return DONE_AGAIN;
	}
	return take_time(cpu, AT_ONCE * op_bytes(u));
}

/* Does REPE or REPNE go on after this comparison? */
static bool goes_on(const struct cpu *cpu, const struct uop *u)
{
	return flag_z(cpu) == (u->rep == 3);
}

static enum done op_scas(struct cpu *cpu, const struct uop *u)
{
	uint64_t acc = reg_get(cpu, REG_OFF(CPU_RAX), u->osize);

	if (u->rep && !reg_get(cpu, RCX, u->asize))
		return DONE;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		uint64_t at, v = 0;

		if (!destination(cpu, u, ACCESS_READ, &at) ||
		    !mem_load(cpu, at, &v, op_bytes(u), ACCESS_READ))
			return DONE_FAULT;
		flags_sub(cpu, acc, v, acc - v, op_bits(u));
		advance(cpu, u, RDI, op_bytes(u));
		if (!count_down(cpu, u, 1) || !goes_on(cpu, u))
			return DONE;
		if (stops(cpu))
			return DONE_AGAIN;
	}
	return take_time(cpu, AT_ONCE * op_bytes(u));
}

static enum done op_cmps(struct cpu *cpu, const struct uop *u)
{
	if (u->rep && !reg_get(cpu, RCX, u->asize))
		return DONE;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		uint64_t from, at, a = 0, b = 0;

		if (!source(cpu, u, &from) ||
		    !destination(cpu, u, ACCESS_READ, &at) ||
		    !mem_load(cpu, from, &a, op_bytes(u), ACCESS_READ) ||
		    !mem_load(cpu, at, &b, op_bytes(u), ACCESS_READ))
			return DONE_FAULT;
		flags_sub(cpu, a, b, a - b, op_bits(u));
		advance(cpu, u, RSI, op_bytes(u));
		advance(cpu, u, RDI, op_bytes(u));
		if (!count_down(cpu, u, 1) || !goes_on(cpu, u))
			return DONE;
		if (stops(cpu))
			return DONE_AGAIN;
	}
	return take_time(cpu, AT_ONCE * op_bytes(u));
}

op_fn *string_pick(const struct insn *in)
{
	switch (in->op) {
	case OP_MOVS: return op_movs;
	case OP_STOS: return op_stos;
	case OP_LODS: return op_lods;
	case OP_SCAS: return op_scas;
	case OP_CMPS: return op_cmps;
	default: return NULL;
	}
}
