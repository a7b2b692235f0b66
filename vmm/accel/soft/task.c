/* SPDX-License-Identifier: GPL-2.0-or-later */
/* task.c - task switches by hardware: Intel SDM volume 3, 7.3, with the TSSs of
 * figures 7-2 and 7-10.
 *
 * Faults up to the point where the new task's state is loaded happen in the old
 * task, and change nothing but accessed bits and the saved state; later ones
 * happen in the new task, before its first instruction (fault.in_place).
 */
#include "sys.h"

#define TSS_MAX 0x68u

/* Both formats, by offset. */
struct layout {
	uint8_t size, limit;	/* bytes; the least limit */
	uint8_t cr3, ip, flags, gpr, seg, ldt, trap;
	uint8_t width;		/* of registers, flags and IP: bytes */
	uint8_t step;		/* from one selector to the next */
	uint8_t n_segs;
};

static const struct layout tss32 = {
	.size = 0x68, .limit = 0x67, .cr3 = 0x1c, .ip = 0x20, .flags = 0x24,
	.gpr = 0x28, .seg = 0x48, .ldt = 0x60, .trap = 0x64, .width = 4,
	.step = 4, .n_segs = 6,
};
static const struct layout tss16 = {
	.size = 0x2c, .limit = 0x2b, .ip = 0x0e, .flags = 0x10, .gpr = 0x12,
	.seg = 0x22, .ldt = 0x2a, .width = 2, .step = 2, .n_segs = 4,
};

struct task {
	const struct layout *l;
	uint8_t raw[TSS_MAX];
	uint64_t base;
};

static const struct layout *layout_of(uint32_t attr)
{
	return attr & 8 ? &tss32 : &tss16;
}

static uint32_t get(const struct task *t, unsigned at, unsigned len)
{
	uint32_t v = 0;

	memcpy(&v, t->raw + at, len);
	return v;
}

static void put(struct task *t, unsigned at, unsigned len, uint32_t v)
{
	memcpy(t->raw + at, &v, len);
}

static bool task_read(struct cpu *cpu, struct task *t, uint64_t base,
		      const struct layout *l)
{
	t->l = l;
	t->base = (uint32_t)base;
	return mem_load(cpu, t->base, t->raw, l->size,
			ACCESS_READ | ACCESS_SYSTEM);
}

static bool task_write(struct cpu *cpu, const struct task *t, unsigned from,
		       unsigned len)
{
	return mem_store(cpu, (uint32_t)(t->base + from), t->raw + from, len,
			 ACCESS_WRITE | ACCESS_SYSTEM);
}

/* Registers into the TSS of the task that is left. */
static bool save(struct cpu *cpu, struct task *t, uint64_t rip, uint64_t eflags)
{
	const struct layout *l = t->l;
	unsigned end = l->seg + (unsigned)l->n_segs * l->step;

	put(t, l->ip, l->width, (uint32_t)rip);
	put(t, l->flags, l->width, (uint32_t)eflags);
	for (unsigned i = 0; i < 8; i++)
		put(t, l->gpr + i * l->width, l->width,
		    (uint32_t)cpu->gpr[i]);
	for (unsigned i = 0; i < l->n_segs; i++)
		put(t, l->seg + i * l->step, 2, cpu->seg[i].selector);
	return task_write(cpu, t, l->ip, end - l->ip);
}

/* Registers from the new TSS.  Selectors only: descriptors come later. */
static void load(struct cpu *cpu, const struct task *t)
{
	const struct layout *l = t->l;
	uint32_t keep = l->width == 2 ? 0xffff0000 : 0;

	for (unsigned i = 0; i < 8; i++)
		cpu->gpr[i] = keep | get(t, l->gpr + i * l->width, l->width);
	cpu->rip = get(t, l->ip, l->width);
	for (unsigned i = 0; i < CPU_N_SEG; i++) {
		uint16_t selector = i < l->n_segs ?
			(uint16_t)get(t, l->seg + i * l->step, 2) : 0;

		seg_set_null(&cpu->seg[i], selector, 0);
	}
	eflags_set(cpu, get(t, l->flags, l->width) & 0x3f7fd5);
}

static bool load_ldt(struct cpu *cpu, uint16_t selector)
{
	struct desc d;

	cpu->ldtr = (struct cpu_segment){ .selector = selector,
					  .attr = CPU_SEG_UNUSABLE };
	if (is_null(selector))
		return true;
	if (selector & SEL_TI)
		return raise_sel(cpu, EXC_TS, selector);
	if (!desc_read(cpu, selector, EXC_TS, false, &d))
		return false;
	if (desc_type(&d) != SYS_LDT || !(d.attr & ATTR_P))
		return raise_sel(cpu, EXC_TS, selector);
	desc_segment(&d, &cpu->ldtr);
	return true;
}

/* CS first: its RPL is the new task's privilege. */
static bool load_code(struct cpu *cpu, uint16_t selector)
{
	unsigned rpl = SEL_RPL(selector), dpl;
	struct desc d;

	if (is_null(selector))
		return raise_sel(cpu, EXC_TS, selector);
	if (!desc_read(cpu, selector, EXC_TS, false, &d))
		return false;
	dpl = ATTR_DPL(d.attr);
	if (!desc_is_code(&d) ||
	    (d.attr & ATTR_CONFORMING ? dpl > rpl : dpl != rpl))
		return raise_sel(cpu, EXC_TS, selector);
	if (!(d.attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, selector);
	if (!desc_mark_accessed(cpu, &d))
		return false;
	code_set(cpu, &d, rpl, cpu->rip);
	return true;
}

static bool load_segments(struct cpu *cpu, const struct task *t)
{
	static const uint8_t data[] = { CPU_ES, CPU_DS, CPU_FS, CPU_GS };
	uint16_t cs = cpu->seg[CPU_CS].selector;
	unsigned cpl = SEL_RPL(cs);

	if (!load_ldt(cpu, (uint16_t)get(t, t->l->ldt, 2)))
		return false;
	if (cpu->eflags & EFL_VM) {
		cpu->mode = (cpu->mode & ~MODE_REAL) | MODE_VM86;
		for (unsigned i = 0; i < CPU_N_SEG; i++)
			seg_load_old(cpu, i, cpu->seg[i].selector);
		return true;
	}
	cpu->mode &= ~(MODE_REAL | MODE_VM86);
	/* The privilege is in SS's rights. */
	cpu->seg[CPU_SS].attr = CPU_SEG_UNUSABLE | cpl << 5;
	set_cpl(cpu, cpl);
	if (!load_code(cpu, cs) ||
	    !seg_load(cpu, CPU_SS, cpu->seg[CPU_SS].selector, cpl, EXC_TS))
		return false;
	for (unsigned i = 0; i < sizeof(data); i++)
		if (!seg_load(cpu, data[i], cpu->seg[data[i]].selector, cpl,
			      EXC_TS))
			return false;
	if (cpu->rip > cpu->seg[CPU_CS].limit)
		return raise_ext(cpu, EXC_GP);
	return true;
}

/* Busy bits, the link back, and NT of the two tasks. */
static bool link_tasks(struct cpu *cpu, const struct desc *tss,
		       enum task_how how, struct task *new)
{
	bool nested = how == TASK_CALL || how == TASK_GATE;
	struct desc old;

	if (!nested) {
		if (!desc_read(cpu, cpu->tr.selector, EXC_TS, false, &old) ||
		    !desc_set_busy(cpu, &old, false))
			return false;
	} else {
		put(new, 0, 2, cpu->tr.selector);
		if (!task_write(cpu, new, 0, 2))
			return false;
	}
	return how == TASK_IRET || desc_set_busy(cpu, tss, true);
}

bool task_switch(struct cpu *cpu, const struct desc *tss, enum task_how how,
		 uint64_t rip)
{
	const struct layout *l = layout_of(tss->attr);
	uint64_t eflags = eflags_get(cpu);
	struct task old, new;
	struct cpu_segment tr;
	bool ok;

	if (desc_limit(tss) < l->limit)
		return raise_sel(cpu, EXC_TS, tss->selector);
	desc_segment(tss, &tr);
	if (how == TASK_IRET)
		eflags &= ~(uint64_t)EFL_NT;
	/* All that can fault in the old task comes first. */
	if (!task_read(cpu, &new, tr.base, l) ||
	    !mem_check(cpu, new.base, 2, ACCESS_WRITE | ACCESS_SYSTEM) ||
	    !task_read(cpu, &old, cpu->tr.base, layout_of(cpu->tr.attr)) ||
	    !save(cpu, &old, rip, eflags) ||
	    !link_tasks(cpu, tss, how, &new))
		return false;

	cpu->tr = tr;
	cpu->tr.attr |= SYS_BUSY;
	cpu->cr0 |= CPU_CR0_TS;
	if (l->cr3 && cpu->cr0 & CPU_CR0_PG)
		mmu_load_cr3(cpu, get(&new, l->cr3, 4));
	load(cpu, &new);
	if (how == TASK_CALL || how == TASK_GATE)
		cpu->eflags |= EFL_NT;
	cpu->dr[7] &= ~0x155ull;	/* local breakpoints */
	ok = load_segments(cpu, &new);
	cpu_mode_changed(cpu);
	if (!ok)
		cpu->fault.in_place = true;
	else if (l->trap && get(&new, l->trap, 2) & 1) {
		cpu_raise(cpu, EXC_DB);
		cpu->fault.dr6 = 0x8000;
		cpu->fault.in_place = true;
		ok = false;
	}
	return ok;
}
