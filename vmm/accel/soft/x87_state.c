/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87_state.c - the x87 FPU's control and status words, tags and pointers, and how
 * they are saved. Intel SDM volume 1, 8.1 and 10.5.1.
 */
#include "x87.h"

/* Saved and restored in the order of this enum, each a word of 2 or 4 bytes. */
enum { ENV_CW, ENV_SW, ENV_TW, ENV_IP, ENV_CS, ENV_DP, ENV_DS, ENV_WORDS };

void fpu_reset(struct fpu *fpu)
{
	memset(fpu, 0, sizeof(*fpu));
	fpu->cw = FCW_ONE;
	fpu->mxcsr = 0x1f80;
	fpu->used = 0xff;
}

void fpu_get(const struct fpu *fpu, uint8_t fx[512])
{
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
		memcpy(fx + 32 + 16 * i, fpu->st[fpu_phys(fpu, i)], 10);
	memcpy(fx + 160, fpu->xmm, 256);
}

static void set_cw(struct fpu *fpu, uint16_t cw)
{
	fpu->cw = (cw & FCW_VALID) | FCW_ONE;
	fpu->sw = fsw_with_es(fpu->sw, fpu->cw);
}

void fpu_set(struct fpu *fpu, const uint8_t fx[512])
{
	uint16_t cw;

	memcpy(&cw, fx, 2);
	memcpy(&fpu->sw, fx + 2, 2);
	set_cw(fpu, cw);
	fpu->used = fx[4];
	memcpy(&fpu->opcode, fx + 6, 2);
	fpu->opcode &= 0x7ff;
	memcpy(&fpu->ip, fx + 8, 8);
	memcpy(&fpu->dp, fx + 16, 8);
	memcpy(&fpu->mxcsr, fx + 24, 4);
	fpu->mxcsr &= 0xffff;
	for (unsigned i = 0; i < 8; i++)
		memcpy(fpu->st[fpu_phys(fpu, i)], fx + 32 + 16 * i, 10);
	memcpy(fpu->xmm, fx + 160, 256);
}

void x87_note(struct cpu *cpu, const struct uop *u)
{
	struct fpu *fpu = &cpu->fpu;

	fpu->opcode = u->imm & 0x7ff;
	fpu->ip = rip_this(cpu, u);
	fpu->cs = cpu->seg[CPU_CS].selector;
	if (!u->mem)
		return;
	fpu->dp = op_offset(cpu, u);
	fpu->ds = cpu->seg[u->seg].selector;
}

/* The full tag word: valid, zero, special, empty. */
static unsigned full_tags(const struct fpu *fpu)
{
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned tag = 0;
		uint64_t sig;
		uint16_t exp;

		memcpy(&sig, fpu->st[i], 8);
		memcpy(&exp, fpu->st[i] + 8, 2);
		exp &= 0x7fff;
		if (!(fpu->used >> i & 1))
			tag = 3;
		else if (!exp && !sig)
			tag = 1;
		else if (!exp || exp == 0x7fff || !(sig >> 63))
			tag = 2;
		tags |= tag << 2 * i;
	}
	return tags;
}

/* Real and virtual-8086 mode have linear addresses in place of segments. */
static bool is_real(const struct cpu *cpu)
{
	return cpu->mode & (MODE_REAL | MODE_VM86);
}

/* The environment as 7 words of 32 bits, of which the narrow formats keep the low
 * halves.
 */
static void env_get(const struct cpu *cpu, unsigned wide, uint32_t env[ENV_WORDS])
{
	const struct fpu *fpu = &cpu->fpu;
	uint32_t ip = (uint32_t)fpu->ip, dp = (uint32_t)fpu->dp;

	env[ENV_CW] = 0xffff0000 | fpu->cw;
	env[ENV_SW] = 0xffff0000 | fpu->sw;
	env[ENV_TW] = 0xffff0000 | full_tags(fpu);
	env[ENV_IP] = ip;
	env[ENV_DP] = dp;
	env[ENV_CS] = fpu->cs | (uint32_t)fpu->opcode << 16;
	env[ENV_DS] = 0xffff0000 | fpu->ds;
	if (!is_real(cpu))
		return;
	ip += (uint32_t)fpu->cs << 4;
	dp += (uint32_t)fpu->ds << 4;
	env[ENV_IP] = ip & 0xffff;
	env[ENV_DP] = dp & 0xffff;
	env[ENV_CS] = (ip >> 16) << 12 | fpu->opcode;
	env[ENV_DS] = (dp >> 16) << 12;
	if (wide) {
		env[ENV_IP] |= 0xffff0000;
		env[ENV_DP] |= 0xffff0000;
	}
}

static void env_set(struct cpu *cpu, const uint32_t env[ENV_WORDS])
{
	struct fpu *fpu = &cpu->fpu;

	fpu->sw = (uint16_t)env[ENV_SW];
	set_cw(fpu, (uint16_t)env[ENV_CW]);
	fpu->used = 0;
	for (unsigned i = 0; i < 8; i++)
		if ((env[ENV_TW] >> 2 * i & 3) != 3)
			fpu->used |= (uint8_t)(1u << i);
	fpu->ip = env[ENV_IP];
	fpu->dp = env[ENV_DP];
	if (!is_real(cpu)) {
		fpu->cs = (uint16_t)env[ENV_CS];
		fpu->ds = (uint16_t)env[ENV_DS];
		fpu->opcode = env[ENV_CS] >> 16 & 0x7ff;
		return;
	}
	fpu->ip = (env[ENV_CS] & 0xffff000) << 4 | (env[ENV_IP] & 0xffff);
	fpu->dp = (env[ENV_DS] & 0xffff000) << 4 | (env[ENV_DP] & 0xffff);
	fpu->cs = fpu->ds = 0;
	fpu->opcode = env[ENV_CS] & 0x7ff;
}

/* To and from memory, with words of `word` bytes; gives their length. */
static unsigned env_pack(const struct cpu *cpu, unsigned word, uint8_t *out)
{
	uint32_t env[ENV_WORDS];

	env_get(cpu, word == 4, env);
	for (unsigned i = 0; i < ENV_WORDS; i++)
		memcpy(out + i * word, &env[i], word);
	return ENV_WORDS * word;
}

static unsigned env_unpack(struct cpu *cpu, unsigned word, const uint8_t *in)
{
	uint32_t env[ENV_WORDS] = { 0 };

	for (unsigned i = 0; i < ENV_WORDS; i++)
		memcpy(&env[i], in + i * word, word);
	/* 16 bits have no opcode but in real mode. */
	if (word == 2 && !is_real(cpu))
		env[ENV_CS] |= (uint32_t)cpu->fpu.opcode << 16;
	env_set(cpu, env);
	return ENV_WORDS * word;
}

static void fninit(struct fpu *fpu)
{
	fpu->cw = 0x37f;
	fpu->sw = 0;
	fpu->used = 0;
	fpu->opcode = fpu->cs = fpu->ds = 0;
	fpu->ip = fpu->dp = 0;
}

static inline enum done fnstenv(struct cpu *cpu, const struct uop *u,
				unsigned word)
{
	uint8_t buf[ENV_WORDS * 4];
	unsigned len = env_pack(cpu, word, buf);

	if (!op_store(cpu, u, buf, len))
		return DONE_FAULT;
	set_cw(&cpu->fpu, cpu->fpu.cw | FCW_MASKS);
	return DONE;
}

static inline enum done fldenv(struct cpu *cpu, const struct uop *u,
			       unsigned word)
{
	uint8_t buf[ENV_WORDS * 4];

	if (x87_raises(cpu) || !op_load(cpu, u, buf, ENV_WORDS * word))
		return DONE_FAULT;
	env_unpack(cpu, word, buf);
	return DONE;
}

static inline enum done fnsave(struct cpu *cpu, const struct uop *u,
			       unsigned word)
{
	uint8_t buf[ENV_WORDS * 4 + 80];
	unsigned len = env_pack(cpu, word, buf);

	for (unsigned i = 0; i < 8; i++, len += 10)
		memcpy(buf + len, cpu->fpu.st[fpu_phys(&cpu->fpu, i)], 10);
	if (!op_store(cpu, u, buf, len))
		return DONE_FAULT;
	fninit(&cpu->fpu);
	return DONE;
}

static inline enum done frstor(struct cpu *cpu, const struct uop *u,
			       unsigned word)
{
	uint8_t buf[ENV_WORDS * 4 + 80];
	unsigned at;

	if (x87_raises(cpu) || !op_load(cpu, u, buf, ENV_WORDS * word + 80))
		return DONE_FAULT;
	at = env_unpack(cpu, word, buf);
	for (unsigned i = 0; i < 8; i++, at += 10)
		memcpy(cpu->fpu.st[fpu_phys(&cpu->fpu, i)], buf + at, 10);
	return DONE;
}

#define FORMATS(name)							\
static enum done op_##name##_16(struct cpu *cpu, const struct uop *u)	\
{									\
	return name(cpu, u, 2);						\
}									\
static enum done op_##name##_32(struct cpu *cpu, const struct uop *u)	\
{									\
	return name(cpu, u, 4);						\
}
FORMATS(fnstenv)
FORMATS(fldenv)
FORMATS(fnsave)
FORMATS(frstor)

static enum done op_fwait(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	return x87_raises(cpu) ? DONE_FAULT : DONE;
}

static enum done op_fnop(struct cpu *cpu, const struct uop *u)
{
	if (x87_raises(cpu))
		return DONE_FAULT;
	x87_note(cpu, u);
	return DONE;
}

/* FNENI, FNDISI and FNSETPM meant something to the 8087 and the 80287. */
static enum done op_nothing(struct cpu *cpu, const struct uop *u)
{
	(void)cpu;
	(void)u;
	return DONE;
}

static enum done op_fnclex(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	cpu->fpu.sw &= FSW_CC | FSW_TOP;
	return DONE;
}

static enum done op_fninit(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	fninit(&cpu->fpu);
	return DONE;
}

static enum done op_fldcw(struct cpu *cpu, const struct uop *u)
{
	uint16_t cw;

	if (x87_raises(cpu) || !op_load(cpu, u, &cw, 2))
		return DONE_FAULT;
	set_cw(&cpu->fpu, cw);
	return DONE;
}

static enum done op_fnstcw(struct cpu *cpu, const struct uop *u)
{
	return op_store(cpu, u, &cpu->fpu.cw, 2) ? DONE : DONE_FAULT;
}

static enum done op_fnstsw(struct cpu *cpu, const struct uop *u)
{
	return op_store(cpu, u, &cpu->fpu.sw, 2) ? DONE : DONE_FAULT;
}

static enum done op_fnstsw_ax(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	REG16(cpu, REG_OFF(CPU_RAX)) = cpu->fpu.sw;
	return DONE;
}

static void add_to_top(struct fpu *fpu, unsigned n)
{
	unsigned top = (fpu_top(fpu) + n) & 7;

	fpu->sw = (uint16_t)((fpu->sw & ~(FSW_TOP | FSW_C1)) |
			     top << FSW_TOP_SHIFT);
}

static enum done op_fincstp(struct cpu *cpu, const struct uop *u)
{
	if (x87_raises(cpu))
		return DONE_FAULT;
	add_to_top(&cpu->fpu, 1);
	x87_note(cpu, u);
	return DONE;
}

static enum done op_fdecstp(struct cpu *cpu, const struct uop *u)
{
	if (x87_raises(cpu))
		return DONE_FAULT;
	add_to_top(&cpu->fpu, 7);
	x87_note(cpu, u);
	return DONE;
}

op_fn *x87_state_pick(const struct insn *insn)
{
	bool narrow = insn->osize == 2;

	switch (insn->op) {
	case OP_FWAIT: return op_fwait;
	case OP_FNOP: return insn->opcode == 0xdb ? op_nothing : op_fnop;
	case OP_FNCLEX: return op_fnclex;
	case OP_FNINIT: return op_fninit;
	case OP_FLDCW: return op_fldcw;
	case OP_FNSTCW: return op_fnstcw;
	case OP_FNSTSW: return op_fnstsw;
	case OP_FNSTSW_AX: return op_fnstsw_ax;
	case OP_FINCSTP: return op_fincstp;
	case OP_FDECSTP: return op_fdecstp;
	case OP_FNSTENV: return narrow ? op_fnstenv_16 : op_fnstenv_32;
	case OP_FLDENV: return narrow ? op_fldenv_16 : op_fldenv_32;
	case OP_FNSAVE: return narrow ? op_fnsave_16 : op_fnsave_32;
	case OP_FRSTOR: return narrow ? op_frstor_16 : op_frstor_32;
	default: return NULL;
	}
}
