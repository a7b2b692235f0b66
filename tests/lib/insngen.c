/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insngen.c - the bytes of random instructions.  Intel SDM volume 2, chapter 2 and
 * the decoder's own table.
 */
#include "insngen.h"

#include "tests/check.h"

#define TRIES 40

uint64_t gen_random(struct gen *g)
{
	uint64_t z = g->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t any_value(struct gen *g)
{
	uint64_t r = gen_random(g);
	unsigned bit = r >> 8 & 63;

	switch (r & 15) {
	case 0: return 0;
	case 1: return 1;
	case 2: return UINT64_MAX;
	case 3: return 1ull << bit;
	case 4: return (1ull << bit) - 1;
	case 5: return -(1ull << bit);
	case 6: return ~(1ull << bit);
	case 7: return bit;
	case 8: return (uint64_t)(int64_t)(int32_t)(r >> 32);
	case 9: return (uint64_t)(int64_t)(int8_t)(r >> 16);
	case 10: return (r >> 16 & 0xff) * 0x0101010101010101u;
	case 11: return gen_random(g) & gen_random(g);
	default: return gen_random(g);
	}
}

static uint64_t make_value(struct gen *g)
{
	uint64_t v = any_value(g);

	/* Where the host's copy of the code has its own end, and what only it has. */
	return v - (NATIVE_CODE - 256) < NATIVE_CODE_LEN + 8192 ||
	       v - (NATIVE_LANDING - 256) < 8192 ||
	       (uint16_t)(v - GEN_OFFSET) < 0x40 ? 0 : v;
}

uint64_t gen_value(struct gen *g)
{
	uint64_t i = g->n_picked++ * 0x9e3779b97f4a7c15u ^ g->seed;

	i = (i ^ i >> 29) * 0xbf58476d1ce4e5b9u >> 54;
	if (!(g->n_picked & 7))
		g->values[i] = make_value(g);
	return g->values[i];
}

void gen_vector(struct gen *g, uint8_t out[16])
{
	uint64_t i = g->n_picked++ * 0x9e3779b97f4a7c15u ^ g->seed;

	i = (i ^ i >> 29) * 0xbf58476d1ce4e5b9u >> 54;
	if (!(g->n_picked & 7))
		gen_make_vector(g, g->vectors[i]);
	memcpy(out, g->vectors[i], 16);
}

void gen_init(struct gen *g, const struct twin *twin, uint64_t seed)
{
	*g = (struct gen){ .seed = seed, .twin = twin };
	op_index_init(&g->index);
	for (unsigned i = 0; i < GEN_POOL; i++) {
		g->values[i] = make_value(g);
		gen_make_vector(g, g->vectors[i]);
	}
}

/* Bytes of immediate at the instruction's end. */
static unsigned immediate_len(const struct insn *in)
{
	unsigned n = 0, z = in->osize == 2 ? 2 : 4;

	for (unsigned i = 0; i < 3; i++) {
		enum opnd_kind k = OPND_KIND(in->row->opnd[i]);

		if (k != K_I && k != K_J && k != K_A)
			continue;
		switch (OPND_SIZE(in->row->opnd[i])) {
		case S_B: case S_BS: n += 1; break;
		case S_W: n += 2; break;
		case S_Z: n += z; break;
		case S_V: n += in->osize; break;
		case S_P: n += z + 2; break;
		default: break;
		}
	}
	return n;
}

static unsigned put_prefixes(struct gen *g, const struct gen_form *f, uint8_t *b)
{
	static const uint8_t byte[GP_N] = { [GP_F2] = 0xf2, [GP_F3] = 0xf3,
		[GP_LOCK] = 0xf0, [GP_ES] = 0x26, [GP_CS] = 0x2e,
		[GP_SS] = 0x36, [GP_DS] = 0x3e, [GP_FS] = 0x64,
		[GP_GS] = 0x65, [GP_67] = 0x67 };
	const struct op_row *row = &op_rows[f->row];
	unsigned n = 0;
	uint8_t rex = f->size == GS_W ? 0x48 : 0;

	if (f->prefix == GP_REX)
		rex |= (uint8_t)(0x40 | (gen_random(g) & 7));
	if (g->plain && f->mem && f->code == CODE_64)
		rex = (uint8_t)((rex & 0x4c) | 0x41);
	if (byte[f->prefix])
		b[n++] = byte[f->prefix];
	if (f->size == GS_66 || row->prefix == PX_66)
		b[n++] = 0x66;
	if (row->prefix == PX_F3)
		b[n++] = 0xf3;
	if (row->prefix == PX_F2)
		b[n++] = 0xf2;
	if (rex)
		b[n++] = rex;
	return n;
}

static unsigned put_opcode(struct gen *g, const struct op_row *row, uint8_t *b)
{
	unsigned mask = row->attr & A_REG8 ? 7 : row->attr & A_CC ? 15 : 0;
	unsigned n = 0;

	if (row->opcode >> 8)
		b[n++] = 0x0f;
	if (row->opcode >> 8 == 2)
		b[n++] = 0x38;
	if (row->opcode >> 8 == 3)
		b[n++] = 0x3a;
	b[n++] = (uint8_t)(row->opcode | (gen_random(g) & mask));
	return n;
}

static uint8_t modrm(struct gen *g, const struct gen_form *f)
{
	const struct op_row *row = &op_rows[f->row];
	uint8_t m = (uint8_t)gen_random(g);

	if (row->ext >= 0xc0)
		return (uint8_t)row->ext;
	if (row->ext < 8)
		m = (uint8_t)((m & 0xc7) | row->ext << 3);
	if (g->plain && f->mem)		/* 16-bit addresses have rSI elsewhere */
		return (uint8_t)((m & 0x38) | ((f->code == CODE_16) !=
			(f->code != CODE_64 && f->prefix == GP_67) ? 0x44 :
			0x46));
	if (f->mem && m >= 0xc0)
		m &= 0xbf;
	return f->mem ? m : m | 0xc0;
}

/* Some immediates in place of any. */
static void put_immediates(struct gen *g, uint8_t *b,
			   const struct gen_insn *out)
{
	const struct insn *in = &out->insn;
	uint64_t v = gen_value(g);

	if (OPND_KIND(in->row->opnd[0]) == K_A) {
		uint64_t sel = gen_far_selector(g, in);

		v = gen_code_target(g, out) - native_ldt_base((uint16_t)sel);
		v = in->osize == 2 ? (uint16_t)v | sel << 16 :
				     (uint32_t)v | sel << 32;
	}
	if (in->op == OP_ENTER && gen_random(g) & 1)
		v &= 0x7007f;
	if ((in->op == OP_SHLD || in->op == OP_SHRD) && in->osize == 2)
		v = gen_random(g) % 17 | (v & 0xe0);
	memcpy(b, &v, 8);
}

/* A jump must not come to itself: it goes to bytes of INT3, or far away. */
static void put_target(struct gen *g, uint8_t *at, unsigned n, unsigned offset,
		       unsigned len)
{
	uint32_t next = offset + len, to;
	int32_t disp;

	do {
		disp = (int8_t)gen_random(g);
		if (n > 1 && gen_random(g) & 1)
			disp = (int32_t)((uint32_t)gen_random(g) %
				(NATIVE_CODE_LEN - 64)) - (int32_t)next;
		if (n == 4 && !(gen_random(g) & 15))
			disp = (int32_t)0x60000000;
		to = next + (uint32_t)disp;
	} while (to + 16 > offset && to < next + 8 && to != next);
	memcpy(at, &disp, n);
}

uint64_t gen_code_target(struct gen *g, const struct gen_insn *gi)
{
	uint64_t to;

	do
		to = gen_random(g) % NATIVE_CODE_LEN;
	while (to + 16 > gi->offset && to < gi->offset + gi->len + 8);
	return NATIVE_CODE + to;
}

static void put_displacement(struct gen *g, struct gen_insn *out)
{
	struct insn *in = &out->insn;
	bool offset = OPND_KIND(in->row->opnd[0]) == K_O ||
		      OPND_KIND(in->row->opnd[1]) == K_O;
	unsigned len = offset || in->asize == 2 ? in->asize : 4;
	unsigned at = out->len - immediate_len(in) - len;
	uint64_t to = TWIN_LOW + gen_random(g) % (4 * TWIN_PAGE + 32) - 16;

	if (OPND_SIZE(in->row->opnd[0]) == S_BLOB)
		to = TWIN_LOW + (to & 0xdf0);
	/* The segments are to fit. */
	if (in->code != CODE_64 && in->seg == CPU_CS)
		to = 0x1400 + gen_random(g) % 0x1000;
	else if (in->code != CODE_64 && (in->asize == 2 || gen_random(g) & 1))
		to = gen_random(g) % 8 ? to - TWIN_LOW + TWIN_PAGE :
		     gen_random(g);
	if (len == 8) {
		if (gen_random(g) & 1)
			to = TWIN_HIGH + gen_random(g) % (2 * TWIN_PAGE);
		memcpy(out->bytes + at, &to, 8);
		return;
	}
	if (in->base == REG_RIP)
		to -= NATIVE_CODE + out->offset + out->len;
	memcpy(out->bytes + at, &to, len);
}

static bool has_fixed_address(const struct insn *in)
{
	return in->mem && in->index == REG_NONE &&
	       (in->base == REG_RIP || in->base == REG_NONE);
}

static bool try_make(struct gen *g, const struct gen_form *f,
		     struct gen_insn *out)
{
	const struct op_row *row = &op_rows[f->row];
	uint8_t *b = out->bytes;
	enum decode d;
	unsigned n = put_prefixes(g, f, b);

	n += put_opcode(g, row, b + n);
	b[n] = modrm(g, f);
	for (unsigned i = n + 1; i < INSN_MAX; i++)
		b[i] = (uint8_t)gen_random(g);
	d = insn_decode(&g->index, b, INSN_MAX, f->code, false, &out->insn);
	if (out->insn.row != row || !out->insn.len ||
	    (out->insn.has_modrm && out->insn.mem != f->mem))
		return false;
	if (d != DECODE_OK && f->prefix != GP_LOCK)
		return false;
	/* Not all addresses can be had. */
	if (gen_has_parts(&out->insn) && out->insn.index != REG_NONE &&
	    (out->insn.index == out->insn.base ||
	     out->insn.base == REG_NONE))
		return false;
	out->ud = d != DECODE_OK;
	out->len = out->insn.len;
	if (has_fixed_address(&out->insn))
		put_displacement(g, out);
	n = immediate_len(&out->insn);
	if (OPND_KIND(row->opnd[0]) == K_J)
		put_target(g, b + out->len - n, n, out->offset, out->len);
	else if (n) {
		uint8_t imm[8];

		put_immediates(g, imm, out);
		memcpy(b + out->len - n, imm, n);
	}
	return insn_decode(&g->index, b, out->len, f->code, false,
			   &out->insn) == d;
}

bool gen_make(struct gen *g, const struct gen_form *f, unsigned offset,
	      struct gen_insn *out)
{
	const struct op_row *row = &op_rows[f->row];

	if (f->code != CODE_64 && (f->size == GS_W || f->prefix == GP_REX))
		return false;
	/* ES, CS, SS and DS mean nothing there: one of them is enough. */
	if (f->code == CODE_64 && f->prefix >= GP_ES && f->prefix <= GP_DS &&
	    f->prefix != GP_CS)
		return false;
	if ((row->prefix == PX_66 && f->size == GS_66) ||
	    (row->prefix >= PX_F3 && (f->prefix == GP_F2 || f->prefix == GP_F3)))
		return false;
	out->offset = offset;
	for (unsigned i = 0; i < TRIES; i++)
		if (try_make(g, f, out))
			return f->mem ? out->insn.mem && out->insn.has_modrm :
				!(out->insn.mem && out->insn.has_modrm);
	return false;
}
