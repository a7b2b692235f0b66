/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys.c - descriptor table registers, control and debug registers, and what
 * invalidates caches: Intel SDM volume 2; volume 3, 2.4, 2.5, 4.10.4, 17.2.
 */
#include "access.h"
#include "sys.h"
#include "sys_cr.h"

/* UMIP keeps these from programs, if CPUID shows it. */
static bool may_tell(struct cpu *cpu)
{
	if (!(cpu->cr4 & CR4_UMIP) || !cpu_cpl(cpu))
		return true;
	raise_gp(cpu, 0);
	return false;
}

/* Table registers in memory: a limit and a base of 4 or 8 bytes. */

static unsigned table_len(const struct cpu *cpu)
{
	return cpu_code(cpu) == CODE_64 ? 10 : 6;
}

static enum done store_table(struct cpu *cpu, const struct uop *u,
			     uint64_t base, uint16_t limit)
{
	uint8_t raw[10];

	if (!may_tell(cpu))
		return DONE_FAULT;
	memcpy(raw, &limit, 2);
	memcpy(raw + 2, &base, 8);
	return op_store(cpu, u, raw, table_len(cpu)) ? DONE : DONE_FAULT;
}

static enum done op_sgdt(struct cpu *cpu, const struct uop *u)
{
	return store_table(cpu, u, cpu->gdtr.base, cpu->gdtr.limit);
}

static enum done op_sidt(struct cpu *cpu, const struct uop *u)
{
	return store_table(cpu, u, cpu->idtr.base, cpu->idtr.limit);
}

static bool load_table(struct cpu *cpu, const struct uop *u, uint64_t *base,
		       uint16_t *limit)
{
	uint8_t raw[10] = { 0 };

	if (!need_cpl0(cpu) || !op_load(cpu, u, raw, table_len(cpu)))
		return false;
	memcpy(base, raw + 2, 8);
	if (u->osize == 1)
		*base &= 0xffffff;
	if (!canonical(*base)) {
		raise_gp(cpu, 0);
		return false;
	}
	memcpy(limit, raw, 2);
	return true;
}

static enum done op_lgdt(struct cpu *cpu, const struct uop *u)
{
	uint64_t base;
	uint16_t limit;

	if (!load_table(cpu, u, &base, &limit))
		return DONE_FAULT;
	cpu->gdtr.base = base;
	cpu->gdtr.limit = limit;
	return DONE;
}

static enum done op_lidt(struct cpu *cpu, const struct uop *u)
{
	uint64_t base;
	uint16_t limit;

	if (!load_table(cpu, u, &base, &limit))
		return DONE_FAULT;
	cpu->idtr.base = base;
	cpu->idtr.limit = limit;
	return DONE;
}

/* SLDT, STR, SMSW: a register gets the operand size, memory 16 bits. */
static enum done store_word(struct cpu *cpu, const struct uop *u, uint64_t v)
{
	if (!may_tell(cpu))
		return DONE_FAULT;
	if (u->mem)
		return op_store16(cpu, u, (uint16_t)v) ? DONE : DONE_FAULT;
	reg_set(cpu, u->dst, u->osize, v);
	return DONE;
}

static enum done op_sldt(struct cpu *cpu, const struct uop *u)
{
	return store_word(cpu, u, cpu->ldtr.selector);
}

static enum done op_str(struct cpu *cpu, const struct uop *u)
{
	return store_word(cpu, u, cpu->tr.selector);
}

static enum done op_smsw(struct cpu *cpu, const struct uop *u)
{
	return store_word(cpu, u, cpu->cr0);
}

static bool load_word(struct cpu *cpu, const struct uop *u, uint16_t *v)
{
	if (!need_cpl0(cpu))
		return false;
	if (u->mem)
		return op_load16(cpu, u, v);
	*v = REG16(cpu, u->dst);
	return true;
}

/* A system segment for LDTR or TR. */
static bool load_system(struct cpu *cpu, uint16_t selector, uint32_t types,
			struct desc *d)
{
	struct cpu_segment s;

	if (selector & SEL_TI)
		return raise_sel(cpu, EXC_GP, selector);
	if (!desc_read(cpu, selector, EXC_GP, true, d))
		return false;
	desc_segment(d, &s);
	if (d->attr & ATTR_S || !(types >> desc_type(d) & 1) ||
	    !canonical(s.base))
		return raise_sel(cpu, EXC_GP, selector);
	return d->attr & ATTR_P || raise_sel(cpu, EXC_NP, selector);
}

static enum done op_lldt(struct cpu *cpu, const struct uop *u)
{
	uint16_t selector;
	struct desc d;

	if (!load_word(cpu, u, &selector))
		return DONE_FAULT;
	if (is_null(selector)) {
		cpu->ldtr = (struct cpu_segment){ .selector = selector,
						  .attr = CPU_SEG_UNUSABLE };
		return DONE;
	}
	if (!load_system(cpu, selector, 1u << SYS_LDT, &d))
		return DONE_FAULT;
	desc_segment(&d, &cpu->ldtr);
	return DONE;
}

static enum done op_ltr(struct cpu *cpu, const struct uop *u)
{
	uint32_t types = 1u << SYS_TSS32 |
		(is_long(cpu) ? 0u : 1u << SYS_TSS16);
	uint16_t selector;
	struct desc d;

	if (!load_word(cpu, u, &selector))
		return DONE_FAULT;
	if (is_null(selector))
		return raise_gp(cpu, 0);
	if (!load_system(cpu, selector, types, &d) ||
	    !desc_set_busy(cpu, &d, true))
		return DONE_FAULT;
	desc_segment(&d, &cpu->tr);
	cpu->tr.attr |= SYS_BUSY;
	return DONE;
}

/* Machine status word: the low four bits of CR0; PE cannot be cleared. */
static enum done op_lmsw(struct cpu *cpu, const struct uop *u)
{
	uint16_t v;

	if (!load_word(cpu, u, &v))
		return DONE_FAULT;
	return cr0_write(cpu, (cpu->cr0 & ~0xeull) | (v & 0xf)) ? DONE_LEAVE :
								 DONE_FAULT;
}

static enum done op_clts(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	if (!need_cpl0(cpu))
		return DONE_FAULT;
	cpu->cr0 &= ~(uint64_t)CPU_CR0_TS;
	cpu_mode_changed(cpu);
	return DONE_LEAVE;
}

static enum done op_mov_from_cr(struct cpu *cpu, const struct uop *u)
{
	uint64_t v;

	if (!need_cpl0(cpu))
		return DONE_FAULT;
	switch (u->src) {
	case 0: v = cpu->cr0; break;
	case 2: v = cpu->cr2; break;
	case 3: v = cpu->cr3; break;
	case 4: v = cpu->cr4; break;
	default: v = cr8_read(cpu); break;
	}
	reg_set(cpu, u->dst, u->osize, v);
	return DONE;
}

static enum done op_mov_to_cr(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = reg_get(cpu, u->src, u->osize);
	bool ok = true;

	if (!need_cpl0(cpu))
		return DONE_FAULT;
	switch (u->dst) {
	case 0: ok = cr0_write(cpu, v); break;
	case 2: cpu->cr2 = v; break;
	case 3: ok = cr3_write(cpu, v); break;
	case 4: ok = cr4_write(cpu, v); break;
	default: ok = cr8_write(cpu, v); break;
	}
	return ok ? DONE_LEAVE : DONE_FAULT;
}

/* DR4 and DR5 are DR6 and DR7, or not there. */
static bool debug_register(struct cpu *cpu, unsigned *n)
{
	if (*n == 4 || *n == 5) {
		if (cpu->cr4 & CR4_DE) {
			raise_ud(cpu);
			return false;
		}
		*n += 2;
	}
	if (!need_cpl0(cpu))
		return false;
	if (cpu->dr[7] & DR7_GD && !cpu->soft->test) {
		cpu_raise(cpu, EXC_DB);
		cpu->fault.dr6 = DR6_BD;
		return false;
	}
	return true;
}

static enum done op_mov_from_dr(struct cpu *cpu, const struct uop *u)
{
	unsigned n = u->src;

	if (!debug_register(cpu, &n))
		return DONE_FAULT;
	reg_set(cpu, u->dst, u->osize, cpu->dr[n]);
	return DONE;
}

static enum done op_mov_to_dr(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = reg_get(cpu, u->src, u->osize);
	unsigned n = u->dst;

	if (!debug_register(cpu, &n))
		return DONE_FAULT;
	if (n >= 6 && v >> 32)
		return raise_gp(cpu, 0);
	if (n == 6)
		v = (v & 0xe00f) | DR6_FIXED;
	else if (n == 7)
		v = (v & 0xffff23ff) | DR7_FIXED;
	cpu->dr[n] = v;
	if (n != 6)
		debug_changed(cpu);
	return DONE_LEAVE;
}

/* Caches: there are none, but for translations. */

static enum done op_wbinvd(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	return need_cpl0(cpu) ? DONE : DONE_FAULT;
}

/* Checked as a load of a byte. */
static enum done op_clflush(struct cpu *cpu, const struct uop *u)
{
	uint64_t lin, gpa;

	/* As a read of a byte, but of code that may not be read too. */
	return op_lin(cpu, u, 1, ACCESS_EXEC, &lin) &&
	       mmu_translate(cpu, lin, ACCESS_READ, &gpa) ? DONE : DONE_FAULT;
}

/* No limits or rights are checked. */
static enum done op_invlpg(struct cpu *cpu, const struct uop *u)
{
	uint64_t lin = op_offset(cpu, u);

	if (!need_cpl0(cpu))
		return DONE_FAULT;
	if (cpu_code(cpu) != CODE_64)
		lin = (uint32_t)(lin + cpu->seg[u->seg].base);
	else if (u->seg >= CPU_FS)
		lin += cpu->seg[u->seg].base;
	if (canonical(lin))
		mmu_flush_page(cpu, lin);
	return DONE_LEAVE;
}

static enum done op_invpcid(struct cpu *cpu, const struct uop *u)
{
	uint64_t type = reg_get(cpu, u->dst, u->osize), desc[2];

	if (!cpu_has(cpu, 7, CPUID_EBX, 10) ||
	    cpu->mode & MODE_REAL)
		return raise_ud(cpu);
	if (!need_cpl0(cpu) || !op_load(cpu, u, desc, 16))
		return DONE_FAULT;
	if (type > 3 || desc[0] & ~CR3_PCID ||
	    (type < 2 && desc[0] && !(cpu->cr4 & CR4_PCIDE)) ||
	    (!type && !canonical(desc[1])))
		return raise_gp(cpu, 0);
	switch (type) {
	case 0: mmu_flush_page(cpu, desc[1]); break;
	case 1: mmu_flush_pcid(cpu, (unsigned)desc[0]); break;
	case 2: mmu_flush_all(cpu); break;
	default: mmu_flush_not_global(cpu); break;
	}
	return DONE_LEAVE;
}

op_fn *table_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_SGDT: return op_sgdt;
	case OP_SIDT: return op_sidt;
	case OP_LGDT: return op_lgdt;
	case OP_LIDT: return op_lidt;
	case OP_SLDT: return op_sldt;
	case OP_STR: return op_str;
	case OP_SMSW: return op_smsw;
	case OP_LLDT: return op_lldt;
	case OP_LTR: return op_ltr;
	default: return NULL;
	}
}

op_fn *cr_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_LMSW: return op_lmsw;
	case OP_CLTS: return op_clts;
	case OP_MOV_FROM_CR: return op_mov_from_cr;
	case OP_MOV_TO_CR: return op_mov_to_cr;
	case OP_MOV_FROM_DR: return op_mov_from_dr;
	case OP_MOV_TO_DR: return op_mov_to_dr;
	case OP_WBINVD: case OP_INVD: return op_wbinvd;
	case OP_CLFLUSH: return op_clflush;
	case OP_INVLPG: return op_invlpg;
	case OP_INVPCID: return op_invpcid;
	default: return NULL;
	}
}
