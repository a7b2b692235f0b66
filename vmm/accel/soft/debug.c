/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug.c - breakpoints and single step: Intel SDM volume 3, 17.2 and 17.3; those
 * of the guest, or those of a debugger in their place (struct vcpu_debug).
 *
 * Whenever any of them is on, the mode has MODE_STEP: each block is one
 * instruction, and the loop asks before and after it.  Pages with a watched
 * address stay out of the TLB, so that mem_load() and mem_store() see all.
 */
#include "sys.h"
#include "vmm/vm.h"

#define DR7_ENABLES 0xffu

enum { BP_EXEC, BP_WRITE, BP_PORT, BP_ACCESS };

/* NULL: nobody debugs. */
static struct vcpu_debug *debugger(const struct cpu *cpu)
{
	return cpu->vcpu && cpu->vcpu->debug.on ? &cpu->vcpu->debug : NULL;
}

static const struct vcpu_debug *instead(const struct cpu *cpu)
{
	const struct vcpu_debug *d = debugger(cpu);

	return d && d->dr7 & DR7_ENABLES ? d : NULL;
}

static uint64_t dr7(const struct cpu *cpu)
{
	return instead(cpu) ? instead(cpu)->dr7 : cpu->dr[7];
}

static uint64_t bp_at(const struct cpu *cpu, unsigned i)
{
	return instead(cpu) ? instead(cpu)->dr[i] : cpu->dr[i];
}

static bool bp_on(const struct cpu *cpu, unsigned i)
{
	return dr7(cpu) >> 2 * i & 3;
}

static unsigned bp_type(const struct cpu *cpu, unsigned i)
{
	return (unsigned)(dr7(cpu) >> (16 + 4 * i)) & 3;
}

static unsigned bp_len(const struct cpu *cpu, unsigned i)
{
	static const uint8_t len[] = { 1, 2, 8, 4 };

	return len[dr7(cpu) >> (18 + 4 * i) & 3];
}

static bool bp_hits(const struct cpu *cpu, unsigned i, uint64_t at,
		    unsigned len)
{
	uint64_t size = bp_len(cpu, i), base = bp_at(cpu, i) & ~(size - 1);

	return at < base + size && base < at + len;
}

void debug_changed(struct cpu *cpu)
{
	cpu->watch = false;
	for (unsigned i = 0; i < 4; i++)
		if (bp_on(cpu, i) && (bp_type(cpu, i) == BP_WRITE ||
				      bp_type(cpu, i) == BP_ACCESS))
			cpu->watch = true;
	mmu_flush_all(cpu);
	cpu_mode_changed(cpu);
}

bool debug_watches_page(const struct cpu *cpu, uint64_t lin)
{
	uint64_t page = lin & ~PAGE_MASK;

	for (unsigned i = 0; i < 4; i++)
		if (bp_on(cpu, i) && bp_type(cpu, i) != BP_EXEC &&
		    (bp_at(cpu, i) & ~PAGE_MASK) == page)
			return true;
	return false;
}

void debug_data(struct cpu *cpu, uint64_t lin, unsigned len, bool write)
{
	for (unsigned i = 0; i < 4; i++)
		if (bp_on(cpu, i) && bp_hits(cpu, i, lin, len) &&
		    (bp_type(cpu, i) == BP_ACCESS ||
		     (bp_type(cpu, i) == BP_WRITE && write)))
			cpu->dr6_pending |= 1u << i;
}

void debug_port(struct cpu *cpu, uint16_t port, unsigned len)
{
	if (!(cpu->cr4 & CR4_DE))
		return;
	for (unsigned i = 0; i < 4; i++)
		if (bp_on(cpu, i) && bp_type(cpu, i) == BP_PORT &&
		    bp_hits(cpu, i, port, len))
			cpu->dr6_pending |= 1u << i;
}

static bool raise_db(struct cpu *cpu, unsigned dr6)
{
	cpu_raise(cpu, EXC_DB);
	cpu->fault.dr6 = dr6;
	cpu->fault.in_place = true;
	return false;
}

bool debug_is_on(const struct cpu *cpu)
{
	return cpu->eflags & EFL_TF || dr7(cpu) & DR7_ENABLES ||
	       debug_steps(cpu);
}

bool debug_steps(const struct cpu *cpu)
{
	const struct vcpu_debug *d = debugger(cpu);

	return d && d->step;
}

bool debug_takes(struct cpu *cpu, unsigned exception)
{
	struct vcpu_debug *d = debugger(cpu);

	if (!d || (exception != EXC_DB && exception != EXC_BP))
		return false;
	if (exception == EXC_BP && d->inject == DEBUG_INJECT_BP) {
		d->inject = DEBUG_INJECT_NONE;
		return false;
	}
	d->exception = exception;
	d->dr6 = exception == EXC_DB ? cpu->fault.dr6 : 0;
	return true;
}

void debug_stepped(struct cpu *cpu)
{
	raise_db(cpu, DR6_BS);
	debug_takes(cpu, EXC_DB);
}

bool debug_begin(struct cpu *cpu)
{
	struct vcpu_debug *d = &cpu->vcpu->debug;

	/* A CPU that sleeps needs its interrupt to come to the next step. */
	cpu->hold_irq = debug_steps(cpu) && !cpu->halted;
	if (d->on || cpu->debugged)
		debug_changed(cpu);
	cpu->debugged = d->on;
	if (d->inject != DEBUG_INJECT_DB)
		return true;
	d->inject = DEBUG_INJECT_NONE;
	raise_db(cpu, (unsigned)d->dr6 & (15 | DR6_BS | DR6_BD));
	return fault_deliver(cpu);
}

bool debug_before(struct cpu *cpu)
{
	uint64_t lin = cpu->rip;
	unsigned hits = 0;

	if (!cpu->block_db)
		cpu->dr6_pending = 0;
	cpu->no_step = false;
	if (cpu_code(cpu) != CODE_64)
		lin = (uint32_t)(lin + cpu->seg[CPU_CS].base);
	if (cpu->eflags & EFL_RF || cpu->block_db)
		return true;
	for (unsigned i = 0; i < 4; i++)
		if (bp_on(cpu, i) && bp_type(cpu, i) == BP_EXEC &&
		    bp_at(cpu, i) == lin)
			hits |= 1u << i;
	return !hits || raise_db(cpu, hits);
}

bool debug_after(struct cpu *cpu, uint64_t eflags)
{
	unsigned hits = cpu->dr6_pending;

	cpu->dr6_pending = 0;
	if (eflags & EFL_RF)
		cpu->eflags &= ~(uint64_t)EFL_RF;
	if (eflags & EFL_TF && !cpu->no_step)
		hits |= DR6_BS;
	/* MOV SS: both wait; a step is lost, as on a CPU. */
	if (cpu->block_db) {
		cpu->dr6_pending = hits & 15;
		return true;
	}
	return !hits || raise_db(cpu, hits);
}
