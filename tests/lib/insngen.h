/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insngen.h - random instructions of any row of the decoder's table, and states
 * of registers and memory in which they do something worth looking at.
 *
 * One thread a struct gen.
 */
#ifndef TESTS_INSNGEN_H
#define TESTS_INSNGEN_H

#include "twin.h"

/* The prefixes that a form of an instruction has. */
enum gen_prefix { GP_NONE, GP_F2, GP_F3, GP_LOCK, GP_FS, GP_GS, GP_67, GP_REX,
		  GP_N };
/* Its size prefix: none, 66, REX.W. */
enum gen_size { GS_NONE, GS_66, GS_W, GS_N };

struct gen_form {
	unsigned row;			/* of op_rows */
	enum gen_size size;
	enum gen_prefix prefix;
	bool mem;			/* ModRM names memory */
};

struct gen {
	uint64_t seed;
	struct op_index index;
	bool plain;			/* memory is 8 bits from R14 */
};

struct gen_insn {
	uint8_t bytes[INSN_MAX];
	unsigned len;
	struct insn insn;		/* as our decoder has it */
	bool ud;			/* it is #UD, for LOCK */
	unsigned offset;		/* where it will be put */
};

void gen_init(struct gen *g, uint64_t seed);
uint64_t gen_random(struct gen *g);
/* A number as programs and their bugs have them. */
uint64_t gen_value(struct gen *g);

/* An instruction of this form, to be put at NATIVE_CODE + `offset`.  False: there
 * is none.
 */
bool gen_make(struct gen *g, const struct gen_form *f, unsigned offset,
	      struct gen_insn *out);

/* Why the host cannot judge it (a few words), or NULL. */
const char *gen_excluded(const struct insn *insn);

/* Registers and flags for it, and memory where it will look. */
void gen_state(struct gen *g, struct twin *t, const struct gen_insn *in,
	       struct native_state *s);

/* Some x87, MMX and SSE state for it. */
void gen_fpu(struct gen *g, const struct insn *insn, uint8_t fxsave[512]);

/* Does it use the x87, MMX or SSE state? */
bool gen_uses_fpu(const struct insn *insn);

/* Flags (RFLAGS bits) that the manual leaves undefined after it, from this
 * state.
 */
uint64_t gen_undefined(const struct insn *insn, const struct native_state *s);

#endif
