/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insngen.h - random instructions of any row of the decoder's table, and states
 * of registers and memory in which they do something worth looking at.
 *
 * One thread a struct gen.
 */
#ifndef TESTS_INSNGEN_H
#define TESTS_INSNGEN_H

#include "twin.h"

/* Where most code is put: no number that others like. */
#define GEN_OFFSET	0x2c5u

/* The prefixes that a form of an instruction has. */
enum gen_prefix { GP_NONE, GP_F2, GP_F3, GP_LOCK, GP_ES, GP_CS, GP_SS, GP_DS,
		  GP_FS, GP_GS, GP_67, GP_REX, GP_N };
/* Its size prefix: none, 66, REX.W. */
enum gen_size { GS_NONE, GS_66, GS_W, GS_N };

struct gen_form {
	enum code_size code;
	unsigned row;			/* of op_rows */
	enum gen_size size;
	enum gen_prefix prefix;
	bool mem;			/* ModRM names memory */
};

#define GEN_POOL	1024u

struct gen {
	uint64_t seed;
	/* Numbers and vectors to pick from, for picking is faster than making; now
	 * and then one is replaced.
	 */
	uint64_t values[GEN_POOL];
	uint8_t vectors[GEN_POOL][16];
	uint64_t n_picked;
	struct op_index index;
	bool plain;			/* memory is 8 bits from R14, or rSI */
	const struct twin *twin;	/* whose segments there are */
};

struct gen_insn {
	uint8_t bytes[INSN_MAX];
	unsigned len;
	struct insn insn;		/* as our decoder has it */
	bool ud;			/* it is #UD, for LOCK */
	unsigned offset;		/* where it will be put */
};

void gen_init(struct gen *g, const struct twin *twin, uint64_t seed);
uint64_t gen_random(struct gen *g);
/* A number as programs and their bugs have them. */
uint64_t gen_value(struct gen *g);
/* 16 bytes of integers or of floating point. */
void gen_vector(struct gen *g, uint8_t out[16]);

/* An instruction of this form, to be put at NATIVE_CODE + `offset`.  False: there
 * is none.
 */
bool gen_make(struct gen *g, const struct gen_form *f, unsigned offset,
	      struct gen_insn *out);

/* Does 64-bit code with it need selectors, native_state.seg? */
bool gen_uses_segments(const struct insn *insn);

/* Why the host cannot judge it (a few words), or NULL. */
const char *gen_excluded(const struct insn *insn);

/* Registers and flags for it, and memory where it will look. */
void gen_state(struct gen *g, struct twin *t, const struct gen_insn *in,
	       struct native_state *s);

/* Is each part of the memory operand an access of its own, in the CPU's own order?
 * Then all may fault or none.
 */
bool gen_has_parts(const struct insn *insn);

/* Where a jump may go, linear: not to itself, nor into what the host has behind
 * it.
 */
uint64_t gen_code_target(struct gen *g, const struct gen_insn *gi);

/* For gen_state(): selectors for 16 and 32-bit code, or for such as need them. */
void gen_segments(struct gen *g, const struct insn *insn,
		  struct native_state *s);
/* A selector that may be good for data, or for code. */
uint16_t gen_selector(struct gen *g);
uint16_t gen_code_selector(struct gen *g);
uint16_t gen_far_selector(struct gen *g, const struct insn *insn);

/* 10 bytes: any number of the x87, or none. */
void gen_float80(struct gen *g, uint8_t out[10]);
/* For gen_init(): any vector, new. */
void gen_make_vector(struct gen *g, uint8_t out[16]);

/* Some x87, MMX and SSE state for it. */
void gen_fpu(struct gen *g, const struct insn *insn, uint8_t fxsave[512]);

/* Does it use the x87, MMX or SSE state? */
bool gen_uses_fpu(const struct insn *insn);

/* Flags (RFLAGS bits) that the manual leaves undefined after it, from this
 * state.
 */
uint64_t gen_undefined(const struct insn *insn, const struct native_state *s);

#endif
