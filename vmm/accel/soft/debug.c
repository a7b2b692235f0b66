/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug.c - breakpoints and single step: Intel SDM volume 3, 17.2 and 17.3.
 *
 * Whenever any of them is on, the mode has MODE_STEP: each block is one
 * instruction, and the loop asks before and after it.  Pages with a watched
 * address stay out of the TLB, so that mem_load() and mem_store() see all.
 */
#include "sys.h"

enum { BP_EXEC, BP_WRITE, BP_PORT, BP_ACCESS };

static bool bp_on(const struct cpu *cpu, unsigned i)
{
	return cpu->dr[7] >> 2 * i & 3;
}

static unsigned bp_type(const struct cpu *cpu, unsigned i)
{
	return (unsigned)(cpu->dr[7] >> (16 + 4 * i)) & 3;
}

static unsigned bp_len(const struct cpu *cpu, unsigned i)
{
	static const uint8_t len[] = { 1, 2, 8, 4 };

	return len[cpu->dr[7] >> (18 + 4 * i) & 3];
}

static bool bp_hits(const struct cpu *cpu, unsigned i, uint64_t at,
		    unsigned len)
{
	uint64_t size = bp_len(cpu, i), base = cpu->dr[i] & ~(size - 1);

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
		    (cpu->dr[i] & ~PAGE_MASK) == page)
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
	raise(cpu, EXC_DB);
	cpu->fault.dr6 = dr6;
	cpu->fault.in_place = true;
	return false;
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
		    cpu->dr[i] == lin)
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
