/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insnfpu.c - x87, MMX and SSE registers for an instruction: numbers of all
 * classes and at their edges, rounding, precision and masks.
 */
#include "insngen.h"

#include <string.h>

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

void gen_float80(struct gen *g, uint8_t p[10])
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

void gen_make_vector(struct gen *g, uint8_t p[16])
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
	/* A fault may enter the MMX state, or not: it has been. */
	if (in->op == OP_MASKMOVQ && in->code != CODE_64) {
		fx[3] &= 0xc7;
		fx[4] = 0xff;
	}
	memcpy(fx + 24, &mxcsr, 4);
	memcpy(fx + 28, &(uint32_t){ 0xffff }, 4);
	for (unsigned i = 0; i < 8; i++) {
		if (IS_X87(in->op))
			gen_float80(g, fx + 32 + 16 * i);
		else
			gen_vector(g, fx + 32 + 16 * i);
		memset(fx + 32 + 16 * i + 10, 0, 6);
	}
	for (unsigned i = 160; i < 416; i += 16)
		gen_vector(g, fx + i);
}
