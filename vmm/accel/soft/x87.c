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

/* The quick way: ST(0) and perhaps another register alone, all exceptions masked.
 * Those that compare set all condition codes, the others C1.
 */

static bool is_quick(const struct fpu *fpu, unsigned need)
{
	unsigned top = fpu_top(fpu), used = fpu->used | (unsigned)fpu->used << 8;

	return (fpu->cw & FCW_MASKS) == FCW_MASKS &&
	       (used >> top & need) == need;
}

/* Run on `n` registers, of which the second is ST(i).  -1: it must go the other
 * way.
 */
static int quick_run(struct cpu *cpu, const struct uop *u, struct x87_few *f,
		     unsigned n, unsigned i, void *mem)
{
	struct fpu *fpu = &cpu->fpu;
	unsigned modrm = (unsigned)u->imm & 0xff;

	if (!is_quick(fpu, n > 1 ? 1u | 1u << i : n))
		return -1;
	f->cw = fpu->cw;
	f->sw = fpu->sw;
	if (n)
		memcpy(f->st[0], fpu->st[fpu_phys(fpu, 0)], 16);
	if (n > 1)
		memcpy(f->st[1], fpu->st[fpu_phys(fpu, i)], 16);
	if (modrm >= 0xc0 && n)
		modrm = (modrm & ~7u) | (n > 1);
	return x87_host_few(f, n, (unsigned)u->imm >> 8 & 7, modrm, mem);
}

/* Of `n` registers `left` are left: the others were popped, or it was pushed. */
static void quick_done(struct cpu *cpu, const struct uop *u,
		       const struct x87_few *f, unsigned n, int left,
		       unsigned i, unsigned codes)
{
	struct fpu *fpu = &cpu->fpu;
	unsigned top = fpu_top(fpu), pops = n - (unsigned)left;

	if (n < (unsigned)left) {
		fpu->used |= (uint8_t)(1u << ((top - 1) & 7));
		memcpy(fpu->st[(top - 1) & 7], f->st[0], 10);
	} else {
		for (unsigned k = 0; k < pops; k++)
			fpu->used &= (uint8_t)~(1u << ((top + k) & 7));
		for (unsigned k = pops; k < n; k++)
			memcpy(fpu->st[(top + (k ? i : 0)) & 7],
			       f->st[k - pops], 10);
	}
	fpu->sw = (uint16_t)((fpu->sw & ~(FSW_TOP | codes)) |
			     ((top + pops) & 7) << FSW_TOP_SHIFT |
			     (f->sw & (FSW_FLAGS | codes)));
	x87_note(cpu, u);
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

/* On ST(0) alone: FCHS, FABS, FSQRT, FRNDINT, FTST. */
static enum done op_one(struct cpu *cpu, const struct uop *u)
{
	unsigned codes = ((unsigned)u->imm & 0xff) == 0xe4 ? FSW_CC : FSW_C1;
	struct x87_few f;

	if (!is_quick(&cpu->fpu, 1))
		return op_reg(cpu, u);
	f.cw = cpu->fpu.cw;
	f.sw = cpu->fpu.sw;
	memcpy(f.st[0], cpu->fpu.st[fpu_phys(&cpu->fpu, 0)], 16);
	if (x87_host_few(&f, 1, (unsigned)u->imm >> 8 & 7,
			 (unsigned)u->imm & 0xff, NULL) < 0)
		return op_reg(cpu, u);
	quick_done(cpu, u, &f, 1, 1, 0, codes);
	return DONE;
}

/* On ST(0) and ST(i). */
static inline enum done two(struct cpu *cpu, const struct uop *u, op_fn *other,
			    unsigned codes)
{
	unsigned i = (unsigned)u->imm & 7, n = i ? 2 : 1;
	struct x87_few f;
	int left = quick_run(cpu, u, &f, n, i, NULL);

	if (left < 0)
		return other(cpu, u);
	quick_done(cpu, u, &f, n, left, i, codes);
	return DONE;
}

static enum done op_two(struct cpu *cpu, const struct uop *u)
{
	return two(cpu, u, op_reg, FSW_C1);
}

static enum done op_compare(struct cpu *cpu, const struct uop *u)
{
	return two(cpu, u, op_reg, FSW_CC);
}

/* FLD1 and the other constants. */
static enum done op_constant(struct cpu *cpu, const struct uop *u)
{
	struct fpu *fpu = &cpu->fpu;
	struct x87_few f;
	int left;

	if (fpu->used >> ((fpu_top(fpu) - 1) & 7) & 1)
		return op_reg(cpu, u);
	left = quick_run(cpu, u, &f, 0, 0, NULL);
	if (left < 0)
		return op_reg(cpu, u);
	quick_done(cpu, u, &f, 0, left, 0, FSW_C1);
	return DONE;
}

/* FXCH, FLD ST(i), FST ST(i) and FSTP ST(i) only move. */

static enum done moved(struct cpu *cpu, const struct uop *u)
{
	cpu->fpu.sw &= (uint16_t)~FSW_C1;
	x87_note(cpu, u);
	return DONE;
}

static enum done op_fxch(struct cpu *cpu, const struct uop *u)
{
	struct fpu *fpu = &cpu->fpu;
	unsigned i = (unsigned)u->imm & 7;
	uint8_t *a = fpu->st[fpu_phys(fpu, 0)], *b = fpu->st[fpu_phys(fpu, i)];
	uint8_t t[10];

	if (!is_quick(fpu, 1u | 1u << i))
		return op_reg(cpu, u);
	memcpy(t, a, 10);
	memmove(a, b, 10);
	memcpy(b, t, 10);
	return moved(cpu, u);
}

static enum done op_fld_st(struct cpu *cpu, const struct uop *u)
{
	struct fpu *fpu = &cpu->fpu;
	unsigned i = (unsigned)u->imm & 7, to = (fpu_top(fpu) - 1) & 7;

	if (fpu->used >> to & 1 || !is_quick(fpu, 1u << i))
		return op_reg(cpu, u);
	memmove(fpu->st[to], fpu->st[fpu_phys(fpu, i)], 10);
	fpu->used |= (uint8_t)(1u << to);
	fpu->sw = (uint16_t)((fpu->sw & ~FSW_TOP) | to << FSW_TOP_SHIFT);
	return moved(cpu, u);
}

static inline enum done fst_st(struct cpu *cpu, const struct uop *u, bool pops)
{
	struct fpu *fpu = &cpu->fpu;
	unsigned top = fpu_top(fpu), to = fpu_phys(fpu, (unsigned)u->imm & 7);

	if (!is_quick(fpu, 1))
		return op_reg(cpu, u);
	memmove(fpu->st[to], fpu->st[top], 10);
	fpu->used |= (uint8_t)(1u << to);
	if (pops) {
		fpu->used &= (uint8_t)~(1u << top);
		top = (top + 1) & 7;
		fpu->sw = (uint16_t)((fpu->sw & ~FSW_TOP) |
				     top << FSW_TOP_SHIFT);
	}
	return moved(cpu, u);
}

static enum done op_fst_st(struct cpu *cpu, const struct uop *u)
{
	return fst_st(cpu, u, false);
}

static enum done op_fstp_st(struct cpu *cpu, const struct uop *u)
{
	return fst_st(cpu, u, true);
}

/* FCOMI and its kin. */
static enum done op_compare_flags(struct cpu *cpu, const struct uop *u)
{
	unsigned i = (unsigned)u->imm & 7, n = i ? 2 : 1;
	struct x87_image im;
	struct x87_few f;
	uint64_t flags;
	int left = -1;

	/* Some CPUs clear C1, others leave it. */
	if (!(cpu->fpu.sw & FSW_C1))
		left = quick_run(cpu, u, &f, n, i, NULL);
	if (left >= 0) {
		flags_set(cpu, f.rflags);
		quick_done(cpu, u, &f, n, left, i, 0);
		return DONE;
	}
	if (x87_raises(cpu))
		return DONE_FAULT;
	flags = run(cpu, u, &im, NULL);
	image_to(&im, &cpu->fpu);
	flags_set(cpu, flags);
	x87_note(cpu, u);
	return DONE;
}

/* FLD and FILD push, the others have ST(0) too. */
static inline enum done load(struct cpu *cpu, const struct uop *u,
			     unsigned bytes, bool pushes)
{
	struct fpu *fpu = &cpu->fpu;
	unsigned digit = (unsigned)u->imm >> 3 & 7;
	uint8_t buf[16] = { 0 };
	struct x87_image im;
	struct x87_few f;
	int left = -1;

	if (x87_raises(cpu) || !op_load(cpu, u, buf, bytes))
		return DONE_FAULT;
	if (!pushes || !(fpu->used >> ((fpu_top(fpu) - 1) & 7) & 1))
		left = quick_run(cpu, u, &f, !pushes, 0, buf);
	if (left >= 0) {
		quick_done(cpu, u, &f, !pushes, left, 0,
			   !pushes && (digit & 6) == 2 ? FSW_CC : FSW_C1);
		return DONE;
	}
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
	       mem_check(cpu, lin, bytes, ACCESS_WRITE);
}

static inline enum done store(struct cpu *cpu, const struct uop *u,
			      unsigned bytes)
{
	uint8_t buf[16] = { 0 };
	struct x87_image im;
	struct x87_few f;
	int left = quick_run(cpu, u, &f, 1, 0, buf);

	if (left >= 0) {
		if (!op_store(cpu, u, buf, bytes))
			return DONE_FAULT;
		quick_done(cpu, u, &f, 1, left, 0, FSW_C1);
		return DONE;
	}
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
	return load(cpu, u, bytes, false);				\
}									\
static enum done op_push_##bytes(struct cpu *cpu, const struct uop *u)	\
{									\
	return load(cpu, u, bytes, true);				\
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
	bool push = insn->op == OP_FLD || insn->op == OP_FILD ||
		    insn->op == OP_FBLD;
	bool st = stores(insn);

	switch (insn_opnd_bytes(insn, i)) {
#define X(bytes) case bytes: return st ? op_store_##bytes : \
	push ? op_push_##bytes : op_load_##bytes;
	EACH_SIZE(X)
#undef X
	default: return NULL;
	}
}

/* Without a memory operand. */
static op_fn *pick_registers(const struct insn *insn)
{
	switch (insn->op) {
	case OP_FADD: case OP_FMUL: case OP_FSUB: case OP_FSUBR: case OP_FDIV:
	case OP_FDIVR:
		return op_two;
	/* What is popped at once stays in the empty register. */
	case OP_FADDP: case OP_FMULP: case OP_FSUBP: case OP_FSUBRP:
	case OP_FDIVP: case OP_FDIVRP:
		return insn->modrm & 7 ? op_two : op_reg;
	case OP_FCOM: case OP_FCOMP: case OP_FCOMPP: case OP_FUCOM:
	case OP_FUCOMP: case OP_FUCOMPP:
		return op_compare;
	case OP_FCHS: case OP_FABS: case OP_FSQRT: case OP_FRNDINT: case OP_FTST:
		return op_one;
	case OP_FLD1: case OP_FLDL2T: case OP_FLDL2E: case OP_FLDPI:
	case OP_FLDLG2: case OP_FLDLN2: case OP_FLDZ:
		return op_constant;
	case OP_FXCH: return op_fxch;
	case OP_FLD: return op_fld_st;
	case OP_FST: return op_fst_st;
	case OP_FSTP: return op_fstp_st;
	default: return op_reg;
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
		return insn->mem ? pick_memory(insn) : pick_registers(insn);
	}
}
