/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87_host.c - the host's x87 FPU: with sse_host.c the only place that needs an x86
 * host. Intel SDM volume 1, chapter 8.
 *
 * FRSTOR loads the guest's stack and control word, a stub of one instruction runs,
 * FNSAVE keeps what became of them.  An exception that the guest has not masked
 * would trap at the next waiting instruction; FNSAVE is none, and clears it.  It
 * leaves an empty stack, as the host's is between functions; a host whose status
 * word is not all zero gets its environment back the slow way.
 */
#include "x87_host.h"

#include <stddef.h>

_Static_assert(sizeof(struct x87_image) == 108, "FNSAVE's area");

/* Stubs of 4 bytes: the instruction, RET, a filler. */
extern const uint8_t x87_host_regs[8][64][4] __attribute__((visibility("hidden")));
extern const uint8_t x87_host_mems[8][8][4] __attribute__((visibility("hidden")));
uint64_t x87_host_call(struct x87_image *image, const uint8_t *stub, void *mem,
		       uint64_t rflags) __attribute__((visibility("hidden")));

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
	"sub $40, %rsp\n"
	".cfi_adjust_cfa_offset 40\n"
	"fnstsw 32(%rsp)\n"
	"fnstcw 34(%rsp)\n"
	"cmpw $0, 32(%rsp)\n"
	"je 1f\n"
	"fnstenv (%rsp)\n"
	"1:\n"
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
	"cmpw $0, 32(%rsp)\n"
	"jne 2f\n"
	".cfi_remember_state\n"
	"fldcw 34(%rsp)\n"
	"add $40, %rsp\n"
	".cfi_adjust_cfa_offset -40\n"
	"ret\n"
	".cfi_restore_state\n"
	"2:\n"
	"fldenv (%rsp)\n"
	"add $40, %rsp\n"
	".cfi_adjust_cfa_offset -40\n"
	"ret\n"
	".cfi_endproc\n"
	".size x87_host_call, . - x87_host_call\n"
	".popsection\n");

uint64_t x87_host_run(struct x87_image *image, unsigned opcode, unsigned modrm,
		      void *mem, uint64_t rflags)
{
	const uint8_t *stub = modrm >= 0xc0 ?
		x87_host_regs[opcode & 7][modrm & 0x3f] :
		x87_host_mems[opcode & 7][modrm >> 3 & 7];

	return x87_host_call(image, stub, mem, (rflags & 0x8d5) | 0x202);
}
