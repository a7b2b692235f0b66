/* SPDX-License-Identifier: GPL-2.0-or-later */
/* assist.h - the software CPU as a helper of another accelerator: it executes one
 * instruction that the other one cannot, on a copy of a vCPU's state.
 *
 *	assist_load() -> assist_step() -> assist_done()
 *
 * It keeps no code and no translations from one call to the next, for the guest
 * runs elsewhere in between.  Memory and devices are the machine's own; writes to
 * memory are told to accel->mem_wrote() when they are done.  A LAPIC is not there:
 * an instruction that reaches for one finds no device.
 *
 * An assist belongs to one vCPU, and is used by the thread that runs it.
 */
#ifndef SOFT_ASSIST_H
#define SOFT_ASSIST_H

#include "vmm/cpu.h"

struct assist;
struct vcpu;

/* State of a CPU that struct cpu_state does not hold. */
struct assist_extra {
	bool shadow;		/* no interrupt before the next instruction has
				 * ended: STI, MOV SS, POP SS */
	bool nmi_masked;	/* until IRET */
};

/* What an instruction led to. */
enum assist_end {
	ASSIST_ON,		/* go on at the new state: behind it, or where the
				 * exception that it raised was delivered to */
	ASSIST_SHUTDOWN,	/* triple fault */
	ASSIST_DEBUG,		/* vcpu->debug says why */
	ASSIST_CANNOT,		/* nothing that the software CPU knows either, and
				 * the guest may rightly think that it is there */
};

/* `phys_bits`: the width of the guest's physical addresses.  -ENOMEM. */
int assist_new(struct vcpu *vcpu, unsigned phys_bits, struct assist **out);
void assist_free(struct assist *a);

/* Take the state, and leave in *s how the software CPU writes the same: fields
 * without a meaning become 0.  What differs afterwards was changed.
 */
void assist_load(struct assist *a, struct cpu_state *s,
		 const struct assist_extra *extra);

/* Execute one instruction; exceptions that it raises are delivered. */
enum assist_end assist_step(struct assist *a);

/* The state behind it, and tell of the memory that was written.  `tsc` and
 * `apic_base` stay as they are.
 */
void assist_done(struct assist *a, struct cpu_state *s,
		 struct assist_extra *extra);

#endif
