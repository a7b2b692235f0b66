/* SPDX-License-Identifier: GPL-2.0-or-later */
/* time.c - the time that a software CPU sees: its time-stamp counter runs at 1 GHz
 * on the machine's clock, which with a virtual clock its instructions move.
 */
#include "machine.h"
#include "sys.h"

#include "vmm/chip/lapic.h"
#include "vmm/vm.h"

void cpu_time(struct cpu *cpu)
{
	struct soft *soft = cpu->soft;

	if (!soft->vm || !soft->vm->clock.is_virtual)
		return;
	clock_advance(soft->vm, soft->slice_start +
		      (cpu->icount - soft->slice_icount));
	atomic_store_explicit(&soft_cpu_of(cpu->vcpu)->
			      counted[SOFT_INSTRUCTIONS],
			      cpu_instructions(cpu), memory_order_relaxed);
}

/* ns, which are ticks too. */
static uint64_t now(struct cpu *cpu)
{
	if (!cpu->soft->vm)
		return cpu->icount;
	cpu_time(cpu);
	return vm_now(cpu->soft->vm);
}

void cpu_bus_done(struct cpu *cpu)
{
	struct soft *soft = cpu->soft;

	if (soft->vm->clock.is_virtual &&
	    clock_next(soft->vm) != soft->slice_timer)
		cpu_kick(cpu, EVENT_CLOCK);
}

uint64_t cpu_tsc(struct cpu *cpu)
{
	return now(cpu) + cpu->tsc_offset;
}

uint64_t cpu_tsc_when(const struct cpu *cpu, uint64_t tsc)
{
	uint64_t ns = tsc - cpu->tsc_offset;

	/* Long ago, if it was before the counter was set. */
	return (int64_t)ns < 0 && tsc < cpu->tsc_offset ? 0 : ns;
}

void cpu_set_tsc(struct cpu *cpu, uint64_t tsc)
{
	uint64_t deadline = cpu->lapic ? lapic_deadline(cpu->lapic) : 0;

	cpu->tsc_offset = tsc - now(cpu);
	if (deadline)
		lapic_set_deadline(cpu->lapic, deadline,
				   cpu_tsc_when(cpu, deadline));
}
