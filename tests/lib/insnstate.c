/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insnstate.c - registers and memory for an instruction: operands where memory
 * is, at the edges of pages, where there is none; numbers at their own edges.
 */
#include "insngen.h"

#include <string.h>

#include "vmm/accel/soft/flags.h"

#define CANONICAL_END	0x800000000000ull
#define TASK_END	0x7ffffffff000ull

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

bool gen_has_parts(const struct insn *in)
{
	for (unsigned i = 0; i < 2; i++) {
		enum opnd_size size = OPND_SIZE(in->row->opnd[i]);

		if (in->mem && (size == S_P || size == S_A || size == S_T))
			return true;
	}
	return false;
}

/* AMD wants offsets to be canonical, Intel only sums with a base: there is
 * neither.
 */
static uint64_t pick_target(struct gen *g, const struct insn *in, unsigned len)
{
	uint64_t to = pick_any(g, len, in->asize < 8);

	/* Of such the CPU touches the parts in its own order. */
	if (len > 16)
		return TWIN_LOW + (to & 0xdff);
	if (gen_has_parts(in) && in->asize == 4 && to + len > UINT32_MAX)
		to -= TWIN_PAGE / 2;
	return in->code == CODE_64 && (in->seg >= CPU_FS || gen_has_parts(in)) &&
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

static uint64_t base_of(const struct insn *in, unsigned seg,
			const struct native_state *s)
{
	if (in->code != CODE_64)
		return native_ldt_base(s->seg[seg]);
	return seg == CPU_FS ? s->fs_base : seg == CPU_GS ? s->gs_base : 0;
}

/* What a register holds whose low `bytes` count: anything above them. */
static uint64_t widen(struct gen *g, uint64_t v, unsigned bytes)
{
	unsigned bits = 8 * bytes;

	return bytes == 8 ? v : (v & ((1ull << bits) - 1)) |
				gen_random(g) << bits;
}

/* Do `len` bytes lie across pages, or across the segment's limit? */
static bool is_parted(const struct cpu_segment *d, uint64_t off, unsigned len)
{
	uint64_t edge = (uint64_t)d->limit + 1, last = off + len - 1;

	return (off < edge) != (last < edge) || last >> 16 != off >> 16 ||
	       ((d->base + off) ^ (d->base + last)) >> 12;
}

/* Let all of it lie on one side. */
static uint64_t keep_whole(const struct cpu_segment *d, uint64_t off,
			   unsigned len)
{
	for (unsigned i = 0; i < 4 && is_parted(d, off, len); i++)
		off -= len;
	return (uint32_t)off;
}

/* The offset in segment `seg` that reaches `*to`, with addresses of `asize` bytes;
 * if none does, another one, and *to is where that leads.
 */
static uint64_t offset_to(struct gen *g, const struct gen_insn *gi,
			  const struct native_state *s, unsigned seg,
			  unsigned asize, unsigned len, uint64_t *to)
{
	uint64_t base = base_of(&gi->insn, seg, s), off = *to - base, r;
	struct cpu_segment d;

	if (gi->insn.code == CODE_64)
		return off;
	r = gen_random(g);
	off = (uint32_t)off;
	/* Away from the code: ours has other bytes behind it. */
	if (seg == CPU_CS) {
		*to = NATIVE_CODE + 0x1400 + r % 0x1000;
		return (uint32_t)(*to - base);
	}
	d = twin_segment(g->twin, s->seg[seg]);
	if (len <= 16 && gi->insn.op != OP_MASKMOVQ &&
	    gi->insn.op != OP_MASKMOVDQU && !(r & 15))
		/* Across the limit, or up to it. */
		off = d.limit + 1 - (r >> 8) % (len + 2) + (r >> 4 & 1);
	else if (asize == 2 && off > 0xffff)
		off = (r & 0xf0 ? TWIN_LOW - base : 0) + (r >> 8 & 0x1fff);
	if (asize == 2)
		off &= 0xffff;
	if (gen_has_parts(&gi->insn))
		off = keep_whole(&d, off, len);
	*to = (uint32_t)(base + off);
	return (uint32_t)off;
}

/* How many bytes of rSP count. */
static unsigned stack_bytes(const struct gen *g, const struct gen_insn *gi,
			    const struct native_state *s)
{
	if (gi->insn.code == CODE_64)
		return 8;
	return twin_segment(g->twin, s->seg[CPU_SS]).attr >> 14 & 1 ? 4 : 2;
}

/* rSP or rBP for the stack at `*to`. */
static void set_stack_reg(struct gen *g, const struct gen_insn *gi,
			  struct native_state *s, unsigned reg, uint64_t *to)
{
	unsigned bytes = stack_bytes(g, gi, s);
	uint64_t off = offset_to(g, gi, s, CPU_SS, bytes, 8, to);

	s->gpr[reg] = widen(g, off, bytes);
}

/* A stack that does not fault, be it pushed or popped; gives where it is. */
static uint64_t set_good_stack(struct gen *g, const struct gen_insn *gi,
			       struct native_state *s)
{
	uint64_t to = TWIN_LOW + 0x600 + gen_random(g) % 0x700;
	struct cpu_segment d;
	unsigned bytes;
	uint32_t off;

	if (gi->insn.code == CODE_64) {
		s->gpr[CPU_RSP] = to;
		return to;
	}
	d = twin_segment(g->twin, s->seg[CPU_SS]);
	off = (uint32_t)(to - d.base);
	bytes = stack_bytes(g, gi, s);
	if ((bytes == 2 && off > 0xffff) || is_parted(&d, off - 160, 320) ||
	    (d.attr & 4 ? off <= d.limit : off > d.limit)) {
		s->seg[CPU_SS] = NATIVE_SEL(NK_DATA16);
		off = (uint32_t)(to - native_ldt_base(s->seg[CPU_SS]));
		bytes = 2;
	}
	s->gpr[CPU_RSP] = widen(g, off, bytes);
	return to;
}

/* Would a relative call leave its segment?  Which is first, that fault or the
 * stack's, is the CPU's own matter.
 */
static bool call_faults(const struct gen *g, const struct gen_insn *gi,
			const struct native_state *s)
{
	const struct insn *in = &gi->insn;
	struct cpu_segment cs = twin_segment(g->twin, s->seg[CPU_CS]);
	uint64_t to = NATIVE_CODE + gi->offset + gi->len - cs.base + in->imm;

	to &= in->osize == 2 ? 0xffff : 0xffffffff;
	return in->code != CODE_64 && to > cs.limit;
}

/* Must the stack be a good one? */
static bool wants_stack(struct gen *g, const struct gen_insn *gi,
			const struct native_state *s)
{
	switch (gi->insn.op) {
	case OP_CALL:
		return call_faults(g, gi, s);
	case OP_CALL_FAR: case OP_RET_FAR: case OP_IRET:
		return true;
	case OP_PUSHA: case OP_POPA:
		return gen_random(g) & 3;
	default:
		return false;
	}
}

/* Where the memory operand begins, with the bits that its bit string adds. */
static uint64_t reached(const struct gen_insn *gi, const struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t off = bit_offset(in, s) + (uint64_t)in->disp, at;

	if (in->base == REG_RIP)
		off += NATIVE_CODE + gi->offset + gi->len;
	else if (in->base != REG_NONE)
		off += s->gpr[in->base];
	if (in->index != REG_NONE)
		off += s->gpr[in->index] << in->scale;
	if (in->asize < 8)
		off &= (1ull << 8 * in->asize) - 1;
	at = off + base_of(in, in->seg, s);
	return in->code == CODE_64 ? at : (uint32_t)at;
}

/* Let the memory operand begin at `*to`, or near it if registers cannot do that:
 * then *to is where it does.
 */
static void aim(struct gen *g, const struct gen_insn *gi, uint64_t *to,
		struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t off = offset_to(g, gi, s, in->seg, in->asize, access_len(in),
				 to);

	off -= bit_offset(in, s) + (uint64_t)in->disp;
	if (in->base == REG_RIP || in->base == REG_NONE) {
		if (in->index != REG_NONE)
			s->gpr[in->index] = widen(g, off >> in->scale,
						  in->asize);
	} else {
		if (in->index == in->base)
			off /= 1 + (1ull << in->scale);
		else if (in->index != REG_NONE)
			off -= s->gpr[in->index] << in->scale;
		s->gpr[in->base] = widen(g, off, in->asize);
	}
	*to = reached(gi, s);
}

/* For LAR: without limit bits 16 to 19, which are undefined in its result. */
static uint16_t some_selector(struct gen *g, const struct insn *in)
{
	uint16_t sel;

	do
		sel = gen_selector(g);
	while (in->op == OP_LAR && twin_segment(g->twin, sel | 3).limit > 0xffff);
	return sel;
}

/* A selector, or a far pointer. */
static void poke_far(struct gen *g, const struct gen_insn *gi, uint8_t buf[32])
{
	const struct insn *in = &gi->insn;
	bool code = in->op == OP_JMP_FAR || in->op == OP_CALL_FAR;
	uint16_t sel = code ? gen_far_selector(g, in) : some_selector(g, in);
	unsigned n = OPND_SIZE(in->row->opnd[code ? 0 : 1]) == S_P ?
			in->osize : 0;
	uint64_t v;

	if (code) {
		v = gen_code_target(g, gi) - native_ldt_base(sel);
		memcpy(buf, &v, n);
	}
	memcpy(buf + n, &sel, 2);
}

/* What lies where the instruction will look. */
static void poke(struct gen *g, struct twin *t, const struct gen_insn *gi,
		 uint64_t at, const struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint8_t buf[32];

	for (unsigned i = 0; i < 32; i += 8) {
		uint64_t v = gen_value(g);

		memcpy(buf + i, &v, 8);
	}
	if (gen_uses_fpu(in)) {
		gen_vector(g, buf);
		if (IS_X87(in->op) && access_len(in) == 10)
			gen_float80(g, buf);
	}
	if (in->op == OP_CMPXCHG && gen_random(g) & 1)
		memcpy(buf, &s->gpr[CPU_RAX], 8);
	if (in->op == OP_CMPXCHG8B && gen_random(g) & 1) {
		unsigned half = in->rex & 8 ? 8 : 4;

		memcpy(buf, &s->gpr[CPU_RAX], half);
		memcpy(buf + half, &s->gpr[CPU_RDX], half);
	}
	if (gen_uses_segments(in))
		poke_far(g, gi, buf);
	/* AMD's MXCSR has a bit more. */
	if (in->op == OP_LDMXCSR)
		buf[2] &= 0xfd;
	if (in->op == OP_FXRSTOR)
		buf[26] &= 0xfd;
	twin_poke(t, at, buf, 32);
}

/* Of RETF to another ring the rest of the stack is read first, or last; and to 64-bit
 * code the new stack pointer is cut in the old way, or the new.
 */
static uint16_t return_selector(struct gen *g, const struct gen_insn *gi,
				const struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint16_t cs = gen_code_selector(g);

	if (in->op == OP_RET_FAR && (in->imm > 0x7f || s->rflags & EFL_AC))
		cs |= 3;
	if (in->op == OP_RET_FAR && (cs | 3) == NATIVE_CS64 &&
	    stack_bytes(g, gi, s) == 2)
		cs = NATIVE_CS32;
	return cs;
}

/* What RETF and IRET pop. */
static void poke_return(struct gen *g, struct twin *t,
			const struct gen_insn *gi, uint64_t at,
			const struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint16_t cs = return_selector(g, gi, s);
	uint64_t v[5] = { gen_code_target(g, gi) - native_ldt_base(cs), cs,
		gen_value(g) & ~0x100ull,	/* without TF */
		TWIN_LOW + 0x800, NATIVE_SS64 };

	if (!(gen_random(g) & 15))
		v[4] = gen_selector(g);
	for (unsigned i = 0; i < 5; i++)
		twin_poke(t, at + i * in->osize, &v[i], in->osize);
}

/* The stack, as those use it that do so without saying. */
static void set_stack(struct gen *g, struct twin *t, const struct gen_insn *gi,
		      struct native_state *s)
{
	const struct insn *in = &gi->insn;
	bool low = in->code != CODE_64;
	uint64_t at = pick_any(g, 16, low), v = gen_value(g), bp;

	if (in->op == OP_RET && gen_random(g) & 3)
		v = gen_code_target(g, gi) - base_of(in, CPU_CS, s);
	/* Some CPUs push 16 of the 32 bits. */
	if (in->op == OP_PUSH_SEG)
		v = 0;
	if (in->op == OP_POP_SEG)
		v = (v & ~0xffffull) | gen_selector(g);
	if (wants_stack(g, gi, s)) {
		at = set_good_stack(g, gi, s);
		if (in->op == OP_CALL)	/* #AC would be the stack's fault */
			s->rflags &= ~(uint64_t)EFL_AC;
	} else if (in->op == OP_PUSHA || in->op == OP_POPA) {
		s->seg[CPU_SS] = NATIVE_SEL(NK_DATA16);
		s->gpr[CPU_RSP] = widen(g, 0x800, 2);	/* nothing is there */
	} else {
		set_stack_reg(g, gi, s, CPU_RSP, &at);
	}
	if (in->op == OP_POPF)
		v &= ~0x100ull;		/* no steps: without TF */
	/* Of 4 bytes some CPUs write, and check, but 2. */
	if (in->op == OP_PUSH_SEG && in->osize == 4) {
		at = set_good_stack(g, gi, s);
		s->rflags &= ~(uint64_t)EFL_AC;
	}
	twin_poke(t, at, &v, 8);
	if (in->op == OP_RET_FAR || in->op == OP_IRET)
		poke_return(g, t, gi, at, s);
	switch (in->op) {
	case OP_PUSH: case OP_CALL: case OP_CALL_IND: case OP_PUSHF:
	case OP_PUSH_SEG: case OP_ENTER: case OP_CALL_FAR:
		s->gpr[CPU_RSP] += in->op == OP_ENTER ? 72 : 8;
		break;
	case OP_PUSHA:
		s->gpr[CPU_RSP] += 8 * in->osize;
		break;
	default:
		break;
	}
	if (in->op == OP_ENTER || in->op == OP_LEAVE) {
		bp = pick_any(g, 16, low);
		if (in->op == OP_ENTER && gen_random(g) & 7)
			bp = TWIN_LOW + 512 + (v & 0x1ff);
		set_stack_reg(g, gi, s, CPU_RBP, &bp);
	}
}

static bool uses_stack(const struct insn *in)
{
	switch (in->op) {
	case OP_PUSH: case OP_POP: case OP_PUSHF: case OP_POPF: case OP_CALL:
	case OP_CALL_IND: case OP_RET: case OP_ENTER: case OP_LEAVE:
	case OP_PUSH_SEG: case OP_PUSHA: case OP_POPA: case OP_POP_SEG:
	case OP_RET_FAR: case OP_IRET: case OP_CALL_FAR:
		return true;
	default:
		return false;
	}
}

static void poke_alike(struct twin *t, const struct insn *in, uint64_t from,
		       uint64_t to, uint64_t r, const struct native_state *s)
{
	uint64_t acc = s->gpr[CPU_RAX];
	uint8_t same[64];

	if (in->op == OP_CMPS && r >> 40 & 1) {
		for (unsigned i = 0; i < 64; i++)
			same[i] = (uint8_t)(r >> (i & 3));
		twin_poke(t, from, same, 64);
		twin_poke(t, to, same, r >> 41 & 63);
	}
	if (in->op == OP_SCAS && r >> 40 & 1)
		twin_poke(t, to, (uint64_t[]){ acc, acc, acc }, 24);
}

/* Of a comparison's two operands one does not fault. */
static void aim_good(const struct insn *in, struct native_state *s, bool source,
		     uint64_t *from, uint64_t *to)
{
	unsigned seg = source ? in->seg : CPU_ES;

	s->seg[seg] = NATIVE_SEL(NK_DATA16);
	*(source ? from : to) = TWIN_RO - native_ldt_base(s->seg[seg]) + 5;
}

static void set_strings(struct gen *g, struct twin *t,
			const struct gen_insn *gi, struct native_state *s)
{
	const struct insn *in = &gi->insn;
	uint64_t r = gen_random(g), n = r & 7 ? r >> 8 & 31 : r >> 8 & 1023;
	uint64_t from = pick_target(g, in, 8), off_from, off_to;
	uint64_t to = pick_any(g, 8, in->asize < 8);

	if (!(r >> 3 & 7))
		to = from + (r >> 32 & 31) - 16;	/* they overlap */
	/* Which of two faults is first depends on the CPU, and on REP. */
	if (in->op == OP_CMPS)
		*(r >> 43 & 1 ? &from : &to) = TWIN_RO + (r >> 44 & 7);
	else if (!(r >> 42 & 63))
		n = gen_value(g);
	off_from = offset_to(g, gi, s, in->seg, in->asize, 8, &from);
	off_to = offset_to(g, gi, s, CPU_ES, in->asize, 8, &to);
	if (in->op == OP_CMPS && in->code != CODE_64)
		aim_good(in, s, r >> 43 & 1 && in->seg != CPU_CS, &off_from,
			 &off_to);
	if (!(r >> 6 & 3))
		poke(g, t, gi, to, s);
	poke_alike(t, in, from, to, r, s);
	if (in->op == OP_MOVS || in->op == OP_CMPS)
		s->rflags &= ~(uint64_t)EFL_AC;		/* or #PF first? */
	if (in->code != CODE_64 && in->seg == CPU_CS)
		s->rflags &= ~(uint64_t)EFL_DF;		/* away from the code */
	s->gpr[CPU_RSI] = widen(g, off_from, in->asize);
	s->gpr[CPU_RDI] = widen(g, off_to, in->asize);
	s->gpr[CPU_RCX] = widen(g, n, in->asize);
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

	if (in->code != CODE_64 || gen_uses_segments(in))
		gen_segments(g, in, s);
	s->fs_base = s->gs_base = 0;
	/* AMD keeps the base where a null selector is loaded. */
	if (in->code != CODE_64 || gen_uses_segments(in))
		return;
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

	if (access_len(in) > 16 && in->code != CODE_64 && in->seg != CPU_CS)
		s->seg[in->seg] = NATIVE_SEL(in->asize == 2 ? NK_DATA16 :
					     NK_ODD32);
	if (wants_alignment(in) && gen_random(g) & 15)
		to &= ~15ull;
	aim(g, gi, &to, s);
	/* Is it #GP or #PF, where it goes on at 0?  AMD looks at the base's sign. */
	if (in->code == CODE_64 && to + access_len(in) - 1 < to) {
		s->fs_base = s->gs_base = 0;
		to = reached(gi, s);
	}
	/* Its stack must stay a good one: which push of two faults, and how? */
	if (in->op == OP_CALL_FAR && in->base == CPU_RSP) {
		set_good_stack(g, gi, s);
		to = reached(gi, s);
	}
	poke(g, t, gi, to, s);
	if ((in->op == OP_JMP_IND || in->op == OP_CALL_IND) &&
	    gen_random(g) & 3) {
		uint64_t v = gen_code_target(g, gi) - base_of(in, CPU_CS, s);

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
		set_good_stack(g, gi, s);
	else
		s->gpr[in->rm] = gen_code_target(g, gi) -
				 base_of(in, CPU_CS, s);
}

/* Where a register holds a selector. */
static void set_selectors(struct gen *g, const struct insn *in,
			  struct native_state *s)
{
	uint16_t sel = some_selector(g, in);

	memcpy(&s->gpr[in->rm], &sel, 2);
	if (in->op == OP_ARPL)
		s->gpr[in->reg] ^= gen_random(g) & 3;
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
	if (in->op == OP_XLAT) {
		r = pick_target(g, in, 1);
		s->gpr[CPU_RBX] = widen(g, offset_to(g, gi, s, in->seg,
						     in->asize, 1, &r) -
					   (uint8_t)s->gpr[CPU_RAX], in->asize);
	}
	/* Whether bytes that are not stored fault is the CPU's own matter. */
	if (in->op == OP_MASKMOVQ || in->op == OP_MASKMOVDQU) {
		r = TWIN_LOW + (r >> 20) % (TWIN_PAGE * 2 - 16);
		if (in->code != CODE_64 && in->seg != CPU_CS)
			s->seg[in->seg] = NATIVE_SEL(NK_DATA16);
		s->gpr[CPU_RDI] = widen(g, offset_to(g, gi, s, in->seg,
						     in->asize, 16, &r),
					in->asize);
	}
	if (IS_STRING(in->op) || in->op == OP_INS || in->op == OP_OUTS)
		set_strings(g, t, gi, s);
	if (uses_stack(in))
		set_stack(g, t, gi, s);
	if (in->mem)
		set_operand(g, t, gi, s);
	if (in->op == OP_CALL_IND)
		set_call(g, gi, s);
	if (gen_uses_segments(in) && !in->mem && in->has_modrm)
		set_selectors(g, in, s);
	for (unsigned i = 0; in->code != CODE_64 && i < 16; i++)
		s->gpr[i] = (uint32_t)s->gpr[i];
	if (gen_uses_fpu(in))
		gen_fpu(g, in, s->fxsave);
}
