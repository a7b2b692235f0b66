/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.c - IN, OUT, INS and OUTS: Intel SDM volume 2; volume 1, chapter 19. */
#include "block.h"
#include "sys.h"

#include "vmm/vm.h"

/* Elements of a repeated one until interrupts are let in. */
#define AT_ONCE 256u

static uint64_t port_in(struct cpu *cpu, const struct uop *u, uint16_t port,
			unsigned len)
{
	struct vm *vm = cpu->soft->vm;
	uint64_t v;

	cpu->bus_used = true;
	if (!vm)
		return UINT64_MAX;
	cpu_sync(cpu, u);
	cpu_time(cpu);
	if (cpu->vcpu)
		vcpu_count(cpu->vcpu, VM_EXIT_PIO);
	v = bus_read(vm, BUS_PIO, port, len);
	cpu_bus_done(cpu);
	return v;
}

static void port_out(struct cpu *cpu, const struct uop *u, uint16_t port,
		     unsigned len, uint64_t v)
{
	struct vm *vm = cpu->soft->vm;

	cpu->bus_used = true;
	if (!vm)
		return;
	cpu_sync(cpu, u);
	cpu_time(cpu);
	if (cpu->vcpu)
		vcpu_count(cpu->vcpu, VM_EXIT_PIO);
	bus_write(vm, BUS_PIO, port, len, v);
	cpu_bus_done(cpu);
}

/* The port of IN and OUT: an immediate, or DX. */
static uint16_t port_of(const struct cpu *cpu, unsigned place,
			const struct uop *u)
{
	return place == SRC_IMM ? (uint8_t)u->imm :
				  (uint16_t)cpu->gpr[CPU_RDX];
}

static bool may_use(struct cpu *cpu, uint16_t port, unsigned len)
{
	if (!io_allowed(cpu, port, len))
		return false;
	if (cpu->mode & MODE_STEP)
		debug_port(cpu, port, len);
	return true;
}

static enum done op_in(struct cpu *cpu, const struct uop *u)
{
	uint16_t port = port_of(cpu, u->src, u);
	unsigned len = 1u << u->osize;

	if (!may_use(cpu, port, len))
		return DONE_FAULT;
	reg_set(cpu, REG_OFF(CPU_RAX), u->osize, port_in(cpu, u, port, len));
	return DONE;
}

static enum done op_out(struct cpu *cpu, const struct uop *u)
{
	uint16_t port = port_of(cpu, u->dst, u);
	unsigned len = 1u << u->osize;

	if (!may_use(cpu, port, len))
		return DONE_FAULT;
	port_out(cpu, u, port, len,
		 reg_get(cpu, REG_OFF(CPU_RAX), u->osize));
	return DONE;
}

/* One element is done: move on.  False: it was the last one. */
static bool step(struct cpu *cpu, const struct uop *u, unsigned reg)
{
	uint64_t len = 1u << u->osize, n;

	n = reg_get(cpu, REG_OFF(reg), u->asize);
	reg_set(cpu, REG_OFF(reg), u->asize,
		cpu->eflags & EFL_DF ? n - len : n + len);
	if (!u->rep)
		return false;
	n = reg_get(cpu, REG_OFF(CPU_RCX), u->asize) - 1;
	reg_set(cpu, REG_OFF(CPU_RCX), u->asize, n);
	return reg_get(cpu, REG_OFF(CPU_RCX), u->asize);
}

/* The right to the port is asked for even so. */
static bool is_over(struct cpu *cpu, const struct uop *u)
{
	return u->rep && !reg_get(cpu, REG_OFF(CPU_RCX), u->asize);
}

/* May a repeated one go on with its next element at once? */
static bool at_once(struct cpu *cpu, unsigned i)
{
	return i + 1 < AT_ONCE && !(cpu->mode & MODE_STEP) &&
	       !atomic_load_explicit(&cpu->events, memory_order_relaxed) &&
	       !cpu->block->stale;
}

static enum done op_ins(struct cpu *cpu, const struct uop *u)
{
	uint16_t port = (uint16_t)cpu->gpr[CPU_RDX];
	unsigned len = 1u << u->osize;

	if (is_over(cpu, u))
		return io_allowed(cpu, port, len) ? DONE : DONE_FAULT;
	for (unsigned i = 0;; i++) {
		uint64_t lin, v;

		/* The port is read only if its value can be put away. */
		if (!may_use(cpu, port, len) ||
		    !seg_lin(cpu, CPU_ES,
			     reg_get(cpu, REG_OFF(CPU_RDI), u->asize), len,
			     ACCESS_WRITE, &lin) ||
		    !mem_check(cpu, lin, len, ACCESS_WRITE))
			return DONE_FAULT;
		v = port_in(cpu, u, port, len);
		if (!mem_store(cpu, lin, &v, len, ACCESS_WRITE))
			return DONE_FAULT;
		if (!step(cpu, u, CPU_RDI))
			return DONE;
		if (!at_once(cpu, i))
			return DONE_AGAIN;
	}
}

static enum done op_outs(struct cpu *cpu, const struct uop *u)
{
	uint16_t port = (uint16_t)cpu->gpr[CPU_RDX];
	unsigned len = 1u << u->osize;

	if (is_over(cpu, u))
		return io_allowed(cpu, port, len) ? DONE : DONE_FAULT;
	for (unsigned i = 0;; i++) {
		uint64_t lin, v = 0;

		if (!may_use(cpu, port, len) ||
		    !seg_lin(cpu, u->seg,
			     reg_get(cpu, REG_OFF(CPU_RSI), u->asize), len,
			     ACCESS_READ, &lin) ||
		    !mem_load(cpu, lin, &v, len, ACCESS_READ))
			return DONE_FAULT;
		port_out(cpu, u, port, len, v);
		if (!step(cpu, u, CPU_RSI))
			return DONE;
		if (!at_once(cpu, i))
			return DONE_AGAIN;
	}
}

op_fn *io_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_IN: return op_in;
	case OP_OUT: return op_out;
	case OP_INS: return op_ins;
	case OP_OUTS: return op_outs;
	default: return NULL;
	}
}
