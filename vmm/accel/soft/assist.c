/* SPDX-License-Identifier: GPL-2.0-or-later */
/* assist.c - one instruction at a time, for another accelerator.  See assist.h. */
#include "assist.h"

#include <errno.h>
#include <stdlib.h>

#include "block.h"
#include "exec.h"
#include "vmm/vm.h"

#define CR4_OSXSAVE	0x40000u

struct assist {
	struct soft soft;
	struct cpu cpu;
	struct cpu *cpus[1];
	struct wrote_pages wrote;
};

int assist_new(struct vcpu *vcpu, unsigned phys_bits, struct assist **out)
{
	struct assist *a = aligned_alloc(64, round_up(sizeof(*a), 64));
	int rc;

	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	a->soft.vm = vcpu->vm;
	a->soft.ram = vcpu->vm->mem.base;
	a->soft.ram_size = vcpu->vm->mem.size;
	a->soft.wrote = &a->wrote;
	a->cpus[0] = &a->cpu;
	a->soft.cpus = a->cpus;
	op_index_init(&a->soft.index);
	rc = blocks_init(&a->soft);
	if (!rc)
		rc = cpu_init(&a->cpu, &a->soft);
	if (rc) {
		blocks_fini(&a->soft);
		free(a);
		return rc;
	}
	a->soft.n_cpus = 1;
	a->cpu.vcpu = vcpu;
	a->cpu.phys_bits = (uint8_t)phys_bits;
	*out = a;
	return 0;
}

void assist_free(struct assist *a)
{
	if (!a)
		return;
	cpu_fini(&a->cpu);
	blocks_fini(&a->soft);
	free(a);
}

static void get_state(const struct assist *a, struct cpu_state *s)
{
	uint64_t tsc = s->tsc, apic_base = s->apic_base;

	cpu_get_state(&a->cpu, s);
	s->tsc = tsc;
	s->apic_base = apic_base;
}

void assist_load(struct assist *a, struct cpu_state *s,
		 const struct assist_extra *extra)
{
	struct cpu *cpu = &a->cpu;

	/* This forgets all translations too. */
	cpu_set_state(cpu, s);
	cpu->tsc_offset = s->tsc - vm_now(cpu->soft->vm);
	cpu->block_irq = extra->shadow;
	cpu->block_nmi = extra->nmi_masked;
	atomic_store(&cpu->events, 0);
	get_state(a, s);
}

/* Did the decoder not know it?  Then nothing follows what raises #UD. */
static bool was_unknown(const struct cpu *cpu)
{
	const struct uop *last;

	if (!cpu->block)
		return false;
	last = &cpu->block->uops[cpu->block->n_uops - 1];
	return last->fn == uop_call && last->call == op_raise &&
	       last->dst == EXC_UD;
}

enum assist_end assist_step(struct assist *a)
{
	struct cpu *cpu = &a->cpu;
	enum stop stop;

	cpu->block = NULL;
	stop = cpu_run(cpu, 1);
	/* #UD was right, unless the guest has what we have not: AVX, XSAVE. */
	if (was_unknown(cpu) && cpu->cr4 & CR4_OSXSAVE)
		return ASSIST_CANNOT;
	if (stop == STOP_SHUTDOWN)
		return ASSIST_SHUTDOWN;
	if (stop == STOP_DEBUG)
		return ASSIST_DEBUG;
	return ASSIST_ON;
}

static void tell_wrote(struct assist *a)
{
	struct vm *vm = a->soft.vm;

	if (!vm->accel->mem_wrote)
		return;
	if (a->wrote.n > WROTE_PAGES)
		vm->accel->mem_wrote(vm, 0, vm->mem.size);
	else
		for (unsigned i = 0; i < a->wrote.n; i++)
			vm->accel->mem_wrote(vm, a->wrote.page[i],
					     PAGE_MASK + 1);
	a->wrote.n = 0;
}

void assist_done(struct assist *a, struct cpu_state *s,
		 struct assist_extra *extra)
{
	get_state(a, s);
	extra->shadow = a->cpu.block_irq;
	extra->nmi_masked = a->cpu.block_nmi;
	tell_wrote(a);
}
