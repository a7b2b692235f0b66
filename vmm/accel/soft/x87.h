/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87.h - the state of the x87 FPU, which MMX shares: Intel SDM volume 1, 8.1. */
#ifndef SOFT_X87_H
#define SOFT_X87_H

#include "soft.h"

/* Status word. */
#define FSW_I		0x0001u
#define FSW_D		0x0002u
#define FSW_Z		0x0004u
#define FSW_O		0x0008u
#define FSW_U		0x0010u
#define FSW_P		0x0020u
#define FSW_FLAGS	0x003fu
#define FSW_SF		0x0040u		/* stack fault */
#define FSW_ES		0x0080u		/* a flag is set that is not masked */
#define FSW_C0		0x0100u
#define FSW_C1		0x0200u
#define FSW_C2		0x0400u
#define FSW_C3		0x4000u
#define FSW_CC		(FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3)
#define FSW_TOP		0x3800u
#define FSW_TOP_SHIFT	11
#define FSW_B		0x8000u		/* as ES */

/* Control word. */
#define FCW_MASKS	0x003fu
#define FCW_ONE		0x0040u		/* always set */
#define FCW_VALID	0x1f3fu

static inline unsigned fpu_top(const struct fpu *fpu)
{
	return fpu->sw >> FSW_TOP_SHIFT & 7;
}

/* The physical number of ST(i). */
static inline unsigned fpu_phys(const struct fpu *fpu, unsigned i)
{
	return (fpu_top(fpu) + i) & 7;
}

/* ES and B follow from the flags and their masks. */
static inline uint16_t fsw_with_es(unsigned sw, unsigned cw)
{
	sw &= ~(FSW_ES | FSW_B);
	return (uint16_t)(sw & ~cw & FSW_FLAGS ? sw | FSW_ES | FSW_B : sw);
}

/* Does an exception wait, that a waiting x87 or an MMX instruction raises?  With
 * CR0.NE clear it would go to the FERR# pin, which leads nowhere here: it is as if
 * IGNNE# were asserted.
 */
static inline bool x87_raises(struct cpu *cpu)
{
	if (__builtin_expect(!(cpu->fpu.sw & FSW_ES), 1) ||
	    !(cpu->cr0 & CPU_CR0_NE))
		return false;
	cpu_raise(cpu, EXC_MF);
	return true;
}

/* Note the instruction, and its memory operand, for FIP, FDP and FOP. */
void x87_note(struct cpu *cpu, const struct uop *u);

/* Control, environment and state (x87_state.c); NULL for others. */
op_fn *x87_state_pick(const struct insn *insn);

#endif
