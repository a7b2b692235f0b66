/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_exact.c - is the result of an overflow or underflow that is not masked
 * inexact too? Intel SDM volume 1, 4.9.1.4 to 4.9.1.6.
 *
 * Masked, the result is infinity or denormal, and that is what MXCSR.PE speaks of;
 * not masked, of the result with the exponent that it has.  x87 has exponents for
 * all of these: each part is computed once more with its precision control.
 */
#include "sse.h"

#include "x87_host.h"

/* One part: x87's /r of the operation on memory, and its operands. */
enum { PART_ADD = 0, PART_MUL = 1, PART_SUB = 4, PART_DIV = 6 };

struct part {
	unsigned op;		/* PART_* */
	bool is_double;		/* operands */
	bool to_single;		/* CVTSD2SS: of `a` */
	union vec a, b;
};

static uint32_t run_scalar(struct part p, uint32_t mxcsr, union vec *result)
{
	uint32_t flags;

	if (p.to_single)
		flags = host_CVTSD2SS(&p.b, &p.a, mxcsr);
	else if (p.op == PART_ADD)
		flags = (p.is_double ? host_ADDSD : host_ADDSS)(&p.a, &p.b, mxcsr);
	else if (p.op == PART_SUB)
		flags = (p.is_double ? host_SUBSD : host_SUBSS)(&p.a, &p.b, mxcsr);
	else if (p.op == PART_MUL)
		flags = (p.is_double ? host_MULSD : host_MULSS)(&p.a, &p.b, mxcsr);
	else
		flags = (p.is_double ? host_DIVSD : host_DIVSS)(&p.a, &p.b, mxcsr);
	*result = p.to_single ? p.b : p.a;
	return flags;
}

/* Denormal operands are zero if MXCSR says so. */
static void flush(union vec *v, bool is_double)
{
	if (is_double && !(v->q[0] & 0x7ff0000000000000))
		v->q[0] = 0;
	if (!is_double && !(v->d[0] & 0x7f800000))
		v->d[0] = 0;
}

static bool is_inexact(struct part p, uint32_t mxcsr)
{
	static const float one = 1;
	unsigned precision = p.is_double && !p.to_single ? 2 : 0;
	struct x87_image im = {
		.cw = 0x7f | precision << 8 | (mxcsr >> 13 & 3) << 10,
		.tw = 0xffff };

	if (mxcsr & MXCSR_DAZ) {
		flush(&p.a, p.is_double);
		flush(&p.b, p.is_double);
	}
	x87_host_run(&im, p.is_double ? 5 : 1, 0, &p.a, 0);
	im.sw &= FSW_TOP;
	if (p.to_single)
		x87_host_run(&im, 0, PART_MUL << 3, (void *)&one, 0);
	else
		x87_host_run(&im, p.is_double ? 4 : 0, p.op << 3, &p.b, 0);
	return im.sw & FSW_P;
}

static void part_operand(union vec *out, const union vec *v, unsigned i,
			 bool is_double)
{
	*out = (union vec){ .q = { is_double ? v->q[i & 1] : v->d[i & 3], 0 } };
}

/* Part `i` of an instruction on `a` and `b`. */
static struct part part_of(enum op op, unsigned i, bool is_double,
			   const union vec *a, const union vec *b)
{
	struct part p = { .op = PART_ADD, .is_double = is_double };
	unsigned half = is_double ? 1 : 2;

	switch (op) {
	case OP_CVTPD2PS: case OP_CVTSD2SS:
		p.to_single = p.is_double = true;
		part_operand(&p.a, b, i, true);
		return p;
	case OP_HSUBPS: case OP_HSUBPD:
		p.op = PART_SUB;
		__attribute__((fallthrough));
	case OP_HADDPS: case OP_HADDPD:
		part_operand(&p.a, i < half ? a : b, 2 * i, is_double);
		part_operand(&p.b, i < half ? a : b, 2 * i + 1, is_double);
		return p;
	case OP_ADDSUBPS: case OP_ADDSUBPD:
		p.op = i & 1 ? PART_ADD : PART_SUB;
		break;
	case OP_SUBPS: case OP_SUBPD: case OP_SUBSS: case OP_SUBSD:
		p.op = PART_SUB;
		break;
	case OP_MULPS: case OP_MULPD: case OP_MULSS: case OP_MULSD:
		p.op = PART_MUL;
		break;
	case OP_DIVPS: case OP_DIVPD: case OP_DIVSS: case OP_DIVSD:
		p.op = PART_DIV;
		break;
	default:
		break;
	}
	part_operand(&p.a, a, i, is_double);
	part_operand(&p.b, b, i, is_double);
	return p;
}

static bool part_is_inexact(const struct part *p, uint32_t mxcsr, uint32_t run)
{
	enum tiny tiny = p->is_double && !p->to_single ? TINY_SD : TINY_SS;
	uint32_t open = ~(mxcsr >> MXCSR_MASK_SHIFT), flags;
	union vec result;

	flags = run_scalar(*p, run, &result);
	if (sse_is_tiny(&result, tiny))
		flags |= MXCSR_U & open;
	if (flags & open & (MXCSR_O | MXCSR_U))
		return is_inexact(*p, mxcsr);
	return flags & MXCSR_P;
}

bool sse_is_inexact(enum op op, enum tiny tiny, const union vec *a,
		    const union vec *b, uint32_t mxcsr, uint32_t run)
{
	bool is_double = tiny == TINY_PD || tiny == TINY_SD;
	unsigned n = tiny == TINY_SS || tiny == TINY_SD ? 1 :
		     is_double || op == OP_CVTPD2PS ? 2 : 4;

	for (unsigned i = 0; i < n; i++) {
		struct part p = part_of(op, i, is_double, a, b);

		if (part_is_inexact(&p, mxcsr, run))
			return true;
	}
	return false;
}
