/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse.c - MMX and SSE to SSE4.2: who executes which instruction. Intel SDM volume
 * 1, chapters 9 to 12, and volume 2.
 */
#include "sse.h"

bool sse_load(struct cpu *cpu, const struct uop *u, void *buf)
{
	uint64_t lin;

	return op_lin_16(cpu, u, ACCESS_READ, &lin) &&
	       mem_load(cpu, lin, buf, 16, ACCESS_READ);
}

bool sse_store(struct cpu *cpu, const struct uop *u, const void *buf)
{
	uint64_t lin;

	return op_lin_16(cpu, u, ACCESS_WRITE, &lin) &&
	       mem_store(cpu, lin, buf, 16, ACCESS_WRITE);
}

static bool uses(const struct insn *insn, enum opnd_kind a, enum opnd_kind b,
		 enum opnd_kind c)
{
	for (unsigned i = 0; i < 3; i++) {
		enum opnd_kind k = OPND_KIND(insn->row->opnd[i]);

		if (k == a || k == b || k == c)
			return true;
	}
	return false;
}

bool insn_uses_mmx(const struct insn *insn)
{
	return uses(insn, K_P, K_Q, K_N);
}

bool insn_uses_xmm(const struct insn *insn)
{
	return uses(insn, K_V, K_W, K_U);
}

/* SSE3 and later ones, which a host may lack, have maps and prefixes of their
 * own.
 */
static bool is_late(const struct insn *insn)
{
	unsigned map = insn->row->opcode & ~0xffu;

	switch (insn->op) {
	case OP_MOVSLDUP: case OP_MOVSHDUP: case OP_MOVDDUP: case OP_HADDPS:
	case OP_HADDPD: case OP_HSUBPS: case OP_HSUBPD: case OP_ADDSUBPS:
	case OP_ADDSUBPD: case OP_LDDQU:
		return true;
	default:
		return map >= MAP_0F38;
	}
}

op_fn *sse_pick(const struct insn *insn)
{
	op_fn *fn;

	if (is_late(insn) && sse_host_lacks())
		return NULL;
	fn = sse_move_pick(insn);
	if (!fn)
		fn = sse_int_pick(insn);
	if (!fn)
		fn = sse_fp_pick(insn);
	if (!fn)
		fn = sse_shuffle_pick(insn);
	return fn ? fn : sse_state_pick(insn);
}
