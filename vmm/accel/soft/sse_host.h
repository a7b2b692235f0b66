/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_host.h - MMX and SSE instructions of the host, as functions: all that the
 * software CPU wants from the host's vector unit.
 *
 * Operands are 16 bytes (MMX: 8), aligned; the destination is read and written.
 * The lists name the operation (ops.h) and the host's mnemonic.
 */
#ifndef SOFT_SSE_HOST_H
#define SOFT_SSE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exception flags of MXCSR; their masks are 7 bits higher. */
#define MXCSR_I		0x01u
#define MXCSR_D		0x02u
#define MXCSR_Z		0x04u
#define MXCSR_O		0x08u
#define MXCSR_U		0x10u
#define MXCSR_P		0x20u
#define MXCSR_FLAGS	0x3fu
#define MXCSR_DAZ	0x40u
#define MXCSR_MASKS	0x1f80u
#define MXCSR_MASK_SHIFT 7
#define MXCSR_FTZ	0x8000u
#define MXCSR_VALID	0xffffu


typedef void host_fn(void *dst, const void *src);
/* With an immediate byte. */
typedef void host_imm_fn(void *dst, const void *src, uint8_t imm);
/* Floating point: under `mxcsr`, which has all exceptions masked and no flags set;
 * gives the flags that were raised.
 */
typedef uint32_t host_fp_fn(void *dst, const void *src, uint32_t mxcsr);
typedef uint32_t host_fp_imm_fn(void *dst, const void *src, uint8_t imm,
				uint32_t mxcsr);

/* On MMX and on XMM registers: host_m_NAME and host_x_NAME. */
#define HOST_MMX_XMM(X)							\
	X(PUNPCKHBW, punpckhbw) X(PUNPCKHWD, punpckhwd)			\
	X(PUNPCKHDQ, punpckhdq) X(PACKSSWB, packsswb)			\
	X(PACKSSDW, packssdw) X(PACKUSWB, packuswb)			\
	X(PCMPGTB, pcmpgtb) X(PCMPGTW, pcmpgtw) X(PCMPGTD, pcmpgtd)	\
	X(PCMPEQB, pcmpeqb) X(PCMPEQW, pcmpeqw) X(PCMPEQD, pcmpeqd)	\
	X(PADDB, paddb) X(PADDW, paddw) X(PADDD, paddd) X(PADDQ, paddq)	\
	X(PSUBB, psubb) X(PSUBW, psubw) X(PSUBD, psubd) X(PSUBQ, psubq)	\
	X(PADDSB, paddsb) X(PADDSW, paddsw) X(PADDUSB, paddusb)		\
	X(PADDUSW, paddusw) X(PSUBSB, psubsb) X(PSUBSW, psubsw)		\
	X(PSUBUSB, psubusb) X(PSUBUSW, psubusw) X(PMINUB, pminub)	\
	X(PMINSW, pminsw) X(PMAXUB, pmaxub) X(PMAXSW, pmaxsw)		\
	X(PAND, pand) X(PANDN, pandn) X(POR, por) X(PXOR, pxor)		\
	X(PAVGB, pavgb) X(PAVGW, pavgw) X(PMULLW, pmullw)		\
	X(PMULHW, pmulhw) X(PMULHUW, pmulhuw) X(PMULUDQ, pmuludq)	\
	X(PMADDWD, pmaddwd) X(PSADBW, psadbw)				\
	X(PSRLW, psrlw) X(PSRLD, psrld) X(PSRLQ, psrlq)			\
	X(PSRAW, psraw) X(PSRAD, psrad)					\
	X(PSLLW, psllw) X(PSLLD, pslld) X(PSLLQ, psllq)			\
	X(PSHUFB, pshufb) X(PHADDW, phaddw) X(PHADDD, phaddd)		\
	X(PHADDSW, phaddsw) X(PHSUBW, phsubw) X(PHSUBD, phsubd)		\
	X(PHSUBSW, phsubsw) X(PMADDUBSW, pmaddubsw)			\
	X(PSIGNB, psignb) X(PSIGNW, psignw) X(PSIGND, psignd)		\
	X(PMULHRSW, pmulhrsw) X(PABSB, pabsb) X(PABSW, pabsw)		\
	X(PABSD, pabsd)

/* The same, with 4 bytes of memory as MMX instructions. */
#define HOST_MMX_XMM_LOW(X)						\
	X(PUNPCKLBW, punpcklbw) X(PUNPCKLWD, punpcklwd)			\
	X(PUNPCKLDQ, punpckldq)

/* On XMM registers only: host_x_NAME. */
#define HOST_XMM(X)							\
	X(PUNPCKLQDQ, punpcklqdq) X(PUNPCKHQDQ, punpckhqdq)		\
	X(UNPCKLPS, unpcklps) X(UNPCKLPD, unpcklpd)			\
	X(UNPCKHPS, unpckhps) X(UNPCKHPD, unpckhpd)			\
	X(ANDPS, andps) X(ANDPD, andpd) X(ANDNPS, andnps)		\
	X(ANDNPD, andnpd) X(ORPS, orps) X(ORPD, orpd) X(XORPS, xorps)	\
	X(XORPD, xorpd) X(MOVSLDUP, movsldup) X(MOVSHDUP, movshdup)	\
	X(PMULDQ, pmuldq) X(PCMPEQQ, pcmpeqq) X(PACKUSDW, packusdw)	\
	X(PCMPGTQ, pcmpgtq) X(PMINSB, pminsb) X(PMINSD, pminsd)		\
	X(PMINUW, pminuw) X(PMINUD, pminud) X(PMAXSB, pmaxsb)		\
	X(PMAXSD, pmaxsd) X(PMAXUW, pmaxuw) X(PMAXUD, pmaxud)		\
	X(PMULLD, pmulld) X(PHMINPOSUW, phminposuw)

/* The same, with fewer bytes of memory. */
#define HOST_XMM_EXTEND(X)						\
	X(PMOVSXBW, pmovsxbw, 8) X(PMOVSXBD, pmovsxbd, 4)		\
	X(PMOVSXBQ, pmovsxbq, 2) X(PMOVSXWD, pmovsxwd, 8)		\
	X(PMOVSXWQ, pmovsxwq, 4) X(PMOVSXDQ, pmovsxdq, 8)		\
	X(PMOVZXBW, pmovzxbw, 8) X(PMOVZXBD, pmovzxbd, 4)		\
	X(PMOVZXBQ, pmovzxbq, 2) X(PMOVZXWD, pmovzxwd, 8)		\
	X(PMOVZXWQ, pmovzxwq, 4) X(PMOVZXDQ, pmovzxdq, 8)

/* Floating point: bytes of the source operand, and where a result may be tiny
 * (sse_fp.c).
 */
#define HOST_FP(X)							\
	X(ADDPS, addps, 16, TINY_PS) X(ADDPD, addpd, 16, TINY_PD)	\
	X(ADDSS, addss, 4, TINY_SS) X(ADDSD, addsd, 8, TINY_SD)		\
	X(SUBPS, subps, 16, TINY_PS) X(SUBPD, subpd, 16, TINY_PD)	\
	X(SUBSS, subss, 4, TINY_SS) X(SUBSD, subsd, 8, TINY_SD)		\
	X(MULPS, mulps, 16, TINY_PS) X(MULPD, mulpd, 16, TINY_PD)	\
	X(MULSS, mulss, 4, TINY_SS) X(MULSD, mulsd, 8, TINY_SD)		\
	X(DIVPS, divps, 16, TINY_PS) X(DIVPD, divpd, 16, TINY_PD)	\
	X(DIVSS, divss, 4, TINY_SS) X(DIVSD, divsd, 8, TINY_SD)		\
	X(MINPS, minps, 16, TINY_NO) X(MINPD, minpd, 16, TINY_NO)	\
	X(MINSS, minss, 4, TINY_NO) X(MINSD, minsd, 8, TINY_NO)		\
	X(MAXPS, maxps, 16, TINY_NO) X(MAXPD, maxpd, 16, TINY_NO)	\
	X(MAXSS, maxss, 4, TINY_NO) X(MAXSD, maxsd, 8, TINY_NO)		\
	X(SQRTPS, sqrtps, 16, TINY_NO) X(SQRTPD, sqrtpd, 16, TINY_NO)	\
	X(SQRTSS, sqrtss, 4, TINY_NO) X(SQRTSD, sqrtsd, 8, TINY_NO)	\
	X(RSQRTPS, rsqrtps, 16, TINY_NO) X(RSQRTSS, rsqrtss, 4, TINY_NO) \
	X(RCPPS, rcpps, 16, TINY_NO) X(RCPSS, rcpss, 4, TINY_NO)	\
	X(HADDPS, haddps, 16, TINY_PS) X(HADDPD, haddpd, 16, TINY_PD)	\
	X(HSUBPS, hsubps, 16, TINY_PS) X(HSUBPD, hsubpd, 16, TINY_PD)	\
	X(ADDSUBPS, addsubps, 16, TINY_PS)				\
	X(ADDSUBPD, addsubpd, 16, TINY_PD)				\
	X(CVTPS2PD, cvtps2pd, 8, TINY_NO)				\
	X(CVTPD2PS, cvtpd2ps, 16, TINY_PS)				\
	X(CVTSS2SD, cvtss2sd, 4, TINY_NO)				\
	X(CVTSD2SS, cvtsd2ss, 8, TINY_SS)				\
	X(CVTDQ2PS, cvtdq2ps, 16, TINY_NO)				\
	X(CVTDQ2PD, cvtdq2pd, 8, TINY_NO)				\
	X(CVTPS2DQ, cvtps2dq, 16, TINY_NO)				\
	X(CVTTPS2DQ, cvttps2dq, 16, TINY_NO)				\
	X(CVTPD2DQ, cvtpd2dq, 16, TINY_NO)				\
	X(CVTTPD2DQ, cvttpd2dq, 16, TINY_NO)

/* Floating point with an immediate: bytes of the source operand. */
#define HOST_FP_IMM(X)							\
	X(CMPPS, cmpps, 16) X(CMPPD, cmppd, 16) X(CMPSS, cmpss, 4)	\
	X(CMPSD, cmpsd, 8) X(ROUNDPS, roundps, 16)			\
	X(ROUNDPD, roundpd, 16) X(ROUNDSS, roundss, 4)			\
	X(ROUNDSD, roundsd, 8)

/* An MMX register and packed floats: the source is 8 or 16 bytes. */
#define HOST_FP_TO_MMX(X)						\
	X(CVTPS2PI, cvtps2pi, 8) X(CVTTPS2PI, cvttps2pi, 8)		\
	X(CVTPD2PI, cvtpd2pi, 16) X(CVTTPD2PI, cvttpd2pi, 16)
#define HOST_FP_FROM_MMX(X) X(CVTPI2PS, cvtpi2ps) X(CVTPI2PD, cvtpi2pd)

/* General registers: the integer has 4 or 8 bytes, host_NAME_32 and _64. */
#define HOST_FP_FROM_INT(X) X(CVTSI2SS, cvtsi2ss) X(CVTSI2SD, cvtsi2sd)
#define HOST_FP_TO_INT(X)						\
	X(CVTSS2SI, cvtss2si, 4) X(CVTTSS2SI, cvttss2si, 4)		\
	X(CVTSD2SI, cvtsd2si, 8) X(CVTTSD2SI, cvttsd2si, 8)
/* Comparisons: the destination is only read; EFLAGS' ZF, PF and CF are added to
 * what the function returns, from bit 8 on.
 */
#define HOST_FP_COMPARE(X)						\
	X(UCOMISS, ucomiss, 4) X(UCOMISD, ucomisd, 8)			\
	X(COMISS, comiss, 4) X(COMISD, comisd, 8)
#define HOST_COMPARE_SHIFT 8

#define X(name, insn) host_fn host_m_##name, host_x_##name;
HOST_MMX_XMM(X)
HOST_MMX_XMM_LOW(X)
#undef X
#define X(name, insn) host_fn host_x_##name;
HOST_XMM(X)
#undef X
#define X(name, insn, bytes) host_fn host_x_##name;
HOST_XMM_EXTEND(X)
#undef X
#define X(name, insn, bytes, tiny) host_fp_fn host_##name;
HOST_FP(X)
#undef X
#define X(name, insn, bytes) host_fp_imm_fn host_##name;
HOST_FP_IMM(X)
#undef X
#define X(name, insn, bytes) host_fp_fn host_##name;
HOST_FP_TO_MMX(X)
HOST_FP_COMPARE(X)
#undef X
#define X(name, insn) host_fp_fn host_##name;
HOST_FP_FROM_MMX(X)
#undef X
#define X(name, insn) host_fp_fn host_##name##_32, host_##name##_64;
HOST_FP_FROM_INT(X)
#undef X
#define X(name, insn, bytes) host_fp_fn host_##name##_32, host_##name##_64;
HOST_FP_TO_INT(X)
#undef X

host_imm_fn host_x_MPSADBW;

/* SSE4.2's string comparisons.  `eax` and `edx` are the lengths of the explicit
 * forms; PCMPxSTRI gives an index, PCMPxSTRM a mask in `out`.  Returns EFLAGS.
 */
struct host_pcmpstr {
	const void *a, *b;
	int32_t eax, edx;
	uint32_t index;
	uint8_t mask[16] __attribute__((aligned(16)));
};

typedef uint64_t host_pcmpstr_fn(struct host_pcmpstr *p, uint8_t imm);
host_pcmpstr_fn host_PCMPESTRM, host_PCMPESTRI, host_PCMPISTRM, host_PCMPISTRI;

/* What the host lacks of SSE3 to SSE4.2, NULL if nothing: then the CPU cannot
 * offer it either, and sse_pick() makes those instructions #UD.
 */
const char *sse_host_lacks(void);

#endif
