/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flags.h - the six status flags, kept as the last result and its carries, from
 * which each flag is a few operations away, without asking which instruction set
 * it.
 *
 * flag_res is the result, sign-extended to 64 bits:
 *	ZF: it is 0		SF: its sign, flipped by aux bit 0
 *	PF: even parity of its low byte, flipped by aux bit 1
 * flag_aux has the carries out of the result's bits, the topmost at bit 63:
 *	CF: bit 63		OF: bits 63 and 62 differ
 *	AF: bit 3
 * The flips are for flags that no result gives: POPF, SAHF, FCOMI.
 */
#ifndef SOFT_FLAGS_H
#define SOFT_FLAGS_H

#include "soft.h"

#define EFL_CF	0x0001u
#define EFL_ONE	0x0002u
#define EFL_PF	0x0004u
#define EFL_AF	0x0010u
#define EFL_ZF	0x0040u
#define EFL_SF	0x0080u
#define EFL_TF	0x0100u
#define EFL_IF	0x0200u
#define EFL_DF	0x0400u
#define EFL_OF	0x0800u
#define EFL_IOPL 0x3000u
#define EFL_NT	0x4000u
#define EFL_RF	0x10000u
#define EFL_VM	0x20000u
#define EFL_AC	0x40000u
#define EFL_VIF	0x80000u
#define EFL_VIP	0x100000u
#define EFL_ID	0x200000u
#define EFL_STATUS (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)

#define AUX_CF		(1ull << 63)
#define AUX_CF_OF	(1ull << 62)	/* OF is CF ^ this */
#define AUX_AF		(1ull << 3)
#define AUX_PF_FLIP	2ull
#define AUX_SF_FLIP	1ull

static inline bool flag_c(const struct cpu *cpu)
{
	return cpu->flag_aux >> 63;
}

static inline bool flag_o(const struct cpu *cpu)
{
	return (cpu->flag_aux ^ cpu->flag_aux << 1) >> 63;
}

static inline bool flag_z(const struct cpu *cpu)
{
	return !cpu->flag_res;
}

static inline bool flag_s(const struct cpu *cpu)
{
	return (cpu->flag_res ^ cpu->flag_aux << 63) >> 63;
}

static inline bool flag_p(const struct cpu *cpu)
{
	return !(__builtin_parity((uint8_t)cpu->flag_res) ^
		 (int)(cpu->flag_aux >> 1 & 1));
}

static inline bool flag_a(const struct cpu *cpu)
{
	return cpu->flag_aux & AUX_AF;
}

/* Conditions by their number in opcodes: SDM volume 1, appendix B. */
static inline bool flag_cond(const struct cpu *cpu, unsigned cc)
{
	bool v;

	switch (cc >> 1 & 7) {
	case 0: v = flag_o(cpu); break;
	case 1: v = flag_c(cpu); break;
	case 2: v = flag_z(cpu); break;
	case 3: v = flag_c(cpu) || flag_z(cpu); break;
	case 4: v = flag_s(cpu); break;
	case 5: v = flag_p(cpu); break;
	case 6: v = flag_s(cpu) != flag_o(cpu); break;
	default: v = flag_z(cpu) || flag_s(cpu) != flag_o(cpu); break;
	}
	return v != (cc & 1);
}

/* The status flags as bits of EFLAGS. */
static inline uint64_t flags_get(const struct cpu *cpu)
{
	return (flag_c(cpu) ? EFL_CF : 0u) | (flag_p(cpu) ? EFL_PF : 0u) |
	       (flag_a(cpu) ? EFL_AF : 0u) | (flag_z(cpu) ? EFL_ZF : 0u) |
	       (flag_s(cpu) ? EFL_SF : 0u) | (flag_o(cpu) ? EFL_OF : 0u);
}

/* Replace CF (and leave OF), or CF and OF. */
static inline uint64_t aux_with_c(uint64_t aux, bool c)
{
	return (aux >> 63) == c ? aux : aux ^ (AUX_CF | AUX_CF_OF);
}

static inline uint64_t aux_with_co(uint64_t aux, bool c, bool o)
{
	aux &= ~(AUX_CF | AUX_CF_OF);
	return aux | (c ? AUX_CF : 0) | (c != o ? AUX_CF_OF : 0);
}

static inline void flags_set(struct cpu *cpu, uint64_t efl)
{
	bool z = efl & EFL_ZF;
	uint64_t aux = aux_with_co(0, efl & EFL_CF, efl & EFL_OF);

	if (efl & EFL_AF)
		aux |= AUX_AF;
	if (efl & EFL_SF)
		aux |= AUX_SF_FLIP;
	/* The parity of 0 is even, that of 1 is odd. */
	if (!(efl & EFL_PF) == z)
		aux |= AUX_PF_FLIP;
	cpu->flag_res = !z;
	cpu->flag_aux = aux;
}

/* EFLAGS as PUSHF sees them (RF and VM included). */
static inline uint64_t eflags_get(const struct cpu *cpu)
{
	return cpu->eflags | flags_get(cpu) | EFL_ONE;
}

static inline void eflags_set(struct cpu *cpu, uint64_t efl)
{
	flags_set(cpu, efl);
	cpu->eflags = efl & ~(uint64_t)(EFL_STATUS | EFL_ONE);
}

/* A record of each kind, for results of `bits` bits. */

#define SIGN_EXTEND(v, bits) \
	((uint64_t)((int64_t)((uint64_t)(v) << (64 - (bits))) >> (64 - (bits))))

static inline uint64_t aux_of(uint64_t carries, unsigned bits)
{
	return bits == 64 ? carries & ~3ull :
	       carries << (64 - bits) | (carries & AUX_AF);
}

static inline void flags_add(struct cpu *cpu, uint64_t a, uint64_t b,
			     uint64_t res, unsigned bits)
{
	cpu->flag_res = SIGN_EXTEND(res, bits);
	cpu->flag_aux = aux_of((a & b) | ((a | b) & ~res), bits);
}

static inline void flags_sub(struct cpu *cpu, uint64_t a, uint64_t b,
			     uint64_t res, unsigned bits)
{
	cpu->flag_res = SIGN_EXTEND(res, bits);
	cpu->flag_aux = aux_of((~a & b) | ((~a | b) & res), bits);
}

static inline void flags_logic(struct cpu *cpu, uint64_t res, unsigned bits)
{
	cpu->flag_res = SIGN_EXTEND(res, bits);
	cpu->flag_aux = 0;
}

#endif
