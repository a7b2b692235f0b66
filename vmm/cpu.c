/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu.c - states in which a CPU starts, names of CPU models, APIC ids: Intel
 * SDM volume 3, 10.1.1 (reset) and 9.9.3 (APIC ids), volume 1, 10.5.1 (FXSAVE).
 */
#include <errno.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/cpu.h"

/* Access bytes: present, DPL 0, accessed or busy. */
#define ATTR_CODE	0x009bu
#define ATTR_DATA	0x0093u
#define ATTR_LDT	0x0082u
#define ATTR_TSS_BUSY	0x008bu
#define ATTR_L		0x2000u
#define ATTR_DB		0x4000u
#define ATTR_G		0x8000u

#define RESET_CR0	(CPU_CR0_CD | CPU_CR0_NW | CPU_CR0_ET)
#define RESET_DR6	0xffff0ff0u
#define RESET_DR7	0x00000400u
#define RESET_PAT	0x0007040600070406u
#define RESET_APIC_BASE	0xfee00900u	/* enabled; this is the first CPU */
#define RFLAGS_FIXED	0x2u

#define CR4_PAE		0x20u

/* Bytes of the FXSAVE area. */
#define FX_FCW		0u
#define FX_FTW		4u	/* one bit a register: not empty */
#define FX_MXCSR	24u
#define FX_MXCSR_MASK	28u

void cpu_reset_state(struct cpu_state *s)
{
	*s = (struct cpu_state){
		.rip = 0xfff0,
		.rflags = RFLAGS_FIXED,
		.cr0 = RESET_CR0,
		.apic_base = RESET_APIC_BASE,
		.pat = RESET_PAT,
	};
	for (unsigned i = 0; i < CPU_N_SEG; i++)
		s->seg[i] = (struct cpu_segment){ .limit = 0xffff,
						  .attr = ATTR_DATA };
	s->seg[CPU_CS] = (struct cpu_segment){
		.base = 0xffff0000, .limit = 0xffff, .attr = ATTR_CODE,
		.selector = 0xf000,
	};
	s->ldtr = (struct cpu_segment){ .limit = 0xffff, .attr = ATTR_LDT };
	s->tr = (struct cpu_segment){ .limit = 0xffff, .attr = ATTR_TSS_BUSY };
	s->gdtr.limit = s->idtr.limit = 0xffff;
	s->dr[6] = RESET_DR6;
	s->dr[7] = RESET_DR7;
	put_le16(s->fxsave + FX_FCW, 0x40);
	s->fxsave[FX_FTW] = 0xff;
	put_le32(s->fxsave + FX_MXCSR, 0x1f80);
	put_le32(s->fxsave + FX_MXCSR_MASK, 0xffff);
}

static void set_flat(struct cpu_state *s, uint32_t code)
{
	for (unsigned i = 0; i < CPU_N_SEG; i++)
		s->seg[i] = (struct cpu_segment){
			.limit = UINT32_MAX, .selector = 0x10,
			.attr = ATTR_DATA | ATTR_DB | ATTR_G,
		};
	s->seg[CPU_CS].selector = 0x8;
	s->seg[CPU_CS].attr = ATTR_CODE | ATTR_G | code;
	s->cr0 = CPU_CR0_PE | CPU_CR0_ET;
}

void cpu_set_flat32(struct cpu_state *s)
{
	set_flat(s, ATTR_DB);
}

void cpu_set_flat64(struct cpu_state *s, uint64_t cr3)
{
	set_flat(s, ATTR_L);
	s->cr0 |= CPU_CR0_PG;
	s->cr3 = cr3;
	s->cr4 |= CR4_PAE;
	s->efer |= CPU_EFER_LME | CPU_EFER_LMA;
}

static const char *const model_names[] = {
	[CPU_HOST] = "host", [CPU_V1] = "x86-64-v1", [CPU_V2] = "x86-64-v2",
	[CPU_V3] = "x86-64-v3",
};

int cpu_model_parse(const char *name, enum cpu_model *model)
{
	for (unsigned i = 0; i < sizeof(model_names) / sizeof(char *); i++)
		if (!strcmp(name, model_names[i]) ||
		    (i != CPU_HOST &&
		     !strcmp(name, model_names[i] + strlen("x86-64-")))) {
			*model = i;
			return 0;
		}
	return -EINVAL;
}

const char *cpu_model_name(enum cpu_model model)
{
	return model_names[model];
}

unsigned cpu_id_bits(unsigned n)
{
	unsigned bits = 0;

	while (n > 1u << bits)
		bits++;
	return bits;
}

uint32_t cpu_apic_id(const struct cpu_topology *t, unsigned i)
{
	unsigned thread_bits = cpu_id_bits(t->threads);
	unsigned core_bits = cpu_id_bits(t->cores);
	unsigned thread = i % t->threads, core = i / t->threads % t->cores;
	unsigned socket = i / t->threads / t->cores;

	return socket << (core_bits + thread_bits) | core << thread_bits |
		thread;
}
