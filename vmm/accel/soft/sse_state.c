/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_state.c - FXSAVE, FXRSTOR, MXCSR and EMMS. Intel SDM volume 1, 10.5.1, and
 * volume 2.
 */
#include "sse.h"

/* Layout of the area; what lies behind XMM is not touched. */
#define FX_LEN		512u
#define FX_SAVED	416u
#define FX_SAVED_8	288u	/* with 8 XMM registers */
#define FX_MXCSR	24u

/* The form without REX.W keeps 32 bits of each pointer, and selectors behind. */
static void pointers_narrow(const struct cpu *cpu, uint8_t *fx)
{
	uint32_t ip[2] = { (uint32_t)cpu->fpu.ip, cpu->fpu.cs };
	uint32_t dp[2] = { (uint32_t)cpu->fpu.dp, cpu->fpu.ds };

	memcpy(fx + 8, ip, 8);
	memcpy(fx + 16, dp, 8);
}

static unsigned saved_bytes(const struct cpu *cpu)
{
	return cpu_code(cpu) == CODE_64 ? FX_SAVED : FX_SAVED_8;
}

/* The area must be aligned to 16 bytes, all FX_LEN of it in the segment.  If two
 * pages are missing CPUs name the second one, for they try the last byte first.
 */
static bool area_lin(struct cpu *cpu, const struct uop *u, enum access how,
		     uint64_t *lin)
{
	uint64_t last;

	if (!op_lin(cpu, u, FX_LEN, how, lin))
		return false;
	if (*lin & 15) {
		raise_gp(cpu, 0);
		return false;
	}
	last = *lin + FX_LEN - 1;
	if (cpu_code(cpu) != CODE_64)
		last = (uint32_t)last;
	return mem_check(cpu, last, 1, how);
}

static inline enum done fxsave(struct cpu *cpu, const struct uop *u, bool wide)
{
	uint8_t fx[FX_LEN];
	uint64_t lin;

	if (!area_lin(cpu, u, ACCESS_WRITE, &lin))
		return DONE_FAULT;
	fpu_get(&cpu->fpu, fx);
	if (!wide)
		pointers_narrow(cpu, fx);
	if (!mem_check(cpu, lin, FX_LEN, ACCESS_WRITE) ||
	    !mem_store(cpu, lin, fx, saved_bytes(cpu), ACCESS_WRITE))
		return DONE_FAULT;
	return DONE;
}

/* FCW's reserved bits are what they always are; ES and B follow the flags. */
static void control_settle(struct fpu *fpu)
{
	fpu->cw = (uint16_t)((fpu->cw & 0x1f3f) | 0x40);
	fpu->sw &= 0x7f7f;
	if (fpu->sw & ~fpu->cw & 0x3f)
		fpu->sw |= 0x8080;
}

static inline enum done fxrstor(struct cpu *cpu, const struct uop *u, bool wide)
{
	unsigned len = saved_bytes(cpu);
	uint8_t fx[FX_LEN];
	uint32_t mxcsr;
	uint64_t lin;

	if (!area_lin(cpu, u, ACCESS_READ, &lin) ||
	    !mem_load(cpu, lin, fx, FX_LEN, ACCESS_READ))
		return DONE_FAULT;
	memcpy(fx + len, cpu->fpu.xmm[8], FX_SAVED - len);
	memcpy(&mxcsr, fx + FX_MXCSR, 4);
	if (mxcsr & ~MXCSR_VALID)
		return raise_gp(cpu, 0);
	fpu_set(&cpu->fpu, fx);
	control_settle(&cpu->fpu);
	if (!wide) {
		memcpy(&cpu->fpu.cs, fx + 12, 2);
		memcpy(&cpu->fpu.ds, fx + 20, 2);
		cpu->fpu.ip = (uint32_t)cpu->fpu.ip;
		cpu->fpu.dp = (uint32_t)cpu->fpu.dp;
	}
	return DONE;
}

static enum done op_fxsave(struct cpu *cpu, const struct uop *u)
{
	return fxsave(cpu, u, false);
}

static enum done op_fxsave64(struct cpu *cpu, const struct uop *u)
{
	return fxsave(cpu, u, true);
}

static enum done op_fxrstor(struct cpu *cpu, const struct uop *u)
{
	return fxrstor(cpu, u, false);
}

static enum done op_fxrstor64(struct cpu *cpu, const struct uop *u)
{
	return fxrstor(cpu, u, true);
}

static enum done op_ldmxcsr(struct cpu *cpu, const struct uop *u)
{
	uint32_t v;

	if (!op_load(cpu, u, &v, 4))
		return DONE_FAULT;
	if (v & ~MXCSR_VALID)
		return raise_gp(cpu, 0);
	cpu->fpu.mxcsr = v;
	return DONE;
}

static enum done op_stmxcsr(struct cpu *cpu, const struct uop *u)
{
	return op_store(cpu, u, &cpu->fpu.mxcsr, 4) ? DONE : DONE_FAULT;
}

static enum done op_emms(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	if (!mmx_begin(cpu))
		return DONE_FAULT;
	cpu->fpu.sw &= (uint16_t)~FSW_TOP;
	cpu->fpu.used = 0;
	return DONE;
}

op_fn *sse_state_pick(const struct insn *insn)
{
	bool wide = insn->rex & 8;

	switch (insn->op) {
	case OP_FXSAVE: return wide ? op_fxsave64 : op_fxsave;
	case OP_FXRSTOR: return wide ? op_fxrstor64 : op_fxrstor;
	case OP_LDMXCSR: return op_ldmxcsr;
	case OP_STMXCSR: return op_stmxcsr;
	case OP_EMMS: return op_emms;
	default: return NULL;
	}
}
