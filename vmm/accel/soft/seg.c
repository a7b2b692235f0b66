/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seg.c - instructions that load, store and ask about segment registers and
 * selectors: Intel SDM volume 2.
 */
#include "access.h"
#include "sys.h"

/* The 16-bit operand `reg` or memory. */
static bool word_get(struct cpu *cpu, const struct uop *u, unsigned reg,
		     uint16_t *v)
{
	if (u->mem)
		return op_load16(cpu, u, v);
	*v = REG16(cpu, reg);
	return true;
}

/* Behind these the next instruction runs before any interrupt or #DB. */
static enum done seg_loaded(struct cpu *cpu, unsigned seg)
{
	if (seg == CPU_SS)
		cpu->block_irq = cpu->block_db = true;
	cpu_mode_changed(cpu);
	return DONE_LEAVE;
}

static enum done op_mov_to_seg(struct cpu *cpu, const struct uop *u)
{
	uint16_t selector;

	if (!word_get(cpu, u, u->src, &selector) ||
	    !seg_load(cpu, u->dst, selector, cpu_cpl(cpu), EXC_GP))
		return DONE_FAULT;
	return seg_loaded(cpu, u->dst);
}

/* Memory gets 16 bits whatever the operand size. */
static enum done op_mov_from_seg(struct cpu *cpu, const struct uop *u)
{
	uint16_t selector = cpu->seg[u->src].selector;

	if (u->mem)
		return op_store16(cpu, u, selector) ? DONE : DONE_FAULT;
	reg_set(cpu, u->dst, u->osize, selector);
	return DONE;
}

/* Recent CPUs write 16 bits only, where the operand size is 32. */
static enum done op_push_seg(struct cpu *cpu, const struct uop *u)
{
	uint16_t selector = cpu->seg[u->dst].selector;
	struct stack st;
	uint64_t old;

	if (u->osize != 2)
		return push(cpu, u->osize, selector) ? DONE : DONE_FAULT;
	stack_now(cpu, &st, cpu_code(cpu) == CODE_64);
	stack_add(&st, (uint64_t)-2);
	old = st.sp;
	if (!stack_push(&st, 1, selector) || !stack_commit(&st))
		return DONE_FAULT;
	st.sp = old;
	stack_add(&st, (uint64_t)-2);
	stack_set_sp(cpu, &st);
	return DONE;
}

static enum done op_pop_seg(struct cpu *cpu, const struct uop *u)
{
	uint64_t rsp = cpu->gpr[CPU_RSP], v;

	if (!pop(cpu, u->osize, &v))
		return DONE_FAULT;
	if (!seg_load(cpu, u->dst, (uint16_t)v, cpu_cpl(cpu), EXC_GP)) {
		cpu->gpr[CPU_RSP] = rsp;
		return DONE_FAULT;
	}
	return seg_loaded(cpu, u->dst);
}

static enum done load_far(struct cpu *cpu, const struct uop *u, unsigned seg)
{
	unsigned len = 1u << u->osize;
	uint8_t raw[10];
	uint64_t offset = 0;
	uint16_t selector;

	if (!op_load_parts(cpu, u, raw, len + 2, len))
		return DONE_FAULT;
	memcpy(&offset, raw, len);
	memcpy(&selector, raw + len, 2);
	if (!seg_load(cpu, seg, selector, cpu_cpl(cpu), EXC_GP))
		return DONE_FAULT;
	reg_set(cpu, u->dst, u->osize, offset);
	cpu_mode_changed(cpu);
	return DONE_LEAVE;
}

static enum done op_les(struct cpu *cpu, const struct uop *u)
{
	return load_far(cpu, u, CPU_ES);
}

static enum done op_lds(struct cpu *cpu, const struct uop *u)
{
	return load_far(cpu, u, CPU_DS);
}

static enum done op_lss(struct cpu *cpu, const struct uop *u)
{
	return load_far(cpu, u, CPU_SS);
}

static enum done op_lfs(struct cpu *cpu, const struct uop *u)
{
	return load_far(cpu, u, CPU_FS);
}

static enum done op_lgs(struct cpu *cpu, const struct uop *u)
{
	return load_far(cpu, u, CPU_GS);
}

/* Questions about selectors: the answer is ZF. */

static enum done answer(struct cpu *cpu, bool yes)
{
	flags_set(cpu, (flags_get(cpu) & ~(uint64_t)EFL_ZF) |
		       (yes ? EFL_ZF : 0u));
	return DONE;
}

static enum done op_arpl(struct cpu *cpu, const struct uop *u)
{
	uint16_t want = SEL_RPL(REG16(cpu, u->src)), v;

	if (!word_get(cpu, u, u->dst, &v))
		return DONE_FAULT;
	if (SEL_RPL(v) >= want)
		return answer(cpu, false);
	v = (uint16_t)((v & ~3u) | want);
	if (!u->mem)
		REG16(cpu, u->dst) = v;
	else if (!op_store16(cpu, u, v))
		return DONE_FAULT;
	return answer(cpu, true);
}

/* Could it be loaded, as far as privileges go? */
static bool is_visible(const struct cpu *cpu, const struct desc *d)
{
	unsigned rpl = SEL_RPL(d->selector), cpl = cpu_cpl(cpu);

	if (desc_is_code(d) && d->attr & ATTR_CONFORMING)
		return true;
	return ATTR_DPL(d->attr) >= (rpl > cpl ? rpl : cpl);
}

#define BIT(n) (1u << (n))

/* Types of system descriptors that LAR and LSL know; bits by type. */
#define LSL_LONG	(BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY))
#define LSL_LEGACY	(LSL_LONG | BIT(SYS_TSS16) | BIT(SYS_TSS16_BUSY))
#define LAR_LONG	(LSL_LONG | BIT(SYS_CALL32))
#define LAR_LEGACY	(LSL_LEGACY | BIT(SYS_CALL32) | BIT(SYS_CALL16) | \
			 BIT(SYS_TASK))

/* False: no answer, ZF is 0; or *faulted. */
static bool ask(struct cpu *cpu, const struct uop *u, uint32_t types,
		struct desc *d, bool *faulted)
{
	uint16_t selector;

	*faulted = !word_get(cpu, u, u->src, &selector);
	if (*faulted || !desc_probe(cpu, selector, d, faulted))
		return false;
	if (!(d->attr & ATTR_S) && !(types >> desc_type(d) & 1))
		return false;
	return is_visible(cpu, d);
}

static enum done op_lar(struct cpu *cpu, const struct uop *u)
{
	bool faulted;
	struct desc d;

	if (!ask(cpu, u, is_long(cpu) ? LAR_LONG : LAR_LEGACY, &d, &faulted))
		return faulted ? DONE_FAULT : answer(cpu, false);
	reg_set(cpu, u->dst, u->osize, d.high & 0x00f0ff00);
	return answer(cpu, true);
}

static enum done op_lsl(struct cpu *cpu, const struct uop *u)
{
	bool faulted;
	struct desc d;

	if (!ask(cpu, u, is_long(cpu) ? LSL_LONG : LSL_LEGACY, &d, &faulted))
		return faulted ? DONE_FAULT : answer(cpu, false);
	reg_set(cpu, u->dst, u->osize, desc_limit(&d));
	return answer(cpu, true);
}

static enum done verify(struct cpu *cpu, const struct uop *u, bool write)
{
	uint16_t selector;
	bool faulted, yes;
	struct desc d;

	if (!word_get(cpu, u, u->dst, &selector))
		return DONE_FAULT;
	yes = desc_probe(cpu, selector, &d, &faulted) && d.attr & ATTR_S &&
	      is_visible(cpu, &d);
	if (faulted)
		return DONE_FAULT;
	if (write)
		yes = yes && desc_is_writable(&d);
	else
		yes = yes && (!desc_is_code(&d) || d.attr & ATTR_RW);
	return answer(cpu, yes);
}

static enum done op_verr(struct cpu *cpu, const struct uop *u)
{
	return verify(cpu, u, false);
}

static enum done op_verw(struct cpu *cpu, const struct uop *u)
{
	return verify(cpu, u, true);
}

op_fn *seg_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_MOV_TO_SEG: return op_mov_to_seg;
	case OP_MOV_FROM_SEG: return op_mov_from_seg;
	case OP_PUSH_SEG: return op_push_seg;
	case OP_POP_SEG: return op_pop_seg;
	case OP_LES: return op_les;
	case OP_LDS: return op_lds;
	case OP_LSS: return op_lss;
	case OP_LFS: return op_lfs;
	case OP_LGS: return op_lgs;
	case OP_ARPL: return op_arpl;
	case OP_CALL_FAR: case OP_JMP_FAR: case OP_RET_FAR:
		return far_pick(insn);
	case OP_IRET: return op_iret;
	case OP_IN: case OP_OUT: case OP_INS: case OP_OUTS:
		return io_pick(insn);
	default: return flagop_pick(insn);
	}
}

op_fn *sys_pick(const struct insn *insn)
{
	op_fn *fn;

	switch (insn->op) {
	case OP_LAR: return op_lar;
	case OP_LSL: return op_lsl;
	case OP_VERR: return op_verr;
	case OP_VERW: return op_verw;
	default: break;
	}
	fn = table_pick(insn);
	if (!fn)
		fn = msr_pick(insn);
	if (!fn)
		fn = call_pick(insn);
	if (!fn)
		fn = cr_pick(insn);
	return fn ? fn : flagop_pick(insn);
}
