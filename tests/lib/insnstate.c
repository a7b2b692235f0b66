/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insnstate.c - registers and memory for an instruction: operands where memory
 * is, at the edges of pages, where there is none; numbers at their own edges.
 */
#include "insngen.h"

#include <string.h>

#include "vmm/accel/soft/flags.h"

#define CANONICAL_END	0x800000000000ull
#define TASK_END	0x7ffffffff000ull

/* x87 and SSE. */

static void put_float32(struct gen *g, uint8_t *p)
{
	static const uint32_t some[] = { 0, 0x80000000, 0x3f800000, 0xbf800000,
		0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00001, 0xffffffff, 1,
		0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000,
		0x5f000000, 0x3f000000, 0x40490fdb, 0x4b000001, 0x33800000 };
	uint32_t v = (uint32_t)gen_random(g);

	if (v & 1)
		v = some[(v >> 8) % 20];
	else if (v & 2)
		v = (v & 0x807fffff) | (0x78u + (v >> 4 & 15)) << 23;
	memcpy(p, &v, 4);
}

static void put_float64(struct gen *g, uint8_t *p)
{
	static const uint64_t some[] = { 0, 1ull << 63, 0x3ff0000000000000,
		0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff4000000000001, UINT64_MAX, 1,
		0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
		0x41e0000000000000, 0xc1e0000000000000, 0x43e0000000000000,
		0x3fe0000000000000, 0x4330000000000001, 0x36a0000000000000,
		0x47efffffe0000000 };
	uint64_t v = gen_random(g);

	if (v & 1)
		v = some[(v >> 8) % 20];
	else if (v & 2)
		v = (v & 0x800fffffffffffff) | (0x3f8 + (v >> 4 & 15)) << 52;
	memcpy(p, &v, 8);
}

static void put_float80(struct gen *g, uint8_t *p)
{
	static const uint16_t exponents[] = { 0, 1, 0x3ffe, 0x3fff, 0x4000,
		0x403d, 0x403e, 0x4040, 0x7ffe, 0x7fff, 0x3fc0, 0x3c00, 0x43ff,
		0x401e, 0x3f80, 0x407f };
	uint64_t r = gen_random(g), m = gen_value(g);
	uint16_t e = exponents[r & 15];

	if (r & 16)
		e = (uint16_t)(0x3ff0 + (r >> 8 & 31));
	if (r & 0xe0)
		m |= e ? 1ull << 63 : 0;	/* else invalid ones too */
	e |= (uint16_t)(r >> 1 & 0x8000);
	memcpy(p, &m, 8);
	memcpy(p + 8, &e, 2);
}

/* 16 bytes of a vector, of integers or of floating point. */
static void put_vector(struct gen *g, uint8_t *p)
{
	uint64_t v[2] = { gen_value(g), gen_value(g) };
	unsigned kind = gen_random(g) & 3;

	memcpy(p, v, 16);
	for (unsigned i = 0; kind == 1 && i < 16; i += 4)
		put_float32(g, p + i);
	for (unsigned i = 0; kind == 2 && i < 16; i += 8)
		put_float64(g, p + i);
}

static bool keeps_masks(const struct insn *in)
{
	return in->op == OP_DPPS || in->op == OP_DPPD ||
	       in->op == OP_CVTPI2PS || in->op == OP_CVTPD2PI || in->op == OP_CVTTPD2PI ||
	       in->op == OP_CVTPS2PI || in->op == OP_CVTTPS2PI;
}

void gen_fpu(struct gen *g, const struct insn *in, uint8_t fx[512])
{
	uint64_t r = gen_random(g);
	uint16_t cw = (uint16_t)(0x37f | (r & 0xc00)), sw;
	uint32_t mxcsr = 0x1f80 | (r >> 16 & 0xe03f) | (r >> 22 & 0x40);

	if (!(r & 7ull << 40))
		cw &= (uint16_t)~0x300;
	if (!(r & 7ull << 43))
		cw &= (uint16_t)~0x100;
	if (!(r >> 50 & 31))
		cw &= (uint16_t)~(r >> 56 & 0x3f);
	if (!(r >> 45 & 31))
		mxcsr &= ~((uint32_t)(r >> 57) << 7 & 0x1380);
	/* Is the MMX state entered even so, is the sum's flag set even so? */
	if (keeps_masks(in))
		mxcsr |= 0x1f80;
	r = gen_random(g);
	/* No exception may be pending. */
	sw = (uint16_t)((r & 0x7f00) | (r >> 16 & 0x3f & cw));
	sw &= 0x7f7f;
	if (r >> 63)
		sw |= r >> 62 & 1 ? 0x41 & (cw | 0x40) : 0;
	if (sw & 0x3f & ~cw)
		sw &= (uint16_t)~0x3f;
	memset(fx, 0, 512);
	memcpy(fx, &cw, 2);
	memcpy(fx + 2, &sw, 2);
	fx[4] = r >> 60 & 3 ? (uint8_t)(r >> 32) : r >> 62 ? 0xff : 0;
	if (r >> 58 & 1)
		fx[4] |= (uint8_t)(3 << (sw >> 11 & 7) | 3 >> (8 - (sw >> 11 & 7)));
	memcpy(fx + 24, &mxcsr, 4);
	memcpy(fx + 28, &(uint32_t){ 0xffff }, 4);
	for (unsigned i = 0; i < 8; i++) {
		if (IS_X87(in->op))
			put_float80(g, fx + 32 + 16 * i);
		else
			put_vector(g, fx + 32 + 16 * i);
		memset(fx + 32 + 16 * i + 10, 0, 6);
	}
	for (unsigned i = 160; i < 416; i += 16)
		put_vector(g, fx + i);
}

/* Memory operands. */

/* The most bytes that an operand has. */
static unsigned access_len(const struct insn *in)
{
	unsigned n = 1;

	for (unsigned i = 0; i < 3; i++)
		if (in->row->opnd[i] && insn_opnd_mem(in, i)) {
			n = insn_opnd_bytes(in, i);
			if (OPND_SIZE(in->row->opnd[i]) == S_BLOB)
				n = 512;
		}
	if (in->op == OP_CMPXCHG8B)
		n = in->rex & 8 ? 16 : 8;
	return n ? n : 8;
}

static bool wants_alignment(const struct insn *in)
{
	for (unsigned i = 0; i < 3; i++)
		if (in->row->opnd[i] && insn_opnd_mem(in, i) &&
		    (OPND_SIZE(in->row->opnd[i]) == S_X ||
		     OPND_SIZE(in->row->opnd[i]) == S_BLOB))
			return true;
	return in->op == OP_CMPXCHG8B && in->rex & 8;
}

static const struct { uint64_t lin, len; } areas[] = {
	{ TWIN_LOW, 2 * TWIN_PAGE }, { TWIN_RO + TWIN_PAGE, TWIN_PAGE },
	{ TWIN_TOP32, TWIN_PAGE }, { TWIN_HIGH, 2 * TWIN_PAGE },
};

/* Addresses where something ends. */
static const uint64_t edges[] = {
	TWIN_LOW + TWIN_PAGE, TWIN_TOP32 + TWIN_PAGE, TWIN_LOW,
	TWIN_RO + 2 * TWIN_PAGE, TWIN_RO, TWIN_RO + TWIN_PAGE, TWIN_TOP32,
	TWIN_HIGH + 2 * TWIN_PAGE, TWIN_HIGH, TWIN_HIGH + TWIN_PAGE,
	CANONICAL_END, -CANONICAL_END,
};

/* A linear address for `len` bytes. */
static uint64_t pick_any(struct gen *g, unsigned len, bool low)
{
	uint64_t r = gen_random(g);
	unsigned a = (unsigned)(r >> 8) % (low ? 3 : 4);
	uint64_t at = (r >> 16) % (areas[a].len - len + 1);

	switch (r & 31) {
	case 0:		/* across an edge, or up to it */
		at = edges[(r >> 16) % (low ? 7 : 12)];
		return at - (r >> 32) % (len + 1);
	case 1: case 2:	/* across pages that are there */
		at = low || r & 256 ? edges[0] : edges[9];
		return at - (r >> 32) % (len + 1);
	case 3: case 4:	/* the last bytes, or the first */
		return areas[a].lin + (r & 512 ? 0 : areas[a].len - len);
	case 5:
		return r & 3072 ? areas[a].lin + at :
		       TWIN_RO + (r >> 16) % (TWIN_PAGE - len + 1);
	case 6:
		if (!(r >> 60))
			return gen_value(g);
		break;
	}
	return areas[a].lin + at;
}

/* AMD wants offsets to be canonical, Intel only sums with a base: there is
 * neither.
 */
static uint64_t pick_target(struct gen *g, const struct insn *in, unsigned len)
{
	uint64_t to = pick_any(g, len, in->asize == 4);

	/* Of such the CPU touches the parts in its own order. */
	if (len > 16)
		return TWIN_LOW + (to & 0xdff);
	/* Ten bytes are two accesses to AMD, each with its own fault. */
	if (len == 10 && in->asize == 4 && to + len > UINT32_MAX)
		to -= TWIN_PAGE / 2;
	return (in->seg >= CPU_FS || len == 10) &&
	       to >= TASK_END - TWIN_PAGE ? TWIN_HIGH : to;
}

/* A byte offset that the instruction adds to its operand's: bit strings. */
static uint64_t bit_offset(const struct insn *in, const struct native_state *s)
{
	unsigned bits = in->osize * 8u, shift = 64 - bits;
	int64_t n;

	if ((in->op != OP_BT && in->op != OP_BTS && in->op != OP_BTR &&
	     in->op != OP_BTC) || OPND_KIND(in->row->opnd[1]) != K_G)
		return 0;
	n = (int64_t)(s->gpr[in->reg] << shift) >> shift;
	return (uint64_t)(n >> (3 + __builtin_ctz(in->osize))) * in->osize;
}

static uint64_t segment_base(const struct insn *in,
			     const struct native_state *s)
{
	return in->seg == CPU_FS ? s->fs_base :
	       in->seg == CPU_GS ? s->gs_base : 0;
}

/* Let the memory operand begin at `to`, if registers can do that. */
static void aim(struct gen *g, const struct gen_insn *gi, uint64_t to,
		struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t off = to - segment_base(in, s) - bit_offset(in, s) -
		       (uint64_t)in->disp;
	uint64_t high = in->asize == 4 ? gen_random(g) << 32 : 0;

	if (in->base == REG_RIP || in->base == REG_NONE) {
		if (in->index != REG_NONE)
			s->gpr[in->index] = (off >> in->scale) ^ high;
		return;
	}
	if (in->index == in->base)
		off /= 1 + (1ull << in->scale);
	else if (in->index != REG_NONE)
		off -= s->gpr[in->index] << in->scale;
	if (in->asize == 4)
		off = (uint32_t)off | high;
	s->gpr[in->base] = off;
}

/* What lies where the instruction will look. */
static void poke(struct gen *g, struct twin *t, const struct insn *in,
		 uint64_t at, const struct native_state *s)
{
	uint8_t buf[32];

	for (unsigned i = 0; i < 32; i += 8) {
		uint64_t v = gen_value(g);

		memcpy(buf + i, &v, 8);
	}
	if (gen_uses_fpu(in)) {
		put_vector(g, buf);
		if (IS_X87(in->op) && access_len(in) == 10)
			put_float80(g, buf);
	}
	if (in->op == OP_CMPXCHG && gen_random(g) & 1)
		memcpy(buf, &s->gpr[CPU_RAX], 8);
	if (in->op == OP_CMPXCHG8B && gen_random(g) & 1) {
		unsigned half = in->rex & 8 ? 8 : 4;

		memcpy(buf, &s->gpr[CPU_RAX], half);
		memcpy(buf + half, &s->gpr[CPU_RDX], half);
	}
	/* AMD's MXCSR has a bit more. */
	if (in->op == OP_LDMXCSR)
		buf[2] &= 0xfd;
	if (in->op == OP_FXRSTOR)
		buf[26] &= 0xfd;
	twin_poke(t, at, buf, 32);
}

/* Where an indirect jump may go: not to itself, nor into what the host has
 * behind it.
 */
static uint64_t code_target(struct gen *g, const struct gen_insn *gi)
{
	uint64_t to;

	do
		to = gen_random(g) % NATIVE_CODE_LEN;
	while (to + 16 > gi->offset && to < gi->offset + gi->len + 8);
	return NATIVE_CODE + to;
}

/* The stack, as those use it that do so without saying. */
static void set_stack(struct gen *g, struct twin *t, const struct gen_insn *gi,
		      struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t at = pick_any(g, 16, false), v = gen_value(g);

	if (in->op == OP_RET && gen_random(g) & 3)
		v = code_target(g, gi);
	/* No steps: TF is not set by what is poked, nor by what cannot be. */
	if (in->op == OP_POPF) {
		v &= ~0x100ull;
		if (at + 8 > TWIN_RO && at < TWIN_RO + TWIN_PAGE)
			at -= TWIN_PAGE + 8;
	}
	twin_poke(t, at, &v, 8);
	s->gpr[CPU_RSP] = at;
	switch (in->op) {
	case OP_PUSH: case OP_CALL: case OP_CALL_IND: case OP_PUSHF:
	case OP_PUSH_SEG: case OP_ENTER:
		s->gpr[CPU_RSP] += in->op == OP_ENTER ? 72 : 8;
		break;
	default:
		break;
	}
	if (in->op == OP_ENTER || in->op == OP_LEAVE) {
		s->gpr[CPU_RBP] = pick_any(g, 16, false);
		if (in->op == OP_ENTER && gen_random(g) & 7)
			s->gpr[CPU_RBP] = TWIN_LOW + 512 + (v & 0x1ff);
	}
}

static bool uses_stack(const struct insn *in)
{
	switch (in->op) {
	case OP_PUSH: case OP_POP: case OP_PUSHF: case OP_POPF: case OP_CALL:
	case OP_CALL_IND: case OP_RET: case OP_ENTER: case OP_LEAVE:
	case OP_PUSH_SEG: case OP_PUSHA: case OP_POPA:
		return true;
	default:
		return false;
	}
}

static void set_strings(struct gen *g, struct twin *t, const struct insn *in,
			struct native_state *s)
{
	uint64_t r = gen_random(g), n = r & 7 ? r >> 8 & 31 : r >> 8 & 1023;
	bool low = in->asize == 4;
	uint64_t from = pick_target(g, in, 8), to = pick_any(g, 8, low);

	if (!(r >> 3 & 7))
		to = from + (r >> 32 & 31) - 16;	/* they overlap */
	if (!(r >> 6 & 3))
		poke(g, t, in, to, s);
	if (in->op == OP_CMPS && r >> 40 & 1) {
		uint8_t same[64];

		for (unsigned i = 0; i < 64; i++)
			same[i] = (uint8_t)(r >> (i & 3));
		twin_poke(t, from, same, 64);
		twin_poke(t, to, same, r >> 41 & 63);
	}
	if (in->op == OP_SCAS && r >> 40 & 1)
		twin_poke(t, to, (uint64_t[]){ s->gpr[CPU_RAX],
			s->gpr[CPU_RAX], s->gpr[CPU_RAX] }, 24);
	/* Which of two faults is first depends on the CPU, and on REP. */
	if (in->op == OP_CMPS)
		*(r >> 43 & 1 ? &from : &to) = TWIN_RO + (r >> 44 & 7);
	else if (!(r >> 42 & 63))
		n = gen_value(g);
	if (in->op == OP_MOVS || in->op == OP_CMPS)
		s->rflags &= ~(uint64_t)EFL_AC;		/* or #PF first? */
	if (low) {
		uint64_t high = gen_random(g) << 32;

		from = (uint32_t)from | high;
		to = (uint32_t)to | high;
		n = (uint32_t)n | high;
	}
	s->gpr[CPU_RSI] = from - segment_base(in, s);
	if (low)
		s->gpr[CPU_RSI] = (uint32_t)s->gpr[CPU_RSI] | from >> 32 << 32;
	s->gpr[CPU_RDI] = to;
	s->gpr[CPU_RCX] = n;
}

/* A division that does not overflow. */
static void set_division(const struct insn *in, struct native_state *s)
{
	if (insn_opnd_bytes(in, 0) == 1)
		s->gpr[CPU_RAX] &= ~0xff80ull;
	else if (in->op == OP_DIV)
		s->gpr[CPU_RDX] = 0;
	else
		s->gpr[CPU_RDX] = (uint64_t)((int64_t)(s->gpr[CPU_RAX] <<
			(64 - 8 * in->osize)) >> 63);
}

/* So small that offsets are canonical too: some CPUs want that. */
static uint64_t small_base(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 23) >> 23);
}

static void set_bases(struct gen *g, const struct insn *in,
		      struct native_state *s)
{
	uint64_t v = gen_value(g);

	if (in->asize == 4)
		v %= TWIN_LOW;
	else
		v = small_base(v);
	if (access_len(in) > 16 && in->base == REG_RIP)
		v = 0;
	s->fs_base = in->seg == CPU_FS ? v : 0;
	s->gs_base = in->seg == CPU_GS ? v : 0;
	/* Nothing else decides about the address. */
	if (in->mem && in->base == REG_NONE && in->index == REG_NONE) {
		uint64_t off = in->asize == 4 ? (uint32_t)in->disp :
						(uint64_t)in->disp;

		v = pick_target(g, in, access_len(in)) - off;
		v = small_base(v);
		s->fs_base = in->seg == CPU_FS ? v : 0;
		s->gs_base = in->seg == CPU_GS ? v : 0;
	}
}

static void set_operand(struct gen *g, struct twin *t,
			const struct gen_insn *gi, struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t to = pick_target(g, in, access_len(in));

	/* Which is first, #SS or that #GP?  (CMPXCHG16B does not know yet.) */
	if (wants_alignment(in) &&
	    (gen_random(g) & 15 || to >= TASK_END - TWIN_PAGE))
		to &= ~15ull;
	aim(g, gi, to, s);
	poke(g, t, in, to, s);
	if ((in->op == OP_JMP_IND || in->op == OP_CALL_IND) &&
	    gen_random(g) & 3) {
		uint64_t v = code_target(g, gi);

		twin_poke(t, to, &v, 8);
	}
}

/* Which is first, the stack's fault or that of the target, is the CPU's own
 * matter: there is only one of them.
 */
static void set_call(struct gen *g, const struct gen_insn *gi,
		     struct native_state *s)
{
	const struct insn *in = &gi->insn;

	if (in->mem || gen_random(g) & 1)
		s->gpr[CPU_RSP] = TWIN_LOW + 512 + gen_random(g) % 512;
	else
		s->gpr[in->rm] = code_target(g, gi);
}

void gen_state(struct gen *g, struct twin *t, const struct gen_insn *gi,
	       struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t r = gen_random(g);

	for (unsigned i = 0; i < 16; i++)
		s->gpr[i] = gen_value(g);
	if (!(r & 3))
		s->gpr[r >> 8 & 15] = s->gpr[r >> 12 & 15];
	s->rflags = r >> 16 & (EFL_STATUS | EFL_DF);
	/* 16 bytes that are not aligned are the CPU's own matter. */
	if (!(r >> 40 & 63) && in->op != OP_MASKMOVQ &&
	    in->op != OP_MASKMOVDQU && in->op != OP_CALL_IND &&
	    (!gen_uses_fpu(in) || access_len(in) < 16))
		s->rflags |= r >> 30 & (EFL_AC | 0x200000);
	set_bases(g, in, s);
	if ((in->op == OP_SHLD || in->op == OP_SHRD) && in->osize == 2)
		s->gpr[CPU_RCX] = (s->gpr[CPU_RCX] & ~0x1full) | (r >> 32 & 15);
	if ((in->op == OP_DIV || in->op == OP_IDIV) && r >> 36 & 7)
		set_division(in, s);
	if ((in->op == OP_LOOP || in->op == OP_JCXZ) && r & 1)
		s->gpr[CPU_RCX] = r >> 8 & 1;
	if (bit_offset(in, s) && r >> 36 & 3)
		s->gpr[in->reg] = r >> 50;
	if (in->op == OP_XLAT)
		s->gpr[CPU_RBX] = pick_target(g, in, 1) -
				  segment_base(in, s) -
				  (uint8_t)s->gpr[CPU_RAX];
	/* Whether bytes that are not stored fault is the CPU's own matter. */
	if (in->op == OP_MASKMOVQ || in->op == OP_MASKMOVDQU)
		s->gpr[CPU_RDI] = TWIN_LOW + (r >> 20) % (TWIN_PAGE * 2 - 16) -
				  segment_base(in, s);
	if (IS_STRING(in->op) || in->op == OP_INS || in->op == OP_OUTS)
		set_strings(g, t, in, s);
	if (uses_stack(in))
		set_stack(g, t, gi, s);
	if (in->mem)
		set_operand(g, t, gi, s);
	if (in->op == OP_CALL_IND)
		set_call(g, gi, s);
	if (gen_uses_fpu(in))
		gen_fpu(g, in, s->fxsave);
}
