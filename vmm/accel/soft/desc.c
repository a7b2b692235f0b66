/* SPDX-License-Identifier: GPL-2.0-or-later */
/* desc.c - segment descriptors, and what segment registers are loaded with.
 * Intel SDM volume 3, 3.4, 3.5 and 5.2 to 5.8.
 */
#include "sys.h"

bool raise_sel(struct cpu *cpu, unsigned vector, unsigned selector)
{
	raise_error(cpu, vector, (selector & 0xfffc) | cpu->ext);
	return false;
}

bool raise_ext(struct cpu *cpu, unsigned vector)
{
	raise_error(cpu, vector, cpu->ext);
	return false;
}

/* Where the descriptor lies; false: outside its table. */
static bool desc_place(const struct cpu *cpu, uint16_t selector, unsigned len,
		       uint64_t *lin)
{
	unsigned offset = selector & 0xfff8;

	if (selector & SEL_TI) {
		if (cpu->ldtr.attr & CPU_SEG_UNUSABLE ||
		    offset + len - 1 > cpu->ldtr.limit)
			return false;
		*lin = cpu->ldtr.base + offset;
	} else {
		if (offset + len - 1 > cpu->gdtr.limit)
			return false;
		*lin = cpu->gdtr.base + offset;
	}
	if (!is_long(cpu))
		*lin = (uint32_t)*lin;
	return true;
}

static bool desc_load(struct cpu *cpu, uint64_t lin, uint16_t selector,
		      struct desc *d)
{
	uint32_t raw[2];

	if (!mem_load(cpu, lin, raw, 8, ACCESS_READ | ACCESS_SYSTEM))
		return false;
	*d = (struct desc){ .low = raw[0], .high = raw[1], .lin = lin,
			    .selector = selector };
	d->attr = raw[1] >> 8 & 0xf0ff;
	return true;
}

bool desc_read(struct cpu *cpu, uint16_t selector, unsigned vector, bool wide,
	       struct desc *d)
{
	uint64_t lin;

	if (!desc_place(cpu, selector, 8, &lin))
		return raise_sel(cpu, vector, selector);
	if (!desc_load(cpu, lin, selector, d))
		return false;
	if (!wide || !is_long(cpu) || d->attr & ATTR_S)
		return true;
	if (!desc_place(cpu, selector, 16, &lin))
		return raise_sel(cpu, vector, selector);
	return mem_load(cpu, lin + 8, &d->high_base, 4,
			ACCESS_READ | ACCESS_SYSTEM);
}

bool desc_probe(struct cpu *cpu, uint16_t selector, struct desc *d,
		bool *faulted)
{
	uint64_t lin;

	*faulted = false;
	if (is_null(selector) || !desc_place(cpu, selector, 8, &lin))
		return false;
	*faulted = !desc_load(cpu, lin, selector, d);
	return !*faulted;
}

uint32_t desc_limit(const struct desc *d)
{
	uint32_t limit = (d->low & 0xffff) | (d->high & 0xf0000);

	return d->attr & ATTR_G ? limit << 12 | 0xfff : limit;
}

void desc_segment(const struct desc *d, struct cpu_segment *s)
{
	*s = (struct cpu_segment){
		.base = d->low >> 16 | (d->high & 0xff) << 16 |
			(d->high & 0xff000000) | (uint64_t)d->high_base << 32,
		.limit = desc_limit(d), .attr = d->attr,
		.selector = d->selector,
	};
}

/* Replace the byte with type, S, DPL and P. */
static bool write_access(struct cpu *cpu, const struct desc *d, uint8_t v)
{
	return mem_store(cpu, d->lin + 5, &v, 1, ACCESS_WRITE | ACCESS_SYSTEM);
}

bool desc_mark_accessed(struct cpu *cpu, struct desc *d)
{
	if (d->attr & ATTR_ACCESSED)
		return true;
	d->attr |= ATTR_ACCESSED;
	return write_access(cpu, d, (uint8_t)d->attr);
}

bool desc_set_busy(struct cpu *cpu, const struct desc *d, bool busy)
{
	uint32_t attr = busy ? d->attr | SYS_BUSY : d->attr & ~SYS_BUSY;

	return write_access(cpu, d, (uint8_t)attr);
}

/* Real mode keeps limit and rights, so that "unreal" ones last. */
void seg_load_old(struct cpu *cpu, unsigned seg, uint16_t selector)
{
	struct cpu_segment *s = &cpu->seg[seg];

	s->selector = selector;
	s->base = (uint32_t)selector << 4;
	if (cpu->mode & MODE_VM86) {
		s->limit = 0xffff;
		s->attr = 0xf3;
	} else {
		s->attr = (s->attr & (ATTR_DB | ATTR_G)) | 0x93;
	}
}

void seg_set_null(struct cpu_segment *s, uint16_t selector, unsigned cpl)
{
	*s = (struct cpu_segment){ .selector = selector,
				   .attr = CPU_SEG_UNUSABLE | cpl << 5 };
}

bool seg_check_stack(struct cpu *cpu, uint16_t selector, unsigned cpl,
		     unsigned vector, struct cpu_segment *s)
{
	struct desc d;

	if (is_null(selector))
		return raise_ext(cpu, vector);
	if (!desc_read(cpu, selector, vector, false, &d))
		return false;
	if (SEL_RPL(selector) != cpl || !desc_is_writable(&d) ||
	    ATTR_DPL(d.attr) != cpl)
		return raise_sel(cpu, vector, selector);
	if (!(d.attr & ATTR_P))
		return raise_sel(cpu, EXC_SS, selector);
	if (!desc_mark_accessed(cpu, &d))
		return false;
	desc_segment(&d, s);
	return true;
}

static bool load_data(struct cpu *cpu, unsigned seg, uint16_t selector,
		      unsigned cpl, unsigned vector)
{
	unsigned worst = SEL_RPL(selector) > cpl ? SEL_RPL(selector) : cpl;
	struct desc d;

	if (is_null(selector)) {
		seg_set_null(&cpu->seg[seg], selector, 0);
		return true;
	}
	if (!desc_read(cpu, selector, vector, false, &d))
		return false;
	/* Data, or code that may be read. */
	if (!(d.attr & ATTR_S) || (d.attr & (ATTR_CODE | ATTR_RW)) == ATTR_CODE)
		return raise_sel(cpu, vector, selector);
	if ((d.attr & (ATTR_CODE | ATTR_CONFORMING)) !=
	    (ATTR_CODE | ATTR_CONFORMING) && ATTR_DPL(d.attr) < worst)
		return raise_sel(cpu, vector, selector);
	if (!(d.attr & ATTR_P))
		return raise_sel(cpu, EXC_NP, selector);
	if (!desc_mark_accessed(cpu, &d))
		return false;
	desc_segment(&d, &cpu->seg[seg]);
	return true;
}

bool seg_load(struct cpu *cpu, unsigned seg, uint16_t selector, unsigned cpl,
	      unsigned vector)
{
	struct cpu_segment s;

	if (is_old(cpu)) {
		seg_load_old(cpu, seg, selector);
		return true;
	}
	if (seg != CPU_SS)
		return load_data(cpu, seg, selector, cpl, vector);
	if (is_null(selector) && cpu_code(cpu) == CODE_64 && cpl < 3 &&
	    SEL_RPL(selector) == cpl) {
		seg_set_null(&cpu->seg[CPU_SS], selector, cpl);
		return true;
	}
	if (!seg_check_stack(cpu, selector, cpl, vector, &s))
		return false;
	cpu->seg[CPU_SS] = s;
	return true;
}

void seg_drop_inner(struct cpu *cpu)
{
	static const uint8_t data[] = { CPU_ES, CPU_DS, CPU_FS, CPU_GS };
	unsigned cpl = cpu_cpl(cpu);

	for (unsigned i = 0; i < sizeof(data); i++) {
		struct cpu_segment *s = &cpu->seg[data[i]];
		bool conforming = (s->attr & (ATTR_CODE | ATTR_CONFORMING)) ==
			(ATTR_CODE | ATTR_CONFORMING);

		if (!(s->attr & CPU_SEG_UNUSABLE) && !conforming &&
		    ATTR_DPL(s->attr) < cpl)
			seg_set_null(s, 0, 0);
	}
}

void set_cpl(struct cpu *cpu, unsigned cpl)
{
	cpu->mode = (cpu->mode & ~MODE_CPL) | cpl << MODE_CPL_SHIFT;
	mmu_select(cpu);
}

void snapshot_take(const struct cpu *cpu, struct snapshot *s)
{
	s->rsp = cpu->gpr[CPU_RSP];
	s->rip = cpu->rip;
	s->eflags = cpu->eflags;
	s->flag_res = cpu->flag_res;
	s->flag_aux = cpu->flag_aux;
	memcpy(s->seg, cpu->seg, sizeof(s->seg));
	s->mode = cpu->mode;
}

void snapshot_restore(struct cpu *cpu, const struct snapshot *s)
{
	cpu->gpr[CPU_RSP] = s->rsp;
	cpu->rip = s->rip;
	cpu->eflags = s->eflags;
	cpu->flag_res = s->flag_res;
	cpu->flag_aux = s->flag_aux;
	memcpy(cpu->seg, s->seg, sizeof(s->seg));
	cpu_mode_changed(cpu);
}
