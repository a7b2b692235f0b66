/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stop.c - why the machine stopped, and what its CPUs do when it goes on. */
#include "vmm/gdb/session.h"

#define SIGNAL_TRAP	5u
#define EXC_BP		3u
#define DR6_SLOTS	0xfu
#define ATTR_L		0x2000u

static uint64_t linear_rip(const struct cpu_state *state)
{
	const struct cpu_segment *cs = &state->seg[CPU_CS];

	if ((state->efer & CPU_EFER_LMA) && (cs->attr & ATTR_L))
		return state->rip;
	return (uint32_t)(cs->base + state->rip);
}

static void say(struct gdb_session *s, unsigned signal, const char *why,
		uint64_t addr, bool with_addr)
{
	s->stopped.len = 0;
	gdb_put(&s->stopped, "T%02xthread:%x;", signal, s->cpu + 1);
	if (why && with_addr)
		gdb_put(&s->stopped, "%s:%llx;", why, (unsigned long long)addr);
	else if (why)
		gdb_put(&s->stopped, "%s:;", why);
}

void gdb_stopped_by(struct gdb_session *s, unsigned signal)
{
	say(s, signal, NULL, 0, false);
}

static void say_break(struct gdb_session *s, const struct gdb_break *b)
{
	static const char *const names[] = {
		[GDB_SOFTWARE] = "swbreak", [GDB_HARDWARE] = "hwbreak",
		[GDB_WRITE] = "watch", [GDB_READ] = "rwatch",
		[GDB_ACCESS] = "awatch",
	};
	bool watches = b->kind >= GDB_WRITE;

	say(s, SIGNAL_TRAP, watches || s->says_why ? names[b->kind] : NULL,
	    b->addr, watches);
}

/* A #DB that is the guest's own: DR6 says why, as the CPU would have. */
static void give_db(struct vcpu *cpu)
{
	const struct accel *accel = cpu->vm->accel;
	struct cpu_state state;

	cpu->debug.inject = DEBUG_INJECT_DB;
	if (accel->get_state(cpu, &state))
		return;
	state.dr[6] |= cpu->debug.dr6;
	accel->set_state(cpu, &state);
}

/* What did this CPU meet?  True: what the client waits for. */
static bool examine(struct gdb_session *s, struct vcpu *cpu)
{
	struct vcpu_debug *d = &cpu->debug;
	const struct gdb_break *b = NULL;
	struct cpu_state state;

	s->cpu = cpu->index;
	if (d->exception == EXC_BP) {
		if (!s->vm->accel->get_state(cpu, &state))
			b = gdb_break_planted_at(s, linear_rip(&state));
		if (!b)
			d->inject = DEBUG_INJECT_BP;
	} else {
		if (d->dr7 && (d->dr6 & DR6_SLOTS))
			b = gdb_break_of_slot(s, __builtin_ctz((unsigned)
						d->dr6 & DR6_SLOTS));
		if (!b && !d->step)
			give_db(cpu);
	}
	if (b)
		say_break(s, b);
	else if (d->step)
		gdb_stopped_by(s, SIGNAL_TRAP);
	return b || d->step;
}

bool gdb_find_reason(struct gdb_session *s)
{
	bool found = false;

	for (unsigned i = 0; i < s->vm->config.topology.cpus; i++) {
		struct vcpu *cpu = &s->vm->vcpus[i];

		/* Another's breakpoint is met again when it goes on. */
		if (cpu->debug.hit && !found)
			found = examine(s, cpu);
		cpu->debug.hit = false;
	}
	return found;
}

void gdb_let_all_go(struct gdb_session *s)
{
	for (unsigned i = 0; i < s->vm->config.topology.cpus; i++)
		s->vm->vcpus[i].debug.step = s->vm->vcpus[i].debug.frozen =
			false;
}
