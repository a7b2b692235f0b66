/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softrig.h - a software CPU over 1 MiB of RAM with descriptor tables, a TSS and a
 * handler for each vector, which halts: tests of what the manuals say of protected
 * mode.  Exceptions are delivered as in a machine.
 */
#ifndef TESTS_SOFTRIG_H
#define TESTS_SOFTRIG_H

#include "tests/check.h"
#include "vmm/accel/soft/block.h"
#include "vmm/accel/soft/flags.h"
#include "vmm/accel/soft/soft.h"

/* Physical places. */
#define RIG_GDT		0x1000u
#define RIG_IDT		0x2000u
#define RIG_TSS		0x3000u
#define RIG_TSS2	0x3800u
#define RIG_LDT		0x4000u
#define RIG_HANDLERS	0x5000u		/* vector * 16: HLT */
#define RIG_CODE	0x8000u
#define RIG_DATA	0x9000u
#define RIG_TARGET	0xa000u		/* where gates lead: HLT */
#define RIG_STACK0	0x20000u
#define RIG_STACK3	0x30000u
#define RIG_TABLES	0x40000u

/* Selectors. */
#define SEL_CODE0	0x08u
#define SEL_DATA0	0x10u
#define SEL_CODE3	0x1bu
#define SEL_DATA3	0x23u
#define SEL_TSS		0x28u
#define SEL_LDT		0x30u
#define SEL_CONFORMING	0x38u
#define SEL_ABSENT	0x40u
#define SEL_READONLY	0x48u
#define SEL_EXECONLY	0x50u
#define SEL_GATE	0x58u		/* to SEL_CODE0:RIG_TARGET, DPL 3 */
#define SEL_GATE_ABSENT	0x60u
#define SEL_GATE0	0x68u		/* DPL 0 */
#define SEL_TASKGATE	0x70u
#define SEL_TSS2	0x78u
#define SEL_DOWN	0x80u		/* expand-down, above 0xfff */
#define SEL_CODE64	0x90u
#define SEL_SMALL	0x98u		/* data of 0x100 bytes */
#define SEL_CODE16	0xa0u

enum srig_mode { RIG_32, RIG_64, RIG_REAL, RIG_VM86 };

struct srig {
	struct soft soft;
	struct cpu cpu __attribute__((aligned(64)));
	struct cpu *cpus[1];
	struct cpu_state s;		/* what the next run starts with */
	enum stop stop;
};

void srig_init(struct srig *r);
void srig_fini(struct srig *r);

/* Tables and state afresh: the mode, and CPL 0 or 3 (real mode and virtual-8086
 * mode have their own).
 */
void srig_set(struct srig *r, enum srig_mode mode, unsigned cpl);
void srig_gdt(struct srig *r, unsigned selector, uint64_t descriptor);
/* An interrupt gate (or another type) to the vector's handler. */
void srig_gate(struct srig *r, unsigned vector, unsigned type, unsigned dpl,
	      bool present);
void srig_code(struct srig *r, const void *bytes, unsigned len);
/* Load r->s and run so many instructions at most. */
void srig_run(struct srig *r, int64_t insns);

uint64_t srig_read(struct srig *r, uint64_t at, unsigned len);
void srig_write(struct srig *r, uint64_t at, unsigned len, uint64_t v);
/* The n-th word of the stack, as wide as the mode's frames. */
uint64_t srig_stack(struct srig *r, unsigned n);
/* Which handler halted it; -1: none. */
int srig_vector(const struct srig *r);

#endif
