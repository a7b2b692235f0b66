/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse_host.c - the host's MMX and SSE instructions as functions: with x87_host.c
 * the only place that needs an x86 host. Intel SDM volume 2.
 *
 * All in one asm statement each, for a compiler may move floating point across
 * LDMXCSR.  The host's MXCSR, and its x87 tags after MMX, are as they were.
 */
#include "sse_host.h"

#define X(name, insn)							\
void host_x_##name(void *dst, const void *src)				\
{									\
	__asm__ volatile("movdqa (%0), %%xmm0\n\t"			\
			 #insn " (%1), %%xmm0\n\t"			\
			 "movdqa %%xmm0, (%0)"				\
			 : : "r"(dst), "r"(src) : "xmm0", "memory");	\
}
#define X3(name, insn, bytes) X(name, insn)
HOST_MMX_XMM(X)
HOST_MMX_XMM_LOW(X)
HOST_XMM(X)
HOST_XMM_EXTEND(X3)
#undef X3
#undef X

#define MMX_CLOBBERS "mm0", "mm1", "st", "st(1)", "st(2)", "st(3)", "st(4)", \
	"st(5)", "st(6)", "st(7)", "memory"

#define X(name, insn)							\
void host_m_##name(void *dst, const void *src)				\
{									\
	__asm__ volatile("movq (%0), %%mm0\n\t"				\
			 "movq (%1), %%mm1\n\t"				\
			 #insn " %%mm1, %%mm0\n\t"			\
			 "movq %%mm0, (%0)\n\t"				\
			 "emms"						\
			 : : "r"(dst), "r"(src) : MMX_CLOBBERS);	\
}
HOST_MMX_XMM(X)
HOST_MMX_XMM_LOW(X)
#undef X

/* Under the guest's MXCSR. */
#define WITH_MXCSR(code)						\
	"stmxcsr %[host]\n\t"						\
	"ldmxcsr %[mxcsr]\n\t"						\
	code "\n\t"							\
	"stmxcsr %[mxcsr]\n\t"						\
	"ldmxcsr %[host]"

#define FP_FUNCTION(name, clobbers, code)				\
uint32_t host_##name(void *dst, const void *src, uint32_t mxcsr)	\
{									\
	uint32_t host;							\
									\
	__asm__ volatile(WITH_MXCSR(code)				\
			 : [host] "=m"(host), [mxcsr] "+m"(mxcsr)	\
			 : [d] "r"(dst), [s] "r"(src)			\
			 : clobbers);					\
	return mxcsr & MXCSR_FLAGS;					\
}
#define LIST(...) __VA_ARGS__

#define X(name, insn, bytes, tiny)					\
	FP_FUNCTION(name, LIST("xmm0", "memory"),			\
		    "movaps (%[d]), %%xmm0\n\t"				\
		    #insn " (%[s]), %%xmm0\n\t"				\
		    "movaps %%xmm0, (%[d])")
HOST_FP(X)
#undef X

#define X(name, insn)							\
	FP_FUNCTION(name, LIST("xmm0", MMX_CLOBBERS),			\
		    "movaps (%[d]), %%xmm0\n\t"				\
		    #insn " (%[s]), %%xmm0\n\t"				\
		    "movaps %%xmm0, (%[d])\n\t"				\
		    "emms")
HOST_FP_FROM_MMX(X)
#undef X

#define X(name, insn, bytes)						\
	FP_FUNCTION(name, LIST(MMX_CLOBBERS),				\
		    #insn " (%[s]), %%mm0\n\t"				\
		    "movq %%mm0, (%[d])\n\t"				\
		    "emms")
HOST_FP_TO_MMX(X)
#undef X

#define X(name, insn)							\
	FP_FUNCTION(name##_32, LIST("xmm0", "memory"),			\
		    "movaps (%[d]), %%xmm0\n\t"				\
		    #insn "l (%[s]), %%xmm0\n\t"			\
		    "movaps %%xmm0, (%[d])")				\
	FP_FUNCTION(name##_64, LIST("xmm0", "memory"),			\
		    "movaps (%[d]), %%xmm0\n\t"				\
		    #insn "q (%[s]), %%xmm0\n\t"			\
		    "movaps %%xmm0, (%[d])")
HOST_FP_FROM_INT(X)
#undef X

#define X(name, insn, bytes)						\
	FP_FUNCTION(name##_32, LIST("rax", "memory"),			\
		    #insn " (%[s]), %%eax\n\t"				\
		    "mov %%rax, (%[d])")				\
	FP_FUNCTION(name##_64, LIST("rax", "memory"),			\
		    #insn " (%[s]), %%rax\n\t"				\
		    "mov %%rax, (%[d])")
HOST_FP_TO_INT(X)
#undef X

#define X(name, insn, bytes)						\
uint32_t host_##name(void *dst, const void *src, uint32_t mxcsr)	\
{									\
	uint32_t host, z, p, c;						\
									\
	__asm__ volatile(WITH_MXCSR("movaps (%[d]), %%xmm0\n\t"		\
				    #insn " (%[s]), %%xmm0")		\
			 : [host] "=m"(host), [mxcsr] "+m"(mxcsr),	\
			   "=@ccz"(z), "=@ccp"(p), "=@ccc"(c)		\
			 : [d] "r"(dst), [s] "r"(src)			\
			 : "xmm0", "memory");				\
	return (mxcsr & MXCSR_FLAGS) |					\
	       (z << 6 | p << 2 | c) << HOST_COMPARE_SHIFT;		\
}
HOST_FP_COMPARE(X)
#undef X

/* Immediates must be constants: a case for each value that makes a difference. */
#define CASES_4(X, n) X(n) X(n + 1) X(n + 2) X(n + 3)
#define CASES_8(X, n) CASES_4(X, n) CASES_4(X, n + 4)
#define CASES_16(X, n) CASES_8(X, n) CASES_8(X, n + 8)
#define CASES_64(X, n) CASES_16(X, n) CASES_16(X, n + 16) \
	CASES_16(X, n + 32) CASES_16(X, n + 48)
#define CASES_128(X, n) CASES_64(X, n) CASES_64(X, n + 64)

#define FP_IMM(n, insn)							\
	__asm__ volatile(WITH_MXCSR("movaps (%[d]), %%xmm0\n\t"		\
				    insn " %[i], (%[s]), %%xmm0\n\t"	\
				    "movaps %%xmm0, (%[d])")		\
			 : [host] "=m"(host), [mxcsr] "+m"(mxcsr)	\
			 : [d] "r"(dst), [s] "r"(src), [i] "i"(n)	\
			 : "xmm0", "memory")

#define FP_IMM_FUNCTION(name, mask, cases)				\
uint32_t host_##name(void *dst, const void *src, uint8_t imm,		\
		     uint32_t mxcsr)					\
{									\
	uint32_t host;							\
									\
	switch (imm & (mask)) {						\
	cases								\
	}								\
	return mxcsr & MXCSR_FLAGS;					\
}

#define CASE(n) case n: FP_IMM(n, "cmpps"); break;
FP_IMM_FUNCTION(CMPPS, 7, CASES_8(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "cmppd"); break;
FP_IMM_FUNCTION(CMPPD, 7, CASES_8(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "cmpss"); break;
FP_IMM_FUNCTION(CMPSS, 7, CASES_8(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "cmpsd"); break;
FP_IMM_FUNCTION(CMPSD, 7, CASES_8(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "roundps"); break;
FP_IMM_FUNCTION(ROUNDPS, 15, CASES_16(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "roundpd"); break;
FP_IMM_FUNCTION(ROUNDPD, 15, CASES_16(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "roundss"); break;
FP_IMM_FUNCTION(ROUNDSS, 15, CASES_16(CASE, 0))
#undef CASE
#define CASE(n) case n: FP_IMM(n, "roundsd"); break;
FP_IMM_FUNCTION(ROUNDSD, 15, CASES_16(CASE, 0))
#undef CASE

void host_x_MPSADBW(void *dst, const void *src, uint8_t imm)
{
	switch (imm & 7) {
#define CASE(n)								\
	case n:								\
		__asm__ volatile("movdqa (%0), %%xmm0\n\t"		\
				 "mpsadbw %2, (%1), %%xmm0\n\t"		\
				 "movdqa %%xmm0, (%0)"			\
				 : : "r"(dst), "r"(src), "i"(n)		\
				 : "xmm0", "memory");			\
		break;
	CASES_8(CASE, 0)
#undef CASE
	}
}

#define STR_CASE(n, insn)						\
	case n:								\
		__asm__ volatile("movdqa (%[a]), %%xmm1\n\t"		\
				 insn " %[i], (%[b]), %%xmm1\n\t"	\
				 "movdqa %%xmm0, (%[m])"		\
				 : "=c"(index), "=@ccc"(c), "=@ccz"(z),	\
				   "=@ccs"(s), "=@cco"(o)		\
				 : [a] "r"(p->a), [b] "r"(p->b),	\
				   [m] "r"(p->mask), [i] "i"(n),	\
				   "a"(p->eax), "d"(p->edx)		\
				 : "xmm0", "xmm1", "memory");		\
		break;

#define STR_FUNCTION(name, cases)					\
uint64_t host_##name(struct host_pcmpstr *p, uint8_t imm)		\
{									\
	uint64_t c = 0, z = 0, s = 0, o = 0;				\
	uint32_t index = 0;						\
									\
	switch (imm & 0x7f) {						\
	cases								\
	}								\
	p->index = index;						\
	return c | z << 6 | s << 7 | o << 11;				\
}

#define CASE(n) STR_CASE(n, "pcmpestrm")
STR_FUNCTION(PCMPESTRM, CASES_128(CASE, 0))
#undef CASE
#define CASE(n) STR_CASE(n, "pcmpestri")
STR_FUNCTION(PCMPESTRI, CASES_128(CASE, 0))
#undef CASE
#define CASE(n) STR_CASE(n, "pcmpistrm")
STR_FUNCTION(PCMPISTRM, CASES_128(CASE, 0))
#undef CASE
#define CASE(n) STR_CASE(n, "pcmpistri")
STR_FUNCTION(PCMPISTRI, CASES_128(CASE, 0))
#undef CASE

const char *sse_host_lacks(void)
{
	if (!__builtin_cpu_supports("sse3"))
		return "SSE3";
	if (!__builtin_cpu_supports("ssse3"))
		return "SSSE3";
	if (!__builtin_cpu_supports("sse4.1"))
		return "SSE4.1";
	return __builtin_cpu_supports("sse4.2") ? NULL : "SSE4.2";
}
