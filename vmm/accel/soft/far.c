/* SPDX-License-Identifier: GPL-2.0-or-later */
/* far.c - far jumps, calls and returns, through call gates too: Intel SDM volume 2
 * (JMP, CALL, RET), volume 3, 5.8.
 */
#include "sys.h"

struct far {
	uint16_t selector;
	uint64_t offset;
};

static bool far_get(struct cpu *cpu, const struct uop *u, struct far *f)
{
	unsigned len = 1u << u->osize;
	uint8_t raw[10];

	*f = (struct far){ (uint16_t)u->disp, (uint32_t)u->imm };
	if (u->mem) {
		f->offset = 0;
		if (!op_load_parts(cpu, u, raw, len + 2, len))
			return false;
		memcpy(&f->offset, raw, len);
		memcpy(&f->selector, raw + len, 2);
	}
	if (u->osize == 1)
		f->offset &= 0xffff;
	return true;
}

bool code_check_target(struct cpu *cpu, const struct cpu_segment *cs,
		       uint64_t rip)
{
	bool ok = is_long(cpu) && cs->attr & ATTR_L ? canonical(rip) :
						      rip <= cs->limit;

	return ok || raise_ext(cpu, EXC_GP);
}

void code_set(struct cpu *cpu, struct desc *d, unsigned cpl, uint64_t rip)
{
	desc_segment(d, &cpu->seg[CPU_CS]);
	cpu->seg[CPU_CS].selector = (uint16_t)((d->selector & ~3u) | cpl);
	cpu->rip = rip;
}

/* Real and virtual-8086 mode. */
static enum done far_old(struct cpu *cpu, const struct uop *u,
			 const struct far *f, bool call)
{
	struct stack st;

	if (f->offset > cpu->seg[CPU_CS].limit)
		return raise_gp(cpu, 0);
	if (call) {
		stack_now(cpu, &st, false);
		if (!stack_push(&st, u->osize, cpu->seg[CPU_CS].selector) ||
		    !stack_push(&st, u->osize, rip_next(cpu, u)) ||
		    !stack_commit(&st))
			return DONE_FAULT;
		stack_set_sp(cpu, &st);
	}
	seg_load_old(cpu, CPU_CS, f->selector);
	cpu->rip = f->offset;
	cpu_mode_changed(cpu);
	return DONE_JUMP;
}

/* May control go to the code segment by itself? */
static bool check_direct(struct cpu *cpu, const struct desc *d)
{
	unsigned cpl = cpu_cpl(cpu), dpl = ATTR_DPL(d->attr);

	if (d->attr & ATTR_CONFORMING ? dpl > cpl :
	    dpl != cpl || SEL_RPL(d->selector) > cpl)
		return raise_sel(cpu, EXC_GP, d->selector);
	if (is_long(cpu) && d->attr & ATTR_L && d->attr & ATTR_DB)
		return raise_sel(cpu, EXC_GP, d->selector);
	return d->attr & ATTR_P || raise_sel(cpu, EXC_NP, d->selector);
}

/* To a code segment of the same privilege; `osize` is that of the return. */
static enum done go_same(struct cpu *cpu, const struct uop *u, struct desc *d,
			 uint64_t offset, bool call, unsigned osize)
{
	struct cpu_segment cs;
	struct stack st;

	desc_segment(d, &cs);
	if (!code_check_target(cpu, &cs, offset))
		return DONE_FAULT;
	if (call) {
		stack_now(cpu, &st, cpu_code(cpu) == CODE_64);
		if (!stack_push(&st, osize, cpu->seg[CPU_CS].selector) ||
		    !stack_push(&st, osize, rip_next(cpu, u)) ||
		    !desc_mark_accessed(cpu, d) || !stack_commit(&st))
			return DONE_FAULT;
		stack_set_sp(cpu, &st);
	} else if (!desc_mark_accessed(cpu, d)) {
		return DONE_FAULT;
	}
	code_set(cpu, d, cpu_cpl(cpu), offset);
	cpu_mode_changed(cpu);
	return DONE_JUMP;
}

struct gate {
	unsigned osize;		/* log2 of bytes of what is pushed */
	unsigned params;
	uint16_t selector;
	uint64_t offset;
};

static void gate_parse(const struct cpu *cpu, const struct desc *d,
		       struct gate *g)
{
	bool wide = desc_type(d) == SYS_CALL32;

	g->osize = is_long(cpu) ? 3 : wide ? 2 : 1;
	g->params = is_long(cpu) ? 0 : d->high & 31;
	g->selector = (uint16_t)(d->low >> 16);
	g->offset = d->low & 0xffff;
	if (wide)
		g->offset |= d->high & 0xffff0000;
	if (is_long(cpu))
		g->offset |= (uint64_t)d->high_base << 32;
}

/* The gate's own rights, and the code segment that it leads to. */
static bool gate_target(struct cpu *cpu, const struct desc *gd,
			const struct gate *g, struct desc *d)
{
	unsigned cpl = cpu_cpl(cpu), dpl = ATTR_DPL(gd->attr);

	if (dpl < cpl || dpl < SEL_RPL(gd->selector))
		return raise_sel(cpu, EXC_GP, gd->selector);
	if (!(gd->attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, gd->selector);
	if (is_null(g->selector))
		return raise_ext(cpu, EXC_GP);
	if (!desc_read(cpu, g->selector, EXC_GP, false, d))
		return false;
	if (!desc_is_code(d) || ATTR_DPL(d->attr) > cpl)
		return raise_sel(cpu, EXC_GP, g->selector);
	if (is_long(cpu) && (d->attr & (ATTR_L | ATTR_DB)) != ATTR_L)
		return raise_sel(cpu, EXC_GP, g->selector);
	return d->attr & ATTR_P || raise_sel(cpu, EXC_NP, g->selector);
}

/* The parameters lie above the old stack's pointer. */
static bool copy_params(struct cpu *cpu, struct stack *to,
			const struct gate *g)
{
	uint64_t v[32];
	struct stack from;

	stack_now(cpu, &from, false);
	for (unsigned i = 0; i < g->params; i++)
		if (!stack_pop(&from, g->osize, &v[i]))
			return false;
	for (unsigned i = g->params; i-- > 0;)
		if (!stack_push(to, g->osize, v[i]))
			return false;
	return true;
}

/* Through a call gate to an inner ring, on a stack of its own. */
static enum done call_inner(struct cpu *cpu, const struct uop *u,
			    struct desc *d, const struct gate *g)
{
	unsigned dpl = ATTR_DPL(d->attr);
	struct cpu_segment ss, cs;
	struct stack st;
	uint16_t selector;
	uint64_t sp;

	if (is_long(cpu)) {
		if (!tss_rsp(cpu, dpl, 0, &sp))
			return DONE_FAULT;
		seg_set_null(&ss, (uint16_t)dpl, dpl);
	} else if (!tss_stack(cpu, dpl, &selector, &sp) ||
		   !seg_check_stack(cpu, selector, dpl, EXC_TS, &ss)) {
		return DONE_FAULT;
	}
	stack_other(cpu, &st, &ss, sp, is_long(cpu), dpl);
	desc_segment(d, &cs);
	if (!stack_push(&st, g->osize, cpu->seg[CPU_SS].selector) ||
	    !stack_push(&st, g->osize, cpu->gpr[CPU_RSP]) ||
	    !copy_params(cpu, &st, g) ||
	    !stack_push(&st, g->osize, cpu->seg[CPU_CS].selector) ||
	    !stack_push(&st, g->osize, rip_next(cpu, u)) ||
	    !code_check_target(cpu, &cs, g->offset) ||
	    !desc_mark_accessed(cpu, d) || !stack_commit(&st))
		return DONE_FAULT;
	cpu->seg[CPU_SS] = ss;
	stack_set_sp(cpu, &st);
	code_set(cpu, d, dpl, g->offset);
	cpu_mode_changed(cpu);
	return DONE_JUMP;
}

static enum done through_gate(struct cpu *cpu, const struct uop *u,
			      const struct desc *gd, bool call)
{
	struct gate g;
	struct desc d;
	bool inner;

	gate_parse(cpu, gd, &g);
	if (!gate_target(cpu, gd, &g, &d))
		return DONE_FAULT;
	inner = !(d.attr & ATTR_CONFORMING) && ATTR_DPL(d.attr) < cpu_cpl(cpu);
	if (inner && !call)
		return raise_sel(cpu, EXC_GP, g.selector), DONE_FAULT;
	return inner ? call_inner(cpu, u, &d, &g) :
		       go_same(cpu, u, &d, g.offset, call, g.osize);
}

/* To a TSS, or through a task gate to one. */
static enum done to_task(struct cpu *cpu, const struct uop *u, struct desc *d,
			 bool call)
{
	unsigned cpl = cpu_cpl(cpu), dpl = ATTR_DPL(d->attr);
	uint16_t selector;

	if (dpl < cpl || dpl < SEL_RPL(d->selector))
		return raise_sel(cpu, EXC_GP, d->selector), DONE_FAULT;
	if (!(d->attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, d->selector), DONE_FAULT;
	if (desc_type(d) == SYS_TASK) {
		selector = (uint16_t)(d->low >> 16);
		if (selector & SEL_TI)
			return raise_sel(cpu, EXC_GP, selector), DONE_FAULT;
		if (!desc_read(cpu, selector, EXC_GP, false, d))
			return DONE_FAULT;
		if (desc_type(d) != SYS_TSS16 && desc_type(d) != SYS_TSS32)
			return raise_sel(cpu, EXC_GP, selector), DONE_FAULT;
		if (!(d->attr & ATTR_P))
			return raise_sel(cpu, EXC_NP, selector), DONE_FAULT;
	}
	return task_switch(cpu, d, call ? TASK_CALL : TASK_JMP,
			   rip_next(cpu, u)) ? DONE_JUMP : DONE_FAULT;
}

static enum done far_to(struct cpu *cpu, const struct uop *u, bool call)
{
	struct far f;
	struct desc d;

	if (!far_get(cpu, u, &f))
		return DONE_FAULT;
	if (is_old(cpu))
		return far_old(cpu, u, &f, call);
	if (is_null(f.selector))
		return raise_gp(cpu, 0);
	if (!desc_read(cpu, f.selector, EXC_GP, true, &d))
		return DONE_FAULT;
	if (desc_is_code(&d))
		return check_direct(cpu, &d) ?
			go_same(cpu, u, &d, f.offset, call, u->osize) :
			DONE_FAULT;
	switch (desc_type(&d)) {
	case SYS_CALL32:
		return through_gate(cpu, u, &d, call);
	case SYS_CALL16:
		if (!is_long(cpu))
			return through_gate(cpu, u, &d, call);
		break;
	case SYS_TASK: case SYS_TSS16: case SYS_TSS32:
		if (!is_long(cpu))
			return to_task(cpu, u, &d, call);
		break;
	default:
		break;
	}
	return raise_sel(cpu, EXC_GP, f.selector), DONE_FAULT;
}

static enum done op_jmp_far(struct cpu *cpu, const struct uop *u)
{
	return far_to(cpu, u, false);
}

static enum done op_call_far(struct cpu *cpu, const struct uop *u)
{
	return far_to(cpu, u, true);
}

static enum done ret_old(struct cpu *cpu, const struct uop *u)
{
	uint64_t rip, cs;
	struct stack st;

	stack_now(cpu, &st, false);
	if (!stack_pop(&st, u->osize, &rip) || !stack_pop(&st, u->osize, &cs))
		return DONE_FAULT;
	if (rip > cpu->seg[CPU_CS].limit)
		return raise_gp(cpu, 0);
	stack_add(&st, (uint16_t)u->imm);
	stack_set_sp(cpu, &st);
	seg_load_old(cpu, CPU_CS, (uint16_t)cs);
	cpu->rip = rip;
	cpu_mode_changed(cpu);
	return DONE_JUMP;
}

bool ret_check_code(struct cpu *cpu, uint16_t selector, struct desc *d)
{
	unsigned rpl = SEL_RPL(selector), dpl;

	if (is_null(selector))
		return raise_ext(cpu, EXC_GP);
	if (!desc_read(cpu, selector, EXC_GP, false, d))
		return false;
	dpl = ATTR_DPL(d->attr);
	if (!desc_is_code(d) || rpl < cpu_cpl(cpu) ||
	    (d->attr & ATTR_CONFORMING ? dpl > rpl : dpl != rpl) ||
	    (is_long(cpu) && d->attr & ATTR_L && d->attr & ATTR_DB))
		return raise_sel(cpu, EXC_GP, selector);
	return d->attr & ATTR_P || raise_sel(cpu, EXC_NP, selector);
}

bool ret_stack(struct cpu *cpu, uint16_t selector, const struct desc *cs,
	       unsigned cpl, struct cpu_segment *ss)
{
	if (is_null(selector)) {
		if (!is_long(cpu) || !(cs->attr & ATTR_L) || cpl == 3 ||
		    SEL_RPL(selector) != cpl)
			return raise_ext(cpu, EXC_GP);
		seg_set_null(ss, selector, cpl);
		return true;
	}
	return seg_check_stack(cpu, selector, cpl, EXC_GP, ss);
}

static enum done op_ret_far(struct cpu *cpu, const struct uop *u)
{
	uint64_t rip, selector, sp = 0, ss_sel;
	struct cpu_segment cs, ss;
	struct stack st, new;
	struct desc d;
	unsigned rpl;

	if (is_old(cpu))
		return ret_old(cpu, u);
	stack_now(cpu, &st, cpu_code(cpu) == CODE_64);
	if (!stack_pop(&st, u->osize, &rip) ||
	    !stack_pop(&st, u->osize, &selector) ||
	    !ret_check_code(cpu, (uint16_t)selector, &d))
		return DONE_FAULT;
	stack_add(&st, (uint16_t)u->imm);
	rpl = SEL_RPL((unsigned)selector);
	if (rpl != cpu_cpl(cpu) &&
	    (!stack_pop(&st, u->osize, &sp) ||
	     !stack_pop(&st, u->osize, &ss_sel) ||
	     !ret_stack(cpu, (uint16_t)ss_sel, &d, rpl, &ss)))
		return DONE_FAULT;
	desc_segment(&d, &cs);
	if (!code_check_target(cpu, &cs, rip) || !desc_mark_accessed(cpu, &d))
		return DONE_FAULT;
	if (rpl == cpu_cpl(cpu)) {
		stack_set_sp(cpu, &st);
		code_set(cpu, &d, rpl, rip);
		cpu_mode_changed(cpu);
		return DONE_JUMP;
	}
	cpu->seg[CPU_SS] = ss;
	stack_other(cpu, &new, &ss, sp, is_long(cpu) && d.attr & ATTR_L, rpl);
	if (new.mask == 0xffff)
		new.sp = (cpu->gpr[CPU_RSP] & ~0xffffull) | (sp & 0xffff);
	stack_add(&new, (uint16_t)u->imm);
	stack_set_sp(cpu, &new);
	code_set(cpu, &d, rpl, rip);
	cpu_mode_changed(cpu);
	seg_drop_inner(cpu);
	cpu_mode_changed(cpu);
	return DONE_JUMP;
}

op_fn *far_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_JMP_FAR: return op_jmp_far;
	case OP_CALL_FAR: return op_call_far;
	case OP_RET_FAR: return op_ret_far;
	default: return NULL;
	}
}
