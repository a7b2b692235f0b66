/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.h - the software CPUs of a machine: who runs when (baton.c), and what
 * reaches a CPU from outside (soft.c).
 *
 * Each vCPU has a thread, but one at a time executes: whoever has the baton, and
 * not only the CPU of its own.  Each CPU has a slice of instructions, in the order
 * of their numbers; PAUSE ends it.  With a virtual clock nothing of the order
 * depends on the host: a slice that a kick cut short is finished by the same CPU
 * before another one runs.
 */
#ifndef SOFT_MACHINE_H
#define SOFT_MACHINE_H

#include "flags.h"
#include "soft.h"
#include "vmm/chip/lapic.h"
#include "vmm/cpuid.h"
#include "vmm/vm.h"

/* Blocks are those that were decoded; invalidations, those that became void. */
enum { SOFT_INSTRUCTIONS, SOFT_BLOCKS, SOFT_TLB_MISSES, SOFT_INVALIDATIONS,
       SOFT_N_COUNTERS };

struct soft_cpu {
	struct cpu cpu;			/* first */
	struct cpuid_table cpuid;
	_Atomic bool kicked;		/* run() is to return */
	_Atomic uint32_t bell;		/* futex: look whose turn it is */
	_Atomic bool asleep;		/* waits for it, or is about to */
	/* What it has counted, as of its last slice; instructions with a virtual
	 * clock as of when that was read.
	 */
	_Atomic uint64_t counted[SOFT_N_COUNTERS];
	bool inside;			/* its thread is in run(): anyone's baton
					 * may execute it; the baton's */
	bool begins;			/* run() was just called */
	enum stop stopped;		/* how its slice ended, for its thread */
	bool wait_sipi;			/* since INIT */
	bool shadow;			/* an NMI may wait for its end */
	bool dead_told;			/* run() said VCPU_DEAD */
	uint64_t generation;		/* of vm->mem that its TLBs know */
};

/* Bytes that devices wrote, until a CPU looks. */
#define N_WROTE 64u

struct machine {
	struct soft soft;		/* first */
	struct lapics *lapics;

	pthread_mutex_t baton;		/* around the next five */
	unsigned turn;			/* whose slice it is */
	int64_t slice_left;		/* instructions */
	bool running;			/* somebody executes, or moves the clock */
	struct soft_cpu *executing;	/* whom, or NULL */
	unsigned n_cpus;

	pthread_mutex_t wrote_lock;	/* innermost */
	unsigned n_wrote;		/* more than fit: all is void */
	struct { uint64_t offset, len; } wrote[N_WROTE];
};

static inline struct machine *machine_of(struct vm *vm)
{
	return vm->accel_state;
}

static inline struct soft_cpu *soft_cpu_of(struct vcpu *vcpu)
{
	return vcpu->accel_state;
}

static inline struct soft_cpu *soft_cpu_at(const struct machine *m, unsigned i)
{
	return (struct soft_cpu *)m->soft.cpus[i];
}

/* baton.c: struct accel's run() and kick(). */
int soft_run(struct vcpu *vcpu, enum vcpu_exit *why, struct err *e);
void soft_kick(struct vcpu *vcpu);
unsigned soft_counters(struct vcpu *vcpu,
		       struct accel_counter out[ACCEL_COUNTERS]);
/* Let its thread look again whose turn it is.  Any thread, async-safe. */
void soft_ring(struct soft_cpu *sc);

/* measure.c: million instructions a second, of a plain loop, in about 2 ms; 0: no
 * memory.
 */
double soft_measure(void);

/* soft.c: what the CPU is if `asked` for on a host that `lacks` something of
 * sse_host.h (NULL: nothing); less than was asked for: it must be refused.
 */
enum cpu_model soft_model(enum cpu_model asked, const char *lacks);

/* soft.c: take what waits: writes of devices, remapped memory, INIT, SIPI, NMI,
 * interrupts.  False: triple fault.
 */
bool soft_events(struct soft_cpu *sc);

/* Is there something to execute? */
static inline bool soft_is_ready(struct soft_cpu *sc)
{
	uint32_t events = atomic_load(&sc->cpu.events);

	if (sc->cpu.vcpu->debug.frozen)
		return false;
	if (sc->wait_sipi)
		return events & EVENT_NMI;
	if (!(sc->cpu.eflags & EFL_IF))
		events &= ~EVENT_IRQ;
	return !sc->cpu.halted || events & (EVENT_IRQ | EVENT_NMI);
}

/* Halted, and nothing but another CPU could change that. */
static inline bool soft_is_dead(struct soft_cpu *sc)
{
	return !sc->cpu.vcpu->debug.frozen && !soft_is_ready(sc) &&
	       (sc->wait_sipi || !(sc->cpu.eflags & EFL_IF));
}

#endif
