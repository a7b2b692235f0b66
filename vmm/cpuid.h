/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid.h - what the CPUID instruction tells the guest, whichever accelerator
 * runs it (Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E; the levels
 * are those of the x86-64 psABI, "Micro-Architecture Levels").
 *
 * The models x86-64-v1 to v3 have the same contents everywhere, but for what
 * belongs to who really executes: the vendor, how it guards against speculation,
 * x2APIC, the TSC deadline timer and a constant TSC.  None shows SMM, VMX or SVM.
 * Bits that follow control registers (OSXSAVE, APIC, the sizes in leaf 0xd) are
 * the accelerator's.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include "cpu.h"

enum { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpuid_leaf {
	uint32_t leaf, sub;
	bool indexed;		/* `sub` (ECX) matters */
	uint32_t reg[4];	/* by CPUID_EAX... */
};

#define CPUID_MAX_HOST	256u	/* leaves of a host */
#define CPUID_MAX_LEAVES 288u	/* and what cpuid_build() adds */
struct cpuid_table {
	unsigned n;
	struct cpuid_leaf leaves[CPUID_MAX_LEAVES];
};

/* IA32_ARCH_CAPABILITIES of a CPU that does not speculate: nothing that is known
 * of others concerns it.
 */
#define CPUID_ARCH_CAPABILITIES_IMMUNE	0x400000000d12e179ull

struct cpuid_request {
	enum cpu_model model;
	struct cpu_topology topology;
	unsigned vcpu;			/* whose table */
	/* What the accelerator can.  NULL: all that the models have, by a CPU
	 * that does not speculate.
	 */
	const struct cpuid_table *host;
	bool kvm;			/* show KVM's own leaves */
};

/* -ENOTSUP: the model needs what `host` lacks; the sentence names it all.  The
 * model "host" without a host is x86-64-v3.
 */
int cpuid_build(const struct cpuid_request *want, struct cpuid_table *out,
		struct err *e);

/* What the instruction gives for EAX and ECX; an EAX beyond the last leaf reads
 * as nothing on AMD's, as the last basic leaf on others.
 */
void cpuid_lookup(const struct cpuid_table *table, uint32_t leaf, uint32_t sub,
		  uint32_t reg[4]);

/* Is bit `bit` of register `reg` of that leaf set? */
bool cpuid_has(const struct cpuid_table *table, uint32_t leaf, unsigned reg,
	       unsigned bit);

/* cpuid_models.c: the features of levels 1 to `level` into `out`; with `host`
 * those that it lacks go into the sentence.
 */
int cpuid_add_features(unsigned level, const struct cpuid_table *host,
		       struct cpuid_table *out, struct err *e);

/* The leaf's registers, added as zeroes if there is none yet; there is room. */
uint32_t *cpuid_leaf(struct cpuid_table *table, uint32_t leaf, uint32_t sub,
		     bool indexed);

#endif
