/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softrig.c - see softrig.h. */
#include "softrig.h"

#include <sys/mman.h>

#define RAM (1u << 20)

void srig_init(struct srig *r)
{
	memset(r, 0, sizeof(*r));
	r->soft.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(r->soft.ram != MAP_FAILED);
	r->soft.ram_size = RAM;
	op_index_init(&r->soft.index);
	r->cpus[0] = &r->cpu;
	r->soft.cpus = r->cpus;
	CHECK_EQ(blocks_init(&r->soft), 0);
	CHECK_EQ(cpu_init(&r->cpu, &r->soft), 0);
	r->soft.n_cpus = 1;
}

void srig_fini(struct srig *r)
{
	cpu_fini(&r->cpu);
	blocks_fini(&r->soft);
	munmap(r->soft.ram, RAM);
}

uint64_t srig_read(struct srig *r, uint64_t at, unsigned len)
{
	uint64_t v = 0;

	CHECK(at + len <= RAM);
	memcpy(&v, r->soft.ram + at, len);
	return v;
}

void srig_write(struct srig *r, uint64_t at, unsigned len, uint64_t v)
{
	CHECK(at + len <= RAM);
	memcpy(r->soft.ram + at, &v, len);
	blocks_wrote(&r->soft, at, len);
}

void srig_gdt(struct srig *r, unsigned selector, uint64_t descriptor)
{
	srig_write(r, RIG_GDT + (selector & ~7u), 8, descriptor);
}

static bool is_64(const struct srig *r)
{
	return r->s.efer & CPU_EFER_LMA;
}

void srig_gate(struct srig *r, unsigned vector, unsigned type, unsigned dpl,
	      bool present)
{
	uint64_t to = RIG_HANDLERS + vector * 16;
	unsigned cs = is_64(r) ? SEL_CODE64 : SEL_CODE0;
	uint64_t d = (to & 0xffff) | (uint64_t)cs << 16 |
		(uint64_t)(type | dpl << 5 | (present ? 0x80u : 0)) << 40;

	if (is_64(r)) {
		srig_write(r, RIG_IDT + vector * 16, 8, d);
		srig_write(r, RIG_IDT + vector * 16 + 8, 8, 0);
	} else {
		srig_write(r, RIG_IDT + vector * 8, 8, d);
	}
}

void srig_code(struct srig *r, const void *bytes, unsigned len)
{
	memset(r->soft.ram + RIG_CODE, 0x90, 256);
	memcpy(r->soft.ram + RIG_CODE, bytes, len);
	blocks_wrote(&r->soft, RIG_CODE, 256);
}

static void fill_gdt(struct srig *r)
{
	uint64_t gate = 0x0000ec0000080000 | RIG_TARGET;
	unsigned tss = is_64(r) ? 0x89 : 0x89;

	srig_gdt(r, 0, 0);
	srig_gdt(r, SEL_CODE0, 0x00cf9b000000ffff);
	srig_gdt(r, SEL_DATA0, 0x00cf93000000ffff);
	srig_gdt(r, SEL_CODE3, 0x00cffb000000ffff);
	srig_gdt(r, SEL_DATA3, 0x00cff3000000ffff);
	srig_gdt(r, SEL_TSS, (uint64_t)tss << 40 | RIG_TSS << 16 | 0x7ff);
	srig_gdt(r, SEL_LDT, 0x82ull << 40 | RIG_LDT << 16 | 0xff);
	srig_gdt(r, SEL_CONFORMING, 0x00cf9f000000ffff);
	srig_gdt(r, SEL_ABSENT, 0x00cf13000000ffff);
	srig_gdt(r, SEL_READONLY, 0x00cf91000000ffff);
	srig_gdt(r, SEL_EXECONLY, 0x00cf99000000ffff);
	/* Two parameters. */
	srig_gdt(r, SEL_GATE, gate | 2ull << 32);
	srig_gdt(r, SEL_GATE_ABSENT, gate & ~(0x80ull << 40));
	srig_gdt(r, SEL_GATE0, gate & ~(0x60ull << 40));
	srig_gdt(r, SEL_TASKGATE, 0xe5ull << 40 | SEL_TSS2 << 16);
	srig_gdt(r, SEL_TSS2, 0xe9ull << 40 | RIG_TSS2 << 16 | 0x67);
	srig_gdt(r, SEL_DOWN, 0x0040970000000fff);
	srig_gdt(r, SEL_CODE64, 0x00af9b000000ffff);
	srig_gdt(r, SEL_SMALL, 0x00409300000000ff);
	srig_gdt(r, SEL_CODE16, 0x00009b000000ffff);
}

static void set_segment(struct cpu_segment *s, unsigned selector, uint32_t attr)
{
	*s = (struct cpu_segment){ .limit = UINT32_MAX, .attr = attr,
				   .selector = (uint16_t)selector };
}

static void set_segments(struct srig *r, enum srig_mode mode, unsigned cpl)
{
	uint32_t dpl = cpl << 5;

	for (unsigned i = 0; i < CPU_N_SEG; i++)
		set_segment(&r->s.seg[i], cpl ? SEL_DATA3 : SEL_DATA0,
			    0xc093 | dpl);
	if (mode == RIG_64)
		set_segment(&r->s.seg[CPU_CS], cpl ? 0x93 : SEL_CODE64,
			    0xa09b | dpl);
	else
		set_segment(&r->s.seg[CPU_CS], cpl ? SEL_CODE3 : SEL_CODE0,
			    0xc09b | dpl);
	if (mode != RIG_REAL && mode != RIG_VM86)
		return;
	for (unsigned i = 0; i < CPU_N_SEG; i++)
		r->s.seg[i] = (struct cpu_segment){
			.limit = 0xffff, .attr = mode == RIG_VM86 ? 0xf3 : 0x93 };
}

static void fill_idt(struct srig *r)
{
	for (unsigned v = 0; v < 256; v++) {
		srig_gate(r, v, 0xe, v >= 0x80 ? 3 : 0, true);
		srig_write(r, RIG_HANDLERS + v * 16, 1, 0xf4);
	}
}

static void fill_tss(struct srig *r)
{
	memset(r->soft.ram + RIG_TSS, 0, 0x1000);
	if (is_64(r)) {
		srig_write(r, RIG_TSS + 4, 8, RIG_STACK0);
	} else {
		srig_write(r, RIG_TSS + 4, 4, RIG_STACK0);
		srig_write(r, RIG_TSS + 8, 2, SEL_DATA0);
	}
	/* Ports: all forbidden but 0x80. */
	srig_write(r, RIG_TSS + 0x66, 2, 0x88);
	memset(r->soft.ram + RIG_TSS + 0x88, 0xff, 0x200);
	srig_write(r, RIG_TSS + 0x88 + 0x10, 1, 0xfe);
}

/* Long mode: 1 GiB pages, the first one at 0. */
static void set_paging(struct srig *r)
{
	srig_write(r, RIG_TABLES, 8, (RIG_TABLES + 0x1000) | 7);
	srig_write(r, RIG_TABLES + 0x1000, 8, 0x87);
	r->s.cr3 = RIG_TABLES;
	r->s.cr4 |= 0x20;
	r->s.cr0 |= CPU_CR0_PG;
	r->s.efer |= CPU_EFER_LME | CPU_EFER_LMA | CPU_EFER_SCE;
}

void srig_set(struct srig *r, enum srig_mode mode, unsigned cpl)
{
	cpu_reset_state(&r->s);
	r->s.cr0 = CPU_CR0_ET | (mode == RIG_REAL ? 0 : CPU_CR0_PE);
	if (mode == RIG_64)
		set_paging(r);
	set_segments(r, mode, mode == RIG_VM86 ? 3 : cpl);
	fill_gdt(r);
	fill_idt(r);
	fill_tss(r);
	srig_write(r, RIG_TARGET, 1, 0xf4);
	r->s.gdtr.base = RIG_GDT;
	r->s.gdtr.limit = 0xa7;
	r->s.idtr.base = RIG_IDT;
	r->s.idtr.limit = mode == RIG_64 ? 0xfff : 0x7ff;
	set_segment(&r->s.tr, SEL_TSS, 0x8b);
	r->s.tr.base = RIG_TSS;
	r->s.tr.limit = 0x7ff;
	set_segment(&r->s.ldtr, 0, CPU_SEG_UNUSABLE);
	r->s.rip = RIG_CODE;
	r->s.gpr[CPU_RSP] = cpl ? RIG_STACK3 : RIG_STACK0;
	r->s.rflags = 2 | (mode == RIG_VM86 ? EFL_VM : 0u);
	if (mode == RIG_REAL || mode == RIG_VM86)
		r->s.gpr[CPU_RSP] = 0xf000;
}

void srig_run(struct srig *r, int64_t insns)
{
	cpu_set_state(&r->cpu, &r->s);
	r->stop = cpu_run(&r->cpu, insns);
	cpu_get_state(&r->cpu, &r->s);
}

uint64_t srig_stack(struct srig *r, unsigned n)
{
	unsigned size = is_64(r) ? 8 : r->s.cr0 & CPU_CR0_PE ? 4 : 2;
	uint64_t sp = r->s.gpr[CPU_RSP] + r->s.seg[CPU_SS].base;

	return srig_read(r, sp + n * size, size);
}

int srig_vector(const struct srig *r)
{
	uint64_t lin = r->s.rip + r->s.seg[CPU_CS].base;

	if (r->stop != STOP_HALT || lin < RIG_HANDLERS ||
	    lin >= RIG_HANDLERS + 0x1000 || lin % 16 != 1)
		return -1;
	return (int)((lin - RIG_HANDLERS) / 16);
}
