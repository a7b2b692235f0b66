/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu.h - the state of an x86-64 CPU in the form in which it is set, read,
 * traced and saved, whoever runs it.  Intel SDM volume 3, sections 2 and 3.
 */
#ifndef VMM_CPU_H
#define VMM_CPU_H

#include "imgfmt/base/base.h"

enum { CPU_RAX, CPU_RCX, CPU_RDX, CPU_RBX, CPU_RSP, CPU_RBP, CPU_RSI, CPU_RDI,
       CPU_N_GPR = 16 };
enum { CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_N_SEG };

/* A segment register with its hidden part.  `attr` is the descriptor's bytes 5
 * and 6 without the limit: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14,
 * G 15; bit 16 says unusable (a null selector).
 */
struct cpu_segment {
	uint64_t base;
	uint32_t limit;		/* bytes, G applied */
	uint32_t attr;
	uint16_t selector;
};

#define CPU_SEG_UNUSABLE	0x10000u

#define CPU_EFER_SCE	0x001u
#define CPU_EFER_LME	0x100u
#define CPU_EFER_LMA	0x400u
#define CPU_EFER_NX	0x800u

#define CPU_CR0_PE	0x00000001u
#define CPU_CR0_MP	0x00000002u
#define CPU_CR0_EM	0x00000004u
#define CPU_CR0_TS	0x00000008u
#define CPU_CR0_ET	0x00000010u
#define CPU_CR0_NE	0x00000020u
#define CPU_CR0_WP	0x00010000u
#define CPU_CR0_AM	0x00040000u
#define CPU_CR0_NW	0x20000000u
#define CPU_CR0_CD	0x40000000u
#define CPU_CR0_PG	0x80000000u

struct cpu_state {
	uint64_t gpr[CPU_N_GPR];
	uint64_t rip, rflags;
	struct cpu_segment seg[CPU_N_SEG], ldtr, tr;
	struct { uint64_t base; uint16_t limit; } gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	uint64_t dr[8];
	uint64_t apic_base;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc, tsc_aux, pat;
	uint8_t fxsave[512] __attribute__((aligned(16)));	/* SDM 10.5.1 */
};

/* The state of the first CPU after RESET (SDM volume 3, 10.1.1); the accelerator
 * puts CPUID's family and model into RDX, and takes the flag of the first CPU out
 * of the others' apic_base.
 */
void cpu_reset_state(struct cpu_state *s);

/* Flat 32-bit protected mode without paging (base 0, limit 4 GiB; code 0x8,
 * data 0x10), or 64-bit mode with page tables at cr3: how boot protocols start
 * a kernel.  The GDT itself is the caller's.
 */
void cpu_set_flat32(struct cpu_state *s);
void cpu_set_flat64(struct cpu_state *s, uint64_t cr3);

/* Which CPU the guest sees. */
enum cpu_model { CPU_HOST, CPU_V1, CPU_V2, CPU_V3 };

/* "host", "x86-64-v1" (or "v1") and so on; -EINVAL. */
int cpu_model_parse(const char *name, enum cpu_model *model);
const char *cpu_model_name(enum cpu_model model);

struct cpu_topology {
	unsigned cpus, sockets, cores, threads;	/* cpus is the product */
};

/* The APIC id of vCPU `i` (SDM volume 3, 9.9.3): thread, core and socket, each in
 * as many bits as its count needs, so that ids may have gaps.
 */
uint32_t cpu_apic_id(const struct cpu_topology *t, unsigned i);

/* How many bits tell `n` (at least 1) things apart? */
unsigned cpu_id_bits(unsigned n);

#endif
