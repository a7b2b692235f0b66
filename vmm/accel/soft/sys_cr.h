/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys_cr.h - control registers and MSRs, whose values are checked when written:
 * Intel SDM volume 3, 2.5, 4.1.2, 10.8.5; volume 4.
 *
 * False: #GP(0) was raised, and nothing changed.
 */
#ifndef SOFT_SYS_CR_H
#define SOFT_SYS_CR_H

#include "soft.h"
#include "vmm/cpuid.h"

bool cr0_write(struct cpu *cpu, uint64_t v);
bool cr3_write(struct cpu *cpu, uint64_t v);
bool cr4_write(struct cpu *cpu, uint64_t v);
uint64_t cr8_read(const struct cpu *cpu);
bool cr8_write(struct cpu *cpu, uint64_t v);

/* Does CPUID show it?  In tests without a machine all is there. */
static inline bool cpu_has(const struct cpu *cpu, uint32_t leaf, unsigned reg,
			   unsigned bit)
{
	return !cpu->cpuid || cpuid_has(cpu->cpuid, leaf, reg, bit);
}

/* One MSR.  False: there is none, or it does not take the value; no exception. */
bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *v);
bool msr_write(struct cpu *cpu, uint32_t index, uint64_t v);
void msr_reset(struct cpu *cpu);

#endif
