/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - run blocks, and what happens between them. */
#include "exec.h"

uint64_t rip_this(const struct cpu *cpu, const struct uop *u)
{
	uint64_t rip = cpu->block_rip + u->next - u->len;

	return cpu_code(cpu) == CODE_64 ? rip : (uint32_t)rip;
}

uint64_t rip_next(const struct cpu *cpu, const struct uop *u)
{
	uint64_t rip = cpu->block_rip + u->next;

	return cpu_code(cpu) == CODE_64 ? rip : (uint32_t)rip;
}

/* Of the running block only `n` instructions count. */
static void count_only(struct cpu *cpu, unsigned n)
{
	cpu->budget += (int64_t)cpu->block->n_insns - (int64_t)n;
	cpu->icount = cpu->icount_base - (uint64_t)cpu->budget;
}

void cpu_sync(struct cpu *cpu, const struct uop *u)
{
	cpu->rip = rip_this(cpu, u);
	cpu->icount = cpu->icount_base - (uint64_t)cpu->budget -
		      (cpu->block->n_insns - u->ix);
}

enum done cpu_raise(struct cpu *cpu, unsigned vector)
{
	cpu->fault = (struct fault){ .vector = (uint8_t)vector };
	return DONE_FAULT;
}

enum done raise_error(struct cpu *cpu, unsigned vector, uint32_t error)
{
	cpu->fault = (struct fault){ .vector = (uint8_t)vector,
				     .has_error = true, .error = error };
	return DONE_FAULT;
}

enum done op_raise(struct cpu *cpu, const struct uop *u)
{
	return u->dst == EXC_GP ? raise_gp(cpu, 0) : cpu_raise(cpu, u->dst);
}

static const struct uop *leave(struct cpu *cpu, enum left why)
{
	cpu->left = (uint8_t)why;
	return NULL;
}

const struct uop *uop_call(struct cpu *cpu, const struct uop *u)
{
	enum done done;

	cpu->u = u;
	done = u->call(cpu, u);
	if (likely(done == DONE && !cpu->bus_used))
		NEXT(cpu, u);
	cpu->bus_used = false;
	switch (done) {
	case DONE:
	case DONE_LEAVE:
		cpu->rip = rip_next(cpu, u);
		count_only(cpu, u->ix + 1u);
		return leave(cpu, LEFT_SYNC);
	case DONE_JUMP:
		count_only(cpu, u->ix + 1u);
		return leave(cpu, LEFT_SYNC);
	case DONE_AGAIN:
		cpu->rip = rip_this(cpu, u);
		count_only(cpu, u->ix);
		return leave(cpu, LEFT_AGAIN);
	case DONE_FAULT:
		break;
	}
	if (!cpu->fault.in_place)
		cpu->rip = rip_this(cpu, u);
	count_only(cpu, u->ix);
	return leave(cpu, LEFT_FAULT);
}

const struct uop *uop_stale(struct cpu *cpu, const struct uop *u)
{
	cpu->rip = rip_this(cpu, u);
	count_only(cpu, u->ix);
	return leave(cpu, LEFT_EDGE);
}

const struct uop *uop_end(struct cpu *cpu, const struct uop *u)
{
	cpu->rip = rip_next(cpu, u);
	cpu->icount = cpu->icount_base - (uint64_t)cpu->budget;
	return leave(cpu, LEFT_EDGE);
}

const struct uop *uop_edge(struct cpu *cpu, const struct uop *u)
{
	return edge_take(cpu, u);
}

/* The linear address of block_rip. */
static uint64_t code_lin(const struct cpu *cpu)
{
	if (cpu_code(cpu) == CODE_64)
		return cpu->block_rip;
	return (uint32_t)(cpu->block_rip + cpu->seg[CPU_CS].base);
}

const struct uop *uop_second_page(struct cpu *cpu, const struct uop *u)
{
	uint64_t lin = (code_lin(cpu) | PAGE_MASK) + 1;
	const struct tlb_slot *s;

	if (cpu_code(cpu) != CODE_64)
		lin = (uint32_t)lin;
	s = tlb_slot(cpu, lin);
	if (likely(s->exec == lin && lin + s->addend ==
		   (uintptr_t)cpu->soft->ram + cpu->block->page2))
		NEXT(cpu, u);
	HAND_OVER(uop_stale, cpu, u);
}

const struct uop *edge_leave(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->rip = cpu->block_rip;
	cpu->icount = cpu->icount_base - (uint64_t)cpu->budget;
	return leave(cpu, LEFT_EDGE);
}

/* The block at block_rip, if both the TLB and the cache know it. */
static inline struct block *find_block(struct cpu *cpu)
{
	uint64_t lin = code_lin(cpu), key;
	const struct tlb_slot *s = tlb_slot(cpu, lin);
	struct block *b;

	if (unlikely(s->exec != (lin & ~PAGE_MASK)))
		return NULL;
	key = lin + s->addend - (uintptr_t)cpu->soft->ram;
	b = cpu->soft->blocks->hash[block_hash(key, cpu->mode)];
	if (unlikely(!b || b->key != key || b->mode != cpu->mode))
		return NULL;
	return b;
}

const struct uop *edge_indirect(struct cpu *cpu, const struct uop *u)
{
	struct block *b = find_block(cpu);

	if (unlikely(!b))
		HAND_OVER(edge_leave, cpu, u);
	return block_enter(cpu, b, u);
}

const struct uop *edge_find(struct cpu *cpu, const struct uop *u)
{
	uint64_t to = cpu->block_rip, from = to - (uint64_t)(int64_t)u->disp;
	struct block *b = find_block(cpu);

	if (unlikely(!b))
		HAND_OVER(edge_leave, cpu, u);
	/* In one page one translation brought both. */
	if (((to ^ from) & cpu->ea_mask) <= PAGE_MASK && !cpu->block->stale)
		block_link(cpu->soft, (struct uop *)u, b);
	return block_enter(cpu, b, u);
}

void cpu_kick(struct cpu *cpu, uint32_t events)
{
	atomic_fetch_or(&cpu->events, events);
	atomic_store(&cpu->floor, INT64_MAX);
}

/* Run the block at cpu->rip and those that follow without the loop's help. */
static bool run_blocks(struct cpu *cpu, unsigned limit)
{
	struct block *b;
	const struct uop *u;

	cpu->u = NULL;
	b = block_get(cpu, limit);
	if (b && !limit && (int64_t)b->n_insns > cpu->budget)
		b = block_get(cpu, (unsigned)cpu->budget);
	if (!b)
		return false;
	if (unlikely(cpu->soft->trace))
		trace_block(cpu, b);
	cpu->block_rip = cpu->rip;
	cpu->block = b;
	cpu->budget -= b->n_insns;
	u = b->uops;
	while (u)
		u = u->fn(cpu, u);
	return cpu->left != LEFT_FAULT;
}

/* After a fault: deliver it, if there is a machine. */
static bool handle_fault(struct cpu *cpu, enum stop *why)
{
	cpu->block_irq = cpu->block_db = false;
	if (cpu->soft->test) {
		*why = STOP_FAULT;
		return false;
	}
	if (cpu->fault.vector == EXC_BP ||
	    debug_takes(cpu, cpu->fault.vector)) {
		*why = STOP_DEBUG;
		return false;
	}
	if (!fault_deliver(cpu)) {
		*why = STOP_SHUTDOWN;
		return false;
	}
	return true;
}

/* Blocks follow each other without the loop for so many instructions at most. */
#define SLICE 50000

static int64_t floor_of(const struct cpu *cpu)
{
	/* A trace wants to see each block; a shadow lasts one instruction. */
	if (cpu->soft->trace || cpu->block_irq)
		return INT64_MAX;
	return cpu->budget > SLICE ? cpu->budget - SLICE : 0;
}

/* Something to stop for, now that the mode allows it. */
static bool pending(struct cpu *cpu)
{
	uint32_t events = atomic_load(&cpu->events);

	if (cpu->block_irq || !(cpu->eflags & EFL_IF) || cpu->hold_irq)
		events &= ~EVENT_IRQ;
	return events;
}

/* With one instruction done, or one element of a repeated one: then RF keeps a
 * breakpoint there from coming again (SDM volume 3, 17.3.1.1).
 */
static bool after_step(struct cpu *cpu, uint64_t eflags)
{
	bool go_on = debug_after(cpu, eflags);

	if (cpu->left == LEFT_AGAIN)
		cpu->eflags |= EFL_RF;
	return go_on;
}

enum stop cpu_run(struct cpu *cpu, int64_t insns)
{
	enum stop why = STOP_BUDGET;

	cpu->budget = insns;
	cpu->icount_base = cpu->icount + (uint64_t)insns;
	for (;;) {
		bool shadow = cpu->block_irq, step = cpu->mode & MODE_STEP;
		uint64_t eflags = cpu->eflags;

		atomic_store(&cpu->floor, floor_of(cpu));
		if (pending(cpu)) {
			why = STOP_KICK;
			break;
		}
		if (cpu->halted) {
			why = STOP_HALT;
			break;
		}
		if (cpu->budget <= 0)
			break;
		/* STI begins its own, also where another one ends. */
		cpu->block_irq = false;
		if (step && !cpu->soft->test && !debug_before(cpu)) {
			if (!handle_fault(cpu, &why))
				break;
		} else if (!run_blocks(cpu, shadow ? 1 : 0)) {
			if (!handle_fault(cpu, &why))
				break;
		} else {
			if (shadow && cpu->left == LEFT_AGAIN)
				cpu->block_irq = true;
			else if (shadow)
				cpu->block_db = false;
			if (step && !cpu->soft->test &&
			    !after_step(cpu, eflags) &&
			    !handle_fault(cpu, &why))
				break;
		}
		if (step && debug_steps(cpu)) {
			debug_stepped(cpu);
			why = STOP_DEBUG;
			break;
		}
	}
	cpu->icount = cpu->icount_base - (uint64_t)cpu->budget;
	return why;
}
