/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87.c - x87 instructions that compute or move numbers: the host's FPU runs each
 * on the guest's stack (x87_host.h), and here it is decided what of the outcome
 * counts. Intel SDM volume 1, chapter 8.
 *
 * u->imm is (opcode & 7) << 8 | ModRM: what FOP has, and all that the instruction
 * says.
 */
#include "x87.h"

#include "flags.h"
#include "x87_host.h"

/* All but inexact: an instruction with one of them, not masked, stores nothing. */
#define NO_STORE	(FSW_FLAGS & ~FSW_P)
#define STICKY		(FSW_FLAGS | FSW_SF)

static void image_from(struct x87_image *im, const struct fpu *fpu)
{
	unsigned top = fpu_top(fpu), empty = ~(unsigned)fpu->used;

	*im = (struct x87_image){ .cw = fpu->cw };
	/* No exception may wait; the flags come back afterwards. */
	im->sw = fpu->sw & ~(STICKY | FSW_ES | FSW_B);
	for (unsigned i = 0; i < 8; i++) {
		memcpy(im->st[i], fpu->st[(top + i) & 7], 10);
		if (empty >> i & 1)
			im->tw |= 3u << 2 * i;
	}
}

static void image_to(const struct x87_image *im, struct fpu *fpu)
{
	unsigned flags = fpu->sw & STICKY, top;

	fpu->sw = fsw_with_es((im->sw & 0xffff) | flags, fpu->cw);
	fpu->used = 0;
	top = fpu_top(fpu);
	for (unsigned i = 0; i < 8; i++) {
		memcpy(fpu->st[(top + i) & 7], im->st[i], 10);
		if ((im->tw >> 2 * i & 3) != 3)
			fpu->used |= (uint8_t)(1u << i);
	}
}

/* Run it; `mem` is the operand or where it goes. */
static uint64_t run(struct cpu *cpu, const struct uop *u, struct x87_image *im,
		    void *mem)
{
	image_from(im, &cpu->fpu);
	return x87_host_run(im, (unsigned)u->imm >> 8 & 7,
			    (unsigned)u->imm & 0xff, mem, flags_get(cpu));
}

static enum done op_reg(struct cpu *cpu, const struct uop *u)
{
	struct x87_image im;

	if (x87_raises(cpu))
		return DONE_FAULT;
	run(cpu, u, &im, NULL);
	image_to(&im, &cpu->fpu);
	x87_note(cpu, u);
	return DONE;
}

/* FCOMI and its kin. */
static enum done op_compare_flags(struct cpu *cpu, const struct uop *u)
{
	struct x87_image im;
	uint64_t flags;

	if (x87_raises(cpu))
		return DONE_FAULT;
	flags = run(cpu, u, &im, NULL);
	image_to(&im, &cpu->fpu);
	flags_set(cpu, flags);
	x87_note(cpu, u);
	return DONE;
}

static inline enum done load(struct cpu *cpu, const struct uop *u,
			     unsigned bytes)
{
	uint8_t buf[16] = { 0 };
	struct x87_image im;

	if (x87_raises(cpu) || !op_load(cpu, u, buf, bytes))
		return DONE_FAULT;
	run(cpu, u, &im, buf);
	image_to(&im, &cpu->fpu);
	x87_note(cpu, u);
	return DONE;
}

/* Nothing is stored, but a page fault comes all the same. */
static bool can_store(struct cpu *cpu, const struct uop *u, unsigned bytes)
{
	uint64_t lin;

	return op_lin(cpu, u, bytes, ACCESS_WRITE, &lin) &&
	       mem_check_store(cpu, lin, bytes, ACCESS_WRITE);
}

static inline enum done store(struct cpu *cpu, const struct uop *u,
			      unsigned bytes)
{
	uint8_t buf[16] = { 0 };
	struct x87_image im;

	if (x87_raises(cpu))
		return DONE_FAULT;
	run(cpu, u, &im, buf);
	if (im.sw & ~im.cw & NO_STORE ? !can_store(cpu, u, bytes) :
					!op_store(cpu, u, buf, bytes))
		return DONE_FAULT;
	image_to(&im, &cpu->fpu);
	x87_note(cpu, u);
	return DONE;
}

#define EACH_SIZE(X) X(2) X(4) X(8) X(10)
#define X(bytes)							\
static enum done op_load_##bytes(struct cpu *cpu, const struct uop *u)	\
{									\
	return load(cpu, u, bytes);					\
}									\
static enum done op_store_##bytes(struct cpu *cpu, const struct uop *u)	\
{									\
	return store(cpu, u, bytes);					\
}
EACH_SIZE(X)
#undef X

static bool stores(const struct insn *insn)
{
	switch (insn->op) {
	case OP_FST: case OP_FSTP: case OP_FIST: case OP_FISTP:
	case OP_FISTTP: case OP_FBSTP:
		return true;
	default:
		return false;
	}
}

static op_fn *pick_memory(const struct insn *insn)
{
	unsigned i = OPND_KIND(insn->row->opnd[0]) == K_M ? 0 : 1;
	bool st = stores(insn);

	switch (insn_opnd_bytes(insn, i)) {
#define X(bytes) case bytes: return st ? op_store_##bytes : op_load_##bytes;
	EACH_SIZE(X)
#undef X
	default: return NULL;
	}
}

op_fn *x87_pick(const struct insn *insn)
{
	op_fn *fn = x87_state_pick(insn);

	if (fn)
		return fn;
	switch (insn->op) {
	case OP_FUCOMI: case OP_FCOMI: case OP_FUCOMIP: case OP_FCOMIP:
		return op_compare_flags;
	default:
		return insn->mem ? pick_memory(insn) : op_reg;
	}
}
