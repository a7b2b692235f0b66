/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower.c - instructions to uops: operands become places in struct cpu, the
 * operation becomes a function, flags that nobody will see are not computed, and
 * what the mode forbids becomes its exception.
 */
#include "lower.h"

#include "exec.h"

bool insn_ends_block(const struct insn *in)
{
	switch (in->op) {
	case OP_JCC: case OP_JMP: case OP_JMP_IND: case OP_CALL:
	case OP_CALL_IND: case OP_RET: case OP_LOOP: case OP_LOOPE:
	case OP_LOOPNE: case OP_JCXZ: case OP_CALL_FAR: case OP_JMP_FAR:
	case OP_RET_FAR: case OP_IRET: case OP_INT: case OP_INT1: case OP_INT3:
	case OP_SYSCALL: case OP_SYSRET: case OP_SYSENTER: case OP_SYSEXIT:
	case OP_HLT: case OP_UD2: case OP_RSM:
		return true;
	default:
		return false;
	}
}

static bool is_gpr(enum opnd_kind k)
{
	return k == K_G || k == K_E || k == K_R || k == K_Z || k == K_FIX;
}

/* u->dst or u->src of operand `i`. */
static uint8_t operand_place(const struct insn *in, unsigned i)
{
	enum opnd_kind k = OPND_KIND(in->row->opnd[i]);

	if (insn_opnd_mem(in, i))
		return 0;
	if (is_gpr(k))
		return REG_OFF(insn_opnd_reg(in, i));
	if (k == K_I || k == K_ONE)
		return SRC_IMM;
	return (uint8_t)insn_opnd_reg(in, i);
}

static unsigned log2_bytes(unsigned bytes)
{
	return (unsigned)__builtin_ctz(bytes);
}

/* The operand size that the operation works with: that of its first operand in a
 * general register or memory (not DX as a port), or the instruction's.
 */
static unsigned operand_size(const struct insn *in)
{
	for (unsigned i = 0; i < 3; i++) {
		uint16_t o = in->row->opnd[i];
		enum opnd_kind k = OPND_KIND(o);
		unsigned bytes = insn_opnd_bytes(in, i);

		if (OPND_SIZE(o) == S_P)
			break;
		if ((is_gpr(k) || k == K_M || k == K_O || k == K_X ||
		     k == K_Y) && o != FIX(CPU_RDX, S_W) &&
		    is_pow2(bytes) && bytes <= 8)
			return log2_bytes(bytes);
	}
	return log2_bytes(in->osize);
}

/* FS and GS take the index's or the base's place if that is free, so that the
 * fast forms need not know of segments in 64-bit mode.
 */
static void lower_address(const struct insn *in, struct uop *u)
{
	int64_t disp = in->disp;

	u->base = in->base == REG_NONE ? SLOT_ZERO :
		  in->base == REG_RIP ? SLOT_OF(block_rip) : in->base;
	u->index = in->index == REG_NONE ? SLOT_ZERO : in->index;
	u->scale = in->scale & 3u;
	if (in->base == REG_RIP) {
		disp += u->next;
		if (disp != (int32_t)disp)
			u->base = SLOT_OF(scratch);
	}
	u->disp = (int32_t)(in->base == REG_RIP && disp != (int32_t)disp ?
			    in->disp : disp);
}

static void lower_special(const struct insn *in, struct uop *u)
{
	if (OPND_KIND(in->row->opnd[1]) == K_ONE)
		u->imm = 1;
	if (in->op == OP_ENTER)
		u->imm = (int32_t)(in->imm | in->imm2 << 16);
	if (in->op == OP_JCC)
		u->src = in->opcode & 15;
	else if (in->row->attr & A_CC)
		u->imm = in->opcode & 15;
	if (IS_X87(in->op))
		u->imm = (in->opcode & 7) << 8 | in->modrm;
	if (OPND_KIND(in->row->opnd[0]) == K_A)
		u->disp = (int32_t)in->imm2;
	/* An address of 64 bits: no other immediate is there. */
	if (OPND_KIND(in->row->opnd[0]) == K_O ||
	    OPND_KIND(in->row->opnd[1]) == K_O)
		u->imm = (int32_t)(in->disp >> 32);
}

static void lower_operands(const struct insn *in, struct uop *u)
{
	u->osize = operand_size(in) & 3;
	u->asize = log2_bytes(in->asize) & 3;
	u->seg = in->seg & 7u;
	u->rep = in->rep & 3u;
	u->lock = in->lock;
	u->len = in->len & 15u;
	u->dst = operand_place(in, 0);
	u->src = operand_place(in, 1);
	u->imm = (int32_t)in->imm;
	if (insn_opnd_mem(in, 0))
		u->mem = MEM_DST;
	else if (insn_opnd_mem(in, 1))
		u->mem = MEM_SRC;
	if (in->mem)
		lower_address(in, u);
	lower_special(in, u);
}

/* SDM volume 3, tables 2-2 (MMX), 13-1 (x87 and SSE).  0: it may run. */
static unsigned fpu_exception(uint32_t mode, const struct insn *in)
{
	bool ts = mode & MODE_TS, em = mode & MODE_EM;

	if (in->op == OP_FWAIT)
		return ts && mode & MODE_MP ? EXC_NM : 0;
	if (IS_X87(in->op))
		return ts || em ? EXC_NM : 0;
	if (!IS_SSE(in->op))
		return 0;
	if (in->op == OP_FXSAVE || in->op == OP_FXRSTOR)
		return ts || em ? EXC_NM : 0;
	if (em || (!insn_is_mmx(in) && !(mode & MODE_OSFXSR)))
		return EXC_UD;
	return ts ? EXC_NM : 0;
}

bool insn_is_mmx(const struct insn *in)
{
	bool mmx = in->op == OP_EMMS;

	for (unsigned i = 0; i < 3; i++) {
		enum opnd_kind k = OPND_KIND(in->row->opnd[i]);

		if (k == K_V || k == K_W || k == K_U)
			return false;
		if (k == K_P || k == K_Q || k == K_N)
			mmx = true;
	}
	return mmx;
}

static op_fn *pick(const struct insn *in)
{
	if (IS_X87(in->op))
		return x87_pick(in);
	if (IS_SSE(in->op))
		return sse_pick(in);
	if (IS_SYS(in->op))
		return sys_pick(in);
	if (IS_SEG(in->op))
		return seg_pick(in);
	if (IS_STRING(in->op))
		return string_pick(in);
	return int_pick(in);
}

static void make_raise(struct uop *u, unsigned vector)
{
	u->fn = uop_call;
	u->call = op_raise;
	u->dst = (uint8_t)vector;
}

/* RIP-relative, so far away that disp + next does not fit. */
static enum done op_far_rip(struct cpu *cpu, const struct uop *u)
{
	cpu->scratch = cpu->block_rip + u->next;
	return DONE;
}

/* Does an address need no more than flat_lin()?  In 64-bit mode the base of FS or
 * GS takes a free place in it; but x87 notes segment and offset of its operand.
 */
static bool address_is_fast(const struct cpu *cpu, const struct insn *in,
			    struct uop *u)
{
	if (IS_X87(in->op))
		return false;
	if (cpu_code(cpu) != CODE_64)
		return u->asize == 2 && in->seg < CPU_FS && in->seg != CPU_CS;
	if (u->asize != 3)
		return false;
	if (in->seg < CPU_FS || in->op == OP_LEA)
		return true;
	if (u->base == SLOT_ZERO) {
		u->base = SLOT_SEG(in->seg);
	} else if (u->index == SLOT_ZERO) {
		u->index = SLOT_SEG(in->seg);
		u->scale = 0;
	} else {
		return false;
	}
	u->seg = CPU_DS;
	return true;
}

/* May fast forms stand for the general ones? */
static bool fast_allowed(const struct cpu *cpu, const struct insn *in,
			 struct uop *u)
{
	bool wide = cpu_code(cpu) == CODE_64;
	bool own_size = u->osize == (wide ? 3 : 2);

	if (!is_flat(cpu) || cpu->mode & (MODE_AC | MODE_STEP) ||
	    cpu->soft->no_fast_forms)
		return false;
	if (in->mem && (!in->has_modrm || !address_is_fast(cpu, in, u)))
		return false;
	switch (in->op) {
	case OP_PUSH: case OP_POP: case OP_CALL: case OP_CALL_IND: case OP_RET:
		return own_size && (wide || cpu->mode & MODE_STACK32);
	case OP_JMP: case OP_JMP_IND: case OP_JCC:
		return own_size;
	default:
		return true;
	}
}

static bool is_direct(enum op op)
{
	return op == OP_JMP || op == OP_JCC || op == OP_CALL;
}

/* Find the fast form.  A direct jump keeps its target in disp, one with a general
 * form (CALL) in that of the uop behind it.
 */
static void lower_fast(struct cpu *cpu, struct uop *u, const struct insn *in,
		       bool live)
{
	int64_t target = (int64_t)u->next + u->imm;
	uop_fn *fn;

	if (fast_mov_imm64(in, u) || !fast_allowed(cpu, in, u) ||
	    (is_direct(in->op) && target != (int32_t)target))
		return;
	fn = fast_pick(in, u, live);
	if (!fn)
		return;
	u->fn = fn;
	if (in->op == OP_JMP || in->op == OP_JCC) {
		u->link = NULL;
		u->disp = (int32_t)target;
	}
}

static struct uop *lower_insn(struct cpu *cpu, struct uop *u,
			      const struct insn *in, bool live)
{
	unsigned vector = fpu_exception(cpu->mode, in);

	lower_operands(in, u);
	if (in->mem && u->base == SLOT_OF(scratch)) {
		u[1] = *u;
		*u = (struct uop){ .fn = uop_call, .call = op_far_rip,
				   .next = u->next, .ix = u->ix, .len = u->len };
		u++;
	}
	u->fn = uop_call;
	u->call = pick(in);
	if (vector)
		make_raise(u, vector);
	else if (!u->call)
		make_raise(u, EXC_UD);
	else
		lower_fast(cpu, u, in, live);
	return u + 1;
}

/* Neither faults nor looks at all flags: what no exception or observer can see
 * between two instructions need not be there.
 */
static bool is_silent(const struct insn *in)
{
	if (in->mem && in->op != OP_LEA)
		return false;
	switch (in->op) {
	case OP_MOV: case OP_LEA: case OP_ADD: case OP_SUB: case OP_ADC:
	case OP_SBB: case OP_AND: case OP_OR: case OP_XOR: case OP_CMP:
	case OP_TEST: case OP_INC: case OP_DEC: case OP_NEG: case OP_NOT:
	case OP_SHL: case OP_SHR: case OP_SAR: case OP_ROL: case OP_ROR:
	case OP_IMUL: case OP_MOVZX: case OP_MOVSX: case OP_MOVSXD:
	case OP_CMOVCC: case OP_SETCC: case OP_BSWAP: case OP_CBW: case OP_CWD:
	case OP_NOP: case OP_BT:
		return true;
	default:
		return false;
	}
}

/* Bit i: somebody may see a flag that instruction i sets. */
static uint32_t live_flags(const struct insn *insns, unsigned n)
{
	unsigned live = F_ALL;
	uint32_t mask = 0;

	for (unsigned i = n; i-- > 0;) {
		if (insn_writes(&insns[i]) & live)
			mask |= 1u << i;
		live = (live & ~insn_kills(&insns[i])) | insn_reads(&insns[i]);
		if (!is_silent(&insns[i]))
			live = F_ALL;
	}
	return mask;
}

/* CMP or TEST, and a Jcc in its fast form. */
static void fuse(const struct insn *in, struct uop *cmp, const struct uop *jcc)
{
	uop_fn *fn;

	if (cmp->fn == uop_call || jcc->fn == uop_call || in[1].op != OP_JCC)
		return;
	fn = fast_fuse(in, cmp, in[1].opcode & 15);
	if (fn)
		cmp->fn = fn;
}

void lower_block(struct cpu *cpu, struct block *b, const struct insn *insns,
		 unsigned n, enum decode bad)
{
	uint32_t live = live_flags(insns, n);
	struct uop *u = b->uops, *last = u;
	unsigned pos = 0, count = n;

	if (b->page2 != NO_PAGE)
		*u++ = (struct uop){ .fn = uop_second_page };
	for (unsigned i = 0; i < n; i++) {
		struct uop *before = u;

		pos += insns[i].len;
		*u = (struct uop){ .next = pos & 0x1ffu, .ix = i & 31u };
		u = lower_insn(cpu, u, &insns[i], live >> i & 1);
		if (i)
			fuse(&insns[i - 1], last, before);
		last = u - 1;
	}
	*u = (struct uop){ .next = pos & 0x1ffu, .ix = n & 31u };
	if (bad == DECODE_UD || bad == DECODE_GP) {
		make_raise(u, bad == DECODE_UD ? EXC_UD : EXC_GP);
		count++;
	} else {
		u->disp = (int32_t)pos;
		u->fn = is_flat(cpu) ? uop_edge : uop_end;
		if (n && insns[n - 1].op == OP_CALL)
			u->disp += (int32_t)insns[n - 1].imm;
	}
	u++;
	b->n_insns = (uint16_t)count;
	b->n_uops = (uint16_t)(u - b->uops);
}
