/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stack.c - stacks of transfers between rings: several words are pushed all or
 * none, and may go to a stack that is not yet in SS.  Intel SDM volume 3, 5.8.5.
 */
#include "sys.h"

static void set_mask(struct stack *st)
{
	st->mask = st->wide ? UINT64_MAX :
		   st->ss.attr & ATTR_DB ? UINT32_MAX : 0xffff;
}

void stack_now(struct cpu *cpu, struct stack *st, bool wide)
{
	stack_other(cpu, st, &cpu->seg[CPU_SS], cpu->gpr[CPU_RSP], wide,
		    cpu_cpl(cpu));
	st->error = 0;
}

void stack_other(struct cpu *cpu, struct stack *st, const struct cpu_segment *ss,
		 uint64_t sp, bool wide, unsigned cpl)
{
	st->cpu = cpu;
	st->ss = *ss;
	st->sp = sp;
	st->wide = wide;
	st->cpl = cpl;
	st->error = ss->selector;
	st->n = 0;
	set_mask(st);
}

static bool stack_fault(struct stack *st)
{
	return raise_sel(st->cpu, EXC_SS, st->error);
}

/* Is alignment checked here?  Only ring 3 does, on its own stack. */
static bool stack_aligned(struct stack *st, uint64_t lin, unsigned len)
{
	if (!(st->cpu->mode & MODE_AC) || st->cpl != 3 || !(lin & (len - 1)))
		return true;
	raise_error(st->cpu, EXC_AC, 0);
	return false;
}

/* The linear address of `len` bytes at the pointer `sp`. */
static bool stack_lin(struct stack *st, uint64_t sp, unsigned len, uint64_t *lin)
{
	const struct cpu_segment *ss = &st->ss;
	uint64_t last = sp + len - 1;
	bool down = (ss->attr & (ATTR_CODE | ATTR_CONFORMING)) ==
		ATTR_CONFORMING;

	if (st->wide) {
		*lin = sp;
		if (!canonical(sp) || !canonical(last))
			return stack_fault(st);
		return stack_aligned(st, *lin, len);
	}
	*lin = (uint32_t)(ss->base + sp);
	if (ss->attr & CPU_SEG_UNUSABLE ||
	    (down ? sp <= ss->limit ||
		    last > (ss->attr & ATTR_DB ? UINT32_MAX : 0xffffu) :
		    last > ss->limit))
		return stack_fault(st);
	return stack_aligned(st, *lin, len);
}

bool stack_push(struct stack *st, unsigned osize, uint64_t v)
{
	unsigned len = 1u << osize;
	uint64_t lin;

	st->sp = (st->sp & ~st->mask) | ((st->sp - len) & st->mask);
	if (!stack_lin(st, st->sp & st->mask, len, &lin))
		return false;
	st->items[st->n].lin = lin;
	st->items[st->n].value = v;
	st->items[st->n++].size = (uint8_t)len;
	return true;
}

bool stack_commit(struct stack *st)
{
	struct cpu *cpu = st->cpu;
	unsigned cpl = cpu_cpl(cpu);
	bool ok = true;

	set_cpl(cpu, st->cpl);
	for (unsigned i = 0; ok && i < st->n; i++)
		ok = mem_check(cpu, st->items[i].lin, st->items[i].size,
				     ACCESS_WRITE);
	for (unsigned i = 0; ok && i < st->n; i++)
		ok = mem_store(cpu, st->items[i].lin, &st->items[i].value,
			       st->items[i].size, ACCESS_WRITE);
	set_cpl(cpu, cpl);
	return ok;
}

bool stack_pop(struct stack *st, unsigned osize, uint64_t *v)
{
	unsigned len = 1u << osize;
	uint64_t lin;

	*v = 0;
	if (!stack_lin(st, st->sp & st->mask, len, &lin) ||
	    !mem_load(st->cpu, lin, v, len, ACCESS_READ))
		return false;
	stack_add(st, len);
	return true;
}

void stack_add(struct stack *st, uint64_t bytes)
{
	st->sp = (st->sp & ~st->mask) | ((st->sp + bytes) & st->mask);
}

void stack_set_sp(struct cpu *cpu, const struct stack *st)
{
	if (st->mask == 0xffff)
		REG16(cpu, REG_OFF(CPU_RSP)) = (uint16_t)st->sp;
	else if (st->mask == UINT32_MAX)
		SET_REG32(cpu, REG_OFF(CPU_RSP), st->sp);
	else
		cpu->gpr[CPU_RSP] = st->sp;
}
