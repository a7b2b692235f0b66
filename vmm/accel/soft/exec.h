/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.h - how uops follow each other.
 *
 * A uop_fn returns the uop to run next, NULL to leave the block; exec.c's loop
 * calls that one.  Optimised builds do not wait for the loop: the uop_fn calls
 * the next one itself, in tail position, so that each has an indirect branch of
 * its own, and the compiler makes a jump of the call.  Nothing depends on that:
 * where it does not, the stack grows until the slice ends (exec.c).
 */
#ifndef SOFT_EXEC_H
#define SOFT_EXEC_H

#include "access.h"
#include "block.h"
#include "flags.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__) && !__has_feature(address_sanitizer) && \
	!__has_feature(thread_sanitizer)
#define GO(cpu, u) return (u)->fn((cpu), (u))
#else
#define GO(cpu, u) return ((void)(cpu), (u))
#endif

/* On behind this one. */
#define NEXT(cpu, u) GO(cpu, (u) + 1)

/* The same for a uop_fn that is called by name, in place of the running one. */
#define HAND_OVER(fn, cpu, u) return fn((cpu), (u))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Why a block was left. */
enum left { LEFT_EDGE, LEFT_SYNC, LEFT_FAULT, LEFT_AGAIN };

/* Run u->call: any instruction that has no fast form, or whose fast form met
 * what it cannot do.
 */
uop_fn uop_call;
/* The instruction of this uop was changed by a write, or its block may not go on
 * for another reason: look at the world again.
 */
uop_fn uop_stale;
/* The end of a block, without a jump: go on at block_rip + disp. */
uop_fn uop_edge;
/* The same where offsets are not linear: look at CS again. */
uop_fn uop_end;
/* A block of two pages: is the second one still where it was? */
uop_fn uop_second_page;
/* #UD and other faults that are known at decode time: vector in u->dst. */
op_fn op_raise;

/* A jump to block_rip: find the block there; edge_find links it to the jump, if
 * that may be (block.h).
 */
uop_fn edge_find;
uop_fn edge_indirect;

/* Leave to the loop, which goes on at block_rip; nothing of the block there was
 * run or counted.
 */
const struct uop *edge_leave(struct cpu *cpu, const struct uop *u);

/* Begin block `b` at block_rip. */
static inline const struct uop *block_enter(struct cpu *cpu, struct block *b,
					    const struct uop *u)
{
	int64_t left = cpu->budget - b->n_insns;

	if (unlikely(left < atomic_load_explicit(&cpu->floor,
						 memory_order_relaxed)))
		HAND_OVER(edge_leave, cpu, u);
	cpu->budget = left;
	cpu->block = b;
	GO(cpu, b->uops);
}

/* Jump to block_rip + u->disp. */
static inline const struct uop *edge_take(struct cpu *cpu, const struct uop *u)
{
	cpu->block_rip = (cpu->block_rip + (uint64_t)(int64_t)u->disp) &
			 cpu->ea_mask;
	if (unlikely(!u->link))
		HAND_OVER(edge_find, cpu, u);
	return block_enter(cpu, u->link, u);
}

#endif
