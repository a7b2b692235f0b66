/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87_host.c - the host's x87 FPU: with sse_host.c the only place that needs an x86
 * host. Intel SDM volume 1, chapter 8.
 *
 * FRSTOR loads the guest's stack and control word, a stub of one instruction runs,
 * FNSAVE keeps what became of them.  An exception that the guest has not masked
 * would trap at the next waiting instruction; FNSAVE is none, and clears it.  It
 * leaves an empty stack, as the host's is between functions.
 *
 * Those two take most of the time, and so does FNCLEX: instructions on one or two
 * registers, with all exceptions masked, do without: x87_host_few().  The host's
 * exception flags are then left to accumulate where they are masked; nothing of this
 * program looks at them.
 */
#include "x87_host.h"

#include <stddef.h>

_Static_assert(sizeof(struct x87_image) == 108, "FNSAVE's area");

/* Stubs of 4 bytes: the instruction, RET, a filler. */
extern const uint8_t x87_host_regs[8][64][4] __attribute__((visibility("hidden")));
extern const uint8_t x87_host_mems[8][8][4] __attribute__((visibility("hidden")));
uint64_t x87_host_call(struct x87_image *image, const uint8_t *stub, void *mem,
		       uint64_t rflags) __attribute__((visibility("hidden")));
/* Gives RFLAGS. */
uint64_t x87_host_step(const uint8_t *stub, void *mem)
	__attribute__((visibility("hidden")));

__asm__(".pushsection .text\n"
	".hidden x87_host_regs\n"
	".hidden x87_host_mems\n"
	".hidden x87_host_call\n"
	".globl x87_host_regs\n"
	".globl x87_host_mems\n"
	".globl x87_host_call\n"
	".balign 16\n"
	"x87_host_regs:\n"
	".set opcode, 0xd8\n"
	".rept 8\n"
	".set modrm, 0xc0\n"
	".rept 64\n"
	".byte opcode, modrm, 0xc3, 0xcc\n"
	".set modrm, modrm + 1\n"
	".endr\n"
	".set opcode, opcode + 1\n"
	".endr\n"
	/* The operand at (%rdx): r/m is 2. */
	"x87_host_mems:\n"
	".set opcode, 0xd8\n"
	".rept 8\n"
	".set modrm, 2\n"
	".rept 8\n"
	".byte opcode, modrm, 0xc3, 0xcc\n"
	".set modrm, modrm + 8\n"
	".endr\n"
	".set opcode, opcode + 1\n"
	".endr\n"
	".type x87_host_call, @function\n"
	"x87_host_call:\n"
	".cfi_startproc\n"
	"sub $8, %rsp\n"
	".cfi_adjust_cfa_offset 8\n"
	"fnstcw (%rsp)\n"
	"frstor (%rdi)\n"
	"push %rcx\n"
	".cfi_adjust_cfa_offset 8\n"
	"popfq\n"
	".cfi_adjust_cfa_offset -8\n"
	"call *%rsi\n"
	"fnsave (%rdi)\n"
	"pushfq\n"
	".cfi_adjust_cfa_offset 8\n"
	"pop %rax\n"
	".cfi_adjust_cfa_offset -8\n"
	"fldcw (%rsp)\n"
	"add $8, %rsp\n"
	".cfi_adjust_cfa_offset -8\n"
	"ret\n"
	".cfi_endproc\n"
	".size x87_host_call, . - x87_host_call\n"
	".hidden x87_host_step\n"
	".globl x87_host_step\n"
	".type x87_host_step, @function\n"
	"x87_host_step:\n"
	".cfi_startproc\n"
	"sub $8, %rsp\n"
	".cfi_adjust_cfa_offset 8\n"
	"mov %rsi, %rdx\n"
	"call *%rdi\n"
	"pushfq\n"
	".cfi_adjust_cfa_offset 8\n"
	"pop %rax\n"
	".cfi_adjust_cfa_offset -8\n"
	"add $8, %rsp\n"
	".cfi_adjust_cfa_offset -8\n"
	"ret\n"
	".cfi_endproc\n"
	".size x87_host_step, . - x87_host_step\n"
	".popsection\n");

static const uint8_t *stub_of(unsigned opcode, unsigned modrm)
{
	return modrm >= 0xc0 ? x87_host_regs[opcode & 7][modrm & 0x3f] :
			       x87_host_mems[opcode & 7][modrm >> 3 & 7];
}

uint64_t x87_host_run(struct x87_image *image, unsigned opcode, unsigned modrm,
		      void *mem, uint64_t rflags)
{
	return x87_host_call(image, stub_of(opcode, modrm), mem,
			     (rflags & 0x8d5) | 0x202);
}

/* Status word: flags and stack fault; TOP, 0 as long as the stack is empty. */
#define SW_FLAGS	0x7fu
#define SW_TOP_SHIFT	11
#define CW_MASKS	0x3fu

int x87_host_few(struct x87_few *f, unsigned n, unsigned opcode,
		 unsigned modrm, void *mem)
{
	unsigned left;
	uint16_t cw, sw;

	__asm__ volatile("fnstcw %0\n\t fnstsw %1" : "=m"(cw), "=a"(sw));
	/* Whose flags they are must be known. */
	if (sw & SW_FLAGS & ~(unsigned)f->sw)
		__asm__ volatile("fnclex");
	if (cw != f->cw)
		__asm__ volatile("fldcw %0" : : "m"(f->cw));
	if (n > 1)
		__asm__ volatile("fldt (%0)" : : "r"(f->st[1]) : "memory");
	if (n)
		__asm__ volatile("fldt (%0)" : : "r"(f->st[0]) : "memory");
	f->rflags = x87_host_step(stub_of(opcode, modrm), mem);
	__asm__ volatile("fnstsw %0" : "=a"(sw) : : "memory");
	left = -((unsigned)sw >> SW_TOP_SHIFT) & 7;
	for (unsigned i = 0; i < left; i++)
		__asm__ volatile("fstpt (%0)" : : "r"(f->st[i]) : "memory");
	/* Where they are not masked they must not stay. */
	if (~cw & CW_MASKS)
		__asm__ volatile("fnclex");
	if (cw != f->cw)
		__asm__ volatile("fldcw %0" : : "m"(cw));
	f->sw = sw;
	return (int)left;
}
