/* SPDX-License-Identifier: GPL-2.0-or-later */
/* baton.c - which CPU executes, and what time it is meanwhile.  See machine.h. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"

/* Instructions of a slice: of several CPUs, and of the only one. */
#define SLICE_SHARED	20000
#define SLICE_ALONE	2000000

void soft_ring(struct soft_cpu *sc)
{
	int saved = errno;

	atomic_fetch_add(&sc->bell, 1);
	if (!atomic_load(&sc->asleep))
		return;
	syscall(SYS_futex, &sc->bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}

static void wait_bell(struct soft_cpu *sc, uint32_t seen)
{
	atomic_store(&sc->asleep, true);
	syscall(SYS_futex, &sc->bell, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	atomic_store(&sc->asleep, false);
}

void soft_kick(struct vcpu *vcpu)
{
	struct soft_cpu *sc = soft_cpu_of(vcpu);

	atomic_store(&sc->kicked, true);
	cpu_kick(&sc->cpu, EVENT_KICK);
	soft_ring(sc);
}

/* Whose turn is it?  False: nobody has anything to execute.  The baton is held,
 * and nobody runs.
 */
static bool choose(struct machine *m)
{
	if (m->slice_left > 0 && soft_is_ready(soft_cpu_at(m, m->turn)))
		return true;
	for (unsigned n = 1; n <= m->n_cpus; n++) {
		unsigned i = (m->turn + n) % m->n_cpus;

		if (soft_is_ready(soft_cpu_at(m, i))) {
			m->turn = i;
			m->slice_left = m->n_cpus > 1 ? SLICE_SHARED :
							SLICE_ALONE;
			return true;
		}
	}
	return false;
}

static bool all_dead(const struct machine *m)
{
	for (unsigned i = 0; i < m->n_cpus; i++)
		if (!soft_is_dead(soft_cpu_at(m, i)))
			return false;
	return true;
}

/* Fire the timers that are due.  Without the baton. */
static void run_timers(struct vm *vm)
{
	if (!vm->clock.is_virtual || clock_next(vm) > vm_now(vm))
		return;
	vm_lock(vm);
	clock_run(vm);
	vm_unlock(vm);
}

/* How many instructions until a virtual clock's next timer? */
static int64_t budget(struct machine *m)
{
	struct vm *vm = m->soft.vm;
	uint64_t next, now;

	if (!vm->clock.is_virtual)
		return m->slice_left;
	next = clock_next(vm);
	now = vm_now(vm);
	m->soft.slice_timer = next;
	if (next <= now)
		return 1;
	return (int64_t)min_u64((uint64_t)m->slice_left, next - now);
}

static void publish(struct soft_cpu *sc)
{
	uint64_t counters[SOFT_N_COUNTERS] = {
		[SOFT_INSTRUCTIONS] = cpu_instructions(&sc->cpu),
		[SOFT_BLOCKS] = sc->cpu.stats.built,
		[SOFT_TLB_MISSES] = sc->cpu.stats.tlb_misses,
		[SOFT_INVALIDATIONS] = sc->cpu.stats.dropped,
	};

	for (int i = 0; i < SOFT_N_COUNTERS; i++)
		atomic_store_explicit(&sc->counted[i], counters[i],
				      memory_order_relaxed);
}

unsigned soft_counters(struct vcpu *vcpu,
		       struct accel_counter out[ACCEL_COUNTERS])
{
	static const char *const names[] = {
		[SOFT_INSTRUCTIONS] = "instructions", [SOFT_BLOCKS] = "blocks",
		[SOFT_TLB_MISSES] = "tlb-misses",
		[SOFT_INVALIDATIONS] = "invalidations",
	};
	struct soft_cpu *sc = soft_cpu_of(vcpu);

	for (int i = 0; i < SOFT_N_COUNTERS; i++)
		out[i] = (struct accel_counter){ names[i],
			atomic_load_explicit(&sc->counted[i],
					     memory_order_relaxed) };
	return SOFT_N_COUNTERS;
}

/* Execute for the rest of the slice at most.  Without the baton, which nobody else
 * has meanwhile.  Why it ended: STOP_SHUTDOWN, STOP_DEBUG, or nothing of interest.
 */
static enum stop run_slice(struct machine *m, struct soft_cpu *sc)
{
	struct vm *vm = m->soft.vm;
	struct cpu *cpu = &sc->cpu;
	enum stop stop = STOP_BUDGET;

	if (sc->begins && !debug_begin(cpu))
		return STOP_SHUTDOWN;
	sc->begins = false;
	while (m->slice_left > 0 && !atomic_load(&sc->kicked)) {
		uint64_t before = cpu->icount;

		m->soft.slice_start = vm_now(vm);
		m->soft.slice_icount = before;
		if (!soft_events(sc))
			return STOP_SHUTDOWN;
		if (cpu->halted || sc->wait_sipi)
			break;
		stop = cpu_run(cpu, sc->shadow ? 1 : budget(m));
		if (sc->shadow)
			cpu_kick(cpu, EVENT_NMI);
		sc->shadow = false;
		cpu_time(cpu);
		m->slice_left -= (int64_t)(cpu->icount - before);
		if (cpu->yields)
			m->slice_left = 0;
		cpu->yields = false;
		if (stop == STOP_SHUTDOWN)
			return stop;
		run_timers(vm);
		if (atomic_fetch_and(&cpu->events, ~EVENT_YIELD) & EVENT_YIELD)
			m->slice_left = 0;
		if (stop == STOP_DEBUG)
			return stop;
	}
	/* An NMI that came in the last instruction is not one with the next. */
	if (atomic_load(&cpu->events) & EVENT_NMI && !soft_events(sc))
		return STOP_SHUTDOWN;
	/* With an interrupt that it has not looked at, for a kick came first, the
	 * slice is still its own.
	 */
	if (cpu->halted && !soft_is_ready(sc)) {
		vcpu_count(cpu->vcpu, VM_EXIT_HALT);
		m->slice_left = 0;
	}
	return STOP_BUDGET;
}

/* Nobody has anything to do: move a virtual clock to where something happens.
 * False: nothing will by itself.  Without the baton.
 */
static bool skip_idle(struct machine *m)
{
	struct vm *vm = m->soft.vm;
	uint64_t next = clock_next(vm);

	if (!vm->clock.is_virtual || next == UINT64_MAX)
		return false;
	clock_advance(vm, next);
	run_timers(vm);
	return true;
}

/* Any thread with the baton may, if the CPU's own one waits for nothing else. */
static bool may_execute(struct soft_cpu *sc)
{
	return sc->inside && !sc->stopped && !atomic_load(&sc->kicked);
}

enum turn { TURN_TAKEN, TURN_WAIT, TURN_DEAD };

/* Take the baton for the CPU whose turn it is, *who: threads that wait in run()
 * have theirs executed by whoever has it, which is faster than to wake them.
 * Move the clock if it is nobody's turn.
 */
static enum turn take_turn(struct machine *m, struct soft_cpu *sc,
			   struct soft_cpu **who)
{
	enum turn turn = TURN_WAIT;
	bool idle;

	pthread_mutex_lock(&m->baton);
	for (;;) {
		if (m->running)
			break;
		if (choose(m)) {
			*who = soft_cpu_at(m, m->turn);
			if (may_execute(*who)) {
				m->running = true;
				m->executing = *who;
				turn = TURN_TAKEN;
			} else {
				soft_ring(*who);
			}
			break;
		}
		if (all_dead(m)) {
			if (!sc->dead_told)
				turn = TURN_DEAD;
			sc->inside = sc->dead_told;
			sc->dead_told = true;
			break;
		}
		m->running = true;
		pthread_mutex_unlock(&m->baton);
		idle = !atomic_load(&sc->kicked) && skip_idle(m);
		pthread_mutex_lock(&m->baton);
		m->running = false;
		if (!idle)
			break;
	}
	pthread_mutex_unlock(&m->baton);
	return turn;
}

static void end_turn(struct machine *m, struct soft_cpu *sc,
		     struct soft_cpu *who, enum stop stop)
{
	pthread_mutex_lock(&m->baton);
	m->running = false;
	m->executing = NULL;
	sc->dead_told = who->dead_told = false;
	if (stop == STOP_SHUTDOWN || stop == STOP_DEBUG)
		who->stopped = stop;
	if (who != sc && (who->stopped || atomic_load(&who->kicked)))
		soft_ring(who);
	pthread_mutex_unlock(&m->baton);
}

static void enter(struct machine *m, struct soft_cpu *sc)
{
	pthread_mutex_lock(&m->baton);
	sc->inside = true;
	sc->begins = true;
	pthread_mutex_unlock(&m->baton);
}

/* Is run() to return?  Not while another thread executes this CPU; when it does,
 * the next one must hear that the baton lies there.
 */
static bool leave(struct machine *m, struct soft_cpu *sc, enum vcpu_exit *why)
{
	bool leaves = false;

	pthread_mutex_lock(&m->baton);
	if (m->executing == sc)
		goto out;
	if (sc->stopped == STOP_DEBUG) {
		*why = VCPU_DEBUG;
	} else if (sc->stopped == STOP_SHUTDOWN) {
		sc->cpu.halted = true;
		*why = VCPU_SHUTDOWN;
	} else if (atomic_exchange(&sc->kicked, false)) {
		atomic_fetch_and(&sc->cpu.events, ~EVENT_KICK);
		vcpu_count(sc->cpu.vcpu, VM_EXIT_KICK);
		*why = soft_is_dead(sc) ? VCPU_DEAD : VCPU_KICKED;
	} else {
		goto out;
	}
	leaves = true;
	sc->stopped = STOP_BUDGET;
	sc->inside = false;
	if (!m->running && choose(m))
		soft_ring(soft_cpu_at(m, m->turn));
out:
	pthread_mutex_unlock(&m->baton);
	return leaves;
}

int soft_run(struct vcpu *vcpu, enum vcpu_exit *why, struct err *e)
{
	struct soft_cpu *sc = soft_cpu_of(vcpu), *who;
	struct machine *m = machine_of(vcpu->vm);

	(void)e;
	enter(m, sc);
	for (;;) {
		uint32_t bell = atomic_load(&sc->bell);
		enum stop stop;

		if (leave(m, sc, why))
			return 0;
		switch (take_turn(m, sc, &who)) {
		case TURN_WAIT:
			wait_bell(sc, bell);
			continue;
		case TURN_DEAD:
			*why = VCPU_DEAD;
			return 0;
		case TURN_TAKEN:
			break;
		}
		stop = run_slice(m, who);
		publish(who);
		end_turn(m, sc, who, stop);
	}
}
