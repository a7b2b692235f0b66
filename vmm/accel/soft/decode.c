/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode.c - prefixes, opcode, ModRM, SIB, displacement, immediates: Intel SDM
 * volume 2, chapter 2.
 */
#include "decode.h"

#include <string.h>

#include "vmm/cpu.h"

/* The bytes, how far we are, and why we stopped. */
struct reader {
	const uint8_t *bytes;
	unsigned pos, avail;
	enum decode why;
};

/* `n` bytes, little-endian; 0 once it has failed.  Another CPU or a device may write
 * them just now: each is read once.
 */
static uint64_t take(struct reader *r, unsigned n)
{
	uint64_t v = 0;

	if (r->why != DECODE_OK)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		if (r->pos == INSN_MAX || r->pos == r->avail) {
			r->why = r->pos == INSN_MAX ? DECODE_GP : DECODE_MORE;
			return 0;
		}
		v |= (uint64_t)__atomic_load_n(&r->bytes[r->pos++],
					       __ATOMIC_RELAXED) << 8 * i;
	}
	return v;
}

/* The same, sign-extended. */
static int64_t take_signed(struct reader *r, unsigned n)
{
	unsigned shift = 64 - 8 * n;

	return (int64_t)(take(r, n) << shift) >> shift;
}

void op_index_init(struct op_index *index)
{
	memset(index, 0, sizeof(*index));
	for (unsigned i = 0; i < n_op_rows; i++) {
		const struct op_row *row = &op_rows[i];
		unsigned n = row->attr & A_REG8 ? 8 : row->attr & A_CC ? 16 : 1;

		for (unsigned o = row->opcode; o < row->opcode + n; o++)
			if (!index->n[o]++)
				index->first[o] = (uint16_t)i;
	}
}

static uint8_t segment_prefix(uint8_t b)
{
	switch (b) {
	case 0x26: return CPU_ES;
	case 0x2e: return CPU_CS;
	case 0x36: return CPU_SS;
	case 0x3e: return CPU_DS;
	case 0x64: return CPU_FS;
	case 0x65: return CPU_GS;
	}
	return CPU_N_SEG;
}

/* Legacy prefixes and REX; returns the byte behind them.  A REX counts only
 * directly before the opcode; ES, CS, SS and DS are no overrides in 64-bit mode.
 */
static uint8_t take_prefixes(struct reader *r, struct insn *in, bool *prefix67)
{
	for (;;) {
		uint8_t b = (uint8_t)take(r, 1);
		uint8_t seg = segment_prefix(b);

		if (r->why != DECODE_OK)
			return 0;
		if (in->code == CODE_64 && (b & 0xf0) == 0x40) {
			in->rex = b;
			continue;
		}
		if (seg < CPU_N_SEG) {
			if (in->code != CODE_64 || seg >= CPU_FS) {
				in->seg = seg;
				in->seg_override = true;
			}
		} else if (b == 0x66) {
			in->prefix66 = true;
		} else if (b == 0x67) {
			*prefix67 = true;
		} else if (b == 0xf0) {
			in->lock = true;
		} else if (b == 0xf2 || b == 0xf3) {
			in->rep = b;
		} else {
			return b;
		}
		in->rex = 0;
	}
}

static unsigned take_opcode(struct reader *r, uint8_t b)
{
	unsigned map = 0;

	if (b == 0x0f) {
		map = MAP_0F;
		b = (uint8_t)take(r, 1);
		if (b == 0x38 || b == 0x3a) {
			map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
			b = (uint8_t)take(r, 1);
		}
	}
	return map | b;
}

static bool needs_modrm(const struct op_row *row)
{
	if (row->ext != EXT_NONE || row->attr & A_MODRM)
		return true;
	for (unsigned i = 0; i < 3; i++) {
		enum opnd_kind k = OPND_KIND(row->opnd[i]);

		if (k == K_E || k == K_G || k == K_M || k == K_R || k == K_S ||
		    (k >= K_C && k <= K_D) || (k >= K_V && k <= K_T))
			return true;
	}
	return false;
}

static bool prefix_fits(const struct op_row *row, const struct insn *in)
{
	switch ((enum op_prefix)row->prefix) {
	case PX_ANY: return true;
	case PX_NF: return !in->rep;
	case PX_NP: return !in->rep && !in->prefix66;
	case PX_66: return !in->rep && in->prefix66;
	case PX_F3: return in->rep == 0xf3;
	case PX_F2: return in->rep == 0xf2;
	}
	return false;
}

static bool modrm_fits(const struct op_row *row, uint8_t modrm)
{
	bool reg = modrm >= 0xc0;

	if (row->ext >= 0xc0 ? row->ext != modrm :
	    row->ext < 8 && row->ext != (modrm >> 3 & 7))
		return false;
	if (row->attr & A_ANYMOD)
		return true;
	if (row->attr & A_REGONLY && !reg)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		enum opnd_kind k = OPND_KIND(row->opnd[i]);

		if (reg ? k == K_M :
		    k == K_R || k == K_U || k == K_N || k == K_T)
			return false;
	}
	return true;
}

/* The first row that fits; reads the ModRM byte if any of them has one. */
static const struct op_row *find_row(const struct op_index *index,
				     struct reader *r, struct insn *in,
				     unsigned opcode, bool vm86_or_real)
{
	const struct op_row *row = &op_rows[index->first[opcode]];

	for (unsigned n = index->n[opcode]; n; n--, row++) {
		if (row->attr & (in->code == CODE_64 ? A_I64 : A_O64) ||
		    (row->attr & A_PM && vm86_or_real) || !prefix_fits(row, in))
			continue;
		/* With REX.B F3 90 is an exchange with R8. */
		if (row->op == OP_PAUSE && in->rex & 1)
			continue;
		if (needs_modrm(row)) {
			if (!in->has_modrm)
				in->modrm = (uint8_t)take(r, 1);
			in->has_modrm = true;
			if (r->why != DECODE_OK)
				return NULL;
			if (!modrm_fits(row, in->modrm))
				continue;
		}
		return row;
	}
	return NULL;
}

static void set_sizes(struct insn *in, bool prefix67)
{
	unsigned attr = in->row->attr;
	bool p66 = in->prefix66 && in->row->prefix != PX_66;

	if (in->code != CODE_64) {
		in->osize = (in->code == CODE_32) != p66 ? 4 : 2;
		in->asize = (in->code == CODE_32) != prefix67 ? 4 : 2;
		return;
	}
	in->asize = prefix67 ? 4 : 8;
	if (in->rex & 8 || attr & A_F64 || (attr & A_D64 && !p66))
		in->osize = 8;
	else
		in->osize = p66 ? 2 : 4;
}

/* SDM volume 2, table 2-1. */
static void take_address_16(struct reader *r, struct insn *in)
{
	static const uint8_t base[] = { CPU_RBX, CPU_RBX, CPU_RBP, CPU_RBP,
					CPU_RSI, CPU_RDI, CPU_RBP, CPU_RBX };
	static const uint8_t index[] = { CPU_RSI, CPU_RDI, CPU_RSI, CPU_RDI };
	unsigned mod = in->modrm >> 6, rm = in->modrm & 7;

	in->base = base[rm];
	in->index = rm < 4 ? index[rm] : REG_NONE;
	if (mod == 0 && rm == 6) {
		in->base = REG_NONE;
		mod = 2;
	}
	if (mod)
		in->disp = take_signed(r, mod);
}

/* SDM volume 2, tables 2-2 and 2-3. */
static void take_address(struct reader *r, struct insn *in)
{
	unsigned mod = in->modrm >> 6, rm = in->modrm & 7;
	unsigned b = in->rex & 1 ? 8 : 0, x = in->rex & 2 ? 8 : 0;

	in->base = (uint8_t)(rm | b);
	in->index = REG_NONE;
	if (rm == 4) {
		uint8_t sib = (uint8_t)take(r, 1);

		rm = sib & 7;
		in->base = (uint8_t)(rm | b);
		in->scale = sib >> 6;
		in->index = (uint8_t)((sib >> 3 & 7) | x);
		if (in->index == CPU_RSP) {
			in->index = REG_NONE;
			in->scale = 0;
		}
	} else if (mod == 0 && rm == 5) {
		in->base = in->code == CODE_64 ? REG_RIP : REG_NONE;
		in->disp = take_signed(r, 4);
		return;
	}
	if (mod == 0 && rm == 5) {
		in->base = REG_NONE;
		mod = 2;
	}
	if (mod)
		in->disp = take_signed(r, mod == 1 ? 1 : 4);
}

static void take_modrm(struct reader *r, struct insn *in)
{
	in->reg = (uint8_t)((in->modrm >> 3 & 7) | (in->rex & 4 ? 8 : 0));
	in->rm = (uint8_t)((in->modrm & 7) | (in->rex & 1 ? 8 : 0));
	if (in->modrm >= 0xc0 || in->row->attr & A_ANYMOD)
		return;
	in->mem = true;
	if (in->asize == 2)
		take_address_16(r, in);
	else
		take_address(r, in);
	if (!in->seg_override && (in->base == CPU_RSP || in->base == CPU_RBP))
		in->seg = CPU_SS;
}

static void take_immediate(struct reader *r, struct insn *in, uint16_t opnd,
			   uint64_t *imm)
{
	unsigned z = in->osize == 2 ? 2 : 4;

	switch (OPND_SIZE(opnd)) {
	case S_B:
		*imm = OPND_KIND(opnd) == K_J ? (uint64_t)take_signed(r, 1) :
						take(r, 1);
		break;
	case S_BS: *imm = (uint64_t)take_signed(r, 1); break;
	case S_W: *imm = take(r, 2); break;
	case S_Z: *imm = (uint64_t)take_signed(r, z); break;
	case S_V: *imm = take(r, in->osize); break;
	case S_P:
		*imm = take(r, z);
		in->imm2 = take(r, 2);
		break;
	default: break;
	}
}

static void take_immediates(struct reader *r, struct insn *in)
{
	uint64_t *imm = &in->imm;

	for (unsigned i = 0; i < 3; i++) {
		uint16_t o = in->row->opnd[i];
		enum opnd_kind k = OPND_KIND(o);

		if (k == K_I || k == K_J || k == K_A) {
			take_immediate(r, in, o, imm);
			imm = &in->imm2;
		} else if (k == K_O) {
			in->mem = true;
			in->disp = (int64_t)take(r, in->asize);
		}
	}
}

/* What the columns of the table cannot say. */
static bool is_valid(const struct insn *in)
{
	unsigned seg = in->reg & 7;

	if (in->lock &&
	    !(in->row->attr & A_LOCK && insn_opnd_mem(in, 0)))
		return false;
	switch (in->op) {
	case OP_MOV_TO_SEG:
		return seg < CPU_N_SEG && seg != CPU_CS;
	case OP_MOV_FROM_SEG:
		return seg < CPU_N_SEG;
	case OP_MOV_FROM_CR:
	case OP_MOV_TO_CR:
		return in->reg == 0 || (in->reg >= 2 && in->reg <= 4) ||
		       in->reg == 8;
	case OP_MOV_FROM_DR:
	case OP_MOV_TO_DR:
		return in->reg < 8;
	default:
		return true;
	}
}

enum decode insn_decode(const struct op_index *index, const uint8_t *bytes,
			unsigned avail, enum code_size code, bool vm86_or_real,
			struct insn *in)
{
	struct reader r = { .bytes = bytes, .avail = avail };
	bool prefix67 = false;
	unsigned opcode;

	memset(in, 0, sizeof(*in));
	in->code = code;
	in->seg = CPU_DS;
	in->base = in->index = REG_NONE;
	opcode = take_opcode(&r, take_prefixes(&r, in, &prefix67));
	if (r.why != DECODE_OK)
		return r.why;
	in->opcode = (uint8_t)opcode;
	in->row = find_row(index, &r, in, opcode, vm86_or_real);
	if (!in->row)
		return r.why != DECODE_OK ? r.why : DECODE_UD;
	in->op = in->row->op;
	set_sizes(in, prefix67);
	if (in->has_modrm)
		take_modrm(&r, in);
	take_immediates(&r, in);
	if (r.why != DECODE_OK)
		return r.why;
	in->len = (uint8_t)r.pos;
	return is_valid(in) ? DECODE_OK : DECODE_UD;
}

unsigned insn_opnd_bytes(const struct insn *in, unsigned i)
{
	static const uint8_t fixed[] = { [S_B] = 1, [S_W] = 2, [S_D] = 4,
					 [S_Q] = 8, [S_X] = 16, [S_U] = 16,
					 [S_T] = 10 };

	switch (OPND_SIZE(in->row->opnd[i])) {
	case S_NONE: case S_S: case S_BLOB: return 0;
	case S_V: case S_BS: return in->osize;
	case S_Z: return in->osize == 2 ? 2 : 4;
	case S_Y: return in->osize == 8 ? 8 : 4;
	case S_P: return in->osize + 2u;
	case S_A: return in->osize * 2u;
	default: return fixed[OPND_SIZE(in->row->opnd[i])];
	}
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH and BH; but PEXTRB and PINSRB
 * mean whole registers.
 */
static unsigned byte_reg(const struct insn *in, uint16_t opnd, unsigned reg)
{
	if (OPND_SIZE(opnd) == S_B && !in->rex && reg >= 4 && reg < 8 &&
	    !IS_SSE(in->op))
		return reg + 12;
	return reg;
}

unsigned insn_opnd_reg(const struct insn *in, unsigned i)
{
	uint16_t o = in->row->opnd[i];

	switch (OPND_KIND(o)) {
	case K_G: return byte_reg(in, o, in->reg);
	case K_E: case K_R: return byte_reg(in, o, in->rm);
	case K_Z:
		return byte_reg(in, o,
				(in->opcode & 7u) | (in->rex & 1 ? 8u : 0u));
	case K_S: case K_P: return in->reg & 7u;
	case K_Q: case K_N: case K_T: return in->rm & 7u;
	case K_V: case K_C: case K_D: return in->reg;
	case K_W: case K_U: return in->rm;
	case K_FIX: case K_SEG: return OPND_FIX(o);
	default: return 0;
	}
}

bool insn_opnd_mem(const struct insn *in, unsigned i)
{
	enum opnd_kind k = OPND_KIND(in->row->opnd[i]);

	return k == K_O || k == K_M ||
	       (in->mem && (k == K_E || k == K_W || k == K_Q));
}

/* Conditions 0 to 15, in pairs: O, B, Z, BE, S, P, L, LE (SDM volume 1,
 * appendix B).
 */
static unsigned cc_reads(unsigned cc)
{
	static const uint8_t reads[8] = { F_O, F_C, F_Z, F_C | F_Z, F_S, F_P,
					  F_S | F_O, F_S | F_O | F_Z };

	return reads[cc >> 1 & 7];
}

unsigned insn_reads(const struct insn *in)
{
	if (in->row->attr & A_CC)
		return cc_reads(in->opcode);
	return in->row->flags & 0xff;
}

unsigned insn_writes(const struct insn *in)
{
	return in->row->flags >> 8;
}

/* A shift by 0 leaves all flags as they were. */
static bool may_shift_by_0(const struct insn *in)
{
	unsigned last = OPND_KIND(in->row->opnd[2]) ? 2 : 1;
	unsigned mask = insn_opnd_bytes(in, 0) == 8 ? 63 : 31;

	switch (in->op) {
	case OP_ROL: case OP_ROR: case OP_RCL: case OP_RCR:
	case OP_SHL: case OP_SHR: case OP_SAR: case OP_SHLD: case OP_SHRD:
		if (OPND_KIND(in->row->opnd[last]) == K_ONE)
			return false;
		return OPND_KIND(in->row->opnd[last]) != K_I ||
		       !(in->imm & mask);
	default:
		return false;
	}
}

unsigned insn_kills(const struct insn *in)
{
	return may_shift_by_0(in) ? 0 : insn_writes(in);
}
