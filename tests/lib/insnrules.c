/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insnrules.c - what the host cannot judge, and what the manual leaves undefined.
 * Intel SDM volume 2, "Flags Affected" of each instruction.
 */
#include "insngen.h"

#include "vmm/accel/soft/flags.h"

const char *gen_excluded(const struct insn *in)
{
	switch (in->op) {
	case OP_CPUID: case OP_RDTSC: case OP_RDTSCP: case OP_RDRAND:
	case OP_RDSEED: case OP_RDPMC:
		return "gives what the machine is";
	case OP_SYSCALL: case OP_SYSENTER: case OP_SYSRET: case OP_SYSEXIT:
	case OP_INT:
		return "calls the kernel";
	case OP_SGDT: case OP_SIDT: case OP_SLDT: case OP_STR: case OP_SMSW:
		return "the kernel answers in place of the CPU (UMIP)";
	case OP_INT1:
		return "the kernel takes it for a step";
	case OP_FXSAVE: case OP_FNSAVE: case OP_FNSTENV:
		return "stores addresses which the host does not keep";
	case OP_BSF: case OP_BSR:
		return in->rep == 0xf3 ? "the host has TZCNT and LZCNT" : NULL;
	case OP_INT3:
		return in->len > 1 ? "where it began is not said" : NULL;
	case OP_MOV_TO_CR: case OP_MOV_FROM_CR:
		return in->lock ? "LOCK means CR8 to AMD" : NULL;
	case OP_LSS: case OP_LFS: case OP_LGS: case OP_CALL_FAR:
	case OP_JMP_FAR:
		return in->osize == 8 ? "AMD has no far pointers of 64 bits" :
					NULL;
	case OP_VERW:
		return in->lock ? "the host does not mind LOCK" : NULL;
	case OP_SHLD: case OP_SHRD:
		return in->osize == 2 && in->mem &&
		       OPND_KIND(in->row->opnd[2]) == K_FIX &&
		       (in->base == CPU_RCX || in->index == CPU_RCX) ?
			"undefined for counts above 16" : NULL;
	case OP_NOP:
		return in->opcode == 0x0d && in->has_modrm && !in->mem ?
			"#UD to AMD, nothing to Intel" : NULL;
	case OP_CVTPI2PS:
		return in->mem ? "Intel enters the MMX state, AMD does not" :
				 NULL;
	case OP_BSWAP:
		return in->osize == 2 ? "undefined" : NULL;
	case OP_MOVSXD:
		return in->osize == 2 && in->mem ?
			"AMD reads 32 bits, Intel 16" : NULL;
	case OP_LOOPE: case OP_LOOPNE:
		if (in->rep)
			return "F2 and F3 are the condition to AMD";
		__attribute__((fallthrough));
	case OP_JCC: case OP_JMP: case OP_CALL: case OP_RET: case OP_LOOP:
	case OP_JCXZ: case OP_JMP_IND:
	case OP_CALL_IND:
		return in->prefix66 && in->code == CODE_64 ?
			"66 means 16 bits to AMD, nothing to Intel" : NULL;
	default:
		return NULL;
	}
}

bool gen_uses_segments(const struct insn *in)
{
	switch (in->op) {
	case OP_LAR: case OP_LSL: case OP_VERR: case OP_VERW: case OP_ARPL:
	case OP_MOV_TO_SEG: case OP_MOV_FROM_SEG: case OP_POP_SEG:
	case OP_PUSH_SEG: case OP_LSS: case OP_LFS: case OP_LGS: case OP_LES:
	case OP_LDS: case OP_CALL_FAR: case OP_JMP_FAR: case OP_RET_FAR:
	case OP_IRET:
		return true;
	default:
		return false;
	}
}

bool gen_uses_fpu(const struct insn *in)
{
	return IS_X87(in->op) || IS_SSE(in->op);
}

/* The count of a shift as the CPU cuts it. */
static unsigned shift_count(const struct insn *in, const struct native_state *s)
{
	unsigned last = OPND_KIND(in->row->opnd[2]) ? 2 : 1;
	uint64_t n = s->gpr[CPU_RCX];

	if (OPND_KIND(in->row->opnd[last]) == K_ONE)
		return 1;
	if (OPND_KIND(in->row->opnd[last]) == K_I)
		n = in->imm;
	return (unsigned)n & (insn_opnd_bytes(in, 0) == 8 ? 63 : 31);
}

uint64_t gen_undefined(const struct insn *in, const struct native_state *s)
{
	const uint64_t all = EFL_STATUS;
	unsigned n;

	switch (in->op) {
	case OP_MUL: case OP_IMUL1: case OP_IMUL:
		return EFL_SF | EFL_ZF | EFL_AF | EFL_PF;
	case OP_DIV: case OP_IDIV:
		return all;
	case OP_AND: case OP_OR: case OP_XOR: case OP_TEST:
		return EFL_AF;
	case OP_BT: case OP_BTS: case OP_BTR: case OP_BTC:
		return EFL_OF | EFL_SF | EFL_AF | EFL_PF;
	case OP_BSF: case OP_BSR:
		return all & ~(uint64_t)EFL_ZF;
	case OP_ROL: case OP_ROR: case OP_RCL: case OP_RCR:
		return shift_count(in, s) > 1 ? EFL_OF : 0;
	case OP_SHL: case OP_SHR: case OP_SAR:
		n = shift_count(in, s);
		return (n ? EFL_AF : 0) | (n > 1 ? EFL_OF : 0) |
		       (n >= 8 * insn_opnd_bytes(in, 0) && in->op != OP_SAR ?
			EFL_CF : 0);
	case OP_SHLD: case OP_SHRD:
		n = shift_count(in, s);
		return n > 8 * insn_opnd_bytes(in, 0) ? all :
		       (n ? EFL_AF : 0) | (n > 1 ? EFL_OF : 0);
	case OP_AAA: case OP_AAS:
		return EFL_OF | EFL_SF | EFL_ZF | EFL_PF;
	case OP_DAA: case OP_DAS:
		return EFL_OF;
	case OP_AAM: case OP_AAD:
		return EFL_OF | EFL_AF | EFL_CF;
	default:
		return 0;
	}
}
