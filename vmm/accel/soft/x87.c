/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87.c - the x87 FPU, and the state that FXSAVE has. Intel SDM volume 1,
 * chapters 8 and 10.5.1.
 *
 * Not there yet: instructions raise #UD.
 */
#include "soft.h"

op_fn *x87_pick(const struct insn *insn)
{
	(void)insn;
	return NULL;
}

void fpu_reset(struct fpu *fpu)
{
	memset(fpu, 0, sizeof(*fpu));
	fpu->cw = 0x40;
	fpu->mxcsr = 0x1f80;
	fpu->used = 0xff;
}

void fpu_get(const struct fpu *fpu, uint8_t fx[512])
{
	unsigned top = fpu->sw >> 11 & 7;

	memset(fx, 0, 512);
	memcpy(fx, &fpu->cw, 2);
	memcpy(fx + 2, &fpu->sw, 2);
	fx[4] = fpu->used;
	memcpy(fx + 6, &fpu->opcode, 2);
	memcpy(fx + 8, &fpu->ip, 8);
	memcpy(fx + 16, &fpu->dp, 8);
	memcpy(fx + 24, &fpu->mxcsr, 4);
	memcpy(fx + 28, &(uint32_t){ 0xffff }, 4);
	for (unsigned i = 0; i < 8; i++)
		memcpy(fx + 32 + 16 * i, fpu->st[(top + i) & 7], 10);
	memcpy(fx + 160, fpu->xmm, 256);
}

void fpu_set(struct fpu *fpu, const uint8_t fx[512])
{
	unsigned top;

	memcpy(&fpu->cw, fx, 2);
	memcpy(&fpu->sw, fx + 2, 2);
	fpu->used = fx[4];
	memcpy(&fpu->opcode, fx + 6, 2);
	memcpy(&fpu->ip, fx + 8, 8);
	memcpy(&fpu->dp, fx + 16, 8);
	memcpy(&fpu->mxcsr, fx + 24, 4);
	top = fpu->sw >> 11 & 7;
	for (unsigned i = 0; i < 8; i++)
		memcpy(fpu->st[(top + i) & 7], fx + 32 + 16 * i, 10);
	memcpy(fpu->xmm, fx + 160, 256);
}
