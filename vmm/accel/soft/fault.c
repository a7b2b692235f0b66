/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - deliver exceptions and interrupts through the IVT or the IDT; double
 * and triple faults; INT n and its kin.  Intel SDM volume 3, chapter 6 (tables
 * 6-4 and 6-5 for double faults), 20.2 and 20.3 (virtual-8086 mode).
 */
#include "sys.h"

/* What is delivered, and how. */
struct event {
	uint8_t vector;
	bool software;		/* INT n, INT3, INTO: the gate's DPL counts */
	bool has_error;
	uint32_t error;
	uint64_t rip;		/* where the handler returns to */
	uint64_t eflags;	/* as it is pushed */
};

static uint32_t idt_error(const struct cpu *cpu, const struct event *ev)
{
	return ev->vector * 8u + 2u + cpu->ext;
}

static bool idt_fault(struct cpu *cpu, const struct event *ev, unsigned vector)
{
	raise_error(cpu, vector, idt_error(cpu, ev));
	return false;
}

/* Real mode, and virtual-8086 mode's own interrupts: through the IVT at `base`. */
static bool through_ivt(struct cpu *cpu, const struct event *ev, uint64_t base,
			uint64_t eflags)
{
	uint16_t target[2];
	struct stack st;

	if (!mem_load(cpu, (uint32_t)(base + ev->vector * 4u), target, 4,
		      ACCESS_READ | (cpu->mode & MODE_REAL ?
				     ACCESS_SYSTEM : 0)))
		return false;
	stack_now(cpu, &st, false);
	if (!stack_push(&st, 1, eflags) ||
	    !stack_push(&st, 1, cpu->seg[CPU_CS].selector) ||
	    !stack_push(&st, 1, ev->rip) || !stack_commit(&st))
		return false;
	stack_set_sp(cpu, &st);
	seg_load_old(cpu, CPU_CS, target[1]);
	cpu->rip = target[0];
	return true;
}

static bool deliver_real(struct cpu *cpu, const struct event *ev)
{
	if (ev->vector * 4u + 3 > cpu->idtr.limit)
		return idt_fault(cpu, ev, EXC_GP);
	if (!through_ivt(cpu, ev, cpu->idtr.base, ev->eflags))
		return false;
	cpu->eflags &= ~(uint64_t)(EFL_IF | EFL_TF | EFL_AC | EFL_RF);
	return true;
}

/* A gate of the IDT, taken apart. */
struct gate {
	unsigned type, ist;
	unsigned osize;		/* log2 of bytes of what is pushed */
	uint16_t selector;
	uint64_t offset;
};

static bool gate_read(struct cpu *cpu, const struct event *ev, struct gate *g)
{
	unsigned len = is_long(cpu) ? 16 : 8;
	uint32_t raw[4] = { 0 };
	uint64_t lin = cpu->idtr.base + ev->vector * len;
	unsigned dpl;

	if (ev->vector * len + len - 1 > cpu->idtr.limit)
		return idt_fault(cpu, ev, EXC_GP);
	if (!is_long(cpu))
		lin = (uint32_t)lin;
	if (!mem_load(cpu, lin, raw, len, ACCESS_READ | ACCESS_SYSTEM))
		return false;
	g->type = raw[1] >> 8 & 0x1f;
	dpl = raw[1] >> 13 & 3;
	switch (g->type) {
	case SYS_TASK: case SYS_INT16: case SYS_TRAP16:
		if (!is_long(cpu))
			break;
		return idt_fault(cpu, ev, EXC_GP);
	case SYS_INT32: case SYS_TRAP32:
		break;
	default:
		return idt_fault(cpu, ev, EXC_GP);
	}
	if (ev->software && dpl < cpu_cpl(cpu))
		return idt_fault(cpu, ev, EXC_GP);
	if (!(raw[1] & 0x8000))
		return idt_fault(cpu, ev, EXC_NP);
	g->ist = is_long(cpu) ? raw[1] & 7 : 0;
	g->osize = is_long(cpu) ? 3 : g->type & 8 ? 2 : 1;
	g->selector = (uint16_t)(raw[0] >> 16);
	g->offset = (raw[0] & 0xffff) |
		(g->type & 8 ? raw[1] & 0xffff0000 : 0) |
		(uint64_t)raw[2] << 32;
	return true;
}

static bool through_task_gate(struct cpu *cpu, const struct event *ev,
			      const struct gate *g)
{
	struct stack st;
	struct desc d;

	if (g->selector & SEL_TI)
		return raise_sel(cpu, EXC_GP, g->selector);
	if (!desc_read(cpu, g->selector, EXC_GP, false, &d))
		return false;
	if (desc_type(&d) != SYS_TSS16 && desc_type(&d) != SYS_TSS32)
		return raise_sel(cpu, EXC_GP, g->selector);
	if (!(d.attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, g->selector);
	if (!task_switch(cpu, &d, TASK_GATE, ev->rip))
		return false;
	if (!ev->has_error)
		return true;
	stack_now(cpu, &st, false);
	if (!stack_push(&st, cpu->tr.attr & 8 ? 2 : 1, ev->error) ||
	    !stack_commit(&st)) {
		cpu->fault.in_place = true;
		return false;
	}
	stack_set_sp(cpu, &st);
	return true;
}

/* The handler's code segment. */
static bool handler_code(struct cpu *cpu, const struct gate *g, struct desc *d)
{
	if (is_null(g->selector))
		return raise_ext(cpu, EXC_GP);
	if (!desc_read(cpu, g->selector, EXC_GP, false, d))
		return false;
	if (!desc_is_code(d) || ATTR_DPL(d->attr) > cpu_cpl(cpu) ||
	    (is_long(cpu) && (d->attr & (ATTR_L | ATTR_DB)) != ATTR_L))
		return raise_sel(cpu, EXC_GP, g->selector);
	if (!(d->attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, g->selector);
	/* Out of virtual-8086 mode only into ring 0. */
	if (cpu->mode & MODE_VM86 &&
	    (d->attr & ATTR_CONFORMING || ATTR_DPL(d->attr)))
		return raise_sel(cpu, EXC_GP, g->selector);
	return true;
}

/* The stack to use, and in *ss what SS will be. */
static bool handler_stack(struct cpu *cpu, const struct gate *g, unsigned cpl,
			  struct stack *st, struct cpu_segment *ss)
{
	bool inner = cpl < cpu_cpl(cpu);
	uint64_t sp = cpu->gpr[CPU_RSP];
	uint16_t selector;

	*ss = cpu->seg[CPU_SS];
	if (is_long(cpu)) {
		if (inner)
			seg_set_null(ss, (uint16_t)cpl, cpl);
		if ((inner || g->ist) && !tss_rsp(cpu, cpl, g->ist, &sp))
			return false;
		stack_other(cpu, st, ss, sp & ~15ull, true, cpl);
		st->error = 0;
		return true;
	}
	if (!inner) {
		stack_now(cpu, st, false);
		return true;
	}
	if (!tss_stack(cpu, cpl, &selector, &sp) ||
	    !seg_check_stack(cpu, selector, cpl, EXC_TS, ss))
		return false;
	stack_other(cpu, st, ss, sp, false, cpl);
	return true;
}

static bool push_frame(struct cpu *cpu, const struct event *ev, unsigned osize,
		       bool with_ss, struct stack *st)
{
	static const uint8_t old[] = { CPU_GS, CPU_FS, CPU_DS, CPU_ES };

	if (cpu->mode & MODE_VM86)
		for (unsigned i = 0; i < 4; i++)
			if (!stack_push(st, osize, cpu->seg[old[i]].selector))
				return false;
	if (with_ss && (!stack_push(st, osize, cpu->seg[CPU_SS].selector) ||
			!stack_push(st, osize, cpu->gpr[CPU_RSP])))
		return false;
	return stack_push(st, osize, ev->eflags) &&
	       stack_push(st, osize, cpu->seg[CPU_CS].selector) &&
	       stack_push(st, osize, ev->rip) &&
	       (!ev->has_error || stack_push(st, osize, ev->error));
}

/* From virtual-8086 mode: the handler finds no segments of the program's. */
static void drop_old_segments(struct cpu *cpu)
{
	static const uint8_t data[] = { CPU_ES, CPU_DS, CPU_FS, CPU_GS };

	for (unsigned i = 0; i < sizeof(data); i++)
		seg_set_null(&cpu->seg[data[i]], 0, 0);
}

static bool deliver_protected(struct cpu *cpu, const struct event *ev)
{
	struct cpu_segment ss, cs;
	struct stack st;
	struct gate g;
	struct desc d;
	unsigned cpl;

	if (!gate_read(cpu, ev, &g))
		return false;
	if (g.type == SYS_TASK)
		return through_task_gate(cpu, ev, &g);
	if (!handler_code(cpu, &g, &d))
		return false;
	cpl = d.attr & ATTR_CONFORMING ? cpu_cpl(cpu) : ATTR_DPL(d.attr);
	desc_segment(&d, &cs);
	if (!handler_stack(cpu, &g, cpl, &st, &ss) ||
	    !push_frame(cpu, ev, g.osize, is_long(cpu) || cpl < cpu_cpl(cpu),
			&st) ||
	    !code_check_target(cpu, &cs, g.offset) ||
	    !desc_mark_accessed(cpu, &d) || !stack_commit(&st))
		return false;
	if (cpu->mode & MODE_VM86)
		drop_old_segments(cpu);
	cpu->seg[CPU_SS] = ss;
	stack_set_sp(cpu, &st);
	code_set(cpu, &d, cpl, g.offset);
	cpu->eflags &= ~(uint64_t)(EFL_TF | EFL_NT | EFL_VM | EFL_RF);
	if (!(g.type & 1))
		cpu->eflags &= ~(uint64_t)EFL_IF;
	return true;
}

/* INT n in virtual-8086 mode, to the program's own handler if VME lets it (tables
 * 20-2 and 20-3).  *done: it was.
 */
static bool deliver_vm86_int(struct cpu *cpu, const struct event *ev, bool *done)
{
	uint64_t eflags = ev->eflags;

	*done = false;
	if (cpu->cr4 & CR4_VME) {
		if (!vme_redirects(cpu, ev->vector, done))
			return false;
		if (*done) {
			if (iopl(cpu) < 3) {
				/* The program sees VIF as IF, and IOPL 3. */
				eflags &= ~(uint64_t)EFL_IF;
				eflags |= EFL_IOPL |
					(eflags & EFL_VIF ? EFL_IF : 0u);
			}
			if (!through_ivt(cpu, ev, 0, eflags))
				return false;
			cpu->eflags &= ~(uint64_t)(EFL_TF | EFL_RF |
				(iopl(cpu) < 3 ? EFL_VIF : EFL_IF));
			return true;
		}
	}
	if (iopl(cpu) < 3) {
		raise_gp(cpu, 0);
		return false;
	}
	return true;
}

/* All of it or nothing, unless a task switch came in between. */
static bool deliver(struct cpu *cpu, const struct event *ev)
{
	struct snapshot before;
	bool ok;

	snapshot_take(cpu, &before);
	if (cpu->mode & MODE_REAL)
		ok = deliver_real(cpu, ev);
	else
		ok = deliver_protected(cpu, ev);
	if (!ok) {
		if (!cpu->fault.in_place)
			snapshot_restore(cpu, &before);
		return false;
	}
	cpu->no_step = true;
	cpu_mode_changed(cpu);
	return true;
}

/* Exceptions and interrupts from outside. */

static bool is_contributory(unsigned vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

/* `second` came while `first` was delivered: what is delivered now? */
static bool makes_double(unsigned first, unsigned second)
{
	return (is_contributory(first) && is_contributory(second)) ||
	       (first == EXC_PF &&
		(is_contributory(second) || second == EXC_PF));
}

/* Exceptions that are faults: the pushed RF keeps an instruction breakpoint from
 * being reported twice.
 */
static bool sets_rf(unsigned vector)
{
	return vector != EXC_DB && vector != EXC_NMI && vector != EXC_BP &&
	       vector != EXC_OF && vector != EXC_DF && vector != EXC_MC &&
	       vector < 32;
}

/* Registers that tell of the exception. */
static void tell(struct cpu *cpu, const struct fault *f)
{
	if (f->vector == EXC_PF)
		cpu->cr2 = f->cr2;
	if (f->vector == EXC_DB) {
		cpu->dr[6] = (cpu->dr[6] & ~0xfull) | f->dr6 | DR6_FIXED;
		cpu->dr[7] &= ~(uint64_t)DR7_GD;
	}
}

/* Deliver `f`, or what becomes of it.  `external`: no exception of the CPU's. */
static bool deliver_chain(struct cpu *cpu, struct fault f, bool external)
{
	/* Each round is a fault in delivering the one before; two can follow one
	 * another for as long as a task switch moves on.
	 */
	for (unsigned rounds = 0; rounds < 8; rounds++) {
		struct event ev = { .vector = f.vector, .rip = cpu->rip,
				    .has_error = f.has_error,
				    .error = f.error,
				    .eflags = eflags_get(cpu) };
		bool ok;

		if (!external) {
			tell(cpu, &f);
			if (sets_rf(f.vector))
				ev.eflags |= EFL_RF;
		}
		cpu->ext = 1;
		cpu->fault.in_place = false;
		ok = deliver(cpu, &ev);
		cpu->ext = 0;
		if (ok)
			return true;
		if (cpu->fault.vector == EXC_PF)
			cpu->cr2 = cpu->fault.cr2;
		if (!external && f.vector == EXC_DF)
			return false;
		if (!external && makes_double(f.vector, cpu->fault.vector))
			f = (struct fault){ .vector = EXC_DF,
					    .has_error = true };
		else
			f = cpu->fault;
		external = false;
	}
	return false;
}

bool fault_deliver(struct cpu *cpu)
{
	cpu->u = NULL;
	/* A single step ends HLT. */
	cpu->halted = false;
	return deliver_chain(cpu, cpu->fault, false);
}

bool fault_interrupt(struct cpu *cpu, uint8_t vector)
{
	struct fault f = { .vector = vector };

	cpu->u = NULL;
	cpu->halted = false;
	return deliver_chain(cpu, f, true);
}

/* Interrupts by instruction.  A fault on the way is one of the instruction. */

static enum done soft_int(struct cpu *cpu, const struct uop *u, uint8_t vector,
			  bool software)
{
	struct event ev = { .vector = vector, .software = software,
			    .rip = rip_next(cpu, u),
			    .eflags = eflags_get(cpu) };

	/* Alone there is nobody to take it. */
	if (cpu->soft->test)
		return cpu_raise(cpu, vector);
	cpu->fault.in_place = false;
	return deliver(cpu, &ev) ? DONE_JUMP : DONE_FAULT;
}

enum done int_software(struct cpu *cpu, const struct uop *u, uint8_t vector)
{
	return soft_int(cpu, u, vector, true);
}

enum done int_vm86(struct cpu *cpu, const struct uop *u, uint8_t vector)
{
	struct event ev = { .vector = vector, .software = true,
			    .rip = rip_next(cpu, u),
			    .eflags = eflags_get(cpu) };
	bool done = false;

	if (cpu->mode & MODE_VM86 && !cpu->soft->test) {
		if (!deliver_vm86_int(cpu, &ev, &done))
			return DONE_FAULT;
		if (done) {
			cpu_mode_changed(cpu);
			return DONE_JUMP;
		}
	}
	return soft_int(cpu, u, vector, true);
}

/* INT1 passes the gate whatever its DPL, as if it came from outside; breakpoints
 * that MOV SS before it has met are told by the same exception.
 */
enum done int_icebp(struct cpu *cpu, const struct uop *u)
{
	struct fault db = { .dr6 = cpu->dr6_pending };
	enum done done;

	cpu->ext = 1;
	done = soft_int(cpu, u, EXC_DB, false);
	cpu->ext = 0;
	if (done == DONE_JUMP) {
		db.vector = EXC_DB;
		tell(cpu, &db);
		cpu->dr6_pending = 0;
	}
	return done;
}
