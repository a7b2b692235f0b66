/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insnsegs.c - segments for 16 and 32-bit code: flat ones and small ones, with
 * limits in the midst of memory, expand-down, read-only and null.
 */
#include "insngen.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* For offsets of 16 bits; the first is that of most. */
static const uint8_t small[] = { NK_DATA16, NK_SHORT16, NK_DOWN16, NK_WRAP16,
				 NK_RO16 };
static const uint8_t large[] = { NK_ODD32, NK_SHORT32, NK_DOWN32, NK_DATA16,
				 NK_RO16 };

uint16_t gen_selector(struct gen *g)
{
	uint64_t r = gen_random(g);
	uint16_t rpl = r >> 8 & 7 ? 3 : r >> 12 & 3;
	unsigned kind = NK_DATA16 + (unsigned)(r >> 16) % (NK_N - NK_DATA16);

	switch (r & 15) {
	case 0: return rpl;				/* null */
	case 1: return gen_code_selector(g);
	case 2: return (uint16_t)(0x10 | rpl);		/* the kernel's */
	case 3: return (uint16_t)(0x18 | rpl);
	case 4: return (uint16_t)((NK_N + (r >> 32 & 3)) << 3 | 4 | rpl);
	case 5: case 6: return (uint16_t)(NATIVE_SS64 & ~3u) | rpl;
	default: return (uint16_t)((NATIVE_SEL(kind) & ~3u) | rpl);
	}
}

/* A far call from or to 64-bit code pushes as the CPU likes: there is none. */
uint16_t gen_far_selector(struct gen *g, const struct insn *in)
{
	uint16_t sel;

	do
		sel = gen_code_selector(g);
	while (in->op == OP_CALL_FAR &&
	       ((sel | 3) == NATIVE_CS64) != (in->code == CODE_64));
	return sel;
}

uint16_t gen_code_selector(struct gen *g)
{
	static const uint16_t sel[] = { NATIVE_CS32, NATIVE_CS64,
		NATIVE_SEL(NK_CODE16), NATIVE_SEL(NK_CODE32),
		NATIVE_SEL(NK_EXEC32) };
	uint64_t r = gen_random(g);

	return r & 7 ? sel[(r >> 8) % N(sel)] : gen_selector(g);
}

/* Data, so that offsets of the instruction's address size mostly reach memory. */
static uint16_t data_segment(struct gen *g, const struct insn *in, bool stack)
{
	uint64_t r = gen_random(g);
	const uint8_t *kinds = in->asize == 2 ? small : large;
	unsigned n = N(small) - stack;		/* RO16 is the last of both */

	if (!stack && !(r & 31))
		return 0;
	if (r & 32)
		return in->asize == 2 ? NATIVE_SEL(NK_DATA16) : NATIVE_SS64;
	return NATIVE_SEL(kinds[(r >> 16) % n]);
}

void gen_segments(struct gen *g, const struct insn *in, struct native_state *s)
{
	uint64_t r = gen_random(g);
	bool flat = in->code == CODE_32 && in->asize == 4 && r & 1;

	s->seg[CPU_ES] = data_segment(g, in, false);
	s->seg[CPU_SS] = data_segment(g, in, true);
	s->seg[CPU_DS] = data_segment(g, in, false);
	s->seg[CPU_FS] = data_segment(g, in, false);
	s->seg[CPU_GS] = data_segment(g, in, false);
	if (flat)
		s->seg[CPU_ES] = s->seg[CPU_SS] = s->seg[CPU_DS] = NATIVE_SS64;
	switch (in->code) {
	case CODE_16:
		s->seg[CPU_CS] = NATIVE_SEL(NK_CODE16);
		break;
	case CODE_32:
		s->seg[CPU_CS] = flat || r & 2 ? NATIVE_CS32 :
			r & 28 ? NATIVE_SEL(NK_CODE32) : NATIVE_SEL(NK_EXEC32);
		break;
	case CODE_64:
		s->seg[CPU_CS] = NATIVE_CS64;
		s->seg[CPU_SS] = NATIVE_SS64;
		break;
	}
}
